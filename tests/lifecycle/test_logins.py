"""Logins by code: who can use a code, which token the program gets, and what happens too late."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from bot.clock import MovedClock
from bot.errors import Mistake, Refused, TooLate, UnknownLogin
from bot.lifecycle.actions.action import carry_out
from bot.lifecycle.actions.callers import caller_of
from bot.lifecycle.actions.logins import CODE_LETTERS, MOST_PENDING, begin_login, login_for, login_of_code
from bot.lifecycle.actions.tokens import ApproveToken, MakeToken, StopToken, TokenMade, tokens_of
from bot.lifecycle.deps import Deps
from bot.lifecycle.loops.retention import KEEP_LOGINS, drop_old
from bot.model.api import LoginRequest
from bot.model.base import changed
from bot.model.login import Login
from bot.model.money import micros
from bot.model.person import Person
from bot.model.summary import Over
from bot.model.token import Access, TokenState, TokenTerms
from bot.policy.access.token_secret import new_secret
from bot.sealed_secret import new_key, open_sealed, public_text
from store.db import Database
from tests.databases import START, beside
from tests.lifecycle.world import ANA, BEN, CLEO, DORA, MINUTE, RULES, World

SECOND = timedelta(seconds=1)
NAME = "nightly eval"
SMALL, LARGE = micros(Decimal(50)), micros(Decimal(200))
"""A total within the limits of `auto_approve`, and one that needs an approver."""
GUS = Person(id="U0GUEST", name="Gus", guest=True)


def request(key: X25519PrivateKey | None = None, **fields: Any) -> LoginRequest:
    public_key = public_text(key or new_key())
    return LoginRequest(**{"public_key": public_key, "program": "gpubot", "host": "build-7", **fields})


async def begin(deps: Deps, key: X25519PrivateKey | None = None, **fields: Any) -> Login:
    return await begin_login(deps, request(key, **fields), "203.0.113.9")


async def submit(deps: Deps, form: Login, person: Person = ANA, name: str = NAME, **fields: Any) -> TokenMade:
    """Submit the form for the token of a login. By default, its terms need no approver."""
    usual: dict[str, Any] = {
        "access": Access.RENT,
        "models": ("H100",),
        "per_hour": Decimal(5),
        "total": SMALL,
        "longest": timedelta(hours=4),
        "until": form.created_at + timedelta(days=14),
    }
    assert form.token_id is not None
    return await carry_out(
        deps, person, MakeToken(name, TokenTerms(**{**usual, **fields}), form.token_id, form.id)
    )


async def fetched(deps: Deps, login: Login, key: X25519PrivateKey) -> str:
    """Return the secret that the program decrypts."""
    found = (await login_for(deps, login.id)).login
    assert found.secret is not None
    return open_sealed(found.secret, key, login.id)


async def refused(deps: Deps, code: str, person: Person = ANA) -> str:
    """Type a code that doesn't work, and return the answer without the code."""
    with pytest.raises(Mistake) as mistake:
        await login_of_code(deps, person, code)
    return mistake.value.words.replace(code, "CODE")


UNKNOWN = "I don't know the code CODE, or it's older than 10 min. Run gpubot agent login again for a new one."


# --- from the code to the token


async def test_only_the_program_that_asked_gets_the_secret(here: World) -> None:
    key = new_key()
    login = await begin(here.deps, key)
    assert len(login.code) == 8
    assert set(login.code) <= set(CODE_LETTERS)
    assert not set(CODE_LETTERS) & set("AEIOUY0123456789")
    assert (login.expires_at, (await login_for(here.deps, login.id)).token) == (here.now + 10 * MINUTE, None)
    form = await login_of_code(here.deps, ANA, login.code.lower())
    made = await submit(here.deps, form)
    assert (made.secret, made.token.state) == (None, TokenState.LIVE)
    found = await login_for(here.deps, login.id)
    assert found.token is not None
    assert (found.login, found.token.id, found.owner_name) == (made.login, form.token_id, "Ana")
    caller = await caller_of(here.deps, await fetched(here.deps, login, key))
    assert (caller.name, caller.token.id) == ("nightly eval (Ana)", form.token_id)


async def test_the_secret_of_a_login_is_neither_stored_nor_shown(here: World) -> None:
    key = new_key()
    login = await begin(here.deps, key)
    made = await submit(here.deps, await login_of_code(here.deps, ANA, login.code))
    secret = await fetched(here.deps, login, key)
    found = await login_for(here.deps, login.id)
    assert not [text for text in (secret, login.code, login.id) if text in f"{login} {made!r} {found!r}"]
    async with here.database.engines.reader.connect() as conn:
        driver = (await conn.get_raw_connection()).driver_connection
        assert driver is not None
        dump = [line async for line in driver.iterdump()]
    assert any(login.id in line for line in dump)
    assert not any(secret in line or secret[4:30] in line for line in dump)


async def test_a_token_of_a_login_can_need_an_approver(here: World) -> None:
    key = new_key()
    login = await begin(here.deps, key)
    made = await submit(here.deps, await login_of_code(here.deps, ANA, login.code), total=LARGE)
    assert (made.over, made.token.state, made.secret) == ((Over.TOTAL,), TokenState.ASKED, None)
    await carry_out(here.deps, BEN, ApproveToken(made.token.id, 1))
    assert (await caller_of(here.deps, await fetched(here.deps, login, key))).token.id == made.token.id
    await here.settle()


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"public_key": "A" * 43 + "="}, "No secret can be encrypted for this public_key."),
        ({"program": new_secret()}, "The request contains the secret of a token."),
    ],
)
async def test_a_login_with_an_unusable_key_or_name_is_refused(
    here: World, fields: dict[str, Any], words: str
) -> None:
    with pytest.raises(Mistake) as mistake:
        await begin(here.deps, **fields)
    assert mistake.value.words.startswith(words)


# --- codes that don't work


async def test_unknown_expired_used_and_other_peoples_codes_get_one_answer(here: World) -> None:
    assert await refused(here.deps, "KTRWXQMB") == UNKNOWN
    for typed in ("KTRWXQM", "KTRWXQMBB", "KTRWXQMA", "KTRW XQMB"):
        assert await refused(here.deps, typed) == UNKNOWN
    others, used, old = await begin(here.deps), await begin(here.deps), await begin(here.deps)
    await login_of_code(here.deps, BEN, others.code)
    assert await refused(here.deps, others.code) == UNKNOWN
    await submit(here.deps, await login_of_code(here.deps, ANA, used.code))
    assert await refused(here.deps, used.code) == UNKNOWN
    here.jump(10 * MINUTE - SECOND)
    assert (await login_of_code(here.deps, ANA, old.code)).id == old.id
    here.jump(SECOND)
    assert await refused(here.deps, old.code) == UNKNOWN, "not even the person who has typed it before"


async def test_somebody_who_may_not_use_the_bot_cannot_use_up_a_code(here: World) -> None:
    login = await begin(here.deps)
    with pytest.raises(Refused, match="rules don't let you rent"):
        await login_of_code(here.deps, GUS, login.code)
    assert (await login_of_code(here.deps, ANA, login.code)).person == ANA.id


async def test_the_same_person_can_open_the_form_again_and_makes_one_token(here: World) -> None:
    key = new_key()
    login = await begin(here.deps, key)
    first = await login_of_code(here.deps, ANA, login.code)
    here.jump(9 * MINUTE)
    again = await login_of_code(here.deps, ANA, login.code)
    assert (again.token_id, again.expires_at) == (first.token_id, here.now + 10 * MINUTE)
    here.jump(9 * MINUTE)
    await asyncio.gather(submit(here.deps, first), submit(here.deps, again))
    assert [one.token.id for one in await tokens_of(here.deps, ANA)] == [first.token_id]
    assert (await caller_of(here.deps, await fetched(here.deps, login, key))).token.id == first.token_id


# --- the form, submitted twice or too late


async def test_a_second_submission_changes_the_terms_and_keeps_the_secret(here: World) -> None:
    key = new_key()
    login = await begin(here.deps, key)
    form = await login_of_code(here.deps, ANA, login.code)
    await submit(here.deps, form)
    secret = await fetched(here.deps, login, key)
    again = await submit(here.deps, form, name="weekly eval", at_once=3)
    assert again.secret is None
    assert await fetched(here.deps, login, key) == secret
    caller = await caller_of(here.deps, secret)
    assert caller.token.terms is not None
    assert (caller.token.name, caller.token.terms.at_once) == ("weekly eval", 3)


async def test_once_the_program_uses_its_token_the_form_changes_nothing(here: World) -> None:
    key = new_key()
    login = await begin(here.deps, key)
    form = await login_of_code(here.deps, ANA, login.code)
    await submit(here.deps, form)
    secret = await fetched(here.deps, login, key)
    await caller_of(here.deps, secret)
    here.jump(11 * MINUTE)
    assert (await submit(here.deps, form)).secret is None, "the answer to the first submission was lost"
    with pytest.raises(TooLate, match=r"already uses nightly eval.*click Change in the list of your tokens"):
        await submit(here.deps, form, at_once=3)
    caller = await caller_of(here.deps, secret)
    assert caller.token.terms is not None
    assert caller.token.terms.at_once == 1


async def test_a_form_that_is_submitted_too_late_makes_no_token(here: World) -> None:
    login = await begin(here.deps)
    form = await login_of_code(here.deps, ANA, login.code)
    here.jump(10 * MINUTE)
    words = "This login has expired, so nothing was changed. Run gpubot agent login again for a new code."
    with pytest.raises(TooLate, match=words):
        await submit(here.deps, form)
    here.jump(KEEP_LOGINS + SECOND)
    await drop_old(here.deps)
    with pytest.raises(TooLate, match=words):
        await submit(here.deps, form)
    assert await tokens_of(here.deps, ANA) == []


async def test_nobody_submits_the_form_of_another_person_or_of_another_login(here: World) -> None:
    form = await login_of_code(here.deps, ANA, (await begin(here.deps)).code)
    unopened, own = await begin(here.deps), await login_of_code(here.deps, BEN, (await begin(here.deps)).code)
    for wrong in (
        form,
        changed(own, id=form.id),
        changed(own, token_id=form.token_id),
        changed(own, id=unopened.id),
        changed(own, id="no such login"),
    ):
        with pytest.raises(TooLate, match="This login has expired"):
            await submit(here.deps, wrong, BEN)
    assert await tokens_of(here.deps, BEN) == []


async def test_a_person_who_may_no_longer_use_the_bot_gets_no_token(here: World) -> None:
    form = await login_of_code(here.deps, DORA, (await begin(here.deps)).code)
    with pytest.raises(Refused, match="rules don't let you rent"):
        await submit(here.deps, form, changed(DORA, guest=True))
    assert await tokens_of(here.deps, DORA) == []


async def test_a_token_that_was_stopped_is_not_made_again_by_its_form(here: World) -> None:
    form = await login_of_code(here.deps, ANA, (await begin(here.deps)).code)
    made = await submit(here.deps, form)
    await carry_out(here.deps, CLEO, StopToken(made.token.id))
    with pytest.raises(TooLate, match="nightly eval has ended"):
        await submit(here.deps, form)
    found = await login_for(here.deps, form.id)
    assert found.token is not None
    assert found.token.state is TokenState.STOPPED
    await here.settle()


async def test_a_login_is_deleted_an_hour_after_its_end(here: World) -> None:
    login = await begin(here.deps)
    here.jump(10 * MINUTE + KEEP_LOGINS)
    await drop_old(here.deps)
    assert (await login_for(here.deps, login.id)).login == login
    here.jump(SECOND)
    await drop_old(here.deps)
    with pytest.raises(UnknownLogin):
        await login_for(here.deps, login.id)


# --- two processes at once


@pytest.fixture
async def processes(database: Database, clock: MovedClock) -> tuple[Deps, Deps]:
    """Return the dependencies of two processes on one database."""
    async with database.write() as tx:
        for person in (ANA, BEN):
            await tx.people.put(person, START)
    one = Deps(store=database, clock=clock, rules=RULES)
    return one, replace(one, store=beside(database))


async def test_a_code_that_two_people_type_at_once_works_for_one(processes: tuple[Deps, Deps]) -> None:
    login = await begin(processes[0])
    done = await asyncio.gather(
        *(login_of_code(deps, person, login.code) for deps in processes for person in (ANA, BEN)),
        return_exceptions=True,
    )
    opened = [one for one in done if isinstance(one, Login)]
    assert len(opened) == 2, done
    assert len({(one.person, one.token_id) for one in opened}) == 1
    assert len([one for one in done if isinstance(one, Mistake)]) == 2


async def test_two_submissions_at_once_leave_one_token_whose_secret_works(processes: tuple[Deps, Deps]) -> None:
    key = new_key()
    form = await login_of_code(processes[0], ANA, (await begin(processes[1], key)).code)
    await asyncio.gather(*(submit(deps, form) for deps in processes))
    assert len(await tokens_of(processes[0], ANA)) == 1
    assert (await caller_of(processes[1], await fetched(processes[0], form, key))).token.id == form.token_id


async def test_no_more_than_a_hundred_logins_wait_for_a_person(processes: tuple[Deps, Deps]) -> None:
    codes = [(await begin(processes[n % 2])).code for n in range(MOST_PENDING - 1)]
    done = await asyncio.gather(*(begin(deps) for deps in processes), return_exceptions=True)
    [full] = [one for one in done if isinstance(one, Refused)]
    assert full.words.startswith("100 programs are already waiting")
    assert full.again_at == START + MINUTE
    await login_of_code(processes[0], ANA, codes[0])
    with pytest.raises(Refused):
        await begin(processes[0])
    await submit(processes[0], await login_of_code(processes[1], ANA, codes[0]))
    await begin(processes[0])
