"""Formats values for Slack: text from people and vendors, names, channels, money and times.

Text from people and vendors can contain markup, so `escape` makes it harmless. The rules are those of
docs.slack.dev/messaging/formatting-message-text. Every function except `clean` returns mrkdwn. `blocks.plain`
converts mrkdwn to plain text where Slack requires plain text.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
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
"""The invisible characters that `clean` keeps, because some writing systems and some emoji need them."""
JOINER = "\u2060"
"""The Unicode character WORD JOINER. It is invisible, and keeps Slack from formatting text.

Slack formats text only between signs such as `*` at the edges of a word. A sign next to a joiner isn't at the edge
of a word. `clean` removes joiners from the texts of people and vendors. The bot ignores joiners when it parses
commands.
"""
_SIGN = re.compile(r"(?<![^\W_])[*_~]|[*_~](?![^\W_])")
"""Matches a formatting sign, such as `*`, at the edge of a word. Inside a word, Slack shows the sign itself."""
_COLON_OR_QUOTE = re.compile(r":(?=[\w+'-]+:)|(?<!\w):(?=[\w+'-]+$)|^(?=>)")
"""Matches the places at which Slack would begin an emoji or a quote.

An emoji begins at a colon before a name. The name may be at the end of the text, because the next text may begin
with the second colon. A quote begins at `>` at the start of the text.
"""
_IDENTIFIER = re.compile(r"(?:SHA256:)?[A-Za-z0-9](?:[A-Za-z0-9+/=.-]*[A-Za-z0-9+/=])?")


def clean(text: str, limit: int) -> str:
    """Return text as one line without invisible characters. The result isn't escaped.

    If the line is longer than `limit` characters, it is cut. Its last character is then `…`.
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
    """Make a text from a person or vendor harmless: one line of at most `limit` visible characters.

    The result can't mention anyone, make a link, format anything or end a code span. Backticks become apostrophes.
    Word joiners, which are invisible, are added next to formatting signs and colons, so that Slack shows these
    signs as typed.
    """
    line = clean(text, limit).replace("`", "'")
    line = _SIGN.sub(f"{JOINER}\\g<0>{JOINER}", line)
    return entities(_COLON_OR_QUOTE.sub(f"\\g<0>{JOINER}", line))


def literal(text: str) -> str:
    """Return text for a code span or a code block, in which Slack formats nothing.

    Backticks become apostrophes. No word joiners are added, because people copy this text.
    """
    return entities(text.replace("`", "'"))


def identifier(text: str, limit: int = 80) -> str:
    """Return an ID or a fingerprint without word joiners, because people copy it.

    If the text is neither an ID nor a fingerprint, it is escaped.
    """
    return text if len(text) <= limit and _IDENTIFIER.fullmatch(text) else escape(text, limit)


def entities(text: str) -> str:
    """Replace `&`, `<` and `>`, which Slack treats as control characters, with entities."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def note(text: str) -> str:
    """Return the note of a request, escaped. Everyone can read notes."""
    return escape(text, 200)


# --- people and channels


def person(names: Mapping[str, str], user_id: str | None) -> str:
    """Return a person's display name. Unlike a mention, the name doesn't notify them.

    If the ID is None, the name is `gpubot`. For the operator, it is `the operator`.
    """
    if user_id is None:
        return "gpubot"
    if user_id == OPERATOR.id:
        return OPERATOR.name
    return as_written(escape(names.get(user_id) or "", 40) or escape(user_id, 40))


def actor(names: Mapping[str, str], event: Event) -> str:
    """Return the name of the person who caused an event.

    For the operator, the reason is included: `the operator (reason: "..")`.
    """
    if event.actor != OPERATOR.id or not isinstance(event.facts, SaidFacts) or not event.facts.detail:
        return person(names, event.actor)
    return f'{OPERATOR.name} (reason: "{escape(event.facts.detail, 200)}")'


def as_written(name: str) -> str:
    """Keep the lowercase first letter of a name, even at the start of a sentence."""
    return JOINER + name if name[:1].islower() else name


def mention(user_id: str) -> str:
    """Return a mention, which notifies the person. Use it only for approvers, once per request."""
    return f"<@{user_id}>" if re.fullmatch(r"[UW][A-Z0-9]+", user_id) else escape(user_id)


def mention_group(group_id: str) -> str:
    """Return a mention of a user group, which notifies its members. Use it as rarely as `mention`."""
    return f"<!subteam^{group_id}>" if re.fullmatch(r"S[A-Z0-9]+", group_id) else escape(group_id)


def channel(channel_id: str) -> str:
    """Return a channel's name as a link."""
    return f"<#{channel_id}>" if re.fullmatch(r"[CG][A-Z0-9]+", channel_id) else "a direct message"


# --- money

_CENT = Decimal("0.01")
_ROUGH_FROM = 10 * MICROS_PER_DOLLAR


def dollars(amount: Micros) -> str:
    """Return an exact amount, rounded to the cent: `$14.68`, or `<$0.01` for less than a cent."""
    return entities(say_dollars(amount))


def percent(part: Micros, whole: Micros) -> str:
    """Return a share such as `87%`. A share below 100% is never rounded to `100%`."""
    share = round(Fraction(100 * part, whole))
    return f"{share if part >= whole else min(share, 99)}%"


def about_dollars(amount: Micros) -> str:
    """Return an estimated amount. Amounts from $10 are in whole dollars, and smaller ones to the cent."""
    return dollars(amount) if amount < _ROUGH_FROM else f"${round(Fraction(amount, MICROS_PER_DOLLAR)):,}"


def price(rate: Decimal) -> str:
    """Return the price of an offer or machine without `/h`, such as `$2.15` or `about $2.16`."""
    return "&lt;$0.01" if 0 < rate < _CENT else say_price(rate)


def per_hour(rate: Decimal) -> str:
    """Return `$2.15/h`, or `about $2.16/h` if the price was rounded up."""
    return f"{price(rate)}/h"


def limit(rate: Decimal) -> str:
    """Return a price limit without `/h`, such as `$2.47`. It is rounded down."""
    return "&lt;$0.01" if 0 < rate < _CENT else say_limit(rate)


def limit_per_hour(rate: Decimal) -> str:
    """Return a price limit per hour, such as `$2.47/h`. It is rounded down."""
    return f"{limit(rate)}/h"


def highest(terms: Terms) -> str:
    """Return the highest price that a click or an approval permits, such as `$2.47/h`.

    The price is rounded down, unless it equals the price of the clicked offer.
    """
    rate = terms.max_rate
    return per_hour(rate) if rate == terms.price else limit_per_hour(rate)


def difference(before: Decimal, rate: Decimal, what: str) -> str:
    """Return the difference between two prices: `$0.27 more than the offer Ana clicked`.

    `what` describes the first price, here `the offer Ana clicked`.
    """
    if rate == before:
        return "the same price"
    return f"{price(abs(rate - before))} {'more' if rate > before else 'less'} than {what}"


# --- times


DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


def clock_text(minutes: int) -> str:
    return f"{minutes // 60:02}:{minutes % 60:02}"


def asking_hours(hours: Hours) -> str:
    """Return working hours such as `Mon to Fri, 08:00 to 20:00` or `Mon, Wed and Sat, 08:00 to 20:00`."""
    start, end = hours.time
    ordered = sorted(hours.days)
    days = listed([DAYS[day] for day in ordered])
    if len(ordered) > 2 and ordered == list(range(ordered[0], ordered[-1] + 1)):
        days = f"{DAYS[ordered[0]]} to {DAYS[ordered[-1]]}"
    return f"{days}, {clock_text(start)} to {clock_text(end)}"


def time_token(moment: datetime) -> str:
    """Return a time without its day, such as `18:40`. Use it only where the day is obvious."""
    return f"<!date^{int(moment.timestamp())}^{{time}}|{moment.astimezone(UTC):%H:%M} UTC>"


def ago(moment: datetime) -> str:
    """Return the time since a moment, such as `1 minute ago`.

    The text is a date token, in which Slack itself shows the current age. A client that doesn't support date
    tokens shows the moment instead.
    """
    return f"<!date^{int(moment.timestamp())}^{{ago}}|{moment.astimezone(UTC):%a %d %b %H:%M} UTC>"


class Times(Frozen):
    """Formats times as date tokens, which Slack shows to each reader in the reader's own time zone.

    `zone` only decides whether the text includes the day. A client that doesn't support date tokens shows the time
    in UTC instead.
    """

    now: datetime
    zone: str

    def _day(self, moment: datetime) -> tuple[int, int, int]:
        local = moment.astimezone(known_zone(self.zone))
        return local.year, local.month, local.day

    def time(self, moment: datetime, *also: datetime) -> str:
        """Return a time such as `18:40`. The text includes the day unless it is today.

        The text also includes the day if any of the times in `also` is on a different day than `moment`.
        """
        if any(self._day(moment) != self._day(other) for other in (self.now, *also)):
            return self.date_and_time(moment)
        return time_token(moment)

    def at_time(self, moment: datetime, *also: datetime) -> str:
        """Return a time with a preposition, to append to a verb: `at 18:40` or `tomorrow at 01:44`."""
        shown = self.time(moment, *also)
        return f"at {shown}" if shown == time_token(moment) else shown

    def about_when(self, moment: datetime) -> str:
        """Return an estimated time in the future, to follow a verb.

        The text is `within an hour`, or a full hour such as `at about 14:00` or `tomorrow at about 14:00`. If the
        time is two or more days away, the text is only the day, such as `on Nov 24`. Times are rounded down.
        """
        if moment - self.now < timedelta(hours=1):
            return "within an hour"
        local = moment.astimezone(known_zone(self.zone)).replace(minute=0, second=0, microsecond=0)
        stamp = int(local.timestamp())
        if moment - self.now >= timedelta(days=2):
            return f"on <!date^{stamp}^{{date_short_pretty}}|{local:%a %d %b}>"
        if self._day(local) == self._day(self.now):
            return f"at about {time_token(local)}"
        plain = f"on {local.astimezone(UTC):%a %d %b at about %H:%M} UTC"
        return f"<!date^{stamp}^{{date_short_pretty}} at about {{time}}|{plain}>"

    @staticmethod
    def day(moment: datetime) -> str:
        """Return the day of a moment, such as `today` or `Dec 14`."""
        return f"<!date^{int(moment.timestamp())}^{{date_short_pretty}}|{moment.astimezone(UTC):%a %d %b}>"

    @staticmethod
    def date_and_time(moment: datetime) -> str:
        """Return the time with its day, such as `today at 22:05`."""
        stamp = f"{moment.astimezone(UTC):%a %d %b %H:%M} UTC"
        return f"<!date^{int(moment.timestamp())}^{{date_short_pretty}} at {{time}}|{stamp}>"


# --- sentences


def join(*parts: str | None, by: str = " ") -> str:
    """Join the parts that aren't empty, with `by` between them."""
    return by.join(part for part in parts if part)


def join_lines(*parts: str | None) -> str:
    return join(*parts, by="\n")


def first_few(parts: Sequence[str], most: int, more: str = "{} more") -> list[str]:
    """Return the first parts. If there are more than `most`, a text such as `3 more` replaces the rest."""
    left = len(parts) - most
    return [*parts[:most], *([more.format(left)] if left > 0 else [])]


def sentence(clause: str) -> str:
    """Turn a clause into a sentence with a capital letter and a full stop."""
    return with_full_stop(clause[:1].upper() + clause[1:])


def with_full_stop(clause: str) -> str:
    """Add a full stop, unless the clause already ends with a full stop or a question mark."""
    return clause if clause.endswith((".", "?")) else clause + "."


# --- the reader of a message or an answer


class Reader(Frozen):
    """The reader of a message, with the current rules and the current time."""

    id: str = ""
    """The reader's Slack ID. Empty if the message has several readers."""
    rules: Rules
    """The current rules."""
    now: Instant
    zone: str = ""
    """The name of the reader's time zone. Empty if it is unknown, or if the message has several readers."""

    @property
    def times(self) -> Times:
        """Formats times for the reader's time zone, or for the team's time zone if the reader's is unknown."""
        return Times(now=self.now, zone=self.zone or self.rules.timezone)
