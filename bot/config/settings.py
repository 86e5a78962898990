"""The settings of the bot.

The value of a setting comes from the first of these places that has it: the environment, `.env`, and the file that
is named by the setting `<NAME>_FILE`.
"""

from __future__ import annotations

import base64
import binascii
import ipaddress
import os
import re
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, ClassVar, TypeAlias, TypeVar
from urllib.parse import urlsplit

import platformdirs
from pydantic import (
    AfterValidator,
    Field,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError
from pydantic_settings import BaseSettings, SettingsConfigDict

from bot.errors import Mistake
from bot.model.text import one_line
from bot.net.proxies import is_loopback
from bot.text_file import ENV_FILE, EnvFile, Unreadable, read_env_file, read_text


class SlackMode(StrEnum):
    """The way in which commands, clicks and events arrive from Slack."""

    SOCKET = "socket"
    HTTP = "http"


class LogFormat(StrEnum):
    """The format of log lines."""

    CONSOLE = "console"
    JSON = "json"


CHANNEL_ID = r"^[CG][A-Z0-9]+$"
USER_IDS = r"^\s*[UW][A-Z0-9]+(\s*,\s*[UW][A-Z0-9]+)*\s*$"
UNIX = "unix:"
"""The beginning of an address that is the path of a socket."""
SHORTEST_TOKEN = 32
"""The minimum length of GPUBOT_MACHINES_TOKEN in characters, so that nobody can guess the token."""
SHORTEST_WEBHOOK_SECRET = 32
"""The minimum length of GPUBOT_WEBHOOK_SECRET in characters, if it is plain text."""
SIGNING_KEY = "whsec_"
"""The beginning of a secret for webhooks whose rest is a key in base64 (Standard Webhooks, "Signature scheme")."""
_SHORTEST_KEY, _LONGEST_KEY = 24, 64
"""The minimum and maximum length of such a key in bytes. The same section of Standard Webhooks defines them."""
_LETTERS_AND_DIGITS = re.compile(r"[0-9A-Za-z]+")
_SHORTEST_SIGNING_SECRET = 16
S = TypeVar("S", bound="CommandSettings")
Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network


def setting(name: str, **more: Any) -> Any:
    """Define a pydantic field for the setting with this environment variable."""
    return Field(validation_alias=name, **more)


# --- the types of settings that several commands share


def _bot_token(value: SecretStr) -> SecretStr:
    if not value.get_secret_value().startswith("xoxb-"):
        raise ValueError("it must begin with xoxb-, like the Bot User OAuth Token of your Slack app")
    return _sendable(value)


def _app_token(value: SecretStr) -> SecretStr:
    if not value.get_secret_value().startswith("xapp-"):
        raise ValueError("it must begin with xapp-, like an app-level token of your Slack app")
    return _sendable(value)


def _signing_secret(value: SecretStr) -> SecretStr:
    secret = value.get_secret_value()
    if not _LETTERS_AND_DIGITS.fullmatch(secret):
        raise ValueError("it must have only letters and digits, like the Signing Secret of your Slack app")
    if len(secret) < _SHORTEST_SIGNING_SECRET:
        raise ValueError(
            f"it has {len(secret)} characters, so it isn't the whole Signing Secret of your Slack app"
        )
    return value


def _market_token(value: SecretStr) -> SecretStr:
    if not value.get_secret_value().strip():
        raise ValueError("it is empty: paste the token of your Compute Clear account")
    return _sendable(value)


def _machines_token(value: SecretStr) -> SecretStr:
    if len(value.get_secret_value()) < SHORTEST_TOKEN:
        raise ValueError(f"it has fewer than {SHORTEST_TOKEN} characters; make one with: openssl rand -hex 32")
    return _sendable(value)


def _webhook_secret(value: SecretStr) -> SecretStr:
    advice = 'make one with: echo "whsec_$(openssl rand -base64 32)"'
    if not value.get_secret_value().startswith(SIGNING_KEY):
        if len(value.get_secret_value()) < SHORTEST_WEBHOOK_SECRET:
            raise ValueError(f"it has fewer than {SHORTEST_WEBHOOK_SECRET} characters; {advice}")
        return value
    try:
        length = len(webhook_key(value))
    except ValueError:
        raise ValueError(f"after whsec_, it must be base64; {advice}") from None
    if not _SHORTEST_KEY <= length <= _LONGEST_KEY:
        raise ValueError(
            f"its key has {length} bytes, but {_SHORTEST_KEY} to {_LONGEST_KEY} are allowed; {advice}"
        )
    return value


def webhook_key(secret: SecretStr) -> bytes:
    """Return the key with which webhooks are signed.

    If the secret begins with `whsec_`, the rest is the key in base64. Otherwise, the key is the secret itself.
    Raises ValueError if the rest isn't base64.
    """
    value = secret.get_secret_value()
    if not value.startswith(SIGNING_KEY):
        return value.encode()
    try:
        return base64.b64decode(value.removeprefix(SIGNING_KEY), validate=True)
    except binascii.Error:
        # The original error isn't passed on, because its traceback could contain the secret.
        raise ValueError("the key isn't base64") from None


def _sendable(token: SecretStr) -> SecretStr:
    """Return the token. Raises ValueError if it can't be the value of an HTTP header."""
    value = token.get_secret_value()
    if not value.isascii() or " " in value:
        raise ValueError("it contains a space or another character that no token has; copy the whole token again")
    return token


def encrypted_url(value: str) -> str:
    """Return the URL. Raises ValueError if it isn't a web address, or uses plain http to another machine."""
    check_web_address(value)
    if urlsplit(value).scheme == "http" and not is_loopback(value):
        raise ValueError("plain http is only for this machine; use https")
    return value


def _with_slash(url: str) -> str:
    return url if url.endswith("/") else url + "/"


BotToken = Annotated[SecretStr, AfterValidator(_bot_token)]
AppToken = Annotated[SecretStr, AfterValidator(_app_token)]
SigningSecret = Annotated[SecretStr, AfterValidator(_signing_secret)]
MarketToken = Annotated[SecretStr, AfterValidator(_market_token)]
MachinesToken = Annotated[SecretStr, AfterValidator(_machines_token)]
WebhookSecret = Annotated[SecretStr, AfterValidator(_webhook_secret)]
Url = Annotated[str, AfterValidator(encrypted_url)]
SlackUrl = Annotated[Url, AfterValidator(_with_slash)]


# --- the settings


class CommandSettings(BaseSettings):
    """The settings of one command. Secrets never appear in a repr or a log."""

    model_config = SettingsConfigDict(env_ignore_empty=True, extra="ignore", frozen=True)
    hints: ClassVar[Mapping[str, str]] = {}
    """Descriptions of this command's settings for error messages, in addition to _HINTS."""
    stand_ins: ClassVar[Mapping[str, str]] = {}
    """Valid placeholder values for the settings without a default."""

    @field_validator("*", mode="before")
    @classmethod
    def _one_line(cls, value: Any) -> Any:
        if isinstance(value, str) and not value.isprintable():
            raise ValueError("it contains a line break or an invisible character; write it on one line")
        return value


class Settings(CommandSettings):
    """The settings of `gpubot run`."""

    slack_bot_token: BotToken = setting("SLACK_BOT_TOKEN")
    slack_mode: SlackMode = setting("GPUBOT_SLACK_MODE", default=SlackMode.SOCKET)
    slack_app_token: AppToken | None = setting("SLACK_APP_TOKEN", default=None)
    slack_signing_secret: SigningSecret | None = setting("SLACK_SIGNING_SECRET", default=None)
    slack_api_url: SlackUrl = setting("SLACK_API_URL", default="https://slack.com/api/")
    compute_clear_token: MarketToken = setting("COMPUTE_CLEAR_TOKEN")
    compute_clear_url: Url = setting("COMPUTE_CLEAR_URL", default="https://supply-api.compute-desk.com")
    github_url: Url = setting("GPUBOT_GITHUB_URL", default="https://github.com")
    channel: str = setting("GPUBOT_CHANNEL", pattern=CHANNEL_ID)
    admins: str = setting("GPUBOT_ADMINS", pattern=USER_IDS)
    policy: Path | None = setting("GPUBOT_POLICY", default=None)
    probe_key_file: Path | None = setting("GPUBOT_PROBE_KEY_FILE", default=None)
    database_url: SecretStr = setting("GPUBOT_DATABASE_URL", default=SecretStr(""))
    socket: Path | None = setting("GPUBOT_SOCKET", default=None)
    http: str = setting("GPUBOT_HTTP", default="127.0.0.1:8600")
    slack_http: str | None = setting("GPUBOT_SLACK_HTTP", default=None)
    slack_handover: float = setting("GPUBOT_SLACK_HANDOVER", default=10.0, ge=0, le=30)
    api: str | None = setting("GPUBOT_API", default=None)
    api_proxy: str | None = setting("GPUBOT_API_PROXY", default=None)
    machines_token: MachinesToken | None = setting("GPUBOT_MACHINES_TOKEN", default=None)
    webhook_secret: WebhookSecret | None = setting("GPUBOT_WEBHOOK_SECRET", default=None)
    log: LogFormat = setting("GPUBOT_LOG", default=LogFormat.CONSOLE)
    clock_url: Url | None = setting("GPUBOT_CLOCK_URL", default=None)
    slack_speed: float = setting("GPUBOT_SLACK_SPEED", default=1.0, gt=0)
    claim_seconds: float | None = setting("GPUBOT_CLAIM_SECONDS", default=None, gt=0)

    @field_validator("slack_app_token", "slack_signing_secret", "slack_http")
    @classmethod
    def _set_if_needed(cls, value: Any, info: ValidationInfo) -> Any:
        needed_in = SlackMode.SOCKET if info.field_name == "slack_app_token" else SlackMode.HTTP
        if value is None and info.data.get("slack_mode") is needed_in:
            raise PydanticCustomError("missing", "Field required")
        return value

    @field_validator("http", "slack_http")
    @classmethod
    def _listens(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value is not None:
            check_listen_address(value)
            if value == info.data.get("http"):
                raise ValueError("Slack must not be able to reach GPUBOT_HTTP, so name another port")
        return value

    @field_validator("api")
    @classmethod
    def _listens_for_programs(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value is None:
            return None
        if value.startswith(UNIX):
            path = Path(value.removeprefix(UNIX))
            if not path.is_absolute() or not path.name:
                raise ValueError("name the socket by its full path, such as unix:/run/gpubot/api.sock")
            if path == info.data.get("socket"):
                raise ValueError("GPUBOT_SOCKET is for the operator, so name another path")
            return value
        check_listen_address(value)
        if value in {info.data.get("http"), info.data.get("slack_http")}:
            raise ValueError(
                "programs must not reach GPUBOT_HTTP or GPUBOT_SLACK_HTTP, so name another port or unix:/PATH"
            )
        return value

    @field_validator("api_proxy")
    @classmethod
    def _proxies(cls, value: str | None) -> str | None:
        if value is not None and not all(network.prefixlen for network in networks_in(value)):
            raise ValueError("this would believe everybody; name only the addresses of your proxies")
        return value

    @field_validator("database_url")
    @classmethod
    def _known_database(cls, value: SecretStr) -> SecretStr:
        url = value.get_secret_value()
        if not url:
            return SecretStr(f"sqlite:///{_data_folder() / 'gpubot.sqlite'}")
        if not url.startswith(("sqlite:///", "postgresql://")):
            raise ValueError("it must be sqlite:///PATH or postgresql://USER:PASSWORD@HOST/NAME")
        path = url.removeprefix("sqlite:///")
        if not path:
            raise ValueError("it doesn't name a file: write sqlite:///PATH")
        if path.startswith((":memory:", "file:")):
            raise ValueError("name a file: sqlite:///PATH. A database in memory is lost when gpubot stops")
        if "?" in path and url.startswith("sqlite:"):
            raise ValueError("leave out the ? and what follows it: sqlite:///PATH")
        return value

    @field_validator("slack_speed", "claim_seconds")
    @classmethod
    def _only_for_sandboxes(cls, value: float | None, info: ValidationInfo) -> float | None:
        if value not in {1, None} and info.data.get("clock_url") is None:
            raise ValueError("it is only for a sandbox, together with GPUBOT_CLOCK_URL; leave it out")
        return value

    @model_validator(mode="after")
    def _clock_only_for_sandboxes(self) -> Settings:
        check_clock(self.clock_url, self.slack_api_url, self.compute_clear_url)
        return self

    @property
    def admin_ids(self) -> tuple[str, ...]:
        """Return the Slack user IDs in `admins`."""
        return ids_in(self.admins)

    @property
    def api_socket(self) -> Path | None:
        """The socket of the REST API. None if the API listens on a port, or isn't served."""
        served = self.api is not None and self.api.startswith(UNIX)
        return Path(self.api.removeprefix(UNIX)) if served and self.api is not None else None

    @property
    def api_proxies(self) -> tuple[Network, ...]:
        """The addresses of the proxies that the REST API believes."""
        return () if self.api_proxy is None else networks_in(self.api_proxy)

    @property
    def socket_path(self) -> Path:
        """Return the socket for operator commands.

        By default, it is next to the SQLite database, or in the data folder if the database is PostgreSQL.
        """
        if self.socket is not None:
            return self.socket
        scheme, _, path = self.database_url.get_secret_value().partition(":///")
        return Path(f"{path}.sock") if scheme == "sqlite" else _data_folder() / "gpubot.sock"


def ids_in(text: str) -> tuple[str, ...]:
    """Return the IDs in a comma-separated list."""
    return tuple(part.strip() for part in text.split(","))


def networks_in(text: str) -> tuple[Network, ...]:
    """Return the IP addresses and networks in a comma-separated list. Raises ValueError if the list is wrong."""
    try:
        return tuple(ipaddress.ip_network(part.strip()) for part in text.split(","))
    except ValueError:
        message = "it must be IP addresses or networks, comma-separated, such as 127.0.0.1 or 10.8.0.0/16"
        raise ValueError(message) from None


def check_clock(clock_url: str | None, *servers: str) -> None:
    """Raise ValueError if a command would use a sandbox's clock together with a server on another machine.

    If `clock_url` is None, the command doesn't use a sandbox's clock, so nothing is checked. Otherwise,
    `clock_url` and all addresses in `servers` must be on this machine.
    """
    if clock_url is not None and not all(map(is_loopback, (clock_url, *servers))):
        raise ValueError("another clock is only allowed for a sandbox on this machine")


def _data_folder() -> Path:
    return platformdirs.user_data_path("gpubot")


def read_settings() -> Settings:
    """Return the settings of `gpubot run`.

    Raises Mistake if a setting is missing or wrong, like `read_settings_of`.
    """
    return read_settings_of(Settings)


def read_needed(*names: str) -> Settings:
    """Return the settings of `gpubot run` for a command that uses only the settings in `names`.

    Raises Mistake if one of these settings is missing or wrong.

    If `names` contains `.env`, the function also raises Mistake for a file `.env` that can't be read. Pass `.env`
    if a setting has a default. Otherwise, the default would silently replace a value in an unreadable file.
    """
    settings, wrong = read_partly(Settings)
    for name in names:
        if name in wrong:
            raise Mistake(wrong[name])
    return settings


def read_database_url() -> str:
    """Return GPUBOT_DATABASE_URL, for commands that need no other setting. Raises Mistake if it can't be read."""
    return read_needed(str(ENV_FILE), "GPUBOT_DATABASE_URL").database_url.get_secret_value()


def read_settings_of(kind: type[S]) -> S:
    """Return the settings of a command.

    Raises Mistake with one line for each setting that is missing or wrong. The lines never contain a secret.
    """
    settings, wrong = read_partly(kind)
    if wrong:
        raise Mistake("\n".join(dict.fromkeys(wrong.values())))
    return settings


def read_partly(kind: type[S]) -> tuple[S, dict[str, str]]:
    """Return the settings of a command, and, by name, a message about each setting that is missing or wrong.

    The caller must not use the value of one of these settings: it is a placeholder or the default.

    If `.env` can't be read, all missing settings get one and the same message, because `.env` may contain them.
    """
    env_file = read_env_file()
    values, wrong = _from_files(env_file, kind)
    fields = {str(field.validation_alias): field.default for field in kind.model_fields.values()}
    stand_in_for = {**fields, **_STAND_INS, **kind.stand_ins}
    while True:
        try:
            settings = kind(**{**values, **{name: stand_in_for[name] for name in wrong}})
            break
        except ValidationError as error:
            lines = {
                name: _line(name, problem["type"], problem["msg"], {**_HINTS, **kind.hints}.get(name, ""))
                for problem in error.errors(include_input=False)
                for name in [_name(kind, problem["loc"])]
                if name not in wrong
            }
            if not lines:
                raise  # a bug: one of the placeholder values isn't valid
            if not env_file.readable and env_file.wrong:
                missing = {_name(kind, p["loc"]) for p in error.errors() if p["type"] == "missing"}
                lines |= dict.fromkeys(missing & lines.keys(), env_file.wrong)
            wrong = lines | wrong
    if env_file.wrong:
        wrong = {str(ENV_FILE): env_file.wrong} | wrong
    return settings, wrong


def _name(kind: type[CommandSettings], location: tuple[int | str, ...]) -> str:
    """Return the name of the setting that an error is about.

    Pydantic's error contains that name, or the name of the field if the error is about the field's default value.
    """
    if not location:
        return "GPUBOT_CLOCK_URL"
    field = kind.model_fields.get(str(location[0]))
    return str(location[0] if field is None else field.validation_alias)


def _from_files(env_file: EnvFile, kind: type[CommandSettings]) -> tuple[dict[str, str], dict[str, str]]:
    """Read settings that aren't in the environment, from `.env` or the files named by `<NAME>_FILE` settings.

    Returns:
        The values by name, and a message for each file that can't be read.
    """
    in_environment = {name.upper() for name, value in os.environ.items() if value}
    values, wrong = {}, {}
    for field in kind.model_fields.values():
        name = str(field.validation_alias)
        path = os.environ.get(f"{name}_FILE") or env_file.values.get(f"{name}_FILE")
        if path:
            try:
                text = read_text(Path(path)).strip()
            except Unreadable as error:
                wrong[name] = f"{name}_FILE: I can't read the file: {error}."
            else:
                values[name] = text
        if env_file.values.get(name):
            values[name] = env_file.values[name]
    return {name: value for name, value in values.items() if name not in in_environment}, wrong


_STAND_INS = {
    "SLACK_BOT_TOKEN": "xoxb-",
    "SLACK_APP_TOKEN": "xapp-",
    "SLACK_SIGNING_SECRET": "0" * 32,
    "GPUBOT_SLACK_HTTP": "127.0.0.1:8601",
    "COMPUTE_CLEAR_TOKEN": "-",
    "GPUBOT_CHANNEL": "C0",
    "GPUBOT_ADMINS": "U0",
}
"""Valid placeholder values for the settings without a default."""
_HINTS = {
    "SLACK_BOT_TOKEN": "the Bot User OAuth Token of your Slack app, which begins with xoxb-",
    "SLACK_APP_TOKEN": "an app-level token of your Slack app with connections:write, which begins with xapp- "
    "(not needed in HTTP mode)",
    "GPUBOT_SLACK_MODE": "socket or http",
    "SLACK_SIGNING_SECRET": "the Signing Secret of your Slack app (Basic Information, App Credentials)",
    "GPUBOT_SLACK_HTTP": "the address on which Slack's requests arrive, such as 127.0.0.1:8601",
    "GPUBOT_SLACK_HANDOVER": "a number of seconds from 0 to 30",
    "COMPUTE_CLEAR_TOKEN": "the token of your Compute Clear account",
    "GPUBOT_CHANNEL": "the id of your home channel, such as C0123ABCD (in Slack: channel details, at the bottom)",
    "GPUBOT_ADMINS": "a list of Slack user ids, comma-separated, such as U0123ABCD "
    "(in Slack: profile, Copy member ID)",
    "GPUBOT_LOG": "console or json",
}


def _line(name: str, kind: str, message: str, hint: str) -> str:
    """Return the message about a setting that is missing or wrong. It never contains the value.

    Args:
        name: The name of the setting.
        kind: The type of pydantic's error.
        message: The message of pydantic's error.
        hint: A description of the setting.
    """
    if kind == "missing":
        return f"{name} is not set. It is {hint}."
    if kind == "value_error":
        return f"{name}: {message.removeprefix('Value error, ')}."
    return f"{name} isn't valid. Expected: {hint or one_line(message, 100)}."


# --- checks of hosts, ports and web addresses in settings. The text of a ValueError says what to write instead.


_LABEL = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?")
_PORT = re.compile(r"[0-9]{1,5}")
_VISIBLE_ASCII = re.compile(r"[!-~]+")
LONGEST_HOST = 253
"""The maximum length of a host name without its final dot (RFC 1035, section 2.3.4).

Each of its labels has at most 63 characters.
"""


def check_host(host: str) -> None:
    """Raise ValueError unless the text is a host name or an IP address."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        labels = host.removesuffix(".").split(".")
        if len(host) > LONGEST_HOST or not all(map(_LABEL.fullmatch, labels)):
            raise ValueError("its host is neither a name nor an IP address") from None


def check_port(port: str) -> None:
    """Raise ValueError unless the text is a number from 1 to 65535."""
    if not _PORT.fullmatch(port):
        raise ValueError("its port isn't a number")
    if not 0 < int(port) <= 65535:
        raise ValueError("the port must be from 1 to 65535")


def check_listen_address(value: str) -> None:
    """Raise ValueError unless the text is `HOST:PORT`, with an IPv6 host in brackets."""
    host, colon, port = value.rpartition(":")
    if "//" in value:
        raise ValueError("leave out http:// and the path: write an address and port, such as 127.0.0.1:8600")
    if not colon or not host:
        raise ValueError("it must be an address and port, such as 127.0.0.1:8600")
    if ":" in host and not (host.startswith("[") and host.endswith("]")):
        raise ValueError("put an IPv6 address in brackets, such as [::1]:8600")
    check_port(port)
    check_host(host.removeprefix("[").removesuffix("]"))


def check_web_address(value: str) -> None:
    """Raise ValueError unless the text is an http or https URL with only a host, a port and a path.

    Other parts, such as a user or a query, are refused because the bot's HTTP clients interpret them differently.
    """
    try:
        parts = urlsplit(value)
        host = parts.hostname
    except ValueError:
        host = None
    if (
        not host
        or parts.scheme not in {"http", "https"}
        or not _VISIBLE_ASCII.fullmatch(value)
        or "\\" in value
        or parts.query
        or parts.fragment
    ):
        raise ValueError("it must be a web address, such as https://example.com/")
    if "@" in parts.netloc:
        raise ValueError("leave out the name and password before the @")
    after_ipv6_host = parts.netloc.rpartition("]")[2]
    if ":" in after_ipv6_host:
        check_port(after_ipv6_host.partition(":")[2])
    if parts.netloc.startswith("[") and ":" not in host:
        raise ValueError("its host is neither a name nor an IP address")
    check_host(host)
