"""What the watchdog says, as Slack's mrkdwn (docs.slack.dev/messaging/formatting-message-text). Pure.

Text from outside stands in code spans, in which Slack formats nothing and mentions nobody.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from decimal import Decimal

from bot.model.text import one_line, plural, say_price, span
from bot.model.watched_machine import WatchedMachine
from bot.watchdog.state import Living, Look, Options, Outage, State, Trouble

MOST_LISTED = 20
"""How many machines a message lists. The others are only counted."""
_TIME_ALONE = timedelta(hours=20)
"""A moment that is not further away than this is shown without its day."""
_MINUTE = timedelta(minutes=1)
WELL_WITHOUT_BUT = "gpubot can tell you things again: Slack answers it and takes its token."
"""The message that the bot can post to Slack again, after `well_but`."""
ACCEPTED_AGAIN = "Compute Clear takes my token again, the watchdog's, so I see what lives."
"""The message that the market accepts the watchdog's token again, after `token_refused`."""
CLOCK_IS_WRONG = (
    "My clock differs from Slack's by more than 10 min, so I delete nothing. Set it, and start me again."
)
"""The message that this machine's clock is wrong."""
_STILL_BILLS = "Shutting a machine down from inside does not stop its bill."


def hello(options: Options) -> str:
    """Return the message of the first start, which shows that Slack takes messages."""
    destroys = "delete what is 2 h past its end then" if options.destroy else "delete nothing"
    return (
        f"I watch gpubot from {code(options.host)} now. I warn here if it isn't well for 15 min, and {destroys}."
    )


def warning(state: State, outage: Outage, look: Look, options: Options) -> str:
    """Return the first warning of an outage. It mentions the admins."""
    may_delete = options.destroy and look.bot.trouble is not Trouble.UNUSABLE
    then = "If this lasts, I delete what is 2 h past its end, and say so an hour before." if may_delete else ""
    then = then or "I delete nothing."
    return "\n".join(
        [f"{_mentions(options)} {_lead(state, outage, look)}", *_listing(state, look), f"{_STILL_BILLS} {then}"]
    )


def announcement(
    machines: Sequence[WatchedMachine],
    delete_at: datetime | None,
    *,
    state: State,
    outage: Outage,
    look: Look,
    options: Options,
) -> str:
    """Return the message about machines past their end: that they are deleted at `delete_at`, or live on."""
    lines = [f"• {_machine(machine, look.at, with_id=True)}" for machine in machines]
    if delete_at is not None:
        return "\n".join(
            [
                _lead(state, outage, look),
                f"At {_time(delete_at, look.at)} I delete what is past its end:",
                *lines,
                f"To stop that, start gpubot, or stop me on {code(options.host)}: "
                "`sudo systemctl stop gpubot-watchdog`.",
            ]
        )
    why = "I run without --destroy" if not options.destroy else "gpubot may run"
    if outage.clock_is_wrong:
        why = "my clock is wrong"
    return "\n".join(
        [
            _lead(state, outage, look),
            "These live on past their end:",
            *lines,
            f"I delete nothing: {why}. If nobody needs them: `gpubot destroy --resource ID`. {_STILL_BILLS}",
        ]
    )


def well_but(look: Look, options: Options) -> str:
    """Return the message that something is wrong with Slack while the bot is well. It mentions the admins."""
    return f"{_mentions(options)} gpubot runs, but can't tell you: {code(look.bot.why, 300)}"


def well_again(outage: Outage, at: datetime) -> str:
    """Return the message that the bot is well again."""
    done = sum(deletion.done for deletion in outage.deletions)
    deletions = f" I deleted {plural(done, 'machine')} meanwhile, and delete no more." if done else ""
    whole_minutes = (at - outage.since) // _MINUTE * _MINUTE
    return f"gpubot is well again, after {span(whole_minutes)}.{deletions}"


def deleted(machine: WatchedMachine, at: datetime) -> str:
    """Return the message that a machine is being deleted."""
    return f"Deleted: {_machine(machine, at, with_id=True)}. gpubot settles its cost once it is back."


def not_deleted(machine: WatchedMachine, at: datetime, failure: str) -> str:
    """Return the message that the market did not delete a machine. `failure` is a sentence."""
    which = _machine(machine, at, with_id=True)
    return f"Not deleted, so it bills on: {which}. I try again every 10 min. {code(failure, 200)}"


def token_refused(look: Look) -> str:
    """Return the message that the market refuses the watchdog's token."""
    bot = "gpubot is well, but" if look.bot.trouble is None else "Also,"
    return (
        f"{bot} Compute Clear refuses my token, the watchdog's: I can't see what lives. "
        "Put a new one into COMPUTE_CLEAR_TOKEN there, and restart me."
    )


def file_put_aside(path: str) -> str:
    """Return the message that the state file made no sense."""
    return (
        f"I, the watchdog, couldn't understand my file and put it aside as {code(path, 200)}. "
        "Until gpubot answers I know no machine's end, and delete nothing."
    )


def _mentions(options: Options) -> str:
    return " ".join(f"<@{admin}>" for admin in options.admins)


def code(text: str, limit: int = 60) -> str:
    """Return text from outside as a code span on one line."""
    return f"`{_plain(text, limit) or '?'}`"


def _plain(text: str, limit: int) -> str:
    line = one_line(text, limit).replace("`", "'")
    return line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _lead(state: State, outage: Outage, look: Look) -> str:
    """Return what is wrong with the bot, since when, and how old the knowledge of its machines is."""
    since, why = _time(outage.since, look.at), _plain(look.bot.why, 300)
    if state.answered_at is None:
        known = "it never named its machines to me, so I know no end"
    elif state.answered_at == outage.since:
        known = "I know of no extension since then"
    else:
        known = f"I know of no extension since {_time(state.answered_at, look.at)}"
    if look.bot.trouble is Trouble.NOT_WELL:
        fresh = look.bot.machines is not None
        return f"gpubot is not well since {since}: `{why}`." + (
            "" if fresh else f" {known[0].upper()}{known[1:]}."
        )
    if look.bot.trouble is Trouble.UNUSABLE:
        return f"gpubot gives me no machines since {since}: {why}. It may run, and {known}."
    return f"I can't reach gpubot since {since}: it may run, and {known}. ({why})"


def _listing(state: State, look: Look) -> list[str]:
    """Return the lines about what lives, in groups."""
    known = {machine.resource_id: machine for machine in state.machines}
    if look.account.living is None:
        lines = [f"I can't see what lives: {code(look.account.trouble, 200)}"]
        if not known:
            return lines
        named = "These are the machines that gpubot named"
        when = f" at {_time(state.answered_at, look.at)}" if state.answered_at is not None else ""
        rest = [(f"• {_machine(machine, look.at)}", machine.rate) for machine in state.machines]
        listed = [line for line, _ in rest[:MOST_LISTED]]
        return [*lines, f"{named}{when}, {_total(rest)}:", *listed, *_more(rest)]
    if not look.account.living:
        return ["No machine lives on the account."]
    groups: dict[str, list[tuple[str, Decimal | None]]] = {
        "Before their end:": [],
        "Past their end:": [],
        "With no end that I know:": [],
        "Not named by gpubot, so never deleted by me:": [],
    }
    before, past, endless, strangers = groups.values()
    for living in sorted(look.account.living, key=lambda one: one.resource_id):
        machine = known.get(living.resource_id)
        if machine is None:
            strangers.append((_stranger(living, look), living.rate))
            continue
        group = endless if machine.ends_at is None else (before if machine.ends_at > look.at else past)
        group.append((f"• {_machine(machine, look.at)}", machine.rate if living.rate is None else living.rate))
    everything = [entry for group in groups.values() for entry in group]
    live = plural(len(everything), "machine lives", "machines live")
    lines, left = [f"{live}, {_total(everything)}."], MOST_LISTED
    for title, group in groups.items():
        if group and left > 0:
            lines += [title, *(line for line, _ in group[:left])]
            left -= min(len(group), left)
    return [*lines, *_more(everything)]


def _more(entries: Sequence[tuple[str, Decimal | None]]) -> list[str]:
    return [f"and {len(entries) - MOST_LISTED} more"] if len(entries) > MOST_LISTED else []


def _total(entries: Iterable[tuple[str, Decimal | None]]) -> str:
    rates = [rate for _, rate in entries]
    known = say_price(sum((rate for rate in rates if rate is not None), start=Decimal(0)))
    return f"{known}/h" + (" and what states no price" if None in rates else "")


def _machine(machine: WatchedMachine, at: datetime, *, with_id: bool = False) -> str:
    """Return the rental, its owner, its price and its end; with its resource's id if it is to be found at the
    market."""
    if machine.ends_at is None:
        end = "no known end"
    else:
        shown = _time(machine.ends_at, at)
        end = f"until {shown} at the latest" if machine.ends_at > at else f"ended {shown}"
    resource = f" ({code(machine.resource_id)})" if with_id else ""
    owner = code(machine.owner_name or machine.owner)
    return f"{code(machine.rental_id)}{resource}, {owner}, {say_price(machine.rate)}/h, {end}"


def _stranger(living: Living, look: Look) -> str:
    price = "no price" if living.rate is None else f"{say_price(living.rate)}/h"
    since = f", since {_time(living.since, look.at)}" if living.since is not None else ""
    name = code(living.name) if living.name else "no name"
    return f"• {name} ({code(living.resource_id)}), {price}{since}"


def _time(moment: datetime, now: datetime) -> str:
    """Return a moment as a date token, which Slack shows in each reader's own zone."""
    if abs(moment - now) <= _TIME_ALONE:
        shown, plain = "{time}", f"{moment:%H:%M} UTC"
    else:
        shown, plain = "{date_short} {time}", f"{moment:%a %d %b %H:%M} UTC"
    return f"<!date^{int(moment.timestamp())}^{shown}|{plain}>"
