"""Every action, block and callback id once, and what a button's value holds: ids, never state.

Slack allows 255 characters for an id and 2,000 for a value, and wants an `action_id` only once in a block
(docs.slack.dev/reference/block-kit/block-elements/button-element). Where one block has the same action twice,
the later ones are numbered: `keep`, `keep.2`.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Self

from bot.errors import Mistake
from bot.model.base import Frozen


class Action(StrEnum):
    """What a button does. The comment says what its value is."""

    RENT = "rent"  # OfferValue
    RENT_ANOTHER = "rent_another"  # OfferValue
    ALL_OFFERS = "all_offers"  # QuoteValue
    REFRESH = "refresh"  # QuoteValue
    CHANGE = "change"  # QuoteValue; opens the form
    SHOW_NEARBY = "show_nearby"  # NearbyValue
    TRY_AGAIN = "try_again"  # QuoteValue
    CHOOSE_FROM_LIST = "choose_from_list"  # none; opens the form
    ADD_KEY = "add_key"  # none; opens the key modal
    SHOW_RENTAL = "show_rental"  # RentalValue
    DETAILS = "details"  # RentalValue
    CHANGE_RENTAL = "change_rental"  # VersionValue; opens the form
    WITHDRAW = "withdraw"  # VersionValue
    CANCEL = "cancel"  # RentalValue; opens the destroy modal
    APPROVE = "approve"  # VersionValue, of a request or of a longer lease
    DENY = "deny"  # VersionValue
    ACCEPT = "accept"  # VersionValue; the owner takes what is outside the envelope
    EXTEND_FORM = "extend_form"  # RentalValue; opens the extend modal
    EXTEND = "extend"  # ExtendValue
    KEEP = "keep"  # HoursValue
    DESTROY = "destroy"  # RentalValue; opens the destroy modal
    TAKEN_ON = "taken_on"  # RentalValue


class Callback(StrEnum):
    """A modal; the comment says what its `private_metadata` is."""

    KEY = "key"  # none
    FORM = "form"  # none, or the QuoteValue or VersionValue it was opened from
    RENT_CONFIRM = "rent_confirm"  # OfferValue
    APPROVE_CONFIRM = "approve_confirm"  # VersionValue
    EXTEND = "extend_lease"  # RentalValue
    DESTROY_CONFIRM = "destroy_confirm"  # RentalValue


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
    """The action of an `action_id`. Raises Mistake for one that isn't ours."""
    name, _, number = action_id.partition(".")
    try:
        action = Action(name)
    except ValueError as error:
        raise Mistake("I don't know that button.") from error
    if number and not re.fullmatch(r"[0-9]{1,2}", number):
        raise Mistake("I don't know that button.")
    return action


def pattern(action: Action) -> re.Pattern[str]:
    """Matches every `action_id` of an action, for the listener."""
    return re.compile(rf"^{re.escape(action.value)}(\.[0-9]{{1,2}})?$")


_RENTAL = r"(?P<rental_id>[a-z0-9]{2,16})"
_QUOTE = r"(?P<quote_id>[A-Za-z0-9_-]{1,64})"
_HOURS = r"(?P<hours>[1-9][0-9]{0,3})"
_VERSION = r"(?P<version>[1-9][0-9]{0,8})"
_OLD = "That button makes no sense to me. I changed nothing."


class Value(Frozen):
    """What a button carries. `decode` refuses everything that `encode` doesn't make."""

    def encode(self) -> str:
        """The value as text. Raises Mistake where a part can't be carried."""
        text = self._text()
        if not re.fullmatch(self._shape(), text):
            raise Mistake(_OLD)
        return text

    @classmethod
    def decode(cls, value: str | None) -> Self:
        """Raises Mistake for anything else than what `encode` makes."""
        found = re.fullmatch(cls._shape(), value or "", flags=re.ASCII)
        if found is None:
            raise Mistake(_OLD)
        return cls.model_validate(found.groupdict())

    def _text(self) -> str:
        return ":".join(str(part) for part in self.model_dump().values())

    @classmethod
    def _shape(cls) -> str:
        raise NotImplementedError


class RentalValue(Value):
    """`k7mq2`."""

    rental_id: str

    @classmethod
    def _shape(cls) -> str:
        return _RENTAL


class VersionValue(Value):
    """`k7mq2:2`: a rental and the version of the envelope that the reader saw."""

    rental_id: str
    version: int

    @classmethod
    def _shape(cls) -> str:
        return f"{_RENTAL}:{_VERSION}"


class HoursValue(Value):
    """`k7mq2:4`: whole hours."""

    rental_id: str
    hours: int

    @classmethod
    def _shape(cls) -> str:
        return f"{_RENTAL}:{_HOURS}"


class ExtendValue(Value):
    """`k7mq2:2:1763982000`: whole hours, and the end that the reader saw, as a Unix time; so a second click adds
    nothing."""

    rental_id: str
    hours: int
    shown_end: int

    @classmethod
    def _shape(cls) -> str:
        return rf"{_RENTAL}:{_HOURS}:(?P<shown_end>[1-9][0-9]{{0,11}})"


class QuoteValue(Value):
    """`q8f3...`."""

    quote_id: str

    @classmethod
    def _shape(cls) -> str:
        return _QUOTE


class OfferValue(Value):
    """`q8f3...:offer`: the offer's id is the marketplace's, up to 255 visible characters."""

    quote_id: str
    offer_id: str

    @classmethod
    def _shape(cls) -> str:
        return rf"{_QUOTE}:(?P<offer_id>[\x21-\x7e]{{1,255}})"


class NearbyValue(Value):
    """`q8f3...:0`: which of a quote's nearby requests, from 0."""

    quote_id: str
    index: int

    @classmethod
    def _shape(cls) -> str:
        return rf"{_QUOTE}:(?P<index>[0-9]{{1,2}})"
