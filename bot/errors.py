"""Everything that can go wrong, by what the person who sees it can do.

    GpubotError
    +-- Mistake          your mistake: says what to type instead
    |   +-- NeedsKey     an SSH key is missing; set one and go on
    |   +-- PrivateKey   a private key was sent; nothing of it is kept
    |   +-- Unusable     a setting can't be used: says which and why; ends the start
    |   +-- RentsAlready the same is rented already; say that another one is meant
    +-- Refused          the team's rules say no: says who may, or what would be allowed
    +-- TooLate          someone or something was faster: says what is true now
    |   +-- Changed      the request is another one now
    |   +-- Repeated     the same was done just now; say that more is meant
    +-- Outage           for a while: nothing was done, try again
    |   +-- StoreBusy    the database did not take it
    |   +-- MarketAway   the marketplace did not answer, or asks to wait
    |       +-- LockedOut    it refuses our token
    |       +-- RateLimited  it asks us to slow down (429)
    +-- CannotOpen       the database can't be used at all: says why; ends the start
    |   +-- InUse        another gpubot has it open
    +-- Stale            a guarded write found a newer row; load it again and decide anew (never shown)
    +-- OfferTaken       an offer has had its one attempt; take the next (never shown)

Anything else that escapes is a bug; the person gets a number that is in the log too.
"""

from __future__ import annotations

import secrets

NUMBER_SIGNS = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"
"""Of the number that a bug gets: without what is misread."""


def bug_number() -> str:
    """A new number, such as E-4F2K, that stands in the log and in what people read."""
    return "E-" + "".join(secrets.choice(NUMBER_SIGNS) for _ in range(4))


class GpubotError(Exception):
    """Base of all. `words` may be shown to a person as it is."""

    def __init__(self, words: str) -> None:
        super().__init__(words)
        self.words = words


class Mistake(GpubotError):
    """The person can do it right. `nearest` are choices that come closest."""

    def __init__(self, words: str, nearest: tuple[str, ...] = ()) -> None:
        super().__init__(words)
        self.nearest = nearest


class NeedsKey(Mistake):
    """Renting needs a public SSH key first."""


class PrivateKey(Mistake):
    """Someone sent a private key. It is to be neither stored nor logged, and to be seen as known to others."""

    def __init__(self) -> None:
        super().__init__(
            "That was a private key. I dropped it and no channel shows it, but it went through Slack. "
            "Make a new pair, then /gpu key with the line from the .pub file."
        )


class Unusable(Mistake):
    """The bot can't run with these settings; the words say which and why."""


class RentsAlready(Mistake):
    """The person rents the same already. Nothing was done; the click that says "another" goes on."""

    def __init__(self, words: str, rental_id: str) -> None:
        super().__init__(words)
        self.rental_id = rental_id


class Refused(GpubotError):
    """Not allowed by the rules, whoever asks that way."""


class TooLate(GpubotError):
    """Already decided or gone. Nothing was changed. `rental_id` names what it is about, where known."""

    def __init__(self, words: str, rental_id: str | None = None) -> None:
        super().__init__(words)
        self.rental_id = rental_id


class Changed(TooLate):
    """The request has changed since the button was shown; the new one is shown, and nothing was decided."""


class Repeated(TooLate):
    """The person asked for the same just now, and it was done. Nothing was added; the click that says "more" goes
    on."""


class Outage(GpubotError):
    """Temporary. Nothing was done."""


class StoreBusy(Outage):
    """The database could not take it in time."""


class MarketAway(Outage):
    """The marketplace gave no usable answer. For a call that buys, the outcome is unknown.

    `retry_after` is in real seconds where the marketplace named it. `acted` is False if the call certainly bought
    nothing: it only reads, never left, or was refused with an answer that the reference documents as such.
    """

    def __init__(self, words: str, *, retry_after: float | None = None, acted: bool = True) -> None:
        super().__init__(words)
        self.retry_after = retry_after
        self.acted = acted


class LockedOut(MarketAway):
    """401 or 403: nothing can be asked until someone mends the token. A purchase may have been carried out all the
    same if it was answered 403, which the reference doesn't name: a gateway or a vendor may have said it."""

    def __init__(self, words: str, *, acted: bool = False) -> None:
        super().__init__(words, acted=acted)


class RateLimited(MarketAway):
    """429. For a call that buys it proves nothing: the limit may be that of a vendor who was asked already."""


class Stale(GpubotError):
    """A compare-and-set lost. Never shown: the caller loads again and decides anew."""

    def __init__(self) -> None:
        super().__init__("the row has changed")


class OfferTaken(GpubotError):
    """Another attempt has had this offer. Never shown: nothing was written, the caller takes the next offer."""

    def __init__(self, offer_id: str) -> None:
        super().__init__(f"offer {offer_id} has had its attempt")
        self.offer_id = offer_id


class CannotOpen(GpubotError):
    """The database can't be opened: another process has it, or it isn't there, or we may not."""


class InUse(CannotOpen):
    """Another gpubot has the database open; there can be one."""
