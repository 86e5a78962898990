"""What this process knows of the types of blocks that Slack takes.

What Slack refuses is sent again at once in classic blocks, and from then on without a refused try. Slack says
nothing of the blocks in an acknowledgement, so these have only types that Slack was seen to take.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from typing import TypeVar

import structlog
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from handlers.phrases.blocks import Json, plain
from handlers.phrases.classic import NEW_TYPES, SAMPLES, Surface, classic, new_types
from handlers.slack_api.web_api import NO_ANSWER, TOKEN_REFUSED, error_code, is_temporary, pointers

log = structlog.get_logger("gpubot.delivery")
T = TypeVar("T")

REFUSALS: Mapping[Surface, Collection[str]] = {
    Surface.MESSAGE: {"invalid_blocks", "invalid_blocks_format", "msg_blocks_too_long", "msg_too_large"},
    Surface.MODAL: {"invalid_arguments", "invalid_blocks", "view_too_large"},
}
"""Errors by which Slack refuses blocks. It may take a message's text alone."""
ASK_TIMEOUT = 5
"""Real seconds."""

_TOO_LARGE = frozenset({"msg_blocks_too_long", "msg_too_large", "view_too_large"})
_NOT_VALID = frozenset({"invalid_blocks", "invalid_message", "invalid_view"})
"""Errors of blocks.validate about what it was asked to validate."""
_PLACE = re.compile(r"(?:.*?/blocks)?/(\d+)(/.*)?")
_ALL_BLOCKS = frozenset({"", "/blocks", "/view", "/view/blocks"})
"""Pointers that say nothing of one block."""


class BlockTypes:
    """Remembers, for each surface, which types of blocks Slack takes and which it refuses, until the process ends.
    Delivery, direct posts and dialogs share one.
    """

    def __init__(self) -> None:
        self._takes: dict[tuple[Surface, str], bool] = {}
        self._seen: set[tuple[Surface, str]] = set()
        """The types that a call took, or that are surely refused. That blocks.validate takes one is less sure."""
        self._asked = False

    def refused(self, surface: Surface) -> set[str]:
        """Return the types that Slack refuses on a surface."""
        return {name for name in NEW_TYPES if self._takes.get((surface, name)) is False}

    def taken(self, surface: Surface) -> set[str]:
        """Return the types that Slack takes on a surface."""
        return {name for name in NEW_TYPES if self._takes.get((surface, name))}

    def proven(self, blocks: Sequence[Json], surface: Surface = Surface.MESSAGE) -> list[Json]:
        """Return blocks for an acknowledgement, or for a dialog, whose trigger may work only once: classic ones in
        the place of each type that Slack wasn't seen to take.
        """
        return classic(blocks, NEW_TYPES - self.taken(surface))

    async def deliver(
        self,
        blocks: Sequence[Json],
        call: Callable[[list[Json]], Awaitable[T]],
        surface: Surface = Surface.MESSAGE,
        *,
        text_alone: bool = True,
    ) -> T:
        """Make a call, again at once with plainer blocks as long as Slack refuses them, and remember what that
        showed. `text_alone` tells whether a message's text will do. Raise what the last call raised.
        """
        attempt, taken = Attempt(self, blocks, surface), set[str]()
        try:
            while True:
                try:
                    answer = await call(attempt.blocks)
                except SlackApiError as error:
                    if not attempt.plainer(error) or not (attempt.blocks or text_alone):
                        raise
                else:
                    taken = new_types(attempt.blocks)
                    return answer
        finally:
            self.note(surface, taken=taken, refused=attempt.blamed)

    def note(self, surface: Surface, *, taken: Collection[str], refused: Mapping[str, bool]) -> None:
        """Remember what calls showed. `refused` tells of each type whether that is sure.

        A type that a call took before may have been refused for its content, so it is forgotten. Any other is
        refused from now on, and if that isn't sure, only until Slack says otherwise: it is asked again.
        """
        for name in taken:
            self._take((surface, name))
            self._seen.add((surface, name))
        for name, sure in refused.items():
            place, self._asked = (surface, name), False
            if place in self._seen:
                if self._takes.get(place):
                    del self._takes[place]
            elif sure:
                self._refuse(place)
            else:
                self._takes[place] = False

    def _take(self, place: tuple[Surface, str]) -> None:
        """Remember that Slack takes a type, unless it surely refused it."""
        if place not in self._seen or self._takes.get(place) is not False:
            self._takes[place] = True

    def _refuse(self, place: tuple[Surface, str]) -> None:
        """Remember that Slack surely refuses a type, and log it once."""
        if place not in self._seen or self._takes.get(place) is not False:
            log.warning("slack.block_refused", block=place[1], surface=place[0].value)
        self._seen.add(place)
        self._takes[place] = False

    async def ask(self, client: AsyncWebClient) -> None:
        """Ask Slack which types it takes, unless it answered since the last refusal. Without an answer, messages
        show it when they are sent, and dialogs stay classic. Never raise.
        """
        if self._asked:
            return
        self._asked = True
        try:
            async with asyncio.timeout(ASK_TIMEOUT):
                for surface, samples in SAMPLES.items():
                    refused = await refused_by(client, surface)
                    for block in samples:
                        place = surface, block["type"]
                        (self._refuse if place[1] in refused else self._take)(place)
        except NO_ANSWER as error:
            log.info("slack.blocks_not_validated", error=error_code(error))
            answered = isinstance(error, SlackApiError) and not is_temporary(error)
            self._asked = answered and error_code(error) not in TOKEN_REFUSED


class Attempt:
    """One message or view, for as many calls as it needs until Slack takes its blocks."""

    def __init__(self, types: BlockTypes, blocks: Sequence[Json], surface: Surface) -> None:
        self._types = types
        self._surface = surface
        self.blamed: dict[str, bool] = {}
        """The types for which Slack may have refused a call, and whether that is sure. In a dialog it counts as
        sure: the refusal may have used up the trigger, so the type isn't tried on the chance."""
        self.blocks = classic(blocks, types.refused(surface))
        """What is sent next."""

    def plainer(self, error: SlackApiError) -> bool:
        """Go on to plainer blocks, if Slack refused these: to classic ones in the place of those at which the
        error points, or else that Slack wasn't seen to take; then to classic ones alone. If nothing newer is to
        blame, a message is left with its text. Return False if nothing plainer is left.
        """
        code, newer, is_modal = error_code(error), new_types(self.blocks), self._surface is Surface.MODAL
        if code not in REFUSALS[self._surface]:
            return False
        named, too_large = _named(error, self.blocks), code in _TOO_LARGE
        if newer and (named or too_large or _ALL_BLOCKS.issuperset(pointers(error))):
            unknown = newer - self._types.taken(self._surface)
            replaced = newer if too_large or self.blamed else set(named) or unknown or newer
            if not too_large:
                self.blamed |= {name: is_modal or named.get(name, False) for name in replaced}
            self.blocks = classic(self.blocks, replaced)
            return True
        if is_modal or not self.blocks:
            return False
        log.error("slack.blocks_refused", error=code)
        self.blamed, self.blocks = {}, []
        return True


def _named(error: SlackApiError, blocks: Sequence[Json]) -> dict[str, bool]:
    """Return the newer types of the blocks at which an error points, and whether it points at the type itself, not
    at the content.
    """
    named: dict[str, bool] = {}
    for found in filter(None, map(_PLACE.fullmatch, pointers(error))):
        for name in new_types(blocks[int(found[1]) :][:1]):
            named[name] = named.get(name, False) or found[2] in {None, "/type"}
    return named


async def refused_by(client: AsyncWebClient, surface: Surface) -> set[str]:
    """Return which types Slack refuses on a surface, by one call of blocks.validate for each, because it may name
    only the first mistake. Raise one of NO_ANSWER if there is no usable answer
    (docs.slack.dev/reference/methods/blocks.validate).
    """
    refused = set()
    for block in SAMPLES[surface]:
        given: dict[str, Json] = {"message": {"text": "-", "blocks": [block]}}
        if surface is Surface.MODAL:
            given = {"view": {"type": surface.value, "title": plain("-", 24), "blocks": [block]}}
        try:
            await client.api_call("blocks.validate", data={name: json.dumps(each) for name, each in given.items()})
        except SlackApiError as error:
            if error_code(error) not in _NOT_VALID:
                raise
            refused.add(block["type"])
    return refused
