"""The watchdog's settings.

There are few. They come from the same sources as the bot's, and there is a clear message about each wrong one.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.errors import Mistake
from bot.watchdog.settings import read_watchdog_settings
from tests.test_settings import with_only

OURS = "0123456789abcdef" * 2
WEBHOOK = "https://hooks.slack.com/services/T0/B0/hooksecret"
GOOD = {
    "GPUBOT_URL": "http://10.8.0.2:8600/",
    "GPUBOT_MACHINES_TOKEN": OURS,
    "COMPUTE_CLEAR_TOKEN": "ccsecret",
    "GPUBOT_ADMINS": "U0CLEO000, U0BEN0000",
    "GPUBOT_WATCHDOG_WEBHOOK": WEBHOOK,
}


@pytest.fixture(autouse=True)
def env(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    """Set up an empty working directory, and an environment with only the required settings."""
    with_only(GOOD, monkeypatch, tmp_path)
    return monkeypatch


def problems() -> list[str]:
    with pytest.raises(Mistake) as refused:
        read_watchdog_settings()
    for secret in (OURS, "ccsecret", "hooksecret"):
        assert secret not in refused.value.words
    return refused.value.words.splitlines()


def test_the_webhook_is_sufficient_for_slack_and_no_secret_is_shown() -> None:
    settings = read_watchdog_settings()
    assert settings.bot_url == "http://10.8.0.2:8600"
    assert settings.slack_url == WEBHOOK
    assert settings.admin_ids == ("U0CLEO000", "U0BEN0000")
    assert settings.state.name == "watchdog.json"
    for secret in (OURS, "ccsecret", "hooksecret"):
        assert secret not in f"{settings!r} {settings.model_dump_json()}"


def test_secrets_can_be_in_files(env: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("GPUBOT_MACHINES_TOKEN", "COMPUTE_CLEAR_TOKEN", "GPUBOT_WATCHDOG_WEBHOOK"):
        (tmp_path / name).write_text(GOOD[name] + "\n")
        env.setenv(f"{name}_FILE", str(tmp_path / name))
        env.delenv(name)
    settings = read_watchdog_settings()
    assert settings.machines_token.get_secret_value() == OURS
    assert settings.slack_url == WEBHOOK


def test_a_token_with_a_channel_can_replace_the_webhook(env: pytest.MonkeyPatch) -> None:
    env.delenv("GPUBOT_WATCHDOG_WEBHOOK")
    env.setenv("SLACK_BOT_TOKEN", "xoxb-1")
    (line,) = problems()
    assert line.startswith("GPUBOT_WATCHDOG_WEBHOOK is not set.")
    env.setenv("GPUBOT_CHANNEL", "C0GPUS000")
    assert read_watchdog_settings().slack_url == "https://slack.com/api/chat.postMessage"


def test_everything_that_is_missing_is_reported_together(env: pytest.MonkeyPatch) -> None:
    for name in GOOD:
        env.delenv(name)
    assert [line.split()[0] for line in problems()] == [name for name in GOOD if "WEBHOOK" not in name]


@pytest.mark.parametrize(
    ("url", "allowed"),
    [
        ("http://127.0.0.1:8600", True),
        ("http://localhost:8600", True),
        ("http://192.168.1.7:8600", True),
        ("http://100.100.1.2:8600", True),
        ("http://[fd00::2]:8600", True),
        ("https://gpubot.example.com", True),
        ("http://gpubot.example.com", False),
        ("http://8.8.8.8:8600", False),
        ("ftp://10.8.0.2", False),
        ("10.8.0.2:8600", False),
    ],
)
def test_plain_http_is_only_for_a_private_network(env: pytest.MonkeyPatch, url: str, *, allowed: bool) -> None:
    env.setenv("GPUBOT_URL", url)
    if allowed:
        assert read_watchdog_settings().bot_url == url
    else:
        (line,) = problems()
        assert line.startswith("GPUBOT_URL: ")


@pytest.mark.parametrize(
    ("name", "value", "line"),
    [
        (
            "GPUBOT_MACHINES_TOKEN",
            "short",
            "GPUBOT_MACHINES_TOKEN: it has fewer than 32 characters; make one with",
        ),
        ("GPUBOT_WATCHDOG_WEBHOOK", "http://hooks.slack.com/x", "GPUBOT_WATCHDOG_WEBHOOK: plain http is only for"),
        (
            "GPUBOT_CLOCK_URL",
            "http://127.0.0.1:1",
            "GPUBOT_CLOCK_URL: another clock is only allowed for a sandbox",
        ),
    ],
)
def test_the_message_about_a_wrong_setting_says_what_to_write(
    env: pytest.MonkeyPatch, name: str, value: str, line: str
) -> None:
    env.setenv(name, value)
    assert [found.startswith(line) for found in problems()] == [True]
