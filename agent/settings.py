"""The address of the API and the token, from the environment or from a file that only its owner can read.

`gpubot agent login` writes this file.
"""

from __future__ import annotations

import io
import ipaddress
import os
import re
import secrets
import stat
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

import httpx
import platformdirs
from dotenv.parser import parse_stream
from pydantic import SecretStr

from bot.errors import Mistake
from bot.model.text import for_terminal
from bot.text_file import Unreadable, read_env_file, read_text

URL = "GPUBOT_API_URL"
TOKEN = "GPUBOT_TOKEN"  # noqa: S105 - the name of the variable, not a token
_SECRET = re.compile(r"gpb_[0-9A-Za-z_-]{20,200}", re.ASCII)
"""The form of a token's secret. The server checks the rest of it."""
_UNQUOTED = re.compile(r"[\w:/.~%\[\]@+=-]+", re.ASCII)
"""The form of values that can be written into the file without quotes."""


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
    """Return the path of the file that can contain the settings, such as `~/.config/gpubot/agent.env`.

    Raises Mistake if this user has no home folder, as in many containers.
    """
    try:
        return platformdirs.user_config_path("gpubot") / "agent.env"
    except RuntimeError:
        raise Mistake(
            "This user has no home folder, and agent.env belongs there. Set HOME, or set both "
            f"{URL} and {TOKEN} in the environment."
        ) from None


def read_settings(environment: Mapping[str, str] | None = None, file: Path | None = None) -> Settings:
    """Read the address and the token.

    A value in the environment takes precedence over one in the file. The file isn't opened if the environment has
    both. Raises Mistake if a value is missing or unusable, or if other users of this machine can read the file.
    """
    values = _in_environment(environment)
    if len(values) < 2:
        file = settings_file() if file is None else file
        values = {**_read_file(file), **values}
    url, token = values.get(URL), values.get(TOKEN)
    if url is None:
        raise _no_url(
            f"Name it when you log in (gpubot agent login --url), or set it in the environment or in {file}."
        )
    if token is None:
        raise Mistake(
            f"{TOKEN} is not set. To get a token from a person in Slack, run gpubot agent login. Or set one in "
            f"the environment, or in {file}, with mode 0600."
        )
    if not is_token(token):
        raise Mistake(f"{TOKEN} isn't a complete token. Copy the whole of it again; it begins with gpb_.")
    return Settings(read_address(url), SecretStr(token))


def read_url(given: str | None, file: Path | None = None, environment: Mapping[str, str] | None = None) -> str:
    """Return the text of the API's address, for a login.

    `given` is the address from the command line. It takes precedence over the environment, and the environment
    over the file. Raises Mistake if there is no address, or if other users of this machine can read the file.
    """
    url = (given or "").strip() or _in_environment(environment).get(URL)
    if not url:
        file = settings_file() if file is None else file
        url = _read_file(file).get(URL)
    if not url:
        raise _no_url(f"Name it with --url, or set it in the environment or in {file}.")
    return url


def overrides(url: str, environment: Mapping[str, str] | None = None) -> list[str]:
    """Return the environment variables that take precedence over a file with this address and a token."""
    values = _in_environment(environment)
    return [*([TOKEN] if TOKEN in values else []), *([URL] if values.get(URL, url) != url else [])]


def is_token(text: str) -> bool:
    """Return whether a text has the form of a token's secret."""
    return _SECRET.fullmatch(text) is not None


def _in_environment(environment: Mapping[str, str] | None) -> dict[str, str]:
    environment = os.environ if environment is None else environment
    # A secret of a CI system often ends with a line break.
    return {name: text for name in (URL, TOKEN) if (text := environment.get(name, "").strip())}


def _no_url(how: str) -> Mistake:
    return Mistake(
        f"{URL} is not set. It is the address of your team's gpubot API, such as https://gpubot.example.com or "
        f"unix:/run/gpubot-api/api.sock. {how}"
    )


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
    """Return the values in the file, or nothing if there is no file. Raises Mistake if the file isn't private."""
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


# --- writing the file


def check_can_save(file: Path, url: str) -> None:
    """Check that `save` can write the file, so that nobody makes a token that can't be saved.

    The folder is created if there is none. Raises Mistake if the file can't be written, or if it isn't a file of
    this user alone.
    """
    if _UNQUOTED.fullmatch(url) is None:
        raise Mistake(f"{URL}: an address with these characters can't be saved in {file}.")
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise Mistake(f"{file.parent}: I can't create this folder: {error.strerror}.") from None
    if not os.access(file.parent, os.W_OK | os.X_OK):
        raise Mistake(f"You aren't allowed to write into the folder {file.parent}.")
    _lines_without_settings(file)


def save(file: Path, url: str, token: SecretStr) -> bool:
    """Write the address and the token into the file, which only this user can then read.

    Other lines and comments in the file are kept. The file is replaced in one step, so that a crash leaves either
    the old or the new one. Raises Mistake if it can't be written, and for the same reasons as `check_can_save`.

    Returns:
        True if the file had another token before.
    """
    before = _lines_without_settings(file)
    replaced = TOKEN in _read_file(file)
    content = f"{before}{URL}={url}\n{TOKEN}={token.get_secret_value()}\n".encode()
    part = file.with_name(f".{file.name}.{secrets.token_hex(8)}")
    try:
        try:
            _write_private(part, content)
            part.replace(file)
        finally:
            with suppress(FileNotFoundError):
                part.unlink()
    except OSError as error:
        raise Mistake(f"{file}: I can't write it: {error.strerror}.") from None
    return replaced


def _write_private(file: Path, content: bytes) -> None:
    """Write a new file that only this user can read, and wait until it is on the disk."""
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with open(descriptor, "wb") as opened:
        os.fchmod(descriptor, 0o600)  # the umask can have removed even the owner's rights
        opened.write(content)
        opened.flush()
        os.fsync(descriptor)


def _lines_without_settings(file: Path) -> str:
    """Return the text of the file without the lines that set the address and the token.

    The text is empty if there is no file. Raises Mistake if the file can't be read, or if somebody else could read
    or change it.
    """
    try:
        found = file.lstat()
    except FileNotFoundError:
        return ""
    except OSError as error:
        raise Mistake(f"{file}: I can't read it: {error.strerror}.") from None
    if not stat.S_ISREG(found.st_mode):
        kind = "a symbolic link" if stat.S_ISLNK(found.st_mode) else "not a regular file"
        raise Mistake(f"{file} is {kind}, so I don't write the token there. Move it away first.")
    if found.st_uid != os.geteuid():
        raise Mistake(f"{file} belongs to another user, so I don't write the token there.")
    _read_file(file)
    try:
        statements = list(parse_stream(io.StringIO(read_text(file))))
    except Unreadable as error:
        raise Mistake(f"{file}: I can't read it: {error}.") from None
    kept = "".join(one.original.string for one in statements if (one.key or "").upper() not in {URL, TOKEN})
    return kept if not kept or kept.endswith("\n") else f"{kept}\n"
