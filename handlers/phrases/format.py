"""Values as people read them in Slack: foreign text, people, channels, money and times.

Every function but `clean` returns mrkdwn. Foreign text is escaped once, in `escape`, by the rules of
docs.slack.dev/messaging/formatting-message-text; `blocks.plain` undoes the entities for plain-text objects.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction

from bot.model.base import Frozen, Instant
from bot.model.event import Event
from bot.model.facts import SaidFacts
from bot.model.money import MICROS_PER_DOLLAR, Micros
from bot.model.person import OPERATOR
from bot.model.request import Terms
from bot.model.text import listed, say_dollars, say_limit, say_price
from bot.policy.team.hours import known_zone
from bot.policy.team.rules import Hours, Rules

# --- text from outside

_INVISIBLE = {"Cc", "Cf", "Cs", "Co"}
_JOINERS = {"\u200c", "\u200d"}
"""Some scripts need these inside words, and emoji need them inside a sign."""
JOINER = "\u2060"
"""WORD JOINER, which has no width. A sign of mrkdwn beside it is not at the edge of a word, so it formats nothing.
`clean` removes joiners that come from outside, and what people type is read without them."""
_SIGN = re.compile(r"(?<![^\W_])[*_~]|[*_~](?![^\W_])")
"""A sign that is not inside a word. Inside a word, as in `eu_north`, Slack shows it as itself."""
_COLON_OR_QUOTE = re.compile(r":(?=[\w+'-]+:)|(?<!\w):(?=[\w+'-]+$)|^(?=>)")
"""A colon that begins an emoji, or may with the text after it. Also the start of what would be a quote."""
_IDENTIFIER = re.compile(r"(?:SHA256:)?[A-Za-z0-9](?:[A-Za-z0-9+/=.-]*[A-Za-z0-9+/=])?")


def clean(text: str, limit: int) -> str:
    """Return one line, not escaped, without control, direction and other invisible characters. A longer line is
    cut to `limit` characters, the last of which is `…`.
    """
    visible = (
        character
        if unicodedata.category(character) not in _INVISIBLE or character in _JOINERS
        else (" " if character in "\t\n\r\v\f\x85" else "")
        for character in text[: limit * 8]
    )
    line = " ".join("".join(visible).split())
    return line if len(line) <= limit else line[: limit - 1].rstrip() + "…"


def escape(text: str, limit: int = 80) -> str:
    """Return foreign text as one line of at most `limit` visible characters. It can't mention anyone, make a link,
    format anything or end a code span: backticks become apostrophes, and the signs of mrkdwn and of emoji get word
    joiners, so that they show as themselves.
    """
    line = clean(text, limit).replace("`", "'")
    line = _SIGN.sub(f"{JOINER}\\g<0>{JOINER}", line)
    return entities(_COLON_OR_QUOTE.sub(f"\\g<0>{JOINER}", line))


def literal(text: str) -> str:
    """Return text for a code span or a code block of ours, where nothing is formatted. It has no joiners, because
    people copy it, and no backtick.
    """
    return entities(text.replace("`", "'"))


def identifier(text: str, limit: int = 80) -> str:
    """Return an id or a fingerprint without joiners, since people copy it. Escape text that looks like neither."""
    return text if len(text) <= limit and _IDENTIFIER.fullmatch(text) else escape(text, limit)


def entities(text: str) -> str:
    """Return text with Slack's three control characters as entities."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def note(text: str) -> str:
    """Return a person's note, escaped. Notes are public."""
    return escape(text, 200)


# --- people and channels


def person(names: Mapping[str, str], user_id: str | None) -> str:
    """Return a person's display name, which pings nobody. Return `gpubot` for None, and `the operator`."""
    if user_id is None:
        return "gpubot"
    if user_id == OPERATOR.id:
        return OPERATOR.name
    return as_written(escape(names.get(user_id) or "", 40) or escape(user_id, 40))


def actor(names: Mapping[str, str], event: Event) -> str:
    """Return who made an event, as `person`. The operator's name has the reason: `the operator (reason: "..")`."""
    if event.actor != OPERATOR.id or not isinstance(event.facts, SaidFacts) or not event.facts.detail:
        return person(names, event.actor)
    return f'{OPERATOR.name} (reason: "{escape(event.facts.detail, 200)}")'


def as_written(name: str) -> str:
    """Return a name with its own first letter: a joiner before a small letter keeps it small in a sentence."""
    return JOINER + name if name[:1].islower() else name


def mention(user_id: str) -> str:
    """Return a mention, which pings. Use it only for approvers, once for each request."""
    return f"<@{user_id}>" if re.fullmatch(r"[UW][A-Z0-9]+", user_id) else escape(user_id)


def mention_group(group_id: str) -> str:
    """Return a mention of a user group, which pings its members. Use it as rarely as `mention`."""
    return f"<!subteam^{group_id}>" if re.fullmatch(r"S[A-Z0-9]+", group_id) else escape(group_id)


def channel(channel_id: str) -> str:
    """Return a channel's name as a link, which pings nobody."""
    return f"<#{channel_id}>" if re.fullmatch(r"[CG][A-Z0-9]+", channel_id) else "a direct message"


# --- money

_CENT = Decimal("0.01")
_ROUGH_FROM = 10 * MICROS_PER_DOLLAR


def dollars(amount: Micros) -> str:
    """Return a known amount to the cent: `$14.68`, `<$0.01`."""
    return entities(say_dollars(amount))


def percent(part: Micros, whole: Micros) -> str:
    """Return a share such as `87%`. Less than the whole is at most 99%."""
    share = round(Fraction(100 * part, whole))
    return f"{share if part >= whole else min(share, 99)}%"


def about_dollars(amount: Micros) -> str:
    """Return an amount that is not known exactly: in whole dollars from $10 on, else to the cent."""
    return dollars(amount) if amount < _ROUGH_FROM else f"${round(Fraction(amount, MICROS_PER_DOLLAR)):,}"


def price(rate: Decimal) -> str:
    """Return the price of an offer or a machine, without its unit: `$2.15`, or `about $2.16`."""
    return "&lt;$0.01" if 0 < rate < _CENT else say_price(rate)


def per_hour(rate: Decimal) -> str:
    """Return `$2.15/h`, or `about $2.16/h` if the price was rounded up."""
    return f"{price(rate)}/h"


def limit(rate: Decimal) -> str:
    """Return a highest price, without its unit, rounded down: `$2.47`."""
    return "&lt;$0.01" if 0 < rate < _CENT else say_limit(rate)


def limit_per_hour(rate: Decimal) -> str:
    """Return a highest price, rounded down: `$2.47/h`."""
    return f"{limit(rate)}/h"


def highest(terms: Terms) -> str:
    """Return the highest price that a click or an approval allows: `$2.47/h`.

    If nothing dearer than the clicked price is allowed, it is that price, also if it has more than two decimals.
    """
    rate = terms.max_rate
    return per_hour(rate) if rate == terms.price else limit_per_hour(rate)


def difference(before: Decimal, rate: Decimal, what: str) -> str:
    """Return how far `rate` is from `before`, which `what` names: `$0.27 more than the offer Ana clicked`."""
    if rate == before:
        return "the same price"
    return f"{price(abs(rate - before))} {'more' if rate > before else 'less'} than {what}"


# --- times


DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


def clock_text(minutes: int) -> str:
    return f"{minutes // 60:02}:{minutes % 60:02}"


def asking_hours(hours: Hours) -> str:
    """Return when people are asked: `Mon to Fri, 08:00 to 20:00`, or `Mon, Wed and Sat, 08:00 to 20:00`."""
    start, end = hours.time
    ordered = sorted(hours.days)
    days = listed([DAYS[day] for day in ordered])
    if len(ordered) > 2 and ordered == list(range(ordered[0], ordered[-1] + 1)):
        days = f"{DAYS[ordered[0]]} to {DAYS[ordered[-1]]}"
    return f"{days}, {clock_text(start)} to {clock_text(end)}"


def time_token(moment: datetime) -> str:
    """Return `18:40`, for a moment of which the reader knows the day."""
    return f"<!date^{int(moment.timestamp())}^{{time}}|{moment.astimezone(UTC):%H:%M} UTC>"


class Times(Frozen):
    """Writes moments as date tokens, which Slack shows in each reader's own zone.

    `zone` decides only whether the day is shown too. Clients that can't show a token show its fallback, in UTC.
    """

    now: datetime
    zone: str

    def _day(self, moment: datetime) -> tuple[int, int, int]:
        local = moment.astimezone(known_zone(self.zone))
        return local.year, local.month, local.day

    def time(self, moment: datetime, *also: datetime) -> str:
        """Return `18:40`. Add the day unless `moment` is on the day of now and of every moment in `also`."""
        if any(self._day(moment) != self._day(other) for other in (self.now, *also)):
            return self.date_and_time(moment)
        return time_token(moment)

    def at_time(self, moment: datetime, *also: datetime) -> str:
        """Return the time as `time` does, in words that follow a verb: `at 18:40`, or `tomorrow at 01:44`."""
        shown = self.time(moment, *also)
        return f"at {shown}" if shown == time_token(moment) else shown

    @staticmethod
    def date_and_time(moment: datetime) -> str:
        """Return the time with the day: `today at 22:05`."""
        stamp = f"{moment.astimezone(UTC):%a %d %b %H:%M} UTC"
        return f"<!date^{int(moment.timestamp())}^{{date_short_pretty}} at {{time}}|{stamp}>"


# --- sentences


def join(*parts: str | None, by: str = " ") -> str:
    """Return the parts that aren't empty, with `by` between them."""
    return by.join(part for part in parts if part)


def join_lines(*parts: str | None) -> str:
    return join(*parts, by="\n")


def first_few(parts: Sequence[str], most: int, more: str = "{} more") -> list[str]:
    """Return at most `most` parts, then how many `more` there are."""
    left = len(parts) - most
    return [*parts[:most], *([more.format(left)] if left > 0 else [])]


def sentence(clause: str) -> str:
    """Return a clause with a capital first letter and a full stop."""
    return with_full_stop(clause[:1].upper() + clause[1:])


def with_full_stop(clause: str) -> str:
    """Return a clause with a full stop, unless it ends with one or with a question mark."""
    return clause if clause.endswith((".", "?")) else clause + "."


# --- who reads a message or an answer, and when


class Reader(Frozen):
    """Who reads a message, and everything else that its text depends on besides its subject."""

    id: str = ""
    """Slack id. Empty if many people read the message."""
    rules: Rules
    """The rules as they hold now."""
    now: Instant
    zone: str = ""
    """The name of the reader's time zone. Empty if it is unknown, or if many people read the message."""

    @property
    def times(self) -> Times:
        """Return the times for the reader's zone, or for the team's zone if the reader's is unknown."""
        return Times(now=self.now, zone=self.zone or self.rules.timezone)
