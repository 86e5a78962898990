"""The database is restored from a backup that is some minutes old.

Slack shows what has happened since then, but the store doesn't know it. People are asked again, and are notified
of the ends of their machines.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from bot.lifecycle.changes.apply import apply
from bot.lifecycle.changes.lease_changes import note_question
from bot.model.base import changed
from bot.model.event import Event, EventKind
from bot.model.machine_use import GpuModel, GpusSeen
from bot.model.records import Change
from bot.model.rental import Asked, Question, Rental
from bot.policy.team.rules import Limits
from handlers.delivery.content import content
from handlers.delivery.pace import Pace
from handlers.phrases.blocks import Rendered
from sandbox.slack.default import ANA, APPROVALS, BEN, CLEO
from tests.events import facts_for
from tests.handlers.rental_states import H, asked, let_the_owner_decide, make_ready, running, starting
from tests.handlers.team import NOON, RULES, Team, team
from tests.handlers.test_owner_left import deactivate
from tests.handlers.test_restored_database import found as ask_about_older
from tests.handlers.test_restored_database import machine
from tests.handlers.test_unmanaged_machines import TWO_ADMINS, direct, found


@dataclass(frozen=True)
class Case:
    """A question, and its answer."""

    ask: Callable[[Team], Awaitable[object]]
    person: str
    channel: str
    words: str
    answer: str
    """The label of the button that is clicked."""
    submits: bool = False


async def happens(ours: Team, rental: Rental, after: Rental, kind: EventKind, **facts: Any) -> None:
    """Store a change of a rental with an event, as a step does."""
    event = Event(rental_id=rental.id, kind=kind, at=ours.clock.now(), facts=facts_for(kind, **facts))
    async with ours.deps.store.write() as tx:
        await apply(tx, ours.deps, Change(rental, after, (event,)))
    await ours.deliver_all()


async def asks_approvers(ours: Team) -> None:
    await asked(ours)


async def asks_for_more_time(ours: Team) -> None:
    rental = await running(ours)
    await ours.command(ANA, f"extend {rental.id} 60h")
    assert (await ours.submit(ANA))["ok"]
    await ours.deliver_all()


async def asks_whether_it_is_needed(ours: Team) -> None:
    rental = await running(ours)
    question = Question(asked=Asked(last_at=NOON, first_at=NOON))
    await happens(ours, rental, note_question(rental, question), EventKind.STILL_NEEDED, span=2 * H)


async def asks_the_owner(ours: Team) -> None:
    rental = await asked(ours)
    await let_the_owner_decide(ours, rental)
    rental = await ours.rental(rental.id)
    await happens(ours, rental, changed(rental, version=rental.version + 1), EventKind.ASKED_AGAIN, terms=1)


async def finds_other_gpus(ours: Team) -> None:
    rental = await running(ours)
    seen = GpusSeen(count=1, models=(GpuModel(name="A100", memory_mib=81920),))
    after = changed(rental, version=rental.version + 1)
    await happens(ours, rental, after, EventKind.GPU_MISMATCH, gpus_seen=seen, count=1, gpu="H100")


async def finds_a_machine(ours: Team) -> None:
    await ours.add_eve_and_gus()
    await ours.has_key(ANA)
    await found(ours, guess=ANA)


async def finds_its_own_machine(ours: Team) -> None:
    await ours.add_eve_and_gus()
    await ours.has_key(ANA)
    await ask_about_older(ours, machine("f6rat", ANA))


async def sees_that_the_owner_left(ours: Team) -> None:
    await ours.add_eve_and_gus()
    await running(ours)
    await deactivate(ours, ANA)


CASES = {
    "request": Case(asks_approvers, BEN, APPROVALS, "Approve up to", "Approve", submits=True),
    "more time": Case(asks_for_more_time, BEN, APPROVALS, "Approve", "Deny", submits=True),
    "needed": Case(asks_whether_it_is_needed, ANA, direct(ANA), "Still using your", "Yes, ask again in 1 h"),
    "owner decides": Case(asks_the_owner, ANA, direct(ANA), "needs your decision", "Withdraw"),
    "not as sold": Case(finds_other_gpus, ANA, direct(ANA), "A100", "Keep it"),
    "unknown machine": Case(
        finds_a_machine, CLEO, direct(CLEO), "wasn't rented through me", "Assign an owner", submits=True
    ),
    "older database": Case(finds_its_own_machine, CLEO, direct(CLEO), "My database", "Restore"),
    "owner left": Case(sees_that_the_owner_left, CLEO, direct(CLEO), "left the workspace", "Ask again tomorrow"),
}


async def posts(ours: Team) -> dict[tuple[str, str], Any]:
    """Return the bot's messages that are visible to all readers of their channel."""
    workspace = ours.world.sandbox.workspace
    return {
        (channel, ts): message
        for channel, messages in workspace.messages.items()
        for ts, message in messages.items()
        if message.by_app and not message.deleted and message.only_for is None
    }


async def check_slack_matches_the_store(ours: Team) -> None:
    """Check that every open live message in the store matches Slack."""
    seen = await posts(ours)
    for n in range(1, 100):
        async with ours.deps.store.read() as tx:
            message = await tx.messages.get(n)
        if message is None or message.ts is None or not message.kind.surface:
            continue
        place = (message.channel or "", message.ts)
        rendered = await content(ours.deps, message)
        assert message.due_at is None
        if message.closed or not isinstance(rendered, Rendered):
            continue
        without_mentions = re.sub(r",? <(?:@|!subteam)[^>]*>", "", seen[place].text)
        assert without_mentions == rendered.text, "a question's first post also mentions people"
        payload = seen[place].metadata["event_payload"]
        # A change that a message doesn't show leaves the version of the message's last edit in Slack.
        assert (payload["id"], payload["version"] <= message.target_version) == (n, True)


async def question_of(ours: Team, case: Case) -> dict[str, Any]:
    return await ours.look(case.person, case.channel, case.words)


@pytest.mark.parametrize("case", CASES.values(), ids=list(CASES))
async def test_a_restore_repeats_questions_with_lost_answers_but_a_restart_does_not(
    tmp_path: Path, case: Case
) -> None:
    async with team(tmp_path, rules=changed(TWO_ADMINS, admins=(CLEO,))) as ours:
        ours.deliver_at_once()
        await case.ask(ours)
        await ours.deliver_all()
        asked_once = set(await posts(ours))
        for _ in range(2):
            await ours.restart()
            assert set(await posts(ours)) == asked_once
            await check_slack_matches_the_store(ours)
        copy = ours.copy_database()
        for _ in range(2):
            before = await question_of(ours, case)
            await ours.click(case.person, before, case.answer)
            if case.submits:
                assert (await ours.submit(case.person))["ok"]
            await ours.deliver_all()
            answered = (await posts(ours))[before["channel"], before["ts"]]
            ours.clock.jump(timedelta(minutes=10))
            await ours.restart(restored=copy)
            again = await question_of(ours, case)
            assert again["ts"] > before["ts"]
            assert case.answer in " ".join(button["text"] for button in again["buttons"])
            assert (await posts(ours))[before["channel"], before["ts"]] == answered
            await check_slack_matches_the_store(ours)


async def test_an_owner_is_reminded_of_the_end_if_an_extension_was_lost(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        rental = await running(ours)
        copy = ours.copy_database()
        for _ in range(2):
            await ours.command(ANA, f"extend {rental.id} 2h")
            await ours.deliver_all()
            ours.clock.jump(timedelta(minutes=10))
            before = set(await posts(ours))
            await ours.restart(restored=copy)
            message = await ours.look(ANA, direct(ANA), "My database was restored from an older backup.")
            assert (message["channel"], message["ts"]) not in before
            assert f"({rental.id}) ends at 19:00 again. Copy your results off" in message["reads"]
            assert [button["text"][:6] for button in message["buttons"]] == ["Extend", "Destro"]
            (event,) = [e for e in await events(ours, rental) if e.kind is EventKind.ENDS_AGAIN]
            assert event.facts.until == rental.running_lease.ends_at
            await check_slack_matches_the_store(ours)
            await ours.restart()
            assert len([e for e in await events(ours, rental) if e.kind is EventKind.ENDS_AGAIN]) == 1


async def test_twenty_live_messages_match_the_store_within_a_minute(
    tmp_path: Path,
) -> None:
    async with team(tmp_path, rules=changed(RULES, limits=Limits(per_person_rentals=5))) as ours:
        ours.deliver_at_once()
        for owner in (ANA, BEN):
            for gpu in ("A100", "B200", "H200", "L40S", "MI300X"):
                await make_ready(ours, await starting(ours, f"{gpu}-{owner}", gpu, owner))
        await ours.deliver_all()
        copy = ours.copy_database()
        rentals = await ours.rentals()
        for rental in rentals:
            await ours.command(rental.owner, f"extend {rental.id} 1h")
            await ours.deliver_all()
        ours.clock.jump(timedelta(minutes=10))
        await ours.restart(restored=copy, pace=Pace())  # raises TimeoutError after 30 s
        await check_slack_matches_the_store(ours)
        for rental in rentals:
            time = "19:00" if rental.owner == ANA else "18:00"
            await ours.look(rental.owner, direct(rental.owner), f"({rental.id}) ends at {time} again.")


async def test_an_end_that_passed_unnoticed_is_postponed_by_one_grace_period(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        rental = await running(ours)
        copy = ours.copy_database()
        await ours.command(ANA, f"extend {rental.id} 2h")
        await ours.deliver_all()
        ours.clock.jump(timedelta(hours=6, minutes=5))
        await ours.restart(restored=copy)
        message = await ours.look(ANA, direct(ANA), "My database was restored from an older backup.")
        assert "should have ended at 19:00, and now ends at 19:20." in message["reads"]


async def events(ours: Team, rental: Rental) -> list[Event[Any]]:
    async with ours.deps.store.read() as tx:
        return await tx.events.of(rental.id)


async def test_a_post_about_a_lost_rental_keeps_its_buttons_until_clicked(
    tmp_path: Path,
) -> None:
    async with team(tmp_path) as ours:
        await ours.has_key(ANA)
        copy = ours.copy_database()
        rental = await running(ours)
        message = await ours.look(ANA, direct(ANA), rental.id)
        card = await ours.card(rental)
        before = await posts(ours)
        await ours.restart(restored=copy)
        assert await posts(ours) == before
        for clicked in (message, card):
            await ours.click(ANA, clicked, "Extend")
            await ours.deliver_all()
            shown = (await posts(ours))[clicked["channel"], clicked["ts"]]
            assert shown.text.startswith(f"{rental.id} is missing from my database, which was restored")
            assert not any(block["type"] == "actions" for block in shown.blocks)
        notices = [text for text in await ours.world.reads(CLEO, channel=direct(CLEO)) if rental.id in text]
        assert len(notices) == 1
        assert "My database seems to be an older backup: it lacks" in notices[0]


async def test_a_lost_admin_question_keeps_its_buttons_until_an_admin_clicks(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        copy = ours.copy_database()
        await finds_a_machine(ours)
        asked = await ours.look(CLEO, direct(CLEO), "A machine that wasn't rented through me")
        before = await posts(ours)
        await ours.restart(restored=copy)
        assert await posts(ours) == before
        for person in (ANA, CLEO):
            await ours.click(person, asked, "Not ours")
            await ours.deliver_all()
            shown = (await posts(ours))[asked["channel"], asked["ts"]]
            assert ("This question is missing from my database" in shown.text) is (person == CLEO)
        assert not any(block["type"] == "actions" for block in shown.blocks)
