"""Converts the text that Slack sends into what a person typed, and normalizes it for the parser."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable

from handlers.typed.amounts import NUMBER_WORDS
from handlers.typed.until import CLEAR_TIME, DAY

MAX_NOTE_LENGTH = 200
"""The maximum length of a note, in characters. A longer note is truncated."""

MENTION = re.compile(r"<@([UW][A-Z0-9]{1,20})(?:\|[^<>]{0,100})?>", re.IGNORECASE)
"""A pattern for the mention of a person: `<@U123|ben>` in a command, `<@U123>` elsewhere."""
_MARKUP = re.compile(r"<([^<>\s][^<>]*)>")
# A dash can begin a note, which the bot ignores. A dash directly before a word doesn't begin a note but an option,
# as in `--eu`. The same applies to `—eu`, because phones turn two hyphens into one long dash. If the option were
# taken for a note, the bot would ignore it and rent something else.
_NOTE_DASH = re.compile(r"(?:(?:^|(?<=\s))(?:-{2,}|\u2013+)|(?<![\u2014\u2015])[\u2014\u2015]+)(?=\s|$)")
# A dash can begin a note, which the bot ignores. A dash between two numbers doesn't, because it makes a range, as
# in `2 – 4 hours`.
_NUMBER_BEFORE = re.compile(r"(?:^|(?<=\s))\$?\d{1,2}(?:[.,]\d+)?\s+$")
_NUMBER_AFTER = re.compile(r"\s+\$?\d")


def plain_text(text: str) -> str:
    """Return a command's text without Slack's markup and escapes.

    The format is described under "Formatting message text" in Slack's docs. A mention becomes `@name` or `#name`,
    and a link becomes its label. Line breaks are kept. Invisible characters are removed, such as the
    text-direction marks that phones insert around a pasted word.
    """
    return name_mentions(text_with_mentions(text))


def text_with_mentions(text: str) -> str:
    """Convert a text in the same way as `plain_text`, but keep the mentions of people."""
    text = "".join(letter for letter in text if letter.isprintable() or letter.isspace())
    text = _MARKUP.sub(
        lambda markup: markup.group() if MENTION.fullmatch(markup.group()) else _label(markup), text
    )
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def as_slack_sends_it(text: str) -> str:
    """Escape a text without mentions, as Slack does when somebody types it."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def name_mentions(text: str) -> str:
    """Replace each mention of a person with `@name`, or with `@U123` if Slack sent no name."""
    return MENTION.sub(_label, text)


def _label(markup: re.Match[str]) -> str:
    target, _, label = markup.group()[1:-1].partition("|")
    if not target:
        return label
    if target[0] in "@#":
        sign = target[0]
        return sign + (label or target[1:]).removeprefix(sign)
    if target.startswith("!"):
        return "@" + (label or target[1:].split("^")[0]).removeprefix("@")
    return label or target.removeprefix("mailto:")


def split_note(text: str) -> tuple[str, str]:
    """Split a text into the request and its note. The note follows `--`, or a long dash and a space."""
    for dash in _NOTE_DASH.finditer(text):
        may_be_range = dash.group()[0] != "-" and _NUMBER_AFTER.match(text, dash.end())
        if not (may_be_range and _NUMBER_BEFORE.search(text[max(dash.start() - 20, 0) : dash.start()])):
            return text[: dash.start()], text[dash.end() :].strip()
    return text, ""


# --- normalization


_SIGNS = str.maketrans(
    dict.fromkeys("×✕✖*", "x")
    | dict.fromkeys("\"'`´“”„‘’‚«»()[]{}|;!?=_•", " ")
    | {"≤": "<", "‐": "-", "‑": "-", "−": "-"}
)
_STRUCK = re.compile(r"(?<![\w~])~(?=[^\s~])[^~\n]*(?<=\S)~(?![\w~])")
_FLAG = re.compile(r":(?:flag-)?([a-z]{2}):|([\U0001f1e6-\U0001f1ff]{2})")
_FLAGS = {
    "eu": "EU", "us": "US", "de": "Germany", "fr": "France", "gb": "UK", "nl": "Netherlands", "fi": "Finland",
    "se": "Sweden", "no": "Norway", "is": "Iceland", "es": "Spain", "it": "Italy", "pl": "Poland", "ie": "Ireland",
    "ca": "Canada", "jp": "Japan", "in": "India", "sg": "Singapore", "kr": "Korea", "au": "Australia",
}  # fmt: skip
"""The places that flag emoji stand for. Slack sends a flag emoji as `:flag-de:`."""
_LETTERS = {0x1F1E6 + n: chr(ord("a") + n) for n in range(26)}
_BOLD = re.compile(r"(?<![\w*])\*(?=\S)([^*]*\S)\*(?![\w*])")
_ODD_NUMERAL = re.compile("([\u00b2\u00b3\u00b9\u00bc-\u00be\u2070-\u2089\u2150-\u215f\u2189\u2460-\u249b])")
_POSSESSIVE = re.compile(r"(?<=\w)['’]s\b", re.IGNORECASE)
_LEADING_DIGITS = r"(?<![\w.,])(\$?\d{1,3})"
_DOTS_AND_COMMA = re.compile(rf"{_LEADING_DIGITS}((?:\.\d{{3}})+),(\d{{1,2}})(?!\d)")
_COMMAS_AND_DOT = re.compile(rf"{_LEADING_DIGITS}((?:,\d{{3}})+)(?=\.\d{{1,2}}(?!\d))")
_DECIMAL_COMMA = re.compile(rf"{_LEADING_DIGITS},(\d{{1,2}})(?!\d)")
_SEPARATING_COMMA = re.compile(r"(?<!\d),|,(?!\d)")
AM_PM = re.compile(r"(?<=[\d ])([ap])\. ?m\b\.?", re.IGNORECASE)
"""A pattern for spellings such as `p.m.`, which `normalize` changes to `pm`."""
_TIME_OR_COLON = re.compile(r"(?<![A-Za-z0-9:])\d{1,2}:\d\d(?!\d)|:")


def normalize(text: str) -> str:
    """Return the text in the form that the tokenizer expects.

    The result is a single line with single spaces, without quotation marks, brackets, question marks and
    struck-through text. A flag emoji is replaced by the name of its country or region.

    `2,50` becomes `2.50`. Both `1.000,50` and `1,000.50` become `1000.50`. A number with two possible meanings,
    such as `2,500`, is left unchanged. Times of day, such as `18:00`, are left unchanged too.
    """
    text = _composed(text)
    text = "".join(c if c.isprintable() else " " if c.isspace() else "" for c in text)
    text = _FLAG.sub(lambda m: f" {_FLAGS.get(c := m[1] or m[2].translate(_LETTERS), c)} ", _STRUCK.sub(" ", text))
    text = _POSSESSIVE.sub("s", text)
    text = _BOLD.sub(r"\1", text).translate(_SIGNS)
    text = _DOTS_AND_COMMA.sub(lambda m: f"{m[1]}{m[2].replace('.', '')}.{m[3]}", text)
    text = _COMMAS_AND_DOT.sub(lambda m: m[1] + m[2].replace(",", ""), text)
    text = _DECIMAL_COMMA.sub(r"\1.\2", text)
    text = AM_PM.sub(r"\1m", text)
    text = _SEPARATING_COMMA.sub(" ", text)
    text = _TIME_OR_COLON.sub(lambda m: m.group().removeprefix(":") or " ", text)
    return " ".join(word.rstrip(".") for word in text.split() if word.strip("."))


def _composed(text: str) -> str:
    """Return the text in Unicode form NFKC, except for numerals such as `²` and `½`.

    NFKC would turn `2²` into 22 GPUs.
    """
    return "".join(
        part if part.isnumeric() and not part.isdecimal() else unicodedata.normalize("NFKC", part)
        for part in _ODD_NUMERAL.split(text)
    )


def normalize_within(text: str, limit: int) -> str | None:
    """Return the normalized text, or None if it is longer than `limit`.

    The length is checked before each expensive step, because NFKC can turn one character into eighteen. Without
    these checks, a text that seems short could become very long, and normalizing it would block everybody's
    commands.
    """
    spaced = " ".join(text.split())
    if len(spaced) > 2 * limit:
        return None
    composed = _composed(spaced)
    if len(composed) > 2 * limit:
        return None
    normalized = normalize(composed)
    return normalized if len(normalized) <= limit else None


# --- words of other languages and other styles: `bis 18.30` means `until 18:30`


_MEANINGS = """hours = stunde stunden std heure heures; minutes = minuten; days = tag tage jour jours
today = heute aujourd eod cob; tomorrow = morgen demain; noon = mittag midi; midnight = mitternacht minuit
until = bis jusqu jusque; from = von ab; for = für fuer pour pendant; please = bitte danke merci svp
two = zwei deux dual; three = drei trois; four = vier quatre; eight = acht huit; 16 = sixteen; a = ein eine une"""
_WORDS = {
    word: meant
    for meant, words in (line.split(" = ") for line in re.split("; |\n", _MEANINGS))
    for word in words.split()
}
"""Foreign and informal words whose meaning never depends on the context, with the words that the parser knows."""
_CLOCK = r"\d{1,2}(?::\d\d)?"
_PART = r"(?:tomorrow|this|in the) (?:morning|afternoon|evening)|tomorrow night|tonight"


def _half_of_day(found: re.Match[str]) -> str:
    """Change `until 6 tonight` to `until 6pm today`, and `at 6 tomorrow morning` to `at 6am tomorrow`."""
    before, clock, half, part = found.groups()
    hour = int(clock.split(":")[0])
    if hour == 12:
        return found.group()
    half = "" if hour > 12 else half or ("am" if part.lower().endswith("morning") else "pm")
    day = {"tom": " tomorrow", "in ": ""}.get(part[:3].lower(), " today")
    return f"{before} {clock}{half}{day}"


def _from_to(found: re.Match[str]) -> str:
    """Change `9 to 6 tomorrow` to `at 9:00 tomorrow until 18:00`.

    A text with two possible meanings is left unchanged. In `3 to 5 tomorrow`, for example, it is unclear whether
    am or pm is meant.
    """
    first, half, last, last_half = (found[name] or "" for name in ("first", "half", "last", "last_half"))
    begins, ends = (int(clock.split(":")[0]) for clock in (first, last))
    named, day = bool(half or ":" in first), found["day"] or found["day_last"] or ""
    said = (named or day) and (found["from"] or found["to"] in {"to", "-", "–"})
    if found["at"] or max(begins, ends) > 24 or (begins < 7 and not named) or not said:
        return found.group()
    if not (half or last_half) and ends <= begins and ends <= 12:
        last_half = "pm"
    first, last = (
        f"{clock}{unit or ':00' * (':' not in clock)}" for clock, unit in ((first, half), (last, last_half))
    )
    return f"at {first} {day} until {last}"


UNTIL_DONE = r"(?:until|till?) (?:(?:it ?s|it is|(?:the|my|your|our|all) (?:jobs?|work) (?:is|are)) )?done"
"""A pattern for wordings of `until done`. Other wordings, such as `until training finishes`, mean `while busy`."""
_REWRITES: tuple[tuple[str, str | Callable[[re.Match[str]], str]], ...] = (
    (r"(jusqu|aujourd) (?:à|a|au|hui)", r"\1"),
    ("|".join(_WORDS), lambda found: _WORDS[found.group().lower()]),
    (r"(?:a )?(?:pair|couple)(?: of)?", "2"),
    (rf"(\d|an|{'|'.join(NUMBER_WORDS)}) (?:hours? and a half|and a half hours?)",
     lambda found: f"{NUMBER_WORDS.get(found[1].lower(), found[1].replace('an', '1'))}.5 hours"),
    (r"(?<!\d )h ([123]00)", r"h\1"),
    (r"a (100)(?! ?(?:h|hours?|min|minutes?|dollars?|usd)\b)", r"a\1"),
    (r"(?:1|one) (node|machine|instance|server|box|vm)", r"a \1"),
    (r"(?:starting|beginning)(?: from)? (at|on|tomorrow)", r"\1"),
    (r"(until|till?|to|from|at) (\d\d?)h(\d\d)|(until|till?) (\d\d?)\.(\d\d)"
     r"|(until|till?) ([01]\d|2[0-3])([0-5]\d)(?!-)",
     lambda found: "{} {}:{}".format(*filter(None, found.groups()))),
    (r"(\d{1,2})[.h](\d\d)(?= ?uhr\b)", r"\1:\2"),
    (rf"(until|till?|by|at|to|from) ({_CLOCK}) ?(am|pm)? ({_PART})", _half_of_day),
    (rf"(?P<at>(?:at|@) ?)?(?:(?P<day>{DAY}) )?(?P<from>from )?(?P<first>{_CLOCK}) ?(?P<half>am|pm|uhr)? ?"
     rf"(?P<to>to|until|till?|-|–) ?(?P<last>{_CLOCK})(?: ?(?P<last_half>am|pm|uhr))?(?![\w.:-])"
     rf"(?: (?P<day_last>{DAY}))?", _from_to),
    (r"(?:(until|till?|by|before|at|@|on|to|max|most|maximum|from) (?:at |on )?)?"
     rf"({DAY} {CLEAR_TIME}|{CLEAR_TIME} (?:on )?{DAY})",
     lambda found: f"at {found[2]}" if (found[1] or "from").lower() == "from" else found[0]),
    (UNTIL_DONE, "until done"),
    (r"(?:until|till?) (?:\w+ ){0,3}?(?:(?:m|is|are|re) (?:done|finished|over)|finish(?:es)?|ends|stops)",
     "while busy"),
    (r"end of (?:the )?day", "today"),
    (r"(?:for )?(?:the|one|a) night", "overnight"),
)  # fmt: skip
"""Patterns for wordings that the parser doesn't know, with their replacements, in the order of application."""
_COMPILED = [
    (re.compile(rf"(?<![\w.-])(?:{pattern})(?!\w)", re.IGNORECASE), meant) for pattern, meant in _REWRITES
]


def in_plain_words(text: str) -> str:
    """Replace foreign words and unusual wordings with words that the parser knows.

    For example, `bis 18.30` becomes `until 18:30`.

    The bot may have misunderstood a text in which something was replaced. The caller then rents nothing
    immediately, even if the person typed `now`.
    """
    for pattern, meant in _COMPILED:
        text = pattern.sub(meant, text)
    return " ".join(text.split())
