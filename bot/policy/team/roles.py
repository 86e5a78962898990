"""The roles of people, and the permissions that follow from them."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from pydantic import Field

from bot.errors import Mistake, NoTeammate, Refused
from bot.model.base import Frozen, changed
from bot.model.person import OPERATOR, Person
from bot.model.rental import Rental
from bot.policy.team.rules import Approvers, Rules

MOST_TEAMMATES = 20
"""The maximum number of teammates of a rental. The bot looks up each in Slack while the owner waits."""


class Roles(Frozen):
    """The roles that the rules currently give a person."""

    user: bool = False
    """True if they can search for offers, rent, and look at rentals."""
    approver: bool = False
    admin: bool = False
    finance: bool = False
    """True if they can see everybody's spending, even if they aren't users."""
    sole_admin: bool = False
    """True if they are the only admin and nobody else can approve. They can then approve their own requests."""


def are_named(approvers: Approvers) -> bool:
    """Return whether the rules name at least one person or group as an approver."""
    return bool(approvers.people or approvers.groups)


def approvers_of(rules: Rules) -> Approvers:
    """Return the people and groups who can approve or deny requests.

    These are the approvers that the rules name, or the admins if the rules name no approvers. In both cases, the
    quiet approvers are included. Quiet approvers can approve or deny requests, but are never asked to.
    """
    named = rules.approvers
    return named if are_named(named) else Approvers(people=rules.admins, quiet=named.quiet)


def deciding_groups(rules: Rules) -> tuple[str, ...]:
    """Return the user groups whose members can approve or deny requests."""
    return tuple(dict.fromkeys((*rules.approvers.groups, *rules.approval.then_groups)))


class Team(Frozen):
    """The current state of the people and user groups that the rules name."""

    gone: frozenset[str] = frozenset()
    """Slack IDs of people who certainly aren't members of the workspace, for example because they left."""
    members: Mapping[str, frozenset[str]] = Field(default_factory=dict)
    """The last known members of each group.

    A group that was never read is left out, because it isn't known whether it has members.
    """

    def can_decide(self, group: str, without: Collection[str]) -> bool:
        """Return whether a group has a member in the workspace who isn't in `without`.

        True if the members of the group aren't known.
        """
        return group not in self.members or bool(self.members[group] - self.gone - set(without))

    def members_of(self, groups: Collection[str]) -> list[str]:
        """Return the known members of these groups who are still in the workspace."""
        return [one for group in groups for one in sorted(self.members.get(group, frozenset()) - self.gone)]


def named_to_decide(approvers: Approvers, team: Team) -> tuple[str, ...]:
    """Return the approvers and the known members of their groups, without duplicates."""
    return tuple(dict.fromkeys((*approvers.people, *team.members_of(approvers.groups))))


def then_people(rules: Rules, team: Team) -> tuple[str, ...]:
    """Return the people whom the bot also asks if the approvers don't decide about a request in time.

    These are the people of the policy key `approval.then` and the known members of its groups, without duplicates.
    People who left the workspace are left out.
    """
    groups = rules.approval.then_groups
    people = [one for one in rules.approval.then if one not in groups and one not in team.gone]
    return tuple(dict.fromkeys((*people, *team.members_of(groups))))


def rules_for(rules: Rules, team: Team, requesters: Collection[str] = ()) -> Rules:
    """Return the rules with only those admins and approvers who are still in the workspace.

    If the bot can't ask any approver about a request of these `requesters`, the admins become the approvers. Quiet
    approvers are ignored here, because they are never asked.
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
    """Return whether a person is a current member of the bot's workspace, and neither an outsider nor a bot."""
    return not (person.outsider or person.deactivated or person.bot)


def roles_of(person: Person, rules: Rules) -> Roles:
    """Return the roles of a person.

    People who aren't members of the workspace have no roles, even if the rules name them. The operator, who types
    commands on the bot's machine, has the roles of an approver and an admin.
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
    """Return whether a person can search for offers, rent, and look at rentals."""
    return roles_of(person, rules).user


def check_user(person: Person, rules: Rules) -> None:
    """Refuse people who aren't allowed to use the bot. Raises Refused."""
    if not may_use(person, rules):
        raise Refused("Your team's rules don't let you rent here. An admin can change that.")


def may_use_in(channel: str, *, direct: bool, rules: Rules) -> bool:
    """Return whether the bot can be used in a channel. Direct messages are always allowed."""
    return direct or not rules.use.channels or channel in rules.use.channels


def is_admin(person: Person, rules: Rules) -> bool:
    """Return whether a person is an admin.

    Admins pause and resume buying, reload the policy file, and decide about unmanaged machines and the owners of
    rentals.
    """
    return roles_of(person, rules).admin


def is_approver_or_admin(person: Person, rules: Rules) -> bool:
    """Return whether a person is an approver or an admin.

    Approvers and admins see the machines that weren't rented through the bot. They also see everybody's costs,
    split by the usage status of the machines. Other people only see this split for their own costs and for each
    project. Approvers and admins also decide what to do if an owner doesn't answer.
    """
    roles = roles_of(person, rules)
    return roles.approver or roles.admin


def may_deny(person: Person, rules: Rules) -> bool:
    """Return whether a person can deny requests, including their own. Approvers can."""
    return roles_of(person, rules).approver


# --- spend


def check_reads_spend(person: Person, rules: Rules) -> None:
    """Refuse people who aren't allowed to see spending. Raises Refused.

    Users of the bot and people in finance are allowed to see it.
    """
    if not roles_of(person, rules).finance:
        check_user(person, rules)


def sees_spend_of_people(person: Person, rules: Rules) -> bool:
    """Return whether a person can see each person's spending. Approvers, admins and finance can.

    Other people only see their own spending, and totals.
    """
    return is_approver_or_admin(person, rules) or roles_of(person, rules).finance


def sees_spend_of(person: Person, other: str, rules: Rules) -> bool:
    """Return whether a person can see what `other` spent.

    Everybody can see their own spending. Approvers, admins and finance can see other people's spending.
    """
    return person.id == other or sees_spend_of_people(person, rules)


# --- teammates


def may_be_let_in(person: Person, rules: Rules) -> bool:
    """Return whether owners can give a person access to their machines.

    The person must be allowed to use the bot, and must not be a guest.
    """
    return may_use(person, rules) and not person.guest


def check_number(people: Collection[str]) -> None:
    """Refuse to share a rental with too many people. Raises Mistake."""
    if len(people) > MOST_TEAMMATES:
        raise Mistake(f"A machine can be shared with at most {MOST_TEAMMATES} people. Nothing was changed.")


def check_teammate(person: Person, rules: Rules) -> None:
    """Refuse a person who can't be given access to a machine. Raises NoTeammate with the reason."""
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
    """Return whether a person is a teammate of the rental and is still allowed to have access."""
    return person.id in rental.teammates and may_be_let_in(person, rules)


# --- a rental of `owner`


def is_owner(person_id: str, owner: str) -> bool:
    """Return whether a person owns a rental or a quote.

    A quote is a request with the offers that were found for it. Only the owner sees the quote, rents from it and
    repeats its search. Only the owner replaces a machine or a waiting request, shares a machine, and gives it to
    somebody else. If a request needs no approver, only the owner can accept it.

    In private messages, only the owner gets the buttons that act on a rental. There is one exception: teammates
    get the Extend button. Approvers and admins can also act on the rental, but only with commands.
    """
    return person_id == owner


def may_look(person: Person, owner: str, rules: Rules) -> bool:
    """Return whether a person can see a rental without its cost.

    Everyone with the role of a user can. The owner can even without this role.
    """
    return person.id == owner or may_use(person, rules)


def sees_money(person: Person, owner: str, rules: Rules) -> bool:
    """Return whether a person can see the cost of a rental. Its owner, approvers and admins can."""
    return person.id == owner or is_approver_or_admin(person, rules)


def sees_use(person: Person, rental: Rental, rules: Rules) -> bool:
    """Return whether a person can see the details of how a rental is used. Its owner, teammates and admins can.

    The details are readings, connections and their history, which are a record of somebody's work. Other people
    only see the usage status and the time since which it applies.
    """
    return may_see_ssh_command(person, rental, rules) or is_admin(person, rules)


def may_see_ssh_command(person: Person, rental: Rental, rules: Rules) -> bool:
    """Return whether a person can see the SSH command of a rental. Its owner and teammates can."""
    return person.id == rental.owner or is_teammate(person, rental, rules)


def may_read_direct_message(person: Person, rental: Rental, rules: Rules) -> bool:
    """Return whether a person can get direct messages about a rental. Its owner, teammates and admins can.

    Admins can, because they are notified of deletions that aren't confirmed.
    """
    return may_see_ssh_command(person, rental, rules) or person.id in rules.admins


def may_extend(person: Person, rental: Rental, rules: Rules) -> bool:
    """Return whether a person can keep or extend a rental. Its owner, teammates and admins can."""
    return may_see_ssh_command(person, rental, rules) or is_admin(person, rules)


def decides_at_once(person: Person) -> bool:
    """Return whether an extension takes effect without an approver, because the operator requested it.

    The operator decides like an approver, and states a reason. An approver who requests an extension in Slack
    can't skip the decision in this way, so that the other approvers see the extension first.
    """
    return person.id == OPERATOR.id


def may_withdraw(person: Person, owner: str, rules: Rules) -> bool:
    """Return whether a person can withdraw a waiting request or extension. Its owner and admins can."""
    return person.id == owner or is_admin(person, rules)


def may_destroy(person: Person, owner: str, rules: Rules) -> bool:
    """Return whether a person can destroy a rental.

    Its owner can, unless they have left the workspace. Approvers and admins also can.
    """
    return is_approver_or_admin(person, rules) or (person.id == owner and not person.deactivated)
