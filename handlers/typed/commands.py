"""Parses the text after `/gpu` into a command, or raises a Mistake that says what to type instead."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from enum import Enum

from rapidfuzz.distance import OSA

from bot.errors import Mistake, RequestMistake
from bot.model.base import Frozen, changed
from bot.model.budget import ScopeKind
from bot.model.offer import Catalog
from bot.model.spend import PeriodKind
from bot.model.text import one_line, short
from bot.policy.access.keys import MOST_SCANNED
from bot.policy.buying.spend import is_period
from bot.policy.team.roles import Roles
from handlers.phrases.ends import end_text
from handlers.typed.draft import Get, ParseContext, Wait
from handlers.typed.mentions import check_people, take_people
from handlers.typed.rental_words import ID, ExtensionWords, OfRental, read_duration, read_extension, read_id
from handlers.typed.requests import MAX_LENGTH, looks_like_request, parse_request, request_text
from handlers.typed.sentences import Sentence, Topic, read_sentence
from handlers.typed.typed_text import name_mentions, normalize, normalize_within, plain_text, text_with_mentions
from handlers.typed.until import UNTIL, UnclearEnd, parse_day
from handlers.typed.vocabulary import vocabulary_of

MAX_COMMAND_LENGTH = MOST_SCANNED
"""The maximum length of a command, in characters. Only commands with an SSH key come close to it."""
MAX_NAME_LENGTH = 20
"""The maximum length of a command's name, including quotation marks or asterisks around it."""
LONGEST_REASON = 200
"""The maximum length of the reason for a pause, in characters."""


class KeySet(Frozen):
    line: str
    """The text after `key`, not validated yet. It may contain line breaks."""


class KeyFromGithub(Frozen):
    name: str | None
    """The GitHub user name as it was typed, not validated yet. None if no name was typed."""


class ListRentals(Frozen):
    all: bool = False
    """True to list everyone's rentals instead of the person's own."""


class ListTokens(Frozen):
    all: bool = False
    """True to list everyone's API tokens instead of the person's own."""


class TokenForCode(Frozen):
    """Make an API token for the program that shows a code."""

    code: str
    """The code in capital letters, without spaces and hyphens. It may be wrong."""


class Show(OfRental):
    """Show the rental with its history."""


class Ssh(OfRental):
    """Show the SSH command."""


class Destroy(OfRental):
    """Ask for confirmation, then destroy the machine."""


class Share(OfRental):
    """Share the machine with other people."""

    people: tuple[str, ...] = ()
    """The Slack IDs of the people with whom to share the machine.

    Empty if the command is about the people with whom the machine is already shared.
    """


class Give(OfRental):
    """Offer the machine to another person."""

    to: str
    """The Slack ID of the person to whom the machine is offered."""


class Extend(ExtensionWords):
    """Extend the lease by a length or until a given time."""


class Keep(OfRental):
    """Stop asking for a while whether the machine is still needed."""

    duration: timedelta | None = None
    """The time for which the bot doesn't ask whether the machine is still needed. None if no time was typed."""


class Longer(OfRental):
    """Ask whether to extend the lease.

    A sentence such as "can I keep it for two more hours?" leads to this command.
    """

    duration: timedelta | None = None
    """The length that the person named. None if they named no length."""
    untils: tuple[datetime, ...] = ()
    """The time that the person named. If the time can mean 6:00 or 18:00, both times are listed."""


class About(OfRental):
    """Answer a question or remark about a topic, such as the cost.

    The answer is about a single rental if the text names the rental's ID or was written in the rental's thread.
    """

    topic: Topic


class Spend(Frozen):
    """Show the amount that was spent."""

    kind: ScopeKind = ScopeKind.TEAM
    """The scope of the report: a person, a project or the team. PERSON means the person who typed the command."""
    project: str = ""
    """The name of the project, as it was typed."""
    period: str = PeriodKind.MONTH
    """The period, in the format that `bot.policy.buying.spend.period_of` accepts."""


class Away(Frozen):
    """Record that an approver is away until a certain time."""

    until: datetime


class Pause(Frozen):
    reason: str = ""


class Plain(Enum):
    """The commands without arguments. The value of each command is the text that people type."""

    GET_FORM = "get"
    KEYS = "key"
    AGAIN = "again"
    CATALOG = "catalog"
    PROBE = "probe"
    POLICY = "policy"
    RELOAD_POLICY = "policy reload"
    BACK = "away off"
    RESUME = "resume"
    NEW_TOKEN = "token"  # noqa: S105 - a command, not a secret
    HELP = "help"
    HOME = ""


RentalCommand = Show | Ssh | Destroy | Share | Give | Extend | Keep | Longer | About
Command = (
    Plain
    | Get
    | Wait
    | KeySet
    | KeyFromGithub
    | ListRentals
    | ListTokens
    | TokenForCode
    | RentalCommand
    | Spend
    | Away
    | Pause
)

_ALIASES = """get rent find need want search offers; wait await; again; key keys ssh-key sshkey; share invite
give handover; list ls mine my me ps status; show info details history; ssh connect login; keep; pause; resume
destroy delete kill stop terminate remove rm cancel withdraw end; extend prolong longer; policy rules; probe
spend spent spending cost costs bill bills budget budgets; catalog catalogue vendors regions gpus
away vacation holiday ooo; token; help ? -h --help"""
"""The names of each command. The first one is the name that the bot itself uses."""
_NAME_OF_ALIAS = {alias: words.split()[0] for words in re.split("; |\n", _ALIASES) for alias in words.split()}
_KEY_LINE = re.compile(r"(?:ssh-(?:rsa|dss|ed25519)|ecdsa-sha2-nistp\d+|sk-[\w.@-]+)(?:@|-cert|\s)", re.IGNORECASE)
_QUOTES = "`'\"“”„‘’«»"
"""Characters that people and phones put around a pasted line."""
_FROM_GITHUB = re.compile(
    r"(?:from\s+)?(?:github(?:\.com)?(?=\s|$)|(?=(?:https?://)?(?:www\.)?github\.com/))(?P<name>.*)",
    re.IGNORECASE | re.DOTALL,
)
_GITHUB_ADDRESS = re.compile(r"(?:https?://)?(?:www\.)?github\.com/", re.IGNORECASE)
_GIVE_ME = re.compile(r"(?:me|us)(?:\s|$)", re.IGNORECASE)
"""A pattern for the text after `give` that turns it into a request, as in `give me 2 H100`."""
_HARMLESS = frozenset(
    {"wait", "again", "list", "show", "ssh", "destroy", "spend", "catalog", "probe", "policy", "help"}
)
"""The commands that change nothing by themselves: they only show something, or ask for a confirmation.

These commands are safe to carry out even after polite phrases, as in `could you please show k7mq2`.
"""
_OF_RENTAL = frozenset({"show", "ssh", "destroy", "extend", "share", "give"})
_ABOUT_GPUS = frozenset({Topic.FREE, "get", "catalog"})
_AVAILABLE = re.compile(r"^ *there(?:s| is| are)?\b|\b(?:is|are|gets?|becomes?) (?:free|available|there|back)$")
_BUYING_WORDS = frozenset({"get", "rent"})
"""The verbs after which `now` rents a machine.

After any other verb, such as `find` or `offers`, `now` is ignored and only offers are shown. The same applies if
there is no verb.
"""
_MAX_TYPOS = {"destroy": 2, "extend": 2, "catalog": 2, "policy": 2} | dict.fromkeys(
    (
        "resume",
        "pause",
        "probe",
        "again",
        "token",
        "wait",
        "list",
        "show",
        "keep",
        "spend",
        "share",
        "give",
        "help",
    ),
    1,
)
"""The maximum number of letters in which a mistyped word may differ from a suggested command.

For most commands, this is only one letter. With two letters, `resume` would be suggested for `reuse` and `resize`,
and `pause` for `use`. But people who type these words don't want to pause or resume all buying.
"""


def parse_command(text: str, catalog: Catalog, context: ParseContext) -> Command:
    """Parse the text of a command as Slack sent it.

    A text that isn't a command is interpreted as a sentence, such as "how long do I have left?". The caller has
    already searched the text for private keys.

    Raises Mistake if the text is neither a command nor a sentence with a known word. The error's message quotes
    the text, so the message must be escaped before it is shown.
    """
    # Check the length first. All further steps take longer for a longer text, so a very long text must not reach
    # them.
    if len(text) > MAX_COMMAND_LENGTH:
        raise _too_long()
    with_mentions = _without_name_of_command(text_with_mentions(text))
    typed = name_mentions(with_mentions)
    if not typed:
        return Plain.HOME
    if _KEY_LINE.match(typed.lstrip(_QUOTES)):
        return KeySet(line=typed.strip(_QUOTES))
    first_word, rest = [*typed.split(maxsplit=1), ""][:2]
    _, rest_with_mentions = [*with_mentions.split(maxsplit=1), ""][:2]
    name = _name_of(first_word)
    if name == "give" and _GIVE_ME.match(rest):
        name = None
    try:
        if name is None and not looks_like_request(with_mentions, catalog):
            raise _unknown_command(first_word, rest)
        command = _parse_named(name, rest_with_mentions if name else with_mentions, catalog, context)
    except Mistake as mistake:
        sentence = read_sentence(typed, context, vocabulary_of(catalog))
        meant = None if _is_precise(name, sentence) else _meant(sentence, catalog, context)
        if meant is None:
            raise mistake from None
        return meant
    if isinstance(command, Get) and first_word.lower() not in _BUYING_WORDS:
        return changed(command, now=False)
    return command


def _parse_named(name: str | None, rest: str, catalog: Catalog, context: ParseContext) -> Command:
    """Parse the arguments of the command `name`, or a request if `name` is None.

    `rest` is the text after the name. Mentions of people in it are still in Slack's format.
    """
    if name in {None, "get"} and rest.strip():
        return parse_request(rest, catalog, context, after_verb=name is not None)
    if name == "wait":
        return _parse_wait(rest, catalog, context)
    if name in _WITH_PEOPLE:
        return _WITH_PEOPLE[name](rest)
    if name != "key" and normalize_within(name_mentions(rest), MAX_LENGTH) is None:
        raise _too_long()
    return _PARSERS[name or "get"](name_mentions(rest), context)


def _is_precise(name: str | None, sentence: Sentence) -> bool:
    """Return whether a text with a mistake is certainly meant as a request, or as the command with this name.

    If so, the error message for the mistake is the best answer. If not, the text may be a sentence that happens to
    begin with a command's name, such as `end it tomorrow`.
    """
    if name in {"get", "wait"}:
        return name == "wait" or sentence.names_gpu or sentence.meant in _ABOUT_GPUS
    if name in {None, "list"}:
        return sentence.names_gpu and (sentence.text[:1].isdigit() or sentence.meant in _ABOUT_GPUS)
    if sentence.meant == "longer":
        return name != "keep" and (name != "extend" or sentence.id is not None)
    return name not in {*_OF_RENTAL, "keep"} or any(map(str.isdigit, sentence.text))


def _meant(sentence: Sentence, catalog: Catalog, context: ParseContext) -> Command | None:
    """Return the command with the same meaning as a sentence, or None if its meaning is unknown."""
    first_word, _, rest = sentence.text.partition(" ")
    name = _name_of(first_word)
    if name in _HARMLESS:
        with suppress(Mistake):
            return _parse_named(name, rest, catalog, context)
    match sentence.meant:
        case "":
            return None
        case "longer":
            return Longer(id=sentence.id, duration=sentence.longer, untils=sentence.untils)
        case "wait" if sentence.names_gpu:
            _, _, wanted = re.split(r"\b(when|once|if|as soon as)\b", sentence.text, maxsplit=1)
            return _parse_wait(_AVAILABLE.sub("", wanted), catalog, context)
        case topic if topic in {*Topic, "wait"}:
            return About(topic=Topic.TIME if topic == "wait" else Topic(topic), id=sentence.id)
        case name:
            return _parse_named(name, (sentence.id or "") if name in _OF_RENTAL else "", catalog, context)


def _parse_wait(rest: str, catalog: Catalog, context: ParseContext) -> Command:
    if not rest.strip():
        raise Mistake("What do you want to wait for? Try: /gpu wait 8x H200 EU under $3 per GPU until fri")
    return parse_request(rest, catalog, context, waiting=True)


def command_text(command: Command, typed: str, *, default_lease: timedelta, zone: str) -> str:
    """Return the text that a person in `zone` would type after `/gpu` for `command`.

    `typed` is the text that the command was parsed from.
    """
    match command:
        case Get(request=request, any_time=any_time) | Wait(request=request, any_time=any_time) if (
            not request.teammates
        ):
            verb, until = ("wait", command.until) if isinstance(command, Wait) else ("get", None)
            waits = [f"until {end_text(until, zone)}"] if until else []
            waits += ["any time"] if any_time else []
            written = request_text(request, default_lease=default_lease, zone=zone, more=waits)
            return f"{verb} {written}"
        case ListRentals(all=everyone):
            return "list all" if everyone else "list"
        case ListTokens(all=everyone):
            return "token list all" if everyone else "token list"
        case TokenForCode(code=code):
            return f"token {code}"
        case Show(id=rental_id) | Ssh(id=rental_id) | Destroy(id=rental_id):
            return " ".join(filter(None, (type(command).__name__.lower(), rental_id)))
        case KeySet():
            return "key"
        case Plain():
            return command.value or "help"
    return one_line(_without_name_of_command(plain_text(typed)), MAX_LENGTH)


def is_destroy(text: str) -> bool:
    """Return whether a text, as Slack sent it, begins with `destroy` or another name of this command."""
    words = _without_name_of_command(text[:200]).split(maxsplit=1)
    return bool(words) and _name_of(words[0]) == "destroy"


def _name_of(first_word: str) -> str | None:
    normalized = normalize(first_word).lower() if len(first_word) <= MAX_NAME_LENGTH else ""
    return _NAME_OF_ALIAS.get(first_word.lower()) or _NAME_OF_ALIAS.get(normalized)


def _without_name_of_command(text: str) -> str:
    """Return a text without a leading `/gpu`."""
    text = text.strip()
    while text[:4].lower() == "/gpu" and not text[4:5].strip():
        text = text[4:].strip()
    return text


def _too_long() -> Mistake:
    return Mistake("That's too long. /gpu help shows what I understand.")


def _unknown_command(first_word: str, rest: str) -> Mistake:
    word = normalize(first_word[:MAX_NAME_LENGTH]).lower()
    nearest = tuple(name for name, typos in _MAX_TYPOS.items() if OSA.distance(word, name) <= typos)
    if not nearest:
        hint = "/gpu list shows your machines, /gpu help all commands."
        return RequestMistake(f'I don\'t know the command "{short(first_word)}". {hint}')
    rental_id = rest.strip().lower()
    takes_id = nearest[0] in {*_OF_RENTAL, "keep"} - {"ssh"}
    suggestion = f"{nearest[0]} {rental_id if ID.fullmatch(rental_id) else 'k7mq2'}" if takes_id else nearest[0]
    hint = f"Similar: {', '.join(nearest)}. Try: /gpu {suggestion}, or /gpu help"
    return Mistake(f'I don\'t know the command "{short(first_word)}". {hint}')


# --- the arguments of each command


def _parse_key(rest: str, _: ParseContext) -> Command:
    line = re.sub(r"^(?:set|add|is|=)\s+", "", rest.strip(), flags=re.IGNORECASE).strip(_QUOTES)
    github = _FROM_GITHUB.fullmatch(line)
    if github is not None:
        return KeyFromGithub(name=read_github_name(github["name"]) or None)
    return Plain.KEYS if line.lower() in {"", "show", "list", "set", "add"} else KeySet(line=line)


def read_github_name(typed: str) -> str:
    """Return the user name from a text such as `@ana-dev` or `https://github.com/ana-dev.keys`.

    The name isn't validated.
    """
    name = _GITHUB_ADDRESS.sub("", typed.strip().strip(_QUOTES).strip())
    return name.removeprefix("@").removesuffix("/").removesuffix(".keys")


def _parse_list(rest: str, _: ParseContext) -> Command:
    words = normalize(rest).lower().split()
    everyone = {"all", "everyone", "everybody", "everything", "team", "--all", "-a"}
    for word in words:
        if word not in everyone | {"mine", "my", "me", "rentals", "gpus", "of", "the"}:
            raise Mistake(f'I don\'t know "{short(word)}" here. Try: /gpu list, or /gpu list all')
    return ListRentals(all=any(word in everyone for word in words))


_CODE = re.compile(r"[A-Z0-9]{8}", re.ASCII)
"""The form of a login's code. No code contains digits, but the answer to a wrong code says what to do."""
_BETWEEN_LETTERS = re.compile(r"[\W_]+")


def _parse_token(rest: str, _: ParseContext) -> Command:
    words = normalize(rest).lower().split()
    if words in ([], ["new"]):
        return Plain.NEW_TOKEN
    if words[0] == "list" and words[1:] in ([], ["all"]):
        return ListTokens(all=words[1:] == ["all"])
    code = _BETWEEN_LETTERS.sub("", "".join(words)).upper()
    if _CODE.fullmatch(code) and words[0] != "list":
        return TokenForCode(code=code)
    hint = "Try: /gpu token, /gpu token list, or /gpu token and the 8 letters of a code"
    raise Mistake(f'I don\'t know "{short(rest.strip())}" here. {hint}')


_OWN, _TEAM = {"me", "my", "mine", "i", "myself"}, {"team", "all", "everyone", "us", "we"}
_PROJECT = re.compile(r"\bproject\s+[`'\"“*]*(?P<name>[a-z0-9][\w-]{0,40})[`'\"”*]*", re.IGNORECASE | re.ASCII)
_SPEND_FILLERS = {"for", "of", "in", "the", "this", "so", "far", "by"}


def parse_spend(rest: str, _: ParseContext) -> Spend:
    """Parse the arguments of `spend`.

    Raises Mistake if a word has no meaning there.
    """
    # Read the project's name before `normalize` is called. That function takes underscores for formatting and
    # removes them, but a project's name may contain underscores.
    named = _PROJECT.search(rest)
    kind, project = (ScopeKind.PROJECT, named["name"]) if named else (None, "")
    others = rest[: named.start()] + " " + rest[named.end() :] if named else rest
    words = [word for word in normalize(others).split() if word.lower() not in _SPEND_FILLERS]
    period = None
    while words:
        word = words.pop(0)
        found = word.lower()
        if found == "last" and words and words[0].lower() == PeriodKind.MONTH:
            found = f"last {words.pop(0).lower()}"
        if is_period(found) and period is None:
            period = found
        elif kind is None and found in _OWN | _TEAM:
            kind = ScopeKind.PERSON if found in _OWN else ScopeKind.TEAM
        else:
            raise Mistake(
                f'I don\'t know "{short(word)}" here. '
                "Try: /gpu spend, /gpu spend me today, or /gpu spend project vision 2026-10"
            )
    return Spend(kind=kind or ScopeKind.TEAM, project=project, period=period or PeriodKind.MONTH)


Parser = Callable[[str, ParseContext], Command]
"""A function that parses the text after a command's name."""


def _id_parser(command: type[Show | Ssh | Destroy]) -> Parser:
    """Return the parser of a command whose only argument is the ID of a rental. The ID may be left out."""
    return lambda rest, _: command(id=read_id(rest, command.__name__.lower()))


def _parse_policy(rest: str, _: ParseContext) -> Command:
    words = normalize(rest).lower().split()
    if words in ([], ["show"]):
        return Plain.POLICY
    if words == ["reload"]:
        return Plain.RELOAD_POLICY
    raise Mistake(f'I don\'t know "{short(rest.strip())}" here. Try: /gpu policy, or /gpu policy reload')


def _parse_away(rest: str, context: ParseContext) -> Command:
    """Parse the arguments of `away`: a day or a time until which the approver is away, or `off`.

    Raises Mistake for any other text.
    """
    words = normalize(rest).lower().strip()
    if words in {"off", "back", "over", "end", "no"}:
        return Plain.BACK
    if words and not words.startswith(("until", "till", "til")):
        words = f"until {words}"
    found = UNTIL.fullmatch(words)
    if found is None or not found["end"]:
        raise Mistake("Until when? Try: /gpu away until mon, or /gpu away off")
    try:
        return Away(until=parse_day(found["end"], context.now, context.zone, context.rules.hours.time[0]))
    except UnclearEnd as unclear:
        raise Mistake(unclear.said("/gpu away until ")) from None


def _parse_share(rest: str) -> Command:
    mentioned = take_people(rest)
    rental_id = read_id(mentioned.text, "share")
    check_people(mentioned, f"/gpu share {rental_id}" if rental_id else "/gpu share")
    return Share(id=rental_id, people=mentioned.people)


def _parse_give(rest: str) -> Command:
    mentioned = take_people(rest)
    rental_id = read_id(mentioned.text, "give")
    command = f"/gpu give {rental_id or 'k7mq2'}"
    check_people(mentioned, command)
    if len(mentioned.people) != 1:
        who = "A machine can be given to one person only." if mentioned.people else "Who gets the machine?"
        raise Mistake(f"{who} Type {command}, then @, and pick a name.")
    return Give(id=rental_id, to=mentioned.people[0])


def _no_argument_parser(command: Plain, about: str) -> Parser:
    def parse(rest: str, _: ParseContext) -> Command:
        if rest.strip():
            raise Mistake(f"/gpu {command.value} takes nothing else: {about}. Try: /gpu {command.value}")
        return command

    return parse


def _parse_pause(rest: str, _: ParseContext) -> Command:
    """Parse the reason after `pause`, which may be empty.

    Raises Mistake if the reason is a rental's ID. In this case, the person wants to pause a single rental, which
    isn't possible.
    """
    reason = one_line(rest.strip().lstrip("-\u2014"), LONGEST_REASON)
    if ID.fullmatch(reason.lower()):
        raise Mistake("/gpu pause takes only a reason, because it pauses all buying. Try: /gpu pause")
    return Pause(reason=reason)


_PARSERS: dict[str, Parser] = {
    "get": lambda _rest, _given: Plain.GET_FORM,
    "key": _parse_key,
    "list": _parse_list,
    "show": _id_parser(Show),
    "ssh": _id_parser(Ssh),
    "destroy": _id_parser(Destroy),
    "extend": lambda rest, context: Extend(**dict(read_extension(rest, context))),
    "keep": lambda rest, context: Keep(
        **read_duration(rest, "keep", context.rules.lease.max).model_dump(exclude={"until"})
    ),
    "spend": parse_spend,
    "again": _no_argument_parser(Plain.AGAIN, "it looks again for your last request"),
    "catalog": lambda _rest, _given: Plain.CATALOG,
    "probe": _no_argument_parser(Plain.PROBE, "it shows the scripts that run on machines for me"),
    "policy": _parse_policy,
    "away": _parse_away,
    "pause": _parse_pause,
    "token": _parse_token,
    "resume": _no_argument_parser(Plain.RESUME, "it ends the pause for everyone"),
    "help": lambda _rest, _given: Plain.HELP,
}
_WITH_PEOPLE: dict[str | None, Callable[[str], Command]] = {"share": _parse_share, "give": _parse_give}
"""The parsers of the commands that mention people."""

# --- texts of /gpu help

HELP = (
    (
        "/gpu get H100 EU",
        "shows offers. Also: 8xH100, spot, under $3/GPU/h, for 6h, until fri 18:00, from nebius, -- a note",
    ),
    (
        "/gpu get H100 for 6h up to 12h",
        "ends after 6 h, or 12 h at the latest if its GPUs are busy",
    ),
    (
        "/gpu get H100 until done up to 12h",
        "ends when the job that you start with gpubot-run is done, or after 12 h",
    ),
    (
        "/gpu get H100 keep-if-failed",
        "keeps it until your next hours if its /root/on-ending.sh fails before the end",
    ),
    ("/gpu get H100 EU now", "rents the cheapest at once if it needs no approval and I understood every word"),
    (
        "/gpu get H100 at 9:00 tomorrow for 8h",
        "offers to rent it at that time; /gpu wait 8x H200 under $3/GPU/h until fri waits for an offer",
    ),
    ("/gpu again", "shows offers for your last request again"),
    ("/gpu list", "your machines and requests; /gpu list all shows everyone's"),
    ("/gpu show k7mq2", "a machine and its history; if you have only one, leave out the ID here and below"),
    ("/gpu ssh k7mq2", "how to log in, with lines for ~/.ssh/config, VS Code and Jupyter"),
    ("/gpu share k7mq2 @ben", "lets Ben log in too; to share from the start: /gpu get H100 EU with @ben"),
    ("/gpu give k7mq2 @ben", "offers it to Ben, who has an hour to take it and pays from then on"),
    ("/gpu extend k7mq2 2h", "a later end; also: until 18:00. /gpu keep k7mq2 says that it's still needed"),
    ("/gpu destroy k7mq2", "ends it and deletes everything on its disk"),
    ("/gpu spend", "what was spent this month; also: me, project vision, today, week, last month, 2026-10"),
    ("/gpu key", "your SSH keys; /gpu key ssh-ed25519 AAAA... adds one, /gpu key github ana-dev finds yours"),
    ("/gpu probe", "what I check on a machine, and the scripts for that; no-probe in a request switches it off"),
    (
        "/gpu token",
        "lets a program rent for you within terms that you set; /gpu token KTRWXQMB takes a program's code, "
        "/gpu token list shows your tokens",
    ),
    ("/gpu policy", "the team's rules in words"),
    ("/gpu catalog", "GPUs, vendors, regions, contracts, projects and setups that you can name"),
)
APPROVER_HELP = (
    ("/gpu away until mon", "you won't be asked about requests until then; /gpu away off ends that"),
    ("/gpu token list all", "everyone's tokens, each with a button that stops it"),
)
ADMIN_HELP = (
    (
        "/gpu pause bill check",
        'pauses buying, for the reason "bill check"; machines can still be destroyed. /gpu resume ends the pause',
    ),
    ("/gpu policy reload", "reads the policy file again"),
)


def help_for(roles: Roles) -> tuple[tuple[str, str], ...]:
    """Return the commands that `/gpu help` shows to a person with these roles, each with its explanation."""
    return (*HELP, *(APPROVER_HELP if roles.approver else ()), *(ADMIN_HELP if roles.admin else ()))
