"""Slack's channels: whether they are there, whether the bot is in them, and whether approvers are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from slack_sdk.web.async_client import AsyncWebClient

from bot.doctor.calls import code_of, unread
from bot.doctor.findings import Case, Finding, hint, left, ok, wrong
from bot.policy.rules import Rules
from handlers.directory.channels import channel_of
from handlers.slack_api.error_codes import NO_ANSWER

APPROVERS = "approvers"
PAGE, PAGES = 500, 20
"""Larger channels than that are not read to their end (docs.slack.dev/reference/methods/conversations.members)."""
NAMED = 3


@dataclass(frozen=True)
class Place:
    """A channel that the settings or the policy name."""

    id: str
    named_in: str
    ours: bool = True
    """The bot posts there; else people only ask there."""


def places(case: Case) -> dict[str, Place]:
    """What to call each channel, and the channel."""
    found = {}
    if "GPUBOT_CHANNEL" not in case.wrong:
        found["home channel"] = Place(case.settings.channel, "GPUBOT_CHANNEL")
    if case.rules.approvals_channel not in {None, case.settings.channel}:
        found["approvals channel"] = Place(case.rules.approvals_to, "approvals_channel in the policy")
    known = {place.id for place in found.values()}
    for channel in case.rules.use.channels:
        if channel not in known:
            found[f"use channel {channel}"] = Place(channel, "use.channels in the policy", ours=False)
    return found


async def channel(client: AsyncWebClient, handle: str, what: str, place: Place) -> Finding:
    """Whether the channel can be used for what it is named for."""
    try:
        answer = await client.conversations_info(channel=place.id)
        told: Mapping[str, Any] = answer.get("channel") or {}
        room = channel_of(place.id, told)
    except NO_ANSWER as error:
        if code_of(error) == "channel_not_found":
            return wrong(
                what,
                f"I find no channel {place.id}. Check {place.named_in}; a private channel I see only once I am in "
                f"it: type /invite @{handle} there.",
            )
        return unread(what, error)
    name = f"#{told.get('name') or place.id}"
    if told.get("is_archived") is True:
        return wrong(what, f"{name} is archived. Unarchive it, or name another: {place.named_in}.")
    if not room.member and place.ours:
        return wrong(what, f"I am not in {name}. Type there: /invite @{handle}")
    if room.shared and place.ours:
        return wrong(
            what, f"{name} is shared with people outside your workspace. Name one of your own: {place.named_in}."
        )
    if not room.member:
        return hint(what, f"{name}; I am not in it, so cards go to the home channel. Or there: /invite @{handle}")
    if room.shared:
        return hint(what, f"{name} is shared with people outside your workspace, so cards go to the home channel.")
    return ok(what, f"{name}, and I am in it.")


async def approvers(case: Case, client: AsyncWebClient) -> list[Finding]:
    """Whether those who approve are in the channel that asks them: who isn't is not notified. Nothing where
    settings that were found wrong name them."""
    rules = case.rules
    named = rules.approvers.people or rules.approvers.groups
    lacking = [] if named else ["GPUBOT_ADMINS"]
    if case.lacks(*lacking, *([] if rules.approvals_channel else ["GPUBOT_CHANNEL"])):
        return []
    try:
        asked = await _asked(client, rules)
        members = await _members(client, rules.approvals_to)
    except NO_ANSWER as error:
        if code_of(error) == "channel_not_found":
            return [left(APPROVERS, "the approvals channel first.")]
        return [unread(APPROVERS, error)]
    absent = [user for user in asked if user not in members]
    if not absent:
        return [ok(APPROVERS, "everyone who approves is in the approvals channel.")] if asked else []
    names = [await _name(client, user) for user in absent[:NAMED]]
    invite = f"Type there: /invite {' '.join(f'@{name}' for name in names)}"
    if len(absent) == len(asked):
        return [wrong(APPROVERS, f"nobody who approves is in the approvals channel. {invite}")]
    more = f" and {len(absent) - NAMED} more" if len(absent) > NAMED else ""
    return [hint(APPROVERS, f"not in the approvals channel, and so not asked: {', '.join(names)}{more}. {invite}")]


async def _asked(client: AsyncWebClient, rules: Rules) -> list[str]:
    """Who approves: the people, and the members of the groups that can be read; the admins where nobody is
    named."""
    people: list[str] = list(rules.approvers.people)
    for group in rules.approvers.groups:
        try:
            users = (await client.usergroups_users_list(usergroup=group)).get("users")
        except NO_ANSWER:
            continue  # its own line tells
        people += _texts(users)
    if not (rules.approvers.people or rules.approvers.groups):
        people = list(rules.admins)
    return list(dict.fromkeys(people))


async def _members(client: AsyncWebClient, place: str) -> set[str]:
    """Who is in a channel. Raises what the call raises."""
    members: set[str] = set()
    cursor = ""
    for _ in range(PAGES):
        answer = await client.conversations_members(channel=place, limit=PAGE, cursor=cursor or None)
        members.update(_texts(answer.get("members")))
        more = answer.get("response_metadata")
        cursor = str(more.get("next_cursor") or "") if isinstance(more, Mapping) else ""
        if not cursor:
            break
    return members


def _texts(values: object) -> Iterable[str]:
    return [value for value in values if isinstance(value, str)] if isinstance(values, list) else []


async def _name(client: AsyncWebClient, user: str) -> str:
    try:
        told = (await client.users_info(user=user)).get("user")
    except NO_ANSWER:
        return user
    name = told.get("name") if isinstance(told, Mapping) else None
    return name if isinstance(name, str) and name else user
