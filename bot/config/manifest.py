"""The manifest of the Slack app.

The file `manifest.yml` is the manifest for Socket Mode. The manifest for HTTP mode is generated from it.
"""

from __future__ import annotations

import json
from importlib.resources import files
from urllib.parse import urlsplit

from bot.config.settings import check_web_address
from bot.errors import Mistake

PATH = "/slack/events"
"""The path that is appended to the bot's address.

The bot accepts requests with any path, in case a proxy changes the path.
"""
_COMMENT = """\
# Slack's app for gpubot in HTTP mode. Paste it at https://api.slack.com/apps: Create New App, From a manifest,
# YAML. Then: Basic Information, App Credentials, the signing secret (SLACK_SIGNING_SECRET); Install App, the bot
# token (SLACK_BOT_TOKEN). Start the bot, and let Slack check the address: Event Subscriptions, Retry.
"""


def socket_manifest() -> str:
    """Return the manifest for Socket Mode."""
    return files("bot").joinpath("manifest.yml").read_text(encoding="utf-8")


def http_manifest(url: str) -> str:
    """Return the manifest for HTTP mode with this address. Raises Mistake if Slack can't use the address."""
    try:
        if "?" in url or "#" in url:
            raise ValueError("leave out the ? or # and what follows it")
        check_web_address(url)
        if urlsplit(url).scheme != "https":
            raise ValueError("Slack sends requests only to https")
    except ValueError as error:
        raise Mistake(f"--http {url}: {error}. Write it like https://bot.example.com") from None
    to = json.dumps(url.rstrip("/") + PATH)
    text = socket_manifest()
    text = _COMMENT + text[text.index("_metadata:") :]
    for found, instead in (
        ("    - command: /gpu\n", f"    - command: /gpu\n      url: {to}\n"),
        ("  interactivity:\n", f"  interactivity:\n    request_url: {to}\n"),
        ("  event_subscriptions:\n", f"  event_subscriptions:\n    request_url: {to}\n"),
        ("  socket_mode_enabled: true\n", "  socket_mode_enabled: false\n"),
    ):
        text = text.replace(found, instead)
    return text
