"""The number of transactions that each click, dialog and command may make before its acknowledgement.

Every test with a team checks this for everything that its people do (`CountingStore.check`).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from contextvars import ContextVar
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, cast

from slack_bolt.context.ack.async_ack import AsyncAck
from slack_bolt.request.async_request import AsyncBoltRequest
from slack_bolt.response import BoltResponse

from store.db import Database, Tx

MOST: Mapping[str, tuple[int, int]] = MappingProxyType(
    {
        "rent": (3, 2),
        "rent_another": (3, 2),
        "all_offers": (1, 1),
        "refresh": (1, 1),
        "change": (1, 1),
        "show_nearby": (1, 1),
        "keep_until": (1, 1),
        "for_hours": (1, 1),
        "price_for_all": (1, 1),
        "tell_me": (0, 2),
        "rent_for_me": (3, 2),
        "rent_then": (3, 2),
        "stop_waiting": (0, 2),
        "wait_again": (0, 2),
        "any_time": (0, 2),
        "rent_dearer": (2, 1),
        "try_again": (1, 1),
        "show_line": (0, 1),
        "choose_from_list": (0, 0),
        "add_key": (0, 1),
        "remove_key": (0, 2),
        "make_key_first": (0, 2),
        "from_github": (0, 1),
        "use_github_keys": (2, 2),
        "choose_github_keys": (1, 1),
        "cancel_keys": (1, 1),
        "reload_policy": (0, 2),
        "show_rental": (2, 2),
        "details": (2, 1),
        "ssh": (2, 1),
        "change_rental": (2, 1),
        "withdraw": (1, 2),
        "add_teammate": (2, 1),
        "share": (1, 2),
        "ask_for": (1, 2),
        "give": (1, 2),
        "take": (2, 1),
        "cancel": (2, 1),
        "approve": (2, 2),
        "open_request": (2, 1),
        "fewer_hours": (2, 1),
        "deny": (2, 1),
        "accept": (2, 2),
        "extend_form": (2, 2),
        "extend": (2, 2),
        "extend_until": (2, 2),
        "end_when_done": (2, 2),
        "keep": (1, 2),
        "keep_for": (1, 2),
        "keep_when_done": (1, 2),
        "keep_without_heartbeat": (1, 2),
        "ask_owner_again": (1, 2),
        "leave_alone": (1, 2),
        "probe_installed": (1, 2),
        "keep_as_it_is": (1, 2),
        "destroy": (2, 1),
        "replace": (2, 1),
        "not_working": (2, 1),
        "taken_on": (1, 2),
        "give_owner": (1, 1),
        "not_ours": (1, 1),
        "ask_about_again": (0, 2),
        "destroy_unknown": (1, 1),
        "put_all_back": (1, 2),
        "one_by_one": (0, 2),
        "show_spend": (1, 1),
        "spend_csv": (0, 2),
        "owner_spend": (1, 1),
        "home_page": (0, 1),
        "show_team": (2, 0),
        "show_script": (0, 1),
        "new_token": (0, 1),
        "token_for_code": (0, 2),
        "change_token": (1, 1),
        "stop_token": (1, 1),
        "approve_token": (1, 2),
        "deny_token": (1, 1),
        "dialog key": (2, 2),
        "dialog github_name": (1, 1),
        "dialog choose_keys": (0, 2),
        "dialog form": (1, 1),
        "dialog rent_confirm": (2, 2),
        "dialog highest_price": (1, 0),
        "dialog rent_for_me_confirm": (2, 2),
        "dialog rent_dearer_confirm": (0, 1),
        "dialog approve_confirm": (0, 1),
        "dialog fewer_hours_form": (0, 1),
        "dialog deny_form": (0, 1),
        "dialog extend_lease": (1, 2),
        "dialog extend_confirm": (0, 2),
        "dialog add_teammates": (0, 2),
        "dialog take_confirm": (0, 1),
        "dialog destroy_confirm": (0, 2),
        "dialog replace_rental": (0, 1),
        "dialog give_owner_form": (0, 1),
        "dialog not_ours_form": (0, 1),
        "dialog destroy_unknown_confirm": (0, 1),
        "dialog new_token_form": (0, 1),
        "dialog change_token_form": (1, 2),
        "dialog stop_token_confirm": (0, 2),
        "dialog approve_token_confirm": (0, 2),
        "dialog deny_token_form": (0, 2),
        "dialog notice": (0, 0),
        "/gpu get": (1, 1),
        "/gpu wait": (0, 1),
        "/gpu again": (1, 1),
        "/gpu key": (2, 1),
        "/gpu list": (2, 0),
        "/gpu token": (1, 1),
        "/gpu show": (2, 0),
        "/gpu ssh": (2, 0),
        "/gpu share": (1, 1),
        "/gpu give": (1, 1),
        "/gpu extend": (2, 1),
        "/gpu keep": (2, 1),
        "/gpu destroy": (2, 0),
        "/gpu spend": (1, 1),
        "/gpu policy": (1, 1),
        "/gpu pause": (0, 1),
        "/gpu resume": (0, 1),
        "/gpu away": (0, 1),
    }
)
"""The maximum number of reads and writes of each interaction, including refused ones.

A reply that is separate from the acknowledgement counts as a write.
"""
OTHER_WORDS = (2, 1)
"""The same limits for text that isn't a command, such as a sentence about a rental."""


@dataclass
class Counted:
    """The transactions of one listener before its acknowledgement."""

    name: str
    reads: int = 0
    writes: int = 0
    acknowledged: bool = False


_CURRENT: ContextVar[Counted | None] = ContextVar("current", default=None)


@dataclass
class CountingStore:
    """A store that counts the transactions of each listener."""

    store: Database
    counted: list[Counted] = field(default_factory=list)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.store, name)

    def read(self) -> AbstractAsyncContextManager[Tx]:
        _count(reads=1)
        return self.store.read()

    def write(self, **how: Any) -> AbstractAsyncContextManager[Tx]:
        _count(writes=1)
        return self.store.write(**how)

    async def middleware(self, req: AsyncBoltRequest, next: Callable[[], Awaitable[BoltResponse]]) -> BoltResponse:
        """Count the transactions for the listener of this request, which Bolt runs in a copy of this context."""
        one = Counted(_name(req.body))
        self.counted.append(one)
        _CURRENT.set(one)
        ack: _CountedAck = cast(Any, _CountedAck)()  # the class has no types
        ack.counted = one
        req.context["ack"] = ack
        return await next()

    def check(self) -> None:
        """Assert that no listener has made more transactions than allowed."""
        for one in self.counted:
            most = MOST.get(one.name, OTHER_WORDS if one.name.startswith("/") else None)
            if most is not None:  # forged ids and events have no limit
                assert one.reads <= most[0], f"{one.name} made {one.reads} reads"
                assert one.writes <= most[1], f"{one.name} made {one.writes} writes"


class _CountedAck(AsyncAck):
    counted: Counted

    async def __call__(self, *args: Any, **more: Any) -> BoltResponse:
        self.counted.acknowledged = True
        return await super().__call__(*args, **more)


def _count(*, reads: int = 0, writes: int = 0) -> None:
    one = _CURRENT.get()
    if one is not None and not one.acknowledged:
        one.reads += reads
        one.writes += writes


def _name(body: dict[str, Any]) -> str:
    """Return the key in MOST: `rent` for a click, `dialog rent_confirm` for a submission, `/gpu get`."""
    if "command" in body:
        return " ".join([str(body["command"]), *str(body.get("text", "")).split()[:1]])
    view = body.get("view") or {}
    if body.get("type") == "view_submission":
        return f"dialog {view.get('callback_id', '')}"
    actions = body.get("actions") or [{}]
    if view.get("type") == "modal":
        return f"choice in {view.get('callback_id', '')}"
    return str(actions[0].get("action_id", "")).partition(".")[0] or str(body.get("event", {}).get("type", ""))
