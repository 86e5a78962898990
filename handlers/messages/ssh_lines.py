"""How people get into a machine: the command, whose keys open it, its host key, and lines for `~/.ssh/config`."""

from __future__ import annotations

import ipaddress
import re
from collections import Counter
from collections.abc import Callable, Sequence

from bot.model.attempt import Attempt, OwnedKey
from bot.model.person import Key
from bot.model.rental import Rental
from bot.model.state import State
from bot.model.summary import RentalDetails
from bot.model.text import listed, plural
from bot.policy.access.boot import SETUP_LOG, further_keys
from bot.policy.access.keys import add_line
from bot.policy.use.probing import boot_script_failed, boot_script_ran
from bot.policy.use.two_ends import can_move
from handlers.ids import Action, RentalValue
from handlers.messages.probe import awaited, by_hand, seen
from handlers.messages.replacing import NO_SSH_ANSWER
from handlers.phrases import blocks
from handlers.phrases.blocks import Rendered, button
from handlers.phrases.ends import can_have_one, end, on_ending_text, script_first_text
from handlers.phrases.format import Reader, Times, escape, first_few, identifier, join, literal, person
from handlers.phrases.rental_text import describe, machine, owner, possessive, setup_text, state_word

KEYS_NAMED, PEOPLE_NAMED = 3, 5
"""How many of the reader's own keys are named, and how many other people. The others are counted."""
MORE_OF_YOURS = "{} more of yours"
SHORT_LINE = 1000
"""The most bytes of a shell line inside a paragraph. A longer one gets its own paragraph."""
DISK_GOES_AT_ITS_END = "Its disk is deleted when it ends, also at night. Copy results off before."
LONG_LINES = 2
"""How many such paragraphs fit into a message besides everything else."""

# --- the address


def ssh_command(host: str | None, port: int | None) -> str | None:
    """Return the command that opens a machine. Return None if its address is no valid host and port.

    No other code may build this command: people paste it, and an address from a vendor could add options or shell
    code to it.
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
    """Return the block for `~/.ssh/config`, by ssh_config(5). Return None if the address is not valid.

    A vendor gives an address to one machine after another. So ssh stores the host key under the machine's own
    name, and does not compare the key of the address, as OpenSSH before 8.5 does by default.
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


def shown_again(rental: Rental) -> str:
    """Return which command shows all this again, without a full stop."""
    return f"/gpu ssh {rental.id} shows this again, with lines for ~/.ssh/config, VS Code and Jupyter"


# --- who gets in


def ssh_lines(details: RentalDetails, reader: Reader, *, edited: bool = True) -> list[str]:
    """Return how the reader gets in: the command, whose keys open the machine, what to know before the login, and
    what the bot sees. `edited` tells whether the message is edited when the rental changes.

    Return no lines for a reader who may not open the machine.
    """
    rental, rules = details.rental, reader.rules
    if not rental.lets_in(reader.id):
        return []
    command = ssh_command(rental.host, rental.port)
    if command is None:
        return ["It has no address yet."]
    follow = edited and awaited(details, rules)
    if reader.id != rental.owner:
        keys = _teammates_keys(details, reader.id, follow)
    else:
        keys = "" if details.current is None else _owners_keys(details, details.current, follow)
    disk = DISK_GOES_AT_ITS_END
    if rental.lease is not None and not can_move(rental.lease):
        ends = Times.date_and_time(rental.lease.ends_at)
        disk = f"Its disk is deleted with it {ends}. Copy results off before."
    stop = "Shutting it down from inside doesn't stop the bill"
    facts = join(
        f"If ssh asks about a fingerprint, it must be {identifier(rental.host_key)}." if rental.host_key else "",
        f"First look: nvidia-smi. {disk}",
        can_have_one(rental),
        f"{stop}; Destroy does." if reader.id == rental.owner else f"{stop}.",
    )
    return [
        f"`{command}`",
        *filter(None, [keys, _set_up(details)]),
        facts,
        *seen(details, rules),
    ]


def _owners_keys(details: RentalDetails, attempt: Attempt, follow: bool) -> str:
    """Return which keys open the machine, and the line that puts the others on it. `follow` tells whether the
    message will say when the others get in."""
    if attempt.adopted is not None:
        return join("I don't know whose keys are on it.", _keys_to_paste(details, attempt))
    if details.bought_by != details.rental.owner:
        return _inherited_keys(details, attempt)
    first = _key_name(attempt.key_comment, "your key")
    sent = _names(attempt.script_keys, details)
    if boot_script_ran(details.rental):
        return join(f"Opens with {listed([first, *sent])}.", _keys_to_paste(details, attempt, only_unsent=True))
    if sent and follow:
        verb = "opens" if len(attempt.script_keys) == 1 else "open"
        then = f"{listed(sent)} {verb} it in about a minute; this message will say so."
        return join(f"Opens with {first} now. {then}", _keys_to_paste(details, attempt, only_unsent=True))
    if sent and boot_script_failed(details.rental, attempt):
        alone = f"Opens with {first} alone: its startup script didn't run."
        return join(alone, _keys_to_paste(details, attempt, arrived=False))
    if sent and details.rental.probe_answered_at is not None:
        # The probe came late, perhaps by hand. Nobody knows whether the keys came with it.
        missing = f"If {listed(sent)} {'doesn' if len(attempt.script_keys) == 1 else 'don'}'t open it"
        return join(f"Opens with {first}.", _keys_to_paste(details, attempt, missing=missing))
    too = f"; with {listed(sent)} too if its startup script runs" if sent else ""
    return join(f"Opens with {first}{too}.", _keys_to_paste(details, attempt))


def _inherited_keys(details: RentalDetails, attempt: Attempt) -> str:
    """Return whose keys open a machine that somebody else rented, and how the new owner gets in. If all of those
    people left, return that nobody gets in."""
    reader, ran = details.rental.owner, boot_script_ran(details.rental)
    sent = () if boot_script_failed(details.rental, attempt) else attempt.script_keys
    own = [key for key in sent if key.person == reader]
    others = dict.fromkeys(key.person for key in sent if key.person not in {reader, details.bought_by})
    if own and ran:
        return f"Opens with {listed(_own_names(own, details, reader))}."
    people = [details.bought_by, *(others if ran else ())]
    here = [one for one in (details.bought_by, *others) if one not in details.left]
    names = [person(details.names, one) for one in people]
    if not here and not own:
        only = listed([f"{name}'s" for name in names])
        who = names[0] if len(names) == 1 else "they"
        return f"Only {only} keys open it, and {who} left: nobody here can add yours."
    rented = "who rented it" if details.bought_by not in details.left else "who rented it and left"
    also = f", and of {listed(names[1:])}" if names[1:] else ""
    maybe = [] if ran else _names([key for key in sent if key.person in {reader, *others}], details)
    perhaps = f"With {listed(maybe)} too if its startup script ran." if maybe else ""
    paste = _keys_to_paste(details, attempt, only_unsent=bool(own), arrived=bool(sent))
    return join(f"Opens with the keys of {names[0]}, {rented}{also}.", perhaps, paste)


def _keys_to_paste(
    details: RentalDetails,
    attempt: Attempt,
    *,
    only_unsent: bool = False,
    arrived: bool = True,
    missing: str = "If it doesn't",
) -> str:
    """Return what the owner pastes for the keys that were not sent, or of which none `arrived`. Unless
    `only_unsent`, add the keys that were sent, after the words `missing`."""
    sent = {key.line for key in attempt.script_keys} if arrived else set()
    keys = [key for key in _further_keys(details, attempt) if not only_unsent or key.line not in sent]
    if not keys:
        return ""
    unsent = _names([key for key in keys if key.line not in sent], details)
    if not unsent:
        lead = f"{missing}, paste"
    elif any(key.line in sent for key in keys):
        lead = f"{missing}, or to add {listed(unsent)} too, paste"
    else:
        lead = f"To add {listed(unsent)}, paste"
    line = code(add_line([key.line for key in keys]))
    if size(line) <= SHORT_LINE:
        return f"{lead} on the machine: {line}"
    return f"{lead} on the machine the lines at the end of /gpu ssh {details.rental.id}."


def _further_keys(details: RentalDetails, attempt: Attempt) -> tuple[OwnedKey, ...]:
    """Return the keys of people in the rental, except the first, which every vendor puts on the machine."""
    rental = details.rental
    return further_keys(rental.owner, rental.teammates, details.keys_now, first=attempt.public_key)


def _teammates_keys(details: RentalDetails, reader: str, follow: bool) -> str:
    """Return whether a teammate's own keys open the machine, and that its owner can put them on it."""
    attempt, own, name = details.current, details.keys_now.get(reader, ()), owner(details)
    if attempt is not None and any(key.line == attempt.public_key for key in own):
        return "Opens with your key."
    shows = f"/gpu share {details.rental.id} shows {name} the line."
    if not own:
        return f"Opens once I have your public SSH key and {name} has put it on the machine: {shows}"
    failed = attempt is not None and boot_script_failed(details.rental, attempt)
    sent = {key.line for key in attempt.script_keys} if attempt is not None and not failed else set()
    names = _own_names([key for key in own if key.line in sent], details, reader)
    if not names:
        return f"Opens once {name} has put your key on the machine: {shows}"
    opens = f"Opens with {listed(first_few(names, KEYS_NAMED, MORE_OF_YOURS))}"
    if boot_script_ran(details.rental):
        return f"{opens}."
    if follow:
        return f"{opens} in about a minute; this message will say so."
    if details.rental.probe_answered_at is None:
        opens = f"{opens} if its startup script runs"
    return f"{opens}. If it doesn't, {name} can add yours: {shows}"


def _set_up(details: RentalDetails) -> str:
    """Return where the output of the setup is, or that the setup doesn't run. Return an empty text if there is
    no setup.

    A vendor may take the boot script and never run it, which only the machine shows.
    """
    wanted, attempt = details.rental.request.setup, details.current
    if not wanted or attempt is None:
        return ""
    if attempt.script is None or attempt.script.setup is None or boot_script_failed(details.rental, attempt):
        return f"The setup {escape(wanted)} doesn't run on it."
    progress = setup_text(details.rental)
    if progress:
        return f"{progress} It writes to {SETUP_LOG}."
    return f"The setup {escape(wanted)} writes to {SETUP_LOG}. If there is no such file, it didn't run."


def _names(keys: Sequence[OwnedKey], details: RentalDetails) -> list[str]:
    """Return these keys for the machine's owner: their own by name, other people's as `Ben's`."""
    reader = details.rental.owner
    own = _own_names([key for key in keys if key.person == reader], details, reader)
    others = dict.fromkeys(f"{person(details.names, key.person)}'s" for key in keys if key.person != reader)
    return [*first_few(own, KEYS_NAMED, MORE_OF_YOURS), *first_few(list(others), PEOPLE_NAMED, "{} more people's")]


def _own_names(keys: Sequence[Key | OwnedKey], details: RentalDetails, reader: str) -> list[str]:
    """Return keys of the reader by comment. Use the fingerprint if two of their keys have the same comment, as all
    keys of a GitHub user do."""
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


def _long_lines(details: RentalDetails, reader: str, most: int) -> list[str]:
    """Return at most `most` shell lines that put the further keys on the machine, if they are too long for the
    paragraph of `ssh_lines`. Return none for other readers than the owner."""
    if details.current is None:
        return []
    keys = [key.line for key in _further_keys(details, details.current)]
    if reader != details.rental.owner or not keys or size(code(add_line(keys))) <= SHORT_LINE:
        return []
    lines, left = key_lines(add_line, keys, most)
    return [*lines, *([f"{plural(left, 'more key')} didn't fit here."] if left else [])]


# --- the answer to `/gpu ssh k7mq2`


def ssh(details: RentalDetails, reader: Reader, *, probe_line: str = "") -> Rendered:
    """Return the answer to `/gpu ssh k7mq2`. `probe_line` is the line of authorized_keys with the bot's key."""
    rental, times = details.rental, reader.times
    if rental.state is not State.READY:
        when = then = ""
        if not rental.state.over and rental.state is not State.DESTROYING:
            when, then = " yet", " I send you the command when it is ready."
        return blocks.message(
            f"{rental.id} can't be opened{when}. {state_word(details)}: {describe(rental)}.{then}"
        )
    access = [
        f"{state_word(details)}: {possessive(details, reader)} {machine(rental)}, until {end(rental, times)}.",
        *filter(None, [join(script_first_text(details, times), on_ending_text(rental, times))]),
        *([NO_SSH_ANSWER] if rental.silent else []),
        *ssh_lines(details, reader, edited=False),
    ]
    if not rental.host_key and ssh_command(rental.host, rental.port) is not None:
        access.append("I couldn't read its host key, so I can't say which fingerprint ssh must show.")
    paste = by_hand(details, reader, probe_line)
    long_lines = _long_lines(details, reader.id, LONG_LINES - len(paste))
    parts = ["\n".join(access), *_config_parts(rental), *paste, *long_lines]
    installed = button("I pasted it", Action.PROBE_INSTALLED, RentalValue(rental_id=rental.id))
    buttons = blocks.actions(installed) if paste else None
    return blocks.of_parts(*map(blocks.paragraph, parts), buttons, closed=not paste)


def _config_parts(rental: Rental) -> list[str]:
    block, name = config_block(rental), alias(rental)
    if block is None:
        return []
    return [
        f'For `~/.ssh/config`, above any "Host *":\n```{block}```',
        f"Then: `ssh {name}`\n"
        f"VS Code: `code --remote ssh-remote+{name} /root`\n"
        f"Jupyter, at localhost:8888: `ssh -L 8888:localhost:8888 {name}`",
    ]


# --- shell lines about keys, as people copy them from a message


LONG_LINE = blocks.SECTION_TEXT - 10
"""The most bytes of a shell line in a paragraph of its own. The largest RSA key that people can add fits."""


def code(command: str) -> str:
    """Return a command of ours, which has no backtick and no line break, as a code span."""
    return f"`{literal(command)}`"


def size(markup: str) -> int:
    return len(markup.encode())


def key_lines(write: Callable[[Sequence[str]], str], keys: Sequence[str], most: int) -> tuple[list[str], int]:
    """Return at most `most` shell lines for keys, each short enough for a paragraph, and how many keys are left
    out. `write` makes the shell line for some of the keys."""
    groups: list[list[str]] = [[]]
    for key in keys:
        if groups[-1] and size(code(write([*groups[-1], key]))) > LONG_LINE:
            groups.append([])
        groups[-1].append(key)
    shown = [group for group in groups[:most] if group]
    return [code(write(group)) for group in shown], sum(map(len, groups[most:]))
