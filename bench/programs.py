"""Sends the requests of programs to the bot's REST API."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from decimal import Decimal
from http import HTTPStatus

import aiohttp

from bench.people import invite
from bench.rentals import FINGERPRINT, KEY, clock_of, database
from bench.sizes import Size
from bench.timing import seconds, wait
from bench.worlds import BOT, World, running
from bot.model.money import micros
from bot.model.person import Key, Person
from bot.model.token import Access, Token, TokenState, TokenTerms
from bot.policy.access.token_secret import hash_of, new_secret
from demo.processes import NotRunning, free_port

REQUEST = {"gpu": "H100", "region": "EU", "lease": "4h", "max_total": "0.50"}
"""A request that no offer matches, so that nothing is bought while requests are measured."""
READY_WITHIN, ASK_EVERY = 30.0, 0.1
"""The maximum time in seconds (wall clock) to wait for the bot, and the time between two checks."""


@asynccontextmanager
async def renting_programs(world: World, size: Size) -> AsyncIterator[Callable[[int], Awaitable[float]]]:
    """Run the bot with its REST API, and yield the action that asks for a machine.

    The action returns the milliseconds until the answer. Each one uses another person's token.
    """
    users, channel = await invite(world, size.people)
    tokens = await _make_tokens(world, users)
    address = f"127.0.0.1:{free_port()}"
    async with (
        running(world, BOT, {**world.settings(channel), "GPUBOT_API": address}),
        aiohttp.ClientSession() as session,
    ):

        async def rent(number: int) -> float:
            headers = {
                "Authorization": f"Bearer {tokens[number % len(tokens)]}",
                "Idempotency-Key": f"run-{number}",
            }
            began = seconds()
            async with session.post(f"http://{address}/v1/rentals", json=REQUEST, headers=headers) as answer:
                text = await answer.text()
            if answer.status != 202:
                raise NotRunning(f"A request was refused: {text}.")
            return (seconds() - began) * 1000

        await _until_ready(session, address, tokens[0])
        yield rent


async def _until_ready(session: aiohttp.ClientSession, address: str, token: str) -> None:
    """Wait until the bot has read Compute Clear's catalogue, without which it answers no request for a machine."""
    query, headers = {"gpu": "H100", "lease": "4h"}, {"Authorization": f"Bearer {token}"}
    async with asyncio.timeout(READY_WITHIN):
        while True:
            async with session.get(f"http://{address}/v1/quote", params=query, headers=headers) as answer:
                if answer.status != HTTPStatus.SERVICE_UNAVAILABLE:
                    return
            await wait(ASK_EVERY)


async def _make_tokens(world: World, users: Sequence[str]) -> list[str]:
    """Write one token for each person, and return their secrets."""
    clock = await clock_of(world)
    made = [new_secret() for _ in users]
    async with database(world, clock) as store, store.write() as tx:
        now = clock.now()
        until = now + timedelta(days=14)
        terms = TokenTerms(
            access=Access.RENT,
            models=("H100",),
            per_hour=Decimal(5),
            total=micros(Decimal(50)),
            at_once=2,
            per_day=100,
            longest=timedelta(hours=4),
            until=until,
        )
        for number, (user, secret) in enumerate(zip(users, made, strict=True)):
            await tx.people.put(Person(id=user, name=f"Person {number}"), clock.real())
            await tx.people.add_key(user, Key(line=KEY, comment="bench", fingerprint=FINGERPRINT))
            token = Token(
                id=f"t{number}",
                owner=user,
                name="bench",
                state=TokenState.LIVE,
                terms=terms,
                secret_hash=hash_of(secret),
                created_at=now,
                last_used_at=now + timedelta(minutes=5),  # like a busy token, whose use isn't stored each time
                due_at=until,
            )
            await tx.tokens.add(token)
    return made
