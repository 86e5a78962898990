"""Keeps track of which types of blocks Slack accepts from this app.

Slack rolls out new types of blocks gradually, so a workspace may refuse some of them. A refused message is sent
again at once with classic blocks instead, and from then on the refused types aren't tried again.

Slack ignores errors in the blocks of an acknowledgement, the immediate response to a click or command. Therefore
acknowledgements only contain types that Slack has already accepted.
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

Slack may still accept the text of such a message without blocks.
"""
ASK_TIMEOUT = 5
"""The timeout of `BlockTypes.ask`, in seconds of wall-clock time."""

_TOO_LARGE = frozenset({"msg_blocks_too_long", "msg_too_large", "view_too_large"})
_NOT_VALID = frozenset({"invalid_blocks", "invalid_message", "invalid_view"})
"""The errors with which `blocks.validate` reports that the given blocks are invalid."""
_PLACE = re.compile(r"(?:.*?/blocks)?/(\d+)(/.*)?")
_ALL_BLOCKS = frozenset({"", "/blocks", "/view", "/view/blocks"})
"""The pointers with which an error blames the whole message or view, and not a single block."""


class BlockTypes:
    """Remembers which types of blocks Slack accepts or refuses on each surface, until the process ends.

    Delivery, direct posts and dialogs share one instance.
    """

    def __init__(self) -> None:
        self._takes: dict[tuple[Surface, str], bool] = {}
        self._seen: set[tuple[Surface, str]] = set()
        """The types whose acceptance or refusal is certain.

        Either a call with the type succeeded, or Slack clearly refused the type. If only `blocks.validate`
        accepted a type, that isn't certain, because a real call may still fail.
        """
        self._asked = False

    def refused(self, surface: Surface) -> set[str]:
        """Return the types that Slack refuses on a surface."""
        return {name for name in NEW_TYPES if self._takes.get((surface, name)) is False}

    def taken(self, surface: Surface) -> set[str]:
        """Return the types that Slack accepts on a surface."""
        return {name for name in NEW_TYPES if self._takes.get((surface, name))}

    def proven(self, blocks: Sequence[Json], surface: Surface = Surface.MESSAGE) -> list[Json]:
        """Replace each block whose type hasn't been accepted by Slack yet with classic blocks.

        Used for acknowledgements, in which errors go unnoticed, and for dialogs. The trigger ID that opens a
        dialog may work only once, so a refused dialog can't be opened again with other blocks.
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
        """Make a call, and repeat it with plainer blocks as long as Slack refuses the blocks.

        Remembers which types were accepted or refused. Raises whatever the last call raised.

        Args:
            blocks: The blocks to send at first.
            call: Makes the call with the given blocks.
            surface: The kind of surface that shows the blocks.
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
        """Remember which types were accepted and refused by calls.

        If a refused type was accepted in an earlier call, the content of this block may be to blame and not its
        type. The type then counts neither as accepted nor as refused. A type that was never accepted counts as
        refused from now on. If it isn't certain that the type was the reason, the next `blocks.validate` call may
        still change that.

        Args:
            surface: The surface on which the calls showed the blocks.
            taken: The types that were accepted.
            refused: For each refused type, whether it is certain that the type was the reason for the refusal.
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
        """Remember that Slack accepts a type, unless it has clearly refused the type."""
        if place not in self._seen or self._takes.get(place) is not False:
            self._takes[place] = True

    def _refuse(self, place: tuple[Surface, str]) -> None:
        """Remember that Slack clearly refuses a type, and log the refusal once."""
        if place not in self._seen or self._takes.get(place) is not False:
            log.warning("slack.block_refused", block=place[1], surface=place[0].value)
        self._seen.add(place)
        self._takes[place] = False

    async def ask(self, client: AsyncWebClient) -> None:
        """Ask Slack which types it accepts, unless it has answered since the last refusal.

        Without an answer, the next message that uses a type shows whether Slack accepts it, and dialogs keep using
        classic blocks. Never raises.
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
    """The repeated attempts to send one message or view, with plainer blocks each time, until Slack accepts it."""

    def __init__(self, types: BlockTypes, blocks: Sequence[Json], surface: Surface) -> None:
        self._types = types
        self._surface = surface
        self.blamed: dict[str, bool] = {}
        """For each type that may be the reason for a refusal, whether that is certain.

        For a dialog, it always counts as certain. A refused call may already have used up the trigger ID that
        opens the dialog, so these types aren't tried in dialogs again.
        """
        self.blocks = classic(blocks, types.refused(surface))
        """The blocks to send next."""

    def plainer(self, error: SlackApiError) -> bool:
        """Switch to plainer blocks if Slack refused the current ones. Return False if nothing plainer is left.

        After the first refusal, the blocks at which the error points are replaced with classic ones. If the error
        points at none, these are the blocks whose types Slack hasn't accepted yet. After the next refusal, all
        newer blocks are replaced. If Slack refuses even the classic blocks, a message keeps only its text.
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
    """Return the newer types of the blocks at which an error points.

    The value for each type tells whether the error points at the type itself and not at the block's content.
    """
    named: dict[str, bool] = {}
    for found in filter(None, map(_PLACE.fullmatch, pointers(error))):
        for name in new_types(blocks[int(found[1]) :][:1]):
            named[name] = named.get(name, False) or found[2] in {None, "/type"}
    return named


async def refused_by(client: AsyncWebClient, surface: Surface) -> set[str]:
    """Return the types that Slack refuses on a surface.

    Each type needs its own call of `blocks.validate`, because an error may name only the first mistake. Raises one
    of NO_ANSWER if there is no usable answer (docs.slack.dev/reference/methods/blocks.validate).
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
