"""Logins by code in Slack: a person types the code of a program, and the program gets its token."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from bot.lifecycle.actions.callers import caller_of
from bot.lifecycle.actions.logins import CODE_LASTS, FORM_LASTS
from bot.model.login import Login
from bot.sealed_secret import new_key, open_sealed
from handlers.listeners import modals
from handlers.listeners.context import Pace
from handlers.listeners.interaction import submission
from sandbox.slack.default import ANA, BEN, GUS, TRAINING
from tests.handlers.team import Json, Team, team
from tests.handlers.test_messages import say
from tests.handlers.test_tokens import stored
from tests.handlers.test_unmanaged_machines import direct
from tests.handlers.token_states import NAME, begin, form, now_stored, tokens

WARNING = "gpubot on build-7 (203.0.113.9) asked for a token 40 s ago. Continue only if you started it."


def unknown(code: str) -> str:
    what = f"I don't know the code {code}, or it's older than 10 min."
    return f"{what} Run gpubot agent login again for a new one."


async def secret_of(ours: Team, login: Login, key: X25519PrivateKey) -> str:
    """Return the secret that the program with this key reads."""
    sealed = (await now_stored(ours, login)).secret
    assert sealed is not None
    return open_sealed(sealed, key, login.id)


async def fill(ours: Team, user: str = ANA, **inputs: Any) -> Json:
    outcome = await ours.submit(user, **{"token_name": NAME, "models": ["H100"], **inputs})
    assert outcome["ok"], outcome
    view = await ours.modal(user)
    assert view is not None
    return view


async def resubmit(ours: Team, opened: Json, user: str = ANA, **inputs: str) -> Json:
    """Submit a form whose earlier response got lost, or that another person opened, and return the response."""
    typed: Json = {each["block_id"]: {each["action_id"]: each["value"] or {}} for each in opened["inputs"]}
    models = {"selected_options": [{"value": "H100"}]}
    values = {**typed, "token_name": {"token_name": {"value": NAME}}, "models": {"models": models}}
    values |= {name: {name: {"value": text}} for name, text in inputs.items()}
    view = {**{name: opened[name] for name in ("callback_id", "private_metadata")}, "state": {"values": values}}
    view["blocks"] = [{"type": "input", "block_id": name} for name in values]
    (ack,) = await ours.handle(submission, modals.submitted, {"user": {"id": user}, "view": view})
    return ack


async def test_the_program_gets_its_token_and_slack_never_sees_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    key = new_key()
    async with team(tmp_path) as ours:
        login = await begin(ours, key)
        opened = await form(ours, login.code)
        assert opened["reads"].startswith(WARNING)
        done = await fill(ours)
        assert done["reads"] == (
            "gpubot on build-7 can now fetch its token, and spend up to $100.00 in your name. Nobody else can "
            "read the secret, which was never in Slack. If the program has stopped waiting, nobody can use the "
            "token, so stop it: /gpu token list"
        )
        secret = await secret_of(ours, login, key)
        assert (await caller_of(ours.deps, secret)).token.name == NAME
        assert "gpb_" not in str(opened) + str(done)
        assert login.id not in opened["reads"]
        assert secret.encode() not in stored(tmp_path)
        logged = capsys.readouterr().out
        assert "name=new_token_form result=done" in logged
        assert not [private for private in (secret, login.id, login.code) if private in logged]


async def test_terms_that_need_approval_are_named_in_the_last_step(tmp_path: Path) -> None:
    key = new_key()
    async with team(tmp_path) as ours:
        login = await begin(ours, key)
        await form(ours, login.code)
        done = await fill(ours, total="200")
        assert (
            "It won't work until an approver agrees, because $200.00 is over the limit of $100.00."
            in done["reads"]
        )
        assert "for approval" in done["reads"]


@pytest.mark.parametrize(
    "typed", ["{lower}", "{first} {last}", "{first}-{last}", "`{code}`", "*{lower}*.", "{first} - {last}"]
)
async def test_a_code_is_recognized_however_it_is_written(tmp_path: Path, typed: str) -> None:
    async with team(tmp_path) as ours:
        code = (await begin(ours)).code
        opened = await form(ours, typed.format(code=code, lower=code.lower(), first=code[:4], last=code[4:]))
        assert WARNING in opened["reads"]


async def test_a_code_in_a_message_gets_a_button_that_opens_the_form(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        ours.deliver_at_once()
        for channel in (None, TRAINING):
            login = await begin(ours)
            words = f"token {login.code.lower()}"
            await say(ours, ANA, words if channel is None else f"@gpubot {words}", channel)
            answer = await ours.look(ANA, channel or direct(ANA), "asked for a token 40 s ago.")
            await ours.click(ANA, answer, "Make a token for it")
            opened = await ours.modal(ANA)
            assert opened is not None
            assert WARNING in opened["reads"]
            assert await ours.command(BEN, f"token {login.code}") == unknown(login.code)


async def test_a_code_works_once_for_one_person_and_in_time(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        await ours.add_eve_and_gus()
        login = await begin(ours)
        assert "rules don't let you rent here" in await ours.command(GUS, f"token {login.code}")
        await form(ours, login.code)
        assert await ours.command(BEN, f"token {login.code}") == unknown(login.code)
        await form(ours, login.code)
        await fill(ours)
        assert await ours.command(ANA, f"token {login.code}") == unknown(login.code)
        late = await begin(ours)
        ours.clock.jump(CODE_LASTS)
        assert await ours.command(ANA, f"token {late.code}") == unknown(late.code)
        assert await ours.command(ANA, "token bcdf ghj2") == unknown("BCDFGHJ2")


async def test_a_form_that_is_submitted_too_late_makes_no_token(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        login = await begin(ours)
        await form(ours, login.code)
        ours.clock.jump(FORM_LASTS)
        outcome = await ours.submit(ANA, token_name=NAME, models=["H100"])
        assert "This login has expired, so nothing was changed." in outcome["errors"]["token_name"]
        assert await tokens(ours) == []


async def test_a_form_that_is_submitted_again_keeps_the_secret_of_the_program(tmp_path: Path) -> None:
    key = new_key()
    async with team(tmp_path) as ours:
        login = await begin(ours, key)
        opened = await form(ours, login.code)
        await fill(ours)
        first = await secret_of(ours, login, key)
        await resubmit(ours, opened, at_once="1")
        assert await secret_of(ours, login, key) == first
        (token,) = await tokens(ours)
        assert token.newest_terms.at_once == 1


async def test_somebody_elses_form_cannot_be_forged(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        login = await begin(ours)
        opened = await form(ours, login.code)
        refused = await resubmit(ours, opened, user=BEN)
        assert "This login has expired" in str(refused)
        assert (await now_stored(ours, login)).secret is None


async def test_after_ten_wrong_codes_a_person_has_to_wait(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        ours.context = replace(ours.context, commands=Pace(at_once=100, per_second=100))
        login = await begin(ours)
        for _ in range(11):
            await form(ours, login.code)
        for number in range(10):
            code = f"BCDFGHJ{number}"
            assert await ours.command(ANA, f"token {code}") == unknown(code)
        refused = await ours.command(ANA, f"token {login.code}")
        assert refused.startswith("Ten wrong codes in 10 min is the limit. You can type another one in ")
        assert await ours.command(BEN, "token BCDFGHJK") == unknown("BCDFGHJK")


async def test_no_name_of_a_program_is_formatted_or_hides_the_end_of_the_warning(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        login = await begin(ours, program="_gpubot_ " + "a" * 50, host="-_build-7_-" + "b" * 49)
        opened = await form(ours, login.code)
        done = await fill(ours)
        for view, end in ((opened, "Continue only if you started it."), (done, "which was never in Slack.")):
            assert "_gpubot_… on -_build-7_-bbb" in view["reads"]
            assert end in view["reads"]
