"""The actions and answers of operator commands, and the resulting messages in Slack."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.errors import (
    AlreadyDecided,
    BuyingBlock,
    BuyingBlocked,
    DuplicateExtension,
    GpubotError,
    Mistake,
    NextStep,
    TooLate,
)
from bot.model.event import EventKind
from bot.model.person import Channel
from bot.model.state import State
from bot.operator.commands import carry_out, error_on_terminal, on_terminal
from bot.operator.protocol import Command, Kind
from handlers.phrases.format import escape
from sandbox.slack.default import ANA, APPROVALS, BEN, CLEO, GPUS, TRAINING
from tests.handlers.rental_states import H, asked, running
from tests.handlers.team import an_offer, team
from tests.handlers.test_unmanaged_machines import TRAIN, direct, found
from tests.rentals import ending

WHY = "*Slack* is <!channel> away"
"""A reason that would mention everybody."""
SHOWN = 'the operator (reason: "*Slack* is <!channel> away")'
"""The reason as people read it: without formatting, and without mentioning anybody."""


async def test_the_operator_lists_and_shows_what_everybody_rents(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        assert await carry_out(ours.deps, Command(kind=Kind.LIST)) == "Nobody has a machine right now."
        rental = await running(ours)
        listed = await carry_out(ours.deps, Command(kind=Kind.LIST))
        assert f"Ready: 1x H100 SXM 80 GB ({rental.id}) in EU for Ana. " in listed
        assert "18:00 UTC" in listed
        assert "The team's running machines cost $2.15/h in all." in listed
        shown = await carry_out(ours.deps, Command(kind=Kind.SHOW, id=rental.id.upper()))
        assert shown.startswith(f"Ready: 1x H100 SXM 80 GB ({rental.id}) in EU for Ana.")
        assert "12:00 UTC  Ana rented a machine without needing approval, for 6 h at up to $2.47/h." in shown
        with pytest.raises(Mistake, match="I don't know zzzz2"):
            await carry_out(ours.deps, Command(kind=Kind.SHOW, id="zzzz2"))
        for typed in ("", "the", "k7mq2 w8xyz", "*" * 200):
            with pytest.raises(GpubotError):
                await carry_out(ours.deps, Command(kind=Kind.SHOW, id=typed))


async def test_an_unmanaged_machine_is_listed_with_its_delete_command(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        await found(ours)
        listed = await carry_out(ours.deps, Command(kind=Kind.LIST))
        assert listed.splitlines()[-1].endswith(f" gpubot destroy --resource {TRAIN.resource_id}")


async def test_an_extension_is_shown_in_slack_with_actor_and_reason(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        rental = await running(ours)
        extend = Command(kind=Kind.EXTEND, id=rental.id, by="2h", why=WHY)
        answer = await carry_out(ours.deps, extend)
        assert answer.startswith(f"You extended 1x H100 SXM 80 GB ({rental.id}) by 2 h, about $4.30. ")
        assert "20:00 UTC" in answer
        with pytest.raises(DuplicateExtension):
            await carry_out(ours.deps, extend)
        until = Command(kind=Kind.EXTEND, id=rental.id, by="until 22:00", why=WHY)
        assert "22:00 UTC" in await carry_out(ours.deps, until)
        told = await ours.deliver_until("extended this machine by 2 h")
        assert told["reads"].startswith(f"The {SHOWN[4:]} extended this machine by 2 h. It now ends ")
        for words in ("", "later", "2", "999h"):
            with pytest.raises(Mistake):
                await carry_out(ours.deps, Command(kind=Kind.EXTEND, id=rental.id, by=words, why=WHY))


async def test_an_operators_extension_over_the_limits_counts_as_approved(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        rental = await running(ours)
        answer = await carry_out(ours.deps, Command(kind=Kind.EXTEND, id=rental.id, by="48h", why=WHY))
        assert answer.startswith(f"You extended 1x H100 SXM 80 GB ({rental.id}) by 2 days, about $103.20. ")
        assert "Thu 26 Nov 18:00 UTC" in answer
        after = await ours.rental(rental.id)
        assert (after.extension, after.approved_by, after.terms.version) == (None, "operator", 2)
        told = await ours.deliver_until("approved more time")
        assert told["reads"].startswith(f"The {SHOWN[4:]} approved more time for this machine. It now ")
        with pytest.raises(Mistake, match="The longest lease is 3 days"):
            await carry_out(ours.deps, Command(kind=Kind.EXTEND, id=rental.id, by="40h", why=WHY))


@pytest.mark.parametrize(("by", "fewer"), [("3h", True), ("60h", False)])
async def test_an_operators_extension_replaces_a_pending_one(tmp_path: Path, by: str, fewer: bool) -> None:
    """The approvers' message says so. The owner is notified if they get less than they requested."""
    async with team(tmp_path) as ours:
        rental = await running(ours)
        await ours.command(ANA, f"extend {rental.id} 48h")
        await ours.submit(ANA)
        assert (await ours.rental(rental.id)).extension is not None
        await ours.deliver()
        await carry_out(ours.deps, Command(kind=Kind.EXTEND, id=rental.id, by=by, why=WHY))
        after = await ours.rental(rental.id)
        assert (after.extension, after.terms.version) == (None, 3)
        assert after.running_lease.ends_at == rental.running_lease.ends_at + int(by[:-1]) * H
        await ours.deliver_all()
        what = "fewer hours than requested" if fewer else "more time"
        decided = await ours.look(BEN, APPROVALS, f"approved {what}")
        assert SHOWN[4:] in decided["reads"]
        assert decided["buttons"] == []
        told = [m["reads"] for m in await ours.world.see(ANA, channel=direct(ANA)) if what in m["reads"]]
        assert bool(told) is fewer
        if fewer:
            (text,) = told
            assert text.startswith(
                f"The {SHOWN[4:]} approved {what} for your 1x H100 SXM 80 GB ({rental.id}): 3 h instead of "
            )


async def test_a_rental_is_destroyed_once_and_nothing_is_sent_to_the_operator(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        rental = await running(ours)
        answer = await carry_out(ours.deps, Command(kind=Kind.DESTROY, id=rental.id, why=WHY))
        assert answer == f"1x H100 SXM 80 GB ({rental.id}) in EU has ended."
        assert ending(await ours.rental(rental.id)).by == "operator"
        with pytest.raises(TooLate, match="has already ended"):
            await carry_out(ours.deps, Command(kind=Kind.DESTROY, id=rental.id, why=WHY))
        assert "operator" not in {message.to.value for message in await ours.queued()}


async def test_the_operator_withdraws_a_pending_request(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        rental = await asked(ours)
        await carry_out(ours.deps, Command(kind=Kind.DESTROY, id=rental.id, why=WHY))
        assert (await ours.rental(rental.id)).state is State.WITHDRAWN
        await ours.deliver_all()
        for user, channel in ((BEN, APPROVALS), (ANA, direct(ANA)), (BEN, TRAINING)):
            assert f"ithdrawn by {SHOWN}" in (await ours.look(user, channel, "ithdrawn by"))["reads"]
        assert f"This request was withdrawn by {SHOWN}" in on_terminal(
            await ours.command(BEN, f"show {rental.id}")
        )


async def test_pausing_buying_notifies_the_admins_and_the_home_channel(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        async with ours.deps.store.write() as tx:
            await tx.people.put_channel(Channel(id=GPUS, member=True, name="gpus"), ours.deps.clock.real())
        answer = await carry_out(ours.deps, Command(kind=Kind.PAUSE, why=WHY))
        assert answer == (
            "Buying is paused. #gpus will be told. Machines can still be destroyed. "
            "To end the pause: gpubot resume"
        )
        assert (await carry_out(ours.deps, Command(kind=Kind.PAUSE, why="again"))).startswith(
            "Buying was already paused."
        )
        await ours.deliver_all()
        for user, channel in ((CLEO, direct(CLEO)), (ANA, GPUS)):
            told = await ours.look(user, channel, "paused buying")
            assert told["reads"].startswith(
                'The operator paused buying: "*Slack* is <!channel> away". Machines can still be destroyed.'
            )
        shown = await ours.offered(ANA, an_offer("o1", "2.15"), says="paused buying at")
        assert 'The operator paused buying at 13:00: "*Slack* is <!channel> away".' in shown["reads"]
        assert (
            await carry_out(ours.deps, Command(kind=Kind.RESUME, why="it is back"))
            == "Buying has resumed, so machines can be rented again."
        )
        told = await ours.deliver_until("resumed buying", channel=GPUS)
        assert (
            told["reads"] == 'The operator (reason: "it is back") resumed buying, so machines can be rented again.'
        )


async def test_the_operator_approves_a_request_with_the_total_from_list(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        rental = await asked(ours)
        listed = (await carry_out(ours.deps, Command(kind=Kind.LIST))).splitlines()
        line = f"To decide about it: gpubot approve {rental.id} --up-to 89.70, or gpubot deny {rental.id}"
        assert line in listed
        for typed in ("72", "89.7000001", "89.71", "much"):
            with pytest.raises(Mistake, match=rf"^{typed} isn't its current total, so nothing was approved\. "):
                await carry_out(ours.deps, Command(kind=Kind.APPROVE, id=rental.id, up_to=typed, why=WHY))
        assert (await ours.rental(rental.id)).state is State.AWAITING_APPROVAL
        answer = await carry_out(ours.deps, Command(kind=Kind.APPROVE, id=rental.id, up_to="$89.70", why=WHY))
        assert answer == f"You approved 1x H100 SXM 80 GB ({rental.id}) in EU."
        assert (await ours.rental(rental.id)).approved_by == "operator"
        await ours.deliver_all()
        assert f"{SHOWN[4:]} approved" in (await ours.look(BEN, APPROVALS, "approved"))["reads"]
        for late in (
            Command(kind=Kind.DENY, id=rental.id, why=WHY),
            Command(kind=Kind.APPROVE, id=rental.id, up_to="72", why=WHY),
        ):
            with pytest.raises(AlreadyDecided):
                await carry_out(ours.deps, late)


async def test_the_operator_denies_a_request_with_a_reason(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        rental = await asked(ours)
        assert await carry_out(ours.deps, Command(kind=Kind.DENY, id=rental.id, why=WHY)) == (
            f"You declined the request for 1x H100 SXM 80 GB ({rental.id}) in EU."
        )
        assert (await ours.rental(rental.id)).state is State.DENIED
        await ours.deliver_all()
        for user, channel, words in (
            (BEN, APPROVALS, f"{SHOWN[4:]} declined"),
            (ANA, direct(ANA), f"The {SHOWN[4:]} declined your request for 1x H100 SXM 80 GB"),
        ):
            told = (await ours.look(user, channel, words))["reads"]
            assert told.count("away") == 1


def test_no_error_on_a_terminal_names_a_slack_command() -> None:
    for step in NextStep:
        assert "/gpu" not in error_on_terminal(Mistake("That doesn't work.", next_step=step)), step
    for block in BuyingBlock:
        assert "/gpu" not in error_on_terminal(BuyingBlocked(block)), block


@pytest.mark.parametrize(
    ("why", "words"),
    [
        ("   ", "^Give a reason"),
        ("\u202e\n\x1b", "^Give a reason"),
        ("x" * 201, "^--why: write at most 200 characters"),
    ],
)
async def test_an_empty_or_too_long_reason_is_rejected(tmp_path: Path, why: str, words: str) -> None:
    async with team(tmp_path) as ours:
        rental = await running(ours)
        for command in (
            Command(kind=Kind.EXTEND, id=rental.id, by="2h", why=why),
            Command(kind=Kind.DESTROY, id=rental.id, why=why),
            Command(kind=Kind.PAUSE, why=why),
            Command(kind=Kind.RESUME, why=why),
        ):
            with pytest.raises(Mistake, match=words):
                await carry_out(ours.deps, command)
        async with ours.deps.store.read() as tx:
            assert EventKind.EXTENDED not in {event.kind for event in await tx.events.of(rental.id)}


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (
            "Ends <!date^1795521600^{date_short_pretty} at {time}|Tue 24 Nov 12:00 UTC>.",
            "Ends Tue 24 Nov 12:00 UTC.",
        ),
        ("in <#C0123ABCD>, <@U1>, <!subteam^S1>, <https://x.test|a link>", "in C0123ABCD, U1, S1, a link"),
        (
            "/gpu list all, /gpu extend k7mq2 2h, /gpu get H100",
            "gpubot list, gpubot extend k7mq2 2h, /gpu get H100",
        ),
        (escape("*a* <b> & `c` \x1b[31m\u202ered :smile:"), "*a* <b> & 'c' [31mred :smile:"),
        ("two\nlines\r\x07", "two\nlines"),
    ],
)
def test_mrkdwn_is_converted_for_a_terminal(text: str, shown: str) -> None:
    assert on_terminal(text) == shown
