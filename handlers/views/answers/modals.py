"""Dialogs: forms, and confirmations of what spends or destroys, with the facts at the time of the click.

Slack doesn't render date tokens in dialogs, so dialogs have spans, never clock times.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from bot.model.money import cost
from bot.model.offer import Catalog
from bot.model.quote import Quote, Wish
from bot.model.rental import Rental
from bot.model.request import Contract, Request
from bot.model.state import State
from bot.model.summary import OfferChoice, RentalDetails
from bot.model.text import about_span, say_at_most, say_rate, say_span, span
from bot.policy.buying.budgets import say_passed
from bot.policy.buying.fewer_hours import FewerHours
from bot.policy.buying.spending import CONFIRM_ABOVE, LONGEST_REASON, LongerLease
from bot.policy.team.roles import MOST_TEAMMATES
from bot.policy.team.rules import Hours, ProbeKind, Rules
from bot.policy.use.leases import may_extend_by, without_past_end
from bot.policy.use.two_ends import already_allowed
from handlers.ids import (
    NO_VALUE,
    PRICE_AGAIN,
    Callback,
    EndValue,
    ExtendValue,
    Field,
    FormValue,
    RentalValue,
    UntilValue,
    VersionValue,
    offer_value,
)
from handlers.phrases import blocks
from handlers.phrases.blocks import Json, Modal, Rendered, option
from handlers.phrases.budget_text import over_limits_of_envelope, over_total_text
from handlers.phrases.ends import PATH, end_text, how_long_in_dialog
from handlers.phrases.format import Reader, clean, dollars, escape, highest, join, note, per_hour, person
from handlers.phrases.lease_buttons import longer_cost
from handlers.phrases.machine_text import contract, describe, gpu, machines_of, place, vendor
from handlers.phrases.rental_text import FOUND_ON_ACCOUNT, owner, people, so_far
from handlers.views.answers import form_price
from handlers.views.answers.offers import cost_text

ANY = "any"
"""The value of `Anywhere` and `Any vendor`."""
ONLY_MEMBERS = "Only members of this workspace who may use me: no guests, no apps."
NO_SETUP = "-"
BY_CHANNEL = "-"
"""The value of `None`. No set-up has this name."""
NO_PROBE = "no-probe"
NOW = "now"
ANY_TIME = "any-time"
EXTENSION_HOURS = (1, 2, 4, 8, 12, 24, 48)
"""The hours that the extend dialog offers if the rules allow them."""


def notice(title: str, text: str) -> Modal:
    """Return a dialog without inputs, such as for a click that came too late."""
    return blocks.modal(Callback.NOTICE, title, blocks.section(text), submit=None, close="Close", value=NO_VALUE)


def team(listing: Rendered) -> Modal:
    """Return the dialog with everyone's rentals, as `/gpu list all` lists them."""
    return blocks.modal(
        Callback.NOTICE, "All machines", *listing.blocks, submit=None, close="Close", value=NO_VALUE
    )


def key() -> Modal:
    """Return the dialog that asks for a public SSH key."""
    return blocks.modal(
        Callback.KEY,
        "Your SSH key",
        blocks.section("The public one: it lets you into what you rent. Never the private one."),
        blocks.text_input(
            Field.KEY_LINE,
            "Public key",
            hint="One line from a .pub file, such as: ssh-ed25519 AAAA... you@laptop",
            longest=3000,
        ),
        submit="Save",
        value=NO_VALUE,
    )


def form(
    catalog: Catalog | None,
    reader: Reader,
    *,
    projects: Sequence[str] = (),
    request: Request | None = None,
    wish: Wish | None = None,
    value: FormValue = NO_VALUE,
) -> Modal:
    """Return the form for a request, filled in from `request` and, if it waits, from `wish`. `projects` are those
    that the reader may name, and `value` is what the request changes. Without a catalogue, GPU, region and vendor
    are typed.

    Its first line says what the choice costs once that is known, and so does a line below the length, since people
    can't see the first one from there.
    """
    rules, now, zone = reader.rules, reader.now, reader.zone
    wanted = without_past_end(request or Request(gpu="", lease=rules.lease.default), now, rules)
    counts = sorted({*range(1, min(rules.limits.per_rental_gpus, 64) + 1), wanted.count})
    return blocks.modal(
        Callback.FORM,
        "Change the request" if isinstance(value, VersionValue) else "Get GPUs",
        form_price.line(_first_line(catalog, request)),
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
                "At most, in dollars per GPU and hour",
                value=_cap(wanted),
                hint="Or for everything, such as: 20 in all. Empty: no cap of your own",
                longest=20,
                required=False,
            )
        ),
        blocks.text_input(
            Field.START,
            "Starts at",
            value="" if wanted.starts_at is None else end_text(wanted.starts_at, zone),
            hint="Such as 9:00 or fri 9:00: I rent it then. Empty: it starts when you rent it",
            longest=40,
            required=False,
        ),
        blocks.heard(
            blocks.text_input(
                Field.LEASE,
                "For how long",
                value=_length(wanted, zone),
                hint="Such as 90m, 6h, until 18:00 or until fri 18:00",
                longest=40,
            )
        ),
        _up_to(wanted, rules, zone),
        form_price.line(_first_line(catalog, request), PRICE_AGAIN),
        blocks.people_select(
            Field.TEAMMATES,
            "With",
            most=MOST_TEAMMATES,
            chosen=wanted.teammates,
            hint=f"Their SSH keys get in too. {ONLY_MEMBERS}",
            required=False,
        ),
        _setup_select(wanted.setup, rules),
        _project_select(wanted.project, projects),
        _no_probe_box(wanted, rules),
        *_waits(wish, wanted, now, zone, new=not isinstance(value, VersionValue), hours=rules.hours),
        blocks.text_input(
            Field.NOTE,
            "Note",
            value=clean(wanted.note, 200),
            hint="Everyone in the channel reads it",
            longest=200,
            required=False,
        ),
        submit="Show offers",
        value=value,
    )


def _cap(wanted: Request) -> str:
    """Return what a person types for the highest price: `2.50`, `20.00 in all`, or nothing."""
    if wanted.max_total is not None:
        return f"{dollars(wanted.max_total)} in all".replace("$", "").replace(",", "")
    return "" if wanted.max_gpu_rate is None else say_rate(wanted.max_gpu_rate).removeprefix("$")


def _length(wanted: Request, zone: str) -> str:
    """Return what a person types for the length or the end."""
    if wanted.until is None or wanted.starts_at is not None:
        return say_span(wanted.lease)
    return f"until {end_text(wanted.until, zone)}"


def _up_to(wanted: Request, rules: Rules, zone: str) -> Json | None:
    """Return the input for the later of two ends. Return None if the rules switch the probe off, because no end
    moves then."""
    if rules.idle.probe is ProbeKind.NONE:
        return None
    return blocks.text_input(
        Field.UP_TO,
        "Ends when its GPUs stop, at the latest after",
        value=_later_end(wanted, zone),
        hint="Such as 12h: it goes on after the time above while its GPUs are busy. Empty: it has one end",
        longest=40,
        required=False,
    )


def _later_end(wanted: Request, zone: str) -> str:
    """Return what a person types for the later of two ends. Return an empty text if there is one end."""
    if wanted.up_to is None:
        return ""
    if wanted.last_end is None or wanted.starts_at is not None:
        return say_span(wanted.up_to)
    return f"until {end_text(wanted.last_end, zone)}"


def _setup_select(chosen: str | None, rules: Rules) -> Json | None:
    """Return the choice of a set-up. Return None if the rules have none.

    If the rules no longer have `chosen`, it stays among the choices, and the submission says that it is gone.
    """
    if not rules.setup:
        return None
    names = dict.fromkeys([*([chosen] if chosen else []), *rules.setup])
    options = [option("None", NO_SETUP), *(option(escape(name, 40), name) for name in names)]
    return blocks.select(Field.SETUP, "Set-up", options, chosen=chosen or NO_SETUP)


def _project_select(chosen: str | None, projects: Sequence[str]) -> Json | None:
    """Return the choice of a project. Return None if there is none to choose."""
    names = dict.fromkeys([*([chosen] if chosen else []), *projects])
    if not names:
        return None
    options = [option("That of the channel", BY_CHANNEL), *(option(escape(name, 40), name) for name in names)]
    return blocks.select(Field.PROJECT, "Project", options, chosen=chosen or BY_CHANNEL)


def _no_probe_box(wanted: Request, rules: Rules) -> Json | None:
    """Return the box for `no-probe`. Return None if the rules switch the probe off.

    The person checks the box for no. So a form without the box, which was open during an update, still means yes.
    """
    if rules.idle.probe is ProbeKind.NONE:
        return None
    label = "Don't look whether it is used (no-probe)"
    box = option(label, NO_PROBE)
    return blocks.checkboxes(Field.PROBE, "Probe", [box], chosen=[] if wanted.probe else [box], required=False)


def _waits(wish: Wish | None, wanted: Request, now: datetime, zone: str, *, new: bool, hours: Hours) -> list[Json]:
    """Return the inputs for the words `wait until ...`, `now` and `any time`. Return none for a request that
    waits for approval: it is rented once it is approved. `any time` says nothing if `hours` are the whole week."""
    if not new:
        return []
    stands = wish if wish is not None and wish.until > now and wanted.until is None else None
    boxes = [
        option("Rent the first offer at once if nobody must confirm it (now)", NOW),
        *([] if hours.always else [option("If I wait: rent it outside of my hours too (any time)", ANY_TIME)]),
    ]
    return [
        blocks.text_input(
            Field.WAITS,
            "If I wait for one, until",
            value="" if stands is None else end_text(stands.until, zone),
            hint="Such as fri or fri 18:00. The answer has buttons to wait; nothing waits before you click",
            longest=40,
            required=False,
        ),
        blocks.checkboxes(
            Field.MORE, "Also", boxes, chosen=boxes[1:] if wish and wish.any_time else (), required=False
        ),
    ]


def _first_line(catalog: Catalog | None, request: Request | None) -> str:
    if catalog is None:
        return form_price.NO_CATALOG
    return form_price.NOTHING_CHOSEN if request is None else form_price.looking(request)


def _gpu(catalog: Catalog | None, wanted: Request) -> Json:
    chosen = " ".join([wanted.gpu, *wanted.features])
    if catalog is None:
        return blocks.text_input(Field.GPU, "GPU", value=chosen, hint="Such as H100 or A100 80gb", longest=80)
    return blocks.select(Field.GPU, "GPU", _gpus(catalog, wanted), chosen=chosen)


def _region(catalog: Catalog | None, wanted: Request) -> Json:
    if catalog is None:
        hint, value = "Such as EU. Empty: anywhere", wanted.region or ""
        return blocks.text_input(Field.REGION, "Region", value=value, hint=hint, longest=40, required=False)
    options = _choices_with_any("Anywhere", catalog.regions, wanted.region)
    return blocks.select(Field.REGION, "Region", options, chosen=wanted.region or ANY)


def _vendor(catalog: Catalog | None, wanted: Request) -> Json:
    if catalog is None:
        value = wanted.vendor or ""
        return blocks.text_input(
            Field.VENDOR, "Vendor", value=value, hint="Empty: any vendor", longest=40, required=False
        )
    options = _choices_with_any("Any vendor", catalog.vendors, wanted.vendor, vendors=True)
    return blocks.select(Field.VENDOR, "Vendor", options, chosen=wanted.vendor or ANY)


def _gpus(catalog: Catalog, wanted: Request) -> list[Json]:
    """Return the families, then their variants. The request's own GPU is first: Slack takes only the first 100."""
    names = [*catalog.gpus, *(name for variants in catalog.gpus.values() for name in variants)]
    others = [name for name in dict.fromkeys(names) if name != wanted.gpu or wanted.features]
    chosen = option(gpu(wanted.gpu, wanted.features), " ".join([wanted.gpu, *wanted.features]))
    return [*([chosen] if wanted.gpu else []), *(option(gpu(name), name) for name in others)]


def _choices_with_any(
    label: str, values: Sequence[str], chosen: str | None, *, vendors: bool = False
) -> list[Json]:
    """Return the choice of any value, then `chosen`, even if it is no longer on sale, then the other values."""
    known = dict.fromkeys([*([chosen] if chosen else []), *values])
    return [option(label, ANY), *(option(vendor(each) if vendors else escape(each, 40), each) for each in known)]


def rent_confirm(
    quote: Quote,
    choice: OfferChoice,
    reader: Reader,
    *,
    another: bool = False,
    first_line: str = "",
) -> Modal:
    """Return the dialog that confirms an expensive rental or a request for its approval, below `first_line`."""
    offer = choice.offer
    lines = [
        *([first_line] if first_line else []),
        f"{describe(choice.envelope)} from {place(offer.vendor, offer.vendor_region)}, {per_hour(offer.rate)}, "
        f"{how_long_in_dialog(quote.request, reader.now)}.",
        cost_text(choice, quote, reader.rules),
    ]
    if choice.needs_approval:
        limits = join(
            over_limits_of_envelope(choice.envelope, reader.rules, quote.project),
            *map(say_passed, choice.passed[:1]),
        )
        lines.append(f"{limits} An approver decides; nothing is rented until then.".lstrip())
    return blocks.modal(
        Callback.RENT_CONFIRM,
        "Ask for approval?" if choice.needs_approval else f"Rent at {per_hour(offer.rate)}?",
        blocks.section("\n".join(lines)),
        submit="Ask" if choice.needs_approval else f"Rent from {per_hour(offer.rate)}",
        value=offer_value(quote.id, offer.offer_id, another=another),
    )


def approve_confirm(details: RentalDetails, reader: Reader) -> Modal:
    """Return the dialog that confirms an expensive approval, of a request or of an extension."""
    rental, extension = details.rental, details.rental.extension
    envelope = rental.newest_envelope
    total = say_at_most(envelope.total)
    lines = [_asked_for(details, reader.now)]
    if extension is None:
        limits = over_limits_of_envelope(envelope, reader.rules, rental.project)
        beyond = over_total_text(rental.request, envelope.total)
        lines.append(join(limits, f"Up to {highest(envelope)}, {total} in all.", beyond))
    else:
        lines.append(f"{so_far(details.spent)}; {total} in all with the longer lease.")
    return blocks.modal(
        Callback.APPROVE_CONFIRM,
        f"Approve {rental.id}?",
        blocks.section("\n".join(lines)),
        submit=f"Approve up to {total}",
        value=VersionValue(rental_id=rental.id, version=envelope.version),
    )


def _asked_for(details: RentalDetails, now: datetime) -> str:
    """Return `8x H100 EU, 6 h, for Ana: fine-tune run 7`, or `8x H100, 2 h more, ...` for an extension."""
    rental, extension = details.rental, details.rental.extension
    words = note(rental.request.note)
    length = span(rental.newest_envelope.lease)
    if extension is not None:
        length = f"{span(extension.ends_at - rental.running_lease.ends_at)} more"
    elif rental.request.until is not None or rental.request.up_to is not None:
        length = how_long_in_dialog(rental.request, now)
    what = describe(rental.envelope if extension is None else rental)
    return f"{what}, {length}, for {owner(details)}" + (f": {words}" if words else "")


def fewer_hours(details: RentalDetails, choices: Sequence[FewerHours], reader: Reader) -> Modal:
    """Return the dialog with the shorter leases for which a request or an extension can be approved, or one that
    says that there is none."""
    rental = details.rental
    title = f"Fewer hours: {rental.id}"
    if not choices:
        return notice(title, "It is too short for fewer hours. Approve or deny it.")
    more = " more" if rental.extension is not None else ""
    return blocks.modal(
        Callback.FEWER_HOURS,
        title,
        blocks.section(_asked_for(details, reader.now)),
        blocks.select(
            Field.LENGTH,
            "Approve for",
            [
                option(
                    f"{_length_label(rental, one)}{more}, up to {say_at_most(one.envelope.total)}",
                    str(one.length // timedelta(seconds=1)),
                )
                for one in choices
            ],
            chosen=None,
        ),
        blocks.context(f"{owner(details)} reads who approved fewer hours. The offer and its prices stay."),
        submit="Approve fewer hours",
        value=VersionValue(rental_id=rental.id, version=rental.newest_envelope.version),
    )


def _length_label(rental: Rental, fewer: FewerHours) -> str:
    """Return `4 h`, or `up to 8 h while its GPUs are busy` if two ends remain."""
    two_ends = rental.extension is None and fewer.request.up_to is not None
    return f"up to {span(fewer.length)} while busy" if two_ends else span(fewer.length)


def deny(details: RentalDetails) -> Modal:
    """Return the dialog that asks why a request or an extension is denied."""
    rental, extension = details.rental, details.rental.extension
    asker = person(details.names, extension.asked_by if extension else rental.owner)
    what = f"More time for {rental.id}, " if extension else ""
    return blocks.modal(
        Callback.DENY,
        f"Deny {rental.id}?",
        blocks.section(f"{what}{describe(rental.newest_envelope)}, for {asker}."),
        blocks.text_input(
            Field.REASON,
            "Why",
            hint=f"{asker} reads it, and so does everyone in the request's channel.",
            longest=LONGEST_REASON,
            required=False,
        ),
        submit="Deny",
        value=VersionValue(rental_id=rental.id, version=rental.newest_envelope.version),
    )


SCRIPT_FIRST = "script_first"
"""The value of the box that runs `/root/on-ending.sh` first."""


def destroy_confirm(details: RentalDetails, script_for: timedelta | None = None) -> Modal:
    """Return the dialog that confirms a destroy, a cancel or a withdrawal, with the cost so far. `script_for` is
    how long the machine may run on for its `/root/on-ending.sh`. None: that doesn't run first."""
    rental = details.rental
    name = f"{machines_of(rental)}, {owner(details)}."
    if rental.state is State.AWAITING_APPROVAL:
        verb, effect = "Withdraw", "It is not asked for any more."
    elif rental.state is State.QUEUED:
        verb, effect = "Withdraw", "It no longer waits."
    elif rental.state in {State.PROCURING, State.PROVISIONING}:
        verb, effect = "Cancel", "It is still starting; what was bought is destroyed."
    else:
        verb, effect = "Destroy", "Everything on it is lost."
    if rental.lease is not None and rental.lease.script_first is not None:
        effect = f"{effect} It goes now, without waiting for its on-ending.sh."
    none_known = FOUND_ON_ACCOUNT if rental.bought_after_backup else "Nothing is rented."
    return blocks.modal(
        Callback.DESTROY_CONFIRM,
        f"{verb} {rental.id}?",
        blocks.section(f"{name} {effect} {f'{so_far(details.spent)}.' if details.attempts else none_known}"),
        _script_first_box(script_for),
        submit=f"{verb} {rental.id}",
        value=RentalValue(rental_id=rental.id),
    )


def _script_first_box(script_for: timedelta | None) -> Json | None:
    """Return the checked box that runs `/root/on-ending.sh` first. Return None if that doesn't run."""
    if script_for is None:
        return None
    box = option(f"Run {PATH} first, up to {about_span(script_for)}", SCRIPT_FIRST)
    return blocks.checkboxes(Field.SCRIPT_FIRST, "Before that", [box], chosen=[box], required=False)


def add_teammate(details: RentalDetails, value: VersionValue) -> Modal:
    """Return the dialog that asks whom to let into a rental."""
    rental = details.rental
    return blocks.modal(
        Callback.ADD_TEAMMATE,
        f"Add to {rental.id}",
        blocks.section(f"{describe(rental)}, {people(details)}. Their SSH keys go in when it is bought."),
        blocks.people_select(
            Field.TEAMMATES,
            "Teammates",
            most=MOST_TEAMMATES,
            hint=f"{ONLY_MEMBERS} I ask those without a key.",
            required=True,
        ),
        submit="Add",
        value=value,
    )


def extend(details: RentalDetails, reader: Reader) -> Modal:
    """Return the dialog with the extensions that the rules allow, or one that says why there is none."""
    rental, rules, now = details.rental, reader.rules, reader.now
    choices = extension_hours(rental, rules, now)
    if not choices and rental.extension is not None:
        return notice(f"Extend {rental.id}?", "More time is asked for already. An approver decides.")
    if not choices:
        most = f"A lease is at most {span(rules.lease.max)}; this one can't be longer."
        return notice(f"Extend {rental.id}?", most)
    ends_at = rental.running_lease.ends_at
    left = span(ends_at - now)
    if rental.running_lease.latest_end is not None:
        left += f" unless its GPUs are busy then, in {span(rental.running_lease.latest_end - now)} at the latest"
    return blocks.modal(
        Callback.EXTEND,
        f"Extend {rental.id}?",
        blocks.section(f"{machines_of(rental)}, {owner(details)}. It ends in {left}."),
        blocks.select(
            Field.HOURS,
            "Longer by",
            [option(_extension_label(details, hours, rules, now), str(hours)) for hours in choices],
            chosen=str(2 if 2 in choices else choices[0]),
        ),
        submit="Extend",
        value=EndValue(rental_id=rental.id, shown_end=int(ends_at.timestamp())),
    )


def extend_confirm(
    details: RentalDetails, longer: LongerLease, value: ExtendValue | UntilValue, reader: Reader
) -> Modal:
    """Return the dialog that confirms an expensive extension, or a request for its approval."""
    rental, envelope = details.rental, longer.proposal.envelope
    length = span(longer.span)
    rate = envelope.price if rental.rate is None else rental.rate
    more = f"{length} more can cost more than {dollars(CONFIRM_ABOVE)}"
    if details.sees_money:
        more = f"{length} more, about {dollars(cost(rate, longer.span))}"
    lines = [
        f"{machines_of(rental)}, {owner(details)}. {more}. Then it ends in {span(longer.ends_at - reader.now)}."
    ]
    if details.sees_money:
        lines.append(f"{so_far(details.spent)}; at most {say_at_most(envelope.total)} in all.")
        lines += filter(None, [over_total_text(rental.request, envelope.total)])
    if longer.proposal.over:
        passed = longer.proposal.passed
        mine = reader.id == rental.owner
        why = "That is over the limits, so an"
        if passed and details.sees_money:
            why = f"{say_passed(passed[0], None if mine else owner(details))} An"
        lines.append(f"{why} approver decides.")
    return blocks.modal(
        Callback.EXTEND_CONFIRM,
        f"Extend {rental.id}?",
        blocks.section("\n".join(lines)),
        submit=f"Ask for {length}" if longer.proposal.over else f"Extend {length}",
        value=value,
    )


def extension_hours(rental: Rental, rules: Rules, now: datetime) -> list[int]:
    """Return the hours by which the lease may be extended now."""
    return [hours for hours in EXTENSION_HOURS if may_extend_by(timedelta(hours=hours), rental, now, rules)]


def _extension_label(details: RentalDetails, hours: int, rules: Rules, now: datetime) -> str:
    length = timedelta(hours=hours)
    lease = details.rental.running_lease
    if already_allowed(lease, max(lease.ends_at, now) + length):
        return f"{span(length)}, already approved"
    return span(length) + (longer_cost(details.rental, length, rules) if details.sees_money else "")
