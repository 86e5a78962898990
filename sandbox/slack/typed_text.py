"""Encodes the text that a person types, as Slack does before it sends the text to the app."""

import re

from sandbox.slack.state import Workspace

_LINK = re.compile(r"https?://[^\s<>|]+")
_EMAIL = re.compile(r"(?<![\w.+-])[\w.+-]+@[\w-]+(?:\.[\w-]+)+(?![\w@])")
_PERSON = re.compile(r"(?<![\w@.+-])@([\w.-]*\w)")
_CHANNEL = re.compile(r"(?<![\w#&])#([\w-]+)")


def escaped(text: str) -> str:
    """Replace `&`, `<` and `>` with Slack's three entities."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def typed(workspace: Workspace, text: str, *, labels: bool) -> str:
    """Escape `&`, `<` and `>`, and encode links, email addresses and mentions as Slack's tokens.

    With `labels`, a mention is encoded as `<@U123|name>`, as in slash commands with should_escape. Otherwise it is
    encoded as `<@U123>`, as in messages. It is an assumption that email addresses become mailto links in commands
    too; apps should be able to read both.
    """
    people = {person.handle: person for person in workspace.people.values()}
    groups = {group.handle: group for group in workspace.groups.values()}

    def person_token(found: re.Match[str]) -> str:
        name = found[1].lower()
        if name in people:
            return f"<@{people[name].id}|{people[name].handle}>" if labels else f"<@{people[name].id}>"
        if name in groups:
            return f"<!subteam^{groups[name].id}|@{groups[name].handle}>"
        return f"<!{name}>" if name in ("here", "channel", "everyone") else found[0]

    def channel_token(found: re.Match[str]) -> str:
        channel = workspace.channel_named(found[1].lower())
        return f"<#{channel.id}|{channel.name if labels else ''}>" if channel else found[0]

    parts: list[str] = []
    for word in re.split(r"(\s+)", escaped(text)):
        link, address = _LINK.fullmatch(word), _EMAIL.fullmatch(word)
        if link:
            parts.append(f"<{word}>")
        elif address:
            parts.append(f"<mailto:{word}|{word}>")
        else:
            parts.append(_CHANNEL.sub(channel_token, _PERSON.sub(person_token, word)))
    return "".join(parts)
