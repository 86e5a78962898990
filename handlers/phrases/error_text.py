"""Formats errors for Slack. Each text contains the error's message, and commands or channels that help."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from bot.errors import (
    AlreadyDecided,
    BuyingBlock,
    BuyingBlocked,
    Decision,
    GpubotError,
    NextStep,
    OverBudget,
    OwnerOnly,
    Refused,
)
from bot.model.person import OPERATOR
from bot.model.text import rough_span
from handlers.phrases.format import channel, escape, identifier, time_token

LONGEST = 1500

NEXT_STEPS: Mapping[NextStep, str] = MappingProxyType(
    {
        NextStep.ASK_AGAIN: "Ask again: /gpu get",
        NextStep.ASK_FOR_YOUR_OWN: "To see offers of your own: /gpu get",
        NextStep.WITHDRAW_AND_ASK_AGAIN: "Withdraw the request and ask again: /gpu get",
        NextStep.NAME_LATER_END: "Name a later end, or a length: /gpu get H100 EU for 2h",
        NextStep.LEAVE_OUT_END: "To end it when its job is done, leave out the time: /gpu extend until done",
        NextStep.NAME_PRICE: "Name a price: /gpu wait H100 EU under $3",
        NextStep.STOP_WAITING: "Stop waiting for one of them first: /gpu list shows them.",
        NextStep.RENT_ONE: "Try: /gpu get H100 EU",
        NextStep.LIST_YOURS: "/gpu list shows your machines.",
        NextStep.LIST_ALL: "/gpu list all shows everyone's machines.",
        NextStep.LOG_IN: "/gpu ssh shows how to log in.",
        NextStep.DESTROY_ONE: "Destroy one of them first: /gpu list shows them.",
        NextStep.PASTE_A_KEY: "Paste a key instead: /gpu key ssh-ed25519 AAAA... you@laptop",
        NextStep.TRY_AGAIN_OR_PASTE_A_KEY: "Try again, or paste a key: /gpu key ssh-ed25519 AAAA... you@laptop",
        NextStep.REMOVE_A_KEY: "Remove a key first: /gpu key",
        NextStep.READ_THIS_MONTH: "/gpu spend shows this month.",
        NextStep.LIST_KEYS: "/gpu key lists your keys.",
        NextStep.NAME_TEAMMATES: "Type /gpu share and the ID, then @, and pick a name from Slack's list.",
        NextStep.STOP_TOKEN: "Stop the token and make a new one: /gpu token list",
        NextStep.MAKE_NEW_KEY: "Create a new key pair, then type /gpu key with the line of its .pub file.",
    }
)
RESUME = "An admin can end the pause with /gpu resume."
BLOCKS: Mapping[BuyingBlock, str] = MappingProxyType(
    {
        BuyingBlock.PAUSED: f"Buying is paused. {RESUME}",
        BuyingBlock.BOUGHT_AFTER_BACKUP: "Buying is paused, because machines that I rented are running but "
        "missing from my database. An admin decides about them and can then end the pause with /gpu resume.",
        BuyingBlock.UNAUTHORIZED: "Compute Clear rejects my API token, so I can't rent anything. The admins know.",
    }
)
DECISIONS: Mapping[Decision, str] = MappingProxyType(
    {
        Decision.APPROVED: "approved the request for {}",
        Decision.DENIED: "declined the request for {}",
        Decision.WITHDREW: "withdrew the request for {}",
        Decision.GAVE_OWNER: 'chose "Assign an owner"',
        Decision.DESTROYED: 'chose "Destroy"',
        Decision.NOT_OURS: 'chose "Not ours"',
    }
)


def error_text(problem: GpubotError, next_steps: Mapping[NextStep, str] = NEXT_STEPS) -> str:
    """Return an error as mrkdwn.

    The error's message is escaped, because it can contain text that people typed, such as a mention. If the error
    suggests a next step, the text for this step comes from `next_steps`.
    """
    if isinstance(problem, BuyingBlocked):
        return f"{block_text(problem)} {escape(problem.words, LONGEST)}"
    if isinstance(problem, AlreadyDecided):
        return f"{_decision(problem)} {escape(problem.words, LONGEST)}"
    if isinstance(problem, OwnerOnly):
        owner, rental_id = escape(problem.owner or "the owner"), identifier(problem.rental_id)
        return f"Only {owner} and the teammates on {rental_id} can see its SSH command."
    facts = _with_facts(problem, LONGEST, next_steps)
    return f"{facts} {escape(problem.instead, LONGEST)}" if isinstance(problem, OverBudget) else facts


def refusal_text(problem: GpubotError) -> str:
    """Return the reason why an offer can't be rented, as mrkdwn to show below the offer."""
    return block_text(problem) if isinstance(problem, BuyingBlocked) else _with_facts(problem, 300, NEXT_STEPS)


def block_text(problem: BuyingBlocked) -> str:
    """Return the reason why nothing can be bought now, and who can change that."""
    who = paused_by(problem)
    return f"{who}. {RESUME}" if who else BLOCKS[problem.block]


def paused_by(problem: BuyingBlocked, when: str = "") -> str:
    """Return a clause saying who paused buying, and why: `Ben paused buying at 11:38: "bill check"`.

    `when` is the text after the verb, such as ` at 11:38`. Empty if nobody paused buying.
    """
    if problem.by is None:
        return ""
    why = f': "{escape(problem.why, 200)}"' if problem.why else ""
    who = "The operator" if problem.by == OPERATOR.name else escape(problem.by, 40)
    return f"{who} paused buying{when}{why}"


def _decision(problem: AlreadyDecided) -> str:
    did = DECISIONS[problem.decision].format(identifier(problem.rental_id or "a machine", 20))
    ago = rough_span(problem.ago)
    if problem.own:
        return f"You already {did} {ago} ago."
    return f"{escape(problem.name or 'Someone else')} {did}, {ago} before you."


def _with_facts(problem: GpubotError, longest: int, next_steps: Mapping[NextStep, str]) -> str:
    parts = [escape(problem.words, longest)]
    if isinstance(problem, Refused) and problem.channels:
        parts.append(f"Ask in {', '.join(map(channel, problem.channels))}, or in a direct message to me.")
    if isinstance(problem, Refused) and problem.again_at is not None:
        parts.append(f"You can search again at {time_token(problem.again_at)}.")
    if problem.next_step is not None and problem.next_step in next_steps:
        parts.append(next_steps[problem.next_step])
    return " ".join(parts)


def mistakes_text(first: str, lines: Sequence[str], count: int) -> str:
    """Return a text about the mistakes in the policy file.

    The text begins with the line `first`. `lines` describe the first mistakes. If there are more, the text says
    how to list all of them.
    """
    rest = [f"To see all {count} mistakes: gpubot policy check"] if count > len(lines) else []
    return "\n".join([first, *(f"{escape(line, 300)}." for line in lines), *rest])
