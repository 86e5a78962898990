"""Words: text from outside made safe, and numbers, spans, times and names as people read them.

Everything here is mrkdwn-safe text: foreign text is escaped once, in `escape`. Plain-text objects undo the
escapes, see blocks.plain. The rules are those of docs.slack.dev/messaging/formatting-message-text.
"""

from __future__ import annotations

import ipaddress
import re
import unicodedata
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import ROUND_CEILING, Decimal
from fractions import Fraction
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from bot.model.attempt import Why
from bot.model.base import Frozen
from bot.model.gpu import display_name, display_variant, name_key
from bot.model.money import MICROS_PER_DOLLAR, Micros
from bot.model.offer import Offer
from bot.model.request import Contract, Envelope, Request
from bot.model.state import State

# --- text from outside

_INVISIBLE = {"Cc", "Cf", "Cs", "Co"}
_JOINERS = {"\u200c", "\u200d"}
"""Needed inside words of some scripts and inside emoji."""


def clean(text: str, limit: int) -> str:
    """One line without control, direction and other invisible characters, cut to `limit` characters with `…`.
    Not escaped."""
    kept = (
        character
        if unicodedata.category(character) not in _INVISIBLE or character in _JOINERS
        else (" " if character in "\t\n\r\v\f\x85" else "")
        for character in text[: limit * 8]
    )
    line = " ".join("".join(kept).split())
    return line if len(line) <= limit else line[: limit - 1].rstrip() + "…"


def escape(text: str, limit: int = 80) -> str:
    """Foreign text for mrkdwn: one line, at most `limit` characters, which can neither mention anyone, link, nor
    end a code span. Backticks become apostrophes."""
    line = clean(text, limit).replace("`", "'")
    return line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def note(text: str) -> str:
    """A person's note: public, data."""
    return escape(text, 200)


# --- people and channels


def person(names: Mapping[str, str], user_id: str | None) -> str:
    """A display name, which pings nobody. None is the bot itself."""
    if user_id is None:
        return "gpubot"
    return escape(names.get(user_id) or "", 40) or escape(user_id, 40)


def mention(user_id: str) -> str:
    """Pings someone. Only for approvers, once."""
    return f"<@{user_id}>" if re.fullmatch(r"[UW][A-Z0-9]+", user_id) else escape(user_id)


def mention_group(group_id: str) -> str:
    """Pings a user group. Only for approvers, once."""
    return f"<!subteam^{group_id}>" if re.fullmatch(r"S[A-Z0-9]+", group_id) else escape(group_id)


def channel(channel_id: str) -> str:
    """A channel's name as a link; pings nobody."""
    return f"<#{channel_id}>" if re.fullmatch(r"[CG][A-Z0-9]+", channel_id) else "a direct message"


# --- money

_CENT = Decimal("0.01")


def _cents(cents: int) -> str:
    return f"${cents // 100:,}.{cents % 100:02d}"


def dollars(amount: Micros) -> str:
    """An amount that is known, to the cent: `$14.68`, `<$0.01`."""
    if 0 < amount < MICROS_PER_DOLLAR // 100:
        return "&lt;$0.01"
    sign = "-" if amount < 0 else ""
    return sign + _cents(round(Fraction(abs(amount) * 100, MICROS_PER_DOLLAR)))


def dollars_at_most(amount: Micros) -> str:
    """An amount that something can come to: rounded up, so that what is printed holds."""
    return _cents(-(-max(amount, 0) * 100 // MICROS_PER_DOLLAR))


def _rate_cents(rate: Decimal) -> int:
    return int((rate * 100).to_integral_value(rounding=ROUND_CEILING))


def price(rate: Decimal) -> str:
    """USD rounded up to cents, without the unit: `$2.15`."""
    return "&lt;$0.01" if 0 < rate < _CENT else _cents(max(_rate_cents(rate), 0))


def per_hour(rate: Decimal) -> str:
    """`$2.15/h`, rounded up."""
    return f"{price(rate)}/h"


def difference(before: Decimal, rate: Decimal) -> str:
    """How much dearer, as the two prices are shown: `+$0.27`, `-$0.10`, `the same price`."""
    cents = _rate_cents(rate) - _rate_cents(before)
    if cents == 0:
        return "the same price"
    return ("+" if cents > 0 else "-") + _cents(abs(cents))


# --- spans and times


def _two(big: int, big_unit: str, small: int, small_unit: str) -> str:
    return f"{big} {big_unit}" + (f" {small} {small_unit}" if small else "")


def span(length: timedelta) -> str:
    """Two units at most: `51 s`, `2 min 51 s`, `6 h 4 min`, `2 days 3 h`. Whole days from 48 h on."""
    seconds = max(length // timedelta(seconds=1), 0)
    if seconds < 60:
        return f"{seconds} s"
    if seconds < 3600:
        return _two(seconds // 60, "min", seconds % 60, "s")
    minutes = seconds // 60
    if minutes < 48 * 60:
        return _two(minutes // 60, "h", minutes % 60, "min")
    hours = minutes // 60
    return _two(hours // 24, "days", hours % 24, "h")


def about(length: timedelta) -> str:
    """A span that is an estimate: to the minute, one at least."""
    return span(timedelta(minutes=max((length + timedelta(seconds=30)) // timedelta(minutes=1), 1)))


def plural(count: int, one: str, many: str | None = None) -> str:
    """`1 machine`, `3 machines`."""
    return f"{count} {one if count == 1 else many or one + 's'}"


class Times(Frozen):
    """Moments as a reader sees them: Slack shows date tokens in the reader's own zone; `zone` only decides whether
    the day is said. The text that stands in for a token names UTC."""

    now: datetime
    zone: str

    def _day(self, moment: datetime) -> tuple[int, int, int]:
        try:
            zone = ZoneInfo(self.zone)
        except (ZoneInfoNotFoundError, ValueError):
            zone = ZoneInfo("UTC")
        local = moment.astimezone(zone)
        return local.year, local.month, local.day

    def at(self, moment: datetime, *also: datetime) -> str:
        """`18:40`, or with the day where it isn't that of now and of every moment in `also`."""
        if any(self._day(moment) != self._day(other) for other in (self.now, *also)):
            return self.on(moment)
        return f"<!date^{int(moment.timestamp())}^{{time}}|{moment.astimezone(UTC):%H:%M} UTC>"

    def when(self, moment: datetime) -> str:
        """As `at`, as what follows a verb: `at 18:40`, and with the day `tomorrow at 01:44`."""
        return f"at {self.at(moment)}" if self._day(moment) == self._day(self.now) else self.on(moment)

    @staticmethod
    def on(moment: datetime) -> str:
        """Always with the day: `today at 22:05`."""
        stamp = f"{moment.astimezone(UTC):%a %d %b %H:%M} UTC"
        return f"<!date^{int(moment.timestamp())}^{{date_short_pretty}} at {{time}}|{stamp}>"


# --- machines

_VENDORS = {
    "aws": "AWS",
    "coreweave": "CoreWeave",
    "datacrunch": "DataCrunch",
    "digitalocean": "DigitalOcean",
    "fluidstack": "FluidStack",
    "gcp": "GCP",
    "hpcai": "HPC-AI",
    "imwt": "IMWT",
    "massedcompute": "Massed Compute",
    "oci": "OCI",
    "ovh": "OVH",
    "runpod": "RunPod",
    "tensordock": "TensorDock",
    "vastai": "Vast.ai",
}


def vendor(name: str | None) -> str:
    """A vendor as one writes it: `hyperstack` is Hyperstack. None is `the vendor`."""
    known = clean(name or "", 40)
    if not known:
        return "the vendor"
    words = re.split(r"[_\s-]+", known)
    return escape(
        _VENDORS.get(name_key(known)) or " ".join(word[:1].upper() + word[1:] for word in words if word) or known
    )


def place(name: str | None, region: str | None, join: str = " ") -> str:
    """Vendor and the vendor's own region: `Hyperstack nor-1`."""
    return vendor(name) + (join + escape(region, 40) if region else "")


def gpu(name: str) -> str:
    """A family as it is, a canonical name in words: `nvidia-h100-sxm5-80gb` is `H100 SXM 80 GB`."""
    return escape(display_name(clean(name, 60)))


def variant(offer: Offer) -> str:
    """What a canonical name says beyond its family: `SXM 80 GB`."""
    return escape(display_variant(clean(offer.gpu, 60), clean(offer.family, 60)))


def machines(count: int, name: str) -> str:
    """`8x H100`."""
    return f"{count}x {gpu(name)}"


def what(wanted: Envelope | Request) -> str:
    """`1x H100 EU`, with `spot` where it is."""
    parts = [machines(wanted.count, wanted.gpu)]
    if wanted.region:
        parts.append(escape(wanted.region, 20))
    if wanted.contract is Contract.SPOT:
        parts.append("spot")
    return " ".join(parts)


def contract(value: Contract) -> str:
    """`on demand` or `spot`."""
    return "spot" if value is Contract.SPOT else "on demand"


def ssh_command(host: str | None, port: int | None) -> str | None:
    """The command that opens a machine, built here alone; None where the address isn't one."""
    if host is None or not _is_host(host) or (port is not None and not 0 < port < 65536):
        return None
    return f"ssh root@{host}" if port in {None, 22} else f"ssh -p {port} root@{host}"


def _is_host(host: str) -> bool:
    try:
        return "%" not in host and bool(ipaddress.ip_address(host))
    except ValueError:
        label = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
        return len(host) <= 253 and re.fullmatch(rf"{label}(?:\.{label})*", host) is not None


# --- states and reasons

STATES: dict[State, str] = {
    State.AWAITING_APPROVAL: "Waiting for approval",
    State.PROCURING: "Starting",
    State.PROVISIONING: "Starting",
    State.READY: "Ready",
    State.DESTROYING: "Being destroyed",
    State.DESTROYED: "Destroyed",
    State.FAILED: "Failed",
    State.CANCELLED: "Cancelled",
    State.LOST: "Lost",
    State.DENIED: "Denied",
    State.EXPIRED: "Expired",
    State.WITHDRAWN: "Withdrawn",
}

_REASONS: dict[Why, str] = {
    Why.SOLD_OUT: "{vendor} sold out",
    Why.EXPIRED: "{vendor}'s price no longer stood",
    Why.REFUSED: "{vendor} refused",
    Why.BOUGHT_BEFORE: "{vendor}'s offer was taken already",
    Why.NO_ANSWER: "{vendor} gave no answer",
    Why.RATE_LIMITED: "Compute Clear asked me to slow down",
    Why.VENDOR_FAILED: "{vendor} could not make it",
    Why.TOO_SLOW: "{vendor} took too long",
    Why.NOTHING_LEFT: "nothing is left within what was allowed",
    Why.TOO_MANY_ATTEMPTS: "too many offers failed",
    Why.DEARER: "what is left costs more than was allowed",
    Why.BUYING_BLOCKED: "buying was held up too long",
    Why.OUTAGE: "Compute Clear doesn't answer",
    Why.PAUSED: "buying is paused",
    Why.UNAUTHORIZED: "Compute Clear refuses my token",
    Why.ASKED: "someone asked for it",
    Why.LEASE_ENDED: "its lease ended",
    Why.VENDOR_TOOK_IT: "{vendor} took it",
    Why.NOT_WANTED: "nobody wanted it any more",
}


def reason(why: Why, of: str | None = None) -> str:
    """Why, as a clause that doesn't begin a sentence; `of` is the vendor's own name."""
    return _REASONS[why].format(vendor=vendor(of))


def sentence(clause: str) -> str:
    """A clause as a sentence."""
    return ended(clause[:1].upper() + clause[1:])


def ended(clause: str) -> str:
    """A clause with its full stop."""
    return clause if clause.endswith((".", "?")) else clause + "."
