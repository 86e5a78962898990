"""Adds the people, groups and channels of a team's own policy file to the sandbox's workspace.

The policy file contains Slack IDs of people, groups and channels in the team's own workspace. Whatever the
sandbox's workspace lacks is added under the same ID, with a name that people can type.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

from bot.policy.team.rules import Rules
from demo.play import PEOPLE
from sandbox.client import SandboxClient

NAMES = ("Dora", "Eli", "Fay", "Hal", "Ida", "Jan", "Kim", "Leo", "Mia", "Nia", "Otto", "Pia")
"""The names of the additional members, in order. If they run out, names continue with Member16 and so on."""
RENTERS = ("Ana", "Cleo")
"""The members who rent in the sandbox. They are added to each group that may use the bot."""


@dataclass(frozen=True)
class Cast:
    """The members, groups and channels that represent the IDs in a policy file."""

    people: dict[str, str]
    """The Slack user ID of each person who can act, by name."""
    lines: tuple[str, ...]
    """A line for each ID in the file: its name in the sandbox, and the policy keys that contain it."""


def named_in(rules: Rules) -> dict[str, list[str]]:
    """Return the IDs of people, groups and channels in the rules, each with the policy keys that contain it."""
    found: dict[str, list[str]] = {}
    for key, ids in _keys(rules):
        for one in ids:
            found.setdefault(one, []).append(key)
    return found


def _keys(rules: Rules) -> Iterator[tuple[str, Collection[str]]]:
    yield "admins", rules.admins
    yield "approvers.people", rules.approvers.people
    yield "approvers.groups", rules.approvers.groups
    yield "approvers.quiet", rules.approvers.quiet
    yield "approvals_channel", (rules.approvals_channel,) if rules.approvals_channel else ()
    yield "use.channels", rules.use.channels
    yield "use.groups", rules.use.groups
    yield "approval.then", rules.approval.then
    for name, project in rules.projects.items():
        yield f"projects.{name}.channels", project.channels
        yield f"projects.{name}.people", project.people
    yield "finance.people", rules.finance.people
    yield "finance.groups", rules.finance.groups


async def add_cast(rules: Rules, sandbox: SandboxClient) -> Cast:
    """Add the people, groups and channels to the workspace that the rules name and that don't exist there yet.

    Each new group gets one additional member. The bot and the additional members join every new channel. The
    additional members also join the existing channels of which Ana, Ben and Cleo are members.
    """
    casting = _Casting(rules, sandbox, await sandbox.slack.get("workspace"))
    named = named_in(rules)
    # Keep this order: people (U, W), then groups (S), then channels (C, G). A new group needs members, and all
    # additional members join each new channel.
    for kind in ("UW", "S", "CG"):
        for one, keys in named.items():
            if one[0] in kind and one not in casting.shown:
                await casting.add(one, keys)
    await casting.join_channels()
    lines = (f"  {casting.shown[one]}: {', '.join(keys)}" for one, keys in named.items())
    return Cast(people=casting.people, lines=tuple(lines))


class _Casting:
    """The workspace while people, groups and channels are added to it."""

    def __init__(self, rules: Rules, sandbox: SandboxClient, workspace: dict[str, Any]) -> None:
        self.people = dict(PEOPLE)
        self.shown = {
            **{one["id"]: f"{one['name']} ({one['id']})" for one in workspace["people"]},
            **{one["id"]: f"@{one['handle']} ({one['id']})" for one in workspace["groups"]},
            **{one["id"]: f"#{one['name']} ({one['id']})" for one in workspace["channels"]},
        }
        """The names of everything in the workspace so far, as people read them, by ID."""
        self._rules = rules
        self._slack = sandbox.slack
        self._channels = {one["id"]: one["members"] for one in workspace["channels"]}
        self._taken = {
            *(one["name"] for one in (*workspace["people"], *workspace["channels"])),
            *(one["handle"] for one in workspace["groups"]),
        }

    async def add(self, wanted: str, keys: list[str]) -> None:
        """Add the person, group or channel with the ID `wanted`.

        `keys` are the policy keys that contain the ID; they determine the name.
        """
        if wanted[0] in "UW":
            name = await self._add_person(wanted)
            self.shown[wanted] = f"{name} ({wanted})"
        elif wanted[0] == "S":
            part = keys[0].partition(".")[0]
            handle = self._free({"use": "gpu-users", "approval": "asked-next"}.get(part, part))
            member = await self._add_person()
            names = [member, *(RENTERS if "use.groups" in keys else ())]
            members = [self.people[name] for name in names]
            await self._slack.post("groups", {"id": wanted, "handle": handle, "members": members})
            self.shown[wanted] = f"@{handle} ({wanted}), with {', '.join(names)}"
        else:
            project = keys[0].removeprefix("projects.").removesuffix(".channels").lower()
            base = {"approvals_channel": "approvals", "use": "gpus"}.get(project, project)
            name, members = self._free(base), [*self.people.values()]
            await self._slack.post("channels", {"id": wanted, "name": name, "members": members, "bot": True})
            self.shown[wanted] = f"#{name} ({wanted})"

    async def _add_person(self, user_id: str | None = None) -> str:
        """Add a member with this ID, or with a new one, and return their name."""
        name = next((one for one in NAMES if one not in self._taken), f"Member{len(self.people) + 1}")
        self._taken.add(name)
        given = {"id": user_id} if user_id is not None else {}
        added = await self._slack.post("people", {"name": name, "tz": self._rules.timezone, **given})
        self.people[name] = str(added["id"])
        return name

    async def join_channels(self) -> None:
        """Add the additional members to each channel of which Ana, Ben, Cleo and the bot are all members."""
        usual = set(PEOPLE.values())
        for channel, members in self._channels.items():
            everybody = {*members, *self.people.values()}
            if usual <= {*members} and everybody != {*members}:
                await self._slack.patch(f"channels/{channel}", {"members": sorted(everybody)})

    def _free(self, name: str) -> str:
        """Return this name, or the first of NAME-2, NAME-3 and so on that isn't used in the workspace."""
        tries = [name, *(f"{name}-{n}" for n in range(2, len(self._taken) + 3))]
        free = next(one for one in tries if one not in self._taken)
        self._taken.add(free)
        return free
