"""Actions that concern the whole team: pausing and resuming buying, and showing and reloading the policy."""

from __future__ import annotations

from typing import ClassVar

from bot.errors import Mistake, Refused
from bot.lifecycle.actions.action import Direct
from bot.lifecycle.changes.send import send
from bot.lifecycle.deps import Deps
from bot.lifecycle.loops import policy_versions
from bot.lifecycle.loops.policy_versions import Reload
from bot.model.account_facts import PAUSED
from bot.model.account_facts import Pause as Paused
from bot.model.base import changed
from bot.model.event import Event, EventKind
from bot.model.facts import SaidFacts
from bot.model.person import Person
from bot.model.summary import PolicyView
from bot.policy.team.roles import check_user, is_admin
from store.db import Tx


class Pause(Direct[None, bool], id="pause", notes_seen=False):
    """Pause buying for everyone, and notify the other admins and the home channel.

    The message says who paused it and `why`. Returns False if buying was already paused. Raises Refused if the
    person isn't an admin.
    """

    paused: ClassVar[bool] = True

    why: str = ""

    async def load(self, tx: Tx, deps: Deps, person: Person) -> None:
        if not is_admin(person, deps.rules):
            raise Refused("Only admins can pause and resume buying. Nothing was changed.")

    async def do(self, tx: Tx, deps: Deps, person: Person, plan: None) -> bool:
        pausing, paused = await tx.questions.pausing(), self.paused
        if (await tx.account.get(PAUSED) is not None) == paused and (paused or not pausing):
            return False
        now = deps.clock.now()
        await tx.account.set(PAUSED, Paused(by=person.id, at=now, why=self.why) if paused else None)
        for question in () if paused else pausing:
            await tx.questions.save(question, changed(question, pauses_buying=False))
        kind, facts = EventKind.PAUSED if paused else EventKind.RESUMED, SaidFacts(detail=self.why or None)
        event = Event(rental_id=None, kind=kind, at=now, actor=person.id, facts=facts)
        await send(tx, deps, event)
        return True


class Resume(Pause, id="resume"):
    """Resume buying, and notify the other admins and the home channel.

    The message says who resumed it and `why`. Returns False if buying wasn't paused. Raises Refused if the person
    isn't an admin.
    """

    paused: ClassVar[bool] = False


# --- the team's rules


async def show_policy(deps: Deps, person: Person) -> PolicyView:
    """Return the rules in `deps` for display, with the names of all people in them.

    The result also says when the rules came into force. Admins also get the mistakes in the policy file. Raises
    Refused if the person isn't allowed to use the bot.
    """
    check_user(person, deps.rules)
    in_force, rules = deps.in_force, deps.rules
    version = in_force.version if in_force is not None and in_force.rules is rules else None
    projects = [one for project in rules.projects.values() for one in project.people]
    people = {*rules.admins, *rules.approvers.people, *rules.approvers.quiet, *rules.approval.then}
    people |= {agent.owner for agent in rules.agents.values()}
    people |= {*rules.finance.people, *projects, *([version.by] if version and version.by else [])}
    async with deps.store.read() as tx:
        names = await tx.people.names(people)
    admin = is_admin(person, rules)
    return PolicyView(
        since=version.at if version else None,
        by=version.by if version else None,
        names=names,
        may_reload=admin and _has_file(deps),
        wrong=in_force.wrong if in_force is not None and admin else (),
    )


def _has_file(deps: Deps) -> bool:
    return deps.in_force is not None and deps.in_force.source.path is not None


async def reload_policy(deps: Deps, person: Person) -> Reload:
    """Read the policy file again, and apply its rules if it has no mistakes. See `policy_versions.reload`.

    Raises:
        Refused: The person isn't an admin.
        Mistake: The bot was started without a policy file.
        WrongPolicy: The file has mistakes, so the present rules stay in force.
        StoreBusy: The store accepts no changes, so the present rules stay in force.
    """
    if not is_admin(person, deps.rules):
        raise Refused("Only admins can reload the policy file. Nothing was changed.")
    if not _has_file(deps):
        raise Mistake(
            "I was started without GPUBOT_POLICY, so there is no policy file to read, and the default rules "
            "apply. If you have set GPUBOT_POLICY since, restart me once. After that, a reload is enough."
        )
    return await policy_versions.reload(deps, person.id)
