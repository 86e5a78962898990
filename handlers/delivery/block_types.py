"""Keeps track of which types of blocks Slack accepts from this app.

Slack rolls out new types of blocks gradually, so a workspace may refuse some of them. If Slack refuses a message,
the message is sent again at once with older types of blocks, called classic here. From then on, the refused types
aren't tried again.

An acknowledgement is the immediate response to a click or command. Slack doesn't report whether it accepted the
blocks of an acknowledgement. Therefore acknowledgements only contain types that Slack has already accepted.
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
"""The errors with which Slack refuses the blocks of a call.

After such an error, Slack may still accept the message as text without blocks.
"""
ASK_TIMEOUT = 5
"""The timeout of `BlockTypes.ask`, in seconds of wall-clock time."""

_TOO_LARGE = frozenset({"msg_blocks_too_long", "msg_too_large", "view_too_large"})
_NOT_VALID = frozenset({"invalid_blocks", "invalid_message", "invalid_view"})
"""The errors with which `blocks.validate` reports that the given blocks are invalid."""
_PLACE = re.compile(r"(?:.*?/blocks)?/(\d+)(/.*)?")
_ALL_BLOCKS = frozenset({"", "/blocks", "/view", "/view/blocks"})
"""The JSON pointers in errors that blame the whole message or view instead of a single block."""


class BlockTypes:
    """Remembers which types of blocks Slack accepts or refuses, separately for messages and dialogs.

    The knowledge is kept in memory until the process ends. Delivery, direct posts and dialogs share one instance.
    """

    def __init__(self) -> None:
        self._takes: dict[tuple[Surface, str], bool] = {}
        self._seen: set[tuple[Surface, str]] = set()
        """The types for which it is certain whether Slack accepts or refuses them.

        A type is certain after a call with it has succeeded, or after Slack has clearly refused the type. A type
        that only `blocks.validate` accepted isn't certain, because a real call may still fail.
        """
        self._asked = False

    def refused(self, surface: Surface) -> set[str]:
        """Return the types of blocks that Slack refuses in messages or in dialogs."""
        return {name for name in NEW_TYPES if self._takes.get((surface, name)) is False}

    def taken(self, surface: Surface) -> set[str]:
        """Return the types of blocks that Slack accepts in messages or in dialogs."""
        return {name for name in NEW_TYPES if self._takes.get((surface, name))}

    def proven(self, blocks: Sequence[Json], surface: Surface = Surface.MESSAGE) -> list[Json]:
        """Return the blocks without the types that Slack hasn't accepted yet.

        A block of such a type is replaced with blocks of types that every workspace accepts.

        Use this for acknowledgements, because Slack doesn't report whether it accepted their blocks. Use it for
        dialogs too, because a refused dialog can't be sent again: the trigger ID that opens a dialog may work only
        once.
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
        """Make a call to Slack, and repeat it with plainer blocks as long as Slack refuses the blocks.

        Stores which types were accepted or refused. If the last call fails, its error is raised.

        Args:
            blocks: The blocks to send at first.
            call: Makes the call with the given blocks.
            surface: Whether the blocks are shown in a message or in a dialog.
            text_alone: Whether the message may finally be sent with its text and no blocks at all.
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
        """Store which types of blocks Slack accepted and refused in calls.

        If Slack refuses a type that it accepted in an earlier call, perhaps only the content of the block is
        wrong. The type is then neither accepted nor refused.

        Args:
            surface: Whether the calls showed the blocks in a message or in a dialog.
            taken: The types that were accepted.
            refused: For each refused type, True if the type was certainly the reason for the refusal. False if it
                was probably the reason.
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
        """Mark a type as accepted, unless Slack has clearly refused it."""
        if place not in self._seen or self._takes.get(place) is not False:
            self._takes[place] = True

    def _refuse(self, place: tuple[Surface, str]) -> None:
        """Mark a type as clearly refused, and log the refusal once."""
        if place not in self._seen or self._takes.get(place) is not False:
            log.warning("slack.block_refused", block=place[1], surface=place[0].value)
        self._seen.add(place)
        self._takes[place] = False

    async def ask(self, client: AsyncWebClient) -> None:
        """Ask Slack which types of blocks it accepts, unless the bot already knows.

        The bot asks again after Slack has refused a block in a message or dialog.

        If Slack doesn't answer, the bot tries the newer types of blocks in its next messages, and thus learns
        which ones Slack accepts. Dialogs use only older types of blocks in the meantime. Never raises.
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
    """Sends one message or dialog repeatedly, with plainer blocks each time, until Slack accepts it."""

    def __init__(self, types: BlockTypes, blocks: Sequence[Json], surface: Surface) -> None:
        self._types = types
        self._surface = surface
        self.blamed: dict[str, bool] = {}
        """For each type that may have caused a refusal, whether the type was certainly the cause.

        In a dialog, every value is True, so that dialogs don't try these types again. The reason is that a refused
        call may already have used up the trigger ID that opens the dialog.
        """
        self.blocks = classic(blocks, types.refused(surface))
        """The blocks to send next."""

    def plainer(self, error: SlackApiError) -> bool:
        """Switch to plainer blocks if Slack refused the current ones. Return False if nothing plainer is left.

        Classic blocks are the older types, which every workspace accepts. They replace other blocks in these
        steps:

        1. After the first refusal, replace the blocks that the error points at. If the error points at no block,
        replace the blocks whose types Slack hasn't accepted yet.

        2. After the next refusal, replace all blocks that aren't classic.

        3. If Slack refuses even the classic blocks, drop all blocks of a message, so that only its text is left.
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
    """Return the types of blocks that an error points at. Types that every workspace accepts are left out.

    A type is mapped to True if the error blames the type itself, and to False if it blames the block's content.
    """
    named: dict[str, bool] = {}
    for found in filter(None, map(_PLACE.fullmatch, pointers(error))):
        for name in new_types(blocks[int(found[1]) :][:1]):
            named[name] = named.get(name, False) or found[2] in {None, "/type"}
    return named


async def refused_by(client: AsyncWebClient, surface: Surface) -> set[str]:
    """Return the types of blocks that Slack refuses in messages or in dialogs.

    Calls `blocks.validate` once for each type, because an error may name only the first mistake
    (docs.slack.dev/reference/methods/blocks.validate). If Slack gives no usable answer, the call's exception is
    raised.
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
