"""A program rents over the REST API of the real process, which is killed in between."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from decimal import Decimal
from typing import Any

import httpx

from bot.clock import SystemClock
from bot.model.money import micros
from bot.model.person import Person
from bot.model.token import Access, Token, TokenState, TokenTerms
from bot.policy.access.token_secret import hash_of, new_secret
from demo.play import Missed, next_due, time_of
from demo.processes import free_port
from store.db import Database
from tests.journeys.checks import check_consistency
from tests.journeys.world import NOON, PEOPLE, World

REQUEST = {"gpu": "H100", "region": "EU", "lease": "1h"}


async def make_token(world: World) -> str:
    """Write a live token of Ana's into the database of a bot that isn't running. Return the secret."""
    secret = new_secret()
    terms = TokenTerms(
        access=Access.RENT,
        models=("H100",),
        per_hour=Decimal(5),
        total=micros(Decimal(40)),
        at_once=2,
        per_day=6,
        longest=timedelta(hours=4),
        until=NOON + timedelta(days=7),
    )
    token = Token(
        id="token1",
        owner=PEOPLE["Ana"],
        name="nightly eval",
        state=TokenState.LIVE,
        terms=terms,
        secret_hash=hash_of(secret),
        created_at=NOON,
        due_at=terms.until,
    )
    store = await Database.open(world.settings["GPUBOT_DATABASE_URL"], claimant="test", clock=SystemClock())
    async with store.write() as tx:
        await tx.people.put(Person(id=PEOPLE["Ana"], name="Ana"), NOON)
        await tx.tokens.add(token)
    await store.close()
    return secret


async def until_state(world: World, http: httpx.AsyncClient, rental_id: str, *states: str) -> dict[str, Any]:
    """Let time pass until the rental is in one of these states. Return the answer about it."""
    for _ in range(200):
        health = await world.play.settle()
        answer: dict[str, Any] = (await http.get(f"/v1/rentals/{rental_id}")).json()
        if answer["state"] in states:
            return answer
        now = time_of(health)
        await world.sandbox.jump_to(next_due(health, now, otherwise=now))
    raise Missed(f"The rental was never {states}: {answer}")


async def test_one_key_is_one_machine_despite_kills(stopped_world: World) -> None:
    """The bot is killed right after the answer, during the purchase, and right after the release.

    The machine's default key comes with the request. At the end, a request that waits is answered by the stop.
    """
    world, address = stopped_world, f"127.0.0.1:{free_port()}"
    secret = await make_token(world)
    await world.start(GPUBOT_API=address)
    headers = {"Authorization": f"Bearer {secret}"}
    body = {**REQUEST, "ssh_public_key": world.laptop.public_key}
    async with httpx.AsyncClient(
        base_url=f"http://{address}", headers=headers, trust_env=False, timeout=60
    ) as http:

        async def rent() -> str:
            response = await http.post("/v1/rentals", json=body, headers={"Idempotency-Key": "run-812"})
            assert response.status_code == 202, response.text
            return str(response.json()["id"])

        held = await world.hold("procure_offer", "after")
        rental_id = await rent()
        await held.met()
        await world.kill()
        await held.dropped()
        await world.restart()
        assert await rent() == rental_id
        ready = await until_state(world, http, rental_id, "ready")
        assert ready["ssh"]["command"].startswith("ssh ")
        waiting = asyncio.create_task(http.get(f"/v1/rentals/{rental_id}?wait=25"))
        assert (await http.delete(f"/v1/rentals/{rental_id}?now=true")).json()["state"] == "ending"
        await world.kill()
        await asyncio.gather(waiting, return_exceptions=True)
        await world.restart()
        assert (await http.delete(f"/v1/rentals/{rental_id}")).status_code == 200
        ended = await until_state(world, http, rental_id, "ended")
        assert Decimal(ended["money"]["spent"]) > 0
        assert await rent() == rental_id

        other = await http.post("/v1/rentals", json=REQUEST, headers={"Idempotency-Key": "run-813"})
        assert other.json()["detail"].startswith("Ana has no SSH key, so nobody could log in."), other.text
    assert secret not in world.log.read_text(encoding="utf-8")
    await check_consistency(world, bought=["hyperstack"])
