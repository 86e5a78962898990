"""Ends tokens whose time is over, which no program uses, or whose owner left the workspace."""

from __future__ import annotations

from bot.lifecycle.changes.token_changes import ended, save, send_of_token, without_request
from bot.lifecycle.deps import Deps, transact
from bot.lifecycle.money.token_use import rentals_of
from bot.lifecycle.people.undecided import end_request
from bot.model.event import EventKind
from bot.model.state import UNBOUGHT, State
from bot.model.token import Token, TokenEnd, TokenState
from bot.policy.team.token_terms import end_of
from store.db import Tx


async def expire_tokens(deps: Deps) -> None:
    """End the tokens whose time is over, and drop requests for terms that nobody has decided in time.

    The machines of such a token keep running until their leases end. Its rentals that still wait for an offer or a
    decision are withdrawn. If only a request for other terms expires, the token keeps its present terms.

    Raises StoreBusy if the store doesn't accept the changes.
    """

    async def decision(tx: Tx) -> None:
        for token in await tx.tokens.due(deps.clock.now()):
            await _expire(tx, deps, token)

    async with deps.store.read() as tx:
        due = await tx.tokens.due(deps.clock.now())
    if due:
        await transact(deps, decision)


async def _expire(tx: Tx, deps: Deps, token: Token) -> None:
    now, why, requested = deps.clock.now(), end_of(token, deps.clock.now()), token.requested
    if why is not None:
        after = await save(tx, token, ended(token, TokenState.EXPIRED, now))
        for rental in await rentals_of(tx, token):
            if rental.state in UNBOUGHT:
                await end_request(tx, deps, rental, State.WITHDRAWN)
        await send_of_token(tx, deps, EventKind.TOKEN_EXPIRED, after, why=why, still_works=False)
    elif requested is not None and requested.expires_at <= now:
        after = await save(tx, token, without_request(token, now))
        await send_of_token(
            tx,
            deps,
            EventKind.TOKEN_EXPIRED,
            after,
            version=requested.version,
            why=TokenEnd.UNDECIDED,
            still_works=True,
        )
    else:
        # A program has used the token since its due time was stored, so the token works for longer.
        await save(tx, token, token)


async def stop_tokens_of(tx: Tx, deps: Deps, owner: str) -> None:
    """Stop all tokens of a person who left the workspace.

    The machines aren't touched, because the admins decide about them. The caller must hold the spending lock.
    """
    for token in await tx.tokens.live(owner):
        after = await save(tx, token, ended(token, TokenState.STOPPED, deps.clock.now()))
        await send_of_token(tx, deps, EventKind.TOKEN_STOPPED, after, why=TokenEnd.OWNER_LEFT)
