"""Who may do what."""

from __future__ import annotations

from bot.model.base import Frozen
from bot.model.person import Person
from bot.policy.rules import Rules


class Roles(Frozen):
    """What the rules make of one person, now."""

    user: bool
    """May ask, rent and look."""
    approver: bool
    admin: bool
    sole_admin: bool
    """The only admin, with no other approvers: may approve their own."""


def roles_of(person: Person, rules: Rules) -> Roles:
    """The roles of a person. Outsiders, bots and people who left have none, whatever the rules name."""
    if person.outsider or person.deactivated or person.bot:
        return Roles(user=False, approver=False, admin=False, sole_admin=False)
    admin = person.id in rules.admins
    named = bool(rules.approvers.people or rules.approvers.groups)
    approver = (
        person.id in rules.approvers.people or bool(person.groups & set(rules.approvers.groups))
        if named
        else admin
    )
    member = rules.use.guests or not person.guest
    in_group = not rules.use.groups or bool(person.groups & set(rules.use.groups))
    others = (set(rules.admins) | set(rules.approvers.people)) - {person.id}
    return Roles(
        user=member and (in_group or admin or approver),
        approver=approver,
        admin=admin,
        sole_admin=admin and not rules.approvers.groups and not others,
    )


def sees_others_money(person: Person, rules: Rules) -> bool:
    """Return whether a person may see what others spend: approvers and admins."""
    roles = roles_of(person, rules)
    return roles.approver or roles.admin


def sees_money(person: Person, owner: str, rules: Rules) -> bool:
    """Return whether a person may see what a rental of `owner` costs."""
    return person.id == owner or sees_others_money(person, rules)


def may_look(person: Person, owner: str, rules: Rules) -> bool:
    """Return whether a person may see a rental of `owner`, its money apart: their own, and everyone's for who may
    use the bot."""
    return person.id == owner or roles_of(person, rules).user


def may_use_in(channel: str, *, direct: bool, rules: Rules) -> bool:
    """Whether the bot may be used in a channel; a direct message always may."""
    return direct or not rules.use.channels or channel in rules.use.channels
