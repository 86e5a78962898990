"""The boot script: one shell script that a machine runs when it starts. Pure.

It puts the keys on the machine that `ssh_public_key` has no room for, installs the probe and the script that
starts on-ending.sh, then runs the team's setup script. Nothing that people type gets into it: only public keys
that `read_key` encoded, these two scripts, and the text of a setup script, which the admins wrote.
docs/startup-script.md describes what it does on the machine.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from posixpath import dirname

from bot.errors import Mistake
from bot.model.attempt import OwnedKey, SentScript
from bot.model.base import Frozen
from bot.model.facts import LeftOut
from bot.model.person import Key
from bot.model.rental import Rental
from bot.model.text import plural, short
from bot.policy.access.probe_script import ENDING_PATH, ENDING_SCRIPT, PROBE_SCRIPT, SCRIPT_PATH
from bot.policy.team.rules import Rules
from bot.policy.use.probing import wants_probe

SCRIPT_VERSION = 3
"""Counts up with each change of what a script does. Each attempt records the version that it sent."""
LARGEST_SCRIPT = 12_000
"""Bytes. EC2 takes 16,384 bytes of user data before encoding
(docs.aws.amazon.com/AWSEC2/latest/UserGuide/user-data.html), other vendors more. The difference is left for what a
marketplace or vendor may add around the script."""
_DIRECTORY = "/var/lib/gpubot"
SETUP_LOG = f"{_DIRECTORY}/setup.log"
"""Where the output of a setup is, on the machine."""

_START = (
    f"""\
#!/bin/sh
# gpubot's boot script, version {SCRIPT_VERSION}. It runs as root when the machine starts, and may run again.
# It holds no secrets: the vendor and everyone on this machine can read it.
"""
    """\
# Each section runs in a subshell, so that a section that fails doesn't keep the next one away.

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
)
_KEYS = """
# --- keys
(
  add_lines <<'END_OF_KEYS'
{lines}
END_OF_KEYS
)
"""
_PROBE = """
# --- probe
(
  new={path}.new
  mkdir -p {folder} && cat >"$new" <<'END_OF_PROBE' || exit
{script}
END_OF_PROBE
  chmod 755 "$new" && mv "$new" {path} || exit
  add_lines <<'END_OF_KEYS'
{line}
END_OF_KEYS
)
"""
_ENDING = """
# --- on-ending.sh
(
  new={path}.new
  cat >"$new" <<'END_OF_ENDING' || exit
{script}
END_OF_ENDING
  chmod 755 "$new" && mv "$new" {path}
)
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


def script_text(lines: Sequence[str], setup: str | None = None, probe_line: str = "") -> str:
    """Return the boot script for these key lines, the probe and the text of a setup script. Return an empty text
    if there are none of these: then no script is sent. The size is not checked.

    `probe_line` is the probe's line of authorized_keys. If it is empty, the probe is not installed. The part that
    starts on-ending.sh comes with the probe, unless the script would be too large with it.
    """
    if probe_line and _size(whole := _script(lines, setup, probe_line, ending=True)) <= LARGEST_SCRIPT:
        return whole
    return _script(lines, setup, probe_line)


def _script(lines: Sequence[str], setup: str | None, probe_line: str, *, ending: bool = False) -> str:
    sections = []
    if lines:
        sections.append(_KEYS.format(lines="\n".join(lines)))
    if probe_line:
        script = PROBE_SCRIPT.removesuffix("\n")
        folder = dirname(SCRIPT_PATH)
        sections.append(_PROBE.format(path=SCRIPT_PATH, folder=folder, script=script, line=probe_line))
    if ending:
        sections.append(_ENDING.format(path=ENDING_PATH, script=ENDING_SCRIPT.removesuffix("\n")))
    # A section that must run even if the setup hangs goes here.
    if setup is not None:
        text = setup.removesuffix("\n")
        sections.append(_SETUP.format(directory=_DIRECTORY, text=text, delimiter=_delimiter(text)))
    return _START + "".join(sections) if sections else ""


def _delimiter(text: str) -> str:
    """Return a delimiter that is no line of the text. Such a line would end the here-document, and the rest of the
    text would run as a part of the boot script.
    """
    delimiter, lines = "END_OF_SETUP", set(text.split("\n"))
    while delimiter in lines:
        delimiter += "_"
    return delimiter


def further_keys(
    owner: str, teammates: Sequence[str], keys: Mapping[str, Sequence[Key]], *, first: str | None = None
) -> tuple[OwnedKey, ...]:
    """Return the keys that belong on a machine besides the first one: the owner's others, then those of each
    teammate. Each key is there once. The keys of one person begin with ed25519, the shortest.

    `first` is the line of the key that a purchase sent as the first. By default it is the owner's first key.
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
    """Raise Mistake with the sizes if the keys, the probe and the setup script of this name don't fit into a boot
    script.

    `own` tells whether the request is the reader's own. Others can't change it.
    """
    lines, text = [key.line for key in keys], rules.setup.get(setup or "")
    size = _size(script_text(lines, text, probe_line))
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


def keys_that_fit(keys: Sequence[OwnedKey], setup: str | None, probe_line: str = "") -> tuple[OwnedKey, ...]:
    """Return the keys that fit into a boot script together with the probe and the text of a setup script, in
    their order. A key that is too long is left out, and later ones may still fit.
    """
    fitting: list[OwnedKey] = []
    for key in keys:
        if _size(script_text([*(sent.line for sent in fitting), key.line], setup, probe_line)) <= LARGEST_SCRIPT:
            fitting.append(key)
    return tuple(fitting)


def check_setup(name: str | None, rules: Rules) -> None:
    """Raise Mistake if the rules have no setup script of this name. None stands for no setup."""
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
    """Return `5.9 kB`, rounded up, so that something too large never looks as if it fits."""
    whole, tenth = divmod(-(-size // 100), 10)
    return f"{whole}.{tenth} kB" if tenth else f"{whole} kB"


# --- what the boot script of one purchase holds, and what it has to leave out. Pure


class StartupScriptPlan(Frozen):
    """The boot script of one purchase."""

    text: str = ""
    """Empty if no script is sent."""
    sent: SentScript | None = None
    """What the script holds, for the attempt, or that the place takes none. None if nothing was to be sent."""
    left_out: LeftOut | None = None
    """What the script lacks, for people. None if it has everything that it should have."""


def plan_startup_script(
    rental: Rental,
    keys: Mapping[str, Sequence[Key]],
    rules: Rules,
    *,
    probe_line: str = "",
    takes_script: bool = True,
) -> StartupScriptPlan:
    """Return the boot script for a purchase of this rental, with the keys that the people in it have now.

    `keys` has the keys of the owner and of each teammate who may be let in, even if they have none. A teammate who
    is missing there left or became a guest, and is left out silently.

    A purchase never fails because of its script: keys that don't fit, a setup that the rules no longer have, or
    the whole script if the place doesn't take one (`takes_script`), are left out.
    """
    request = rental.request
    wanted = further_keys(rental.owner, rental.teammates, keys)
    setup = rules.setup.get(request.setup or "")
    if not wants_probe(request, rules):
        probe_line = ""
    refused = not takes_script and bool(wanted or setup is not None or probe_line)
    unseen = refused and bool(probe_line)
    if refused:
        setup, probe_line = None, ""
    fitting = () if refused else keys_that_fit(wanted, setup, probe_line)
    text = script_text([key.line for key in fitting], setup, probe_line)
    runs = None if setup is None else request.setup
    sent = SentScript(version=SCRIPT_VERSION, keys=fitting, setup=runs, probe=bool(probe_line), refused=refused)
    left_out = LeftOut(
        refused=refused,
        setup=None if runs else request.setup,
        probe=unseen,
        key_count=len(wanted) - len(fitting),
        people=tuple(person for person in rental.teammates if person in keys and not keys[person]),
    )
    return StartupScriptPlan(
        text=text,
        sent=sent if text or refused else None,
        left_out=None if left_out == LeftOut() else left_out,
    )
