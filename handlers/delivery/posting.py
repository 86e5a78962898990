"""Sends one message to Slack, and interprets Slack's response.

Sending means to post the message, to search for an earlier post of it, to edit it, or to send it as the answer to
a click or command.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

import aiohttp
import structlog
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.web.async_slack_response import AsyncSlackResponse

from bot.lifecycle.deps import Deps
from bot.model.base import changed
from bot.model.message import (
    RESPONSE_URL_LIFE,
    Destination,
    DestinationKind,
    Message,
    MessageKind,
    NextCall,
    ephemeral_place,
    to_channel,
    to_person,
)
from handlers.delivery.block_types import REFUSALS, BlockTypes
from handlers.delivery.content import Answer, Shown, Upload
from handlers.delivery.pace import ANSWER, EDIT, POST, PUBLISH, UPLOAD, Pace
from handlers.delivery.pending_saves import Result, closed
from handlers.delivery.read_back import UNKNOWN_ERROR_TRIES, Finder, Place, SearchAgain, Unreadable, metadata_of
from handlers.messages.render import asks
from handlers.phrases.blocks import Json, Rendered
from handlers.phrases.classic import Surface
from handlers.slack_api.web_api import (
    NO_ANSWER,
    TOKEN_REFUSED,
    TOKEN_RETRY,
    error_code,
    is_temporary,
    refusal,
    requested_wait,
    status_code,
)

log = structlog.get_logger("gpubot.delivery")

ANSWER_TRIES = 4
SHORTEST_RETRY, LONGEST_RETRY = timedelta(seconds=2), timedelta(minutes=5)
FIRST_REPOST_WAIT, LONGEST_REPOST_WAIT = timedelta(minutes=10), timedelta(hours=6)
"""The shortest and the longest wait between two repeated posts of a message, in wall-clock time.

If the bot can't find out whether an earlier post exists, it posts the message again. The wait doubles each time.
"""

CHANNEL_GONE = frozenset({"is_archived", "channel_not_found", "not_in_channel"})
"""The errors that mean that a channel was archived or deleted, or that the bot was removed from it."""
CARD_MISSING = frozenset({"message_not_found", "thread_not_found"})
"""The errors that mean that a rental's card was deleted, by a person or by the workspace's retention rules."""


class Poster:
    """Sends messages to Slack, one at a time. Each method returns a result, which the caller stores.

    If a call to Slack fails, the call isn't repeated here. Instead, the result schedules the message again.
    """

    def __init__(
        self,
        deps: Deps,
        client: AsyncWebClient,
        pace: Pace,
        session: aiohttp.ClientSession,
        *,
        block_types: BlockTypes,
        on_refused: Callable[[], None],
    ) -> None:
        """Create a poster. `on_refused` is called if Slack refuses our token."""
        self._deps = deps
        self._client = client
        self._pace = pace
        self._session = session
        self._block_types = block_types
        self._on_refused = on_refused
        self._finder = Finder(client, deps.clock, pace)
        self._reposts: dict[int, tuple[datetime, int]] = {}
        """By message ID, the wall-clock time of the last repeated post, and the number of repeated posts.

        A message is posted again if its conversation can't be searched for an earlier post. After a start of the
        bot, this attribute is empty, so the message can be posted once more without a wait.
        """

    async def send(self, message: Message, shown: Shown) -> Result:
        """Publish a Home tab, edit or refresh a message, or send an answer."""
        if isinstance(shown, Upload):
            return await self.upload(message, shown)
        match message.next_call:
            case NextCall.PUBLISH:
                return await self.publish(message, shown)
            case NextCall.ANSWER:
                return await self.answer(message, shown)
        return await (self.refresh if message.refreshes else self.edit)(message, shown)

    async def answer(self, message: Message, rendered: Rendered) -> Result:
        """Send an answer to its `response_url`, or to one person in a channel.

        The answer may get lost, so never use it as the only copy of something important.
        """
        if message.to.kind is DestinationKind.EPHEMERAL:
            return await self._answer_in_channel(message, rendered)
        options = rendered.options if isinstance(rendered, Answer) else {}
        now = self._deps.clock.real()
        if now - message.created_at >= RESPONSE_URL_LIFE or message.tries >= ANSWER_TRIES:
            return Result(closed(message), given_up=True)
        body = {**options, "text": rendered.text, "blocks": rendered.blocks}
        status, wait = 200, None
        try:
            await respond(self._session, message.to.value, body, self._block_types)
        except SlackApiError as error:
            status, wait = status_code(error), requested_wait(error)
        except (aiohttp.ClientError, OSError, ValueError) as error:
            log.info("answer.failed", message=message.id, error=type(error).__name__)
            self._pace.unanswered(now)
            return Result(_retried(message, now))
        if wait is not None:
            self._pace.block(ANSWER, now + wait)
            self._pace.answered(now)
            return Result(_waiting(message, now + wait))
        if status >= 500:
            self._pace.unanswered(now)
            return Result(_retried(message, now))
        self._pace.answered(self._deps.clock.real())
        if status != 200:
            log.info("answer.refused", message=message.id, status=status)
        return Result(closed(changed(message, posted_at=self._deps.clock.now())), given_up=status != 200)

    async def _answer_in_channel(self, message: Message, rendered: Rendered) -> Result:
        """Send an answer in a channel so that only one person sees it.

        If Slack doesn't accept the answer in the channel, it is sent as a direct message instead.
        """
        now = self._deps.clock.real()
        channel, user, thread = ephemeral_place(message.to)
        in_direct_messages = changed(message, to=to_person(user), tries=0, due_at=now)
        if message.tries >= ANSWER_TRIES:
            return Result(in_direct_messages)
        given: dict[str, Any] = {"channel": channel, "user": user, **_texts(rendered)}
        if thread is not None:
            given["thread_ts"] = thread
        try:
            await self._with_blocks(ANSWER, given)
        except NO_ANSWER as error:
            if isinstance(error, SlackApiError) and self._waits(error, ANSWER, now):
                return Result(_waiting(message, now + (requested_wait(error) or TOKEN_RETRY)))
            log.info("answer.refused", message=message.id, error=error_code(error))
            if not isinstance(error, SlackApiError) or is_temporary(error):
                return Result(_retried(message, now))
            return Result(in_direct_messages)
        return Result(closed(changed(message, posted_at=self._deps.clock.now())))

    async def find(self, message: Message, card: Message | None, since: datetime | None) -> Result:
        """Search Slack for the post of a message. Call this if the post may or may not exist.

        The search ignores posts that are older than `since`, a time of the bot's own clock.

        If the post is found, it may show an old version of the message. The result then schedules an edit, unless
        the message is never edited.
        """
        now = self._deps.clock.real()
        to, thread = post_target(message, card)
        try:
            place = await self._finder.find(message, to, thread, since)
        except SearchAgain as again:
            return self._read_later(message, again)
        except Unreadable as unreadable:
            if unreadable.has_left:
                return Result(changed(message, sending=False), refused=True)
            return self._unreadable(message)
        if place is None:
            return Result(changed(message, sending=False, due_at=now))
        found = self._found(message, place)
        if not message.kind.surface:
            return Result(self._up_to_date(message, **found))
        return Result(changed(message, **found, shown_version=1, digest="", tries=0, due_at=now))

    async def compare(self, message: Message, rendered: Rendered | None) -> Result:
        """Compare a message with the version that Slack shows.

        After each start of the bot, this is done before the message is edited for the first time.

        If Slack shows a later version, the database was restored from a backup. An open question is then posted
        again, so that people decide again. Any other message is simply edited.
        """
        now, before = self._deps.clock.real(), message.version_at_start or 0
        try:
            version = await self._finder.version_shown(message)
        except Unreadable:
            version = None
        except SearchAgain as again:
            if not again.unknown_error or message.tries < UNKNOWN_ERROR_TRIES:
                return self._read_later(message, again)
            version = None
        compared = changed(message, version_at_start=None, tries=0, due_at=now)
        if version is None or version <= before:
            return Result(compared, compared=True)
        log.warning("slack.shows_later", message=message.id, kind=message.kind, version=version, before=before)
        asks_again = rendered is not None and message.kind is not MessageKind.CARD and asks(rendered)
        return Result(unposted(compared) if asks_again else compared, compared=True, shows_later=True)

    def _unreadable(self, message: Message) -> Result:
        """Schedule another post of a message, because Slack can't be searched for an earlier post of it.

        The first time, the message is posted again at once. Later posts wait longer and longer (`repost_wait`).
        """
        now = self._deps.clock.real()
        last, times = self._reposts.get(message.id, (now, 0))
        if (due_at := last + repost_wait(times)) > now:
            return Result(_waiting(message, due_at))
        log.warning("post.perhaps_twice", message=message.id)
        self._reposts[message.id] = now, times + 1
        return Result(changed(message, sending=False, due_at=now), unverified=True)

    def _read_later(self, message: Message, again: SearchAgain) -> Result:
        """Schedule another search for a message, because Slack didn't give a result this time."""
        log.info("post.search_again", message=message.id, tries=message.tries)
        if again.until is not None:
            return Result(changed(message, due_at=again.until))
        return Result(_retried(message, self._deps.clock.real()))

    async def post(self, message: Message, rendered: Rendered, card: Message | None) -> Result:
        """Post a message. Only call this if the message certainly isn't in Slack yet."""
        to, thread = post_target(message, card)
        body: dict[str, Any] = {
            "channel": to.value,
            **_texts(rendered),
            "metadata": metadata_of(message.id, message.target_version),
            "unfurl_links": False,
            "unfurl_media": False,
        }
        if thread is not None:
            body |= {"thread_ts": thread, "reply_broadcast": message.broadcast}

        try:
            answer = await self._with_blocks(POST, body)
        except NO_ANSWER as error:
            return self._failed(message, error, POST)
        found = self._found(message, (str(answer.get("channel") or to.value), str(answer["ts"])))
        posted = self._up_to_date(message, rendered, **found)
        if not posted.closed and not body["blocks"]:
            # Slack accepted the text of the message, but not its blocks, which contain the buttons. Schedule an
            # edit that tries to add the blocks.
            posted = changed(posted, digest="", due_at=self._deps.clock.real() + LONGEST_RETRY)
        return Result(posted)

    async def upload(self, message: Message, file: Upload) -> Result:
        """Upload a file to a person's direct messages, together with a message.

        If the app lacks the permission to upload files, `without_file` is posted instead.

        Slack shares the file some time after the last call, in a post without metadata. So the bot can't find that
        post after a crash, and uploads the file a second time (docs.slack.dev/messaging/working-with-files).
        """
        self._pace.count(POST, self._deps.clock.real(), message.to.value)
        try:
            with self._pace.watching(self._deps.clock.real):
                await self._upload(message, file)
        except NO_ANSWER as error:
            if error_code(error) == "missing_scope":
                log.warning("slack.refused", method=UPLOAD, message=message.id, error="missing_scope")
                return await self.post(message, file.without_file, None)
            return self._failed(message, error, UPLOAD)
        return Result(self._up_to_date(message, posted_at=self._deps.clock.now()))

    async def _upload(self, message: Message, file: Upload) -> None:
        # Create the file in a thread. Formatting thousands of rows would block the event loop, and the bot would
        # acknowledge clicks too late.
        written = (await asyncio.to_thread(file.file.written)).encode()
        opened = await self._client.conversations_open(users=message.to.value)
        begun = await self._client.files_getUploadURLExternal(filename=file.file.name, length=len(written))
        async with self._session.post(
            str(begun["upload_url"]), data=written, allow_redirects=False, raise_for_status=True
        ):
            pass
        await self._client.files_completeUploadExternal(
            files=[{"id": str(begun["file_id"]), "title": file.file.name}],
            channel_id=str(opened["channel"]["id"]),
            initial_comment=file.text,
        )

    async def publish(self, message: Message, rendered: Rendered) -> Result:
        """Publish a Home tab, unless Slack already shows the same content.

        `message` is the stored row of the Home tab. It contains a hash of the content that was last published. The
        tab is published if the hash has changed.
        """
        self._pace.count(PUBLISH, self._deps.clock.real(), message.to.value)
        shown = digest(rendered)
        try:
            if shown != message.digest:
                view = {"type": "home", "private_metadata": shown, "blocks": list(rendered.blocks)}
                with self._pace.watching(self._deps.clock.real):
                    await self._client.views_publish(user_id=message.to.value, view=view)
        except NO_ANSWER as error:
            return self._failed(message, error, PUBLISH)
        return Result(self._up_to_date(message, rendered))

    async def edit(self, message: Message, rendered: Rendered) -> Result:
        """Edit a message in Slack so that it shows the current state."""
        try:
            return Result(await self._edited(message, rendered))
        except NO_ANSWER as error:
            if not rendered.closed and error_code(error) in REFUSALS[Surface.MESSAGE]:
                return Result(_retried(message, self._deps.clock.real()))
            failed, channel_gone = self._failed(message, error, EDIT), error_code(error) in CHANNEL_GONE
            if failed.given_up and channel_gone and message.kind.asks_approvers and not rendered.closed:
                # The channel is gone, so nobody can answer the question there any more. Send the question to
                # another destination.
                return Result(unposted(message), refused=True)
            return failed

    async def refresh(self, message: Message, rendered: Rendered) -> Result:
        """Edit a message only to update how much time has passed.

        After a temporary failure, there is no extra retry, because the next refresh follows soon. After a
        permanent refusal, the message isn't refreshed any more. The next change of the rental calls `edit`, which
        handles the error.
        """
        now = self._deps.clock.real()
        try:
            return Result(await self._edited(message, rendered))
        except NO_ANSWER as error:
            retries = not isinstance(error, SlackApiError) or self._waits(error, EDIT, now) or is_temporary(error)
            retries = retries or error_code(error) in REFUSALS[Surface.MESSAGE]
            log.info("refresh.failed", message=message.id, error=error_code(error), retries=retries)
            return Result(changed(message, refresh_at=self._next_refresh(rendered) if retries else None))

    async def _edited(self, message: Message, rendered: Rendered) -> Message:
        """Edit a message, unless Slack already shows the same content. Return the message's new state.

        Raises the exception of the call if it fails.
        """
        if digest(rendered) != message.digest:
            body = {
                "channel": message.channel or message.to.value,
                "ts": message.ts or "",
                **_texts(rendered),
                "metadata": metadata_of(message.id, message.target_version),
            }
            await self._with_blocks(EDIT, body, text_alone=rendered.closed)
        return self._up_to_date(message, rendered)

    def _failed(self, message: Message, error: Exception, method: str) -> Result:
        """Decide what to do after a failed call: wait, use the next destination, or give up.

        A failed post may exist in spite of the error, so the bot searches Slack for it before it posts again.
        Other calls are simply repeated.
        """
        now, posts = self._deps.clock.real(), method == POST
        if not isinstance(error, SlackApiError):
            log.warning("slack.no_answer", method=method, message=message.id, error=type(error).__name__)
            return Result(_retried(changed(message, sending=posts), now))
        if self._waits(error, method, now):
            wait = requested_wait(error)
            # If a rate limit was exceeded, Slack's error says how long to wait. Without such a time, Slack refused
            # the bot's token. The message then stays due, so that it is sent as soon as Slack accepts the token.
            due_at = message.due_at if wait is None else now + wait
            return Result(_waiting(changed(message, sending=False), due_at))
        code = error_code(error)
        log.warning("slack.refused", method=method, message=message.id, kind=message.kind, error=code)
        if is_temporary(error):
            return Result(_retried(changed(message, sending=posts), now))
        if code in CARD_MISSING and message.kind in {MessageKind.CARD, MessageKind.THREAD}:
            return Result(message, card_missing=True)
        if message.ts is None:
            # Don't list the errors that mean a refusal, because Slack adds new ones every year. Slack refuses this
            # destination if its error isn't temporary.
            return Result(changed(message, sending=False), refused=True)
        return Result(closed(message), given_up=True)

    def _waits(self, error: SlackApiError, method: str, now: datetime) -> bool:
        """Block further calls if the error requires it, and return whether it does.

        If Slack requested a wait, calls of `method` are blocked. If Slack refuses our token, all calls to Slack
        are blocked.
        """
        wait = requested_wait(error)
        if wait is not None:
            self._pace.block(method, now + wait)
            return True
        if error_code(error) not in TOKEN_REFUSED:
            return False
        log.warning("slack.refused", method=method, error=error_code(error))
        self._pace.block_all(now + TOKEN_RETRY)
        self._on_refused()
        return True

    def _found(self, message: Message, place: Place) -> dict[str, Any]:
        """Return the changes of a message whose post exists in Slack, such as its channel and `ts`."""
        channel, ts = place
        self._reposts.pop(message.id, None)
        return {"channel": channel, "ts": ts, "sending": False, "posted_at": self._deps.clock.now()}

    def _up_to_date(self, message: Message, rendered: Rendered | None = None, **fields: Any) -> Message:
        """Return the new state of a message after Slack has accepted `rendered`.

        `rendered` is None for a message that is never edited. `fields` are further fields to change.
        """
        closes = rendered is None or rendered.closed or not message.kind.surface
        return changed(
            message,
            shown_version=message.target_version,
            closed=closes,
            due_at=None,
            tries=0,
            digest=message.digest if rendered is None else digest(rendered),
            refresh_at=None if rendered is None or closes else self._next_refresh(rendered),
            **fields,
        )

    async def _with_blocks(
        self, method: str, body: dict[str, Any], *, text_alone: bool = True
    ) -> AsyncSlackResponse:
        """Make a call, and repeat it with simpler blocks if Slack refuses the blocks. Return the response.

        On return, `body` contains the blocks that Slack accepted. Every call counts towards the rate limits.
        """
        client = self._client
        calls: dict[str, Callable[..., Awaitable[AsyncSlackResponse]]]
        calls = {POST: client.chat_postMessage, EDIT: client.chat_update, ANSWER: client.chat_postEphemeral}

        async def call(blocks: Sequence[Json]) -> AsyncSlackResponse:
            body["blocks"] = blocks
            self._pace.count(method, self._deps.clock.real(), body["channel"])
            with self._pace.watching(self._deps.clock.real):
                return await calls[method](**body)

        return await self._block_types.deliver(body["blocks"], call, text_alone=text_alone)

    def _next_refresh(self, rendered: Rendered) -> datetime | None:
        return None if rendered.refresh_after is None else self._deps.clock.now() + rendered.refresh_after


async def respond(session: aiohttp.ClientSession, url: str, body: dict[str, Any], block_types: BlockTypes) -> None:
    """Post to a `response_url`.

    If the status is 400, Slack refuses the content without saying which block is to blame.

    Raises SlackApiError for every status except 200. Errors of aiohttp aren't caught.
    """

    async def call(blocks: list[Json]) -> None:
        async with session.post(url, json={**body, "blocks": blocks}, allow_redirects=False) as response:
            if response.status != 200:
                code = "invalid_blocks" if response.status == 400 else f"status {response.status}"
                raise refusal(code, response.status, dict(response.headers))

    await block_types.deliver(body["blocks"], call)


def _texts(rendered: Rendered) -> dict[str, Any]:
    return {"text": rendered.text, "blocks": list(rendered.blocks)}


def post_target(message: Message, card: Message | None) -> tuple[Destination, str | None]:
    """Return the channel or person to which a message is posted.

    For a reply in a thread, also return the `ts` of the message that begins the thread. In a rental's thread, this
    is the rental's card.
    """
    if message.kind is MessageKind.THREAD and card is not None:
        return to_channel(card.channel) if card.channel else card.to, card.ts
    return message.to, message.thread_ts


def digest(rendered: Rendered) -> str:
    """Return a hash of the text and blocks of a message."""
    content = json.dumps([rendered.text, rendered.blocks], sort_keys=True).encode()
    return hashlib.sha256(content).hexdigest()[:32]


def unposted(message: Message) -> Message:
    """Return a message in the state that it had before it was posted."""
    nothing = {"channel": None, "ts": None, "posted_at": None, "refresh_at": None}
    return changed(message, **nothing, shown_version=0, digest="")


def repost_wait(times: int) -> timedelta:
    """Return the wait before a message is posted again. `times` is the number of earlier repetitions.

    This is for messages whose conversation can't be searched for an earlier post.
    """
    if times == 0:
        return timedelta()
    return min(FIRST_REPOST_WAIT * (1 << min(times - 1, 10)), LONGEST_REPOST_WAIT)


def _retried(message: Message, now: datetime) -> Message:
    wait = min(SHORTEST_RETRY * 2 ** min(message.tries, 10), LONGEST_RETRY)
    return changed(message, tries=message.tries + 1, due_at=now + wait)


def _waiting(message: Message, until: datetime | None) -> Message:
    """Return a copy of the message that isn't sent before `until`.

    When an outage of Slack is over, all messages whose `tries` isn't 0 are sent at once. So `tries` is set to 0.
    """
    return changed(message, tries=0, due_at=until)
