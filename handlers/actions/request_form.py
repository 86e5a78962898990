"""The request form: its dialog, the line with the price of the current choices, and its submission."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import structlog

from bot.errors import GpubotError, MarketAway, NoTeammate
from bot.lifecycle.actions import quoting
from bot.model.money import cost
from bot.model.offer import Catalog, Offer
from bot.model.person import Person
from bot.model.quote import WaitlistEntry
from bot.model.request import Contract, Request
from bot.model.text import say_rate, say_span, span
from bot.policy.buying.budgets import projects_to_name
from bot.policy.team.roles import MOST_TEAMMATES
from bot.policy.team.rules import Hours, ProbeKind, Rules, WhenFailed
from bot.policy.use.leases import without_past_end
from handlers.actions.calling import below, on
from handlers.actions.offers import ask_for, changed_quote, channel_of
from handlers.directory import is_direct
from handlers.ids import NO_VALUE, PRICE, PRICE_AGAIN, Action, Callback, Field, FormValue, VersionValue
from handlers.listeners.context import Context
from handlers.listeners.interaction import OpenModal, Outcome, ShowPrice, UserInteraction, part, parts, text
from handlers.messages.offers import request_text
from handlers.phrases import blocks
from handlers.phrases.blocks import Json, Modal, option, section
from handlers.phrases.budget_text import cap_text
from handlers.phrases.ends import PATH, end_text
from handlers.phrases.error_text import error_text
from handlers.phrases.format import Reader, clean, dollars, escape, join, per_hour
from handlers.phrases.format import price as price_of
from handlers.phrases.rental_text import contract, gpu, vendor
from handlers.slack_api.web_api import NO_ANSWER, error_code
from handlers.typed.form import (
    ANY,
    ANY_TIME,
    BY_CHANNEL,
    KEEP_IF_FAILED,
    NO_PROBE,
    NO_SETUP,
    NOW,
    UNTIL_DONE,
    InvalidForm,
    read_form,
)

UPDATE_TIMEOUT = 3
"""Wall-clock seconds allowed for the call to Slack that updates the form."""

_log = structlog.get_logger("gpubot.handlers")


async def chosen(context: Context, interaction: UserInteraction) -> ShowPrice:
    """Return the request whose price the form should show. If there is no price, return the reason instead."""
    person = interaction.person
    if not interaction.inputs.get(Field.GPU):
        return ShowPrice(person=person, message=NOTHING_CHOSEN)
    catalog = context.catalog()
    if catalog is None:
        return ShowPrice(person=person, message=NO_CATALOG)
    now, zone = context.deps.clock.now(), person.tz
    try:
        get = read_form(interaction.inputs, catalog, context.deps.rules, now=now, zone=zone)
    except InvalidForm as invalid:
        return ShowPrice(person=person, message=escape(next(iter(invalid.errors.values())), 300))
    return ShowPrice(person=person, request=get.request)


async def show(context: Context, view: Mapping[str, Any], wanted: ShowPrice) -> None:
    """Look up the price of the current choices, and show it in the open form.

    `view` is the form as Slack sent it. If the form was closed or submitted during the lookup, or if the person
    changed another input, the form stays unchanged.
    """
    turn = context.forms.begin(text(view, "id"), text(view, "hash"))
    person, request = wanted.person, wanted.request
    message = wanted.message if request is None else await _price_message(context, person, request)
    updated = with_line(view, message)
    while updated is not None and context.forms.is_newest(turn):
        seen = turn.hash
        try:
            async with asyncio.timeout(UPDATE_TIMEOUT):
                answer = await context.client.views_update(view_id=turn.view_id, hash=seen, view=updated)
        except NO_ANSWER as error:
            # Slack refused to update the form. Usually its error is not_found, because the form was closed, or
            # hash_conflict, because the form was changed in the meantime. The bot itself may have changed the
            # form, to show the price of an earlier choice. In that case, try again with the new hash, which
            # identifies the current version of the form.
            if turn.hash != seen:
                continue
            _log.info("form.price_not_shown", user=person.id, error=error_code(error))
            return
        view_hash = text(part(answer.data if isinstance(answer.data, dict) else {}, "view"), "hash")
        context.forms.updated(turn, view_hash)
        return


async def _price_message(context: Context, person: Person, request: Request) -> str:
    if context.prices_asked.wait(person.id, context.deps.clock.monotonic()):
        return no_price(request, "you changed this form very often within a minute")
    try:
        offer = await quoting.cheapest(context.deps, context.prices, person, request)
    except MarketAway:
        return no_price(request, "Compute Clear hasn't responded")
    except GpubotError as problem:
        return error_text(problem)
    return price_text(request, offer)


NOTHING_CHOSEN = "Choose a GPU to see its price."
NO_CATALOG = "I don't have Compute Clear's catalog yet, so there are no lists to choose from. Type what you need."

_SENT_AGAIN = ("type", "callback_id", "title", "submit", "close", "private_metadata")
"""The fields of a view that every update of the view must contain, in addition to its blocks.

An update replaces the whole view. Slack also reports fields that must not be sent, such as the view's ID. See
docs.slack.dev/reference/views/modal-views.
"""


def price_line(text: str, block_id: str = PRICE) -> Json:
    """Return a block with the price, or with the reason why there is none."""
    return {**section(text), "block_id": block_id}


def looking(request: Request) -> str:
    """Return the text that the form shows while the market is queried."""
    return f"Looking up the price of {_wanted(request)}."


def price_text(request: Request, offer: Offer | None) -> str:
    """Return a text such as `*From $2.15/h, about $12.90* for 6 h: 1x H100 in EU, on demand, at Hyperstack`.

    The text repeats the request, because people continue to make choices while they read the price.
    """
    if offer is None:
        return f"Nobody offers this right now: {_wanted(request)}. You can still search for similar offers."
    if request.until_done:
        whole = f"up to about {dollars(cost(offer.rate, request.lease))} for the whole {span(request.lease)}"
        each = f" ({price_of(offer.gpu_rate)} per GPU)" if request.count > 1 else ""
        return f"*From {per_hour(offer.rate)}{each}*, {whole}: {_wanted(request)}, at {vendor(offer.vendor)}."
    longest = ""
    if request.longest > request.lease:
        longest = f" or {dollars(cost(offer.rate, request.longest))} for {span(request.longest)}"
    each = f" ({price_of(offer.gpu_rate)} per GPU)" if request.count > 1 else ""
    about = f"*From {per_hour(offer.rate)}{each}, about {dollars(cost(offer.rate, request.lease))}*"
    return f"{about} for {span(request.lease)}{longest}: {_wanted(request)}, at {vendor(offer.vendor)}."


def no_price(request: Request, why: str) -> str:
    """Return the text that the form shows if the price couldn't be looked up. `why` is the reason."""
    return f'I have no price for {_wanted(request)}, because {why}. You can continue: "Show offers" asks again.'


def with_line(view: Mapping[str, Any], text: str) -> Json | None:
    """Return an update of an open form, in which `text` replaces the shown price.

    `view` is the form as Slack sent it. The update contains the same inputs, so Slack keeps what the person has
    entered. None if the form shows no price. This happens if an older version of the bot opened it.
    """
    shown = parts(view, "blocks")
    if not any(block.get("block_id") == PRICE for block in shown):
        return None
    changed = [
        price_line(text, block["block_id"]) if block.get("block_id") in {PRICE, PRICE_AGAIN} else dict(block)
        for block in shown
    ]
    return {**{part: view[part] for part in _SENT_AGAIN if view.get(part)}, "blocks": changed}


def _wanted(request: Request) -> str:
    seller = f"from {vendor(request.vendor)}" if request.vendor else ""
    return join(request_text(request), seller, contract(request.contract), cap_text(request), by=", ")


ONLY_MEMBERS = "Only members of this workspace who may use me, no guests or apps."


def form_dialog(
    catalog: Catalog | None,
    reader: Reader,
    *,
    projects: Sequence[str] = (),
    request: Request | None = None,
    waitlist_entry: WaitlistEntry | None = None,
    value: FormValue = NO_VALUE,
) -> Modal:
    """Return the request form, filled in from `request` and `waitlist_entry`.

    The price of the current choices appears in the first line, and again below the inputs for the lease. People
    who scroll down to these inputs can't see the first line.

    Args:
        catalog: The GPUs, regions and vendors to choose from. If None, the form has text inputs for these.
        projects: The projects that the reader may choose.
        request: The request that is changed, or None for a new one.
        waitlist_entry: The waitlist entry of the request, if it has one.
        value: The search or rental that the form changes.
    """
    rules, now, zone = reader.rules, reader.now, reader.zone
    wanted = without_past_end(request or Request(gpu="", lease=rules.lease.default), now, rules)
    counts = sorted({*range(1, min(rules.limits.per_rental_gpus, 64) + 1), wanted.count})
    return blocks.modal(
        Callback.FORM,
        "Change the request" if isinstance(value, VersionValue) else "Get GPUs",
        price_line(_first_line(catalog, request)),
        blocks.heard(_gpu(catalog, wanted)),
        blocks.heard(
            blocks.select(
                Field.COUNT, "How many", [option(f"{n}x", str(n)) for n in counts], chosen=str(wanted.count)
            )
        ),
        blocks.heard(_region(catalog, wanted)),
        blocks.heard(
            blocks.select(
                Field.CONTRACT,
                "Contract",
                [option(contract(each), each.value) for each in Contract],
                chosen=wanted.contract.value,
            )
        ),
        blocks.heard(_vendor(catalog, wanted)),
        blocks.heard(
            blocks.text_input(
                Field.CAP,
                "Highest price, in dollars per GPU-hour",
                value=_cap(wanted),
                hint="Or for the whole time, such as: 20 in all. If empty, you set no limit.",
                longest=20,
                required=False,
            )
        ),
        blocks.text_input(
            Field.START,
            "Starts at",
            value="" if wanted.starts_at is None else end_text(wanted.starts_at, zone),
            hint="Such as 9:00 or fri 9:00. I'll rent it then. If empty, it starts when you rent it.",
            longest=40,
            required=False,
        ),
        blocks.heard(
            blocks.text_input(
                Field.LEASE,
                "For how long",
                value=_length_or_end(wanted.lease, wanted.until, wanted, zone),
                hint="Such as 90m, 6h, until 18:00 or until fri 18:00",
                longest=40,
            )
        ),
        _up_to(wanted, rules, zone),
        _until_done_box(wanted, rules),
        price_line(_first_line(catalog, request), PRICE_AGAIN),
        blocks.people_select(
            Field.TEAMMATES,
            "Share with",
            most=MOST_TEAMMATES,
            chosen=wanted.teammates,
            hint=f"They can log in with their own SSH keys. {ONLY_MEMBERS}",
            required=False,
        ),
        _setup_select(wanted.setup, rules),
        _project_select(wanted.project, projects),
        _no_probe_box(wanted, rules),
        _if_failed_box(wanted, rules),
        *_waits(waitlist_entry, wanted, now, zone, new=not isinstance(value, VersionValue), hours=rules.hours),
        blocks.text_input(
            Field.NOTE,
            "Note",
            value=clean(wanted.note, 200),
            hint="Everyone in the channel can read it.",
            longest=200,
            required=False,
        ),
        submit="Show offers",
        value=value,
    )


def _cap(wanted: Request) -> str:
    """Return the highest price as a person would type it: `2.50` or `20.00 in all`. Empty if there is none."""
    if wanted.max_total is not None:
        return f"{dollars(wanted.max_total)} in all".replace("$", "").replace(",", "")
    return "" if wanted.max_gpu_rate is None else say_rate(wanted.max_gpu_rate).removeprefix("$")


def _length_or_end(length: timedelta, end: datetime | None, wanted: Request, zone: str) -> str:
    """Return the lease as a person would type it: a length, or the time at which the lease ends."""
    if end is None or wanted.starts_at is not None:
        return say_span(length)
    return f"until {end_text(end, zone)}"


def _up_to(wanted: Request, rules: Rules, zone: str) -> Json | None:
    """Return the text input for the latest time at which a flexible lease can end.

    A flexible lease ends later if its GPUs are busy. None if the rules don't let the bot check that.
    """
    if rules.idle.probe is ProbeKind.NONE:
        return None
    later = "" if wanted.up_to is None else _length_or_end(wanted.up_to, wanted.last_end, wanted, zone)
    return blocks.text_input(
        Field.UP_TO,
        "Longest time, if the GPUs are still busy",
        value=later,
        hint="Such as 12h. If empty, the machine ends after the time above, busy or not.",
        longest=40,
        required=False,
    )


def _until_done_box(wanted: Request, rules: Rules) -> Json | None:
    """Return the checkbox for `until done`, or None if the rules don't let the bot see the machine's jobs."""
    if rules.idle.probe is ProbeKind.NONE:
        return None
    box = option("End when the job is done", UNTIL_DONE)
    label = "If the work is done earlier (started with gpubot-run)"
    chosen = [box] if wanted.until_done else []
    return blocks.heard(blocks.checkboxes(Field.UNTIL_DONE, label, [box], chosen=chosen, required=False))


def _setup_select(chosen: str | None, rules: Rules) -> Json | None:
    """Return the menu of setup scripts, or None if the rules have no setup scripts.

    `chosen` remains an option even if the rules no longer contain this script. Submitting the form then reports
    that the script was removed.
    """
    names = list(rules.setup)
    return _choice(Field.SETUP, "Setup", ("None", NO_SETUP), names, chosen) if names else None


def _project_select(chosen: str | None, projects: Sequence[str]) -> Json | None:
    """Return the menu of projects, or None if there is no project to choose."""
    if not (chosen or projects):
        return None
    return _choice(Field.PROJECT, "Project", ("The channel's project", BY_CHANNEL), projects, chosen)


def _no_probe_box(wanted: Request, rules: Rules) -> Json | None:
    """Return the checkbox for `no-probe`, or None if the rules switch the probe off.

    The probe checks whether a machine's GPUs are busy. Checking the box switches the probe off.

    Older versions of the bot opened forms without this box. Their forms must leave the probe on. Therefore the box
    can't mean the opposite.
    """
    if rules.idle.probe is ProbeKind.NONE:
        return None
    label = "Don't check whether the machine is used"
    box = option(label, NO_PROBE)
    return blocks.checkboxes(
        Field.PROBE, "Monitoring", [box], chosen=[] if wanted.probe else [box], required=False
    )


def _if_failed_box(wanted: Request, rules: Rules) -> Json | None:
    """Return the checkbox for `keep-if-failed`, which keeps a machine if `/root/on-ending.sh` fails.

    None if the rules keep every machine then. Also None if the rules switch the probe off, because the bot can't
    see a failure without the probe.
    """
    if rules.idle.probe is ProbeKind.NONE or rules.on_ending.failed is WhenFailed.KEEP:
        return None
    until = "the next morning" if rules.hours.always else "my next working hours"
    box = option(f"Keep the machine until {until}", KEEP_IF_FAILED)
    return blocks.checkboxes(
        Field.IF_FAILED,
        f"If saving fails ({PATH})",
        [box],
        chosen=[box] if wanted.keep_if_failed else [],
        required=False,
    )


def _waits(
    waitlist_entry: WaitlistEntry | None, wanted: Request, now: datetime, zone: str, *, new: bool, hours: Hours
) -> list[Json]:
    """Return the inputs that say how the bot should wait for an offer.

    They stand for the words `wait until ...`, `now` and `any time` in a typed request. There is no checkbox for
    `any time` if the working hours in `hours` cover the whole week.

    There are no inputs if `new` is False. The form then changes a request that is waiting for approval, and the
    bot rents a machine as soon as an approver approves it.
    """
    if not new:
        return []
    shown = (
        waitlist_entry
        if waitlist_entry is not None and waitlist_entry.until > now and wanted.until is None
        else None
    )
    boxes = [
        option("Rent the cheapest offer at once if it needs no approval", NOW),
        *([] if hours.always else [option("While waiting, look for offers day and night", ANY_TIME)]),
    ]
    return [
        blocks.text_input(
            Field.WAITS,
            "If nothing fits, wait until",
            value="" if shown is None else end_text(shown.until, zone),
            hint="Such as fri or fri 18:00. I only begin to wait when you click a button in the answer.",
            longest=40,
            required=False,
        ),
        blocks.checkboxes(
            Field.MORE,
            "Also",
            boxes,
            chosen=boxes[1:] if waitlist_entry and waitlist_entry.any_time else (),
            required=False,
        ),
    ]


def _first_line(catalog: Catalog | None, request: Request | None) -> str:
    if catalog is None:
        return NO_CATALOG
    return NOTHING_CHOSEN if request is None else looking(request)


def _gpu(catalog: Catalog | None, wanted: Request) -> Json:
    chosen = " ".join([wanted.gpu, *wanted.features])
    if catalog is None:
        return blocks.text_input(Field.GPU, "GPU", value=chosen, hint="Such as H100 or A100 80gb", longest=80)
    return blocks.select(Field.GPU, "GPU", _gpus(catalog, wanted), chosen=chosen)


def _region(catalog: Catalog | None, wanted: Request) -> Json:
    if catalog is None:
        hint, value = "Such as EU. If empty, anywhere.", wanted.region or ""
        return blocks.text_input(Field.REGION, "Region", value=value, hint=hint, longest=40, required=False)
    return _choice(Field.REGION, "Region", ("Anywhere", ANY), catalog.regions, wanted.region)


def _vendor(catalog: Catalog | None, wanted: Request) -> Json:
    if catalog is None:
        value = wanted.vendor or ""
        return blocks.text_input(
            Field.VENDOR, "Vendor", value=value, hint="If empty, any vendor.", longest=40, required=False
        )
    return _choice(Field.VENDOR, "Vendor", ("Any vendor", ANY), catalog.vendors, wanted.vendor, say=vendor)


def _gpus(catalog: Catalog, wanted: Request) -> list[Json]:
    """Return the options of the GPU menu: the GPU families, followed by their variants.

    Slack accepts only 100 options. The GPU of the request comes first, so that it always remains in the menu.
    """
    names = [*catalog.gpus, *(name for variants in catalog.gpus.values() for name in variants)]
    others = [name for name in dict.fromkeys(names) if name != wanted.gpu or wanted.features]
    chosen = option(gpu(wanted.gpu, wanted.features), " ".join([wanted.gpu, *wanted.features]))
    return [*([chosen] if wanted.gpu else []), *(option(gpu(name), name) for name in others)]


_short = partial(escape, limit=40)


def _choice(
    field: Field,
    label: str,
    nothing: tuple[str, str],
    names: Sequence[str],
    chosen: str | None,
    *,
    say: Callable[[str], str] = _short,
) -> Json:
    """Return a select menu whose first option stands for any value, such as `Anywhere`.

    `nothing` contains the label and the value of that option. The other options are `names`, with `chosen` first.
    `chosen` is an option even if it is no longer among the names.
    """
    known = dict.fromkeys([*([chosen] if chosen else []), *names])
    options = [option(*nothing), *(option(say(name), name) for name in known)]
    return blocks.select(field, label, options, chosen=chosen or nothing[1])


async def open_form(context: Context, interaction: UserInteraction, value: FormValue = NO_VALUE) -> Outcome:
    """Open the request form.

    If a person opens the form to change an earlier search or request, the earlier choices are filled in. Raises
    Refused if the person isn't allowed to make requests in the channel.
    """
    earlier = await changed_quote(context, interaction, value)
    asked_in = channel_of(interaction, earlier)
    quoting.check_may_ask(context.deps, interaction.person, asked_in, direct=is_direct(asked_in))
    request, waitlist_entry = (earlier.request, earlier.waitlist_entry) if earlier else (None, None)
    reader = context.reader(interaction.person)
    projects = projects_to_name(interaction.person, reader.rules)
    catalog = context.catalog()
    form = form_dialog(
        catalog, reader, projects=projects, request=request, waitlist_entry=waitlist_entry, value=value
    )
    price = ShowPrice(person=interaction.person, request=request) if request and catalog else None
    return OpenModal(modal=form, price=price)


async def submit(context: Context, interaction: UserInteraction, value: FormValue) -> Outcome:
    """Search for offers for the request in the submitted form.

    If the form was opened to change an earlier search, the new search replaces it.
    """
    context.forms.forget(interaction.view_id)
    now, zone = context.deps.clock.now(), interaction.person.tz
    with below(Field.GPU, MarketAway):
        get = read_form(interaction.inputs, context.known_catalog(), context.deps.rules, now=now, zone=zone)
    earlier = await changed_quote(context, interaction, value)
    with below(Field.TEAMMATES, NoTeammate):
        return await ask_for(context, interaction, get, earlier=earlier)


ON = (
    on(Action.CHANGE, open_form),
    on(Action.CHOOSE_FROM_LIST, open_form),
    on(Action.CHANGE_RENTAL, open_form),
    on(Callback.FORM, submit),
)
