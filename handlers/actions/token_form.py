"""The form for an API token: its dialog, and the last step, which is the only place that shows the secret.

If the person opened the form with the code of a program, the secret goes to this program, and nobody else sees it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from decimal import Decimal

from bot.errors import MarketAway, Mistake, Refused, WrongTerm
from bot.lifecycle.actions import action as actions
from bot.lifecycle.actions import logins, tokens
from bot.lifecycle.deps import TOKEN_ID_LENGTH
from bot.model.base import changed
from bot.model.budget import UNASSIGNED
from bot.model.login import Login
from bot.model.money import in_dollars, micros
from bot.model.offer import Catalog
from bot.model.person import Person
from bot.model.text import rough_span, say_at_most, say_rate, say_span, span
from bot.model.token import Access, BeyondTerms, TokenTerms, WhenLost
from bot.policy.buying.budgets import project_of, projects_to_name, rules_of_project
from bot.policy.team.hours import zone_of
from bot.policy.team.roles import check_user
from bot.policy.team.rules import Rules
from bot.policy.team.token_terms import LONGEST_NAME, end_of_day, last_day_at_most
from handlers.actions.calling import below, on
from handlers.ids import (
    NO_VALUE,
    Action,
    Callback,
    CodeValue,
    Field,
    LoginValue,
    NewTokenValue,
    NoValue,
    TokenValue,
)
from handlers.listeners.context import Context
from handlers.listeners.interaction import InteractionKind, OpenModal, Outcome, Reply, UserInteraction
from handlers.messages import replies
from handlers.messages.tokens import needs_approver, terms_text, token_name
from handlers.phrases import blocks
from handlers.phrases.blocks import Json, Modal, button, option
from handlers.phrases.format import Reader, escape, join, limit, limit_per_hour, literal, sentence
from handlers.phrases.rental_text import asked_for, gpu
from handlers.phrases.tables import code_blocks
from handlers.typed.token_form import (
    NO_HEARTBEAT,
    NO_PROJECT,
    at_its_input,
    last_day,
    model_value,
    read_token_form,
)

ABOUT = (
    "A token lets a program rent for you without a click, within these terms. You pay for its machines, and you "
    "get their messages."
)
NO_API = (
    "Programs can't use tokens yet, because the REST API is off. To switch it on, an admin sets GPUBOT_API and "
    "restarts me."
)
PROGRAM_BYTES, HOST_BYTES, ADDRESS_BYTES = 24, 48, 57
"""The maximum lengths of a program, its machine and its address in the warning at the top of the form, in bytes.

With these lengths, the warning is never cut (`blocks.ALERT_TEXT`), so its last sentence is always shown. An IPv6
address has up to 39 characters, and `escape` adds up to six invisible ones.
"""
USUALLY = timedelta(days=7)
"""The form proposes the day after this time as the last day of a token."""
AT_ONCE, A_DAY = 2, 6
_ACCESS = ((Access.RENT, "Rent machines"), (Access.LOOK, "Only look at offers and at your machines"))
_BEYOND = ((BeyondTerms.REFUSE, "Refuse them"), (BeyondTerms.ASK, "Ask an approver"))
_LOST = (
    (NO_HEARTBEAT, "It sends no heartbeats"),
    (WhenLost.TELL, "Tell me"),
    (WhenLost.END, "End the machine, unless its GPUs are working"),
    (WhenLost.END_IF_BUSY, "End the machine, even if its GPUs are working"),
)


def proposed_terms(person: Person, channel: str, rules: Rules, now: datetime) -> TokenTerms:
    """Return the terms that the form for a new token shows at first. They need no approver.

    `channel` is the Slack ID of the channel in which the person opened the form.
    """
    project, zone = project_of(person, None, channel, rules), zone_of(person.tz, rules)
    alone, limits = rules_of_project(rules, project).auto_approve, rules.limits
    day = min((now + USUALLY).astimezone(zone).date(), last_day_at_most(zone, rules, now))
    return TokenTerms(
        access=Access.RENT,
        project=project,
        per_hour=min(alone.per_hour, limits.team_per_hour),
        total=micros(alone.total),
        at_once=min(AT_ONCE, limits.per_person_rentals),
        per_day=A_DAY,
        longest=rules.lease.default,
        until=end_of_day(day, zone),
    )


def form_dialog(
    catalog: Catalog | None,
    reader: Reader,
    token_id: str,
    terms: TokenTerms,
    *,
    projects: Sequence[str] = (),
    name: str | None = None,
    login: Login | None = None,
    api_is_on: bool = True,
) -> Modal:
    """Return the form for a new token, or for new terms of a token.

    Args:
        catalog: The GPUs to choose from. If None, the form has a text input for them.
        reader: The owner of the token.
        token_id: The ID of the token. A new token gets this ID even if its form is submitted twice.
        terms: The terms that the form shows at first.
        projects: The projects that the owner can charge.
        name: The name of the token whose terms are changed. None for a new token.
        login: The login of the program that gets the secret of the new token. None if the owner gets it.
        api_is_on: Whether programs can send requests to the bot.
    """
    rules, zone = reader.rules, zone_of(reader.zone, reader.rules)
    value = TokenValue(token_id=token_id)
    value_of_new = value if login is None else LoginValue(token_id=token_id, login_id=login.id)
    inputs = (
        _project_select(terms.project, projects),
        _choice(Field.ACCESS, "The program may", _ACCESS, terms.access),
        _models(catalog, terms),
        _amount(Field.PER_HOUR, "Most dollars an hour, for all its machines", terms.per_hour, _alone(rules)[0]),
        _amount(Field.TOTAL, "Most dollars in all", in_dollars(terms.total), _alone(rules)[1]),
        blocks.text_input(Field.AT_ONCE, "Machines at once", value=str(terms.at_once), longest=6),
        blocks.text_input(Field.PER_DAY, "Machines a day", value=str(terms.per_day), longest=6),
        blocks.text_input(
            Field.LONGEST,
            "Longest lease",
            value=say_span(terms.longest),
            hint="Including extensions, such as 90m, 4h or 2d",
            longest=40,
        ),
        blocks.day_input(
            Field.LAST_DAY,
            "Last day",
            chosen=last_day(terms.until, zone),
            hint=f"Its machines end by then. At most {span(rules.tokens.longest)} from now.",
        ),
        _choice(Field.BEYOND, "Requests beyond these terms", _BEYOND, terms.beyond),
        _choice(Field.LOST, "If its heartbeat is lost", _LOST, terms.lost or NO_HEARTBEAT),
    )
    if name is None:
        named = blocks.text_input(
            Field.TOKEN_NAME,
            "Name",
            hint="People see this name on the token's machines. Example: nightly eval",
            longest=LONGEST_NAME,
        )
        return blocks.modal(
            Callback.NEW_TOKEN,
            "New token",
            None if login is None else blocks.alert(who_asked(login, reader.now)),
            blocks.section(ABOUT),
            None if api_is_on else blocks.alert(NO_API),
            named,
            *inputs,
            submit="Make token",
            value=value_of_new,
        )
    effect = (
        f"*{token_name(name)}*: terms that allow less apply at once. If terms that allow more need approval, "
        "the present terms stay in force until somebody decides."
    )
    return blocks.modal(
        Callback.CHANGE_TOKEN, "Change token", blocks.section(effect), *inputs, submit="Change", value=value
    )


def who_asked(login: Login, now: datetime) -> str:
    """Return the warning that begins the form of a login. Only this person can tell whether the program is theirs.

    An example is `gpubot on build-7 (203.0.113.9) asked for a token 40 s ago. Continue only if you started it.`
    """
    address, ago = blocks.cut(escape(login.address), ADDRESS_BYTES), rough_span(now - login.created_at)
    return f"{program_on(login)} ({address}) asked for a token {ago} ago. Continue only if you started it."


def program_on(login: Login) -> str:
    """Return the names of the program and the machine that began a login, such as `gpubot on build-7`."""
    program, host = blocks.cut(escape(login.program), PROGRAM_BYTES), blocks.cut(escape(login.host), HOST_BYTES)
    return f"{program} on {host}"


def _alone(rules: Rules) -> tuple[str, str]:
    """Return the hints for the hourly price and the total. They are empty if the limits depend on the project."""
    if any(project.auto_approve is not None for project in rules.projects.values()):
        return "", ""
    alone = rules.auto_approve
    per_hour, total = limit_per_hour(alone.per_hour), limit(alone.total)
    return f"More than {per_hour} needs approval.", f"More than {total} needs approval."


def _choice(field: Field, label: str, options: Iterable[tuple[str, str]], chosen: str) -> Json:
    return blocks.select(field, label, [option(text, value) for value, text in options], chosen=chosen)


def _amount(field: Field, label: str, amount: Decimal, hint: str) -> Json:
    return blocks.text_input(field, label, value=say_rate(amount).removeprefix("$"), hint=hint, longest=20)


def _project_select(chosen: str, projects: Sequence[str]) -> Json | None:
    """Return the menu of projects, or None if there is nothing to choose."""
    known = [name for name in dict.fromkeys([chosen, *projects]) if name != UNASSIGNED]
    if not known:
        return None
    options = [option("No project", NO_PROJECT), *(option(escape(name, 40), name) for name in known)]
    return blocks.select(Field.PROJECT, "Project", options, chosen=NO_PROJECT if chosen == UNASSIGNED else chosen)


def _models(catalog: Catalog | None, terms: TokenTerms) -> Json:
    """Return the input for the GPUs. It can be left empty, because a token that can only look needs no GPUs."""
    if catalog is None:
        typed = ", ".join(terms.models)
        hint = "Such as: H100, L40S"
        return blocks.text_input(Field.MODELS, "GPUs", value=typed, hint=hint, longest=400, required=False)
    names = dict.fromkeys([*terms.models, *catalog.gpus])
    options = [option(gpu(name), model_value(name)) for name in names]
    chosen, hint = [model_value(name) for name in terms.models], "Not needed if the program may only look"
    return blocks.several(Field.MODELS, "GPUs", options, chosen=chosen, hint=hint, required=False)


def last_step(made: tokens.TokenMade, rules: Rules) -> Modal:
    """Return the last step of the form. It is the only place in which the secret of a token is ever shown.

    If the program of a login gets the secret, the last step doesn't show it.
    """
    token, terms, shown = made.token, made.token.newest_terms, []
    can = "see offers and your machines"
    if terms.access is Access.RENT:
        can = f"spend up to {say_at_most(terms.total)} in your name"
    if made.login is not None:
        gets_it = f"{program_on(made.login)} can now fetch its token, and {can}."
        only = "Nobody else can read the secret, which was never in Slack."
        lost = "If the program has stopped waiting, nobody can use the token, so stop it: /gpu token list"
        shown = [blocks.section(f"{gets_it} {only} {lost}")]
    elif made.secret is not None:
        careful = f"Anyone who has it can {can}, so keep it out of messages and code."
        shown = code_blocks([literal(made.secret.get_secret_value())])
        shown.append(blocks.section(f"You see this secret only once. {careful}"))
    dead = ""
    if token.terms is None:
        why = needs_approver(terms, rules)
        dead = f"It won't work until an approver agrees{f', because {why}' if why else ''}."
        dead = f"{dead} {sentence(asked_for(made.asked))}"
    return blocks.modal(
        Callback.NOTICE,
        token_name(token.name),
        *shown,
        blocks.section(dead) if dead else None,
        submit=None,
        close="Close",
        value=NO_VALUE,
    )


async def open_form(context: Context, interaction: UserInteraction, _: NoValue = NO_VALUE) -> Outcome:
    """Open the form for a new token.

    The ID of the token is made now. So if the response to the first submission is lost and the person submits the
    form again, there is still only one token. Raises Refused if the person isn't allowed to use the bot.
    """
    check_user(interaction.person, context.deps.rules)
    return OpenModal(modal=_new_form(context, interaction, context.deps.new_id(TOKEN_ID_LENGTH)))


async def open_for_code(context: Context, interaction: UserInteraction, value: CodeValue) -> Outcome:
    """Open the form for a new token whose secret goes to the program that shows a code.

    From then on, nobody else can use the code.

    Raises:
        Mistake: The code is wrong.
        Refused: The person isn't allowed to use the bot, or has typed too many wrong codes.
    """
    person, deps = interaction.person, context.deps
    monotonic = deps.clock.monotonic()
    seconds = context.codes.wait(person.id, monotonic, record=False)
    if seconds:
        raise Refused(f"Ten wrong codes in 10 min is the limit. You can type another one in {seconds} s.")
    try:
        login = await logins.login_of_code(deps, person, value.code)
    except Mistake:
        context.codes.wait(person.id, monotonic)
        raise
    if interaction.kind is InteractionKind.MESSAGE:
        # Slack opens dialogs only after a click or a slash command.
        opens = button("Make a token for it", Action.TOKEN_FOR_CODE, value, about=value.code)
        return Reply(content=replies.reply(who_asked(login, deps.clock.now()), opens))
    return OpenModal(modal=_new_form(context, interaction, login.token_id or "", login))


def _new_form(context: Context, interaction: UserInteraction, token_id: str, login: Login | None = None) -> Modal:
    person, deps = interaction.person, context.deps
    return form_dialog(
        context.catalog(),
        context.reader(person),
        token_id,
        proposed_terms(person, interaction.origin.channel, deps.rules, deps.clock.now()),
        projects=projects_to_name(person, deps.rules),
        login=login,
        api_is_on=deps.listens_since is not None,
    )


async def make(context: Context, interaction: UserInteraction, value: NewTokenValue) -> Outcome:
    """Make a token, and show the last step of the form.

    The secret is only in the response to the submission. If that response is lost, the person submits the form
    again, and gets a new secret for the same token. If the form belongs to a login, the secret isn't in the
    response, because the program gets it.
    """
    person, deps = interaction.person, context.deps
    login_id = value.login_id if isinstance(value, LoginValue) else None
    with below(Field.MODELS, MarketAway):
        form = read_token_form(interaction.inputs, context.known_catalog(), zone_of(person.tz, deps.rules))
    try:
        action = tokens.MakeToken(form.name, form.terms, value.token_id, login_id)
        made = await actions.carry_out(deps, person, action)
    except WrongTerm as wrong:
        raise at_its_input(wrong) from None
    return OpenModal(modal=last_step(made, deps.rules))


async def open_change(context: Context, interaction: UserInteraction, value: TokenValue) -> Outcome:
    """Open the form with the newest terms of a token, to change them.

    Raises Refused if the person isn't the token's owner, and TooLate if the token is over.
    """
    person, deps = interaction.person, context.deps
    token = await tokens.token_to_change(deps, person, value.token_id)
    terms = token.newest_terms
    if terms.access is Access.LOOK:
        # These terms contain no amounts. Propose the usual ones, in case the owner now lets the program rent.
        proposed = proposed_terms(person, interaction.origin.channel, deps.rules, deps.clock.now())
        terms = changed(proposed, access=Access.LOOK, until=terms.until)
    form = form_dialog(
        context.catalog(),
        context.reader(person),
        token.id,
        terms,
        projects=projects_to_name(person, deps.rules),
        name=token.name,
    )
    return OpenModal(modal=form)


async def change(context: Context, interaction: UserInteraction, value: TokenValue) -> Outcome:
    """Change the terms of a token, or ask the approvers about more generous ones."""
    person, deps = interaction.person, context.deps
    token = await tokens.token_to_change(deps, person, value.token_id)
    with below(Field.MODELS, MarketAway):
        catalog = context.known_catalog()
    form = read_token_form(interaction.inputs, catalog, zone_of(person.tz, deps.rules), token.newest_terms)
    try:
        done = await actions.carry_out(deps, person, tokens.ChangeToken(token.id, form.terms))
    except WrongTerm as wrong:
        raise at_its_input(wrong) from None
    return Reply(content=replies.reply(changed_text(done, context.reader(person))))


def changed_text(done: tokens.TokenChanged, reader: Reader) -> str:
    """Return the answer to an owner who changed the terms of a token."""
    token, name, times = done.token, token_name(done.token.name), reader.times
    if token.requested is None:
        return f"Changed: {name} {terms_text(token.newest_terms, times)}."
    why = needs_approver(token.requested.terms, reader.rules)
    asked = sentence(asked_for(done.asked))
    wait = f"The new terms of {name} need approval{f', because {why}' if why else ''}. {asked}"
    until = "It won't work until somebody approves them."
    if token.terms is not None:
        until = f"Until somebody decides, the present terms apply, and the token {terms_text(token.terms, times)}."
    return join(wait, until)


ON = (
    on(Action.NEW_TOKEN, open_form),
    on(Action.TOKEN_FOR_CODE, open_for_code),
    on(Action.CHANGE_TOKEN, open_change),
    on(Callback.NEW_TOKEN, make),
    on(Callback.CHANGE_TOKEN, change),
)
