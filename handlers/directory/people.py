"""Who someone is. Guest flags, deactivation and user groups are in no payload: they are asked for and cached.

Methods and their limits: docs.slack.dev/reference/methods/users.info (Tier 4) and usergroups.users.list (Tier 2).
"""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import structlog
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.web.async_slack_response import AsyncSlackResponse

from bot.errors import Outage, Refused
from bot.lifecycle.deps import Deps
from bot.model.base import changed
from bot.model.person import Person
from handlers.slack_api.error_codes import NO_ANSWER, error_code, passes

KNOWN_FOR = timedelta(minutes=15)
"""Real time for which an answer holds, unless an event says that it changed."""
ASKING_TAKES = 1.0
"""Real seconds for all of asking: Slack waits 3 for the acknowledgement."""
NAME_LENGTH = 80
NOBODY: frozenset[str] = frozenset()
_NOBODY = frozenset({"user_not_found", "user_not_visible"})

_log = structlog.get_logger("gpubot.people")


@dataclass(frozen=True)
class Home:
    """The workspace that the bot belongs to, as auth.test names it.

    In an Enterprise organization a click names the organization as its user's team, and someone's home workspace
    may be another one of it (docs.slack.dev/reference/interaction-payloads/block_actions-payload, "user"). Whether
    they are a member of ours too is said by users.info alone (docs.slack.dev/reference/objects/user-object,
    "enterprise_user").
    """

    team: str
    org: str = ""
    """Empty outside of an Enterprise organization."""

    @classmethod
    def of(cls, who: AsyncSlackResponse) -> Home:
        """From what auth.test answered."""
        return cls(team=str(who.get("team_id") or ""), org=str(who.get("enterprise_id") or ""))

    def is_outside(self, team_id: str) -> bool:
        """Whether a payload's team shows by itself that its user is from elsewhere."""
        if self.org and team_id.startswith("T"):
            return False
        return team_id not in {"", self.team, self.org}

    def lacks(self, user: Mapping[str, Any]) -> bool:
        """Whether users.info tells of someone who is no member."""
        enterprise = user.get("enterprise_user")
        if self.org and isinstance(enterprise, Mapping) and isinstance(enterprise.get("teams"), list):
            return self.team not in enterprise["teams"]
        team = user.get("team_id")
        return isinstance(team, str) and team not in {"", self.team, self.org}


class People:
    """Persons from the store's cache; a miss asks Slack once, within a second."""

    def __init__(self, deps: Deps, client: AsyncWebClient, home: Home) -> None:
        self._deps = deps
        self._client = client
        self._home = home
        self._groups: dict[str, tuple[datetime, frozenset[str]]] = {}
        self._asking: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._changes: Counter[str] = Counter()

    async def get(self, user_id: str, team_id: str = "") -> Person:
        """Someone, as known for at most 15 minutes. `team_id` is the payload's, empty where it has none.

        Raises Refused for nobody we may know, Outage where Slack doesn't say in time, StoreBusy.
        """
        real_now = self._deps.clock.real()
        async with self._deps.store.read() as tx:
            person = await tx.people.get(user_id, real_now - KNOWN_FOR)
        if person is None:
            before = self._changed(user_id)
            person = await self._ask(user_id)
            async with self._deps.store.write() as tx:
                await tx.people.put(person, real_now)
            if self._changed(user_id) != before:
                # Said while it was asked or written, when `forget` had nothing to forget yet.
                async with self._deps.store.write() as tx:
                    await tx.people.forget(user_id)
        if self._home.is_outside(team_id):
            return changed(person, outsider=True)
        return person

    def _changed(self, user_id: str) -> tuple[int, ...]:
        """How often what makes a person was said to have changed: an answer from before that is not kept for
        long."""
        return tuple(self._changes[name] for name in (user_id, *sorted(self._deps.rules.groups)))

    async def forget(self, user_id: str) -> None:
        """Someone changed: asks again next time. Raises StoreBusy. Slack tells of everybody, with each status that
        they set; only what is known of a few is written."""
        self._changes[user_id] += 1
        async with self._deps.store.read() as tx:
            if await tx.people.get(user_id, self._deps.clock.real() - KNOWN_FOR) is None:
                return
        async with self._deps.store.write() as tx:
            await tx.people.forget(user_id)

    async def forget_group(self, group: str) -> None:
        """A group's members changed: asks again for all of them. Raises StoreBusy."""
        if group not in self._deps.rules.groups:
            return
        self._groups.pop(group, None)
        self._changes[group] += 1
        async with self._deps.store.write() as tx:
            await tx.people.forget()

    async def _ask(self, user_id: str) -> Person:
        groups = sorted(self._deps.rules.groups)
        try:
            async with asyncio.timeout(ASKING_TAKES):
                user = await self._user(user_id)
                members = [await self._members(group) for group in groups]
        except NO_ANSWER as error:
            if error_code(error) in _NOBODY:
                raise Refused("Slack doesn't tell me who you are, so I can't do that.") from error
            _log.warning("people.no_answer", user=user_id, error=error_code(error))
            raise Outage(
                "Slack didn't tell me in time who you are. I changed nothing. Try again in a moment."
            ) from error
        inside = frozenset(group for group, those in zip(groups, members, strict=True) if user_id in those)
        return person_of(user_id, user, home=self._home, groups=inside)

    async def _user(self, user_id: str) -> Mapping[str, Any]:
        answer = await self._client.users_info(user=user_id)
        user = answer.get("user")
        if not isinstance(user, Mapping):
            raise ValueError("users.info without a user")
        return user

    async def _members(self, group: str) -> frozenset[str]:
        """A group's members. Who misses them at the same time waits for the one who asks."""
        async with self._asking[group]:
            known = self._groups.get(group)
            if known is not None and known[0] >= self._deps.clock.real() - KNOWN_FOR:
                return known[1]
            asked_at, changes = self._deps.clock.real(), self._changes[group]
            members = await self._ask_members(group)
            if self._changes[group] == changes:
                self._groups[group] = (asked_at, members)
            return members

    async def _ask_members(self, group: str) -> frozenset[str]:
        try:
            answer = await self._client.usergroups_users_list(usergroup=group)
        except SlackApiError as error:
            if passes(error):
                raise
            # No user groups here (a free plan, a smaller server, a scope that is missing): nobody is in one.
            _log.warning("people.no_group", group=group, error=error_code(error))
            return NOBODY
        users = answer.get("users")
        return frozenset(user for user in users if isinstance(user, str)) if isinstance(users, list) else NOBODY


def person_of(
    user_id: str, user: Mapping[str, Any], *, home: Home, groups: frozenset[str] = frozenset()
) -> Person:
    """What users.info tells of someone; flags that are absent count as false."""
    return Person(
        id=user_id,
        name=_name(user) or user_id,
        tz=_zone(user.get("tz")),
        guest=user.get("is_restricted") is True or user.get("is_ultra_restricted") is True,
        deactivated=user.get("deleted") is True,
        outsider=user.get("is_stranger") is True or home.lacks(user),
        bot=user.get("is_bot") is True or user_id == "USLACKBOT",
        groups=groups,
    )


def _name(user: Mapping[str, Any]) -> str:
    profile = user.get("profile")
    profile = profile if isinstance(profile, Mapping) else {}
    names = (profile.get("display_name"), profile.get("real_name"), user.get("real_name"), user.get("name"))
    return next((name for name in names if isinstance(name, str) and name.strip()), "").strip()[:NAME_LENGTH]


def _zone(name: object) -> str:
    """A zone that can be computed with; UTC for others."""
    try:
        return ZoneInfo(name).key if isinstance(name, str) and name else "UTC"
    except (ValueError, OSError, LookupError):
        return "UTC"
