"""Requests for the terms of API tokens that wait for approvers."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, NamedTuple

from bot.lifecycle.changes.token_changes import save, send_of_token
from bot.lifecycle.deps import Deps
from bot.lifecycle.people.deciders import Deciders, deciders
from bot.model.base import changed
from bot.model.event import EventKind
from bot.model.token import RequestedTerms, Token
from bot.policy.team.asking import Undecided, others_are_due, reminders
from bot.policy.team.hours import after_hours
from store.db import Tx


class _Undecided(NamedTuple):
    token: Token
    requested: RequestedTerms
    asked: Deciders


async def tokens_need_approvers(tx: Tx, deps: Deps) -> bool:
    """Return whether somebody is to be asked or reminded now about the terms of a token."""
    return any([_others_are_due(one, deps) or bool(_to_remind(one, deps)) async for one in _load(tx, deps)])


async def ask_others_about_tokens(tx: Tx, deps: Deps) -> None:
    """Ask the people in `approval.then` about the terms of tokens that they now have to decide."""
    async for one in _load(tx, deps):
        if _others_are_due(one, deps):
            asked = one.asked.asked
            await _send(
                tx,
                deps,
                EventKind.TOKEN_OTHERS_ASKED,
                one.token,
                changed(one.requested, others_asked=True),
                people=tuple(dict.fromkeys((*asked.people, *asked.others))),
                then=asked.others,
                away=asked.away if asked.others_instead else (),
                admins_decide=False,
            )


async def remind_about_tokens(tx: Tx, deps: Deps) -> None:
    """Remind approvers of the terms of tokens that wait for them, each approver once.

    The reminder is the question itself, in a direct message.
    """
    async for one in _load(tx, deps):
        people = _to_remind(one, deps)
        if people:
            requested = changed(one.requested, reminded=(*one.requested.reminded, *people))
            await _send(tx, deps, EventKind.TOKEN_REMINDED, one.token, requested, people=people)


async def count_requests_again(tx: Tx, deps: Deps) -> None:
    """Recalculate when each pending request for terms expires, because an approver has gone away or is back."""
    now, rules = deps.clock.now(), deps.rules
    async for one in _load(tx, deps):
        expires_at = after_hours(one.requested.asked_at, rules.approval.expires, one.asked.hours, rules.hours)
        expires_at = max(expires_at, now)
        if expires_at != one.requested.expires_at:
            requested = changed(one.requested, expires_at=expires_at)
            await save(tx, one.token, changed(one.token, requested=requested))


async def _load(tx: Tx, deps: Deps) -> AsyncIterator[_Undecided]:
    """Yield the tokens whose requested terms wait for approvers, oldest first."""
    for token in await tx.tokens.live():
        if token.requested is not None:
            asked = await deciders(tx, deps.rules, [token.owner], deps.clock.now())
            yield _Undecided(token, token.requested, asked)


def _others_are_due(one: _Undecided, deps: Deps) -> bool:
    undecided, now = _undecided(one), deps.clock.now()
    return bool(one.asked.asked.others) and others_are_due(undecided, one.asked.available, deps.rules, now)


def _to_remind(one: _Undecided, deps: Deps) -> tuple[str, ...]:
    return tuple(reminders([_undecided(one)], one.asked.available, deps.rules, deps.clock.now()))


def _undecided(one: _Undecided) -> Undecided:
    asked = one.asked.asked
    return Undecided(
        rental_id=one.token.id,
        asked_at=one.requested.asked_at,
        asked=() if asked.others_instead else asked.people,
        reminded=frozenset(one.requested.reminded),
        others_asked=one.requested.others_asked,
    )


async def _send(
    tx: Tx, deps: Deps, kind: EventKind, token: Token, requested: RequestedTerms, **facts: Any
) -> None:
    """Store that people were asked about the terms of a token, and ask them."""
    after = await save(tx, token, changed(token, requested=requested))
    await send_of_token(
        tx,
        deps,
        kind,
        after,
        version=requested.version,
        until=requested.expires_at,
        total=requested.terms.total,
        per_hour=requested.terms.per_hour,
        **facts,
    )
