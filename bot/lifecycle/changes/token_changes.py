"""Changes of tokens, with the events and messages that they cause. A token changes only in this way."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from bot.lifecycle.changes.send import send
from bot.lifecycle.deps import Deps
from bot.model.base import changed
from bot.model.event import Event, EventKind
from bot.model.facts import TokenFacts
from bot.model.token import DecidedTerms, Token, TokenState
from bot.policy.team.token_terms import due_at
from store.db import Tx


async def add(tx: Tx, token: Token) -> Token:
    """Store a new token, and return it. Raises Stale if its name, its ID or its secret is already in use."""
    token = changed(token, due_at=due_at(token))
    await tx.tokens.add(token)
    return token


async def save(tx: Tx, before: Token, after: Token) -> Token:
    """Store a changed token, and return it. Raises Stale if the token has changed since it was read."""
    return await tx.tokens.save(before, changed(after, due_at=due_at(after)))


async def send_of_token(
    tx: Tx, deps: Deps, kind: EventKind, token: Token, *, by: str | None = None, **facts: Any
) -> None:
    """Write an event about a token, with the present time, and send its messages.

    Args:
        by: The person who caused the event. None for the bot.
        **facts: Further fields of `TokenFacts`.
    """
    about = TokenFacts(token_id=token.id, name=token.name, owner=token.owner, **facts)
    event = Event(rental_id=None, kind=kind, at=deps.clock.now(), actor=by, facts=about)
    await send(tx, deps, event, token.owner, token_id=token.id)


def without_request(token: Token, now: datetime, *, by: str | None = None, reason: str = "") -> Token:
    """Return a token without its pending request for terms.

    `by` is the approver who denied the request, for this reason. None if the request expired, or if its owner
    withdrew it.
    """
    if token.requested is None:
        return token
    decided = DecidedTerms(version=token.requested.version, approved=False, by=by, at=now, reason=reason)
    return changed(token, requested=None, decided=decided)


def ended(token: Token, state: TokenState, now: datetime, *, by: str | None = None, reason: str = "") -> Token:
    """Return a token after its end.

    `by` is the person who ended it. None if nobody did. If this person denied the first terms, `reason` is their
    reason.
    """
    denied_by = by if state is TokenState.DENIED else None
    return changed(without_request(token, now, by=denied_by, reason=reason), state=state, over_at=now, over_by=by)
