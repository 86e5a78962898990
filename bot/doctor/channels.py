"""Checks the Slack channels: whether they exist, and whether the bot and the approvers are members."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from slack_sdk.web.async_client import AsyncWebClient

from bot.doctor.findings import CheckContext, Finding, call_failed, code_of, hint, not_checked, ok, wrong
from bot.policy.team.roles import approvers_of
from bot.policy.team.rules import Rules
from handlers.directory import channel_of
from handlers.slack_api.web_api import NO_ANSWER

APPROVERS = "approvers"
PAGE_SIZE, MAX_PAGES = 500, 20
"""The page size for reading members, and the maximum number of pages.

In a very large channel, the remaining members are ignored
(docs.slack.dev/reference/methods/conversations.members).
"""
MAX_NAMES = 3


@dataclass(frozen=True)
class ConfiguredChannel:
    """A channel that is named in the settings or in the policy."""

    id: str
    named_in: str
    """The place where the channel is named, such as `GPUBOT_CHANNEL`, for advice to the operator."""
    bot_posts: bool = True
    """True if the bot must be able to post in the channel. False if people only send commands from it."""


def configured_channels(context: CheckContext) -> dict[str, ConfiguredChannel]:
    """Return the channels in the settings and the policy.

    The keys are descriptions that `gpubot doctor` prints, such as `home channel`.
    """
    found = {}
    if "GPUBOT_CHANNEL" not in context.wrong:
        found["home channel"] = ConfiguredChannel(context.settings.channel, "GPUBOT_CHANNEL")
    if context.rules.approvals_channel not in {None, context.settings.channel}:
        found["approvals channel"] = ConfiguredChannel(
            context.rules.approvals_to, "approvals_channel in the policy"
        )
    known = {channel.id for channel in found.values()}
    for channel_id in context.rules.use.channels:
        if channel_id not in known:
            found[f"use channel {channel_id}"] = ConfiguredChannel(
                channel_id, "use.channels in the policy", bot_posts=False
            )
    return found


async def channel(client: AsyncWebClient, handle: str, what: str, configured: ConfiguredChannel) -> Finding:
    """Check whether a channel can be used for its purpose. `handle` is the bot's name in Slack."""
    try:
        answer = await client.conversations_info(channel=configured.id)
        info: Mapping[str, Any] = answer.get("channel") or {}
        found = channel_of(configured.id, info)
    except NO_ANSWER as error:
        if code_of(error) == "channel_not_found":
            return wrong(
                what,
                f"I can't find the channel {configured.id}. Check {configured.named_in}. "
                f"If it's a private channel, I can see it only as a member: type /invite @{handle} there.",
            )
        return call_failed(what, error)
    name = f"#{info.get('name') or configured.id}"
    if info.get("is_archived") is True:
        return wrong(what, f"{name} is archived. Unarchive it, or name another: {configured.named_in}.")
    if not found.member and configured.bot_posts:
        return wrong(what, f"I'm not in {name}. Type there: /invite @{handle}")
    if found.shared and configured.bot_posts:
        return wrong(
            what,
            f"{name} is shared with people outside your workspace. Name one of your own: {configured.named_in}.",
        )
    if not found.member:
        return hint(
            what,
            f"{name}; I'm not in it, so cards go to the home channel. To have them there, type: /invite @{handle}",
        )
    if found.shared:
        return hint(what, f"{name} is shared with people outside your workspace, so cards go to the home channel.")
    return ok(what, f"{name}, and I'm in it.")


async def approvers(context: CheckContext, client: AsyncWebClient) -> list[Finding]:
    """Check whether the approvers are in the channel in which requests are posted.

    An approver who isn't a member of the channel isn't notified of requests. If the approvers or the channel
    aren't known because a setting is missing or wrong, nothing is checked and an empty list is returned.
    """
    rules = context.rules
    needed = [] if rules.approvers.people or rules.approvers.groups else ["GPUBOT_ADMINS"]
    if not rules.approvals_channel:
        needed.append("GPUBOT_CHANNEL")
    if context.blocked_by(*needed):
        return []
    try:
        asked = await _approvers(client, rules)
        members = await _members(client, rules.approvals_to)
    except NO_ANSWER as error:
        if code_of(error) == "channel_not_found":
            return [not_checked(APPROVERS, "the approvals channel first.")]
        return [call_failed(APPROVERS, error)]
    absent = [user for user in asked if user not in members]
    if not absent:
        return [ok(APPROVERS, "all approvers are in the approvals channel.")] if asked else []
    names = [await _name(client, user) for user in absent[:MAX_NAMES]]
    invite = f"Type there: /invite {' '.join(f'@{name}' for name in names)}"
    if len(absent) == len(asked):
        return [wrong(APPROVERS, f"no approver is in the approvals channel. {invite}")]
    more = f" and {len(absent) - MAX_NAMES} more" if len(absent) > MAX_NAMES else ""
    return [
        hint(
            APPROVERS,
            f"these approvers aren't in the approvals channel, so they aren't asked: "
            f"{', '.join(names)}{more}. {invite}",
        )
    ]


async def _approvers(client: AsyncWebClient, rules: Rules) -> list[str]:
    """Return the people who approve or deny requests, including the members of each group that can be read."""
    asked = approvers_of(rules)
    people: list[str] = list(asked.people)
    for group in asked.groups:
        try:
            users = (await client.usergroups_users_list(usergroup=group)).get("users")
        except NO_ANSWER:
            continue  # the check of this group reports the problem
        people += _texts(users)
    return list(dict.fromkeys(people))


async def _members(client: AsyncWebClient, channel_id: str) -> set[str]:
    """Return the members of a channel. If a call to Slack fails, its error is raised."""
    members: set[str] = set()
    cursor = ""
    for _ in range(MAX_PAGES):
        answer = await client.conversations_members(channel=channel_id, limit=PAGE_SIZE, cursor=cursor or None)
        members.update(_texts(answer.get("members")))
        metadata = answer.get("response_metadata")
        cursor = str(metadata.get("next_cursor") or "") if isinstance(metadata, Mapping) else ""
        if not cursor:
            break
    return members


def _texts(values: object) -> Iterable[str]:
    return [value for value in values if isinstance(value, str)] if isinstance(values, list) else []


async def _name(client: AsyncWebClient, user: str) -> str:
    try:
        info = (await client.users_info(user=user)).get("user")
    except NO_ANSWER:
        return user
    name = info.get("name") if isinstance(info, Mapping) else None
    return name if isinstance(name, str) and name else user
