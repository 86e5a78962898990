"""Changes of tokens, with the events and messages that they cause. A token changes only in this way."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from bot.lifecycle.changes.send import send
from bot.lifecycle.deps import Deps
from bot.model.base import changed
from bot.model.event import Event, EventKind
from bot.model.facts import TokenFacts
from bot.model.token import DecidedTerms, Token, TokenEnd, TokenState
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

    The owner gets no message if the event happened because they left the workspace.

    Args:
        by: The person who caused the event. None for the bot.
        **facts: Further fields of `TokenFacts`.
    """
    about = TokenFacts(token_id=token.id, name=token.name, owner=token.owner, **facts)
    event = Event(rental_id=None, kind=kind, at=deps.clock.now(), actor=by, facts=about)
    has_left = about.why is TokenEnd.OWNER_LEFT
    await send(tx, deps, event, None if has_left else token.owner, token_id=token.id)


def without_request(token: Token, now: datetime, *, by: str | None = None, reason: str = "") -> Token:
    """Return a token without its pending request for terms.

    Args:
        token: The token. If no request is pending, it is returned unchanged.
        now: The time.
        by: The approver who denied the request. None if the request expired, or if its owner withdrew it.
        reason: The reason that the approver gave.
    """
    if token.requested is None:
        return token
    decided = DecidedTerms(version=token.requested.version, approved=False, by=by, at=now, reason=reason)
    return changed(token, requested=None, decided=decided)


def ended(token: Token, state: TokenState, now: datetime, *, by: str | None = None) -> Token:
    """Return a token after its end. `by` is the person who ended it. None if nobody did."""
    return changed(without_request(token, now), state=state, over_at=now, over_by=by)
