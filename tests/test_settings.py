"""Tests of the sources of settings, and of one clear line for each setting that is missing or wrong."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Mapping
from pathlib import Path

import httpx
import pytest
import yarl
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.config.settings import LogFormat, Settings, SlackMode, read_settings
from bot.errors import Mistake
from bot.net.proxies import is_loopback

BOT, APP, MARKET = "xoxb-1-botsecret", "xapp-1-appsecret", "ccsecret"
SIGNING = "5a1d" * 8
MAKE_ONE = 'make one with: echo "whsec_$(openssl rand -base64 32)"'
GOOD = {
    "SLACK_BOT_TOKEN": BOT,
    "SLACK_APP_TOKEN": APP,
    "COMPUTE_CLEAR_TOKEN": MARKET,
    "GPUBOT_CHANNEL": "C0GPUS000",
    "GPUBOT_ADMINS": "U0ANA0000, U0BEN0000",
}
SANDBOX = {"SLACK_API_URL": "http://127.0.0.1:8602/api/", "COMPUTE_CLEAR_URL": "http://localhost:8601"}
PREFIXES = ("SLACK_", "COMPUTE_CLEAR_", "GPUBOT_")


def with_only(needed: Mapping[str, str], monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """Change to a folder, with an environment that contains only these settings."""
    for name in list(os.environ):
        if name.startswith(PREFIXES):
            monkeypatch.delenv(name)
    monkeypatch.chdir(folder)
    for name, value in needed.items():
        monkeypatch.setenv(name, value)


@pytest.fixture(autouse=True)
def env(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    """Change to an empty folder, with an environment that contains only the settings without a default."""
    with_only(GOOD, monkeypatch, tmp_path)
    return monkeypatch


def problems() -> list[str]:
    """Return the lines of the error that `gpubot run` would print. Check that they contain no secret."""
    with pytest.raises(Mistake) as refused:
        read_settings()
    for secret in (BOT, APP, MARKET):
        assert secret not in refused.value.words
    return refused.value.words.splitlines()


def test_settings_without_a_value_get_their_defaults() -> None:
    settings = read_settings()
    assert settings.slack_bot_token.get_secret_value() == BOT
    assert settings.slack_api_url == "https://slack.com/api/"
    assert settings.compute_clear_url == "https://supply-api.compute-desk.com"
    assert settings.admin_ids == ("U0ANA0000", "U0BEN0000")
    assert settings.policy is None
    assert settings.http == "127.0.0.1:8600"
    assert settings.log is LogFormat.CONSOLE
    assert settings.database_url.get_secret_value().startswith("sqlite:////")
    assert settings.database_url.get_secret_value().endswith("/gpubot/gpubot.sqlite")


def test_the_proxies_that_the_api_believes_are_addresses_and_networks(env: pytest.MonkeyPatch) -> None:
    assert read_settings().api_proxies == ()
    env.setenv("GPUBOT_API_PROXY", "127.0.0.1, 10.8.0.0/16,2001:db8::/64")
    assert [str(one) for one in read_settings().api_proxies] == ["127.0.0.1/32", "10.8.0.0/16", "2001:db8::/64"]


def test_a_dotenv_file_supplies_values_that_the_environment_lacks(env: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("GPUBOT_CHANNEL=C0DOTENV0\nGPUBOT_HTTP=127.0.0.1:9000\nUNRELATED=1\n")
    assert read_settings().channel == "C0GPUS000"
    assert read_settings().http == "127.0.0.1:9000"
    env.delenv("GPUBOT_CHANNEL")
    assert read_settings().channel == "C0DOTENV0"


def test_a_secret_is_read_from_the_file_that_the_environment_names(
    env: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    env.delenv("SLACK_BOT_TOKEN")
    (tmp_path / "token").write_text("xoxb-from-a-file\n")
    env.setenv("SLACK_BOT_TOKEN_FILE", str(tmp_path / "token"))
    assert read_settings().slack_bot_token.get_secret_value() == "xoxb-from-a-file"


def test_a_secret_is_read_from_the_file_that_a_dotenv_names(env: pytest.MonkeyPatch, tmp_path: Path) -> None:
    env.delenv("COMPUTE_CLEAR_TOKEN")
    (tmp_path / "token").write_text("from-a-file")
    (tmp_path / ".env").write_text(f"COMPUTE_CLEAR_TOKEN_FILE={tmp_path}/token\n")
    assert read_settings().compute_clear_token.get_secret_value() == "from-a-file"


def test_the_environment_takes_precedence_over_a_named_file(env: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "channel").write_text("C0FILE000")
    env.setenv("GPUBOT_CHANNEL_FILE", str(tmp_path / "channel"))
    assert read_settings().channel == "C0GPUS000"


@pytest.mark.parametrize("name", ["SLACK_BOT_TOKEN", "GPUBOT_POLICY"])
def test_a_named_file_that_cannot_be_read_is_always_an_error(
    env: pytest.MonkeyPatch, tmp_path: Path, name: str
) -> None:
    """It is an error even if the setting has a default."""
    env.delenv(name, raising=False)
    env.setenv(f"{name}_FILE", str(tmp_path / "nothing"))
    assert problems() == [f"{name}_FILE: I can't read the file: No such file or directory."]


def test_each_missing_setting_is_reported_on_its_own_line(env: pytest.MonkeyPatch) -> None:
    for name in GOOD:
        env.delenv(name)
    env.setenv("GPUBOT_ADMINS", "")
    lines = problems()
    assert [line.partition(" is not set. It is ")[0] for line in lines] == list(GOOD)
    assert all(len(line) < 160 for line in lines)


def test_http_mode_needs_a_signing_secret_and_an_address_but_no_app_token(env: pytest.MonkeyPatch) -> None:
    env.delenv("SLACK_APP_TOKEN")
    env.setenv("GPUBOT_SLACK_MODE", "http")
    assert problems() == [
        "SLACK_SIGNING_SECRET is not set. It is the Signing Secret of your Slack app (Basic Information, App "
        "Credentials).",
        "GPUBOT_SLACK_HTTP is not set. It is the address on which Slack's requests arrive, such as "
        "127.0.0.1:8601.",
    ]
    env.setenv("SLACK_SIGNING_SECRET", BOT)
    env.setenv("GPUBOT_SLACK_HTTP", "127.0.0.1:8600")
    assert problems() == [
        "SLACK_SIGNING_SECRET: it must have only letters and digits, like the Signing Secret of your Slack app.",
        "GPUBOT_SLACK_HTTP: Slack must not be able to reach GPUBOT_HTTP, so name another port.",
    ]
    env.setenv("SLACK_SIGNING_SECRET", SIGNING[:12])
    env.setenv("GPUBOT_SLACK_HTTP", "127.0.0.1:8601")
    assert problems() == [
        "SLACK_SIGNING_SECRET: it has 12 characters, so it isn't the whole Signing Secret of your Slack app.",
    ]
    env.setenv("SLACK_SIGNING_SECRET", SIGNING)
    found = read_settings()
    assert (found.slack_mode, found.slack_app_token) == (SlackMode.HTTP, None)
    assert SIGNING not in f"{found!r} {found.model_dump_json()}"


@pytest.mark.parametrize(
    ("name", "value", "line"),
    [
        ("GPUBOT_SLACK_MODE", "https", "GPUBOT_SLACK_MODE isn't valid. Expected: socket or http."),
        (
            "GPUBOT_SLACK_HTTP",
            "8601",
            "GPUBOT_SLACK_HTTP: it must be an address and port, such as 127.0.0.1:8600.",
        ),
        (
            "GPUBOT_SLACK_HANDOVER",
            "90",
            "GPUBOT_SLACK_HANDOVER isn't valid. Expected: a number of seconds from 0 to 30.",
        ),
        (
            "SLACK_BOT_TOKEN",
            "xoxp-1-usersecret",
            "SLACK_BOT_TOKEN: it must begin with xoxb-, like the Bot User OAuth Token of your Slack app.",
        ),
        (
            "SLACK_APP_TOKEN",
            "xoxb-2-swapped",
            "SLACK_APP_TOKEN: it must begin with xapp-, like an app-level token of your Slack app.",
        ),
        (
            "COMPUTE_CLEAR_TOKEN",
            "  ",
            "COMPUTE_CLEAR_TOKEN: it is empty: paste the token of your Compute Clear account.",
        ),
        (
            "GPUBOT_CHANNEL",
            "#gpus",
            "GPUBOT_CHANNEL isn't valid. Expected: the id of your home channel, such as C0123ABCD "
            "(in Slack: channel details, at the bottom).",
        ),
        (
            "GPUBOT_ADMINS",
            "@ana",
            "GPUBOT_ADMINS isn't valid. Expected: a list of Slack user ids, comma-separated, such as U0123ABCD "
            "(in Slack: profile, Copy member ID).",
        ),
        ("GPUBOT_API", "8602", "GPUBOT_API: it must be an address and port, such as 127.0.0.1:8600."),
        (
            "GPUBOT_API",
            "http://127.0.0.1:8602",
            "GPUBOT_API: leave out http:// and the path: write an address and port, such as 127.0.0.1:8600.",
        ),
        (
            "GPUBOT_API",
            "127.0.0.1:8600",
            "GPUBOT_API: programs must not reach GPUBOT_HTTP or GPUBOT_SLACK_HTTP, so name another port or "
            "unix:/PATH.",
        ),
        (
            "GPUBOT_API",
            "unix:api.sock",
            "GPUBOT_API: name the socket by its full path, such as unix:/run/gpubot/api.sock.",
        ),
        (
            "GPUBOT_API_PROXY",
            "127.0.0.1, proxy.example.com",
            "GPUBOT_API_PROXY: it must be IP addresses or networks, comma-separated, such as 127.0.0.1 or "
            "10.8.0.0/16.",
        ),
        (
            "GPUBOT_API_PROXY",
            "127.0.0.1, 0.0.0.0/0",
            "GPUBOT_API_PROXY: this would believe everybody; name only the addresses of your proxies.",
        ),
        ("GPUBOT_HTTP", "8600", "GPUBOT_HTTP: it must be an address and port, such as 127.0.0.1:8600."),
        ("GPUBOT_HTTP", "127.0.0.1:86000", "GPUBOT_HTTP: the port must be from 1 to 65535."),
        ("GPUBOT_HTTP", "127.0.0.1:0", "GPUBOT_HTTP: the port must be from 1 to 65535."),
        ("GPUBOT_HTTP", "127.0.0.1:http", "GPUBOT_HTTP: its port isn't a number."),
        ("GPUBOT_HTTP", "127.0.0.1:٨٦٠٠", "GPUBOT_HTTP: its port isn't a number."),
        ("GPUBOT_HTTP", "::1:8600", "GPUBOT_HTTP: put an IPv6 address in brackets, such as [::1]:8600."),
        ("GPUBOT_HTTP", f"{'a' * 300}:8600", "GPUBOT_HTTP: its host is neither a name nor an IP address."),
        ("SLACK_API_URL", f"https://{'a' * 300}/", "SLACK_API_URL: its host is neither a name nor an IP address."),
        ("COMPUTE_CLEAR_URL", "https://example.com:http/", "COMPUTE_CLEAR_URL: its port isn't a number."),
        ("COMPUTE_CLEAR_URL", "https://example.com:0/", "COMPUTE_CLEAR_URL: the port must be from 1 to 65535."),
        (
            "COMPUTE_CLEAR_URL",
            "https://ana:pw@example.com/",
            "COMPUTE_CLEAR_URL: leave out the name and password before the @.",
        ),
        (
            "COMPUTE_CLEAR_URL",
            "https://[::1/",
            "COMPUTE_CLEAR_URL: it must be a web address, such as https://example.com/.",
        ),
        (
            "GPUBOT_CLOCK_URL",
            "http://[",
            "GPUBOT_CLOCK_URL: it must be a web address, such as https://example.com/.",
        ),
        (
            "COMPUTE_CLEAR_TOKEN",
            "ccsecret\nccsecret",
            "COMPUTE_CLEAR_TOKEN: it contains a line break or an invisible character; write it on one line.",
        ),
        (
            "SLACK_BOT_TOKEN",
            "xoxb-1-botsecret xoxb-1-botsecret",
            "SLACK_BOT_TOKEN: it contains a space or another character that no token has; "
            "copy the whole token again.",
        ),
        (
            "GPUBOT_DATABASE_URL",
            "sqlite:///:memory:?cache=shared",
            "GPUBOT_DATABASE_URL: name a file: sqlite:///PATH. A database in memory is lost when gpubot stops.",
        ),
        (
            "GPUBOT_DATABASE_URL",
            "sqlite:///",
            "GPUBOT_DATABASE_URL: it doesn't name a file: write sqlite:///PATH.",
        ),
        (
            "GPUBOT_WEBHOOK_SECRET",
            "hunter2",
            f"GPUBOT_WEBHOOK_SECRET: it has fewer than 32 characters; {MAKE_ONE}.",
        ),
        (
            "GPUBOT_WEBHOOK_SECRET",
            f"whsec_{'-' * 40}",
            f"GPUBOT_WEBHOOK_SECRET: after whsec_, it must be base64; {MAKE_ONE}.",
        ),
        (
            "GPUBOT_WEBHOOK_SECRET",
            "whsec_c2VjcmV0",
            f"GPUBOT_WEBHOOK_SECRET: its key has 6 bytes, but 24 to 64 are allowed; {MAKE_ONE}.",
        ),
        ("GPUBOT_LOG", "xml", "GPUBOT_LOG isn't valid. Expected: console or json."),
        (
            "GPUBOT_DATABASE_URL",
            "mysql://x",
            "GPUBOT_DATABASE_URL: it must be sqlite:///PATH or postgresql://USER:PASSWORD@HOST/NAME.",
        ),
        ("SLACK_API_URL", "slack.com", "SLACK_API_URL: it must be a web address, such as https://example.com/."),
        (
            "COMPUTE_CLEAR_URL",
            "http://supply-api.compute-desk.com",
            "COMPUTE_CLEAR_URL: plain http is only for this machine; use https.",
        ),
        (
            "GPUBOT_GITHUB_URL",
            "http://github.com",
            "GPUBOT_GITHUB_URL: plain http is only for this machine; use https.",
        ),
        (
            "SLACK_API_URL",
            "http://10.0.0.1/api/",
            "SLACK_API_URL: plain http is only for this machine; use https.",
        ),
        (
            "SLACK_API_URL",
            "http://localhost.example.com/api/",
            "SLACK_API_URL: plain http is only for this machine; use https.",
        ),
    ],
)
def test_each_wrong_value_is_reported_on_its_own_line(
    env: pytest.MonkeyPatch, name: str, value: str, line: str
) -> None:
    env.setenv(name, value)
    assert problems() == [line]


@pytest.mark.parametrize(
    ("content", "lines"),
    [
        (b"GPUBOT_LOG=json\n\xff\xfe\n", [".env: I can't read it: it isn't UTF-8 text."]),
        (
            b"GPUBOT_LOG=json\n\n\nGPUBOT_POLICY='open\n",
            [".env: line 4 can't be read: write NAME=value, and close each quote."],
        ),
        (b"\0" * 300 * 1024, [".env: I can't read it: it is larger than 256 KiB."]),
    ],
)
def test_an_unreadable_dotenv_file_is_reported_on_one_line(
    env: pytest.MonkeyPatch, tmp_path: Path, content: bytes, lines: list[str]
) -> None:
    """Missing settings aren't reported in addition, because they may be in the file."""
    (tmp_path / ".env").write_bytes(content)
    assert problems() == lines
    if len(content) > 60:
        env.delenv("GPUBOT_CHANNEL")
        env.delenv("GPUBOT_ADMINS")
        assert problems() == lines


def test_a_folder_instead_of_a_file_is_reported_on_one_line(env: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / ".env").mkdir()
    (tmp_path / "tokens").mkdir()
    env.setenv("GPUBOT_POLICY_FILE", str(tmp_path / "tokens"))
    assert problems() == [
        ".env: I can't read it: Is a directory.",
        "GPUBOT_POLICY_FILE: I can't read the file: Is a directory.",
    ]


@pytest.mark.parametrize("content", [b"xoxb-1\0botsecret", b"xoxb-1\nbotsecret", b"xoxb-\xff", b"x" * 300 * 1024])
def test_a_token_file_without_a_token_is_reported_on_one_line(
    env: pytest.MonkeyPatch, tmp_path: Path, content: bytes
) -> None:
    env.delenv("SLACK_BOT_TOKEN")
    (tmp_path / "token").write_bytes(content)
    env.setenv("SLACK_BOT_TOKEN_FILE", str(tmp_path / "token"))
    (line,) = problems()
    assert line.startswith("SLACK_BOT_TOKEN")


NAMES = [str(field.validation_alias) for field in Settings.model_fields.values()]
NASTY = st.sampled_from(
    [
        "",
        "xoxb-\r\n",
        "http://[",
        "https://a:99999/",
        "sqlite:///:memory:",
        "postgresql://",
        "x" * 5000,
        "[::1]:80",
    ]
)
ADDRESS = st.from_regex(r"\A(https?|ftp)://[\[\]a-z0-9:@%._/?#\\ -]{0,30}\Z")


@given(
    values=st.dictionaries(st.sampled_from(NAMES), st.text(max_size=20) | NASTY | ADDRESS, max_size=5),
    dotenv=st.binary(max_size=80) | st.text(max_size=80).map(lambda text: text.encode("utf-8", "replace")),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_values_are_either_usable_or_refused_with_clear_lines(
    env: pytest.MonkeyPatch, tmp_path: Path, values: dict[str, str], dotenv: bytes
) -> None:
    (tmp_path / ".env").write_bytes(dotenv)
    with env.context() as here:
        for name, value in values.items():
            here.setenv(name, value.replace("\0", ""))
        try:
            found = read_settings()
        except Mistake as mistake:
            for line in mistake.words.splitlines():
                assert len(line) < 250
                assert line.isprintable()
                assert line.endswith(".")
        else:
            for url in (found.slack_api_url, found.compute_clear_url):
                assert httpx.URL(url).host
                assert yarl.URL(url).host


def test_all_wrong_settings_are_reported_together(env: pytest.MonkeyPatch) -> None:
    env.setenv("SLACK_BOT_TOKEN", "swapped")
    env.setenv("GPUBOT_CHANNEL", "gpus")
    env.setenv("GPUBOT_LOG", "xml")
    assert [line.split()[0].rstrip(":") for line in problems()] == [
        "SLACK_BOT_TOKEN",
        "GPUBOT_CHANNEL",
        "GPUBOT_LOG",
    ]


def test_plain_http_is_allowed_for_this_machine(env: pytest.MonkeyPatch) -> None:
    for name, value in SANDBOX.items():
        env.setenv(name, value)
    assert read_settings().slack_api_url == SANDBOX["SLACK_API_URL"]


def test_only_a_slash_is_added_to_slacks_address(env: pytest.MonkeyPatch) -> None:
    env.setenv("SLACK_API_URL", "https://slack.example.com/api")
    assert read_settings().slack_api_url == "https://slack.example.com/api/"


def test_a_sandbox_can_set_the_clock(env: pytest.MonkeyPatch) -> None:
    for name, value in SANDBOX.items():
        env.setenv(name, value)
    env.setenv("GPUBOT_CLOCK_URL", "http://[::1]:8601")
    env.setenv("GPUBOT_SLACK_SPEED", "60")
    env.setenv("GPUBOT_CLAIM_SECONDS", "20")
    assert (read_settings().clock_url, read_settings().slack_speed) == ("http://[::1]:8601", 60)
    env.delenv("GPUBOT_CLOCK_URL")
    with pytest.raises(Mistake, match=r"^GPUBOT_SLACK_SPEED: it is only for a sandbox"):
        read_settings()
    env.delenv("GPUBOT_SLACK_SPEED")
    with pytest.raises(Mistake, match=r"^GPUBOT_CLAIM_SECONDS: it is only for a sandbox"):
        read_settings()


@pytest.mark.parametrize("outside", ["SLACK_API_URL", "COMPUTE_CLEAR_URL", "GPUBOT_CLOCK_URL"])
def test_a_sandboxs_clock_is_refused_unless_everything_is_on_this_machine(
    env: pytest.MonkeyPatch, outside: str
) -> None:
    for name, value in {**SANDBOX, "GPUBOT_CLOCK_URL": "http://127.0.0.1:8601"}.items():
        env.setenv(name, value)
    env.setenv(outside, "https://example.com/api/")
    assert problems() == ["GPUBOT_CLOCK_URL: another clock is only allowed for a sandbox on this machine."]


def test_the_socket_is_next_to_the_sqlite_database_or_in_the_data_folder(env: pytest.MonkeyPatch) -> None:
    env.setenv("XDG_DATA_HOME", "/home/bot/data")
    assert read_settings().socket_path == Path("/home/bot/data/gpubot/gpubot.sqlite.sock")
    env.setenv("GPUBOT_DATABASE_URL", "sqlite:////srv/gpubot/team.sqlite")
    assert read_settings().socket_path == Path("/srv/gpubot/team.sqlite.sock")
    env.setenv("GPUBOT_DATABASE_URL", "postgresql://bot:secret@db/gpubot")
    assert read_settings().socket_path == Path("/home/bot/data/gpubot/gpubot.sock")
    env.setenv("GPUBOT_SOCKET", "/run/gpubot/sock")
    assert read_settings().socket_path == Path("/run/gpubot/sock")


def test_reprs_and_dumps_contain_no_secrets(env: pytest.MonkeyPatch) -> None:
    env.setenv("GPUBOT_DATABASE_URL", "postgresql://bot:dbsecret@db/gpubot")
    env.setenv("GPUBOT_WEBHOOK_SECRET", f"hooksecret{'-' * 32}")
    settings = read_settings()
    shown = f"{settings!r} {settings} {settings.model_dump()} {settings.model_dump_json()}"
    for secret in (BOT, APP, MARKET, "dbsecret", "hooksecret"):
        assert secret not in shown


@pytest.mark.parametrize(
    ("url", "loopback"),
    [
        ("http://127.0.0.1:1/", True),
        ("http://127.9.9.9/", True),
        ("http://[::1]:1/", True),
        ("http://localhost", True),
        ("http://127.0.0.1.example.com/", False),
        ("http://0.0.0.0/", False),
        ("http://user@example.com/", False),
        ("nonsense", False),
    ],
)
def test_only_loopback_addresses_count_as_this_machine(url: str, loopback: bool) -> None:
    assert is_loopback(url) is loopback


async def test_run_prints_the_lines_and_exits_with_status_1(env: pytest.MonkeyPatch, tmp_path: Path) -> None:
    env.setenv("SLACK_BOT_TOKEN", "swapped-botsecret")
    env.delenv("GPUBOT_ADMINS")
    (tmp_path / ".env").write_text("GPUBOT_LOG='json\n")
    env.setenv("PYTHONPATH", str(Path(__file__).parents[1]))
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "bot",
        "run",
        stderr=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        cwd=tmp_path,
    )
    out, errors = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 1
    assert out == b""
    lines = errors.decode().splitlines()
    assert [line.split()[0].rstrip(":") for line in lines] == [".env", "SLACK_BOT_TOKEN", "GPUBOT_ADMINS"]
    assert "botsecret" not in errors.decode()
