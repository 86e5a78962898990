"""What this process knows of the types of blocks that Slack takes.

What Slack refuses is sent again at once in classic blocks, and from then on without a refused try. Slack says
nothing of the blocks in an acknowledgement, so these have only types that Slack was seen to take.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Sequence

import structlog
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from handlers.phrases.blocks import Json, plain
from handlers.phrases.classic import NEW_TYPES, SAMPLES, Surface, classic, new_types
from handlers.slack_api.web_api import NO_ANSWER, TOKEN_REFUSED, error_code, is_temporary, pointers

log = structlog.get_logger("gpubot.delivery")

BLOCKS = frozenset({"invalid_blocks", "invalid_blocks_format", "msg_blocks_too_long", "msg_too_large"})
"""Errors by which Slack refuses a message's blocks, at any destination. It may take the text alone."""
VIEWS = frozenset({"invalid_arguments", "invalid_blocks", "view_too_large"})
"""Errors by which Slack refuses a view."""
ASK_TIMEOUT = 5
"""Real seconds."""

_NOT_VALID = frozenset({"invalid_blocks", "invalid_message", "invalid_view"})
"""Errors of blocks.validate about what it was asked to validate."""
_PLACE = re.compile(r"(?:.*?/blocks)?/(\d+)(?:/|$)")


class BlockTypes:
    """Remembers, for each surface, which types of blocks Slack took and which it refused, until the process ends.
    Delivery, direct posts and dialogs share one."""

    def __init__(self) -> None:
        self._takes: dict[tuple[Surface, str], bool] = {}
        self._logged: set[str] = set()
        self._asked = False

    def refused(self, surface: Surface) -> set[str]:
        """Return the types that Slack refuses on a surface."""
        return {name for name in NEW_TYPES if self._takes.get((surface, name)) is False}

    def taken(self, surface: Surface) -> set[str]:
        """Return the types that Slack took on a surface."""
        return {name for name in NEW_TYPES if self._takes.get((surface, name))}

    def proven(self, blocks: Sequence[Json], surface: Surface = Surface.MESSAGE) -> list[Json]:
        """Return blocks for an acknowledgement, or for a call that can't be repeated: classic ones in the place of
        each type that Slack wasn't seen to take."""
        return classic(blocks, NEW_TYPES - self.taken(surface))

    def attempt(self, blocks: Sequence[Json], surface: Surface = Surface.MESSAGE) -> Attempt:
        """Return the blocks for a call that Slack answers."""
        return Attempt(self, blocks, surface)

    def note(self, surface: Surface, *, taken: set[str], refused: set[str]) -> None:
        """Remember what an answer of Slack showed. Log each type once."""
        for name in sorted(refused - self._logged):
            log.warning("slack.block_refused", block=name, surface=surface.value)
        self._logged |= refused
        for name in refused:
            self._takes[surface, name] = False
        for name in taken:
            self._takes[surface, name] = True

    async def ask(self, client: AsyncWebClient) -> None:
        """Ask Slack which types it takes, unless it answered before. Without an answer, that shows when they are
        sent. Never raise."""
        if self._asked:
            return
        try:
            async with asyncio.timeout(ASK_TIMEOUT):
                for surface, blocks in SAMPLES.items():
                    refused = await refused_by(client, surface)
                    self.note(surface, taken=new_types(blocks) - refused, refused=refused)
        except NO_ANSWER as error:
            log.info("slack.blocks_not_validated", error=error_code(error))
            answered = isinstance(error, SlackApiError) and not is_temporary(error)
            self._asked = answered and error_code(error) not in TOKEN_REFUSED
        else:
            self._asked = True


class Attempt:
    """One message or view, for as many calls as it needs until Slack takes its blocks."""

    def __init__(self, types: BlockTypes, blocks: Sequence[Json], surface: Surface) -> None:
        self._types = types
        self._surface = surface
        self._blamed: set[str] = set()
        self._named: set[str] = set()
        self.blocks = classic(blocks, types.refused(surface))
        """What is sent next."""

    def refused(self, error: SlackApiError | None = None) -> bool:
        """Go on to plainer blocks, because Slack refused these: to classic ones in the place of those that the
        error names, or else that Slack never took; then to classic ones alone; and in a message last to its text
        alone. Return False if nothing plainer is left."""
        newer = new_types(self.blocks)
        if newer:
            named, unknown = _named(error, self.blocks), newer - self._types.taken(self._surface)
            blamed = newer if self._blamed else named or unknown or newer
            self._named |= named
            self._blamed |= blamed
            self.blocks = classic(self.blocks, blamed)
            return True
        if not self.blocks or self._surface is not Surface.MESSAGE:
            return False
        log.error("slack.blocks_refused", error="" if error is None else error_code(error))
        self.blocks = []
        return True

    def taken(self) -> None:
        """Note that Slack took the blocks: then those that it refused before were refused for their types. A type
        that was refused elsewhere meanwhile stays refused."""
        if self.blocks:
            taken = new_types(self.blocks) - self._types.refused(self._surface)
            self._types.note(self._surface, taken=taken, refused=self._blamed)

    def lost(self) -> None:
        """Note that no further call is possible: Slack refuses at least the types at which its errors pointed."""
        self._types.note(self._surface, taken=set(), refused=self._named)


def _named(error: SlackApiError | None, blocks: Sequence[Json]) -> set[str]:
    """Return the newer types of the blocks at which an error points."""
    places = [int(found[1]) for found in map(_PLACE.match, () if error is None else pointers(error)) if found]
    return new_types(blocks[place] for place in places if place < len(blocks))


async def refused_by(client: AsyncWebClient, surface: Surface) -> set[str]:
    """Return which types Slack refuses on a surface, by blocks.validate. Raise one of NO_ANSWER if it gives no
    usable answer (docs.slack.dev/reference/methods/blocks.validate)."""
    blocks = list(SAMPLES[surface])
    view = {"type": surface.value, "title": plain("-", 24), "blocks": blocks}
    name, given = ("message", {"text": "-", "blocks": blocks}) if surface is Surface.MESSAGE else ("view", view)
    try:
        await client.api_call("blocks.validate", data={name: json.dumps(given)})
    except SlackApiError as error:
        if error_code(error) not in _NOT_VALID:
            raise
        return _named(error, blocks) or new_types(blocks)
    return set()
