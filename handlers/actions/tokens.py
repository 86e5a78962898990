"""API tokens: `/gpu token list`, and the buttons and dialogs that approve, deny and stop a token."""

from __future__ import annotations

from decimal import Decimal

from bot.lifecycle.actions import tokens
from bot.model.state import UNBOUGHT
from bot.model.text import listed, plural, say_at_most
from bot.policy.buying.spending import LONGEST_REASON
from handlers.actions.calling import carry_out, on
from handlers.actions.rentals import GRACEFUL_DESTROY, graceful_destroy_box
from handlers.ids import Action, Callback, Field, TokenValue, TokenVersionValue
from handlers.listeners.context import Context
from handlers.listeners.interaction import Outcome, Reply, UserInteraction
from handlers.messages import replies
from handlers.messages import tokens as views
from handlers.phrases import blocks
from handlers.phrases.blocks import Modal
from handlers.phrases.format import Reader, first_few, join, per_hour, person


async def show(context: Context, interaction: UserInteraction, *, everyone: bool) -> Outcome:
    """Show a list of the person's own tokens, or of everybody's. Only approvers and admins can see everybody's."""
    found = await tokens.tokens_of(context.deps, interaction.person, everyone=everyone)
    return Reply(content=views.listing(found, context.reader(interaction.person), everyone=everyone))


# --- the decisions of approvers


def _wants(plan: tokens.TermsToDecide) -> str:
    """Return a sentence with the terms that an owner requests."""
    terms = plan.requested.terms
    wants = views.wants_text(plan.token, terms, {plan.token.owner: plan.owner.name})
    return f"{wants}, for {views.most_text(terms)}: {views.machines_text(terms)}."


def approve_dialog(plan: tokens.TermsToDecide, reader: Reader) -> Modal:
    """Return the dialog in which an approver confirms that they approve the terms of a token."""
    terms = plan.requested.terms
    most, exceeds = say_at_most(terms.total), views.needs_approver(terms, reader.rules)
    return blocks.modal(
        Callback.APPROVE_TOKEN,
        f"Approve {views.token_name(plan.token.name)}?",
        blocks.alert(f"Its machines can cost up to {most} in all, and nobody is asked about each of them."),
        blocks.section(join(_wants(plan), f"{exceeds}." if exceeds else "")),
        submit=f"Approve up to {most}",
        value=TokenVersionValue(token_id=plan.token.id, version=plan.requested.version),
    )


def deny_dialog(plan: tokens.TermsToDecide) -> Modal:
    """Return the dialog that asks for the reason why the terms of a token are denied."""
    names = {plan.owner.id: plan.owner.name}
    return blocks.modal(
        Callback.DENY_TOKEN,
        f"Deny {views.token_name(plan.token.name)}?",
        blocks.section(_wants(plan)),
        blocks.text_input(
            Field.REASON,
            "Why",
            hint=f"{person(names, plan.owner.id)} and the other approvers can read this.",
            longest=LONGEST_REASON,
            required=False,
        ),
        submit="Deny",
        value=TokenVersionValue(token_id=plan.token.id, version=plan.requested.version),
    )


async def approve(context: Context, interaction: UserInteraction, value: TokenVersionValue) -> Outcome:
    return await carry_out(
        context,
        interaction,
        tokens.ApproveToken(value.token_id, value.version),
        lambda token, _: replies.reply(f"You approved {views.token_name(token.name)}."),
        dialog=lambda wanted, reader: approve_dialog(wanted.plan, reader),
        unless_shown=True,
    )


async def deny(context: Context, interaction: UserInteraction, value: TokenVersionValue) -> Outcome:
    """Deny the terms of a token, with the reason that was typed in the dialog. The reason can be empty."""
    return await carry_out(
        context,
        interaction,
        tokens.DenyToken(value.token_id, value.version, interaction.inputs.get(Field.REASON, "")),
        lambda token, _: replies.reply(f"You declined the request for {views.token_name(token.name)}."),
        dialog=lambda wanted, _: deny_dialog(wanted.plan),
        unless_shown=True,
    )


# --- stopping a token


def stop_dialog(plan: tokens.ToStop) -> Modal:
    """Return the dialog in which a person confirms that a token is stopped, and that its machines end."""
    token, name = plan.token, views.token_name(plan.token.name)
    machines = [rental for rental in plan.rentals if rental.state not in UNBOUGHT]
    requests, several = len(plan.rentals) - len(machines), len(machines) > 1
    rate = sum((rental.rate or Decimal(0) for rental in machines), Decimal(0))
    ids = listed(first_few([rental.id for rental in machines], views.RENTALS_SHOWN))
    costs = f" ({per_hour(rate)})" if rate else ""
    ends = f"Its {f'{len(machines)} machines end' if several else 'machine ends'}{costs}."
    waiting = f"{plural(requests, 'waiting request is', 'waiting requests are')} withdrawn."
    return blocks.modal(
        Callback.STOP_TOKEN,
        f"Stop {name}?",
        blocks.alert(f"Everything on the {'disks' if several else 'disk'} of {ids} will be deleted.")
        if machines
        else None,
        blocks.section("The token stops working at once and for good.") if not token.state.over else None,
        blocks.section(text) if (text := join(ends if machines else "", waiting if requests else "")) else None,
        graceful_destroy_box(plan.script_for, several=several),
        submit=f"Stop {name}",
        value=TokenValue(token_id=token.id),
    )


async def stop(context: Context, interaction: UserInteraction, value: TokenValue) -> Outcome:
    """Stop a token and end its machines, once the person has confirmed this in a dialog.

    If the checkbox in the dialog is checked, each machine is destroyed only after its `/root/on-ending.sh` has
    run.
    """
    graceful_destroy = interaction.inputs.get(Field.GRACEFUL_DESTROY) == GRACEFUL_DESTROY
    return await carry_out(
        context,
        interaction,
        tokens.StopToken(value.token_id, graceful_destroy),
        lambda stopped, reader: replies.reply(views.stopped_text(stopped.token, stopped.rentals, reader.times)),
        dialog=lambda wanted, _: stop_dialog(wanted.plan),
    )


ON = (
    on(Action.APPROVE_TOKEN, approve),
    on(Action.DENY_TOKEN, deny),
    on(Action.STOP_TOKEN, stop),
    on(Callback.APPROVE_TOKEN, approve),
    on(Callback.DENY_TOKEN, deny),
    on(Callback.STOP_TOKEN, stop),
)
