"""The address of the API and the token, from the environment or from a file that only its owner can read."""

from __future__ import annotations

import ipaddress
import os
import re
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

import httpx
import platformdirs
from pydantic import SecretStr

from bot.errors import Mistake
from bot.model.text import for_terminal
from bot.text_file import read_env_file

URL = "GPUBOT_API_URL"
TOKEN = "GPUBOT_TOKEN"  # noqa: S105 - the name of the variable, not a token
_SECRET = re.compile(r"gpb_[0-9A-Za-z_-]{20,200}", re.ASCII)
"""The form of a token's secret. The server checks the rest of it."""


class Address(NamedTuple):
    """The address of the API."""

    url: str
    """The URL to which paths such as `/v1/rentals` are appended."""
    socket: str | None = None
    """The path of a Unix socket. None if the API is reached over the network."""
    loopback: bool = False
    """True if the URL points to this machine."""

    def __str__(self) -> str:
        return f"unix:{self.socket}" if self.socket is not None else self.url


class Settings(NamedTuple):
    """The settings of `gpubot agent`."""

    address: Address
    token: SecretStr


def settings_file() -> Path:
    """Return the path of the file that can contain the settings, such as `~/.config/gpubot/agent.env`."""
    return platformdirs.user_config_path("gpubot") / "agent.env"


def read_settings(environment: Mapping[str, str] | None = None, file: Path | None = None) -> Settings:
    """Read the address and the token.

    A value in the environment takes precedence over one in the file. The file isn't opened if the environment has
    both. Raises Mistake if a value is missing or unusable, or if other users of this machine can read the file.
    """
    environment = os.environ if environment is None else environment
    file = settings_file() if file is None else file
    # A secret of a CI system often ends with a line break.
    values = {name: text for name in (URL, TOKEN) if (text := environment.get(name, "").strip())}
    if len(values) < 2:
        values = {**_read_file(file), **values}
    url, token = values.get(URL), values.get(TOKEN)
    if url is None:
        raise Mistake(
            f"{URL} is not set. It is the address of your team's gpubot API, such as https://gpubot.example.com "
            f"or unix:/run/gpubot-api/api.sock. Set it in the environment, or in {file}."
        )
    if token is None:
        raise Mistake(
            f"{TOKEN} is not set. To make a token, type /gpu token in Slack. Set it in the environment, or in "
            f"{file}, with mode 0600."
        )
    if _SECRET.fullmatch(token) is None:
        raise Mistake(f"{TOKEN} isn't a complete token. Copy the whole of it again; it begins with gpb_.")
    return Settings(read_address(url), SecretStr(token))


def read_address(text: str) -> Address:
    """Return the address that a text such as `https://gpubot.example.com` or `unix:/path` means.

    Raises Mistake if the text isn't an address, or if the token would be sent to another machine unencrypted.
    """
    if text.startswith("unix:"):
        path = text.removeprefix("unix:")
        if not path.startswith("/") or "\0" in path:
            raise Mistake(f"{URL}: write a socket with its whole path, such as unix:/run/gpubot-api/api.sock.")
        return Address("http://gpubot", socket=path, loopback=True)
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname, parts.port
        url = httpx.URL(text)
        if not url.host or url.raw_host.decode() != host:
            host = None  # the client would send the token to another host than the one that is checked here
    except (ValueError, httpx.InvalidURL):
        host = None
    if not host or parts.scheme not in {"http", "https"} or not text.isascii() or not text.isprintable():
        raise Mistake(f"{URL} isn't an address. Write it as https://gpubot.example.com or unix:/path.")
    if parts.username is not None or parts.password is not None or parts.query or parts.fragment:
        raise Mistake(f"{URL}: leave out everything before @ and after ?. Only the host and a path belong there.")
    loopback = _is_loopback(host)
    if parts.scheme == "http" and not loopback:
        raise Mistake(
            f"{URL}: http:// is only for this machine, because the token would be readable on the way. Use https://."
        )
    return Address(text.rstrip("/"), loopback=loopback)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _read_file(file: Path) -> Mapping[str, str]:
    """Return the values in the file, or nothing if there is no file. Raises Mistake if it isn't private."""
    try:
        found = file.stat()
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise Mistake(f"{file}: I can't read it: {error.strerror}.") from None
    if found.st_uid not in {0, os.geteuid()}:
        raise Mistake(f"{file} belongs to another user, so I didn't read it.")
    if stat.S_IMODE(found.st_mode) & (stat.S_IRWXG | stat.S_IRWXO):
        raise Mistake(
            f"Other users of this machine can open {file}, so I didn't read it. If they may have seen the token, "
            f"make a new one in Slack with /gpu token. Then type: chmod 600 {file}"
        )
    content = read_env_file(file)
    if content.wrong is not None:
        raise Mistake(for_terminal(content.wrong))
    return content.values
