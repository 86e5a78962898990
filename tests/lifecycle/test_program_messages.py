"""A machine that a program rented: the messages to its owner, and its end without a notice."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

from bot.lifecycle.actions.action import carry_out
from bot.lifecycle.actions.programs import ExtendForProgram, RentForProgram
from bot.lifecycle.actions.queries import details_for_message
from bot.lifecycle.actions.tokens import MakeToken, StopToken
from bot.model.event import EventKind as E
from bot.model.message import MessageKind
from bot.model.money import micros
from bot.model.rental import Rental
from bot.model.request import Request
from bot.model.state import State
from bot.model.token import Access, TokenTerms
from tests.lifecycle.adopting import change_owner
from tests.lifecycle.leases import be_down_until, count, destroyed_at, direct_messages, end_of
from tests.lifecycle.test_steps_restored import back_up, ours
from tests.lifecycle.test_steps_restored_database import restore, slack_shows_a_later_version
from tests.lifecycle.world import ANA, BEN, CLEO, HOUR, MINUTE, SECOND, World

__all__ = ["ours"]
GRACE = 15 * MINUTE
TOKEN = "tk7mq2"  # noqa: S105 - an ID, not a secret


async def rent(here: World) -> Rental:
    """Let a program rent a machine for three hours with Ana's token, and return the rental once it is ready."""
    terms = TokenTerms(
        access=Access.RENT,
        models=("H100",),
        per_hour=Decimal(5),
        total=micros(Decimal(50)),
        longest=4 * HOUR,
        until=here.now + 240 * HOUR,
    )
    await carry_out(here.deps, ANA, MakeToken("nightly eval", terms, TOKEN))
    wanted = Request(gpu="H100", count=1, region="EU", lease=3 * HOUR)
    rented = await carry_out(here.deps, ANA, RentForProgram(TOKEN, wanted, "run-1"))
    return await here.until(rented.rental, State.READY)


async def test_a_programs_machine_ends_on_time_and_its_owner_gets_no_message(here: World) -> None:
    rental = await rent(here)
    assert await destroyed_at(here, rental) == end_of(rental)
    assert await count(here, rental, E.ENDING) == await direct_messages(here, rental) == 0
    assert [one.rental_id for one in await here.messages(MessageKind.CARD)] == [rental.id]
    assert await here.messages(MessageKind.THREAD) == []


async def test_a_programs_machine_ends_on_time_while_slack_is_down(here: World) -> None:
    rental = await rent(here)
    here.slack_is_down = True
    await be_down_until(here, end_of(rental))
    assert await destroyed_at(here, rental) == end_of(rental)


async def test_the_owner_learns_that_another_person_destroyed_a_programs_machine(here: World) -> None:
    rental = await rent(here)
    await here.destroy(rental, BEN)
    assert await direct_messages(here, rental) == 1


async def test_the_card_of_a_programs_machine_knows_who_stopped_the_token(here: World) -> None:
    rental = await rent(here)
    await carry_out(here.deps, BEN, StopToken(TOKEN))
    await here.until(rental, State.DESTROYED)
    async with here.deps.store.read() as tx:
        details = await details_for_message(tx, await here.rental(rental.id), here.now)
    assert details.token is not None
    assert details.names[details.token.over_by or ""] == BEN.name


async def test_a_new_owner_of_a_programs_machine_is_notified_of_its_end(here: World) -> None:
    rental = await rent(here)
    await change_owner(here, CLEO, rental, BEN)
    await destroyed_at(here, rental)
    assert await count(here, rental, E.ENDING) == 1


async def test_an_end_that_a_restored_database_forgot_is_announced_before_it_comes(
    ours: World, sqlite_url: str, tmp_path: Path
) -> None:
    """The program extended the lease after the backup. Only the card in Slack shows the later end."""
    here, copy = ours, tmp_path / "copy.db"
    rental = await rent(here)
    await be_down_until(here, end_of(rental) - 10 * MINUTE)
    back_up(sqlite_url, copy)
    await carry_out(here.deps, ANA, ExtendForProgram(TOKEN, rental.id, lease=4 * HOUR))
    here.jump(15 * MINUTE)
    async with restore(here, copy):
        await here.settle()
        assert (await here.rental(rental.id)).state is State.READY
        await slack_shows_a_later_version(here, rental)
        assert await direct_messages(here, rental) == 1
        await here.pass_time(GRACE - SECOND)
        assert (await here.rental(rental.id)).state is State.READY
        await here.until(rental, State.DESTROYED, within=5 * MINUTE)
