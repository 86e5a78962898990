"""Parses the text of a request, and writes a request as a person would type it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from itertools import zip_longest

from bot.errors import Line, RequestMistake
from bot.model.base import changed
from bot.model.gpu import typed_name
from bot.model.offer import Catalog
from bot.model.request import Contract, Request
from bot.model.text import one_line, say_at_most, say_rate, say_span
from bot.policy.use.flexible_end import WHILE_BUSY
from handlers.phrases.ends import end_text
from handlers.typed.amounts import Money
from handlers.typed.draft import Built, Get, ParseContext, Part, Problem, RequestDraft, Wait
from handlers.typed.mentions import NOBODY, take_teammates
from handlers.typed.token_reader import TokenReader
from handlers.typed.tokens import MAX_TOKENS, Token, TokenKind, tokenize
from handlers.typed.typed_text import (
    AM_PM,
    MAX_NOTE_LENGTH,
    as_slack_sends_it,
    in_plain_words,
    name_mentions,
    normalize,
    normalize_within,
    split_note,
)
from handlers.typed.vocabulary import Vocabulary, vocabulary_of

MAX_LENGTH = 1000
"""The maximum length of a normalized request without its note, in characters."""
_ASIDE = re.compile(
    r"(?<!setup )(?<!project )(?<!with )(?:\"[^\"]*\"|[“„][^“”„]*[“”]|«[^«»]*»|\([^()]*\)|\[[^][]*\])",
    re.IGNORECASE,
)
_CONDITIONAL = frozenset({"if", "only", "under", "max", "unless"})
"""Words which show that a note contains a condition."""


def parse_request(
    text: str, catalog: Catalog, context: ParseContext, *, after_verb: bool = True, waiting: bool = False
) -> Get | Wait:
    """Parse a request from a text that still contains mentions, as returned by `text_with_mentions`.

    Args:
        after_verb: Whether the text follows `get` or another verb.
        waiting: Whether that verb is `wait`.

    Raises:
        RequestMistake: A part of the text can't be read, or has two possible meanings.
        Mistake: The text mentions too many people.
    """
    vocabulary = vocabulary_of(catalog)
    asked, note = _split_note(text, vocabulary)
    mentioned = take_teammates(asked)
    setups = "|".join(re.escape(name) for name in context.rules.setup)
    asked = re.sub(rf"\bwith (?=(?:{setups})(?!\S))", "setup ", mentioned.text) if setups else mentioned.text
    tokens = _tokens(asked, vocabulary)
    draft = TokenReader(tokens, vocabulary, context, after_verb=after_verb, waiting=waiting).read()
    draft.people, draft.note = mentioned, one_line(name_mentions(note), MAX_NOTE_LENGTH)
    built = draft.build(vocabulary, context)
    if not isinstance(built, Built):
        raise _mistake(built[0], vocabulary, context)
    any_time = bool(draft[Part.ANY_TIME])
    if waiting:
        return Wait(request=built.request, until=built.waits_until, any_time=any_time)
    now = not built.doubtful and _says_now(mentioned.text, tokens, draft, built.request)
    now = now and not _may_be_condition(note, vocabulary)
    return Get(request=built.request, now=now, any_time=any_time)


def _mistake(problem: Problem, vocabulary: Vocabulary, context: ParseContext) -> RequestMistake:
    """Return the error for a problem, with a suggested command for each possible correction.

    A suggestion keeps everything that was understood, such as each number with its unit. Unreadable text is
    replaced or left out, and the error message quotes it. If two values contradict each other, there is one
    suggestion for each value.
    """
    lines = dict.fromkeys(line_of(draft, vocabulary, context) for draft in problem.corrections)
    return RequestMistake(problem.words, *filter(None, lines), without=problem.without)


def looks_like_request(text: str, catalog: Catalog) -> bool:
    """Return whether a text without `get` is a request: it mentions a GPU, or its first word contains a digit.

    Raises RequestMistake if the text is too long for a request.
    """
    vocabulary = vocabulary_of(catalog)
    asked, _ = _split_note(name_mentions(text), vocabulary)
    tokens = _tokens(asked, vocabulary)
    return any(map(str.isdigit, "".join(asked.split()[:1]))) or any(token.kind is Part.GPU for token in tokens)


def _split_note(text: str, vocabulary: Vocabulary) -> tuple[str, str]:
    """Split a text into the request and its note.

    Usually, the note follows a dash. A text in quotation marks or brackets, such as `(run 7)`, is added to the
    note too, if it contains a number and can't be read as part of the request.
    """
    asked, note = split_note(text)
    for aside in _ASIDE.findall(asked) if len(asked) <= 2 * MAX_LENGTH else []:
        inner = normalize_within(aside[1:-1], MAX_LENGTH) or ""
        unread = {token.kind for token in tokenize(inner, vocabulary)} & {TokenKind.WORD, TokenKind.NUMBER}
        if unread and any(map(str.isdigit, inner)):
            asked, note = asked.replace(aside, " ", 1), f"{aside[1:-1]} {note}".strip()
    return asked, note


def _tokens(asked: str, vocabulary: Vocabulary) -> list[Token]:
    normalized = normalize_within(asked, MAX_LENGTH)
    tokens = tokenize(in_plain_words(normalized), vocabulary) if normalized is not None else []
    if normalized is None or len(tokens) > MAX_TOKENS:
        raise RequestMistake("That's too long for a request. Put a note after --.")
    return tokens


def _says_now(asked: str, tokens: list[Token], draft: RequestDraft, request: Request) -> bool:
    """Return whether a request asks to rent immediately, and is precise enough to do so.

    The request must contain the word `now` exactly once, must be unambiguous, and must have no start time. If it
    names GPU features such as `80gb`, they must not match several models.
    """
    exact = sum(word.lower() == "now" for word in asked.split())
    doubtful = (
        in_plain_words(normalize(asked)) != normalize(asked)
        or any(sign in asked for sign in "?~")
        or AM_PM.search(asked)
        or any(_is_doubtful(price, draft) for price in draft.values.get(Part.PRICE, []))
    )
    clear = request.cap_said_per_gpu and not request.features and request.starts_at is None
    says = sum(token.kind is TokenKind.NOW for token in tokens)
    return exact == says == 1 and not doubtful and clear


def _may_be_condition(note: str, vocabulary: Vocabulary) -> bool:
    """Return whether a note could be meant as part of the request, as in `get h100 now — under $2/h`.

    Phones turn two hyphens into one long dash, so an option such as `--under` can look like the beginning of a
    note. A note that is too long to be checked is treated as part of the request.
    """
    normalized = normalize_within(note, MAX_LENGTH)
    if normalized is None or _CONDITIONAL & set(normalized.lower().split()):
        return True
    tokens = tokenize(normalized, vocabulary)
    name_before = ""
    for token, after in zip_longest(tokens, tokens[1:]):
        counted = token.kind in {Part.COUNT, TokenKind.NUMBER} and after and after.kind is Part.GPU
        placed = token.kind is Part.REGION and (token.text.isupper() or name_before == "in")
        lasts = token.kind is TokenKind.DURATION and name_before in {"for", "at", "within"}
        timed = token.kind is TokenKind.TIME and token.text[0].isalpha()
        ends = token.kind is Part.END and token.name
        if counted or placed or lasts or timed or ends or token.kind in {TokenKind.MONEY, Part.START, Part.DONE}:
            return True
        name_before = token.name
    return len(tokens) > MAX_TOKENS


def _is_doubtful(price: Money, draft: RequestDraft) -> bool:
    """Return whether the meaning of a price is in doubt.

    For example, the price in `under $20 for 10h` can be per hour or for the whole time.
    """
    return not price.per_hour and (draft.timed or price.after_for or not price.limit)


# --- requests and drafts as text


def request_text(
    request: Request, *, default_lease: timedelta | None = None, zone: str = "UTC", more: Sequence[str] = ()
) -> str:
    """Return the text that a person in `zone` would type after `/gpu get` for a request.

    If the person types this text, parsing it results in the same request. The lease is left out if it equals
    `default_lease`. The words in `more` are inserted between the request and its note.
    """
    gpu = typed_name(request.gpu, request.features)
    length = "" if request.lease == default_lease else f"for {say_span(request.lease)}"
    if request.until_done:
        fixed = request.until is not None and request.starts_at is None
        longest = end_text(request.until, zone) if fixed and request.until else say_span(request.lease)
        length = f"until done up to {longest}"
    elif request.until is not None and request.starts_at is None:
        length = f"until {end_text(request.until, zone)}{_later_end(request, zone)}"
    elif request.up_to is not None:
        length = f"for {say_span(request.lease)} up to {say_span(request.up_to)}"
    parts = (
        gpu if request.count == 1 else f"{request.count}x {gpu}",
        request.region,
        "spot" if request.contract is Contract.SPOT else None,
        _highest_price(request),
        request.vendor and f"vendor {request.vendor}",
        request.setup and f"setup {request.setup}",
        request.project and f"for project {request.project}",
        None if request.probe else "no-probe",
        "keep-if-failed" if request.keep_if_failed else None,
        None if request.starts_at is None else f"at {end_text(request.starts_at, zone)}",
        length,
        *more,
        request.note and f"-- {request.note}",
    )
    return " ".join(filter(None, parts))


def _highest_price(request: Request) -> str:
    if request.max_total is not None:
        return f"{say_at_most(request.max_total).replace(',', '')} in all"
    if request.max_gpu_rate is None:
        return ""
    return f"under {say_rate(request.max_gpu_rate)}{'/GPU/h' if request.cap_said_per_gpu else '/h'}"


def _later_end(request: Request, zone: str) -> str:
    """Return the words for the latest possible end of a flexible lease: ` up to 14h`.

    These words normally contain the maximum length of the lease. If this length isn't a whole number of minutes,
    they contain a time instead, as in ` up to 22:00`. Empty if the lease isn't flexible.
    """
    if request.up_to is None or request.last_end is None:
        return ""
    typed = request.up_to % timedelta(minutes=1) == timedelta(0)
    return f" up to {say_span(request.up_to) if typed else end_text(request.last_end, zone)}"


def line_of(draft: RequestDraft, vocabulary: Vocabulary, context: ParseContext) -> Line | None:
    """Return the parts of a request as a text that people can type.

    Unreadable texts and unclear names of people are left out. None if the rest isn't a valid request. The text
    contains every value as it was typed, such as `until fri 18:00`.

    If the request has a start time, the verb is `get`, even if `wait` was typed. A request with a start time waits
    for its start anyway.
    """
    start = draft.first(Part.START)
    waits = draft.waiting and not start
    built = replace(draft, unread=[], people=NOBODY, waiting=waits).build(vocabulary, context)
    if not isinstance(built, Built):
        return None
    price, latest = draft.first(Part.PRICE), draft.first(Part.LATEST)
    end = draft.first(Part.WAITS) or draft.first(Part.END)
    lease = draft.first(Part.LEASE) or (WHILE_BUSY if draft[Part.BUSY] else latest)
    done = bool(draft[Part.DONE])
    lease = None if done or (end and not waits) else lease
    total = price is not None and draft.is_total(price)
    request = changed(
        built.request,
        max_gpu_rate=None if total else built.request.max_gpu_rate,
        max_total=None,
        lease=lease or context.rules.lease.default,
        up_to=latest if lease not in {None, latest} else None,
        until=None,
        until_done=False,
        starts_at=None,
        note="",
    )
    text = request_text(request, default_lease=None if lease else context.rules.lease.default)
    if total:
        unit = ("/GPU" if price.per_gpu else "") + ("/h" if price.per_hour else "")
        text += f" {say_rate(price.amount)}{unit} in all"
    text += " from any vendor" if draft.values.get(Part.VENDOR) == [""] else ""
    text += f" at {start}" if start else ""
    text += " any time" if draft[Part.ANY_TIME] else ""
    later = draft.first(Part.LATEST_END) or (say_span(latest) if latest and not lease else "")
    text += f" until {end}" if end else ""
    text += " until done" if done else ""
    text += f" up to {later}" if (end or done) and later else ""
    people, note = draft.people, f" -- {draft.note}" if draft.note else ""
    return Line(
        shown=text + _with(people.names) + note,
        text=as_slack_sends_it(text) + _with(people.mentions) + as_slack_sends_it(note),
        verb="wait" if waits else "get",
    )


def _with(people: Sequence[str]) -> str:
    return f" with {' '.join(people)}" if people else ""
