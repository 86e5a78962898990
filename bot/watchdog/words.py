"""The messages of the watchdog, as Slack's mrkdwn (docs.slack.dev/messaging/formatting-message-text). No I/O.

Text from outside stands in code spans, in which Slack formats nothing and mentions nobody.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
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
Gpus = Mapping[str, str]
"""The GPUs of machines by the ids of their resources: `1x H100 SXM 80 GB`. A machine may be missing."""
WELL_WITHOUT_BUT = "gpubot can send messages again: Slack answers it and accepts its token."
"""The message that the bot can post to Slack again, after `well_but`."""
ACCEPTED_AGAIN = (
    "Compute Clear accepts the watchdog's token again, so the watchdog can see which machines are running."
)
"""The message that the market accepts the watchdog's token again, after `token_refused`."""
CLOCK_IS_WRONG = (
    "The clock of gpubot's watchdog differs from Slack's by more than 10 min, so the watchdog won't delete "
    "anything. Set the clock, then restart the watchdog."
)
"""The message that this machine's clock is wrong."""
_WHO = "This is gpubot's watchdog."
_STILL_BILLS = "Shutting a machine down from inside doesn't stop billing."


def hello(options: Options) -> str:
    """Return the message of the first start, which shows that Slack takes messages."""
    destroys = (
        " and delete machines that are 2 h past their end." if options.destroy else ". I never delete a machine."
    )
    return (
        f"{_WHO} I'm now watching gpubot from {code(options.host)}. "
        f"If gpubot fails for 15 min, I'll warn you here{destroys}"
    )


def warning(state: State, outage: Outage, look: Look, options: Options) -> str:
    """Return the first warning of an outage. It mentions the admins."""
    lead = f"{_mentions(options)} {_lead(state, outage, look)}"
    if _nothing_runs(look):
        return f"{lead}\nNo machine is running on the account."
    knows_an_end = any(machine.ends_at is not None for machine in state.machines)
    may_delete = options.destroy and knows_an_end and look.bot.trouble is not Trouble.UNUSABLE
    then = (
        "If gpubot doesn't recover, I'll delete machines once they are at least 2 h past their end. "
        "I'll announce each deletion an hour before."
        if may_delete
        else "I won't delete anything."
    )
    return "\n".join([lead, *_listing(state, look), f"{_STILL_BILLS} {then}"])


def announcement(
    machines: Sequence[WatchedMachine],
    delete_at: datetime | None,
    *,
    state: State,
    outage: Outage,
    look: Look,
    options: Options,
) -> str:
    """Return the message about machines past their end: that they are deleted at `delete_at`, or keep running."""
    gpus = gpus_of(look)
    lines = [f"• {_machine(machine, look.at, gpus, with_id=True)}" for machine in machines]
    if delete_at is not None:
        return "\n".join(
            [
                _lead(state, outage, look),
                f"At {_time(delete_at, look.at)}, I'll delete these machines, which are past their end:",
                *lines,
                f"To prevent that, start gpubot, or stop the watchdog on {code(options.host)}: "
                "`sudo systemctl stop gpubot-watchdog`.",
            ]
        )
    why = "the watchdog runs without --destroy" if not options.destroy else "gpubot is probably running"
    if outage.clock_is_wrong:
        why = "the watchdog's clock is wrong"
    return "\n".join(
        [
            _lead(state, outage, look),
            "These machines are still running past their end:",
            *lines,
            f"I won't delete them, because {why}. To delete one that nobody needs, type "
            f"`gpubot destroy --resource ID`. "
            f"{_STILL_BILLS}",
        ]
    )


def well_but(look: Look, options: Options) -> str:
    """Return the message that something is wrong with Slack while the bot is well. It mentions the admins."""
    return f"{_mentions(options)} gpubot is running, but can't send messages: {code(look.bot.why, 300)}"


def well_again(outage: Outage, at: datetime) -> str:
    """Return the message that the bot is well again."""
    done = sum(deletion.done for deletion in outage.deletions)
    deletions = (
        f" Its watchdog deleted {plural(done, 'machine')} in the meantime, and won't delete any more."
        if done
        else ""
    )
    whole_minutes = (at - outage.since) // _MINUTE * _MINUTE
    return f"gpubot works again, after {span(whole_minutes)}.{deletions}"


def deleted(machine: WatchedMachine, at: datetime, gpus: Gpus) -> str:
    """Return the message that a machine is being deleted."""
    which = _machine(machine, at, gpus, with_id=True)
    return f"gpubot's watchdog has deleted a machine: {which}. gpubot will compute its cost once it runs again."


def not_deleted(machine: WatchedMachine, at: datetime, failure: str, gpus: Gpus) -> str:
    """Return the message that the market did not delete a machine. `failure` is a sentence."""
    which = _machine(machine, at, gpus, with_id=True)
    return (
        f"gpubot's watchdog couldn't delete a machine that may still be billing: {which}. "
        f"It tries again every 10 min. {code(failure, 200)}"
    )


def token_refused(look: Look) -> str:
    """Return the message that the market refuses the watchdog's token."""
    bot = "gpubot works, but" if look.bot.trouble is None else "In addition,"
    return (
        f"{bot} Compute Clear rejects the watchdog's token, so the watchdog can't see which machines are running. "
        "Set a valid COMPUTE_CLEAR_TOKEN for the watchdog, then restart it."
    )


def file_put_aside(path: str) -> str:
    """Return the message that the state file made no sense."""
    return (
        f"gpubot's watchdog couldn't read its state file, and moved it to {code(path, 200)}. "
        "Until gpubot answers, the watchdog doesn't know when machines end, and won't delete any."
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
    known = "I don't know whether anyone has extended a machine since then."
    if state.answered_at is None:
        known = "I don't know when gpubot's machines end, because it has never sent me a list of them."
    elif state.answered_at != outage.since:
        known = f"I don't know whether anyone has extended a machine since {_time(state.answered_at, look.at)}."
    if look.bot.trouble is Trouble.NOT_WELL:
        lead, fresh = f"gpubot has had a problem since {since}: `{why}`.", look.bot.machines is not None
    elif look.bot.trouble is Trouble.UNUSABLE:
        lead, fresh = f"gpubot hasn't sent me a list of its machines since {since}: {why}.", False
        lead += " Something answers at its address, so gpubot is probably running."
    else:
        lead, fresh = f"I haven't been able to reach gpubot since {since} ({why}). It may still be running.", False
    return " ".join([_WHO, lead, *([] if fresh or _nothing_runs(look) else [known])])


def _nothing_runs(look: Look) -> bool:
    """Return whether no machine is known to be running on the account."""
    return look.account.living is not None and not look.account.living


def _listing(state: State, look: Look) -> list[str]:
    """Return the lines about what lives, in groups."""
    known, gpus = {machine.resource_id: machine for machine in state.machines}, gpus_of(look)
    if look.account.living is None:
        lines = [f"I can't see which machines are running: {code(look.account.trouble, 200)}"]
        if not known:
            return lines
        which = f"list of {_time(state.answered_at, look.at)}" if state.answered_at is not None else "last list"
        rest = [(f"• {_machine(machine, look.at, gpus)}", machine.rate) for machine in state.machines]
        listed = [line for line, _ in rest[:MOST_LISTED]]
        named = f"gpubot's {which} has {plural(len(rest), 'machine')}, at {_total(rest)}:"
        return [*lines, named, *listed, *_more(rest)]
    unlisted = (
        "Machines that gpubot has never reported to me, so I'll never delete them:"
        if state.answered_at is None
        else "Not on gpubot's list of machines, so I'll never delete them:"
    )
    groups: dict[str, list[tuple[str, Decimal | None]]] = {
        "Not yet at their end:": [],
        "Past their end:": [],
        "With an unknown end:": [],
        unlisted: [],
    }
    before, past, endless, strangers = groups.values()
    for living in sorted(look.account.living, key=lambda one: one.resource_id):
        machine = known.get(living.resource_id)
        if machine is None:
            strangers.append((_stranger(living, look), living.rate))
            continue
        group = endless if machine.ends_at is None else (before if machine.ends_at > look.at else past)
        line = f"• {_machine(machine, look.at, gpus)}"
        group.append((line, machine.rate if living.rate is None else living.rate))
    everything = [entry for group in groups.values() for entry in group]
    running = plural(len(everything), "machine is running", "machines are running")
    lines, left = [f"{running}, at {_total(everything)}."], MOST_LISTED
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
    return f"{known}/h" + (", plus machines without a known price" if None in rates else "")


def gpus_of(look: Look) -> Gpus:
    """Return the GPUs of the running machines."""
    return {living.resource_id: living.gpus for living in look.account.living or () if living.gpus}


def _machine(machine: WatchedMachine, at: datetime, gpus: Gpus, *, with_id: bool = False) -> str:
    """Return a machine's name, owner, price and end; with its resource's ID if it is to be found at the market."""
    if machine.ends_at is None:
        end = "end unknown"
    else:
        shown = _time(machine.ends_at, at)
        end = f"until {shown} at the latest" if machine.ends_at > at else f"past its end since {shown}"
    resource = f" ({code(machine.resource_id)})" if with_id else ""
    owner = code(machine.owner_name or machine.owner)
    known = gpus.get(machine.resource_id)
    name = f"{known} ({machine.rental_id})" if known else machine.rental_id
    return f"{code(name)}{resource}, {owner}, {say_price(machine.rate)}/h, {end}"


def _stranger(living: Living, look: Look) -> str:
    price = "price unknown" if living.rate is None else f"{say_price(living.rate)}/h"
    since = f", since {_time(living.since, look.at)}" if living.since is not None else ""
    name, gpus = code(living.name) if living.name else "no name", f"{code(living.gpus)}, " if living.gpus else ""
    return f"• {name} ({code(living.resource_id)}), {gpus}{price}{since}"


def _time(moment: datetime, now: datetime) -> str:
    """Return a moment as a date token, which Slack shows in each reader's own zone."""
    if abs(moment - now) <= _TIME_ALONE:
        shown, plain = "{time}", f"{moment:%H:%M} UTC"
    else:
        shown, plain = "{date_short} {time}", f"{moment:%a %d %b %H:%M} UTC"
    return f"<!date^{int(moment.timestamp())}^{shown}|{plain}>"
