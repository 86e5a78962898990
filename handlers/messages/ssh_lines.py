"""Logging in to a machine: the SSH command, the keys that work, the host key, and lines for `~/.ssh/config`."""

from __future__ import annotations

import ipaddress
import re
from collections import Counter
from collections.abc import Callable, Sequence
from typing import NamedTuple

from bot.model.attempt import Attempt, OwnedKey
from bot.model.person import Key
from bot.model.rental import Rental
from bot.model.state import State
from bot.model.summary import RentalDetails
from bot.model.text import listed, plural
from bot.policy.access.keys import add_line
from bot.policy.access.startup_script import SETUP_LOG, further_keys
from bot.policy.use.probing import startup_script_failed, startup_script_ran
from handlers.ids import Action, RentalValue
from handlers.messages.probe import awaited, by_hand, monitored
from handlers.messages.replacing import NO_SSH_ANSWER
from handlers.messages.writers import sentence_case
from handlers.phrases import blocks
from handlers.phrases.blocks import Fact, Json, Part, Rendered, button
from handlers.phrases.ends import can_have_one, ends_fact, graceful_destroy_text, on_ending_text
from handlers.phrases.format import (
    Reader,
    escape,
    first_few,
    identifier,
    join,
    join_lines,
    literal,
    person,
    sentence,
)
from handlers.phrases.rental_text import how_it_ended, machine, owner, possessive, setup_text, state_word

KEYS_NAMED, PEOPLE_NAMED = 3, 5
"""The maximum numbers of the reader's keys and of other people that a text names.

If there are more, the text says how many.
"""
LONG_LINES = 2
"""The maximum number of shell lines in a message that also contains other text."""
DISK = (
    "*The disk is deleted when the machine ends*, so copy your results off first. "
    "Shutting down from inside doesn't stop billing."
)
IF_SCRIPT_RUNS = "will work if the vendor runs the startup script"
ONCE_IT_ANSWERS = "once the SSH port answers"
NO_ADDRESS = "I don't know this machine's address yet, so I can't show its SSH command."
NO_HOST_KEY = "I couldn't read this machine's host key, so I can't say which one ssh should show."

# --- the address


def ssh_command(host: str | None, port: int | None) -> str | None:
    """Return the command that logs in to a machine. None if the machine's address isn't a valid host and port.

    People paste this command into a shell, and an unchecked address from a vendor could add options or shell code.
    Therefore no other code may build the command.
    """
    if host is None or not _is_host(host) or (port is not None and not 0 < port < 65536):
        return None
    return f"ssh root@{host}" if port in {None, 22} else f"ssh -p {port} root@{host}"


def _is_host(host: str) -> bool:
    try:
        return "%" not in host and bool(ipaddress.ip_address(host))
    except ValueError:
        label = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
        return len(host) <= 253 and re.fullmatch(rf"{label}(?:\.{label})*", host) is not None


def alias(rental: Rental) -> str:
    """Return the machine's name in the reader's `~/.ssh/config`: `gpu-k7mq2`."""
    return f"gpu-{rental.id}"


def config_block(rental: Rental) -> str | None:
    """Return the block for `~/.ssh/config`, see ssh_config(5). None if the machine's address isn't valid.

    Vendors give the same address to one machine after another, and each machine has a different host key. To avoid
    warnings, the block makes ssh store the host key under the machine's name instead of its address. It also turns
    off `CheckHostIP`, because OpenSSH before 8.5 would otherwise store and check the address too.
    """
    if ssh_command(rental.host, rental.port) is None:
        return None
    settings = {
        "HostName": rental.host,
        "Port": rental.port or 22,
        "User": "root",
        "HostKeyAlias": alias(rental),
        "CheckHostIP": "no",
        "StrictHostKeyChecking": "accept-new",
        "ForwardAgent": "no",
    }
    return "\n".join([f"Host {alias(rental)}", *(f"    {name} {value}" for name, value in settings.items())])


# --- parts of every message to a person who may log in to a machine


def log_in_parts(
    details: RentalDetails,
    reader: Reader,
    *facts: Fact | None,
    also: Sequence[str] = (),
    briefly: bool = False,
) -> list[Part]:
    """Return the parts that say how the reader logs in. Empty if the reader isn't allowed to log in.

    The parts contain the SSH command, the lines in `facts`, and a warning that the disk will be deleted. Sentences
    about the host key, the setup script and monitoring follow in small type. The sentences in `also` come last.

    With `briefly`, the warning and the setup script are left out, because an earlier message contains them.
    """
    rental = details.rental
    if not rental.lets_in(reader.id):
        return []
    attempt = details.current
    if attempt is not None and reader.id == rental.owner and _locked_out(details, attempt):
        return [blocks.facts(*facts), blocks.small(monitored(details, reader.rules), *also)]
    command = ssh_command(rental.host, rental.port)
    key = f"Host key: {identifier(rental.host_key or '')}. Don't connect if ssh shows another."
    setup = "" if briefly else _setup_log(details)
    return [
        blocks.preformatted(command, "Log in with:") if command else blocks.paragraph(NO_ADDRESS),
        blocks.facts(*facts),
        *([] if briefly else [blocks.paragraph(DISK)]),
        blocks.small(key if rental.host_key else "", setup, monitored(details, reader.rules), *also),
    ]


# --- the keys that work


def keys_fact(details: RentalDetails, reader: Reader) -> Fact | None:
    """Return a line saying which keys work and which don't. None if nothing is known about the keys.

    The owner reads about everyone's keys. A teammate reads only about their own keys.
    """
    if reader.id != details.rental.owner:
        text = _teammates_keys(details, reader)
    else:
        text = join(*_owners_keys(details, reader)[0], by="; ")
    return Fact("Keys", sentence_case(text), sentence(text)) if text else None


class _Named(NamedTuple):
    """Names of keys, to be the subject of a clause, such as `your key "you@desk" and Ben's keys`."""

    text: str
    several: bool = False

    def do(self, one: str, more: str) -> str:
        """Return a clause with the keys as its subject, followed by a verb. Empty if there are no keys.

        Args:
            one: The verb for a single key, such as `works`.
            more: The verb for several keys, such as `work`.
        """
        return f"{self.text} {more if self.several else one}" if self.text else ""


def _own_keys(details: RentalDetails, attempt: Attempt) -> list[OwnedKey]:
    """Return the current owner's keys that the startup script installed. Empty if the script failed."""
    failed, owner = startup_script_failed(details.rental, attempt), details.rental.owner
    return [key for key in attempt.script_keys if key.person == owner and not failed]


def _others_inside(details: RentalDetails, attempt: Attempt) -> list[str]:
    """Return the people other than the owner whose keys work. The person who rented the machine comes first."""
    ran, owner = startup_script_ran(details.rental), details.rental.owner
    return list(
        dict.fromkeys(
            [details.bought_by, *(key.person for key in attempt.script_keys if ran and key.person != owner)]
        )
    )


def _locked_out(details: RentalDetails, attempt: Attempt) -> bool:
    """Return whether the owner can't log in, and nobody can add the owner's keys.

    This is the case if all people whose keys work have left the workspace.
    """
    if attempt.adopted is not None or details.bought_by == details.rental.owner:
        return False
    return not _own_keys(details, attempt) and details.left.issuperset(_others_inside(details, attempt))


def _owners_keys(details: RentalDetails, reader: Reader) -> tuple[list[str], Sequence[OwnedKey]]:
    """Describe to the machine's owner which keys work.

    Returns:
        Clauses about the keys, and the keys that don't work or might not work. The owner can add these keys by
            pasting a shell line on the machine.
    """
    rental, attempt, owner = details.rental, details.current, details.rental.owner
    if attempt is None:
        return [], ()
    ran, brought = startup_script_ran(rental), attempt.script_keys
    further = further_keys(owner, rental.teammates, details.keys_now, first=attempt.public_key)
    unsent = [key for key in further if key.line not in {key.line for key in brought}]
    missing, paste = _missing(_names(unsent, details)), unsent if ran else further
    if attempt.adopted is not None:
        return ["I don't know whose keys work, because I didn't rent this machine"], paste
    if details.bought_by == owner:
        first = [_key_name(attempt.key_comment, "")]
        if ran:
            return [_work(_names(brought, details, first)), missing], paste
        works = _named(first).do(f"works {ONCE_IT_ANSWERS}", "") if rental.unreachable else _work(_named(first))
        return [works, _sent(_names(brought, details), details, reader), missing], paste
    own = _own_keys(details, attempt)
    if own and ran:
        return [_work(_named(_own_names(own, details, owner))), missing], paste
    names = [person(details.names, one) for one in _others_inside(details, attempt)]
    if _locked_out(details, attempt):
        left = f"{names[0]} has" if len(names) == 1 else "they have"
        only = f"only {_work(_named((), names))}, and {left} left"
        return [f"you can't log in: {only}, so nobody here can add yours"], ()
    left = " and has left the workspace" if details.bought_by in details.left else ""
    sent = [] if ran else [key for key in brought if key.person != details.bought_by]
    works = f"{_work(_named((), names))} ({names[0]} rented the machine{left})"
    return [works, _sent(_names(sent, details), details, reader), missing], paste


def _teammates_keys(details: RentalDetails, reader: Reader) -> str:
    """Return clauses that tell a teammate which of their SSH keys work.

    If a key doesn't work, the clauses also say how to add it.
    """
    attempt, own = details.current, details.keys_now.get(reader.id, ())
    if not own:
        return f"you have no SSH key yet; once you've saved one, {add_your_key(details)}"
    if attempt is not None and any(key.line == attempt.public_key for key in own):
        return f"your key works {ONCE_IT_ANSWERS}" if details.rental.unreachable else "your key works"
    brought = {key.line for key in attempt.script_keys} if attempt is not None else set()
    sent, unsent = (
        _named(_own_names([key for key in own if (key.line in brought) is there], details, reader.id))
        for there in (True, False)
    )
    text = join(_sent(sent, details, reader), _missing(unsent), by="; ")
    if not unsent.text and (awaited(details, reader.rules) or startup_script_ran(details.rental)):
        return text
    add = add_your_key(details, "them" if (unsent if unsent.text else sent).several else "it")
    return f"{text}. Otherwise, {add}" if text.endswith(IF_SCRIPT_RUNS) else f"{text}. {add}"


def add_your_key(details: RentalDetails, it: str = "it") -> str:
    """Return a clause that tells a teammate how their key can be added to a running machine.

    `it` is the pronoun for the key: `it` for one key, or `them` for several.
    """
    return f"{owner(details)} can add {it} with /gpu share {details.rental.id}"


def _work(keys: _Named) -> str:
    return keys.do("works", "work")


def _sent(keys: _Named, details: RentalDetails, reader: Reader) -> str:
    """Return a clause saying whether the keys in the startup script work."""
    attempt = details.current
    if attempt is None:
        return ""
    if startup_script_ran(details.rental):
        return _work(keys)
    if awaited(details, reader.rules):
        return keys.do("will work in about a minute", "will work in about a minute")
    if startup_script_failed(details.rental, attempt):
        why = "because the startup script didn't run"
        return keys.do(f"doesn't work, {why}", f"don't work, {why}")
    if details.rental.probe_answered_at is not None:
        # The probe responded only after a long time, so perhaps the owner installed it by hand. The startup
        # script, which also installs the SSH keys, may then never have run.
        return keys.do("might not work", "might not work")
    return keys.do(IF_SCRIPT_RUNS, IF_SCRIPT_RUNS)


def _missing(keys: _Named) -> str:
    return keys.do("isn't on the machine yet", "aren't on the machine yet")


def _paste_parts(details: RentalDetails, reader: Reader, most: int) -> list[Part]:
    """Return at most `most` shell lines for the owner to paste. The lines add SSH keys to the machine."""
    _, keys = _owners_keys(details, reader)
    do_not_work = _names(keys, details).do("doesn't work", "don't work")
    how = f"If {do_not_work}, paste this on the machine:"
    return lines_to_paste(how, add_line, [key.line for key in keys], most) if keys else []


def _setup_log(details: RentalDetails) -> str:
    """Return a sentence saying where to find the output of the setup script. Empty if there is no such script.

    Some vendors accept a startup script and never run it. The bot can't detect this, so the sentence says what a
    missing log means.
    """
    wanted, attempt = details.rental.request.setup, details.current
    if not wanted or attempt is None:
        return ""
    name = f'The setup script "{escape(wanted)}"'
    if attempt.script is None or attempt.script.setup is None or startup_script_failed(details.rental, attempt):
        return f"{name} wasn't started on this machine."
    progress = setup_text(details.rental)
    if progress:
        return f"{progress} It logs to {SETUP_LOG}."
    return f'The log of setup "{escape(wanted)}" is {SETUP_LOG}. If it is missing, the setup didn\'t run.'


def _names(keys: Sequence[OwnedKey], details: RentalDetails, first: Sequence[str] = ()) -> _Named:
    """Return the names of keys, such as `your key "you@desk" and Ben's keys`.

    The text is for the machine's owner. `keys` can belong to the owner and to other people. `first` contains the
    names of more keys of the owner. These names come first in the text.
    """
    reader = details.rental.owner
    own = _own_names([key for key in keys if key.person == reader], details, reader)
    others = dict.fromkeys(person(details.names, key.person) for key in keys if key.person != reader)
    return _named([*first, *own], list(others))


def _named(own: Sequence[str], people: Sequence[str] = ()) -> _Named:
    """Return a text such as `your key "you@desk" and Ben's keys`.

    `own` are the names of the reader's own keys. `people` are the names of other people with keys.
    """
    yours = theirs = ""
    if own:
        shown = listed(first_few([name or "one without a name" for name in own], KEYS_NAMED))
        yours = f"your keys {shown}" if len(own) > 1 else join("your key", *own)
    if people:
        of = first_few(people, PEOPLE_NAMED, "{} more people")
        theirs = f"the keys of {listed(of)}" if len(of) > 1 else f"{of[0]}'s keys"
    comma = "," if len(own) > 1 else ""
    return _Named(
        f"{yours}{comma} and {theirs}" if yours and theirs else yours + theirs, len(own) > 1 or bool(people)
    )


def _own_names(keys: Sequence[Key | OwnedKey], details: RentalDetails, reader: str) -> list[str]:
    """Return the names of keys that belong to the person `reader`. Normally, a key's name is its comment.

    If several of the person's keys have the same comment, their fingerprints are used instead. For example, all
    keys from the same GitHub account have the same comment.
    """
    comments = {key.line: key.comment for key in details.keys_now.get(reader, ())}
    attempt = details.current
    if attempt is not None:
        comments |= {key.line: key.comment for key in attempt.script_keys if key.person == reader}
        if reader == details.rental.owner:
            comments[attempt.public_key] = attempt.key_comment
    used = Counter(comments.values())
    return [_key_name(key.comment if used[key.comment] < 2 else "", key.fingerprint) for key in keys]


def _key_name(comment: str, otherwise: str) -> str:
    shown = escape(comment, 60)
    return f'"{shown}"' if shown else identifier(otherwise)


# --- the answer to `/gpu ssh k7mq2`


def ssh_button(rental: Rental, label: str) -> Json:
    """Return the button that shows the answer to `/gpu ssh k7mq2`."""
    return button(label, Action.SSH, RentalValue(rental_id=rental.id))


def ssh(details: RentalDetails, reader: Reader, *, probe_line: str = "") -> Rendered:
    """Render the answer to `/gpu ssh k7mq2`.

    `probe_line` is the line for authorized_keys that gives the bot access to the machine.
    """
    rental, times = details.rental, reader.times
    whose = f"{possessive(details, reader)} {machine(rental)}"
    if rental.state.over or rental.state is State.DESTROYING:
        return blocks.message(how_it_ended(details, whose, times))
    if rental.state is not State.READY:
        state = f"isn't ready yet ({state_word(details).lower()})"
        return blocks.message(f"{sentence_case(whose)} {state}. I'll send you the SSH command once it's ready.")
    state = "running" if rental.unreachable else "ready"
    head = f"*{sentence_case(whose)} is {state}.* {ends_fact(rental, times).sentence}"
    script = join(graceful_destroy_text(details, times), on_ending_text(rental, times))
    unread = "" if rental.host_key or not rental.host else NO_HOST_KEY
    install = by_hand(details, reader, probe_line)
    paste = _paste_parts(details, reader, LONG_LINES - len(install)) if reader.id == rental.owner else []
    installed = button("I pasted it", Action.PROBE_INSTALLED, RentalValue(rental_id=rental.id))
    return blocks.of_parts(
        blocks.paragraph(join_lines(head, script, NO_SSH_ANSWER if rental.unreachable else "")),
        *log_in_parts(
            details,
            reader,
            keys_fact(details, reader),
            also=(unread, can_have_one(rental)),
            briefly=True,
        ),
        *paste,
        *_config_parts(rental),
        *map(blocks.paragraph, install),
        blocks.actions(installed) if install else None,
        closed=not install,
    )


def _config_parts(rental: Rental) -> list[Part]:
    block, name = config_block(rental), alias(rental)
    if block is None:
        return []
    return [
        blocks.paragraph('For `~/.ssh/config`, above any "Host *":'),
        blocks.preformatted(block),
        blocks.paragraph(
            f"Then `ssh {name}` logs you in.\n"
            f"VS Code: `code --remote ssh-remote+{name} /root`\n"
            f"Jupyter, at localhost:8888: `ssh -L 8888:localhost:8888 {name}`"
        ),
    ]


# --- shell commands for adding keys, which people copy from a message


LONG_LINE = blocks.SECTION_TEXT - 10
"""The maximum length of a shell line in a block of its own, in bytes.

A line with the largest RSA key that people can add is shorter.
"""


def lines_to_paste(how: str, write: Callable[[Sequence[str]], str], keys: Sequence[str], most: int) -> list[Part]:
    """Return shell lines that add or remove keys, below the introduction `how`.

    `write` returns one shell line for the given keys. If that line would be too long, the keys are divided among
    several lines. `most` is the maximum number of lines. If this is too few for all keys, a sentence at the end
    says how many keys are missing.
    """
    groups: list[list[str]] = [[]]
    for key in keys:
        if groups[-1] and len(literal(write([*groups[-1], key])).encode()) > LONG_LINE:
            groups.append([])
        groups[-1].append(key)
    left = sum(map(len, groups[most:]))
    return [
        blocks.paragraph(how),
        *(blocks.preformatted(write(group)) for group in groups[:most] if group),
        blocks.paragraph(f"{plural(left, 'more key')} didn't fit here." if left else ""),
    ]
