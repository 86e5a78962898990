"""Logins over the REST API: what a program without a token can ask, and how often."""

from __future__ import annotations

import asyncio
import logging
import os
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest
from structlog.testing import capture_logs

from bot.api.logins import BEGUN_PER_MINUTE, MOST_BYTES, SHOWN_PER_MINUTE
from bot.api.server import serve
from bot.lifecycle.actions.action import carry_out
from bot.lifecycle.actions.logins import MOST_PENDING, login_of_code
from bot.lifecycle.actions.tokens import ApproveToken, MakeToken, StopToken, TokenMade
from bot.lifecycle.loops.retention import KEEP_LOGINS, drop_old
from bot.model.base import changed
from bot.model.login import SealedSecret
from bot.model.money import micros
from bot.model.token import Access, TokenTerms
from bot.policy.team.rules import AutoApprove
from bot.sealed_secret import new_key, open_sealed, public_text
from handlers.listeners.context import Pace
from tests.api.test_server import of_bot, outside_of, problem, unix_client
from tests.api.world import RULES, Api, api_of
from tests.lifecycle.world import ANA, BEN, HOUR, MINUTE, World

SECOND = timedelta(seconds=1)
AGAIN = "To begin a new login, send POST /v1/logins."


class Program:
    """A program that has no token yet."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self.key = new_key()
        self.http = http
        self.id = ""
        self.code = ""

    async def begin(self, *, headers: dict[str, str] | None = None, **fields: Any) -> httpx.Response:
        body = {"public_key": public_text(self.key), "program": "gpubot", "host": "build-7", **fields}
        response = await self.http.post("/v1/logins", json=body, headers=headers)
        if response.status_code == 201:
            self.id, self.code = response.json()["id"], response.json()["code"]
        return response

    async def begun(self) -> dict[str, Any]:
        response = await self.begin()
        assert response.status_code == 201, response.text
        answer: dict[str, Any] = response.json()
        return answer

    async def look(self, login_id: str = "", **more: Any) -> httpx.Response:
        return await self.http.get(f"/v1/logins/{login_id or self.id}", **more)

    async def seen(self) -> dict[str, Any]:
        response = await self.look()
        assert response.status_code == 200, response.text
        answer: dict[str, Any] = response.json()
        return answer

    def decrypted(self, answer: dict[str, Any]) -> str:
        return open_sealed(SealedSecret(**answer["secret"]), self.key, answer["id"])


@pytest.fixture
def program(api: Api) -> Program:
    return Program(api.http)


async def make_token(here: World, code: str) -> TokenMade:
    """Let Ana type a code and submit the form."""
    form = await login_of_code(here.deps, ANA, code)
    assert form.token_id is not None
    terms = TokenTerms(access=Access.LOOK, until=here.now + timedelta(days=14))
    return await carry_out(here.deps, ANA, MakeToken("nightly eval", terms, form.token_id, form.id))


# --- what a program sees


async def test_a_program_sees_its_login_from_the_code_to_the_secret(api: Api, program: Program) -> None:
    """It is noon in UTC."""
    response = await program.begin()
    assert response.status_code == 201
    assert response.headers["location"] == f"/v1/logins/{program.id}"
    assert response.headers["cache-control"] == "no-store"
    waiting = response.json()
    assert waiting == await program.seen()
    assert waiting == {
        "id": program.id,
        "code": program.code,
        "state": "waiting",
        "next_step": f"The person who started this program has to type /gpu token {program.code} in Slack before "
        "12:10 UTC. Show them the code, and send it to nobody else.",
        "ask_again_in": 5,
        "expires_at": "2026-11-24T12:10:00Z",
        "secret": None,
        "token": None,
        "until": None,
        "needs_approval": False,
    }
    api.world.jump(MINUTE)
    await login_of_code(api.world.deps, ANA, program.code)
    opened = await program.seen()
    words = "A person has typed the code, and can submit the form before 12:11 UTC."
    assert (opened["state"], opened["next_step"], opened["ask_again_in"]) == ("opened", words, 5)
    await make_token(api.world, program.code)
    done = await program.seen()
    assert (done["state"], done["token"], done["ask_again_in"]) == ("done", "nightly eval (Ana)", None)
    assert done["next_step"] == (
        "Fetch and decrypt the secret before 12:11 UTC, and keep it where nobody else can read it."
    )
    assert (done["until"], done["needs_approval"]) == ("2026-12-08T12:01:00Z", False)
    secret = program.decrypted(done)
    assert (await api.ask("GET", "token", secret=secret)).json()["name"] == "nightly eval"
    assert program.decrypted(await program.seen()) == secret, "if an answer gets lost, the program asks again"


async def test_a_program_learns_that_an_approver_has_to_agree(api: Api, program: Program) -> None:
    await program.begun()
    strict = replace(api.world.deps, rules=changed(RULES, auto_approve=AutoApprove()))
    form = await login_of_code(api.world.deps, ANA, program.code)
    assert form.token_id is not None
    terms = TokenTerms(
        access=Access.RENT,
        models=("H100",),
        per_hour=Decimal(5),
        total=micros(Decimal(1000)),
        longest=4 * HOUR,
        until=api.world.now + timedelta(days=14),
    )
    await carry_out(strict, ANA, MakeToken("nightly eval", terms, form.token_id, form.id))
    done = await program.seen()
    assert (done["state"], done["needs_approval"]) == ("done", True)
    assert done["next_step"].endswith("It doesn't work until an approver has agreed to its terms.")
    secret = program.decrypted(done)
    assert (await api.ask("GET", "token", secret=secret)).status_code == 401
    await carry_out(api.world.deps, BEN, ApproveToken(form.token_id, 1))
    assert (await api.ask("GET", "token", secret=secret)).status_code == 200
    assert (await program.seen())["needs_approval"] is False


async def test_a_login_that_expires_says_why_and_has_no_secret(api: Api, program: Program) -> None:
    others = [Program(api.http) for _ in range(2)]
    for one in (program, *others):
        await one.begun()
    made = await make_token(api.world, others[0].code)
    api.world.jump(10 * MINUTE)
    for one, words in (
        (program, "The login has expired, and no token was made."),
        (others[0], "The secret of nightly eval (Ana) wasn't fetched in time, so nobody can use this token."),
    ):
        seen = await one.seen()
        assert (seen["state"], seen["next_step"]) == ("expired", f"{words} {AGAIN}")
        assert (seen["secret"], seen["token"], seen["until"], seen["ask_again_in"]) == (None,) * 4
    await carry_out(api.world.deps, ANA, StopToken(made.token.id))
    await others[1].begun()
    stopped = await make_token(api.world, others[1].code)
    await carry_out(api.world.deps, ANA, StopToken(stopped.token.id))
    seen = await others[1].seen()
    assert (seen["state"], seen["secret"]) == ("expired", None)
    assert seen["next_step"] == f"The token nightly eval (Ana) has ended. {AGAIN}"


async def test_guessed_malformed_and_deleted_ids_get_one_answer(api: Api, program: Program) -> None:
    await program.begun()
    api.world.jump(10 * MINUTE + KEEP_LOGINS + SECOND)
    await drop_old(api.world.deps)
    answers = {
        (await program.look(login_id)).text for login_id in (program.id, "A" * 43, program.code, "x", "%00", "ä")
    }
    [body] = answers
    assert problem(await program.look()) == (
        404,
        "unknown",
        "There is no such login, or it expired a while ago. To begin a new one, send POST /v1/logins.",
    )
    assert program.id not in body


# --- requests that are refused


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        (
            {"public_key": "7f///////////////////////////////////////38="},
            "No secret can be encrypted for this public_key. Nothing was done. Make a new X25519 key pair.",
        ),
        ({"public_key": "A" * 43 + "="}, "No secret can be encrypted for this public_key."),
        ({"public_key": "x"}, '"public_key": '),
        ({"host": "x" * 61}, '"host": write at most 60 characters'),
        ({"program": ""}, '"program": '),
        ({"program": "gpub\u043et"}, '"program": write text that matches ^[A-Za-z0-9._-]+'),
        ({"program": "gpubot  of Ana"}, '"program": write text that matches '),
        ({"host": "build-7\uff08203.0.113.9\uff09"}, '"host": write text that matches ^[A-Za-z0-9._-]+$'),
        ({"host": "your laptop"}, '"host": write text that matches '),
        ({"host": "build-7\n"}, '"host": write text that matches '),
        ({"host": "\u3164"}, '"host": write text that matches '),
        ({"host": "\u05d0\u05d1\u05d2"}, '"host": write text that matches '),
        ({"scope": "all"}, 'There is no field "scope".'),
    ],
)
async def test_a_login_that_cannot_be_read_is_explained(
    program: Program, fields: dict[str, Any], words: str
) -> None:
    status, kind, detail = problem(await program.begin(**fields))
    assert (status, kind) == (422, "mistake")
    assert detail.startswith(words)


async def test_strangers_cannot_send_large_or_endless_bodies(api: Api, program: Program) -> None:
    assert problem(await program.begin(host="x" * MOST_BYTES))[:2] == (413, "too-large")
    async with api_of(api.world, request_seconds=0.2) as slow:
        reader, writer = await asyncio.open_connection("127.0.0.1", slow.server.addresses[0][1])
        head = "POST /v1/logins HTTP/1.1\r\nHost: bot\r\nContent-Type: application/json\r\nContent-Length: 100"
        writer.write(f"{head}\r\n\r\n{{".encode())
        async with asyncio.timeout(20):
            answer = await reader.read()
        writer.close()
    assert b"The body arrived too slowly. Nothing was done." in answer


async def test_no_login_begins_while_the_clock_is_wrong(api: Api) -> None:
    async with api_of(api.world, deps=replace(api.world.deps, may_claim=lambda: False)) as wrong:
        assert problem(await Program(wrong.http).begin())[:2] == (503, "outage")


async def test_a_hundred_waiting_programs_are_the_limit(api: Api, program: Program) -> None:
    api.server.logins.begun = Pace(at_once=1000, per_second=1000)
    for _ in range(MOST_PENDING):
        await program.begun()
    refused = await program.begin()
    assert problem(refused) == (
        409,
        "refused",
        "100 programs are already waiting for somebody to type their code. Nothing was done. Ask again after "
        "12:01 UTC.",
    )
    assert refused.headers["retry-after"] == "60"
    api.world.jump(10 * MINUTE)
    await program.begun()


async def count_begun(program: Program, headers: dict[str, str] | None = None) -> int:
    """Begin logins until one is refused, and return the number before that."""
    for count in range(BEGUN_PER_MINUTE + 3):  # a few can begin while this loop runs
        response = await program.begin(headers=headers)
        if response.status_code != 201:
            assert problem(response)[:2] == (429, "too-many-requests")
            assert 0 < int(response.headers["retry-after"]) <= 60 / BEGUN_PER_MINUTE
            return count
    raise AssertionError("no login was refused")


async def test_an_address_can_begin_five_logins_a_minute_whatever_its_headers_say(program: Program) -> None:
    assert await count_begun(program) >= BEGUN_PER_MINUTE
    for forged in ("198.51.100.7", "127.0.0.1", "", "x"):
        assert (await program.begin(headers={"X-Forwarded-For": forged})).status_code == 429


async def test_behind_a_proxy_each_address_has_its_own_limit(api: Api) -> None:
    """The header's end comes from the proxy. Programs can invent its beginning."""
    async with api_of(api.world, proxies="127.0.0.1, 10.8.0.0/16") as behind:
        program = Program(behind.http)
        assert await count_begun(program, {"X-Forwarded-For": "203.0.113.9"}) >= BEGUN_PER_MINUTE
        for forged in ("198.51.100.7, 203.0.113.9", "203.0.113.9, 10.8.3.4", "203.0.113.9:4711"):
            assert (await program.begin(headers={"X-Forwarded-For": forged})).status_code == 429
        assert (await program.begin(headers={"X-Forwarded-For": "203.0.113.10"})).status_code == 201
        assert await count_begun(program, {"X-Forwarded-For": "2001:db8:1:2::1"}) >= BEGUN_PER_MINUTE
        same_network = await program.begin(headers={"X-Forwarded-For": "2001:db8:1:2:ffff::1"})
        assert same_network.status_code == 429


@pytest.mark.parametrize(
    ("forwarded", "address"),
    [
        ([], "127.0.0.1"),
        (["203.0.113.9"], "203.0.113.9"),
        (["198.51.100.7, 203.0.113.9"], "203.0.113.9"),
        (["198.51.100.7", "203.0.113.9 , 10.8.0.2"], "203.0.113.9"),
        (["10.8.0.2,10.8.0.3"], "10.8.0.2"),
        (["[2001:db8::1]:4711"], "2001:db8::1"),
        (["::ffff:203.0.113.9"], "203.0.113.9"),
        (["fe80::1%*bold*"], "fe80::1"),
        (["203.0.113.9, unknown"], "127.0.0.1"),
        (["203.0.113.9, unknown, 10.8.0.2"], "10.8.0.2"),
        ([""], "127.0.0.1"),
    ],
)
async def test_a_person_sees_the_nearest_address_that_is_not_a_proxys(
    api: Api, forwarded: list[str], address: str
) -> None:
    async with api_of(api.world, proxies="127.0.0.1,10.8.0.0/16") as behind:
        body = {"public_key": public_text(new_key()), "program": "gpubot", "host": "build-7"}
        headers = [("X-Forwarded-For", each) for each in forwarded]
        response = await behind.http.post("/v1/logins", json=body, headers=headers)
        assert (await login_of_code(api.world.deps, ANA, response.json()["code"])).address == address


async def test_over_the_socket_a_person_sees_the_user_id(api: Api, tmp_path: Path) -> None:
    path = tmp_path / "api.sock"
    async with (
        serve(f"unix:{path}", path, outside_of(api.world), asyncio.Event()),
        unix_client(path) as http,
    ):
        program = Program(http)
        assert (await program.begin(headers={"X-Forwarded-For": "203.0.113.9"})).status_code == 201
        assert (await login_of_code(api.world.deps, ANA, program.code)).address == f"uid {os.getuid()}"
        assert await count_begun(program) >= BEGUN_PER_MINUTE - 1


async def test_requests_for_logins_have_a_limit_of_their_own_whether_a_login_exists_or_not(
    api: Api, program: Program
) -> None:
    """Otherwise, the limit would tell which IDs exist."""
    await program.begun()
    for _ in range(SHOWN_PER_MINUTE):
        assert (await program.look("A" * 43)).status_code == 404
    api.server.logins.shown = Pace(at_once=1, per_second=0.001)
    assert (await program.look("A" * 43)).status_code == 404
    assert (await program.look("A" * 43)).status_code == 429
    assert (await program.look()).status_code == 429
    assert (await program.begin()).status_code == 201
    await api.token()
    assert (await api.ask("GET", "token")).status_code == 200


class BrokenStore:
    """A store with a bug, whose message contains everything that a log must not contain."""

    shared = False

    def __init__(self, program: Program) -> None:
        self.program = program

    def read(self) -> Any:
        raise RuntimeError(f"{self.program.id} {self.program.code}")

    def on_change(self, _: Any) -> None:
        pass


async def test_the_log_has_neither_the_code_nor_the_id_nor_the_secret(
    api: Api, program: Program, caplog: pytest.LogCaptureFixture
) -> None:
    with capture_logs() as logged, caplog.at_level(logging.DEBUG):
        await program.begun()
        await program.seen()
        await make_token(api.world, program.code)
        secret = program.decrypted(await program.seen())
        await program.look(f"{program.id}-of-mine")
        await program.begin(host="host-of-mine" * 10, program="program-of-mine")
        broken_store: Any = BrokenStore(program)
        async with api_of(api.world, deps=replace(api.world.deps, store=broken_store)) as broken:
            assert (await broken.http.get(f"/v1/logins/{program.id}")).status_code == 500
    seen = f"{logged}{of_bot(caplog)}"
    assert [(line["event"], line.get("why", "")) for line in logged if line["event"] != "bug"] == [
        ("http.refused", "404"),
        ("http.refused", "422"),
        ("http.refused", "500"),
    ]
    assert not [text for text in (secret, program.id, program.code, "of-mine", "build-7") if text in seen]
