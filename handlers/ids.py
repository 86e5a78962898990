"""Every action, block and callback id once, and what a button's value holds: ids, never state.

Slack allows 255 characters for an id and 2,000 for a value, and wants an `action_id` only once in a block
(docs.slack.dev/reference/block-kit/block-elements/button-element). Where one block has the same action twice,
the later ones are numbered: `keep`, `keep.2`.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from enum import StrEnum
from typing import ClassVar, Self

from bot.errors import Mistake
from bot.model.base import Frozen


class Action(StrEnum):
    """What a button does. What its value is stands in CARRIES."""

    RENT = "rent"
    RENT_ANOTHER = "rent_another"
    ALL_OFFERS = "all_offers"
    REFRESH = "refresh"
    CHANGE = "change"
    SHOW_NEARBY = "show_nearby"
    TRY_AGAIN = "try_again"
    CHOOSE_FROM_LIST = "choose_from_list"
    ADD_KEY = "add_key"
    SHOW_RENTAL = "show_rental"
    DETAILS = "details"
    CHANGE_RENTAL = "change_rental"
    WITHDRAW = "withdraw"
    CANCEL = "cancel"
    APPROVE = "approve"
    DENY = "deny"
    ACCEPT = "accept"
    EXTEND_FORM = "extend_form"
    EXTEND = "extend"
    KEEP = "keep"
    DESTROY = "destroy"
    TAKEN_ON = "taken_on"


class Callback(StrEnum):
    """A modal. What its `private_metadata` is stands in ANSWERS_WITH."""

    KEY = "key"
    FORM = "form"
    RENT_CONFIRM = "rent_confirm"
    APPROVE_CONFIRM = "approve_confirm"
    EXTEND = "extend_lease"
    DESTROY_CONFIRM = "destroy_confirm"
    NOTICE = "notice"


class Field(StrEnum):
    """An input of a modal: the id of its block and of the element in it."""

    KEY_LINE = "key_line"
    GPU = "gpu"
    COUNT = "count"
    REGION = "region"
    CONTRACT = "contract"
    VENDOR = "vendor"
    CAP = "cap"
    LEASE = "lease"
    NOTE = "note"
    HOURS = "hours"


def numbered(action: Action, n: int) -> str:
    """The `action_id` of the n-th button of an action in one block, from 1."""
    return action.value if n == 1 else f"{action.value}.{n}"


def action_of(action_id: str) -> Action:
    """The action of an `action_id`. Raises Mistake for one that isn't ours: messages outlive the version that
    posted them."""
    found = re.fullmatch(r"([a-z_]+)(?:\.[0-9]{1,2})?", action_id, flags=re.ASCII)
    try:
        return Action(found[1] if found else "")
    except ValueError as error:
        raise Mistake(
            "That button is from before an update of mine. I changed nothing. /gpu list shows what you rent."
        ) from error


def callback_of(callback_id: str) -> Callback:
    """The modal of a `callback_id`. Raises Mistake for one that isn't ours."""
    try:
        return Callback(callback_id)
    except ValueError as error:
        raise Mistake(
            "This dialog is from before an update of mine. I changed nothing. Begin again: /gpu"
        ) from error


_RENTAL = r"(?P<rental_id>[a-z0-9]{2,16})"
_QUOTE = r"(?P<quote_id>[A-Za-z0-9_-]{1,64})"
_HOURS = r"(?P<hours>[1-9][0-9]{0,3})"
_VERSION = r"(?P<version>[1-9][0-9]{0,8})"
_END = r"(?P<shown_end>[1-9][0-9]{0,11})"
_OLD = "That button makes no sense to me. I changed nothing."


class Value(Frozen):
    """What a button carries. `decode` refuses everything that `encode` doesn't make."""

    SHAPE: ClassVar[str]
    """Matches the text, with a group for each part."""

    def encode(self) -> str:
        """The value as text. Raises Mistake where a part can't be carried."""
        text = self._text()
        if not re.fullmatch(self.SHAPE, text):
            raise Mistake(_OLD)
        return text

    @classmethod
    def decode(cls, value: str | None) -> Self:
        """Raises Mistake for anything else than what `encode` makes."""
        found = re.fullmatch(cls.SHAPE, value or "", flags=re.ASCII)
        if found is None:
            raise Mistake(_OLD)
        return cls.model_validate(found.groupdict())

    def _text(self) -> str:
        return ":".join(str(part) for part in self.model_dump().values())


class RentalValue(Value):
    """`k7mq2`."""

    SHAPE: ClassVar[str] = _RENTAL

    rental_id: str


class VersionValue(Value):
    """`k7mq2:2`: a rental and the version of the envelope that the reader saw."""

    SHAPE: ClassVar[str] = f"{_RENTAL}:{_VERSION}"

    rental_id: str
    version: int


class HoursValue(Value):
    """`k7mq2:4`: whole hours."""

    SHAPE: ClassVar[str] = f"{_RENTAL}:{_HOURS}"

    rental_id: str
    hours: int


class EndValue(Value):
    """`k7mq2:1763982000`: the end that the reader of a dialog saw, as a Unix time; so a second submission adds
    nothing."""

    SHAPE: ClassVar[str] = f"{_RENTAL}:{_END}"

    rental_id: str
    shown_end: int


class ExtendValue(Value):
    """`k7mq2:2:1763982000`, or `k7mq2:5400s:1763982000`: whole hours or seconds, and the end that the reader saw,
    as a Unix time; so a second click adds nothing."""

    SHAPE: ClassVar[str] = rf"{_RENTAL}:(?:{_HOURS}|(?P<seconds>[1-9][0-9]{{0,8}})s):{_END}"

    rental_id: str
    hours: int | None = None
    seconds: int | None = None
    shown_end: int

    @classmethod
    def of(cls, rental_id: str, longer: timedelta, shown_end: datetime) -> Self:
        """Longer by whole hours if it is, else by seconds."""
        hours, rest = divmod(longer, timedelta(hours=1))
        size = {"seconds": longer // timedelta(seconds=1)} if rest else {"hours": hours}
        return cls(rental_id=rental_id, **size, shown_end=int(shown_end.timestamp()))

    @property
    def longer(self) -> timedelta:
        """By how much longer."""
        return timedelta(hours=self.hours or 0, seconds=self.seconds or 0)

    def _text(self) -> str:
        size = f"{self.seconds}s" if self.seconds else self.hours
        return f"{self.rental_id}:{size}:{self.shown_end}"


class QuoteValue(Value):
    """`q8f3...`."""

    SHAPE: ClassVar[str] = _QUOTE

    quote_id: str


class OfferValue(Value):
    """`q8f3...:offer`: the offer's id is the marketplace's, up to 255 visible characters."""

    SHAPE: ClassVar[str] = rf"{_QUOTE}:(?P<offer_id>[\x21-\x7e]{{1,255}})"

    quote_id: str
    offer_id: str


class NearbyValue(Value):
    """`q8f3...:0`: which of a quote's nearby requests, from 0."""

    SHAPE: ClassVar[str] = rf"{_QUOTE}:(?P<index>[0-9]{{1,2}})"

    quote_id: str
    index: int


CARRIES: dict[Action, type[Value] | None] = {
    Action.RENT: OfferValue,
    Action.RENT_ANOTHER: OfferValue,
    Action.ALL_OFFERS: QuoteValue,
    Action.REFRESH: QuoteValue,
    Action.CHANGE: QuoteValue,
    Action.SHOW_NEARBY: NearbyValue,
    Action.TRY_AGAIN: QuoteValue,
    Action.CHOOSE_FROM_LIST: None,
    Action.ADD_KEY: None,
    Action.SHOW_RENTAL: RentalValue,
    Action.DETAILS: RentalValue,
    Action.CHANGE_RENTAL: VersionValue,
    Action.WITHDRAW: VersionValue,
    Action.CANCEL: RentalValue,
    Action.APPROVE: VersionValue,
    Action.DENY: VersionValue,
    Action.ACCEPT: VersionValue,
    Action.EXTEND_FORM: RentalValue,
    Action.EXTEND: ExtendValue,
    Action.KEEP: HoursValue,
    Action.DESTROY: RentalValue,
    Action.TAKEN_ON: RentalValue,
}
"""What the value of each button is; None for a button without one."""

ANSWERS_WITH: dict[Callback, tuple[type[Value], ...]] = {
    Callback.KEY: (),
    Callback.FORM: (QuoteValue, VersionValue),
    Callback.RENT_CONFIRM: (OfferValue,),
    Callback.APPROVE_CONFIRM: (VersionValue,),
    Callback.EXTEND: (EndValue,),
    Callback.DESTROY_CONFIRM: (RentalValue,),
}
"""What comes back with each modal's submission; the form's may also be empty, and is the version of a waiting
request where the form changes that. NOTICE carries nothing and has no submit button."""
