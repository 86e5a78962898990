"""Who may do what, and who may see what."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from pydantic import Field

from bot.errors import Mistake, NoTeammate, Refused
from bot.model.base import Frozen, changed
from bot.model.person import OPERATOR, Person
from bot.model.rental import Rental
from bot.policy.team.rules import Approvers, Rules

MOST_TEAMMATES = 20
"""How many teammates one rental may have. Each is looked up in Slack while a person waits."""


class Roles(Frozen):
    """The roles that the rules give one person now."""

    user: bool = False
    """Whether they may ask, rent and look."""
    approver: bool = False
    admin: bool = False
    finance: bool = False
    """Whether they read the spend of everybody, also if they are no users."""
    sole_admin: bool = False
    """Whether they are the only admin and nobody else approves, so that they may approve their own requests."""


def are_named(approvers: Approvers) -> bool:
    """Return whether the rules name a person or a group."""
    return bool(approvers.people or approvers.groups)


def approvers_of(rules: Rules) -> Approvers:
    """Return who decides requests: the approvers that the rules name, or the admins if they name none. Quiet
    approvers decide in both cases.
    """
    named = rules.approvers
    return named if are_named(named) else Approvers(people=rules.admins, quiet=named.quiet)


def deciding_groups(rules: Rules) -> tuple[str, ...]:
    """Return the groups whose members may decide requests."""
    return tuple(dict.fromkeys((*rules.approvers.groups, *rules.approval.then_groups)))


class Team(Frozen):
    """What is known of the people and user groups that the rules name."""

    gone: frozenset[str] = frozenset()
    """Slack ids of people who are certainly no members of the workspace (any more)."""
    members: Mapping[str, frozenset[str]] = Field(default_factory=dict)
    """The last known members of groups. A group that was never read is left out: it may have members."""

    def can_decide(self, group: str, without: Collection[str]) -> bool:
        """Return whether a group has, or may have, a member who is not gone and not among the people `without`."""
        return group not in self.members or bool(self.members[group] - self.gone - set(without))

    def members_of(self, groups: Collection[str]) -> list[str]:
        """Return the known members of these groups who are not gone."""
        return [one for group in groups for one in sorted(self.members.get(group, frozenset()) - self.gone)]


def named_to_decide(approvers: Approvers, team: Team) -> tuple[str, ...]:
    """Return the people among the approvers and the known members of their groups, each once."""
    return tuple(dict.fromkeys((*approvers.people, *team.members_of(approvers.groups))))


def then_people(rules: Rules, team: Team) -> tuple[str, ...]:
    """Return the people of `approval.then` and the known members of its groups who are not gone, each once."""
    groups = rules.approval.then_groups
    people = [one for one in rules.approval.then if one not in groups and one not in team.gone]
    return tuple(dict.fromkeys((*people, *team.members_of(groups))))


def rules_for(rules: Rules, team: Team, requesters: Collection[str] = ()) -> Rules:
    """Return the rules with only those admins and approvers who are not gone.

    If no approver is left who may be asked about a request of these `requesters`, the admins decide, as if the
    rules named no approvers. Quiet approvers are never asked.
    """
    admins = tuple(one for one in rules.admins if one not in team.gone) or rules.admins
    named = rules.approvers
    if not are_named(named):
        return changed(rules, admins=admins)
    without = {*named.quiet, *(() if rules.self_approval else requesters)}
    people = tuple(one for one in named.people if one not in team.gone)
    groups = tuple(group for group in named.groups if team.can_decide(group, ()))
    others_left = any(team.can_decide(group, without) for group in groups) or set(people) - without
    left = changed(named, people=people, groups=groups) if others_left else Approvers(quiet=named.quiet)
    return changed(rules, admins=admins, approvers=left)


def is_member(person: Person) -> bool:
    """Return whether a person belongs to the bot's workspace: no outsider, no bot, nobody who left."""
    return not (person.outsider or person.deactivated or person.bot)


def roles_of(person: Person, rules: Rules) -> Roles:
    """Return the roles of a person. Non-members have none, whatever the rules say. The operator decides like an
    approver and an admin.
    """
    if person.id == OPERATOR.id:
        return Roles(user=True, approver=True, admin=True)
    if not is_member(person):
        return Roles()
    admin = person.id in rules.admins
    approvers = approvers_of(rules)
    decide = {*approvers.people, *approvers.quiet, *approvers.groups, *rules.approval.then}
    approver = person.id in decide or bool(person.groups & decide)
    allowed_guest = rules.use.guests or not person.guest
    in_group = not rules.use.groups or bool(person.groups & set(rules.use.groups))
    named = {*rules.admins, *rules.approvers.people, *rules.approvers.quiet, *rules.approval.then}
    return Roles(
        user=allowed_guest and (in_group or admin or approver),
        approver=approver,
        admin=admin,
        finance=person.id in rules.finance.people or bool(person.groups & set(rules.finance.groups)),
        sole_admin=admin and not rules.approvers.groups and not named - {person.id},
    )


def may_use(person: Person, rules: Rules) -> bool:
    """Return whether a person may ask, rent and look."""
    return roles_of(person, rules).user


def check_user(person: Person, rules: Rules) -> None:
    """Raise Refused if the person may not use the bot."""
    if not may_use(person, rules):
        raise Refused("Your team's rules don't let you rent here. An admin can change that.")


def may_use_in(channel: str, *, direct: bool, rules: Rules) -> bool:
    """Return whether the bot may be used in a channel. It may be used in every direct message."""
    return direct or not rules.use.channels or channel in rules.use.channels


def is_admin(person: Person, rules: Rules) -> bool:
    """Return whether a person is an admin, who pauses and resumes buying, has the policy file read again, and
    decides about machines that the bot doesn't know and about who owns a rental.
    """
    return roles_of(person, rules).admin


def is_approver_or_admin(person: Person, rules: Rules) -> bool:
    """Return whether a person is an approver or an admin.

    These people see machines that no rental has, and what everybody paid for idle and other time: all others see
    only their own costs, and each project's. They also decide what follows if an owner doesn't answer.
    """
    roles = roles_of(person, rules)
    return roles.approver or roles.admin


def may_deny(person: Person, rules: Rules) -> bool:
    """Return whether a person may deny a request, their own included: approvers."""
    return roles_of(person, rules).approver


# --- spend


def check_reads_spend(person: Person, rules: Rules) -> None:
    """Raise Refused if the person may not read what was spent: users may, and finance."""
    if not roles_of(person, rules).finance:
        check_user(person, rules)


def sees_spend_of_people(person: Person, rules: Rules) -> bool:
    """Return whether a person may see what each person spent: approvers, admins and finance. All others see their
    own, and sums.
    """
    return is_approver_or_admin(person, rules) or roles_of(person, rules).finance


def sees_spend_of(person: Person, other: str, rules: Rules) -> bool:
    """Return whether a person may see what one person spent: that person, approvers, admins and finance."""
    return person.id == other or sees_spend_of_people(person, rules)


# --- teammates


def may_be_let_in(person: Person, rules: Rules) -> bool:
    """Return whether owners may let a person into their machines: a member and no guest, who may use the bot."""
    return may_use(person, rules) and not person.guest


def check_number(people: Collection[str]) -> None:
    """Raise Mistake if these are more people than one rental may let in."""
    if len(people) > MOST_TEAMMATES:
        raise Mistake(f"A machine can be shared with at most {MOST_TEAMMATES} people. Nothing was changed.")


def check_teammate(person: Person, rules: Rules) -> None:
    """Raise NoTeammate, with the reason, if a person may not be let into a machine."""
    if may_be_let_in(person, rules):
        return
    name = person.name
    if person.bot:
        why = f"{name} is an app, and only people can be teammates."
    elif person.deactivated:
        why = f"{name} has left the workspace."
    elif person.outsider:
        why = f"{name} belongs to another workspace, and only members of this one can be teammates."
    elif person.guest:
        why = f"{name} is a guest, and only members can be teammates."
    else:
        why = f"Your team's rules don't let {name} use me."
    raise NoTeammate(f"{why} Nothing was changed. Leave {name} out.")


def is_teammate(person: Person, rental: Rental, rules: Rules) -> bool:
    """Return whether a rental's owner let a person in who may still be let in now."""
    return person.id in rental.teammates and may_be_let_in(person, rules)


# --- a rental of `owner`


def is_owner(person_id: str, owner: str) -> bool:
    """Return whether a person owns a rental or a quote.

    Only its owner sees a quote, rents from it and asks for it again; accepts what needs no approver; replaces a
    machine or a request that waits; lets others in; and gives the rental away. Private messages show only the
    owner the buttons that act on a rental, but a teammate gets Extend. Approvers and admins, who may act too, type
    commands.
    """
    return person_id == owner


def may_look(person: Person, owner: str, rules: Rules) -> bool:
    """Return whether a person may see a rental, without its money: its owner and every user."""
    return person.id == owner or may_use(person, rules)


def sees_money(person: Person, owner: str, rules: Rules) -> bool:
    """Return whether a person may see what a rental costs: its owner, approvers and admins."""
    return person.id == owner or is_approver_or_admin(person, rules)


def sees_use(person: Person, rental: Rental, rules: Rules) -> bool:
    """Return whether a person may see the values, connections and history of a rental's use, which are a record of
    somebody's work: its owner, its teammates and admins. All others see the verdict and since when it holds.
    """
    return may_see_ssh_command(person, rental, rules) or is_admin(person, rules)


def may_see_ssh_command(person: Person, rental: Rental, rules: Rules) -> bool:
    """Return whether a person may see the SSH command of a rental: its owner and its teammates."""
    return person.id == rental.owner or is_teammate(person, rental, rules)


def may_read_direct_message(person: Person, rental: Rental, rules: Rules) -> bool:
    """Return whether a person still gets direct messages about a rental: its owner, its teammates, and admins, who
    also read that a deletion is not confirmed.
    """
    return may_see_ssh_command(person, rental, rules) or person.id in rules.admins


def may_extend(person: Person, rental: Rental, rules: Rules) -> bool:
    """Return whether a person may keep or extend a rental: its owner, its teammates and admins."""
    return may_see_ssh_command(person, rental, rules) or is_admin(person, rules)


def decides_at_once(person: Person) -> bool:
    """Return whether a person's own extension needs no approver: the operator's, who decides like one and gives a
    reason. In Slack an approver's extension over the limits is asked for, so that the others see it first.
    """
    return person.id == OPERATOR.id


def may_withdraw(person: Person, owner: str, rules: Rules) -> bool:
    """Return whether a person may withdraw a request or an extension that waits: its owner and admins."""
    return person.id == owner or is_admin(person, rules)


def may_destroy(person: Person, owner: str, rules: Rules) -> bool:
    """Return whether a person may destroy a rental: its owner unless they left, approvers and admins."""
    return is_approver_or_admin(person, rules) or (person.id == owner and not person.deactivated)
