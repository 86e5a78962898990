"""Queries the bot and Compute Clear, and posts to Slack.

Only the statuses and error codes of answers are logged. The rest of an answer and the addresses may contain
secrets.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import timedelta
from typing import NamedTuple

import aiohttp
import structlog
from pydantic import ValidationError

from bot.clock import Clock, http_date
from bot.errors import MarketAway, TokenRefused
from bot.market.client import ComputeClear
from bot.model.gpu import display_name
from bot.model.text import one_line
from bot.model.watched_machine import MachinesAnswer
from bot.net.machines_proof import NONCE_HEADER, SIGNATURE_HEADER, is_same, new_nonce, sign_answer, sign_request
from bot.net.sessions import Redirected, TooLong, read_body
from bot.watchdog.settings import WatchdogSettings
from bot.watchdog.state import Account, BotAnswer, Living, Trouble

SECONDS = 30.0
"""The time in seconds (wall clock) to wait for an answer from the bot or from Slack.

It is long so that a slow bot isn't reported as unreachable.
"""
LARGEST_ANSWER = 16 * 1024 * 1024
LARGEST_OF_SLACK = 64 * 1024
CLOCKS_DIFFER = timedelta(minutes=10)
"""The difference from Slack's clock above which this machine's clock is considered wrong."""
_GATEWAY_ERRORS = frozenset({502, 503, 504})
"""The statuses that a gateway returns if it can't reach the server (RFC 9110, section 15.6)."""

log = structlog.get_logger("gpubot.watchdog")


class Posted(NamedTuple):
    """The outcome of posting a message."""

    taken: bool
    """True if Slack has confirmed that it accepted the message."""
    clock_is_wrong: bool = False
    """True if this machine's clock and Slack's clock differ by more than CLOCKS_DIFFER."""


class Outside:
    """The calls that the watchdog makes to the bot, to Compute Clear and to Slack."""

    def __init__(
        self, settings: WatchdogSettings, session: aiohttp.ClientSession, market: ComputeClear, clock: Clock
    ) -> None:
        self._settings = settings
        self._session = session
        self._market = market
        self._clock = clock

    async def ask_bot(self) -> BotAnswer:
        """Query the bot. The result contains machines only if the bot has signed its answer."""
        token, nonce = self._settings.machines_token, new_nonce()
        headers = {NONCE_HEADER: nonce, SIGNATURE_HEADER: sign_request(token, nonce)}
        try:
            async with self._session.get(f"{self._settings.bot_url}/machines", headers=headers) as answer:
                body = await read_body(answer, LARGEST_ANSWER)
                signature = sign_answer(token, nonce, answer.status, body)
                if is_same(signature, answer.headers.get(SIGNATURE_HEADER, "")):
                    return _signed_answer(body)
                return _unsigned_answer(answer.status, answer.headers)
        except TimeoutError:
            return BotAnswer(trouble=Trouble.UNREACHABLE, why=f"no answer within {SECONDS:g} s")
        except Redirected:
            return BotAnswer(trouble=Trouble.UNUSABLE, why="its address redirects to another one")
        except TooLong:
            return BotAnswer(trouble=Trouble.UNUSABLE, why="its answer is too long")
        except aiohttp.ClientConnectorError:
            return BotAnswer(trouble=Trouble.UNREACHABLE, why="nothing accepts connections at its address")
        except (aiohttp.ClientError, OSError):
            return BotAnswer(trouble=Trouble.UNREACHABLE, why="the connection broke")

    async def list_account(self) -> Account:
        """List the resources on the Compute Clear account that haven't been terminated."""
        try:
            resources = await self._market.resources()
        except TokenRefused as error:
            return Account(trouble=error.words, token_refused=True)
        except MarketAway as error:
            return Account(trouble=error.words)
        living = (
            Living(
                resource_id=one.resource_id,
                name=one.name,
                rate=one.rate,
                since=one.valid_from or one.created_at,
                gpus=f"{one.count or 1}x {display_name(one.gpu)}" if one.gpu is not None else None,
            )
            for one in resources
            if not one.deleted
        )
        return Account(living=tuple(living))

    async def delete(self, resource_id: str) -> str | None:
        """Delete a resource.

        Returns None if Compute Clear accepted the deletion, or if the account no longer has the resource.
        Otherwise, the result is a sentence with the reason why the resource isn't being deleted.
        """
        try:
            accepted = await self._market.delete(resource_id)
        except MarketAway as error:
            log.warning("watchdog.not_deleted", resource=resource_id, error=type(error).__name__)
            return error.words
        log.info("watchdog.deleted", resource=resource_id, accepted=accepted)
        return None

    async def post(self, text: str) -> Posted:
        """Post a message to Slack.

        If Slack doesn't answer, the message is treated as refused, so it will be posted again.
        """
        settings = self._settings
        headers, body = {}, {"text": text}
        if settings.webhook is None and settings.slack_bot_token is not None:
            headers = {"Authorization": f"Bearer {settings.slack_bot_token.get_secret_value()}"}
            body["channel"] = settings.channel or ""
        try:
            async with self._session.post(settings.slack_url, json=body, headers=headers) as answer:
                error = _slack_error(await read_body(answer, LARGEST_OF_SLACK))
                taken = answer.status == 200 and error is None
                if not taken:
                    log.warning("watchdog.slack_refuses", status=answer.status, error=error)
                return Posted(taken, self._differs(answer.headers))
        except (aiohttp.ClientError, OSError, ValueError) as error:
            log.warning("watchdog.slack_away", error=type(error).__name__)
            return Posted(taken=False)

    def _differs(self, headers: Mapping[str, str]) -> bool:
        """Return whether this machine's clock differs too much from the Date header of an answer.

        RFC 9110, section 6.6.1, describes the header.
        """
        theirs = http_date(headers.get("Date", ""))
        return theirs is not None and abs(theirs - self._clock.real()) > CLOCKS_DIFFER


def _signed_answer(body: bytes) -> BotAnswer:
    try:
        said = MachinesAnswer.model_validate_json(body)
    except ValidationError:
        return BotAnswer(trouble=Trouble.UNUSABLE, why="I can't read its answer")
    trouble = None if said.well else Trouble.NOT_WELL
    return BotAnswer(trouble=trouble, why="; ".join(said.wrong), machines=said.machines)


def _unsigned_answer(status: int, headers: Mapping[str, str]) -> BotAnswer:
    """Interpret an answer without a valid signature.

    Such an answer may come from a program other than the bot, so its body is ignored.
    """
    trouble = Trouble.UNREACHABLE if status in _GATEWAY_ERRORS else Trouble.UNUSABLE
    why = f"its address answers with error {status}"
    if status < 400:
        why = "what answers there doesn't prove that it knows my GPUBOT_MACHINES_TOKEN"
    elif status in {401, 403}:
        why = "it rejects my GPUBOT_MACHINES_TOKEN"
        if headers.get("WWW-Authenticate", "").startswith("Bearer"):
            why = "it asks for my token itself, as older versions do, and I never send it. Upgrade gpubot first"
    elif status == 404:
        why = "it has no /machines: set GPUBOT_MACHINES_TOKEN there too"
    return BotAnswer(trouble=trouble, why=why)


def _slack_error(content: bytes) -> str | None:
    """Return the error in an answer from a webhook or from Slack's Web API, or None if the call succeeded."""
    text = content.decode(errors="replace").strip()
    try:
        body = json.loads(text)
    except ValueError:
        return None if text == "ok" else one_line(text, 40)
    said = body if isinstance(body, dict) else {}
    return None if said.get("ok") is True else one_line(str(said.get("error")), 40)
