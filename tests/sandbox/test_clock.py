"""The sandbox's clock runs, jumps, stops, wakes sleeping tasks, and never goes back."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from aiohttp import web

from sandbox.clock import SandboxClock
from sandbox.clock_routes import add_clock_routes
from sandbox.serving import serve

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


def test_a_clock_at_speed_0_moves_only_by_jumps() -> None:
    clock = SandboxClock(NOON, speed=0)
    assert clock.now() == NOON
    clock.jump(90.5)
    assert clock.now() == NOON + timedelta(seconds=90.5)
    clock.jump_to(NOON + timedelta(hours=2))
    assert clock.now() == NOON + timedelta(hours=2)
    assert clock.revision == 2


def test_a_running_clock_never_goes_back_whatever_its_speed() -> None:
    clock = SandboxClock(NOON, speed=1000)
    seen = [clock.now()]
    for speed in (0, 3.7, 100_000, 0.001, 1):
        clock.change(speed=speed)
        seen.extend(clock.now() for _ in range(100))
    assert seen == sorted(seen)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"jump": -1.0}, "0 or more"),
        ({"jump": float("nan")}, "0 or more"),
        ({"jump": 1e15}, "calendar"),
        ({"to": NOON - timedelta(microseconds=1)}, "never goes back"),
        ({"to": datetime.fromisoformat("2027-01-01T00:00:00")}, "zone"),
        ({"speed": -0.1}, "speed"),
        ({"speed": float("inf")}, "speed"),
        ({"jump": 1.0, "to": NOON + timedelta(days=1)}, "not both"),
    ],
)
def test_an_invalid_change_is_refused_and_changes_nothing(change: dict[str, Any], message: str) -> None:
    clock = SandboxClock(NOON, speed=0)
    with pytest.raises(ValueError, match=message):
        clock.change(**change)
    assert (clock.now(), clock.revision, clock.speed) == (NOON, 0, 0)


async def test_a_jump_past_its_wake_up_time_wakes_a_sleeping_task() -> None:
    clock = SandboxClock(NOON, speed=0)
    sleeper = asyncio.create_task(clock.sleep_until(NOON + timedelta(minutes=10)))
    for _ in range(3):
        await asyncio.sleep(0)
    clock.jump(599)
    for _ in range(3):
        await asyncio.sleep(0)
    assert not sleeper.done()
    clock.jump(1)
    await sleeper


async def test_a_running_clock_wakes_a_sleeping_task() -> None:
    clock = SandboxClock(NOON, speed=1_000_000)
    await clock.sleep_until(NOON + timedelta(minutes=10))
    assert clock.now() >= NOON + timedelta(minutes=10)


async def test_a_task_sleeping_on_a_stopped_clock_wakes_when_it_runs_again() -> None:
    clock = SandboxClock(NOON, speed=0)
    sleeper = asyncio.create_task(clock.sleep_until(NOON + timedelta(minutes=10)))
    await asyncio.sleep(0)
    clock.change(speed=1_000_000)
    await sleeper


async def test_the_clock_can_be_read_moved_and_followed_over_http() -> None:
    clock = SandboxClock(NOON, speed=0)
    app = web.Application()
    add_clock_routes(app.router, clock)
    served = await serve(app)
    url = f"{served.url}/_control/clock"
    try:
        async with httpx.AsyncClient() as client:
            assert (await client.get(url)).json() == {
                "now": "2026-11-24T12:00:00.000000Z",
                "speed": 0.0,
                "revision": 0,
            }
            follower = asyncio.create_task(client.get(url, params={"after": 0}, timeout=30))
            jumped = (await client.post(url, json={"jump": 1.5})).json()
            assert jumped == {"now": "2026-11-24T12:00:01.500000Z", "speed": 0.0, "revision": 1}
            assert (await follower).json() == jumped
            moved = (await client.post(url, json={"to": "2026-11-24T14:00:00+01:00", "speed": 2})).json()
            assert (moved["revision"], moved["speed"]) == (2, 2.0)
            assert moved["now"].startswith("2026-11-24T13:00:0")
            back = await client.post(url, json={"to": "2026-11-24T13:00:00Z"})
            assert (back.status_code, back.json()) == (422, {"error": "time never goes back"})
            wrong = await client.post(url, json={"hop": 3})
            assert wrong.status_code == 422
            assert "hop" in wrong.json()["error"]
    finally:
        await served.stop()


async def test_the_server_stops_while_a_client_follows_the_clock() -> None:
    clock = SandboxClock(NOON, speed=0)
    app = web.Application()
    add_clock_routes(app.router, clock)
    served = await serve(app)
    async with httpx.AsyncClient() as client:
        follower = asyncio.create_task(client.get(f"{served.url}/_control/clock?after=0", timeout=30))
        await client.get(f"{served.url}/_control/clock")
        await served.stop()
        with pytest.raises(httpx.TransportError):
            await follower
