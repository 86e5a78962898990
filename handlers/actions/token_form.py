"""The form for an API token: its dialog, and the last step, which is the only place that shows the secret."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from decimal import Decimal

from bot.errors import MarketAway, WrongTerm
from bot.lifecycle.actions import action as actions
from bot.lifecycle.actions import tokens
from bot.lifecycle.deps import TOKEN_ID_LENGTH
from bot.model.base import changed
from bot.model.budget import UNASSIGNED
from bot.model.money import in_dollars, micros
from bot.model.offer import Catalog
from bot.model.person import Person
from bot.model.text import say_at_most, say_rate, say_span, span
from bot.model.token import Access, BeyondTerms, TokenTerms, WhenLost
from bot.policy.buying.budgets import project_of, projects_to_name, rules_of_project
from bot.policy.team.hours import zone_of
from bot.policy.team.roles import check_user
from bot.policy.team.rules import Rules
from bot.policy.team.token_terms import LONGEST_NAME, end_of_day, last_day_at_most
from handlers.actions.calling import below, on
from handlers.ids import NO_VALUE, Action, Callback, Field, NoValue, TokenValue
from handlers.listeners.context import Context
from handlers.listeners.interaction import OpenModal, Outcome, Reply, UserInteraction
from handlers.messages import replies
from handlers.messages.tokens import needs_approver, terms_text, token_name
from handlers.phrases import blocks
from handlers.phrases.blocks import Json, Modal, option
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
        api_is_on: Whether programs can send requests to the bot.
    """
    rules, zone = reader.rules, zone_of(reader.zone, reader.rules)
    value = TokenValue(token_id=token_id)
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
            blocks.section(ABOUT),
            None if api_is_on else blocks.alert(NO_API),
            named,
            *inputs,
            submit="Make token",
            value=value,
        )
    effect = (
        f"*{token_name(name)}*: terms that allow less apply at once. If terms that allow more need approval, "
        "the present terms stay in force until somebody decides."
    )
    return blocks.modal(
        Callback.CHANGE_TOKEN, "Change token", blocks.section(effect), *inputs, submit="Change", value=value
    )


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


def secret_dialog(made: tokens.TokenMade, rules: Rules) -> Modal:
    """Return the last step of the form. It is the only place in which the secret of a token is ever shown.

    Raises ValueError if only a program can read the secret.
    """
    if made.secret is None:
        raise ValueError("only the program can read this secret")
    token, terms = made.token, made.token.newest_terms
    can = "see offers and your machines"
    if terms.access is Access.RENT:
        can = f"spend up to {say_at_most(terms.total)} in your name"
    dead = ""
    if token.terms is None:
        why = needs_approver(terms, rules)
        dead = f"It won't work until an approver agrees{f', because {why}' if why else ''}."
        dead = f"{dead} {sentence(asked_for(made.asked))}"
    return blocks.modal(
        Callback.NOTICE,
        token_name(token.name),
        *code_blocks([literal(made.secret.get_secret_value())]),
        blocks.section(
            f"You see this secret only once. Anyone who has it can {can}, so keep it out of messages and code."
        ),
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
    person, deps = interaction.person, context.deps
    check_user(person, deps.rules)
    terms = proposed_terms(person, interaction.origin.channel, deps.rules, deps.clock.now())
    projects = projects_to_name(person, deps.rules)
    form = form_dialog(
        context.catalog(),
        context.reader(person),
        deps.new_id(TOKEN_ID_LENGTH),
        terms,
        projects=projects,
        api_is_on=deps.listens_since is not None,
    )
    return OpenModal(modal=form)


async def make(context: Context, interaction: UserInteraction, value: TokenValue) -> Outcome:
    """Make a token, and show its secret in the last step of the form.

    The secret is only in the response to the submission. If that response is lost, the person submits the form
    again, and gets a new secret for the same token.
    """
    person, deps = interaction.person, context.deps
    with below(Field.MODELS, MarketAway):
        form = read_token_form(interaction.inputs, context.known_catalog(), zone_of(person.tz, deps.rules))
    try:
        made = await actions.carry_out(deps, person, tokens.MakeToken(form.name, form.terms, value.token_id))
    except WrongTerm as wrong:
        raise at_its_input(wrong) from None
    return OpenModal(modal=secret_dialog(made, deps.rules))


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
    on(Action.CHANGE_TOKEN, open_change),
    on(Callback.NEW_TOKEN, make),
    on(Callback.CHANGE_TOKEN, change),
)
