"""The startup script: one shell script that a machine runs when it starts.

A purchase sends only one SSH key in its parameter `ssh_public_key`. The script installs all other SSH keys, then
the probe and the programs that belong to it. Finally, it runs the team's setup script. docs/startup-script.md
describes the effects on the machine.

Nothing that people type becomes part of the script. It contains only public keys that `read_key` has encoded, this
project's own programs, and the text of a setup script. Admins write the setup scripts.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from functools import cache
from types import MappingProxyType

from bot.errors import Mistake
from bot.model.attempt import OwnedKey, ScriptPart, SentScript
from bot.model.base import Frozen
from bot.model.facts import LeftOut
from bot.model.person import Key
from bot.model.rental import Rental
from bot.model.text import plural, short
from bot.policy.access.health_script import HEALTH_PATH, HEALTH_SCRIPT
from bot.policy.access.jobs_script import GPUBOT_JOBS_SCRIPT, JOBS_PATH
from bot.policy.access.probe_script import ENDING_PATH, ENDING_SCRIPT, INSTALLED_PROBE_SCRIPT, SCRIPT_PATH
from bot.policy.access.run_script import GPUBOT_RUN_SCRIPT, RUN_PATH
from bot.policy.team.rules import Rules
from bot.policy.use.probing import wants_probe

SCRIPT_VERSION = 4
"""The version of the script. Every change to what the script does increases it.

Each attempt records the version that it sent.
"""
LARGEST_SCRIPT = 15_000
"""The largest script that is sent, in bytes.

EC2 accepts 16,384 bytes of user data before encoding (docs.aws.amazon.com/AWSEC2/latest/UserGuide/user-data.html),
and other vendors accept more. The limit here is lower, because a marketplace or vendor might add something around
the script.
"""
_PART_PROGRAMS: Mapping[ScriptPart, Mapping[str, str]] = MappingProxyType(
    {
        ScriptPart.HEALTH: {HEALTH_PATH: HEALTH_SCRIPT},
        ScriptPart.RUN: {RUN_PATH: GPUBOT_RUN_SCRIPT, JOBS_PATH: GPUBOT_JOBS_SCRIPT},
        ScriptPart.ON_ENDING: {ENDING_PATH: ENDING_SCRIPT},
    }
)
"""The programs that each part installs: the text of each, by its path on the machine."""
GIVES_WAY = tuple(_PART_PROGRAMS)
"""The parts, in the order in which they are left out if the script would be too large.

The keys, the probe and the setup script are never left out in favor of these.
"""
_DIRECTORY = "/var/lib/gpubot"
SETUP_LOG = f"{_DIRECTORY}/setup.log"
"""The file on the machine with the output of a setup script."""

_START = """\
#!/bin/sh
# Most sections run in a subshell, so that a section that fails doesn't keep the next one away.

file=/root/.ssh/authorized_keys

# Succeed if the file has this line, also with a comment after it.
has_line() {
  [ -f "$file" ] || return
  while read -r line || [ -n "$line" ]; do
    case $line in "$1" | "$1 "*) return 0 ;; esac
  done <"$file"
  return 1
}

# Append the lines of the standard input that the file doesn't have. It is never replaced: another program may be
# adding a key too.
add_lines() {
  umask 077
  mkdir -p /root/.ssh && touch "$file" || return
  chmod 700 /root/.ssh
  chmod 600 "$file"
  missing=
  while read -r wanted; do
    [ -z "$wanted" ] || has_line "$wanted" || missing="$missing$wanted
"
  done
  [ -n "$missing" ] || return 0
  # The last line may have no end. The first new key would become a part of it.
  [ -z "$(tail -c 1 "$file")" ] || missing="
$missing"
  printf '%s' "$missing" >>"$file"
}
"""
_KEYS = """
# --- keys
(
  add_lines <<'END_OF_KEYS'
{lines}
END_OF_KEYS
)
"""
_PROGRAMS = """
# Install the standard input as the program $1.
add_program() {
  mkdir -p "${1%/*}" && cat >"$1.new" && chmod 755 "$1.new" && mv "$1.new" "$1"
}
"""
_PROBE = """
if add_program {path} <<'END_OF_PROGRAM'
{script}
END_OF_PROGRAM
then
  (
    add_lines <<'END_OF_KEYS'
{line}
END_OF_KEYS
  )
fi
"""
_PROGRAM = """
add_program {path} <<'END_OF_PROGRAM'
{script}
END_OF_PROGRAM
"""
_START_JOBS = f"""
# This creates the folder of the jobs.
{JOBS_PATH} >/dev/null 2>&1
"""
_SETUP = """
# --- setup
(
  dir={directory}
  mkdir -p "$dir" && cd "$dir" || exit
  [ "$(cat setup.state 2>/dev/null)" != "done" ] || exit 0
  cat >setup <<'{delimiter}' || exit
{text}
{delimiter}
  chmod 755 setup
  # Bash reads this before a setup that is written for it: the line at which `set -e` ends it is noted.
  cat >setup.env <<'END'
unset BASH_ENV
line='case $-$BASH_SUBSHELL in *e*0) echo "$LINENO" >{directory}/setup.line ;; esac'
[ "$0" != {directory}/setup ] || {{ set -E && trap "$line" ERR; }}
unset line
END
  rm -f setup.line

  # A setup may overwrite the keys that were there before it.
  before=$(cat "$file" 2>/dev/null)
  probe=$(grep ' gpubot-probe$' "$file" 2>/dev/null)
  any_left() {{
    while read -r wanted; do
      [ -z "$wanted" ] || ! has_line "$wanted" || return 0
    done <<END
$before
END
    return 1
  }}
  add_before() {{ printf '%s\\n' "$before" | add_lines; }}

  # It may also hang after that, so look every 5 seconds until this script ends.
  while kill -0 $$ && sleep 5; do any_left || add_before; echo "$probe" | add_lines; done >/dev/null 2>&1 &
  watcher=$!
  echo running >setup.state
  (cd /root && HOME=/root BASH_ENV="$dir/setup.env" "$dir/setup") </dev/null >setup.log 2>&1
  status=$?
  kill "$watcher"
  add_before
  state="done"
  [ "$status" -eq 0 ] || state="failed $status"
  [ "$status" -eq 0 ] || [ ! -s setup.line ] || state="$state $(cat setup.line)"
  echo "$state" >setup.state
)
"""


@cache
def compacted(script: str) -> str:
    """Remove comments, blank lines and indentation from a shell script.

    Only comments on lines of their own are removed. The first line stays if it names the interpreter. The lines of
    a here-document stay as they are.

    Quoted text isn't recognized, so it is changed in the same way. This does no harm to a quoted awk program, but
    it can damage other text.
    """
    kept: list[str] = []
    delimiter: str | None = None
    for line in script.splitlines(keepends=True):
        text = line.lstrip(" ")
        if delimiter is not None:
            kept.append(line)
            delimiter = None if line.rstrip("\n") == delimiter else delimiter
        elif not text.startswith(("#", "\n")) or (not kept and line.startswith("#!")):
            kept.append(text)
            found = _HERE_DOCUMENT.search(line)
            delimiter = found and found[1]
    return "".join(kept)


_HERE_DOCUMENT = re.compile(r"<<'?(\w+)'?")
"""Matches the beginning of a here-document, as this project's scripts write it."""


def script_text(lines: Sequence[str], setup: str | None = None, probe_line: str = "") -> str:
    """Return the startup script. Empty if the script would have nothing to do.

    A script that installs the probe also installs the optional parts that it has space for (`parts_that_fit`).
    This function doesn't check the size of the keys and the setup script.

    Args:
        lines: The lines of the keys to install.
        setup: The text of a setup script.
        probe_line: The probe's line of authorized_keys. If it is empty, the probe isn't installed.
    """
    return _script(lines, setup, probe_line, parts_that_fit(lines, setup, probe_line))


def parts_that_fit(lines: Sequence[str], setup: str | None, probe_line: str) -> tuple[ScriptPart, ...]:
    """Return the optional parts that a startup script has space for.

    If the script would be too large with all parts, parts are left out in the order of `GIVES_WAY`. A script
    without the probe has no parts, because they are of no use without the probe.
    """
    if not probe_line:
        return ()
    for count in range(len(GIVES_WAY)):
        parts = GIVES_WAY[count:]
        if _size(_script(lines, setup, probe_line, parts)) <= LARGEST_SCRIPT:
            return parts
    return ()


def _script(lines: Sequence[str], setup: str | None, probe_line: str, parts: Sequence[ScriptPart] = ()) -> str:
    sections = []
    if lines:
        sections.append(_section(_KEYS, lines="\n".join(lines)))
    if probe_line:
        sections += [
            compacted(_PROGRAMS),
            _program(SCRIPT_PATH, INSTALLED_PROBE_SCRIPT, _PROBE, probe_line),
        ]
    for part in reversed(parts):
        sections += [_program(path, script) for path, script in _PART_PROGRAMS[part].items()]
    if ScriptPart.RUN in parts:
        sections.append(compacted(_START_JOBS))
    # Keep the owner's setup script as the last section. It may hang, and the sections after it would then never
    # run.
    if setup is not None:
        text = setup.removesuffix("\n")
        sections.append(_section(_SETUP, directory=_DIRECTORY, text=text, delimiter=_delimiter(text)))
    return compacted(_START) + "".join(sections) if sections else ""


def _program(path: str, script: str, template: str = _PROGRAM, line: str = "") -> str:
    return _section(template, path=path, script=compacted(script).removesuffix("\n"), line=line)


def _section(template: str, **texts: str) -> str:
    return compacted(template).format(**texts)


def _delimiter(text: str) -> str:
    """Return a here-document delimiter that doesn't occur as a line of the text.

    A line that equals the delimiter would end the here-document, and the rest of the text would run as part of the
    startup script.
    """
    delimiter, lines = "END_OF_SETUP", set(text.split("\n"))
    while delimiter in lines:
        delimiter += "_"
    return delimiter


def further_keys(
    owner: str, teammates: Sequence[str], keys: Mapping[str, Sequence[Key]], *, first: str | None = None
) -> tuple[OwnedKey, ...]:
    """Return the keys that belong on a machine in addition to the default key, without duplicates.

    The owner's keys come first, then the keys of each teammate. The keys of each person begin with ed25519 keys,
    because these are the shortest.

    Args:
        keys: The keys of the owner and the teammates, by Slack ID.
        first: The line of the default key, which isn't in the result because it is sent in another way. If None,
            the first of the owner's keys is the default key.
    """
    if first is None:
        first = next((key.line for key in keys.get(owner, ())), "")
    found: dict[str, OwnedKey] = {}
    for person in dict.fromkeys((owner, *teammates)):
        for key in sorted(keys.get(person, ()), key=lambda key: not key.line.startswith("ssh-ed25519 ")):
            if key.line != first:
                owned = OwnedKey(person=person, line=key.line, comment=key.comment, fingerprint=key.fingerprint)
                found.setdefault(key.line, owned)
    return tuple(found.values())


def check_script_size(
    keys: Sequence[OwnedKey], setup: str | None, rules: Rules, *, probe_line: str = "", own: bool = True
) -> None:
    """Refuse a request whose keys, probe and setup script are too large for a startup script.

    Raises Mistake with the sizes.

    Args:
        keys: The keys in addition to the default key.
        setup: The name of the setup script.
        own: True if the owner of the request reads the error message. The message for other readers says that the
            owner can change the request.
    """
    lines, text = [key.line for key in keys], rules.setup.get(setup or "")
    size = _size(_script(lines, text, probe_line))
    if size <= LARGEST_SCRIPT:
        return
    parts = []
    if lines:
        parts.append(f"{plural(len(lines), 'key')} besides the default one ({_kilobytes(_size(''.join(lines)))})")
    if text is not None:
        parts.append(f'setup "{setup}" ({_kilobytes(_size(text))})')
    changes = "leave out the setup or a teammate, or remove a key"
    raise Mistake(
        f"The startup script would be {_kilobytes(size)}, and {_kilobytes(LARGEST_SCRIPT)} is the limit. "
        f"It has {' and '.join(parts)}. "
        f"{changes.capitalize() if own else f'Nothing was changed. The person who asked can {changes}'}."
    )


def check_runs_jobs(
    keys: Sequence[OwnedKey], setup: str | None, rules: Rules, *, probe_line: str, own: bool = True
) -> None:
    """Refuse a request with `until done` if its startup script has no space for `gpubot-run`.

    Such a request ends the machine when its jobs are done, but without `gpubot-run` the bot can't see the jobs.
    Raises Mistake. The arguments are those of `check_script_size`.
    """
    text = rules.setup.get(setup or "")
    if ScriptPart.RUN in parts_that_fit([key.line for key in keys], text, probe_line):
        return
    changes = f"leave out {'the setup or ' if text is not None else ''}a teammate, or name an end: for 4h"
    raise Mistake(
        "The startup script has no room for gpubot-run, so I couldn't see when a job is done. "
        f"{changes.capitalize() if own else f'Nothing was changed. The person who asked can {changes}'}."
    )


def keys_that_fit(keys: Sequence[OwnedKey], setup: str | None, probe_line: str = "") -> tuple[OwnedKey, ...]:
    """Return the keys that a startup script has space for, in addition to the probe and a setup script.

    The keys stay in their order. If there is no space for a key, it is left out. Shorter keys after it are still
    tried.

    Args:
        setup: The text of the setup script.
    """
    fitting: list[OwnedKey] = []
    for key in keys:
        if _size(_script([*(sent.line for sent in fitting), key.line], setup, probe_line)) <= LARGEST_SCRIPT:
            fitting.append(key)
    return tuple(fitting)


def check_setup(name: str | None, rules: Rules) -> None:
    """Refuse the name of a setup script that isn't in the rules.

    None, which stands for no setup script, is always accepted. Raises Mistake.
    """
    if name is None or name in rules.setup:
        return
    if not rules.setup:
        raise Mistake("Your team's rules have no setups, so leave it out.")
    similar = get_close_matches(name, rules.setup, cutoff=0.5)
    wrong = f'I don\'t know a setup called "{short(name)}".' if name else "Which setup?"
    shown = similar or sorted(rules.setup)[:5]
    names = f"{'Similar names' if similar else 'Your team has'}: {', '.join(shown)}."
    raise Mistake(f"{wrong} {names} Try: setup {shown[0]}")


def _size(text: str) -> int:
    return len(text.encode())


def _kilobytes(size: int) -> str:
    """Return a size as text, such as `5.9 kB`.

    The size is rounded up, so that a size above a limit never appears to be within it.
    """
    whole, tenth = divmod(-(-size // 100), 10)
    return f"{whole}.{tenth} kB" if tenth else f"{whole} kB"


# --- the text of the startup script for one purchase


class StartupScriptPlan(Frozen):
    """The startup script of one purchase."""

    text: str = ""
    """The script. Empty if none is sent."""
    sent: SentScript | None = None
    """The record of what the script contains. It is stored with the attempt.

    If the vendor or region accepts no script, the record says so. None if there was nothing to send.
    """
    left_out: LeftOut | None = None
    """The parts that the script lacks, to be shown to people. None if it is complete."""


def plan_startup_script(
    rental: Rental,
    keys: Mapping[str, Sequence[Key]],
    rules: Rules,
    *,
    probe_line: str = "",
    takes_script: bool = True,
) -> StartupScriptPlan:
    """Return the startup script for a purchase, with the current keys of everyone who has access to the rental.

    A purchase never fails because of its script. Keys for which there is no space are left out. A setup script
    that is no longer in the rules is also left out. If the vendor or region accepts no script, none is sent.

    Args:
        keys: The keys of the owner and of each teammate who is still allowed to have access, by Slack ID. A
            teammate who has no keys is included with an empty list. A teammate who has left or become a guest is
            missing, and is left out silently.
        takes_script: Whether the vendor and region accept a startup script.
    """
    request = rental.request
    first = rental.program.ssh_public_key if rental.program is not None else None
    wanted = further_keys(rental.owner, rental.teammates, keys, first=first)
    setup = rules.setup.get(request.setup or "")
    if not wants_probe(request, rules):
        probe_line = ""
    refused = not takes_script and bool(wanted or setup is not None or probe_line)
    unseen = refused and bool(probe_line)
    if refused:
        setup, probe_line = None, ""
    fitting = () if refused else keys_that_fit(wanted, setup, probe_line)
    lines = [key.line for key in fitting]
    parts = parts_that_fit(lines, setup, probe_line)
    text = _script(lines, setup, probe_line, parts)
    runs = None if setup is None else request.setup
    sent = SentScript(
        version=SCRIPT_VERSION, keys=fitting, setup=runs, probe=bool(probe_line), parts=parts, refused=refused
    )
    left_out = LeftOut(
        refused=refused,
        setup=None if runs else request.setup,
        probe=unseen,
        key_count=len(wanted) - len(fitting),
        parts=tuple(part for part in GIVES_WAY if probe_line and part not in parts),
        people=tuple(person for person in rental.teammates if person in keys and not keys[person]),
    )
    return StartupScriptPlan(
        text=text,
        sent=sent if text or refused else None,
        left_out=None if left_out == LeftOut() else left_out,
    )
