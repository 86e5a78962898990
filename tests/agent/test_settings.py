"""The sources of the address and the token, and the values that are refused."""

from __future__ import annotations

import pwd
from pathlib import Path
from typing import Any

import pytest

from agent.settings import read_address, read_settings, read_url, settings_file
from bot.errors import Mistake
from tests.agent.api import SECRET

URL = "https://gpubot.example.com"


def the_file(folder: Path, text: str, mode: int = 0o600) -> Path:
    file = folder / "agent.env"
    file.write_text(text)
    file.chmod(mode)
    return file


def test_the_environment_comes_before_the_file(tmp_path: Path) -> None:
    file = the_file(tmp_path, f"GPUBOT_API_URL=https://old.example.com\nGPUBOT_TOKEN={SECRET}\n")
    settings = read_settings({"GPUBOT_API_URL": f"{URL}/\n"}, file)
    assert settings.address.url == URL
    assert settings.token.get_secret_value() == SECRET
    assert SECRET not in repr(settings)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620])
def test_a_file_that_others_can_open_is_not_read(tmp_path: Path, mode: int) -> None:
    file = the_file(tmp_path, f"GPUBOT_TOKEN={SECRET}", mode)
    with pytest.raises(Mistake, match=f"Then type: chmod 600 {file}"):
        read_settings({"GPUBOT_API_URL": URL}, file)
    both = {"GPUBOT_API_URL": URL, "GPUBOT_TOKEN": SECRET}
    assert read_settings(both, file).address.url == URL


def test_a_user_without_a_home_needs_both_settings_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Containers often run as a user whom the system doesn't know."""

    def unknown(_: int) -> Any:
        raise KeyError

    monkeypatch.setattr(pwd, "getpwuid", unknown)
    monkeypatch.setenv("HOME", "")
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    both = {"GPUBOT_API_URL": URL, "GPUBOT_TOKEN": SECRET}
    assert read_settings(both).address.url == read_url(URL) == read_url(None, None, both) == URL
    for ask in (lambda: read_settings({"GPUBOT_API_URL": URL}), lambda: read_url(None, None, {}), settings_file):
        with pytest.raises(Mistake, match="This user has no home folder"):
            ask()


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        ({"GPUBOT_TOKEN": SECRET}, "GPUBOT_API_URL is not set. It is the address of your team's gpubot API"),
        (
            {"GPUBOT_API_URL": URL},
            "GPUBOT_TOKEN is not set. To get a token from a person in Slack, run gpubot agent login.",
        ),
        ({"GPUBOT_API_URL": URL, "GPUBOT_TOKEN": SECRET[:12]}, "GPUBOT_TOKEN isn't a complete token."),
        ({"GPUBOT_API_URL": URL, "GPUBOT_TOKEN": f"{SECRET}\r\nX: y"}, "GPUBOT_TOKEN isn't a complete token."),
    ],
)
def test_a_missing_or_wrong_setting_is_named_without_the_token(
    tmp_path: Path, environment: dict[str, str], message: str
) -> None:
    with pytest.raises(Mistake, match=message) as error:
        read_settings(environment, tmp_path / "missing.env")
    assert SECRET[:12] not in error.value.words


@pytest.mark.parametrize(
    "text",
    [
        "http://gpubot.example.com",
        "http://10.8.0.2:8700",
        "http://127.0.0.1.example.com",
        "https://ana:secret@gpubot.example.com",
        "https://gpubot.example.com?token=secret",
        "https://",
        "https://gpubot.example.com:port",
        "ftp://gpubot.example.com",
        "gpubot.example.com",
        "unix:api.sock",
        "unix:",
        "https://gpubot\n.example.com",
        "https://999.1.1.1",
        "https://[v1.a]",
        "https://xn--a.example.com",
        f"https://gpubot.example.com/{'a' * 70_000}",
        "http://127.0.0.1\\@evil.example.com",
        " http://127.0.0.1",
    ],
)
def test_addresses_that_would_expose_the_token_are_refused(text: str) -> None:
    with pytest.raises(Mistake, match=r"^GPUBOT_API_URL") as error:
        read_address(text)
    assert "secret" not in error.value.words


@pytest.mark.parametrize(
    "text",
    [URL, "http://127.0.0.1:8700", "http://localhost:8700", "http://[::1]:8700", "https://xn--bcher-kva.example"],
)
def test_https_and_this_machine_are_accepted(text: str) -> None:
    assert str(read_address(text)) == text
    assert str(read_address("unix:/run/gpubot/api.sock")) == "unix:/run/gpubot/api.sock"
