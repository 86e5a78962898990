"""API tokens: how they are made, approved, changed, used by programs, and stopped with their machines."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from bot.errors import (
    AlreadyDecided,
    InvalidToken,
    Mistake,
    Refused,
    RequestChanged,
    TooLate,
    WrongTerm,
)
from bot.lifecycle.account.owners_left import check_owners
from bot.lifecycle.actions import callers, tokens
from bot.lifecycle.actions.action import carry_out, preview
from bot.lifecycle.actions.away import GoAway
from bot.lifecycle.actions.tokens import ApproveToken, ChangeToken, DenyToken, MakeToken, StopToken, TokenMade
from bot.lifecycle.changes.apply import apply
from bot.lifecycle.changes.transitions import alter
from bot.lifecycle.deps import transact
from bot.lifecycle.money.token_use import use_of
from bot.lifecycle.people.deciders import ask_each_directly, check_deciders
from bot.lifecycle.people.token_ends import expire_tokens
from bot.lifecycle.people.undecided import check_undecided
from bot.model.base import changed
from bot.model.event import EventKind as E
from bot.model.message import MessageKind
from bot.model.money import micros
from bot.model.person import OPERATOR, Person
from bot.model.records import Change
from bot.model.rental import Rental
from bot.model.state import State
from bot.model.summary import Over
from bot.model.token import Access, Program, Token, TokenEnd, TokenState, TokenTerms, TokenUse
from bot.policy.access.token_secret import is_secret, new_secret
from bot.policy.team.rules import Approval
from store.db import Tx
from tests.lifecycle.adopting import change_owner
from tests.lifecycle.machines import Script
from tests.lifecycle.world import ANA, BEN, CLEO, DORA, HOUR, MINUTE, PROBE, RULES, World, world
from tests.sandbox.compute_world import NOON

DAY = 24 * HOUR
ID, OTHER, NAME = "tk7mq2", "tn4xw8", "nightly eval"
SMALL, LARGE = micros(Decimal(50)), micros(Decimal(200))
"""A total within the limits of `auto_approve`, and one that needs an approver."""


@pytest.fixture
async def here(here: World) -> AsyncIterator[World]:
    """Yield the usual world, and deliver the messages of the test before the world is checked."""
    yield here
    await here.settle()


def terms(here: World, **fields: Any) -> TokenTerms:
    """Return terms that need no approver."""
    return TokenTerms(
        **{
            "access": Access.RENT,
            "models": ("H100",),
            "per_hour": Decimal(5),
            "total": SMALL,
            "at_once": 2,
            "per_day": 6,
            "longest": 4 * HOUR,
            "until": here.now + 20 * DAY,
            **fields,
        }
    )


async def make(
    here: World, person: Person = ANA, name: str = NAME, token_id: str = ID, **fields: Any
) -> TokenMade:
    return await carry_out(here.deps, person, MakeToken(name, terms(here, **fields), token_id))


async def stored(here: World, token_id: str = ID) -> Token:
    async with here.deps.store.read() as tx:
        found = await tx.tokens.get(token_id)
    assert found is not None
    return found


def secret_of(made: TokenMade) -> str:
    assert made.secret is not None
    return made.secret.get_secret_value()


async def works(here: World, made: TokenMade) -> bool:
    """Return whether a program can use the secret now."""
    try:
        await callers.caller_of(here.deps, secret_of(made))
    except InvalidToken:
        return False
    return True


async def of_program(here: World, rental: Rental, token_id: str = ID, key: str = "run-1") -> Rental:
    """Make a rental one that a program requested with a token."""

    async def decision(tx: Tx) -> Rental:
        before = await tx.rentals.get(rental.id)
        assert before is not None
        program = Program(token_name=NAME, fingerprint="")
        after = alter(before, token_id=token_id, idempotency_key=key, program=program)
        return await apply(tx, here.deps, Change(before, after))

    return await transact(here.deps, decision)


async def use(here: World, token_id: str = ID) -> TokenUse:
    async with here.deps.store.read() as tx:
        token = await tx.tokens.get(token_id)
        assert token is not None
        return await use_of(tx, token, here.now)


async def account_kinds(here: World) -> list[E]:
    return await here.account_event_kinds()


# --- making


async def test_a_token_within_the_limits_works_at_once(here: World) -> None:
    made = await make(here)
    assert (made.token.state, made.over, made.asked) == (TokenState.LIVE, (), None)
    caller = await callers.caller_of(here.deps, secret_of(made))
    assert (caller.token.id, caller.person.id, caller.name) == (ID, ANA.id, "nightly eval (Ana)")
    assert await account_kinds(here) == []


async def test_the_secret_is_neither_stored_nor_shown(here: World) -> None:
    made = await make(here, total=LARGE)
    secret = secret_of(made)
    assert is_secret(secret)
    assert secret not in repr(made)
    async with here.database.engines.reader.connect() as conn:
        driver = (await conn.get_raw_connection()).driver_connection
        assert driver is not None
        dump = [line async for line in driver.iterdump()]
    assert dump
    assert not any(secret in line or secret[4:30] in line for line in dump)


async def test_unknown_and_malformed_secrets_are_refused_with_the_same_words(here: World) -> None:
    await make(here)
    for secret in ("", "gpb_", new_secret(), "x" * 10_000):
        with pytest.raises(InvalidToken) as refused:
            await callers.caller_of(here.deps, secret)
        assert refused.value.words == "This token isn't valid. Ask the person who gave it to you for a new one."


async def test_a_second_submission_makes_no_second_token_and_voids_the_first_secret(here: World) -> None:
    first = await make(here)
    second = await make(here)
    assert (await works(here, first), await works(here, second)) == (False, True)
    with pytest.raises(TooLate, match="A program already uses nightly eval"):
        await make(here)
    assert await works(here, second)
    assert len(await tokens.tokens_of(here.deps, ANA)) == 1


async def test_a_second_submission_asks_the_approvers_only_about_other_terms(here: World) -> None:
    await make(here, total=LARGE)
    again = await make(here, total=LARGE)
    assert await account_kinds(here) == [E.TOKEN_ASKED]
    third = await make(here, total=LARGE + 1)
    assert await account_kinds(here) == [E.TOKEN_ASKED, E.TOKEN_ASKED]
    token = await stored(here)
    assert token.requested is not None
    assert (token.requested.version, token.requested.terms.total) == (2, LARGE + 1)
    await carry_out(here.deps, BEN, ApproveToken(token.id, 2))
    assert (await works(here, again), await works(here, third)) == (False, True)


async def test_a_second_submission_after_the_approval_has_a_secret_that_works(here: World) -> None:
    first = await make(here, total=LARGE)
    await carry_out(here.deps, BEN, ApproveToken(ID, 1))
    again = await make(here, total=LARGE, until=first.token.newest_terms.until)
    assert (again.over, again.asked) == ((), None)
    assert await works(here, again)


async def test_one_live_token_of_a_person_has_a_name(here: World) -> None:
    await make(here)
    with pytest.raises(WrongTerm, match="already have a token called NIGHTLY eval") as refused:
        await make(here, name=" NIGHTLY  eval", token_id=OTHER)
    assert refused.value.field == "name"
    await make(here, BEN, token_id=f"{OTHER}b")
    await carry_out(here.deps, ANA, StopToken(ID))
    await make(here, token_id=OTHER)


async def test_nobody_makes_or_changes_a_token_for_somebody_else(here: World) -> None:
    await make(here)
    with pytest.raises(Refused, match="Only its owner"):
        await make(here, BEN)
    with pytest.raises(Refused, match="Only its owner"):
        await carry_out(here.deps, CLEO, ChangeToken(ID, terms(here, total=1)))
    with pytest.raises(Refused, match="rules don't let you rent"):
        await make(here, Person(id="U0GUEST", name="Gus", guest=True), token_id=OTHER)


async def test_only_approvers_and_admins_see_everyones_tokens(here: World) -> None:
    await make(here)
    await make(here, BEN, token_id=OTHER)
    for person in (BEN, CLEO):
        found = await tokens.tokens_of(here.deps, person, everyone=True)
        assert [(one.token.id, one.owner_name) for one in found] == [(ID, "Ana"), (OTHER, "Ben")]
    assert [one.token.id for one in await tokens.tokens_of(here.deps, BEN)] == [OTHER]
    with pytest.raises(Refused, match="Only approvers and admins can see everyone's tokens"):
        await tokens.tokens_of(here.deps, ANA, everyone=True)


async def test_a_person_can_have_only_so_many_tokens(here: World) -> None:
    for n in range(tokens.MOST_TOKENS):
        await make(here, name=f"eval {n}", token_id=f"t{n}")
    with pytest.raises(Refused, match="You have 20 tokens"):
        await make(here, name="one more", token_id=OTHER)


async def test_two_submissions_at_once_make_one_token_with_one_secret(url: str) -> None:
    async with world(url) as here:
        made = await asyncio.gather(make(here), make(here))
        assert sorted([await works(here, one) for one in made]) == [False, True]
        assert len(await tokens.tokens_of(here.deps, ANA)) == 1


async def test_of_two_tokens_with_one_name_at_once_only_one_is_made(url: str) -> None:
    async with world(url) as here:
        made = await asyncio.gather(make(here), make(here, token_id=OTHER), return_exceptions=True)
        assert [isinstance(one, WrongTerm) for one in made].count(True) == 1
        assert len(await tokens.tokens_of(here.deps, ANA)) == 1


# --- approvals


async def test_a_token_over_the_limits_does_not_work_until_an_approver_agrees(here: World) -> None:
    made = await make(here, total=LARGE)
    assert (made.token.state, made.over) == (TokenState.ASKED, (Over.TOTAL,))
    assert made.asked is not None
    assert made.asked.names[0] == "Ben"
    assert not await works(here, made)
    (asked,) = await here.messages(MessageKind.TOKEN)
    assert (asked.to.value, asked.token_id) == (RULES.approvals_to, ID)
    for person, why in ((ANA, "Only approvers"), (CLEO, "Only approvers")):
        with pytest.raises(Refused, match=why):
            await carry_out(here.deps, person, ApproveToken(ID, 1))
    await carry_out(here.deps, BEN, ApproveToken(ID, 1))
    token = await stored(here)
    assert (token.state, token.approved_by, token.requested) == (TokenState.LIVE, BEN.id, None)
    assert await works(here, made)
    assert [(to, event.actor) for to, event in await here.notices(E.TOKEN_APPROVED)] == [(ANA.id, BEN.id)]
    with pytest.raises(AlreadyDecided):
        await carry_out(here.deps, DORA, ApproveToken(ID, 1))


async def test_an_approver_decides_about_their_own_token_only_if_the_policy_allows_it(here: World) -> None:
    await make(here, BEN, total=LARGE)
    with pytest.raises(Refused, match="Another approver"):
        await carry_out(here.deps, BEN, ApproveToken(ID, 1))
    here.deps = replace(here.deps, rules=changed(here.deps.rules, self_approval=True))
    await carry_out(here.deps, BEN, ApproveToken(ID, 1))
    assert await here.notices(E.TOKEN_APPROVED) == []


async def test_the_admins_decide_if_no_approver_is_left(here: World) -> None:
    """The approvers' message is edited, and the admins learn how many requests wait."""
    await make(here, total=LARGE)
    await here.settle()
    (before,) = await here.messages(MessageKind.TOKEN)
    here.people.changed |= {one.id: changed(one, deactivated=True) for one in (BEN, DORA)}
    await check_deciders(here.deps, here.people)
    ((to, event),) = await here.notices(E.NO_APPROVER_LEFT)
    (after,) = await here.messages(MessageKind.TOKEN)
    assert (to, event.facts.count, after.target_version > before.target_version) == (CLEO.id, 1, True)
    token = await carry_out(here.deps, CLEO, ApproveToken(ID, 1))
    assert (token.state, token.approved_by) == (TokenState.LIVE, CLEO.id)


async def test_a_denied_token_never_works(here: World) -> None:
    made = await make(here, total=LARGE)
    await carry_out(here.deps, BEN, DenyToken(ID, 1, "use the small model"))
    token = await stored(here)
    assert (token.state, token.over_by, token.due_at) == (TokenState.DENIED, BEN.id, None)
    assert token.decided is not None
    assert token.decided.reason == "use the small model"
    assert not await works(here, made)
    ((to, event),) = await here.notices(E.TOKEN_DENIED)
    assert (to, event.facts.detail, event.facts.still_works) == (ANA.id, "use the small model", False)
    with pytest.raises(TooLate, match="has ended"):
        await carry_out(here.deps, ANA, ChangeToken(ID, terms(here)))


async def test_a_request_expires_in_the_approvers_hours_and_away_time_does_not_count(here: World) -> None:
    """It is noon on a Tuesday. The approvers' hours end at 20:00, and the next ones begin at 8:00."""
    made = await make(here, total=LARGE)
    assert made.token.requested is not None
    assert made.token.requested.expires_at == here.now + 8 * HOUR
    async with here.deps.store.write() as tx:
        await tx.people.put(DORA, here.now)
    for person in (BEN, DORA):
        await carry_out(here.deps, person, GoAway(here.now + 2 * HOUR))
    token = await stored(here)
    assert token.requested is not None
    assert token.requested.expires_at == here.now + 8 * HOUR + 12 * HOUR + 2 * HOUR
    here.jump(token.requested.expires_at - here.now)
    with pytest.raises(TooLate, match="expired before anyone decided"):
        await carry_out(here.deps, BEN, ApproveToken(ID, 1))
    await expire_tokens(here.deps)
    assert (await stored(here)).state is TokenState.EXPIRED
    ((to, event),) = await here.notices(E.TOKEN_EXPIRED)
    assert (to, event.facts.why, event.facts.still_works) == (ANA.id, TokenEnd.UNDECIDED, False)


async def test_an_approval_checks_the_rules_again(here: World) -> None:
    await make(here, total=LARGE)
    lower = changed(RULES, lease=changed(RULES.lease, max=2 * HOUR, default=HOUR))
    here.deps = replace(here.deps, rules=lower)
    with pytest.raises(WrongTerm, match="The longest lease is 2 h"):
        await carry_out(here.deps, BEN, ApproveToken(ID, 1))


async def test_each_approver_is_reminded_once_in_a_direct_message(here: World) -> None:
    """It is noon. Dora's hours in New York begin an hour later, at 8:00."""
    async with here.deps.store.write() as tx:
        await tx.people.put(changed(DORA, tz="America/New_York"), here.now)
    await make(here, total=LARGE)
    for minutes, reminded in ((59, []), (60, [BEN.id]), (119, [BEN.id]), (120, [BEN.id, DORA.id])):
        here.jump(NOON + minutes * MINUTE - here.now)
        await check_undecided(here.deps)
        _, *asked = await here.messages(MessageKind.TOKEN)
        assert [one.to.value for one in asked] == reminded, minutes


async def test_others_are_asked_once_if_the_approvers_decide_nothing_for_hours(here: World) -> None:
    rules = changed(RULES, approval=Approval(then=(CLEO.id,), then_after=2 * HOUR, remind=5 * HOUR))
    here.restart(replace(here.deps, rules=rules))
    await make(here, total=LARGE)
    for hours, asked in ((1, []), (2, [CLEO.id]), (3, [CLEO.id])):
        here.jump(HOUR)
        await check_undecided(here.deps)
        messages = await here.messages(MessageKind.TOKEN)
        assert [one.to.value for one in messages] == [rules.approvals_to, *asked], hours
    await carry_out(here.deps, CLEO, DenyToken(ID, 1))
    assert (await stored(here)).state is TokenState.DENIED


async def test_approvers_are_asked_directly_if_their_channel_is_gone(here: World) -> None:
    await make(here, total=LARGE)
    (message,) = await here.messages(MessageKind.TOKEN)
    assert await transact(here.deps, ask_each_directly, here.deps, message, [ANA.id])
    asked = (await here.messages(MessageKind.TOKEN))[1:]
    assert {(one.to.value, one.token_id, one.event_id) for one in asked} == {
        (person.id, ID, message.event_id) for person in (BEN, DORA)
    }


# --- changes


async def test_tightening_works_at_once(here: World) -> None:
    made = await make(here, total=LARGE)
    await carry_out(here.deps, BEN, ApproveToken(ID, 1))
    changed_ = await carry_out(here.deps, ANA, ChangeToken(ID, terms(here, total=LARGE - 1, at_once=1)))
    assert (changed_.over, changed_.token.approved_by) == ((), BEN.id)
    assert changed_.token.terms is not None
    assert (changed_.token.terms.total, changed_.token.terms.at_once) == (LARGE - 1, 1)
    assert await works(here, made)


async def test_the_old_terms_apply_until_looser_ones_are_approved(here: World) -> None:
    made = await make(here)
    wanted = terms(here, total=LARGE)
    asked = await carry_out(here.deps, ANA, ChangeToken(ID, wanted))
    assert (asked.over, asked.token.state) == ((Over.TOTAL,), TokenState.LIVE)
    assert asked.token.terms is not None
    assert asked.token.terms.total == SMALL
    assert await works(here, made)
    await carry_out(here.deps, ANA, ChangeToken(ID, terms(here, total=LARGE + 1)))
    with pytest.raises(RequestChanged):
        await carry_out(here.deps, BEN, ApproveToken(ID, 1))
    await carry_out(here.deps, BEN, DenyToken(ID, 2))
    token = await stored(here)
    assert (token.state, token.terms, token.requested) == (TokenState.LIVE, made.token.terms, None)
    await carry_out(here.deps, ANA, ChangeToken(ID, wanted))
    token = await carry_out(here.deps, BEN, ApproveToken(ID, 3))
    assert (token.terms, token.approved_by) == (wanted, BEN.id)


async def test_a_tighter_change_withdraws_the_request_for_looser_terms(here: World) -> None:
    await make(here)
    await carry_out(here.deps, ANA, ChangeToken(ID, terms(here, total=LARGE)))
    await carry_out(here.deps, ANA, ChangeToken(ID, terms(here, total=1)))
    with pytest.raises(TooLate, match="Nobody has to decide about nightly eval any more"):
        await carry_out(here.deps, BEN, ApproveToken(ID, 1))
    token = await stored(here)
    assert token.terms is not None
    assert token.terms.total == 1


async def test_an_undecided_change_expires_and_the_old_terms_stay(here: World) -> None:
    made = await make(here)
    assert await works(here, made)
    await carry_out(here.deps, ANA, ChangeToken(ID, terms(here, total=LARGE)))
    here.jump(9 * HOUR)
    await expire_tokens(here.deps)
    token = await stored(here)
    assert (token.state, token.terms, token.requested) == (TokenState.LIVE, made.token.terms, None)
    ((_, event),) = await here.notices(E.TOKEN_EXPIRED)
    assert (event.facts.why, event.facts.still_works) == (TokenEnd.UNDECIDED, True)
    assert await works(here, made)


# --- the end


async def test_a_token_that_no_program_uses_for_14_days_expires(here: World) -> None:
    made = await make(here)
    here.jump(10 * DAY)
    assert await works(here, made)
    here.jump(9 * DAY)
    await expire_tokens(here.deps)
    assert (await stored(here)).state is TokenState.LIVE
    assert (await stored(here)).due_at == made.token.newest_terms.until
    other = await make(here, name="other", token_id=OTHER, until=here.now + 30 * DAY)
    here.jump(14 * DAY - MINUTE)
    await expire_tokens(here.deps)
    assert ((await stored(here)).state, (await stored(here, OTHER)).state) == (
        TokenState.EXPIRED,
        TokenState.LIVE,
    )
    here.jump(MINUTE)
    assert not await works(here, other)
    await expire_tokens(here.deps)
    found = [event.facts.why for _, event in await here.notices(E.TOKEN_EXPIRED)]
    assert found == [TokenEnd.LAST_DAY, TokenEnd.UNUSED]


async def test_machines_of_an_expired_token_keep_running_and_its_waiting_requests_end(here: World) -> None:
    await make(here, until=here.now + HOUR)
    running = await of_program(here, await here.ready())
    waiting = await of_program(here, await here.get(count=8), key="run-2")
    assert waiting.state is State.AWAITING_APPROVAL
    here.jump(HOUR)
    await expire_tokens(here.deps)
    assert (await here.rental(running.id)).state is State.READY
    assert (await here.rental(waiting.id)).state is State.WITHDRAWN
    stopped = await carry_out(here.deps, ANA, StopToken(ID))
    assert [rental.id for rental in stopped.rentals] == [running.id]
    await here.until(running, State.DESTROYED)
    assert (await stored(here)).state is TokenState.EXPIRED


async def test_the_last_use_is_stored_at_most_once_a_minute(here: World) -> None:
    made = await make(here)
    first = here.now
    assert await works(here, made)
    here.jump(MINUTE - timedelta(seconds=1))
    assert await works(here, made)
    assert (await stored(here)).last_used_at == first
    here.jump(timedelta(seconds=1))
    assert await works(here, made)
    assert (await stored(here)).last_used_at == here.now


async def test_a_refused_secret_is_not_noted_as_use(here: World) -> None:
    made = await make(here, total=LARGE)
    assert not await works(here, made)
    assert (await stored(here)).last_used_at is None


# --- stopping


async def test_stopping_a_token_ends_everything_that_it_rented(here: World) -> None:
    made = await make(here)
    ready = await of_program(here, await here.ready())
    starting = await of_program(here, await here.get(lease=HOUR), key="run-2")
    waiting = await of_program(here, await here.get(count=8), key="run-3")
    own = await here.get(lease=3 * HOUR)
    plan = (await preview(here.deps, CLEO, StopToken(ID))).plan
    ending = {ready.id, starting.id, waiting.id}
    assert ({one.id for one in plan.rentals}, plan.owner, plan.script_for) == (ending, "Ana", None)
    await carry_out(here.deps, CLEO, StopToken(ID))
    assert not await works(here, made)
    await here.settle()
    await here.until(ready, State.DESTROYED)
    await here.until(starting, State.CANCELLED)
    assert (await here.rental(waiting.id)).state is State.WITHDRAWN
    assert not (await here.rental(own.id)).state.over
    ((to, event),) = await here.notices(E.TOKEN_STOPPED)
    assert (to, event.actor, set(event.facts.rentals)) == (ANA.id, CLEO.id, ending)
    with pytest.raises(TooLate, match="nightly eval has already ended"):
        await carry_out(here.deps, ANA, StopToken(ID))


async def test_a_machine_that_is_being_bought_is_deleted_when_the_token_stops(here: World) -> None:
    await make(here)
    quote = await here.ask()
    rental = await of_program(here, await here.rent(quote, settle=False))
    assert rental.state is State.PROCURING
    await carry_out(here.deps, ANA, StopToken(ID))
    await here.settle()
    await here.until(rental, State.CANCELLED)
    assert await here.alive() == []


async def test_nothing_survives_if_a_token_stops_while_its_machine_is_bought(url: str) -> None:
    async with world(url) as here:
        made = await make(here)
        rental = await of_program(here, await here.rent(await here.ask(), settle=False))
        call = await here.fault("procure_offer", "hold_after")
        buying = asyncio.create_task(here.settle())
        await here.until_hit(call)
        await carry_out(here.deps, ANA, StopToken(ID))
        assert not await works(here, made)
        await here.release(call)
        await buying
        await here.until(rental, State.CANCELLED)
        assert (len(await here.bought()), await here.alive()) == (1, [])
        assert (await use(here)).live == ()


async def test_machines_that_can_run_their_script_end_after_it(sqlite_url: str) -> None:
    """All other machines end at once."""
    async with world(sqlite_url, probe_line=PROBE) as here:
        await make(here)
        able = await of_program(here, await here.ready())
        unable = await of_program(here, await here.get(lease=HOUR), key="run-2")
        script = here.machines[able].script = Script(here.clock, 5 * MINUTE, 0)
        await here.pass_time(4 * MINUTE)
        plan = (await preview(here.deps, ANA, StopToken(ID))).plan
        assert plan.script_for is not None
        assert timedelta(0) < plan.script_for <= 10 * MINUTE
        await carry_out(here.deps, ANA, StopToken(ID, graceful_destroy=True))
        assert (await here.rental(able.id)).state is State.READY
        assert (await here.rental(unable.id)).state is State.DESTROYING
        await here.pass_time(11 * MINUTE)
        assert (await here.rental(able.id)).state is State.DESTROYED
        assert len(script.starts) == 1


async def test_stopping_a_token_leaves_alone_a_machine_with_another_owner(here: World) -> None:
    await make(here)
    rental = await of_program(here, await here.ready())
    await change_owner(here, CLEO, rental, BEN)
    assert await use(here) == TokenUse(spent=(await use(here)).spent, begun=(rental.created_at,))
    await carry_out(here.deps, CLEO, StopToken(ID))
    await here.settle()
    assert (await here.rental(rental.id)).state is State.READY


async def test_only_the_owner_approvers_and_admins_stop_a_token(here: World) -> None:
    await make(here, BEN)
    with pytest.raises(Refused, match="Only its owner, approvers and admins"):
        await carry_out(here.deps, ANA, StopToken(ID))
    with pytest.raises(Refused, match="Only its owner, approvers and admins"):
        await tokens.token_for(here.deps, ANA, ID)
    with pytest.raises(Mistake, match="I don't know this token"):
        await carry_out(here.deps, BEN, StopToken("tnone"))
    await carry_out(here.deps, OPERATOR, StopToken(ID))
    assert (await stored(here)).state is TokenState.STOPPED


async def test_the_tokens_of_an_owner_who_left_stop_and_the_admins_get_the_machines(here: World) -> None:
    made = await make(here)
    asked = await make(here, name="other", token_id=OTHER, total=LARGE)
    rental = await of_program(here, await here.ready())
    here.people.changed[ANA.id] = changed(ANA, deactivated=True)
    await check_owners(here.deps)
    assert not await works(here, made)
    assert {(await stored(here, one.token.id)).state for one in (made, asked)} == {TokenState.STOPPED}
    assert (CLEO.id, E.OWNER_LEFT) in await here.direct(rental)
    assert (await here.rental(rental.id)).state is State.READY
    assert await here.notices(E.TOKEN_STOPPED) == []
    with pytest.raises(TooLate):
        await carry_out(here.deps, BEN, ApproveToken(OTHER, 1))


async def test_an_owner_without_rentals_who_left_has_no_working_token(here: World) -> None:
    made = await make(here)
    assert await works(here, made)
    here.people.changed[ANA.id] = changed(ANA, deactivated=True)
    await check_owners(here.deps)
    assert (await stored(here)).state is TokenState.STOPPED


async def test_a_person_who_may_not_use_the_bot_any_more_has_no_working_token(here: World) -> None:
    made = await make(here)
    rules = changed(RULES, use=changed(RULES.use, groups=("S0ML",)))
    here.deps = replace(here.deps, rules=rules)
    assert not await works(here, made)


# --- what the rentals of a token use up


async def test_a_tokens_total_counts_charges_and_what_live_rentals_can_still_cost(here: World) -> None:
    await make(here)
    first = await of_program(here, await here.get())
    assert await use(here) == TokenUse(
        spent=first.terms.total,
        per_hour=first.terms.max_rate,
        live=(first.id,),
        begun=(first.created_at,),
    )
    first = await here.until(first, State.READY)
    async with here.deps.store.read() as tx:
        reserved = sum(one.amount for one in await tx.budgets.reservations(first.id))
    assert (await use(here)).spent == reserved < first.terms.total
    first = await here.destroy(first)
    assert (await use(here)).per_hour == first.terms.max_rate
    first = await here.until(first, State.DESTROYED)
    charged = sum(row.amount for row in await here.ledger(first))
    assert await use(here) == TokenUse(spent=charged, begun=(first.created_at,))
    second = await of_program(here, await here.get(lease=HOUR), key="run-2")
    found = await use(here)
    assert (found.spent, found.live) == (charged + second.terms.total, (second.id,))
    here.jump(DAY)
    assert (await use(here)).begun == ()
    await here.until(second, State.READY, State.FAILED, State.DESTROYED)


async def test_a_rental_over_the_end_of_the_month_counts_once(here: World) -> None:
    """Its whole cost is reserved in both months until the machine is ready. It is 24 Nov."""
    rules = changed(RULES, auto_approve=changed(RULES.auto_approve, total=Decimal(10_000)))
    here.restart(replace(here.deps, rules=rules))
    here.jump(timedelta(days=6, hours=4))
    await make(here, longest=72 * HOUR, total=micros(Decimal(5000)))
    rental = await of_program(here, await here.get(lease=24 * HOUR))
    async with here.deps.store.read() as tx:
        months = [one.month for one in await tx.budgets.reservations(rental.id)]
    assert len(months) == 2
    assert (await use(here)).spent == rental.terms.total
    rental = await here.until(rental, State.READY)
    async with here.deps.store.read() as tx:
        parts = [one.amount for one in await tx.budgets.reservations(rental.id)]
    assert len(parts) == 2
    assert (await use(here)).spent == sum(parts)


async def test_requests_that_wait_count_as_machines_but_not_as_money(here: World) -> None:
    await make(here)
    waiting = await of_program(here, await here.get(count=8))
    assert waiting.state is State.AWAITING_APPROVAL
    assert await use(here) == TokenUse(live=(waiting.id,), begun=(waiting.created_at,))
    await here.deny(waiting)
    assert await use(here) == TokenUse()


async def test_the_owner_learns_that_a_token_asks_for_too_many_machines(here: World) -> None:
    await make(here)

    async def decision(tx: Tx) -> None:
        await tokens.tell_crowded(tx, here.deps, await stored_in(tx), 50)

    await transact(here.deps, decision)
    ((to, event),) = await here.notices(E.TOKEN_CROWDED)
    assert (to, event.facts.count, (await stored(here)).crowded_at) == (ANA.id, 50, here.now)


async def stored_in(tx: Tx) -> Token:
    found = await tx.tokens.get(ID)
    assert found is not None
    return found


async def test_others_are_asked_about_a_token_while_all_approvers_are_away(here: World) -> None:
    """If every approver is away, the people of `approval.then` are asked at once."""
    rules = changed(RULES, approval=Approval(then=(CLEO.id,)))
    here.restart(replace(here.deps, rules=rules))
    async with here.deps.store.write() as tx:
        await tx.people.put(DORA, here.now)
    for person in (BEN, DORA):
        await carry_out(here.deps, person, GoAway(here.now + 2 * HOUR))
    made = await make(here, total=LARGE)
    assert made.asked is not None
    assert (made.asked.names, set(made.asked.away)) == (("Cleo",), {"Ben", "Dora"})
    assert {one.to.value for one in await here.messages(MessageKind.TOKEN)} == {rules.approvals_to, CLEO.id}
    await carry_out(here.deps, CLEO, ApproveToken(ID, 1))
    assert await works(here, made)
