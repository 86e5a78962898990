"""A process dies at each commit in the life of a program's rental, and another process takes over.

A process "dies" by refusing every commit from then on. What it has called in the outside world stays done. The
other process works on the same database with claims of its own. The program repeats its requests, as a client does
that got no answer.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from bot.errors import InvalidToken, TooLate
from bot.lifecycle.actions.action import carry_out
from bot.lifecycle.actions.callers import caller_of
from bot.lifecycle.actions.logins import begin_login, login_for, login_of_code
from bot.lifecycle.actions.programs import ReleaseForProgram
from bot.lifecycle.actions.tokens import MakeToken, StopToken, tokens_of
from bot.lifecycle.deps import Deps
from bot.model.api import LoginRequest
from bot.model.login import Login
from bot.model.state import State
from bot.model.token import Access, BeyondTerms, TokenState, TokenTerms
from bot.sealed_secret import new_key, open_sealed, public_text
from store.tables import quotes, rentals, shared_searches
from tests.databases import beside, fresh_postgres, fresh_sqlite
from tests.lifecycle.checks import check
from tests.lifecycle.programs import TOKEN, add_token, ask
from tests.lifecycle.world import ANA, World, world
from tests.sandbox.compute_world import NOON

MOST_COMMITS = 400


class Killed(BaseException):
    """The process is dead."""


def kill(here: World, at: int, *, before: bool) -> None:
    """Let the process die at its commit number `at`, either just before this commit or just after it."""
    commit, jump, commits = here.database._commit, here.jump, 0

    async def counted(*given: Any) -> None:
        nonlocal commits
        commits += 1
        if commits > at or (commits == at and before):
            raise Killed
        await commit(*given)
        if commits == at:
            raise Killed

    def stopped(span: timedelta) -> None:
        if commits >= at:
            raise Killed
        jump(span)

    here.database._commit = counted  # type: ignore[assignment, method-assign]
    here.jump = stopped  # type: ignore[method-assign]


async def take_over(here: World) -> None:
    """Let another process continue once the claims of the dead one have expired."""
    # Both processes share the market's client, which stores something after its first answer.
    del here.database._commit, here.jump
    async with here.database.engines.writer.begin() as conn:
        for table in (quotes, shared_searches, rentals):
            await conn.execute(update(table).values(claimed_by=None, claimed_until=None))
    here.restart(replace(here.deps, store=beside(here.database)))


OVER = (State.DESTROYED, State.CANCELLED, State.WITHDRAWN)


async def released(here: World) -> None:
    """Ask for a machine, approve the request, wait for the machine, and release it. Each part can be repeated."""
    rental = await ask(here.deps)
    if (await here.until(rental, State.AWAITING_APPROVAL, State.READY, *OVER)).state is State.AWAITING_APPROVAL:
        await here.approve(rental)
    await here.until(rental, State.READY, *OVER)
    await carry_out(here.deps, ANA, ReleaseForProgram(TOKEN, rental.id, now=True))
    await here.until(rental, *OVER)


async def stopped(here: World) -> None:
    """Ask for a machine, let it be approved, and stop the token during the purchase. Each part can be repeated."""
    with suppress(InvalidToken, TooLate):
        rental = await ask(here.deps)
        waits = await here.until(rental, State.AWAITING_APPROVAL, State.PROVISIONING, *OVER)
        if waits.state is State.AWAITING_APPROVAL:
            await here.approve(rental)
        await carry_out(here.deps, ANA, StopToken(TOKEN, graceful_destroy=False))
    for one in await here.rentals():
        await here.until(one, *OVER)


WHERE = pytest.mark.parametrize(
    ("before", "database"), [(True, "sqlite"), (False, "sqlite"), (True, "postgresql")], ids=str
)
"""True if the process dies just before a commit, False if just after it; and the database."""


async def fresh(request: pytest.FixtureRequest, database: str, file: Path) -> str:
    """Return the URL of a new database."""
    if database == "sqlite":
        return await fresh_sqlite(file)
    return await fresh_postgres(request.getfixturevalue("postgres"))


@pytest.mark.parametrize("part", [released, stopped])
@WHERE
async def test_a_key_rents_one_machine_wherever_a_process_dies(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    part: Callable[[World], Awaitable[None]],
    before: bool,
    database: str,
) -> None:
    """Nothing of the key is bought twice, the bill equals the ledger, and nothing of a stopped token is left."""
    at, died = 0, True
    while died:
        at += 1
        assert at < MOST_COMMITS
        async with world(await fresh(request, database, tmp_path / f"{at}.db")) as here:
            await add_token(here, beyond=BeyondTerms.ASK, per_hour=Decimal(1))
            kill(here, at, before=before)
            try:
                await part(here)
                died = False
            except Killed:
                await take_over(here)
                await part(here)
                await here.settle()
            (rental,) = await here.rentals()
            assert rental.idempotency_key == "run-1"
            assert len(await here.bought()) <= 1
            assert await here.alive() == []
            assert sum(row.amount for row in await here.ledger(rental)) == await here.bill()
            async with here.database.read() as tx:
                token = await tx.tokens.get(TOKEN)
            assert token is not None
            assert (token.state is TokenState.STOPPED) == (part is stopped)
            await check(here)
    assert at > 25


class LogIn:
    """A program that logs in, and the person who makes its token. Both repeat a request that got no answer."""

    def __init__(self) -> None:
        self.key = new_key()
        self.terms = TokenTerms(access=Access.LOOK, until=NOON + timedelta(days=14))
        self.begun: Login | None = None
        self.form: Login | None = None

    async def run(self, deps: Deps) -> None:
        if self.begun is None:
            request = LoginRequest(public_key=public_text(self.key), program="gpubot", host="build-7")
            self.begun = await begin_login(deps, request, "203.0.113.9")
        self.form = form = self.form or await login_of_code(deps, ANA, self.begun.code)
        assert form.token_id is not None
        await carry_out(deps, ANA, MakeToken("nightly eval", self.terms, form.token_id, form.id))
        sealed = (await login_for(deps, form.id)).login.secret
        assert sealed is not None
        await caller_of(deps, open_sealed(sealed, self.key, form.id))


@WHERE
async def test_a_login_ends_with_one_token_that_works_wherever_a_process_dies(
    request: pytest.FixtureRequest, tmp_path: Path, before: bool, database: str
) -> None:
    at, died = 0, True
    while died:
        at, log_in = at + 1, LogIn()
        async with world(await fresh(request, database, tmp_path / f"{at}.db")) as here:
            kill(here, at, before=before)
            try:
                await log_in.run(here.deps)
                died = False
            except Killed:
                await take_over(here)
                await log_in.run(here.deps)
            assert len(await tokens_of(here.deps, ANA)) == 1
            await check(here)
    assert at == 5, "there are four commits at which it dies"
