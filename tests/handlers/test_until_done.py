"""`until done` as people type, choose and click it, and the buttons of its messages."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from bot.lifecycle.changes import lease_changes
from bot.lifecycle.changes.apply import apply
from bot.model.attempt import AttemptState, ScriptPart, SentScript
from bot.model.base import changed
from bot.model.event import Event, EventKind
from bot.model.facts import JobDoneFacts, QuestionFacts
from bot.model.job import Job, JobState, MachineJobs, UntilDone
from bot.model.records import Change
from bot.model.rental import Rental
from bot.policy.team.rules import Idle, ProbeKind
from sandbox.slack.default import ANA, TRAINING
from tests.handlers.rental_states import H, running
from tests.handlers.team import NOON, RULES, Team, an_offer, team
from tests.store import make

DM = "D0ANA0000"
MIN = timedelta(minutes=1)
NO_PROBE = changed(RULES, idle=Idle(probe=ProbeKind.NONE))
DONE = ["until-done"]


async def ready(ours: Team, *, until_done: bool = True) -> Rental:
    """Return a ready machine that has reported a job, and that ends with its jobs."""
    before = await running(ours)
    lease = changed(before.running_lease, until_done=UntilDone(since=NOON) if until_done else None)
    after = make.next_of(before, lease=lease, jobs=MachineJobs())
    script = SentScript(version=1, keys=(), probe=True, parts=(ScriptPart.RUN,))
    attempt = make.attempt(before.id, before.attempts + 1, state=AttemptState.BOUGHT, script=script)
    async with ours.deps.store.write() as tx:
        return await apply(tx, ours.deps, Change(before, after, attempts=(attempt,)))


async def test_a_command_until_done_is_repeated_by_again(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        await ours.command(ANA, "get H100 EU until done up to 12h")
        await ours.command(ANA, "again")
        asked = [quote.request for quote in await ours.quotes(ANA)]
        assert [(one.until_done, one.lease, one.until, one.up_to) for one in asked] == [
            (True, 12 * H, None, None)
        ] * 2


async def test_two_ends_get_a_button_for_each(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        answer = await ours.command(ANA, "get H100 EU until done for 2h")
        assert answer.startswith('"for 2h" and "until done" name two ends, and I can\'t tell which one decides.')
        shown = await ours.look(ANA, TRAINING, "name two ends")
        await ours.click(ANA, shown, "Show H100 EU until done up to 2h")
        await ours.click(ANA, shown, "Show H100 EU for 2h")
        asked = [quote.request for quote in await ours.quotes(ANA)]
        assert {(one.until_done, one.lease) for one in asked} == {(True, 2 * H), (False, 2 * H)}


async def test_the_form_and_change_keep_until_done(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        shown = await ours.offered(ANA, an_offer("o1", "2.15"), lease=12 * H, until_done=True)
        assert "until your job is done, 12 h at most" in shown["text"]
        await ours.click(ANA, shown, "Change")
        assert (await ours.submit(ANA, region="US"))["ok"]
        await ours.click(ANA, shown, "Change")
        assert (await ours.submit(ANA, lease="until 18:00", region="Other"))["ok"]
        await ours.click(ANA, shown, "Change")
        assert (await ours.submit(ANA, until_done=[], region="APAC"))["ok"]
        asked = {quote.request.region: quote.request for quote in await ours.quotes(ANA)}
        asked.pop("EU", None)
        assert {region: (one.until_done, one.lease, one.until) for region, one in asked.items()} == {
            "US": (True, 12 * H, None),
            "Other": (True, 5 * H, NOON + 5 * H),
            "APAC": (False, 12 * H, None),
        }


async def test_the_form_explains_what_until_done_does_not_combine_with(tmp_path: Path) -> None:
    rows: tuple[tuple[dict[str, str | list[str]], str], ...] = (
        ({"lease": "6h", "up_to": "12h"}, "Leave this empty"),
        ({"lease": "80h"}, "Type a time of at most 72h"),
        ({"lease": "some day"}, "Type a time of at most 72h"),
        ({"lease": "until 10"}, "in the morning or in the afternoon?"),
        ({"lease": "6h", "probe": ["no-probe"]}, "I can't see when the job is done if I don't check the machine."),
    )
    async with team(tmp_path) as ours:
        for inputs, error in rows:
            await ours.command(ANA, "get")
            answer = await ours.submit(ANA, gpu="H100", until_done=DONE, **inputs)
            assert error in str(answer), inputs
        assert await ours.quotes(ANA) == []


async def test_without_the_probe_nothing_ends_with_its_jobs(tmp_path: Path) -> None:
    async with team(tmp_path, rules=NO_PROBE) as ours:
        answer = await ours.command(ANA, "get H100 EU until done up to 6h")
        assert answer.startswith("Your team's rules switch monitoring off, so I can't see when a job is done.")
        await ours.command(ANA, "get")
        assert "End when the job is done" not in str(await ours.modal(ANA))


@pytest.mark.parametrize(
    ("typed", "more"),
    [
        ("until done", timedelta(0)),
        ("until my job is done up to 4h", 4 * H),
        ("4h until done", 4 * H),
        ("until done up to 23:00", 4 * H),
    ],
)
async def test_a_running_machine_is_extended_until_done(tmp_path: Path, typed: str, more: timedelta) -> None:
    """It ends at 19:00 for Ana."""
    async with team(tmp_path) as ours:
        rental = await ready(ours, until_done=False)
        ends_at = rental.running_lease.ends_at
        answer = await ours.command(ANA, f"extend {rental.id} {typed}")
        assert "ends when its job is done, " in answer
        (after,) = await ours.rentals()
        assert after.running_lease.until_done is not None
        assert abs(after.running_lease.ends_at - ends_at - more) < MIN


async def test_extends_dialog_ends_a_machine_with_its_job(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        rental = await ready(ours, until_done=False)
        await ours.click(ANA, await ours.card(rental), "Extend")
        assert "Choose how much longer" in str(await ours.submit(ANA, hours="0"))
        await ours.submit(ANA, hours="0", until_done=DONE)
        (after,) = await ours.rentals()
        assert after.running_lease.until_done is not None
        assert after.running_lease.ends_at == rental.running_lease.ends_at


async def test_a_lease_that_cannot_be_longer_can_still_end_with_its_job(tmp_path: Path) -> None:
    rules = changed(RULES, lease=changed(RULES.lease, max=6 * H))
    async with team(tmp_path, rules=rules) as ours:
        rental = await ready(ours, until_done=False)
        await ours.command(ANA, f"extend {rental.id}")
        await ours.submit(ANA, hours="0", until_done=DONE)
        (after,) = await ours.rentals()
        assert after.running_lease.until_done is not None
        assert after.running_lease.ends_at == rental.running_lease.ends_at


async def done(ours: Team) -> Rental:
    """Return a machine that ends in 15 minutes because its job is done, with the message to Ana."""
    before = await ready(ours)
    job = Job(
        id="0.a", uid=0, name="python train.py", state=JobState.DONE, exit_status=0, began_at=NOON, ended_at=NOON
    )
    until = NOON + 15 * MIN
    facts = JobDoneFacts(until=until, span=15 * MIN, rate=before.rate, amount=0, estimated=False, job=job)
    event = Event(rental_id=before.id, kind=EventKind.JOB_DONE, at=NOON, facts=facts)
    after = lease_changes.end_when_done(before, job, until, NOON)
    async with ours.deps.store.write() as tx:
        return await apply(tx, ours.deps, Change(before, after, (event,)))


async def test_keep_takes_the_end_back_once_even_if_clicked_twice(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        rental = await done(ours)
        told = await ours.deliver_until("Your job is done", channel=DM)
        for _ in range(2):
            await ours.click(ANA, told, f"Keep {rental.id}")
        after = await ours.rental(rental.id)
        assert (after.running_lease.ends_at, after.running_lease.until_done) == (NOON + 6 * H, None)
        await ours.deliver_until("even if its job is done", channel=DM, edited=True)


async def test_keep_until_then_says_that_nobody_asks_again(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        before = await ready(ours)
        ours.clock.put(NOON + 2 * H)
        facts = QuestionFacts(until=NOON + 6 * H, rate=before.rate)
        event = Event(rental_id=before.id, kind=EventKind.NO_JOB, at=ours.clock.now(), facts=facts)
        async with ours.deps.store.write() as tx:
            await apply(tx, ours.deps, Change(before, lease_changes.note_no_job(before, NOON + 2 * H), (event,)))
        told = await ours.deliver_until("No job has started", channel=DM)
        await ours.click(ANA, told, "Keep it until then")
        answer = await ours.deliver_until("You said that you still need", channel=DM, edited=True)
        assert "or when its job is done, and I won't ask again before that." in answer["reads"]
        assert (await ours.rental(before.id)).running_lease.until_done is not None


async def test_the_button_for_one_of_several_machines_works_once(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        rental = await ready(ours, until_done=False)
        end = int((NOON + 8 * H).timestamp())
        await ours.forge(ANA, "end_when_done", f"{rental.id}:{end}")
        await ours.forge(ANA, "end_when_done", f"{rental.id}:{end}")
        after = await ours.rental(rental.id)
        assert after.running_lease.ends_at == NOON + 8 * H
        assert "already ends when its job is done. Nothing was changed." in (await ours.replies())[-1]
