"""Metrics for operators: the outcomes of attempts, late steps and live rentals; and /metrics."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import aiohttp

from bot.clock import SystemClock
from bot.lifecycle.actions import ending
from bot.lifecycle.actions.action import carry_out
from bot.lifecycle.loops.probe_runs import ProbeRuns
from bot.model.machine_use import Missed
from bot.model.money import cost_at_most, in_dollars
from bot.model.state import State
from bot.ops import health
from bot.ops.health_report import figures_now
from bot.ops.logs import log_change
from bot.ops.metrics import Figures, Metrics
from tests.lifecycle.adopting import add_machine
from tests.lifecycle.engine import Engine
from tests.lifecycle.failing import BrokenProber
from tests.lifecycle.world import ANA, BEN, HOUR, MINUTE, PROBE, World, world


def counted(here: World) -> Metrics:
    """Return metrics that count everything that happens in this world from now on."""
    metrics = Metrics()
    here.deps = replace(here.deps, on_attempt=metrics.attempt)
    here.engine = Engine(here.deps, on_late=metrics.late.observe, on_bug=metrics.failed)
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


async def test_probe_runs_are_counted_by_their_outcome(sqlite_url: str) -> None:
    metrics = Metrics()
    async with world(sqlite_url, probe_line=PROBE) as here:
        here.probe_runs = ProbeRuns(here.deps, on_probe_run=metrics.run_probe)
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


async def test_an_attempt_is_counted_even_if_its_rental_has_changed(here: World) -> None:
    metrics = counted(here)
    fault = await here.fault("procure_offer", "hold_after")
    rental = await here.rent(await here.ask(), settle=False)
    await here.engine.run_pass()
    await here.until_hit(fault)
    await carry_out(here.deps, ANA, ending.Destroy(rental.id))
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


async def test_a_bug_in_a_step_is_counted_and_stops_only_that_step(here: World) -> None:
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
    here.engine = Engine(good)
    await here.until(rental, State.READY)
    assert other.state is State.CANCELLED


async def test_the_log_tells_the_story_of_a_rental(sqlite_url: str, logs: list[Any]) -> None:
    async with world(sqlite_url) as here:
        here.database.on_change(log_change)
        await here.behaves("hyperstack", "sold_out", words="<secret> of the vendor")
        rental = await here.extend(await here.ready(note="the merger"), HOUR)
        await here.until(await here.destroy(rental), State.DESTROYED)
        asked = await here.get(count=8)
        await here.deny(asked)
    logged = [line for line in logs if line["event"].startswith("rental.")]
    assert [line["event"].removeprefix("rental.") for line in logged if line["rental"] == rental.id] == [
        *("started", "renting", "renting", "bought", "ready", "extended", "destroying", "destroyed")
    ]
    assert [line["event"] for line in logged if line["rental"] == asked.id] == ["rental.asked", "rental.denied"]
    (bought,) = [line for line in logged if line["event"] == "rental.bought"]
    assert bought == {
        "event": "rental.bought",
        "log_level": "info",
        "rental": rental.id,
        "owner": ANA.id,
        "vendor": "nebius",
        "price": "$2.42/h",
    }
    (destroyed,) = [line for line in logged if line["event"] == "rental.destroyed"]
    assert destroyed["cost"].startswith("$0.1")
    (denied,) = [line for line in logged if line["event"] == "rental.denied"]
    assert denied["by"] == BEN.id
    assert not any(text in str(logged) for text in ("secret", "merger"))


async def test_refused_logins_before_the_probe_is_installed_are_not_logged(
    sqlite_url: str, logs: list[Any]
) -> None:
    async with world(sqlite_url, probe_line=PROBE) as here:
        rental = await here.get()
        while rental.state is not State.READY:
            here.jump(MINUTE)
            await here.engine.run_pass()
            await here.engine.drain()
            rental = await here.rental(rental.id)
        here.machines[rental].misses(Missed.REFUSED)
        await here.pass_time(4 * MINUTE)
        assert here.machines[rental].probe_runs > 1
        assert [line for line in logs if line["event"] == "visit.missed"] == []
        here.machines[rental].use(98)
        await here.pass_time(6 * MINUTE)
        here.machines[rental].misses(Missed.REFUSED)
        await here.pass_time(4 * MINUTE)
    missed = [line for line in logs if line["event"] == "visit.missed"]
    assert {(line["rental"], line["missed"], line["log_level"]) for line in missed} == {
        (rental.id, "refused", "info")
    }


async def test_figures_count_running_idle_and_waiting_rentals(sqlite_url: str) -> None:
    async with world(sqlite_url, probe_line=PROBE) as here:
        rental = await here.ready()
        here.machines[rental].use(0)
        await here.get(count=8, person=BEN)
        await add_machine(here)
        await here.sweep()
        await here.pass_time(65 * MINUTE)
        bill = await here.outside.look("bill")
        figures = await figures_now(here.deps.store, here.deps.rules, here.now)
        (resource,) = await here.resources(rental)
        assert resource.valid_from is not None
        held = cost_at_most(Decimal("2.15"), rental.running_lease.ends_at + 15 * MINUTE - resource.valid_from)
        assert figures == Figures(
            dollars_per_hour=Decimal("2.15"),
            spent_dollars=in_dollars(sum(line["micros"] for line in bill["lines"] if line["name"] != "train-3")),
            reserved_dollars=in_dollars(held),
            idle_dollars_per_hour=Decimal("2.15"),
            unknown_machines=1,
            unconfirmed_deletions=0,
            requests_waiting=1,
        )
        await here.behaves("hyperstack", "delete_500", seconds=1200)
        await here.destroy(rental)
        await here.pass_time(6 * MINUTE)
        figures = await figures_now(here.deps.store, here.deps.rules, here.now)
        assert figures is not None
        assert (figures.unconfirmed_deletions, figures.idle_dollars_per_hour) == (1, Decimal(0))
        shown = Metrics().exposition({}, None, figures).decode()
        assert "gpubot_dollars_per_hour 2.15" in shown
        assert f"gpubot_spent_dollars {float(figures.spent_dollars)}" in shown


async def test_metrics_are_served_next_to_health() -> None:
    metrics = Metrics()
    metrics.market_call("procure_offer", "5xx")

    async def report() -> health.Report:
        return {"undelivered": 3, "settled": False, "clock": {"revision": 7, "now": "today"}}

    async def figures() -> bytes:
        return metrics.exposition(await report(), {State.READY: 2}, None)

    server = await health.serve("127.0.0.1:0", SystemClock(), report, figures, lambda: False)
    try:
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"http://127.0.0.1:{server.addresses[0][1]}/metrics") as answer,
        ):
            lines = (await answer.text()).splitlines()
    finally:
        await server.close()
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
