"""Interprets the tokens of a request, and collects the results in a `RequestDraft`.

The results are values for the parts of the request, or reasons why a text can't be read. `draft.py` then decides
whether the parts make a request.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from difflib import get_close_matches

from bot.model.gpu import memory_sizes
from bot.model.request import Contract
from bot.model.text import short
from bot.policy.team.hours import known_zone, next_morning
from bot.policy.use.flexible_end import AFTER_NIGHT
from handlers.typed.amounts import OTHER_CURRENCIES, Money, parse_duration
from handlers.typed.draft import LEFT_OUT, ParseContext, Part, Reading, RequestDraft, Unread
from handlers.typed.tokens import Kind, Token, TokenKind
from handlers.typed.until import TIME_WORDS, UNTIL, example_end
from handlers.typed.vocabulary import OTHER_VENDORS, Vocabulary

_NOTHING = Token(TokenKind.NOTHING, "")
_MAX_COUNT_AFTER_GPU = 8
"""The largest number after a GPU's name that is read as the number of GPUs, as in `h100 8`.

A larger number may be the GPU's memory, as in `h100 90`.
"""
_SHORTEST_NIGHT = timedelta(hours=2)
"""If the morning is at least this far away, `overnight` means the current night.

Otherwise, it means the next night.
"""
_CURRENCIES = (
    "eur euro euros gbp pound pounds chf francs cent cents yen jpy cny yuan inr rupees cad aud sek nok dkk kr pln"
)
_CURRENCY_WORDS = frozenset({*_CURRENCIES.split(), "zloty"})
_PRICE_KINDS = frozenset({TokenKind.AT_MOST, TokenKind.BELOW, TokenKind.PRICE, TokenKind.TOTAL, TokenKind.MONEY})
_AMOUNT_KINDS = frozenset(
    {TokenKind.NUMBER, Part.COUNT, TokenKind.MONEY, TokenKind.DURATION, TokenKind.RANGE, TokenKind.TIME}
)
_LIMIT_KINDS = _AMOUNT_KINDS | _PRICE_KINDS | {TokenKind.DASH}
_UNITS = ("hours", "hour", "hrs", "minutes", "minute", "mins", "days", "day", "gpus", "gpu", "cards")
_VALUES_AFTER: dict[str, tuple[Kind, ...]] = {
    **dict.fromkeys(("region", "in", "within", "inside"), (Part.REGION, TokenKind.PLACE)),
    **dict.fromkeys(("vendor", "provider", "via", "at", "@"), (Part.VENDOR,)),
    "from": (Part.VENDOR, Part.REGION, TokenKind.PLACE),
    "on": (Part.VENDOR, Part.CONTRACT),
    "contract": (Part.CONTRACT,),
    **dict.fromkeys(("lease", "duration"), (TokenKind.DURATION,)),
    **dict.fromkeys(("hours", "hrs"), (TokenKind.DURATION, TokenKind.NUMBER)),
    "count": (Part.COUNT, TokenKind.NUMBER),
}
"""The kinds of values that can follow each keyword or preposition."""
_OPTION_KINDS = frozenset(
    {TokenKind.KEY, Part.GPU, Part.REGION, TokenKind.PLACE, Part.CONTRACT, Part.VENDOR}
    | {TokenKind.AT_MOST, TokenKind.BELOW, TokenKind.AT_LEAST, TokenKind.EXCLUDES, TokenKind.PRICE, TokenKind.NOW}
    | {Part.SETUP, Part.PROJECT, Part.NO_PROBE, Part.KEEP_IF_FAILED}
)
_OPTION_WORDS = frozenset({"for", "gpu", "gpus", "type"})
_VERBS = frozenset({"get", "rent", "need", "want", "give", "find", "book", "grab", "show", "let", "for", "with"})
_START_OR_PRICE = re.compile(r"(?:at|@) ?(\d{1,2})")
_CLOCK_TIME = re.compile(r"(?:(by|before|from) )?(\d{1,2}(?::\d\d(?: ?[ap]m)?| ?[ap]m))")
_NIGHTS = frozenset({"tonight", "overnight"})
_WORDS_BEFORE_NOUN_NOW = frozenset({"for", "of", "a", "the", "with"})

# Messages about texts that the bot can't understand. `{typed}` stands for the text, and `{number}` for the number
# in it.
_UNREADABLE = 'I can\'t read "{typed}".'
_NO_UNIT = 'I can\'t tell what "{typed}" is. Type {number}x for GPUs, {number}h for hours, ${number} for a price.'
_LIMIT_WITHOUT_UNIT = 'I can\'t tell what "{typed}" is. A price has a dollar sign.'
_LIMITED_COUNT = '"{typed}" isn\'t an exact number of GPUs. Type one number.'
_MEMORY_OR_COUNT = 'Does "{typed}" mean {number} GB of memory?'
_RANGE = '"{typed}" is two numbers. Type one.'
_TIME = 'I can\'t read the time "{typed}". Type a time such as: at 9:00 tomorrow, until 18:00.'
_END = 'I can\'t read the end "{typed}". Type an end such as 18:00, tomorrow 9am or fri 18:00.'
_HOURS_AND_NUMBER = 'I can\'t read the time "{typed}".'
_LATER = '"{typed}" sounds like a later start. Type its time, such as at 9:00 tomorrow.'
_NIGHT = "Until when?"
_PRICE = 'I can\'t read the price "{typed}". Prices are in US dollars per GPU-hour.'
_PRICE_UNIT = 'Prices are per GPU-hour, not "{typed}".'
_UNKNOWN_OPTION = 'I don\'t know the option "{typed}". A note needs a space after the dash.'
_SEVERAL_MACHINES = 'I rent one machine at a time, so I can\'t read "{typed}". Type how many GPUs it has.'
_US = '"{typed}" can mean the region US, or you and your team.'
_EXCLUDES = 'I can\'t exclude things, as in "{typed}". Type what you want instead.'
_AT_LEAST = 'I can\'t look for a minimum, as in "{typed}". Type a number, or a limit: under $3.'
_AMBIGUOUS = '"{typed}" can mean two things.'
_VALUES = {
    "contract": "spot or on demand",
    **dict.fromkeys(("count", "hours", "hrs"), "a number"),
    **dict.fromkeys(("lease", "duration"), "a time, such as 6h"),
}
"""Descriptions of the values that must follow some keywords. They appear in errors if the value is missing.

All other keywords must be followed by names or prices.
"""


def _looks_like_money(token: Token) -> bool:
    return any(sign in token.text for sign in f"${OTHER_CURRENCIES}") or token.text.lower() in _CURRENCY_WORDS


def _is_after_price(token: Token) -> bool:
    """Return whether a word shows that the number before the word is a price: `2 each`, `3 eur`."""
    return token.kind is TokenKind.WORD and (token.text.lower() == "each" or _looks_like_money(token))


def _may_be_unit(token: Token) -> bool:
    """Return whether the token may belong to the unit of the number before it.

    Examples are `hous` in the misspelled text `6 hous`, and `and` in `3 and a half hours`.
    """
    return token.name == "and" or (token.kind is TokenKind.WORD and not _looks_like_money(token))


def _is_decimal(token: Token) -> bool:
    """Return whether a number has decimal places, as in `2.0`.

    Such a number is a price rather than a number of GPUs.
    """
    exponent = token.number.as_tuple().exponent
    return isinstance(exponent, int) and exponent < 0


def _number_readings(token: Token) -> tuple[Reading, ...]:
    hours = timedelta(hours=min(int(token.number), 10**6))
    price = Money(token.number, limit=True)
    readings = (Reading(Part.COUNT, int(token.number)), Reading(Part.LEASE, hours), Reading(Part.PRICE, price))
    # A number that is written as a word, such as `one`, can only be a number of GPUs, and not a time or a price.
    return readings[:1] if token.text.isalpha() else readings


class TokenReader:
    """Interprets the tokens from left to right.

    A `_read_...` method is called for the current token. `position` is the index of the next token. If a method
    also reads the tokens that follow, it advances `position`.

    `after_verb` is True if the tokens follow `get` or another verb. `waiting` is True if that verb is `wait`. In
    `wait h100 until fri`, for example, `until fri` says when the person stops waiting. In `get h100 until fri`, it
    says when the lease ends.
    """

    def __init__(
        self,
        tokens: list[Token],
        vocabulary: Vocabulary,
        context: ParseContext,
        *,
        after_verb: bool,
        waiting: bool,
    ) -> None:
        self.tokens, self.vocabulary, self.context = tokens, vocabulary, context
        self.position = 0
        self.draft = RequestDraft(waiting=waiting, doubtful=any(token.loose for token in tokens))
        self.names_gpu = any(token.kind is Part.GPU for token in tokens)
        self.after_verb = after_verb
        self.end_part = Part.WAITS if waiting else Part.END
        self.readers: dict[Kind, Callable[[Token], None]] = {
            Part.FEATURE: self._read_feature,
            Part.REGION: self._read_region,
            Part.END: self._read_until,
            TokenKind.PLACE: self._read_place,
            TokenKind.NUMBER: self._read_number,
            TokenKind.DURATION: self._read_duration,
            **dict.fromkeys(_PRICE_KINDS, self._read_price),
            TokenKind.RANGE: lambda token: self._unread(_RANGE, token),
            TokenKind.TIME: self._read_time,
            TokenKind.KEY: self._read_key,
            TokenKind.PREPOSITION: self._read_key,
            TokenKind.NOW: self._read_now,
            TokenKind.EXCLUDES: lambda token: self._read_unwanted(_EXCLUDES, token),
            TokenKind.AT_LEAST: lambda token: self._read_unwanted(_AT_LEAST, token),
            TokenKind.MACHINES: lambda token: self._unread(_SEVERAL_MACHINES, token, readings=(LEFT_OUT,)),
            TokenKind.DASH: self._read_option,
            TokenKind.AMBIGUOUS: lambda token: self._unread(_AMBIGUOUS, token),
            TokenKind.WORD: self._read_word,
        }

    def read(self) -> RequestDraft:
        """Interpret all tokens, and return the parts of the request that they contain."""
        while self.position < len(self.tokens):
            self.position += 1
            self._read(self.tokens[self.position - 1])
        self.draft.unread = [self._night(one.text) if one.why == _NIGHT else one for one in self.draft.unread]
        return self.draft

    def _read(self, token: Token) -> None:
        """Read a token with the method for its kind.

        Some kinds of tokens have no method. If the kind is a Part, such as Part.GPU, the token's value is stored
        in the draft. Otherwise, the token is ignored.
        """
        if token.kind in self.readers:
            self.readers[token.kind](token)
        elif isinstance(token.kind, Part):
            self.draft.add(token.kind, int(token.number) if token.kind is Part.COUNT else token.name)

    def _doubt(self) -> None:
        self.draft.doubtful = True

    # --- tokens around the current one

    def _peek(self, ahead: int = 0) -> Token:
        position = self.position + ahead
        return self.tokens[position] if 0 <= position < len(self.tokens) else _NOTHING

    def _previous(self) -> Token:
        return self._peek(-2)

    def _skip(self, kind: TokenKind, *names: str) -> None:
        while (token := self._peek()).kind is kind and token.name in names:
            self.position += 1

    def _adjacent_gpu(self, step: int) -> Token | None:
        """Return the GPU after the current token (`step` 1) or before it (`step` -1).

        Only features, `of` and words such as `more` may come in between.
        """
        position = self.position - 1 + step
        while 0 <= position < len(self.tokens):
            token = self.tokens[position]
            if token.kind is Part.GPU:
                return token
            skipped = token.kind is Part.FEATURE or (step > 0 and token.kind is TokenKind.COURTESY)
            if not skipped and token.name != "of":
                return None
            position += step
        return None

    def _after_verb(self) -> bool:
        """Return whether a verb precedes the current token, with only words such as `now` in between."""
        for token in reversed(self.tokens[: self.position - 1]):
            if token.name in _VERBS:
                return True
            if token.kind not in {TokenKind.COURTESY, TokenKind.NOW, TokenKind.URGENT}:
                return False
        return self.after_verb

    # --- texts that can't be read

    def _unread(self, why: str, *tokens: Token, readings: tuple[Reading, ...] = (), alone: bool = False) -> None:
        typed = " ".join(token.text for token in tokens if token is not _NOTHING)
        number = "".join(letter for letter in typed if letter.isdigit()) or "2"
        why = why.replace("{number}", number).replace("{typed}", typed)
        self.draft.unread.append(Unread(typed, why, readings, alone))

    def _unknown_word(self, *tokens: Token) -> None:
        word = " ".join(token.text for token in tokens)
        nearest = self.vocabulary.nearest_words(word)
        readings: tuple[Reading, ...] = (LEFT_OUT,)
        if " " in word or any(letter.isnumeric() for letter in word):
            # An unknown word can be a vendor, as in `on foo`, or a number. Without the word, the request would
            # mean something else, so don't suggest leaving it out.
            readings = ()
        for part, names in (
            (Part.REGION, self.vocabulary.region_names),
            (Part.VENDOR, self.vocabulary.vendor_names),
            (Part.CONTRACT, tuple(Contract)),
            (Part.GPU, tuple(self.vocabulary.variants)),
        ):
            if nearest and nearest[0] in names:
                readings = (Reading(part, nearest[0]),)
        why = f'I don\'t know "{{typed}}". Similar words: {", ".join(nearest)}.' if nearest else ""
        self._unread(why, *tokens, readings=readings)

    def _unknown_gpu(self, *tokens: Token) -> None:
        nearest = self.vocabulary.nearest_gpus(" ".join(token.text for token in tokens))
        why = f'I don\'t know a GPU called "{{typed}}". Similar names: {", ".join(nearest)}.'
        self._unread(why, *tokens, readings=tuple(Reading(Part.GPU, gpu) for gpu in nearest[:1]))

    def _unknown_vendor(self, vendor: Token) -> None:
        nearest = self.vocabulary.nearest_vendors(vendor.text)
        why = f"I can't rent from {{typed}}. Vendors: {_some(self.vocabulary.vendor_names)}."
        if nearest:
            why = f'I don\'t know a vendor called "{{typed}}". Similar names: {", ".join(nearest)}.'
        self._unread(why, vendor, readings=(Reading(Part.VENDOR, next(iter(nearest), "")),))

    def _missing_value(self, *words: Token) -> None:
        key = " ".join(token.text for token in words).lower()
        value = _VALUES.get(key, "a price, such as $3")
        if key in {"region", "in"}:
            value = f"a name: {_some(self.vocabulary.region_names)}"
        elif key in {"vendor", "provider", "from", "via"}:
            value = f"a name: {_some(self.vocabulary.vendor_names)}"
        self._unread(f'"{{typed}}" needs {value}.', *words, readings=(LEFT_OUT,))

    def _night(self, typed: str) -> Unread:
        """Return the error for `tonight` or `overnight`, which is too vague.

        The error normally suggests a lease that ends the next morning. There is no suggestion if the person's time
        zone is unknown, or if the rules don't allow such a long lease.

        If the request already contains the length of the lease, the person perhaps meant the start. The error then
        says how to type the time of a start.
        """
        context = self.context
        if self.draft.timed:
            return Unread(typed, _LATER.replace("{typed}", typed), (LEFT_OUT,))
        local = known_zone(context.zone)
        morning = next_morning(context.now + _SHORTEST_NIGHT, local, context.rules.hours)
        if not context.zone or morning + AFTER_NIGHT - context.now > context.rules.lease.max:
            return Unread(typed, _NIGHT)
        first, last = morning.astimezone(local), (morning + AFTER_NIGHT).astimezone(local)
        day = "today" if first.date() == context.now.astimezone(local).date() else "tomorrow"
        later = f"{last.hour}:{last:%M}" if context.sees_use and not self.draft[Part.NO_PROBE] else ""
        return Unread(typed, _NIGHT, (Reading(self.end_part, f"{day} {first.hour}:{first:%M}", later),))

    # --- names, times and words

    def _read_region(self, token: Token) -> None:
        following = self._peek()
        joined = self._previous().kind in {TokenKind.COURTESY, TokenKind.FILLER, TokenKind.WORD}
        joined |= following.kind in {Part.GPU, Part.COUNT, TokenKind.NUMBER}
        if token.text.lower() == "us" and self._after_verb():
            self._unread(_US, token, readings=(Reading(Part.REGION, token.name), LEFT_OUT))
        elif token.text.lower() == "other" and joined:
            # `Other` is the name of a region. In `the other h100` and `h100 or other`, however, the word doesn't
            # mean this region.
            self._doubt()
        else:
            self.draft.add(Part.REGION, token.name)
        if following.name == "region":
            # Skip the word `region` in a text such as `the EU region`, where it comes after the name of the
            # region.
            self.position += 1

    def _read_feature(self, token: Token) -> None:
        self.draft.add(Part.FEATURE, token.name)
        typed = re.sub("[ -]", "", token.text.lower())
        if typed not in {token.name, token.name.removesuffix("b"), token.name.removesuffix("gb")}:
            # The person used other words than the usual ones, for example `80 gigs`, so the meaning is uncertain.
            self._doubt()

    def _read_place(self, token: Token) -> None:
        region = f", and this is {token.name}" if token.name else f": {', '.join(self.vocabulary.region_names)}"
        readings = (Reading(Part.REGION, token.name),) if token.name else ()
        why = f'I can\'t look in "{{typed}}" alone. Offers are by region{region}.'
        self._unread(why, token, readings=readings)

    def _read_unwanted(self, why: str, word: Token) -> None:
        """Report a word such as `not` or `at least` as unreadable, together with the words that it refers to."""
        tokens = [word]
        while (token := self._peek()) is not _NOTHING:
            self.position += 1
            tokens.append(token)
            if token.kind not in {TokenKind.FILLER, TokenKind.PREPOSITION, TokenKind.KEY, TokenKind.COURTESY}:
                break
        self._unread(why, *tokens, alone=True)

    def _read_time(self, token: Token) -> None:
        """Report a time of day without `until` as unclear.

        The lease may start at this time, or end at this time. The number can also be a price.
        """
        typed = token.text.lower()
        price, clock = _START_OR_PRICE.fullmatch(typed), _CLOCK_TIME.fullmatch(typed)
        if price is not None:
            number = Token(TokenKind.NUMBER, price[1], number=Decimal(price[1]))
            self._read_price_without_unit(token, number=number)
            return
        readings: list[Reading] = []
        if clock is not None and clock[1] != "from" and UNTIL.fullmatch(f"until {clock[2]}"):
            readings.append(Reading(self.end_part, clock[2]))
        if clock is not None and clock[1] in {None, "from"}:
            readings.append(Reading(Part.START, clock[2]))
        self._unread(_TIME, token, readings=tuple(readings))

    def _read_until(self, token: Token) -> None:
        if token.name:
            self.draft.add(self.end_part, token.name)
            return
        following = self._peek()
        if following.text.lower() in _NIGHTS:
            return
        self.position += following is not _NOTHING
        example = Reading(self.end_part, example_end(self.context.now, self.context.zone))
        self._unread(_END, token, following, readings=(example,) if following is _NOTHING else ())

    def _read_now(self, _: Token) -> None:
        previous = self._previous()
        if previous.kind is TokenKind.FILLER and previous.name in _WORDS_BEFORE_NOUN_NOW:
            # Usually, `now` is a request to rent immediately. In `for now`, it probably isn't.
            self._doubt()

    def _read_word(self, token: Token) -> None:
        number = self._peek()
        word = token.text.lower()
        if _looks_like_money(token):
            self._unread(_PRICE, token)
        elif word in _NIGHTS:
            self._unread(_NIGHT, token)
        elif word in TIME_WORDS:
            self._unread(_TIME, token)
        elif word in OTHER_VENDORS and self.vocabulary.vendor_names:
            self._unknown_vendor(token)
        elif not self.names_gpu and token.text[:1].isalpha():
            # Assume that the first unknown word is a misspelled GPU. A request names only one GPU, so report all
            # further unknown words as unknown.
            self.names_gpu = True
            is_name = number.kind is TokenKind.NUMBER and not _is_decimal(number)
            self.position += is_name
            self._unknown_gpu(token, *([number] if is_name else []))
        elif token.text.lstrip("-+.")[:1].isnumeric():
            self._unread(_UNREADABLE, token)
        else:
            self._unknown_word(token)

    # --- keys and options

    def _read_key(self, key: Token) -> None:
        """Read a keyword or preposition such as `region`, `in` or `hours`, and the value after it."""
        previous = self._previous()
        kinds = _VALUES_AFTER[key.name]
        self._skip(TokenKind.FILLER, *(("for",) if TokenKind.DURATION in kinds else ("the", "of")))
        value = self._peek()
        if key.name in {"at", "@"} and value.kind in _PRICE_KINDS:
            return  # In `at $3`, the price is read with the next token.
        if key.kind is TokenKind.PREPOSITION and value.name in {"region", "vendor", "provider"}:
            return  # In `from vendor nebius`, the vendor is read with the next token.
        if value.kind not in {*kinds, TokenKind.WORD, TokenKind.NUMBER, TokenKind.DURATION}:
            # In `spot contract`, the value `spot` comes before the keyword `contract` and has already been read.
            if key.name != "contract" or previous.kind is not Part.CONTRACT:
                (self._unknown_word if key.name in {"at", "@", "on"} else self._missing_value)(key)
            return
        self.position += 1
        if value.kind in kinds:
            self._read_value(key, value, option=previous.kind is TokenKind.DASH)
        elif value.kind is TokenKind.WORD:
            self._read_unknown_value(key, value)
        elif value.kind is TokenKind.DURATION:
            self._unread(_LATER if key.name in {"in", "within"} else _TIME, key, value)
        elif key.name in {"at", "@"}:
            self._read_price_without_unit(key, value, number=value)
        elif key.kind is TokenKind.PREPOSITION:
            self._unread(_TIME, key, value)
        else:
            self._unread(_NO_UNIT, key, value)

    def _read_value(self, key: Token, value: Token, *, option: bool) -> None:
        if value.kind is Part.REGION:
            self.draft.add(Part.REGION, value.name)
            self._skip(TokenKind.KEY, "region")
        elif value.kind is not TokenKind.NUMBER:
            self._read(value)
            self._skip(TokenKind.KEY, "region")
        elif key.name != "count" and not option and self._adjacent_gpu(1) is not None:
            self._unread(_NO_UNIT, value, readings=_number_readings(value))
        elif _is_decimal(value) and key.name == "count":
            self._unread(_UNREADABLE, value)
        elif key.name == "count":
            self.draft.add(Part.COUNT, int(value.number))
        else:
            hours = min(value.number, Decimal(10**6))
            self.draft.add(Part.LEASE, timedelta(seconds=int(hours * 3600)))

    def _read_unknown_value(self, key: Token, value: Token) -> None:
        kinds = _VALUES_AFTER[key.name]
        if _looks_like_money(value) or (value.text[:1].isnumeric() and not any(map(str.isalpha, value.text))):
            self._read_word(value)
            return
        named = value.text.lower() in OTHER_VENDORS or bool(self.vocabulary.nearest_vendors(value.text))
        if key.name in {"at", "@", "on"} and value.text.lower() in TIME_WORDS:
            self._unread(_TIME, key, value)
        elif key.name in {"at", "@", "on"} and not named:
            self._unknown_word(key, value)
        elif Part.VENDOR in kinds and not self.vocabulary.vendor_names:
            # The bot hasn't read the catalog of the market yet, so it doesn't know the names of the vendors.
            # Accept any name. The market itself will check it.
            self.draft.add(Part.VENDOR, value.text)
        elif Part.VENDOR in kinds:
            self._unknown_vendor(value)
        elif Part.REGION in kinds:
            near = self.vocabulary.nearest_regions(value.text)
            why = f'I don\'t know the region "{{typed}}". Regions: {", ".join(self.vocabulary.region_names)}.'
            self._unread(why, value, readings=tuple(Reading(Part.REGION, region) for region in near))
        else:
            self._read_word(value)

    def _read_option(self, dash: Token) -> None:
        """Read a dash and the word directly after it.

        A known word is an option and is read as if there were no dash. Any other word is reported as unreadable.
        """
        option = self._peek()
        self.position += 1
        typed = Token(option.kind, dash.text + option.text)
        if option.name in {"gpu", "gpus"} and self._peek().kind in {TokenKind.NUMBER, Part.COUNT}:
            self._read_key(Token(TokenKind.KEY, option.text, "count"))
        elif option.kind is TokenKind.NOW:
            self._doubt()
        elif option.kind in _OPTION_KINDS or option.name in _OPTION_WORDS:
            self.position -= 1
        elif option.kind in _AMOUNT_KINDS:
            self._unread(_UNREADABLE, typed)
        else:
            self._unread(_UNKNOWN_OPTION, typed, readings=(LEFT_OUT,))

    # --- amounts

    def _read_number(self, token: Token) -> None:
        gpu_after = self._adjacent_gpu(1)
        gpu = gpu_after or self._adjacent_gpu(-1)
        may_be_memory = gpu and token.number in memory_sizes(self.vocabulary.variants_of(gpu.name))
        following = self._peek()
        if _is_decimal(token) or self._ends_with_max() or _is_after_price(following):
            self._read_price_without_unit(token, number=token)
        elif following.kind is TokenKind.MACHINES:
            self.position += 1
            self._unread(_SEVERAL_MACHINES, token, following)
        elif gpu_after is None and _may_be_unit(following) and self._read_unit(token):
            pass
        elif gpu is None and not self.names_gpu and following.kind is TokenKind.WORD:
            # The request names no known GPU, and an unknown word follows the number, as in `8 h1oo`. This word is
            # probably a misspelled GPU, so the number is a number of GPUs.
            self.draft.add(Part.COUNT, int(token.number))
        elif gpu is None:
            self._unread(_NO_UNIT, token, readings=_number_readings(token))
        elif may_be_memory or (gpu_after is None and token.number > _MAX_COUNT_AFTER_GPU):
            memory = (Reading(Part.FEATURE, f"{token.number}gb"),) if may_be_memory else ()
            self._unread(_MEMORY_OR_COUNT, token, readings=(*memory, Reading(Part.COUNT, int(token.number))))
        else:
            self.draft.add(Part.COUNT, int(token.number))
            if gpu_after is None:
                self._doubt()

    def _read_unit(self, number: Token) -> bool:
        """Report a number whose unit is misspelled or unknown.

        If the word after the number may be a GPU instead, the function reads nothing and returns False.
        """
        word = self._peek()
        if word.kind is not TokenKind.WORD:
            self._unread(_NO_UNIT, number)
            return True
        unit = next(iter(get_close_matches(word.text.lower(), _UNITS, 1, cutoff=0.75)), None)
        if unit is None and not self.names_gpu:
            return False
        self.position += 1
        readings: tuple[Reading, ...] = ()
        if unit in {"gpus", "gpu", "cards"}:
            readings = (Reading(Part.COUNT, int(number.number)),)
        elif unit is not None:
            readings = (Reading(Part.LEASE, parse_duration(f"{int(number.number)} {unit}")),)
        self._unread(_NO_UNIT, number, word, readings=readings)
        return True

    def _read_price_without_unit(self, *tokens: Token, number: Token, total: bool = False) -> None:
        """Report a number that is probably a price in dollars, and suggest the price with a dollar sign.

        Suggests nothing if the next word may be another currency or a unit.
        """
        word = self._peek()
        each = word.text.lower() == "each"
        follows = word.kind is TokenKind.WORD or self._ends_with_max()
        price = Money(number.number, per_gpu=each, limit=True, total=total)
        known = each or not follows or word.kind is TokenKind.AT_MOST
        self.position += follows
        why = _PRICE if _is_after_price(word) and not each else _LIMIT_WITHOUT_UNIT
        typed = (*tokens, word) if follows else tokens
        self._unread(why, *typed, readings=(Reading(Part.PRICE, price),) if known else ())

    def _ends_with_max(self) -> bool:
        """Return whether `max` limits the value before it, as in `6h max`, and not the value after it.

        In `6h max $3`, `max` limits the price.
        """
        word, limit = self._peek(), self._peek(1)
        after = word.kind is TokenKind.AT_MOST and word.name in {"max", "maximum", "at most"}
        return after and limit.kind not in _LIMIT_KINDS

    def _read_duration(self, token: Token, *, latest: bool = False) -> None:
        following, word_after = self._peek(), self._peek(1).kind is TokenKind.WORD
        if token.ends_in_hours and following.kind is TokenKind.NUMBER and not word_after:
            # In `1h 30`, the second number means minutes. In `6h 8 h100`, however, it is the number of GPUs. In
            # `6h 8 gpsu`, the second number is read later, together with the misspelled word that follows it.
            self.position += 1
            if following.number >= 10 or self._adjacent_gpu(1) is None:
                minutes = timedelta(minutes=int(min(following.number, Decimal(60))))
                whole = minutes < timedelta(hours=1) and not _is_decimal(following)
                readings = (Reading(Part.LEASE, token.duration + minutes),) if whole else ()
                self._unread(_HOURS_AND_NUMBER, token, following, readings=readings)
                return
            self.position -= 1
        if not latest and self._ends_with_max():
            self.position += 1
            self._doubt()
            latest = True
        self.draft.add(Part.LATEST if latest else Part.LEASE, token.duration)
        self._skip(TokenKind.KEY, "lease")

    def _read_price(self, first: Token) -> None:
        """Read a price and the words before it: `under $3`, `max price 3`, `total budget of $500`."""
        previous = self._previous()
        words = [first]
        while True:
            self._skip(TokenKind.FILLER, "of", "a", "the")
            token = self._peek()
            if words[-1].kind is TokenKind.MONEY or token.kind not in _PRICE_KINDS:
                break
            words.append(token)
            self.position += 1
        readable = {TokenKind.NUMBER, Part.COUNT, TokenKind.DURATION, TokenKind.WORD, TokenKind.DASH}
        if words[-1].kind is TokenKind.MONEY:
            self._read_money(words, after_for=previous.name == "for", after_at=previous.name in {"at", "@"})
        elif token.kind not in readable:
            self._missing_value(*words)
        else:
            self.position += 1
            self._read_limit(words, token, option=previous.kind is TokenKind.DASH)

    def _read_money(self, words: list[Token], *, after_for: bool, after_at: bool) -> None:
        money = words[-1].money
        if money.other_unit:
            self._unread(_PRICE_UNIT, Token(TokenKind.WORD, money.other_unit))
            return
        total_words = [token.name for token in words if token.kind is TokenKind.TOTAL]
        # `budget $3/h` means the highest price of each GPU per hour. `total $3/h` means the highest price of all
        # GPUs together per hour.
        hourly_budget = money.per_hour and all(name == "budget" for name in total_words)
        total = money.total or (bool(total_words) and not hourly_budget)
        limit = money.limit or len(words) > 1 or after_at
        if after_at:
            self._doubt()
        self.draft.add(Part.PRICE, replace(money, limit=limit, total=total, after_for=after_for))

    def _read_limit(self, words: list[Token], limit: Token, *, option: bool) -> None:
        """Read a limit without a dollar sign, and the words before it: `max 3`, `price 2.50`, `under 6h`."""
        kinds = {token.kind for token in words}
        total = TokenKind.TOTAL in kinds
        is_number = limit.kind is TokenKind.NUMBER
        before_gpu, before_word = self._adjacent_gpu(1) is not None, self._peek().kind is TokenKind.WORD
        price = Money(limit.number, limit=True, total=total)
        if limit.kind is TokenKind.DURATION and kinds == {TokenKind.AT_MOST}:
            self._read_duration(limit, latest=True)
        elif is_number and TokenKind.PRICE in kinds and not total and (option or not before_gpu):
            self.draft.add(Part.PRICE, price)
        elif is_number and _is_decimal(limit) and not total and not before_gpu and not before_word:
            self.draft.add(Part.PRICE, price)
            self._doubt()
        elif limit.kind is Part.COUNT or (is_number and before_gpu and not _is_decimal(limit)):
            count = Reading(Part.COUNT, int(limit.number))
            self._unread(_LIMITED_COUNT, *words, limit, readings=(count,))
        elif is_number:
            self._read_price_without_unit(*words, limit, number=limit, total=total)
        elif limit.kind is TokenKind.DURATION:
            self._unread(_TIME, *words, limit)
        elif limit.kind is TokenKind.DASH:
            self._unread(_PRICE, Token(TokenKind.WORD, limit.text + self._peek().text))
            self.position += 1
        elif any(letter.isdigit() for letter in limit.text):
            self._unread(_PRICE, limit)
        else:
            self._unknown_word(*words, limit)


def _some(names: Iterable[str]) -> str:
    return short(", ".join(names), 300) or "there are none now"
