"""Metrics for operators: the outcomes of attempts, late steps and live rentals; and /metrics."""

from __future__ import annotations

from dataclasses import replace

import aiohttp

from bot import health
from bot.clock import SystemClock
from bot.lifecycle.engine import Engine
from bot.lifecycle.service import ending
from bot.lifecycle.visits import Visits
from bot.metrics import Metrics
from bot.model.state import State
from bot.model.use import Missed
from tests.lifecycle.failing import BrokenProber
from tests.lifecycle.world import ANA, BEN, MINUTE, PROBE, World, world


def counted(here: World) -> Metrics:
    """Return the metrics of everything that happens in this world from now on."""
    metrics = Metrics()
    here.deps = replace(here.deps, on_attempt=metrics.attempt)
    here.engine = Engine(here.deps, claimant="counted", watch=metrics)
    return metrics


def attempts(metrics: Metrics) -> dict[tuple[str, str], float]:
    return {
        (sample.labels["state"], sample.labels["why"]): sample.value
        for family in metrics.registry.collect()
        for sample in family.samples
        if sample.name == "gpubot_attempts_total"
    }


async def test_attempts_are_counted_by_their_state(here: World) -> None:
    metrics = counted(here)
    await here.behaves("hyperstack", "sold_out")
    rental = await here.until(await here.get(), State.READY)
    await here.until(await here.destroy(rental), State.DESTROYED)
    assert attempts(metrics) == {
        ("intended", ""): 2,
        ("unknown", "sold_out"): 1,
        ("failed", "sold_out"): 1,
        ("bought", ""): 1,
        ("gone", ""): 1,
    }


async def test_visits_are_counted_by_their_outcome(sqlite_url: str) -> None:
    metrics = Metrics()
    async with world(sqlite_url, probe_line=PROBE) as here:
        here.visits = Visits(here.deps, claimant="counted", on_visit=metrics.visit)
        rental = await here.ready()
        await here.pass_time(5 * MINUTE)
        here.machines[rental].misses(Missed.NO_ANSWER)
        await here.pass_time(2 * MINUTE)
    counted = {
        sample.labels["outcome"]: sample.value
        for family in metrics.registry.collect()
        for sample in family.samples
        if sample.name == "gpubot_visits_total"
    }
    assert counted == {"answered": 3, "no_answer": 1}


async def test_an_answered_attempt_is_counted_although_its_rental_changed_meanwhile(here: World) -> None:
    metrics = counted(here)
    fault = await here.fault("procure_offer", "hold_after")
    rental = await here.rent(await here.ask(), settle=False)
    await here.engine.run_pass()
    await here.until_hit(fault)
    await ending.destroy(here.deps, ANA, rental.id)
    await here.release(fault)
    await here.until(rental, State.CANCELLED)
    assert attempts(metrics) == {("intended", ""): 1, ("bought", ""): 1, ("gone", ""): 1}


async def test_a_late_step_is_measured(here: World) -> None:
    rental = await here.ready()
    metrics = counted(here)
    due_at = (await here.rental(rental.id)).due_at
    assert due_at is not None
    await here.be_down(due_at - here.now + 2 * MINUTE)
    (family,) = (one for one in metrics.registry.collect() if one.name == "gpubot_step_lateness_seconds")
    buckets = {s.labels["le"]: s.value for s in family.samples if s.name.endswith("_bucket")}
    assert (buckets["60.0"], buckets["300.0"]) == (0, 1)


async def test_a_bug_in_a_step_is_counted_and_stops_no_other_step(here: World) -> None:
    good = here.deps
    here.deps = replace(good, prober=BrokenProber())
    metrics = counted(here)
    rental = await here.get()
    other = await here.until(await here.destroy(await here.get(person=BEN), BEN), State.CANCELLED)
    await here.pass_time(5 * MINUTE)
    assert (await here.rental(rental.id)).state is State.PROVISIONING
    failed = metrics.registry.get_sample_value("gpubot_steps_failed_total", {"what": "provisioning"})
    assert failed
    assert failed > 1
    here.engine = Engine(good, claimant="mended")
    await here.until(rental, State.READY)
    assert other.state is State.CANCELLED


async def test_metrics_are_served_beside_health() -> None:
    metrics = Metrics()
    metrics.market_call("procure_offer", "5xx")

    async def report() -> health.Report:
        return {"undelivered": 3, "settled": False, "clock": {"revision": 7, "now": "today"}}

    async def figures() -> bytes:
        return metrics.exposition(await report(), {State.READY: 2})

    server = await health.serve("127.0.0.1:0", SystemClock(), report, figures)
    try:
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"http://127.0.0.1:{server.addresses[0][1]}/metrics") as answer,
        ):
            lines = (await answer.text()).splitlines()
    finally:
        await server.cleanup()
    for line in (
        'gpubot_market_calls_total{call="procure_offer",outcome="5xx"} 1.0',
        'gpubot_rentals{state="ready"} 2.0',
        'gpubot_rentals{state="destroying"} 0.0',
        "gpubot_undelivered 3.0",
        "gpubot_settled 0.0",
        "gpubot_clock_revision 7.0",
    ):
        assert line in lines
    assert not [line for line in lines if 'state="destroyed"' in line]
