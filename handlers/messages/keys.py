"""A person's SSH keys: the question for one, the list, and the replies to changes."""

from __future__ import annotations

from collections.abc import Sequence

from bot.model.person import Key
from bot.model.text import plural
from bot.policy.access.keys import kind_of
from handlers.ids import NO_VALUE, Action, KeyValue
from handlers.phrases import blocks
from handlers.phrases.blocks import Rendered, button
from handlers.phrases.format import clean, escape, identifier, join, join_lines

ADD_COMMAND = "/gpu key ssh-ed25519 AAAA... you@laptop"
GITHUB_COMMAND = "/gpu key github ana-dev"
LISTED = 20
"""A message holds 50 blocks, and each key takes two."""
_FIRST = ", first: machines open with it for certain"


def key_text(key: Key, *, named: bool = True) -> str:
    """Return a key as people tell keys apart, by default with its name: `"you@laptop", SHA256:... (ed25519)`."""
    name = f'"{escape(key.comment, 100)}", ' if named and key.comment.strip() else ""
    return f"{name}{identifier(key.fingerprint)} ({escape(kind_of(key.line), 40)})"


def needed(*, github: bool, text: str = "To log in to machines, you'll need an SSH key.") -> Rendered:
    """Return the question for an SSH key, such as after a click on an offer. `github` tells whether the team takes
    keys from GitHub, and `text` what the key is needed for."""
    return blocks.message(
        f"{text} Add it with: {_commands(github)}",
        blocks.section(text),
        blocks.actions(*add_buttons(github=github)),
        blocks.context(f"or  {_commands(github)}"),
        closed=False,
    )


def add_buttons(*, github: bool) -> list[blocks.Json | None]:
    return [button("Add SSH key", Action.ADD_KEY, NO_VALUE, style="primary"), _from_github(github)]


def _from_github(github: bool) -> blocks.Json | None:
    return button("Take mine from GitHub", Action.FROM_GITHUB, NO_VALUE) if github else None


def _commands(github: bool) -> str:
    return f"{ADD_COMMAND}  or  {GITHUB_COMMAND}" if github else ADD_COMMAND


def listing(keys: Sequence[Key], first_line: str = "", *, github: bool) -> Rendered:
    """Return a person's keys with their buttons, below the `first_line` that says what was just done. If they have
    no key and nothing was done, return the question for a key. `github` is as in `needed`."""
    if not keys and not first_line:
        return needed(github=github)
    heading = f"{plural(len(keys), 'SSH key')}." if keys else "No key is saved. I ask again when you rent."
    lines = [f"{key_text(key)}{_FIRST if n == 0 else ''}" for n, key in enumerate(keys[:LISTED])]
    more = f"{plural(len(keys) - LISTED, 'more key')} not shown." if len(keys) > LISTED else ""
    others = "The others get in if the machine's startup script runs." if len(keys) > 1 else ""
    running = "Machines that run now stay as they are: /gpu ssh has the line that adds a key."
    uses = join(others, running) if keys else ""
    return blocks.message(
        join_lines(first_line, heading, *lines, more, uses, f"Add one with: {_commands(github)}"),
        blocks.section(join(first_line, heading)),
        *(
            block
            for n, (key, line) in enumerate(zip(keys, lines, strict=False))
            for block in (blocks.section(line), _buttons(key, first=n == 0))
        ),
        blocks.context(join(more, uses)),
        blocks.actions(button("Add SSH key", Action.ADD_KEY, NO_VALUE), _from_github(github)),
        blocks.context(f"or  {_commands(github)}"),
        closed=False,
    )


def _buttons(key: Key, *, first: bool) -> blocks.Json | None:
    value = KeyValue(fingerprint=key.fingerprint)
    make_first = button("Make first", Action.MAKE_KEY_FIRST, value, about=spoken_key(key))
    return blocks.actions(None if first else make_first, remove_button(key))


def remove_button(key: Key) -> blocks.Json:
    return button("Remove", Action.REMOVE_KEY, KeyValue(fingerprint=key.fingerprint), about=spoken_key(key))


def spoken_key(key: Key) -> str:
    """Return what screen readers read of a key: `key you@laptop, SHA256:OOKXAA`."""
    return f"{clean(f'key {key.comment}', 25)}, {key.fingerprint[:13]}"


def saved_text(added: Sequence[Key], known: Sequence[Key]) -> str:
    """Return what was saved. `known` are the keys that the person had already."""
    parts = []
    if len(added) == 1:
        parts.append(f"Your key is saved: {key_text(added[0])}.")
    elif added:
        parts.append(f"{len(added)} keys are saved: {', '.join(map(key_text, added))}.")
    if known:
        parts.append(f"Saved already: {', '.join(map(key_text, known))}.")
    return join(*parts)


def removed_text(key: Key) -> str:
    return f"Removed: {key_text(key)}. Machines that run now still open with it."


def made_first_text(key: Key) -> str:
    return f"First now: {key_text(key)}."
