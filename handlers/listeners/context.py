"""What listeners are given. bot/app.py makes one and hands it to `handlers.listeners.register`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from slack_sdk.web.async_client import AsyncWebClient

from bot.lifecycle.deps import Deps
from bot.model.offer import Catalog
from handlers.directory.channels import SlackChannels
from handlers.directory.people import People
from handlers.listeners.hints import Hints
from handlers.slack_api.gate import Gate
from handlers.views.blocks import Json


class Post(Protocol):
    """`handlers.delivery.loop.Delivery.post`."""

    async def __call__(self, to: str, text: str, blocks: Sequence[Json] = ()) -> bool: ...


async def not_posted(to: str, text: str, blocks: Sequence[Json] = ()) -> bool:
    """Stands where nothing is posted."""
    return False


@dataclass(frozen=True)
class Context:
    """The desk for decisions, what is known of the outside, and Slack's client for the few calls of a listener."""

    deps: Deps
    catalog: Callable[[], Catalog | None]
    """The catalogue as last read, None before the first time. Never waits."""
    people: People
    channels: SlackChannels
    client: AsyncWebClient
    gate: Gate = field(default_factory=Gate)
    hints: Hints = field(default_factory=Hints)
    post: Post = not_posted
    """Posts to a person without the outbox, at the pace of all posts. Returns whether Slack took it."""
