"""Keeps what the store knows of teammates up to date, for steps that act while nobody clicks."""

from __future__ import annotations

import asyncio
from collections.abc import Collection

import structlog
from slack_sdk.web.async_client import AsyncWebClient

from bot.errors import GpubotError
from bot.lifecycle.deps import Deps
from handlers.directory.people import HomeWorkspace, People
from handlers.slack_api.error_codes import NO_ANSWER, error_code

_log = structlog.get_logger("gpubot.people")


class SlackDirectory:
    """Implements `bot.lifecycle.ports.outside.Directory`.

    Which workspace is the bot's own is asked with the first look-up: the engine runs before the bot is connected.
    """

    def __init__(self, deps: Deps, client: AsyncWebClient) -> None:
        self._deps = deps
        self._client = client
        self._people: People | None = None

    async def refresh(self, user_ids: Collection[str]) -> None:
        """Look people up whom the store knows for more than 15 minutes. Those about whom Slack doesn't answer stay
        as they are. Never raise."""
        if not user_ids:
            return
        try:
            if self._people is None:
                home = HomeWorkspace.of(await self._client.auth_test())
                self._people = People(self._deps, self._client, home)
        except NO_ANSWER as error:
            _log.warning("people.not_refreshed", error=error_code(error))
            return
        await asyncio.gather(*(self._refresh(self._people, user_id) for user_id in user_ids))

    @staticmethod
    async def _refresh(people: People, user_id: str) -> None:
        try:
            await people.get(user_id)
        except GpubotError as error:
            _log.info("people.not_refreshed", user=user_id, error=type(error).__name__)
