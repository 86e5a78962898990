"""The actions that people can take, and the queries that show them something.

`ACTIONS` is the table of all actions, just as `EFFECTS` in bot/model/event.py is the table of all events. Each row
is a class from one of the modules below. Its fields are the values that a caller provides;
bot/lifecycle/actions/action.py describes the methods `load`, `plan`, `confirms` and `do`. Slack's buttons, dialogs
and commands, and the operator's socket, all run an action through `action.carry_out`.

The functions in these modules are queries. Each query takes the person who is looking, and checks whether this
person may see the result. Functions and actions raise the errors of bot/errors.py, whose messages are written for
people.

    action            what an action is, and how it is planned and carried out
    quoting           search for offers; estimate prices while a form is filled in
    offers            prepare the results of a search for display
    renting           rent an offer, at once or after its renter has added a key; change a pending request
    waiting           join and leave the waitlist for an offer or a start time
    replacing         rent another machine in place of one that was lost or doesn't work
    deciding          approve a request (or accept one's own), deny it, withdraw it
    leasing           keep or extend a machine; decide about an idle one whose owner doesn't respond
    ending            destroy a rental, acknowledge an alarm
    giving            ask for somebody else's idle machine, offer one to somebody, accept an offered one
    sharing           share a rental with teammates
    keys              list, add and remove one's own SSH keys, or import them from GitHub
    programs          rent, extend and release machines with a token, and note heartbeats
    program_queries   rentals and offers, as programs see them
    away              approvers who are away, or back
    logins            begin a program's login, and claim it with the code that the program shows
    callers           find the token with which a program or a Slack app asks for something
    tokens            make, change and stop API tokens; decide about their terms
    account           pause and resume buying; show the team's rules, and reload them from their file
    admin_questions   decide about unmanaged machines, and rentals whose owner has left; transfer a rental
    queries           read rentals for lists, `/gpu show`, messages, and commands without a rental ID
    home              the contents of a person's Home tab
    spend             spending reports; the file of a month's charges
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
    programs,
    quoting,
    renting,
    replacing,
    sharing,
    tokens,
    waiting,
)
from bot.lifecycle.actions.action import Action

_MODULES = (
    *(account, admin_questions, away, deciding, ending, giving, keys, leasing),
    *(programs, quoting, renting, replacing, sharing, tokens, waiting),
)
ACTIONS: Mapping[str, type[Action[Any, Any, Any]]] = MappingProxyType(
    {
        action.id: action
        for module in _MODULES
        for action in vars(module).values()
        if isinstance(action, type) and issubclass(action, Action) and action.id
    }
)
"""All actions, by ID."""
