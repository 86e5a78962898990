"""People and conversations in Slack, cached in the store.

People have to be looked up, because Slack's payloads don't say whether a user is a guest, is deactivated, or
belongs to a user group.

Methods and their rate limits: docs.slack.dev/reference/methods/users.info (Tier 4), usergroups.users.list (Tier 2)
and conversations.info (Tier 3).
"""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import structlog
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.web.async_slack_response import AsyncSlackResponse

from bot.errors import GpubotError, NoTeammate, Outage, Refused, StoreBusy
from bot.lifecycle.deps import Deps, with_newest_rules
from bot.model.account_facts import GROUP_ANSWER, GroupAnswer
from bot.model.base import EVER, changed
from bot.model.person import Channel, Person
from bot.model.text import one_line
from handlers.slack_api.web_api import NO_ANSWER, TOKEN_REFUSED, error_code, is_temporary

CACHED_FOR = timedelta(minutes=15)
"""Wall-clock time for which Slack's answer about a person or conversation is reused.

If an event reports a change earlier, the answer is discarded and Slack is queried again.
"""
LOOKUP_TIMEOUT = 1.0
"""Default limit for all calls to Slack during one lookup, in wall-clock seconds.

It is short, because people are looked up before a payload is acknowledged. Slack waits only 3 s for the
acknowledgement.
"""
NAME_LENGTH = 80
NO_MEMBERS: frozenset[str] = frozenset()
_UNKNOWN_USER = frozenset({"user_not_found", "user_not_visible"})
CHANNEL_TIMEOUT = 3.0
"""Wall-clock seconds allowed for looking up a conversation."""
LONGEST_CHANNEL_NAME = 80
"""Slack's limit for the name of a channel (docs.slack.dev/reference/methods/conversations.rename)."""
_NO_MEMBER = frozenset({"channel_not_found", "missing_scope", "not_in_channel"})
"""Slack's error codes for a conversation that the bot isn't a member of.

An answer with one of these codes is cached like any other answer.
"""

_log = structlog.get_logger("gpubot.people")
_channels_log = structlog.get_logger("gpubot.channels")

# --- people


@dataclass(frozen=True)
class HomeWorkspace:
    """The workspace that the bot belongs to, as reported by auth.test.

    In an Enterprise organization, a user can belong to several workspaces. The payload of a click then names only
    one of these workspaces, or the organization itself, as the user's team
    (docs.slack.dev/reference/interaction-payloads/block_actions-payload, "user"). Only users.info shows whether
    the user is also a member of the bot's workspace (docs.slack.dev/reference/objects/user-object,
    "enterprise_user").
    """

    team: str
    org: str = ""
    """The ID of the Enterprise organization. Empty if the workspace doesn't belong to one."""

    @classmethod
    def of(cls, answer: AsyncSlackResponse) -> HomeWorkspace:
        """Read the workspace from an answer of auth.test."""
        return cls(team=str(answer.get("team_id") or ""), org=str(answer.get("enterprise_id") or ""))

    def is_other_team(self, team_id: str) -> bool:
        """Return whether the team ID in a payload proves that the user isn't a member of this workspace."""
        if self.org and team_id.startswith("T"):
            return False
        return team_id not in {"", self.team, self.org}

    def has_member(self, user: Mapping[str, Any]) -> bool:
        """Return whether a user, as returned by users.info, is a member of this workspace."""
        enterprise = user.get("enterprise_user")
        if self.org and isinstance(enterprise, Mapping) and isinstance(enterprise.get("teams"), list):
            return self.team in enterprise["teams"]
        team = user.get("team_id")
        return not isinstance(team, str) or team in {"", self.team, self.org}


class People:
    """Looks people up in the store's cache first, then in Slack.

    Implements `bot.lifecycle.outside.Directory`. The listeners and the code that advances rentals share one
    instance, so both see a change as soon as Slack reports it.
    """

    def __init__(
        self,
        deps: Deps,
        client: AsyncWebClient,
        home: HomeWorkspace | None = None,
        *,
        lookup_timeout: float = LOOKUP_TIMEOUT,
    ) -> None:
        """Create the lookup of people.

        Args:
            home: The bot's workspace. None if the bot isn't connected yet. The first lookup then queries Slack for
                the workspace.
            lookup_timeout: The limit for all calls to Slack during one lookup, in wall-clock seconds.
        """
        self._deps = deps
        self._client = client
        self._home = home
        self._lookup_timeout = lookup_timeout
        self._group_locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._changes: Counter[str] = Counter()
        """For each user ID, the number of events so far that reported a change of this user."""

    async def get(self, user_id: str, team_id: str = "") -> Person:
        """Return a person, using information that is at most 15 minutes old.

        Args:
            team_id: The ID of the user's team, if the payload contains it. If this team is a different workspace,
                the person is treated as an outsider: somebody who isn't a member of the bot's workspace.

        Raises:
            Refused: Slack doesn't show this user to the bot.
            Outage: Slack doesn't answer in time.
            StoreBusy: The database is busy.
        """
        now = self._deps.clock.real()
        async with self._deps.store.read() as tx:
            person = await tx.people.get(user_id, now - CACHED_FOR)
        if person is None:
            person = await self._query(user_id)
        if self._home is not None and self._home.is_other_team(team_id):
            return changed(person, outsider=True)
        return person

    async def _query(self, user_id: str) -> Person:
        """Query Slack about a person, and store the answer."""
        now = self._deps.clock.real()
        before = await self._change_counts(user_id)
        person = await self._look_up(user_id)
        async with self._deps.store.write() as tx:
            await tx.people.put(person, now)
        if await self._change_counts(user_id) != before:
            # While the person was being looked up, an event from Slack reported a change of this person. The
            # answer may be older than this change. The event couldn't delete the answer, because the answer wasn't
            # stored yet, so delete it now.
            async with self._deps.store.write() as tx:
                await tx.people.forget(user_id)
        return person

    def connected_to(self, home: HomeWorkspace) -> None:
        """Set the workspace to which the bot is connected."""
        self._home = home

    async def look_up(self, user_ids: Sequence[str]) -> None:
        """Look up people who are named in a request, so that the store has recent information about them.

        Raises:
            NoTeammate: Slack doesn't show one of the people to the bot.
            Outage: Slack doesn't answer in time.
            StoreBusy: The database is busy.
        """
        found = await asyncio.gather(*map(self.get, user_ids), return_exceptions=True)
        for user_id, result in zip(user_ids, found, strict=True):
            if isinstance(result, Refused):
                raise NoTeammate(f"Slack doesn't tell me who {user_id} is. Nothing was changed. Leave them out.")
            if isinstance(result, Outage) and not isinstance(result, StoreBusy):
                message = "Slack didn't tell me in time who your teammates are, so nothing was changed. "
                message += "Try again in a moment."
                raise Outage(message)
            if isinstance(result, BaseException):
                raise result

    async def refresh(self, user_ids: Collection[str]) -> None:
        """Look up several people concurrently, within about LOOKUP_TIMEOUT.

        A person's stored information stays unchanged if it is recent, or if Slack doesn't answer. Never raises.
        """
        await asyncio.gather(*(self._refresh(user_id, self.get) for user_id in user_ids))

    async def ask_anew(self, user_id: str) -> bool:
        """Query Slack about a person even if the stored information is recent.

        Returns whether Slack answered within about LOOKUP_TIMEOUT. If it didn't, the stored information stays
        unchanged. Never raises.
        """
        return await self._refresh(user_id, self._query)

    async def _refresh(self, user_id: str, query: Callable[[str], Awaitable[Person]]) -> bool:
        try:
            await query(user_id)
        except Refused:
            await self._note_unknown(user_id)
        except GpubotError as error:
            _log.info("people.not_refreshed", user=user_id, error=type(error).__name__)
            return False
        return True

    async def _note_unknown(self, user_id: str) -> None:
        """Mark a person as deactivated, because Slack doesn't show them to the bot any more.

        A deactivated person has no rights. Never raises.
        """
        try:
            async with self._deps.store.write() as tx:
                known = await tx.people.get(user_id, EVER) or Person(id=user_id, name=user_id)
                await tx.people.put(changed(known, deactivated=True), self._deps.clock.real())
        except StoreBusy as error:
            _log.info("people.not_refreshed", user=user_id, error=type(error).__name__)

    async def members(self, group: str) -> frozenset[str] | None:
        """Return the members of a user group, or None if Slack or the store doesn't answer within LOOKUP_TIMEOUT.

        Empty if, according to Slack, the group doesn't exist or the bot isn't allowed to see it. Never raises.
        """
        try:
            async with asyncio.timeout(self._lookup_timeout):
                return await self._members(group)
        except NO_ANSWER as error:
            _log.info("people.no_group_answer", group=group, error=error_code(error))
        except StoreBusy:
            _log.info("people.no_group_answer", group=group, error="StoreBusy")
        return None

    def _named_groups(self) -> frozenset[str]:
        """Return the user groups that the current rules mention."""
        return with_newest_rules(self._deps).rules.groups

    async def _change_counts(self, user_id: str) -> dict[str, int]:
        """Return the numbers of changes that Slack has reported, for this user and for each user group.

        If a number changes during a lookup, the answer may be outdated, and somebody could get the wrong rights.
        The numbers for groups are in the store, because Slack may report a change to another process.
        """
        async with self._deps.store.read() as tx:
            groups = await tx.account.all(GROUP_ANSWER)
        changes = {group: one.changes for group, one in groups.items() if one.changes}
        return {user_id: self._changes[user_id], **changes}

    async def forget(self, user_id: str) -> None:
        """Forget the cached information about a person, because Slack reported that it has changed.

        Slack also reports a change whenever somebody sets their status. To avoid a write for each of these events,
        the function writes only if the person is cached. Raises StoreBusy.
        """
        self._changes[user_id] += 1
        async with self._deps.store.read() as tx:
            if await tx.people.get(user_id, self._deps.clock.real() - CACHED_FOR) is None:
                return
        async with self._deps.store.write() as tx:
            await tx.people.forget(user_id)

    async def forget_group(self, group: str) -> None:
        """Forget all cached people, because the members of this user group have changed.

        Does nothing if the rules don't mention the group. Raises StoreBusy.
        """
        if group not in self._named_groups():
            return
        async with self._deps.store.write() as tx:
            known = await tx.account.get(GROUP_ANSWER, group) or GroupAnswer()
            await tx.account.set(GROUP_ANSWER, GroupAnswer(changes=known.changes + 1), group)
            await tx.people.forget()

    async def _look_up(self, user_id: str) -> Person:
        groups = sorted(self._named_groups())
        try:
            async with asyncio.timeout(self._lookup_timeout):
                if self._home is None:
                    self._home = HomeWorkspace.of(await self._client.auth_test())
                home, user = self._home, await self._user(user_id)
                members = [await self._members(group) for group in groups]
        except NO_ANSWER as error:
            if error_code(error) in _UNKNOWN_USER:
                raise Refused("Slack doesn't tell me who you are, so nothing was changed.") from error
            if error_code(error) == "missing_scope":
                raise Outage(
                    "I can't tell who you are, because my Slack app lacks the scope users:read. Nothing was "
                    "changed. An admin can add the scope: gpubot doctor says how."
                ) from error
            _log.warning("people.no_answer", user=user_id, error=error_code(error))
            raise Outage(
                "Slack didn't tell me in time who you are, so nothing was changed. Try again in a moment."
            ) from error
        memberships = frozenset(group for group, users in zip(groups, members, strict=True) if user_id in users)
        return person_of(user_id, user, home=home, groups=memberships)

    async def _user(self, user_id: str) -> Mapping[str, Any]:
        answer = await self._client.users_info(user=user_id)
        user = answer.get("user")
        if not isinstance(user, Mapping):
            raise ValueError("users.info without a user")
        return user

    async def _members(self, group: str) -> frozenset[str]:
        """Return a group's members, cached for CACHED_FOR. Concurrent lookups share one call to Slack."""
        async with self._group_locks[group]:
            asked_at = self._deps.clock.real()
            async with self._deps.store.read() as tx:
                before = await tx.account.get(GROUP_ANSWER, group) or GroupAnswer()
            if before.at is not None and before.at >= asked_at - CACHED_FOR:
                return before.members
            members = await self._look_up_members(group)
            async with self._deps.store.write() as tx:
                known = await tx.account.get(GROUP_ANSWER, group) or GroupAnswer()
                if known.changes == before.changes:
                    await tx.account.set(GROUP_ANSWER, changed(known, at=asked_at, members=members), group)
            return members

    async def _look_up_members(self, group: str) -> frozenset[str]:
        try:
            answer = await self._client.usergroups_users_list(usergroup=group)
        except SlackApiError as error:
            if is_temporary(error) or error_code(error) in TOKEN_REFUSED:
                raise
            # Either the group doesn't exist, or the bot can't see any user groups, because the workspace has a
            # free plan or the bot's token lacks a permission. Treat the group as empty. Raising the error instead
            # would lock everybody out.
            _log.warning("people.no_group", group=group, error=error_code(error))
            return NO_MEMBERS
        users = answer.get("users")
        if not isinstance(users, list):
            raise ValueError("usergroups.users.list without users")
        return frozenset(user for user in users if isinstance(user, str))


def person_of(
    user_id: str, user: Mapping[str, Any], *, home: HomeWorkspace, groups: frozenset[str] = frozenset()
) -> Person:
    """Convert the `user` object that users.info returns to a person. A missing flag means false."""
    return Person(
        id=user_id,
        name=_name(user) or user_id,
        tz=_zone(user.get("tz")),
        guest=user.get("is_restricted") is True or user.get("is_ultra_restricted") is True,
        deactivated=user.get("deleted") is True,
        outsider=user.get("is_stranger") is True or not home.has_member(user),
        bot=user.get("is_bot") is True or user_id == "USLACKBOT",
        groups=groups,
    )


def _name(user: Mapping[str, Any]) -> str:
    profile = user.get("profile")
    profile = profile if isinstance(profile, Mapping) else {}
    names = (profile.get("display_name"), profile.get("real_name"), user.get("real_name"), user.get("name"))
    return next((name for name in names if isinstance(name, str) and name.strip()), "").strip()[:NAME_LENGTH]


def _zone(name: object) -> str:
    """Return a time zone's name. Empty if the name is missing, or if Python doesn't know the time zone."""
    try:
        return ZoneInfo(name).key if isinstance(name, str) and name else ""
    except (ValueError, OSError, LookupError):
        return ""


# --- conversations


def is_direct(channel_id: str) -> bool:
    """Return whether an ID belongs to a direct message: either with the bot, or between two people.

    Also True for a person's ID, because a message to a person's ID arrives in their direct messages.
    """
    return channel_id.startswith(("D", "U", "W"))


class SlackChannels:
    """Looks conversations up in the store's cache first, then in Slack.

    Implements `bot.lifecycle.outside.Channels`.
    """

    def __init__(self, deps: Deps, client: AsyncWebClient) -> None:
        self._deps = deps
        self._client = client

    async def get(self, channel_id: str) -> Channel:
        """Return a conversation.

        If neither the store nor Slack answers, the bot is assumed not to be a member of the conversation. Never
        raises.
        """
        if is_direct(channel_id):
            return Channel(id=channel_id, member=True, direct=True)
        cached = await self._cached(channel_id)
        if cached is not None:
            return cached
        try:
            channel = await self._look_up(channel_id)
        except NO_ANSWER as error:
            _channels_log.warning("channel.no_answer", channel=channel_id, error=error_code(error))
            return Channel(id=channel_id, member=False)
        await self._cache(channel)
        return channel

    async def forget(self, channel_id: str) -> None:
        """Forget the cached information about a conversation that has changed.

        Raises StoreBusy.
        """
        async with self._deps.store.write() as tx:
            await tx.people.forget_channel(channel_id)

    async def _cached(self, channel_id: str) -> Channel | None:
        try:
            async with self._deps.store.read() as tx:
                return await tx.people.channel(channel_id, self._deps.clock.real() - CACHED_FOR)
        except StoreBusy:
            return None

    async def _cache(self, channel: Channel) -> None:
        try:
            async with self._deps.store.write() as tx:
                await tx.people.put_channel(channel, self._deps.clock.real())
        except StoreBusy:
            _channels_log.info("channel.not_cached", channel=channel.id)

    async def _look_up(self, channel_id: str) -> Channel:
        try:
            async with asyncio.timeout(CHANNEL_TIMEOUT):
                answer = await self._client.conversations_info(channel=channel_id)
        except SlackApiError as error:
            if error_code(error) not in _NO_MEMBER:
                raise
            return Channel(id=channel_id, member=False)
        return channel_of(channel_id, answer.get("channel"))


def channel_of(channel_id: str, info: Any) -> Channel:
    """Convert the `channel` in an answer of conversations.info. A missing flag means false.

    Raises ValueError if `info` isn't an object.
    """
    if not isinstance(info, Mapping):
        raise ValueError("conversations.info without a channel")

    def flag(name: str) -> bool:
        return info.get(name) is True

    name = info.get("name")
    return Channel(
        id=channel_id,
        member=flag("is_member"),
        direct=flag("is_im") or flag("is_mpim"),
        shared=flag("is_ext_shared") or (flag("is_shared") and not flag("is_org_shared")),
        name=one_line(name, LONGEST_CHANNEL_NAME) if isinstance(name, str) else None,
    )
