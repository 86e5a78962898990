"""What people can do, and what they can look at.

`ACTIONS` is the table of what people can do, as `EFFECTS` in bot/model/event.py is the table of what can happen.
Each row is a class of one of the modules below. Its fields are the value that a caller names, and
bot/lifecycle/actions/action.py describes the rest: `load`, `plan`, `confirms` and `do`. Slack's buttons, dialogs
and words, and the operator's socket, call an action with `action.carry_out`.

The functions of these modules show something. Each takes the person and checks at that moment whether they may see
it. Functions and actions raise the errors of bot/errors.py, which have words for people.

action            what an action is, and how it is planned and carried out
quoting           ask for offers, and the price of what a form has chosen
offers            what a search found
renting           rent an offer, change a request that waits; the offer that was clicked before there was a key
waiting           wait for an offer or a start time, and stop waiting
replacing         rent another machine in the place of one that was lost or doesn't work
deciding          approve, deny, accept, withdraw
leasing           keep, extend, and what else owners say and approvers decide about a machine that is in use
ending            destroy, take on an alarm
giving            ask for an idle machine of somebody else, give one to somebody, take it
sharing           let teammates into a rental
keys              look at one's SSH keys, add and remove them, take them from GitHub
away              an approver says that they are away, or back
account           pause and resume buying; show the team's rules, and read them again from their file
admin_questions   what admins decide about machines that the bot doesn't know and about owners who left; an admin
                  gives a rental another owner
queries           lists, `/gpu show`, the rentals in messages, and which rental a command without an id means
home              what a person's Home tab shows
spend             what was spent; the file of a month's charges
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from bot.lifecycle.actions import (
    account,
    admin_questions,
    away,
    deciding,
    ending,
    giving,
    keys,
    leasing,
    quoting,
    renting,
    replacing,
    sharing,
    waiting,
)
from bot.lifecycle.actions.action import Action

_MODULES = (
    *(account, admin_questions, away, deciding, ending, giving, keys, leasing),
    *(quoting, renting, replacing, sharing, waiting),
)
ACTIONS: Mapping[str, type[Action[Any, Any, Any]]] = MappingProxyType(
    {
        action.id: action
        for module in _MODULES
        for action in vars(module).values()
        if isinstance(action, type) and issubclass(action, Action) and action.id
    }
)
"""Every action, by its id."""
