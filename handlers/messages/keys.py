"""Messages about a person's SSH keys: the prompt for a key, the list of keys, and the replies to changes."""

from __future__ import annotations

from collections.abc import Sequence

from bot.model.person import Key
from bot.model.text import plural
from bot.policy.access.keys import kind_of
from handlers.ids import NO_VALUE, Action, KeyValue
from handlers.phrases import blocks
from handlers.phrases.blocks import Part, Rendered, button
from handlers.phrases.format import clean, escape, identifier, join

ADD_COMMAND = "/gpu key ssh-ed25519 AAAA... you@laptop"
GITHUB_COMMAND = "/gpu key github ana-dev"
LISTED = 20
"""The maximum number of keys that are listed: a message holds 50 blocks, and each key takes two."""
_DEFAULT = ": the default key, which always works"


def key_text(key: Key, *, named: bool = True) -> str:
    """Return the text that identifies an SSH key: `"you@laptop", SHA256:... (ed25519)`.

    The key's name, here `"you@laptop"`, is left out unless `named` is true.
    """
    name = f'"{escape(key.comment, 100)}", ' if named and key.comment.strip() else ""
    return f"{name}{identifier(key.fingerprint)} ({escape(kind_of(key.line), 40)})"


def needed(*, github: bool, text: str = "To log in to machines, you'll need an SSH key.") -> Rendered:
    """Render a message that asks a person for an SSH key, for example after they clicked an offer.

    Args:
        github: Whether the team allows keys from GitHub.
        text: The sentence that says what the key is needed for.
    """
    return blocks.with_buttons(text, *add_buttons(github=github))


def add_buttons(*, github: bool) -> list[blocks.Json | None]:
    add = button("Add SSH key", Action.ADD_KEY, NO_VALUE, style="primary")
    return [add, from_github_button() if github else None]


def from_github_button() -> blocks.Json:
    return button("Use my GitHub keys", Action.FROM_GITHUB, NO_VALUE)


def _or_type(github: bool) -> Part:
    return blocks.small(f"Or type: {ADD_COMMAND}{f'  or  {GITHUB_COMMAND}' if github else ''}")


def listing(keys: Sequence[Key], first_line: str = "", *, github: bool) -> Rendered:
    """Render the list of a person's SSH keys, with buttons for each key.

    `first_line` says what was just done. If the person has no key and nothing was done, the message asks for a key
    instead. `github` is true if the team allows keys from GitHub.
    """
    if not keys and not first_line:
        return needed(github=github)
    heading = (
        f"You have {plural(len(keys), 'SSH key')}."
        if keys
        else "You have no SSH key now. I'll ask for one when you rent."
    )
    more = f"{plural(len(keys) - LISTED, 'more key')} not shown." if len(keys) > LISTED else ""
    others = (
        "On a new machine, your other keys work if the vendor runs the machine's startup script."
        if len(keys) > 1
        else ""
    )
    running = "Machines that are running keep their keys. To add a key to one of them: /gpu ssh" if keys else ""
    shown = (
        part
        for n, key in enumerate(keys[:LISTED])
        for part in (
            blocks.paragraph(f"{key_text(key)}{_DEFAULT if n == 0 else ''}"),
            _buttons(key, default=n == 0),
        )
    )
    return blocks.of_parts(
        blocks.paragraph(join(first_line, heading)),
        *shown,
        blocks.small(join(more, others, running)),
        blocks.actions(button("Add SSH key", Action.ADD_KEY, NO_VALUE), from_github_button() if github else None),
        _or_type(github),
    )


def _buttons(key: Key, *, default: bool) -> blocks.Json | None:
    value = KeyValue(fingerprint=key.fingerprint)
    make_default = button("Make default", Action.MAKE_KEY_FIRST, value, about=spoken_key(key))
    return blocks.actions(None if default else make_default, remove_button(key))


def remove_button(key: Key) -> blocks.Json:
    return button("Remove", Action.REMOVE_KEY, KeyValue(fingerprint=key.fingerprint), about=spoken_key(key))


def spoken_key(key: Key) -> str:
    """Return the text that screen readers read for a key: `key you@laptop, SHA256:OOKXAA`."""
    return f"{clean(f'key {key.comment}', 25)}, {key.fingerprint[:13]}"


def saved_text(added: Sequence[Key], known: Sequence[Key]) -> str:
    """Return a sentence saying which keys were saved. `known` are the keys that the person already had."""
    parts = []
    if len(added) == 1:
        parts.append(f"Your key is saved: {key_text(added[0])}.")
    elif added:
        parts.append(f"{len(added)} keys are saved: {', '.join(map(key_text, added))}.")
    if known:
        was = "This key was" if len(known) == 1 else "These keys were"
        parts.append(f"{was} already saved: {', '.join(map(key_text, known))}.")
    return join(*parts)


def removed_text(key: Key) -> str:
    return f"Your key {key_text(key)} is removed. It still works on machines that are running."


def made_first_text(key: Key) -> str:
    return f"{key_text(key)} is your default key now."
