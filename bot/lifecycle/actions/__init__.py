"""What people can do, and what they can look at.

`ACTIONS` is the table of what people can do, as `EFFECTS` in bot/model/event.py is the table of what can happen.
Each row is a class of one of the modules below. Its fields are the value that a caller names, and
bot/lifecycle/actions/action.py describes the rest: `load`, `plan`, `confirms` and `do`. Slack's buttons, dialogs
and words, and the operator's socket, call an action with `action.carry_out`.

The functions of these modules show something, or have not become actions yet. Each takes the person and checks at
that moment whether they may do or see that, and raises the errors of bot/errors.py, which have words for people.

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
keys              look at one's SSH keys, add and remove them
github_keys       take one's SSH keys from GitHub
away              an approver says that they are away, or back
account           pause and resume buying
policy            show the team's rules, and read them again from their file
admin_questions   what admins decide about machines that the bot doesn't know, and about owners who left
ownership         an admin gives a rental another owner
own_rentals       which rental a command without an id means
queries           lists, `/gpu show` and the rentals in messages
home              what a person's Home tab shows
spend             what was spent
month_files       the file of a month's charges, with what the person may read
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from bot.lifecycle.actions.action import Action
from bot.lifecycle.actions.deciding import Approve, Deny, Withdraw
from bot.lifecycle.actions.ending import Destroy, TakeOnAlarm
from bot.lifecycle.actions.giving import AskFor, Give, Take
from bot.lifecycle.actions.leasing import AskOwnerAgain, Extend, Keep, KeepAsItIs, LeaveAlone, VisitNow
from bot.lifecycle.actions.renting import Rent
from bot.lifecycle.actions.replacing import Replace
from bot.lifecycle.actions.waiting import RentDearer, RentWhenFound, StopWaiting, TellMe, WaitAgain, WaitAtAnyTime

ACTIONS: Mapping[str, type[Action[Any, Any, Any]]] = MappingProxyType(
    {
        action.id: action
        for action in (
            Rent,
            RentWhenFound,
            RentDearer,
            TellMe,
            WaitAgain,
            WaitAtAnyTime,
            StopWaiting,
            Approve,
            Deny,
            Withdraw,
            Extend,
            Keep,
            KeepAsItIs,
            VisitNow,
            AskOwnerAgain,
            LeaveAlone,
            Destroy,
            TakeOnAlarm,
            Replace,
            AskFor,
            Give,
            Take,
        )
    }
)
"""Every action, by its id."""
