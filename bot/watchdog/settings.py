"""The settings of `gpubot watchdog`. They come from the same sources as the bot's settings."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar
from urllib.parse import urlsplit

import platformdirs
from pydantic import Field, SecretStr, field_validator, model_validator

from bot.config.settings import (
    CHANNEL_ID,
    SHORTEST_TOKEN,
    USER_IDS,
    BotToken,
    CommandSettings,
    LogFormat,
    MachinesToken,
    MarketToken,
    SlackUrl,
    Url,
    check_clock,
    check_web_address,
    encrypted_url,
    ids_in,
    read_settings_of,
    setting,
)
from bot.errors import Mistake
from bot.net.proxies import is_loopback

_SHARED = ipaddress.ip_network("100.64.0.0/10")
"""The address range for carrier-grade NAT (RFC 6598). Private networks such as Tailscale use it too."""


class WatchdogSettings(CommandSettings):
    """The settings of `gpubot watchdog`."""

    hints: ClassVar[Mapping[str, str]] = {
        "GPUBOT_URL": "the address of the bot's GPUBOT_HTTP as this machine reaches it, such as "
        "http://10.8.0.2:8600",
        "GPUBOT_MACHINES_TOKEN": "a secret that the bot has too; make one with: openssl rand -hex 32",
    }
    stand_ins: ClassVar[Mapping[str, str]] = {
        "GPUBOT_URL": "http://127.0.0.1:1",
        "GPUBOT_MACHINES_TOKEN": "-" * SHORTEST_TOKEN,
    }

    bot_url: str = setting("GPUBOT_URL")
    machines_token: MachinesToken = setting("GPUBOT_MACHINES_TOKEN")
    compute_clear_token: MarketToken = setting("COMPUTE_CLEAR_TOKEN")
    compute_clear_url: Url = setting("COMPUTE_CLEAR_URL", default="https://supply-api.compute-desk.com")
    admins: str = setting("GPUBOT_ADMINS", pattern=USER_IDS)
    webhook: SecretStr | None = setting("GPUBOT_WATCHDOG_WEBHOOK", default=None)
    slack_bot_token: BotToken | None = setting("SLACK_BOT_TOKEN", default=None)
    channel: str | None = setting("GPUBOT_CHANNEL", default=None, pattern=CHANNEL_ID)
    slack_api_url: SlackUrl = setting("SLACK_API_URL", default="https://slack.com/api/")
    state: Path = Field(
        validation_alias="GPUBOT_WATCHDOG_STATE",
        default_factory=lambda: platformdirs.user_data_path("gpubot") / "watchdog.json",
    )
    log: LogFormat = setting("GPUBOT_LOG", default=LogFormat.CONSOLE)
    clock_url: Url | None = setting("GPUBOT_CLOCK_URL", default=None)

    @field_validator("bot_url")
    @classmethod
    def _private_or_encrypted(cls, value: str) -> str:
        check_web_address(value)
        if urlsplit(value).scheme == "http" and not _is_private(value):
            raise ValueError("plain http is only for an IP address of a private network; else use https")
        return value.rstrip("/")

    @field_validator("webhook")
    @classmethod
    def _webhook_address(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            encrypted_url(value.get_secret_value())
        return value

    @model_validator(mode="after")
    def _clock_only_for_sandboxes(self) -> WatchdogSettings:
        check_clock(self.clock_url, self.bot_url, self.compute_clear_url, self.slack_url)
        return self

    @property
    def slack_url(self) -> str:
        """Return the URL to post messages to. The URL of a webhook is a secret."""
        if self.webhook is not None:
            return self.webhook.get_secret_value()
        return f"{self.slack_api_url}chat.postMessage"

    @property
    def admin_ids(self) -> tuple[str, ...]:
        """Return the Slack user IDs in `admins`."""
        return ids_in(self.admins)


def _is_private(url: str) -> bool:
    """Return whether a URL points to this machine, or contains an IP address of a private network."""
    try:
        address = ipaddress.ip_address(urlsplit(url).hostname or "")
    except ValueError:
        return is_loopback(url)
    return address.is_private or (address.version == 4 and address in _SHARED)


def read_watchdog_settings() -> WatchdogSettings:
    """Read the settings. Raises Mistake with one line for each setting that is missing or wrong."""
    settings = read_settings_of(WatchdogSettings)
    if settings.webhook is None and (settings.slack_bot_token is None or settings.channel is None):
        raise Mistake(
            "GPUBOT_WATCHDOG_WEBHOOK is not set. It is the URL of an incoming webhook of your Slack app, which "
            "begins with https://hooks.slack.com/. SLACK_BOT_TOKEN and GPUBOT_CHANNEL can stand in for it."
        )
    return settings
