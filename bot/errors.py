"""All errors of the bot, grouped by what their readers can do about them.

The message of every GpubotError is shown to a person:

- Mistake says what to type instead.
- Refused says who is allowed to do this, or what would be allowed.
- TooLate says what has happened in the meantime.
- Outage says that something failed temporarily. The person can try again.
- CannotOpen says why the bot can't start.

An unhandled exception of any other class is a bug. The person gets a bug number, and the log has the details under
that number.

Error messages are plain text, so that they can be shown in Slack as well as in a terminal. Commands, channels and
people are displayed differently in Slack and in a terminal, so they are attributes of the error.
`handlers/phrases/error_text.py` formats these attributes for Slack.
"""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta
from enum import Enum, StrEnum, auto
from typing import NamedTuple, Self

BUG_NUMBER_CHARACTERS = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"
"""The characters of a bug number, without those that are easily confused with others."""


def bug_number() -> str:
    """Return a new bug number, such as E-4F2K, for the log and for the person who ran into the bug."""
    return "E-" + "".join(secrets.choice(BUG_NUMBER_CHARACTERS) for _ in range(4))


class NextStep(Enum):
    """An action that the person can take next. The code that displays the error adds the command for it."""

    ASK_AGAIN = auto()
    ASK_FOR_YOUR_OWN = auto()
    WITHDRAW_AND_ASK_AGAIN = auto()
    NAME_PRICE = auto()
    STOP_WAITING = auto()
    NAME_LATER_END = auto()
    LEAVE_OUT_END = auto()
    RENT_ONE = auto()
    LIST_YOURS = auto()
    LIST_ALL = auto()
    LOG_IN = auto()
    DESTROY_ONE = auto()
    """Destroy one of the person's own rentals, because they already have as many as the rules allow."""
    MAKE_NEW_KEY = auto()
    STOP_TOKEN = auto()
    NAME_TEAMMATES = auto()
    PASTE_A_KEY = auto()
    TRY_AGAIN_OR_PASTE_A_KEY = auto()
    LIST_KEYS = auto()
    READ_THIS_MONTH = auto()
    REMOVE_A_KEY = auto()
    """Remove one of the person's own SSH keys, because they already have as many as the rules allow."""


class BuyingBlock(StrEnum):
    """The reason why nothing is currently bought for anyone."""

    PAUSED = "paused"
    BOUGHT_AFTER_BACKUP = "older_database"
    """The database was restored, and machines were found that were bought after its backup.

    Buying stays blocked until an admin resumes it.
    """
    UNAUTHORIZED = "unauthorized"
    """The marketplace refuses the bot's token."""


class Decision(Enum):
    """A person's decision about a request, an extension, or machines that belong to no rental."""

    APPROVED = auto()
    DENIED = auto()
    WITHDREW = auto()
    GAVE_OWNER = auto()
    DESTROYED = auto()
    NOT_OURS = auto()


class GpubotError(Exception):
    """Base class of all errors that people read. They see its message (`words`) and its `next_step`."""

    def __init__(self, words: str, *, next_step: NextStep | None = None) -> None:
        super().__init__(words)
        self.words = words
        self.next_step = next_step


class Mistake(GpubotError):
    """An error in what the person typed, which they can correct."""


class Line(NamedTuple):
    """A request that is suggested to a person because what they typed was refused.

    The request is complete, so the person can send it without changes.
    """

    shown: str
    """The request in readable form. People can type the same text after `/gpu` and the verb."""
    text: str
    """The text of the request as Slack would send it, with the IDs of the mentioned people."""
    verb: str = "get"


class RequestMistake(Mistake):
    """A request for GPUs that the bot doesn't understand.

    Args:
        why: A sentence that names the part that can't be read.
        *lines: The requests that the person may have meant.
        without: Whether these requests leave out the part that can't be read.
    """

    def __init__(self, why: str, *lines: Line, without: bool = False) -> None:
        lead = "Without it" if without else "Try"
        commands = [f"/gpu {line.verb} {line.shown}" for line in lines]
        super().__init__(f"{why} {lead}: {', or '.join(commands)}" if lines else why)
        quoted = [f'"{line.shown}"' for line in lines]
        self.words_for_program = f"{why} {lead}: {', or '.join(quoted)}" if lines else why
        """The same message for a program, with the requests in quotes instead of Slack's commands."""
        self.lines = lines


class WrongTerm(Mistake):
    """A term of a token that the rules don't allow.

    Args:
        field: The field of `TokenTerms` that has to change, or `name` for the token's name.
        words: A sentence that says which values are allowed.
    """

    def __init__(self, field: str, words: str) -> None:
        super().__init__(words)
        self.field = field


class NeedsKey(Mistake):
    """The person needs a public SSH key before they can continue.

    Args:
        github: Whether the policy allows keys from GitHub.
        so_far: A clause that says what wasn't done because the key is missing.
    """

    def __init__(self, *, github: bool, so_far: str = "nothing has been rented yet") -> None:
        super().__init__(f"To log in, you'll need an SSH key. Add your public key and I'll continue; {so_far}.")
        self.github = github


class SentSecret(Mistake):
    """Someone sent the secret of a token. The bot doesn't store or log it, but others may have seen it.

    If `posted`, the secret was sent in a message, which Slack still shows. Otherwise, it was part of a command.
    """

    def __init__(self, *, posted: bool = False) -> None:
        words = "I didn't keep it and no channel shows it, but it went through Slack."
        if posted:
            words = "I didn't keep it, but Slack still shows your message, so delete it."
        super().__init__(f"That was the secret of a token. {words}", next_step=NextStep.STOP_TOKEN)

    @classmethod
    def sent_by_program(cls) -> Self:
        """Return the error for a secret in a part of a program's request that people can read."""
        error = cls()
        error.words = (
            "The request contains the secret of a token. I didn't keep it, and nothing was rented. Send it only "
            "in the header Authorization."
        )
        error.args, error.next_step = (error.words,), None
        return error


class PrivateKey(Mistake):
    """Someone sent a private key. The bot doesn't store or log it, but others may have seen it."""

    def __init__(self, *, posted: bool = False) -> None:
        """Create the error for a private key that was sent.

        If `posted`, the key was sent in a message, which Slack still shows. Otherwise, it was part of a command.
        """
        words = "I didn't keep it and no channel shows it, but it went through Slack."
        if posted:
            words = "I didn't keep it, but Slack still shows your message, so delete it."
        super().__init__(f"That was a private key. {words}", next_step=NextStep.MAKE_NEW_KEY)

    @classmethod
    def sent_by_program(cls) -> Self:
        """Return the error for a private key that a program sent."""
        error = cls()
        error.words = (
            "That was a private key. I didn't keep it, and nothing was rented. Create a new pair, because the key "
            "has left its machine, and send the line of its .pub file."
        )
        error.args, error.next_step = (error.words,), None
        return error


class KeyInUse(Mistake):
    """A program used an idempotency key again for another request. Nothing was rented."""


class UnknownRental(Mistake):
    """A program named a rental that doesn't exist, or that its token isn't allowed to see or change.

    The message is the same in all cases, so that nobody learns which IDs exist.
    """

    def __init__(self) -> None:
        super().__init__("This token has no such rental. Nothing was changed.")


class UnknownLogin(Mistake):
    """A program named a login that doesn't exist, or that expired so long ago that it was deleted."""

    def __init__(self) -> None:
        super().__init__(
            "There is no such login, or it expired a while ago. To begin a new one, send POST /v1/logins."
        )


class Unusable(Mistake):
    """The bot can't run with the current settings. The message says which settings are wrong, and why."""


class WrongPolicy(Mistake):
    """The policy file has mistakes.

    Each of the `lines` describes one mistake, with its line number and policy key, and without a full stop. The
    message only includes the first `MOST_LINES` mistakes.
    """

    MOST_LINES = 20

    def __init__(self, lines: tuple[str, ...]) -> None:
        more = len(lines) - self.MOST_LINES
        rest = [f"to see all {len(lines)} mistakes, run gpubot policy check"] if more > 0 else []
        shown = [*lines[: self.MOST_LINES], *rest]
        super().__init__("\n".join(f"GPUBOT_POLICY: {line}." for line in shown))
        self.lines = lines


class DuplicateRental(Mistake):
    """The person already rents a machine like the requested one.

    Nothing was rented. The person can confirm that they want a second machine.
    """

    def __init__(self, words: str, rental_id: str) -> None:
        super().__init__(words)
        self.rental_id = rental_id


class Refused(GpubotError):
    """The rules don't allow the person's action.

    Args:
        words: The message.
        channels: The channels in which people are allowed to use the bot. Set if it was used in another channel.
        again_at: The time from which the action will be allowed. None if no such time is known.
        next_step: An action that the person can take instead.
    """

    def __init__(
        self,
        words: str,
        *,
        channels: tuple[str, ...] = (),
        again_at: datetime | None = None,
        next_step: NextStep | None = None,
    ) -> None:
        super().__init__(words, next_step=next_step)
        self.channels = channels
        self.again_at = again_at


class InvalidToken(Refused):
    """A program's secret belongs to no token that works now.

    The message is the same in every case, so that it reveals nothing about other tokens.
    """

    def __init__(self) -> None:
        super().__init__("This token isn't valid. Ask the person who gave it to you for a new one.")


class OverBudget(Refused):
    """The rental would exceed a budget, and the policy says that such rentals are refused.

    Args:
        words: A sentence that says how much is left in the budget.
        instead: A sentence that says what wasn't done and what the person can do next. Lists of offers omit this
            sentence.
    """

    def __init__(self, words: str, *, instead: str) -> None:
        super().__init__(words)
        self.instead = instead


class BuyingBlocked(Refused):
    """Nothing is currently bought for anyone.

    Args:
        block: The reason.
        by: If an admin paused buying: their name, if known.
        at: If an admin paused buying: the time at which they did.
        why: If an admin paused buying: the reason that they typed.
    """

    def __init__(
        self, block: BuyingBlock, *, by: str | None = None, at: datetime | None = None, why: str = ""
    ) -> None:
        super().__init__("Nothing was rented.")
        self.block = block
        self.by = by
        self.at = at
        self.why = why


class BeyondTerms(Refused):
    """A program asked for more than the terms of its token allow, and the terms say that this is refused."""


class OwnerOnly(Refused):
    """Somebody who isn't allowed to log in to a machine asked for its SSH command.

    `owner` is the name of the rental's owner. None if it isn't known.
    """

    def __init__(self, rental_id: str, owner: str | None) -> None:
        super().__init__("This SSH command isn't for you.")
        self.rental_id = rental_id
        self.owner = owner


class NoTeammate(Refused):
    """A person can't be given access to a machine. The message says who and why."""


class TooLate(GpubotError):
    """The person acted too late: the decision was already made, or the rental is over. Nothing was changed.

    `rental_id` names the rental. None if it isn't known.
    """

    def __init__(self, words: str, rental_id: str | None = None, *, next_step: NextStep | None = None) -> None:
        super().__init__(words, next_step=next_step)
        self.rental_id = rental_id


class AlreadyDecided(TooLate):
    """Somebody else, or the same person earlier, has already made this decision.

    Args:
        rental_id: The rental that the decision was about. None if it wasn't about a rental.
        decision: The decision that was made.
        name: The name of the person who decided. None if it isn't known.
        own: Whether the reader of the message made the decision.
        ago: The time since the decision.
    """

    def __init__(
        self, rental_id: str | None, decision: Decision, *, name: str | None, own: bool, ago: timedelta
    ) -> None:
        super().__init__("This time, nothing was changed.", rental_id)
        self.decision = decision
        self.name = name
        self.own = own
        self.ago = ago


class QuestionLost(TooLate):
    """An admin tries to answer a question that is no longer in the database."""

    def __init__(self) -> None:
        super().__init__("My database no longer has this question. Nothing was changed.")


class RequestChanged(TooLate):
    """The request has changed since the button was displayed.

    Nothing was decided. The person is shown the new version of the request.
    """


class DuplicateExtension(TooLate):
    """An equal extension was made a moment ago.

    Nothing was added. The person can confirm that they want even more time.
    """


class Outage(GpubotError):
    """A temporary failure. Nothing was done."""


class StoreBusy(Outage):
    """The database didn't answer in time, or accepts no writes at the moment."""


class WrongClock(Outage):
    """The clock of the machine that runs the bot is wrong.

    The bot therefore can't tell whether a lease has ended, or whether a price or an approval is still valid.
    """

    def __init__(self) -> None:
        super().__init__(
            "The clock of the computer that I run on is wrong, so nothing was changed. The person who runs me can "
            "set it. Until then, they can delete machines with gpubot destroy --resource."
        )


class ClaimLost(Outage):
    """Another process does the work that this process wanted to do. Nothing was changed here."""

    def __init__(self) -> None:
        super().__init__("Another process of mine is already doing what you asked for. Nothing was changed here.")


class KeysUnavailable(Outage):
    """GitHub gave no usable answer to a request for a person's public keys. `reason` is a full sentence."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"{reason} Nothing was saved.", next_step=NextStep.TRY_AGAIN_OR_PASTE_A_KEY)
        self.reason = reason


class MarketAway(Outage):
    """The marketplace gave no usable answer. If the call was a purchase, its outcome is unknown.

    Args:
        words: The message.
        retry_after: The delay that the marketplace requested, in wall-clock seconds. None if it requested none.
        may_have_bought: False if the call certainly bought nothing, because it isn't a purchase, was never sent,
            or was refused with 401 (docs/compute-clear.md, "Procure").
    """

    def __init__(self, words: str, *, retry_after: float | None = None, may_have_bought: bool = True) -> None:
        super().__init__(words)
        self.retry_after = retry_after
        self.may_have_bought = may_have_bought


class TokenRefused(MarketAway):
    """The marketplace answered 401 or 403. It will refuse every call until someone replaces the token.

    A purchase that was answered with 403 may have been made nevertheless: 403 isn't documented
    (docs/compute-clear.md, "Token"), so the answer may come from a gateway or a vendor.
    """

    def __init__(self, words: str, *, may_have_bought: bool = False) -> None:
        super().__init__(words, may_have_bought=may_have_bought)


class RateLimited(MarketAway):
    """The marketplace answered 429.

    A purchase may have succeeded nevertheless. The limit can be a limit of the vendor, and the vendor may have
    received the purchase before it answered 429.
    """


class CannotOpen(GpubotError):
    """The database can't be opened: another process uses it, it doesn't exist, or the permission is missing."""


class InUse(CannotOpen):
    """Another gpubot process has the database open, and only one process can use this database at a time."""


# --- control flow


class Conflict(Exception):
    """Base class of the errors that the store raises if another change was made first. People never see them."""


class Stale(Conflict):
    """The row has changed since it was read. The caller reads the row again and repeats its decision."""

    def __init__(self) -> None:
        super().__init__("the row has changed")


class OfferTaken(Conflict):
    """The bot has already tried to buy this offer.

    Nothing was written. The caller tries the next offer.
    """

    def __init__(self, offer_id: str) -> None:
        super().__init__(f"an attempt was made for offer {offer_id} before")
        self.offer_id = offer_id
