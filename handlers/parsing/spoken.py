"""Writes what people say in other words as the parser reads it: `bis 18.30` is `until 18:30`.

A text that is changed here is read, but `now` rents nothing with it.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from handlers.parsing.amounts import NUMBER_WORDS
from handlers.parsing.until import CLEAR_TIME, DAY

_MEANINGS = """hours = stunde stunden std heure heures; minutes = minuten; days = tag tage jour jours
today = heute aujourd eod cob; tomorrow = morgen demain; noon = mittag midi; midnight = mitternacht minuit
until = bis jusqu jusque; from = von ab; for = für fuer pour pendant; please = bitte danke merci svp
two = zwei deux dual; three = drei trois; four = vier quatre; eight = acht huit; 16 = sixteen; a = ein eine une"""
_WORDS = {
    word: meant
    for meant, words in (line.split(" = ") for line in re.split("; |\n", _MEANINGS))
    for word in words.split()
}
"""Words that have one meaning, whatever stands beside them."""
_CLOCK = r"\d{1,2}(?::\d\d)?"
_PART = r"(?:tomorrow|this|in the) (?:morning|afternoon|evening)|tomorrow night|tonight"


def _half_of_day(found: re.Match[str]) -> str:
    """Write `until 6 tonight` as `until 6pm today`, and `at 6 tomorrow morning` as `at 6am tomorrow`."""
    before, clock, half, part = found.groups()
    hour = int(clock.split(":")[0])
    if hour == 12:
        return found.group()
    half = "" if hour > 12 else half or ("am" if part.lower().endswith("morning") else "pm")
    day = {"tom": " tomorrow", "in ": ""}.get(part[:3].lower(), " today")
    return f"{before} {clock}{half}{day}"


def _from_to(found: re.Match[str]) -> str:
    """Write `9 to 6 tomorrow` as `at 9:00 tomorrow until 18:00`. Leave what may be numbers of something else, and
    hours of which the half of the day can't be told, such as `3 to 5 tomorrow`."""
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
    (r"(?:until|till?) (?:\w+ ){0,3}?(?:(?:m|is|are|re) (?:done|finished|over)|finish(?:es)?|ends|stops)",
     "while busy"),
    (r"end of (?:the )?day", "today"),
    (r"(?:for )?(?:the|one|a) night", "overnight"),
)  # fmt: skip
"""What is written in other words, and those words, in the order in which they are replaced."""
_COMPILED = [
    (re.compile(rf"(?<![\w.-])(?:{pattern})(?!\w)", re.IGNORECASE), meant) for pattern, meant in _REWRITES
]


def in_plain_words(text: str) -> str:
    """Return a normalized text in the words that the parser reads."""
    for pattern, meant in _COMPILED:
        text = pattern.sub(meant, text)
    return " ".join(text.split())
