"""Machines in use: destroying, extending, keeping them, and acknowledging alarms."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bot.lifecycle.changes import transitions
from bot.lifecycle.changes.apply import apply
from bot.model.base import changed
from bot.model.event import Event, EventKind
from bot.model.facts import EndedFacts
from bot.model.records import Change
from bot.model.rental import Alarm, Ending, Rental
from bot.model.state import State
from sandbox.slack.default import ANA, BEN, CLEO, TRAINING
from tests.handlers.rental_states import H, running
from tests.handlers.team import EVE, NOON, Team, team
from tests.handlers.test_unmanaged_machines import direct
from tests.rentals import alarm, ending


async def card(ours: Team, user: str) -> dict[str, Any]:
    return await ours.look(user, TRAINING, "Ready: 1x H100 SXM 80 GB (")


async def test_destroy_is_confirmed_in_a_dialog_without_a_separate_reply(
    tmp_path: Path,
) -> None:
    async with team(tmp_path) as ours:
        rental = await running(ours)
        await ours.click(ANA, await card(ours, ANA), f"Destroy {rental.id}")
        assert (await ours.rental(rental.id)).state is State.READY
        dialog = await ours.modal(ANA)
        assert dialog is not None
        assert "Everything on the disk will be deleted." in dialog["reads"]
        queued = len(await ours.replies())
        assert (await ours.submit(ANA))["ok"]
        assert ending(await ours.rental(rental.id)).outcome is State.DESTROYED
        assert len(await ours.replies()) == queued, "the card that she clicked shows it"


async def test_destroy_by_command_opens_the_dialog_and_sends_a_reply(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        rental = await running(ours)
        assert await ours.command(ANA, f"destroy {rental.id.upper()}") == ""
        assert (await ours.submit(ANA))["ok"]
        assert ending(await ours.rental(rental.id)).outcome is State.DESTROYED
        assert (await ours.replies())[-1] == f"1x H100 SXM 80 GB ({rental.id}) in EU has ended."


async def test_others_cannot_destroy_a_machine_but_see_who_can(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        rental = await running(ours)
        await ours.add_eve_and_gus()
        words = f"Only its owner, approvers and admins can destroy {rental.id}. Nothing was changed."
        assert await ours.command(EVE, f"destroy {rental.id}") == words
        await ours.click(EVE, await card(ours, EVE), "Destroy")
        assert (await ours.replies())[-1] == words
        assert await ours.modal(EVE) is None


async def test_a_second_destroy_changes_nothing(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        rental = await running(ours)
        shown = await card(ours, BEN)
        await ours.click(ANA, shown, "Destroy")
        await ours.click(BEN, shown, "Destroy")
        await ours.submit(ANA)
        await ours.submit(BEN)
        dialog = await ours.modal(BEN)
        assert dialog is not None
        assert "Nothing was changed." in dialog["reads"]
        assert ending(await ours.rental(rental.id)).by == ANA


async def test_extend_prompts_for_the_hours_and_moves_the_end(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        rental = await running(ours)
        await ours.click(ANA, await card(ours, ANA), "Extend")
        assert (await ours.submit(ANA, hours="4"))["ok"]
        assert (await ours.rental(rental.id)).running_lease.ends_at == NOON + 10 * H


async def test_extend_by_command_moves_the_end_and_shows_the_new_one(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        rental = await running(ours)
        assert (await ours.command(ANA, f"extend {rental.id} 2h")).startswith(
            f"You extended 1x H100 SXM 80 GB ({rental.id}) by "
        )
        assert (await ours.rental(rental.id)).running_lease.ends_at == NOON + 8 * H


@pytest.mark.parametrize("typed", ["extend {id} 40h", "extend {id} until 2026-11-26 10:00"])
async def test_a_typed_extension_over_50_dollars_is_confirmed_first(tmp_path: Path, typed: str) -> None:
    """The lease ends at 18:00 UTC, which is 19:00 for Ana."""
    async with team(tmp_path) as ours:
        rental = await running(ours)
        end = rental.running_lease.ends_at
        reply = (await ours.run_command(ANA, typed.format(id=rental.id)))["payload"]
        length = "40 h" if "40h" in typed else "39 h"
        assert reply["text"].startswith(f"To extend 1x H100 SXM 80 GB ({rental.id}) by {length}, about $")
        assert (await ours.rental(rental.id)).running_lease.ends_at == end
        dialog = await ours.modal(ANA)
        assert dialog is not None
        assert "That adds about $" in dialog["reads"]
        assert "This can cost up to $" in dialog["reads"]
        # The reply's button opens the dialog again, but doesn't extend the lease a second time.
        shown = await ours.look(ANA, TRAINING, "confirm it first")
        await ours.click(ANA, shown, f"Extend {rental.id}")
        assert (await ours.submit(ANA))["ok"]
        await ours.click(ANA, shown, f"Extend {rental.id}")
        assert " already " in (await ours.replies())[-1]
        after = (await ours.rental(rental.id)).running_lease
        assert after.ends_at == end + (40 * H if "40h" in typed else 39 * H)


@pytest.mark.parametrize("way", ["button", "dialog"])
async def test_a_clicked_extension_over_50_dollars_is_confirmed_first(tmp_path: Path, way: str) -> None:
    async with team(tmp_path) as ours:
        rental = await running(ours)
        end = rental.running_lease.ends_at
        if way == "button":
            await ours.forge(ANA, "extend", f"{rental.id}:24:{int(end.timestamp())}")
        else:
            await ours.click(ANA, await card(ours, ANA), "Extend")
            assert (await ours.submit(ANA, hours="24"))["ok"]
        assert (await ours.rental(rental.id)).running_lease.ends_at == end
        assert (await ours.submit(ANA))["ok"]
        assert (await ours.rental(rental.id)).running_lease.ends_at == end + 24 * H


async def test_an_extend_button_showing_an_outdated_end_adds_nothing(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        rental = await running(ours)
        value = f"{rental.id}:2:{int((NOON + 6 * H).timestamp())}"
        await ours.forge(ANA, "extend", value)
        await ours.forge(ANA, "extend", value)
        assert (await ours.rental(rental.id)).running_lease.ends_at == NOON + 8 * H
        assert (await ours.replies())[-1] == f"{rental.id} was already extended, so nothing more was added."


async def test_an_extend_dialog_showing_an_outdated_end_adds_nothing(tmp_path: Path) -> None:
    """In this case, an admin submitted the same dialog first."""
    async with team(tmp_path) as ours:
        rental = await running(ours)
        await ours.click(CLEO, await card(ours, CLEO), "Extend")
        await ours.click(ANA, await card(ours, ANA), "Extend")
        assert (await ours.submit(CLEO, hours="4"))["ok"]
        refused = await ours.submit(ANA, hours="4")
        assert refused["errors"] == {"hours": f"{rental.id} was already extended, so nothing more was added."}
        assert (await ours.rental(rental.id)).running_lease.ends_at == NOON + 10 * H


@pytest.mark.parametrize(("length", "more"), [("2h", "2 h"), ("90m", "1 h 30 min"), ("100s", "1 min 40 s")])
async def test_repeating_an_extend_command_asks_whether_more_time_is_meant(
    tmp_path: Path, length: str, more: str
) -> None:
    async with team(tmp_path) as ours:
        rental = await running(ours)
        await ours.command(ANA, f"extend {rental.id} {length}")
        ends = (await ours.rental(rental.id)).running_lease.ends_at
        outcome = (await ours.run_command(ANA, f"extend {rental.id} {length}"))["payload"]
        assert outcome["text"].startswith(
            f"You extended 1x H100 SXM 80 GB ({rental.id}) by {more} just now, so nothing more was added. It ends "
        )
        assert (await ours.rental(rental.id)).running_lease.ends_at == ends
        reply = await ours.look(ANA, TRAINING, "nothing more was added")
        await ours.click(ANA, reply, f"Extend {more} more")
        assert ends is not None
        assert (await ours.rental(rental.id)).running_lease.ends_at == ends + (ends - (NOON + 6 * H))
        await ours.click(ANA, reply, f"Extend {more} more")
        assert (await ours.replies())[-1] == f"{rental.id} was already extended, so nothing more was added."


async def test_keep_postpones_the_next_question(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        rental = await running(ours)
        await ours.forge(ANA, "keep.2", f"{rental.id}:4")
        assert (await ours.rental(rental.id)).running_lease.question.quiet_until == NOON + 4 * H
        await ours.forge(BEN, "keep", f"{rental.id}:1")
        assert (await ours.rental(rental.id)).running_lease.question.quiet_until == NOON + 4 * H
        (*_, reply) = await ours.replies()
        assert reply == "Only the machine's owner, its teammates and admins can do that. Nothing was changed."


async def test_details_show_costs_only_to_people_who_may_see_them(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        rental = await running(ours)
        await ours.add_eve_and_gus()
        await ours.click(BEN, await card(ours, BEN), "Details")
        assert "Cost limits: $2.47/h" in (await ours.replies())[-1]
        await ours.click(EVE, await card(ours, EVE), "Details")
        assert "$" not in (await ours.replies())[-1]
        assert rental.id in (await ours.replies())[-1]


async def test_only_one_person_can_acknowledge_an_alarm(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        rental = await running(ours)
        await ours.forge(ANA, "taken_on", rental.id)
        assert (await ours.replies())[-1] == f"{rental.id} has ended, confirmed by the vendor."
        async with ours.deps.store.write() as tx:
            current = await tx.rentals.get(rental.id)
            assert current is not None
            destroying = transitions.begin_destroying(current, Ending(outcome=State.DESTROYED), NOON)
            alarmed = changed(destroying, alarm=Alarm(at=NOON, count=1))
            await apply(tx, ours.deps, Change(current, alarmed))
        await ours.forge(BEN, "taken_on", rental.id)
        await ours.forge(CLEO, "taken_on", rental.id)
        assert alarm(await ours.rental(rental.id)).acknowledged_by == BEN
        assert (await ours.replies())[-1] == f"Someone is already looking into the deletion of {rental.id}."


async def test_the_owners_newest_message_becomes_the_receipt_when_an_admin_destroys(
    tmp_path: Path,
) -> None:
    async with team(tmp_path) as ours:
        rental = await running(ours)
        destroying = transitions.begin_destroying(rental, Ending(outcome=State.DESTROYED, by=CLEO), NOON)
        event = Event(
            rental_id=rental.id,
            kind=EventKind.DESTROYING,
            at=NOON,
            actor=CLEO,
            facts=EndedFacts(end=State.DESTROYED),
        )
        await store(ours, rental, destroying, event)
        assert (await ours.look(ANA, direct(ANA), rental.id))["reads"].endswith(
            f"is destroying your 1x H100 SXM 80 GB ({rental.id})."
        )
        over = transitions.confirm_destroyed(destroying, NOON)
        ended = Event(rental_id=rental.id, kind=EventKind.ENDED, at=NOON, facts=EndedFacts(end=over.state))
        await store(ours, destroying, over, ended)
        seen = [text for text in await ours.world.reads(ANA, channel=direct(ANA)) if rental.id in text]
        assert seen[-2] == f"1x H100 SXM 80 GB ({rental.id}) has ended. Its receipt is below."
        assert seen[-1].startswith("Ended by ")
        assert "Nothing was rented." in seen[-1]


async def store(ours: Team, before: Rental, after: Rental, event: Event) -> None:
    """Store a change of a rental with an event, and deliver the resulting messages."""
    async with ours.deps.store.write() as tx:
        await apply(tx, ours.deps, Change(before, after, (event,)))
    await ours.deliver_all()
