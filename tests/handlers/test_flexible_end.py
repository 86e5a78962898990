"""Flexible ends as people see them: in the command, the form and the offers, and near the earliest end."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from bot.lifecycle.changes.apply import apply
from bot.model.base import changed
from bot.model.event import Event, EventKind
from bot.model.facts import EndFacts
from bot.model.machine_use import UsageStatus
from bot.model.records import Change
from bot.model.rental import Rental
from bot.policy.team.rules import Idle, ProbeKind
from sandbox.slack.default import ANA
from tests.handlers.rental_states import H, running
from tests.handlers.team import NOON, RULES, Team, an_offer, team
from tests.store import make

DM = "D0ANA0000"
MIN = timedelta(minutes=1)
NO_PROBE = changed(RULES, idle=Idle(probe=ProbeKind.NONE))
Ends = tuple[timedelta, timedelta | None]


async def ends(ours: Team) -> set[Ends]:
    """Return the ends of all of Ana's searches."""
    return {(quote.request.lease, quote.request.up_to) for quote in await ours.quotes(ANA)}


async def test_a_command_with_a_flexible_end_is_repeated_by_again(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        await ours.command(ANA, "get H100 EU while busy up to 60h")
        await ours.command(ANA, "again")
        assert [quote.request.up_to for quote in await ours.quotes(ANA)] == [60 * H, 60 * H]
        assert await ends(ours) == {(2 * H, 60 * H)}


async def test_offers_show_both_ends_until_the_latest_one_is_cleared(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        shown = await ours.offered(ANA, an_offer("o1", "2.15"), lease=6 * H, up_to=12 * H)
        assert "6 h, or up to 12 h if its GPUs are busy" in shown["text"]
        assert "About $12.90 for 6 h or $25.80 for 12 h, at most $" in shown["text"]
        await ours.click(ANA, shown, "Change")
        assert (await ours.submit(ANA, region="US"))["ok"]
        assert await ends(ours) == {(6 * H, 12 * H)}
        await ours.click(ANA, shown, "Change")
        assert (await ours.submit(ANA, up_to=""))["ok"]
        assert await ends(ours) == {(6 * H, 12 * H), (6 * H, None)}


async def test_the_form_explains_an_invalid_latest_end(tmp_path: Path) -> None:
    rows: tuple[tuple[dict[str, str | list[str]], str], ...] = (
        ({"lease": "6h", "up_to": "6h"}, "Type more than 6h, or leave this empty."),
        (
            {"lease": "6h", "up_to": "80h"},
            "Type a time of at most 72h, such as 12h or 2d.",
        ),
        (
            {"lease": "6h", "up_to": "some day"},
            "Type a time of at most 72h, such as 12h or 2d.",
        ),
        (
            {"lease": "6h", "up_to": "until 18:00"},
            "Type a time of at most 72h, such as 12h or 2d.",
        ),
        ({"lease": "until 18:00", "up_to": "3h"}, "Type an end after the one above, or leave this empty."),
        (
            {"lease": "until 18:00", "up_to": "until 17:59 today"},
            "Type an end after the one above, or leave this empty.",
        ),
        ({"lease": "until 18:00", "up_to": "until 10"}, "in the morning or in the afternoon?"),
        ({"lease": "until 13:05", "up_to": "20m"}, "That's less than 30m away."),
        ({"lease": "6h", "up_to": "12h", "probe": ["no-probe"]}, "I can't move the machine's end if I don't see"),
    )
    async with team(tmp_path) as ours:
        for inputs, error in rows:
            await ours.command(ANA, "get")
            answer = await ours.submit(ANA, gpu="H100", **inputs)
            assert error in str(answer), inputs
            assert await ours.quotes(ANA) == [], inputs


@pytest.mark.parametrize(("typed", "up_to"), [("17h", 17 * H), ("until 10:00", 21 * H), ("45m", 45 * MIN)])
async def test_the_form_accepts_two_named_ends_and_change_keeps_them(
    tmp_path: Path, typed: str, up_to: timedelta
) -> None:
    """It is 13:00 for Ana."""
    async with team(tmp_path) as ours:
        first, until = ("until 13:05", NOON + 5 * MIN) if up_to < H else ("until tomorrow 5:00", NOON + 16 * H)
        shown = await ours.offered(ANA, an_offer("o1", "2.15"), until=until, lease=until - NOON, up_to=up_to)
        for inputs in ({"region": "US"}, {"region": "Other", "lease": first, "up_to": typed}):
            await ours.click(ANA, shown, "Change")
            assert (await ours.submit(ANA, **inputs))["ok"]
        requests = [quote.request for quote in await ours.quotes(ANA) if quote.request.region != "EU"]
        assert {(one.until, one.last_end) for one in requests} == {(until, NOON + up_to)}
        assert len(requests) == 2


async def test_offers_name_both_ends_and_refresh_keeps_them(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        shown = await ours.offered(ANA, an_offer("o1", "2.15"), until=NOON + 19 * H, lease=19 * H, up_to=21 * H)
        assert (
            "until tomorrow at 08:00 (19 h), or tomorrow at 10:00 at the latest if its GPUs are busy"
            in shown["reads"]
        )
        ours.clock.put(NOON + 20 * H)
        await ours.click(ANA, shown, "Refresh")
        request = [quote.request for quote in await ours.quotes(ANA)][-1]
        assert (request.until, request.lease, request.up_to) == (NOON + 21 * H, H, None)


async def test_keep_until_morning_stays_within_the_requested_limits(tmp_path: Path) -> None:
    """It is 19:00 for Ana, who lives in Berlin. She answers an hour later, and then a second time."""
    async with team(tmp_path) as ours:
        ours.clock.put(NOON + 6 * H)
        shown = await ours.offered(ANA, an_offer("o1", "2.15"), lease=2 * H, up_to=14 * H)
        assert (
            "If the machine's GPUs stop being busy during the night, it ends and its disk is deleted."
            in shown["reads"]
        )
        ours.clock.put(NOON + 7 * H)
        await ours.click(ANA, shown, "Keep it until 8:00 in any case")
        request = [quote.request for quote in await ours.quotes(ANA)][-1]
        assert (request.until, request.lease, request.up_to) == (NOON + 19 * H, 12 * H, 13 * H)
        assert await ours.rentals() == []


async def test_without_the_probe_a_lease_has_only_one_end(tmp_path: Path) -> None:
    async with team(tmp_path, rules=NO_PROBE) as ours:
        assert await ours.command(ANA, "get H100 EU for 6h up to 12h") == (
            "I can't move the machine's end if I don't see whether its GPUs are busy. "
            "Try: /gpu get H100 EU for 6h, or /gpu get H100 EU for 12h"
        )
        await ours.command(ANA, "get")
        dialog = await ours.modal(ANA)
        assert dialog is not None
        assert "if its GPUs are busy" not in dialog["reads"]


async def unmonitored_rental(ours: Team) -> Rental:
    """Return Ana's rental, which ends in an hour, or 6 h later at the latest, and can't be monitored."""
    rental = await running(ours)
    lease = rental.running_lease
    after = make.next_of(
        rental,
        request=changed(rental.request, lease=lease.ends_at - lease.ready_at, up_to=12 * H),
        lease=changed(lease, latest_end=lease.ends_at + 6 * H),
    )
    ours.clock.put(lease.ends_at - H)
    facts = EndFacts(until=lease.ends_at, span=H, status=UsageStatus.UNKNOWN, vendor="runpod")
    event = Event(rental_id=rental.id, kind=EventKind.ENDING, at=ours.clock.now(), facts=facts)
    async with ours.deps.store.write() as tx:
        await apply(tx, ours.deps, Change(rental, after, (event,)))
    await ours.deliver_until("I can't monitor RunPod's machines", channel=DM)
    return after


async def test_go_on_moves_the_end_once_even_if_clicked_twice(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        rental = await unmonitored_rental(ours)
        end = rental.running_lease.ends_at
        told = await ours.look(ANA, DM, "I can't monitor RunPod's machines")
        for _ in range(2):
            await ours.click(ANA, told, "Keep it 2 h more in any case")
        lease = (await ours.rental(rental.id)).running_lease
        assert (lease.ends_at, lease.latest_end) == (end + 2 * H, end + 6 * H)
        assert "already has a later end, so nothing more was added." in (await ours.replies())[-1]
        answer = await ours.command(ANA, f"extend {rental.id} 4h")
        assert answer.startswith(
            f"You extended 1x H100 SXM 80 GB ({rental.id}) by 4 h, about $8.60, which was already approved."
        )
        answer = await ours.command(ANA, f"extend {rental.id} 1h")
        assert answer.startswith(f"You extended 1x H100 SXM 80 GB ({rental.id}) by ")
