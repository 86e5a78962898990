"""Requests for the terms of API tokens that wait for approvers."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import NamedTuple

from bot.lifecycle.changes.token_changes import save, send_of_token
from bot.lifecycle.deps import Deps
from bot.lifecycle.people.deciders import Deciders, deciders
from bot.model.base import changed
from bot.model.event import EventKind
from bot.model.token import RequestedTerms, Token
from bot.policy.team.asking import Undecided, others_are_due
from bot.policy.team.hours import after_hours
from store.db import Tx


class _Undecided(NamedTuple):
    token: Token
    requested: RequestedTerms
    asked: Deciders


async def others_are_due_for_tokens(tx: Tx, deps: Deps) -> bool:
    """Return whether the people in `approval.then` are to be asked now about the terms of a token."""
    return any([_others_are_due(one, deps) async for one in _load(tx, deps)])


async def ask_others_about_tokens(tx: Tx, deps: Deps) -> None:
    """Ask the people in `approval.then` about the terms of tokens that they now have to decide."""
    async for one in _load(tx, deps):
        if not _others_are_due(one, deps):
            continue
        asked, requested = one.asked.asked, changed(one.requested, others_asked=True)
        token = await save(tx, one.token, changed(one.token, requested=requested))
        await send_of_token(
            tx,
            deps,
            EventKind.TOKEN_OTHERS_ASKED,
            token,
            version=requested.version,
            until=requested.expires_at,
            total=requested.terms.total,
            per_hour=requested.terms.per_hour,
            people=tuple(dict.fromkeys((*asked.people, *asked.others))),
            then=asked.others,
            away=asked.away if asked.others_instead else (),
            admins_decide=False,
        )


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
    asked = one.asked.asked
    undecided = Undecided(
        rental_id="",
        asked_at=one.requested.asked_at,
        asked=() if asked.others_instead else asked.people,
        others_asked=one.requested.others_asked,
    )
    now = deps.clock.now()
    return bool(asked.others) and others_are_due(undecided, one.asked.available, deps.rules, now)
