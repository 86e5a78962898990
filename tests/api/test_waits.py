"""Requests that wait for a change."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

from bot.api.waits import MOST_OF_TOKEN
from bot.lifecycle.actions.action import carry_out
from bot.lifecycle.actions.tokens import StopToken
from bot.model.state import State
from store.db import Database
from tests.api.world import Api, api_of, api_world
from tests.lifecycle.world import ANA


async def waiting(api: Api, rental_id: str, seconds: int = 25) -> asyncio.Task[Any]:
    """Return a request that waits, once the server has begun to wait."""
    before = api.server.waits.count
    task = asyncio.create_task(api.ask("GET", f"rentals/{rental_id}?wait={seconds}"))
    for _ in range(100_000):
        if api.server.waits.count > before:
            return task
        await asyncio.sleep(0)
    raise AssertionError("the request didn't wait")


async def test_a_wait_ends_as_soon_as_the_state_changes(api: Api) -> None:
    await api.token()
    rental_id = (await api.rent()).json()["id"]
    task = await waiting(api, rental_id)
    await api.world.settle()
    async with asyncio.timeout(20):
        assert (await task).json()["state"] in {"buying", "starting"}


async def test_a_wait_without_a_change_ends_after_its_time(api: Api) -> None:
    await api.token()
    rental = await api.rented()
    async with asyncio.timeout(20):
        answer = await api.ask("GET", f"rentals/{rental.id}?wait=1")
    assert answer.json()["state"] == "ready"


async def test_no_wait_for_a_rental_that_has_left_the_known_state(api: Api) -> None:
    """The machine became ready between two requests. Without `state`, the second one would wait for its end."""
    await api.token()
    rental = await api.rented()
    async with asyncio.timeout(10):
        answer = await api.ask("GET", f"rentals/{rental.id}?wait=25&state=starting")
    assert answer.json()["state"] == "ready"
    task = asyncio.create_task(api.ask("GET", f"rentals/{rental.id}?wait=1&state=ready"))
    assert (await task).json()["state"] == "ready"
    assert (await api.ask("GET", f"rentals/{rental.id}?wait=1&state=gone")).status_code == 422


async def test_no_wait_for_a_rental_that_is_over(api: Api) -> None:
    await api.token()
    rental = await api.rented()
    await api.ask("DELETE", f"rentals/{rental.id}?now=true")
    await api.world.until(rental, State.DESTROYED)
    async with asyncio.timeout(20):
        assert (await api.ask("GET", f"rentals/{rental.id}?wait=25")).json()["state"] == "ended"


async def test_the_fifth_wait_of_a_token_is_answered_at_once(api: Api) -> None:
    await api.token()
    rental = await api.rented()
    tasks = [await waiting(api, rental.id) for _ in range(MOST_OF_TOKEN)]
    async with asyncio.timeout(20):
        assert (await api.ask("GET", f"rentals/{rental.id}?wait=25")).json()["state"] == "ready"
    assert not any(task.done() for task in tasks)
    await api.ask("DELETE", f"rentals/{rental.id}?now=true")
    async with asyncio.timeout(20):
        assert [(await task).json()["state"] for task in tasks] == ["ending"] * MOST_OF_TOKEN
    assert api.server.waits.count == 0


async def test_a_token_that_is_stopped_during_a_wait_gets_no_answer(api: Api) -> None:
    await api.token()
    rental = await api.rented()
    task = await waiting(api, rental.id)
    await carry_out(api.world.deps, ANA, StopToken("token1", graceful_destroy=False))
    async with asyncio.timeout(20):
        assert (await task).status_code == 401


async def test_a_wait_sees_the_commits_of_another_replica(postgres_url: str) -> None:
    """The machine is bought by one process, and the request waits in another one."""
    async with api_world(postgres_url) as buying:
        here = buying.world
        store = await Database.open(postgres_url, claimant="other", clock=here.clock)
        try:
            await buying.token()
            rental_id = (await buying.rent()).json()["id"]
            async with api_of(here, deps=replace(here.deps, store=store)) as other:
                other.secret = buying.secret
                task = await waiting(other, rental_id)
                await here.settle()
                async with asyncio.timeout(20):
                    assert (await task).json()["state"] in {"buying", "starting"}
        finally:
            await store.close()
