"""The watchdog's messages in Slack's mrkdwn (docs.slack.dev/messaging/formatting-message-text). No I/O.

Untrusted text is put into code spans, in which Slack formats nothing and mentions nobody.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal

from bot.model.text import one_line, plural, say_price, span
from bot.model.watched_machine import WatchedMachine
from bot.watchdog.state import Living, Options, Outage, Poll, State, Trouble

MOST_LISTED = 20
"""The maximum number of machines that a message lists. Any others are only counted."""
_TIME_ALONE = timedelta(hours=20)
"""The maximum distance from now at which a time is shown without its date."""
_MINUTE = timedelta(minutes=1)
Gpus = Mapping[str, str]
"""The GPUs of machines, such as `1x H100 SXM 80 GB`, by resource ID. Machines with unknown GPUs are missing."""
WELL_WITHOUT_BUT = "gpubot can send messages again: Slack answers it and accepts its token."
"""The message saying that the bot can post to Slack again. It follows the message from `well_but`."""
ACCEPTED_AGAIN = (
    "Compute Clear accepts the watchdog's token again, so the watchdog can see which machines are running."
)
"""The message saying that Compute Clear accepts the watchdog's token again."""
CLOCK_IS_WRONG = (
    "The clock of gpubot's watchdog differs from Slack's by more than 10 min, so the watchdog won't delete "
    "anything. Set the clock, then restart the watchdog."
)
"""The message saying that this machine's clock is wrong."""
_WHO = "This is gpubot's watchdog."
_STILL_BILLS = "Shutting a machine down from inside doesn't stop billing."


def hello(options: Options) -> str:
    """Return the message for the first start. It also shows that posting to Slack works."""
    destroys = (
        " and delete machines that are 2 h past their end." if options.destroy else ". I never delete a machine."
    )
    return (
        f"{_WHO} I'm now watching gpubot from {code(options.host)}. "
        f"If gpubot fails for 15 min, I'll warn you here{destroys}"
    )


def warning(state: State, outage: Outage, poll: Poll, options: Options) -> str:
    """Return the first warning of an outage, which mentions the admins."""
    lead = f"{_mentions(options)} {_lead(state, outage, poll)}"
    if _nothing_runs(poll):
        return f"{lead}\nNo machine is running on the account."
    if not options.destroy or poll.bot.trouble is Trouble.UNUSABLE:
        then = "I won't delete anything."
    elif any(machine.ends_at is not None for machine in state.machines):
        then = (
            "If gpubot doesn't recover, I'll delete machines once they are at least 2 h past their end. "
            "I'll announce each deletion an hour before."
        )
    else:
        then = "I won't delete a machine as long as I don't know its end."
    return "\n".join([lead, *_listing(state, poll), f"{_STILL_BILLS} {then}"])


def announcement(
    machines: Sequence[WatchedMachine],
    delete_at: datetime | None,
    *,
    state: State,
    outage: Outage,
    poll: Poll,
    options: Options,
) -> str:
    """Return the message about overdue machines (machines whose lease and grace period are over).

    The message says either that these machines will be deleted, or that they keep running.

    Args:
        machines: The overdue machines.
        delete_at: The time of the deletion. None if the machines won't be deleted.
        state: The state of the watchdog.
        outage: The current outage.
        poll: The results of the current poll.
        options: The options of the watchdog.
    """
    gpus = gpus_of(poll)
    lines = [f"• {_machine(machine, poll.at, gpus, with_id=True)}" for machine in machines]
    if delete_at is not None:
        return "\n".join(
            [
                _lead(state, outage, poll),
                f"At {_time(delete_at, poll.at)}, I'll delete these machines, which are past their end:",
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
            _lead(state, outage, poll),
            "These machines are still running past their end:",
            *lines,
            f"I won't delete them, because {why}. To delete one that nobody needs, type "
            f"`gpubot destroy --resource ID`. "
            f"{_STILL_BILLS}",
        ]
    )


def well_but(poll: Poll, options: Options) -> str:
    """Return the message saying that the bot is running but can't use Slack. It mentions the admins."""
    return f"{_mentions(options)} gpubot is running, but can't send messages: {code(poll.bot.why, 300)}"


def well_again(outage: Outage, at: datetime) -> str:
    """Return the message saying that the bot works again."""
    done = sum(deletion.done for deletion in outage.deletions)
    deletions = (
        f" Its watchdog deleted {plural(done, 'machine')} in the meantime, and won't delete any more."
        if done
        else ""
    )
    whole_minutes = (at - outage.since) // _MINUTE * _MINUTE
    return f"gpubot works again, after {span(whole_minutes)}.{deletions}"


def deleted(machine: WatchedMachine, at: datetime, gpus: Gpus) -> str:
    """Return the message saying that the watchdog has deleted a machine."""
    which = _machine(machine, at, gpus, with_id=True)
    return f"gpubot's watchdog has deleted a machine: {which}. gpubot will compute its cost once it runs again."


def not_deleted(machine: WatchedMachine, at: datetime, failure: str, gpus: Gpus) -> str:
    """Return the message saying that the watchdog couldn't delete a machine.

    `failure` is a sentence with the reason.
    """
    which = _machine(machine, at, gpus, with_id=True)
    return (
        f"gpubot's watchdog couldn't delete a machine that may still be billing: {which}. "
        f"It tries again every 10 min. {code(failure, 200)}"
    )


def token_refused(poll: Poll) -> str:
    """Return the message saying that Compute Clear refuses the watchdog's token."""
    bot = "gpubot works, but" if poll.bot.trouble is None else "In addition,"
    return (
        f"{bot} Compute Clear rejects the watchdog's token, so the watchdog can't see which machines are running. "
        "Set a valid COMPUTE_CLEAR_TOKEN for the watchdog, then restart it."
    )


def file_put_aside(path: str) -> str:
    """Return the message saying that the state file was invalid and has been renamed."""
    return (
        f"gpubot's watchdog couldn't read its state file, and moved it to {code(path, 200)}. "
        "Until gpubot answers, the watchdog doesn't know when machines end, and won't delete any."
    )


def _mentions(options: Options) -> str:
    return " ".join(f"<@{admin}>" for admin in options.admins)


def code(text: str, limit: int = 60) -> str:
    """Return untrusted text as a code span on one line."""
    return f"`{_plain(text, limit) or '?'}`"


def _plain(text: str, limit: int) -> str:
    line = one_line(text, limit).replace("`", "'")
    return line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _lead(state: State, outage: Outage, poll: Poll) -> str:
    """Return sentences about the bot's problem: what is wrong, since when, and how old the list of machines is."""
    since, why = _time(outage.since, poll.at), _plain(poll.bot.why, 300)
    known = "I don't know whether anyone has extended a machine since then."
    if state.answered_at is None:
        known = "I don't know when gpubot's machines end, because it has never sent me a list of them."
    elif state.answered_at != outage.since:
        known = f"I don't know whether anyone has extended a machine since {_time(state.answered_at, poll.at)}."
    if poll.bot.trouble is Trouble.NOT_WELL:
        lead, fresh = f"gpubot has had a problem since {since}: `{why}`.", poll.bot.machines is not None
    elif poll.bot.trouble is Trouble.UNUSABLE:
        lead, fresh = f"gpubot hasn't sent me a list of its machines since {since}: {why}.", False
        lead += " Something answers at its address, so gpubot is probably running."
    else:
        lead, fresh = f"I haven't been able to reach gpubot since {since} ({why}). It may still be running.", False
    return " ".join([_WHO, lead, *([] if fresh or _nothing_runs(poll) else [known])])


def _nothing_runs(poll: Poll) -> bool:
    """Return whether it is certain that no machine is running on the Compute Clear account."""
    return poll.account.living is not None and not poll.account.living


def _listing(state: State, poll: Poll) -> list[str]:
    """Return the lines that list the running machines, in groups."""
    known, gpus = {machine.resource_id: machine for machine in state.machines}, gpus_of(poll)
    if poll.account.living is None:
        lines = [f"I can't see which machines are running: {code(poll.account.trouble, 200)}"]
        if not known:
            return lines
        which = f"list of {_time(state.answered_at, poll.at)}" if state.answered_at is not None else "last list"
        rest = [(f"• {_machine(machine, poll.at, gpus)}", machine.rate) for machine in state.machines]
        listed = [line for line, _ in rest[:MOST_LISTED]]
        named = f"gpubot's {which} has {plural(len(rest), 'machine')}, at {_total(rest)}:"
        return [*lines, named, *listed, *_more(rest)]
    unlisted = (
        "I'll never delete these, because gpubot has never reported them to me:"
        if state.answered_at is None
        else "Not on gpubot's list of machines, so I'll never delete them:"
    )
    groups: dict[str, list[tuple[str, Decimal | None]]] = {
        "Machines that haven't reached their end:": [],
        "Machines past their end:": [],
        "Machines with an unknown end:": [],
        unlisted: [],
    }
    before, past, endless, strangers = groups.values()
    for living in sorted(poll.account.living, key=lambda one: one.resource_id):
        machine = known.get(living.resource_id)
        if machine is None:
            strangers.append((_stranger(living, poll), living.rate))
            continue
        group = endless if machine.ends_at is None else (before if machine.ends_at > poll.at else past)
        line = f"• {_machine(machine, poll.at, gpus)}"
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


def gpus_of(poll: Poll) -> Gpus:
    """Return the GPUs of the running machines."""
    return {living.resource_id: living.gpus for living in poll.account.living or () if living.gpus}


def _machine(machine: WatchedMachine, at: datetime, gpus: Gpus, *, with_id: bool = False) -> str:
    """Return a line with a machine's name, owner, price, and the time until which it is rented.

    With `with_id`, the line also contains the resource ID, so that people can find the machine at Compute Clear.
    """
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


def _stranger(living: Living, poll: Poll) -> str:
    price = "price unknown" if living.rate is None else f"{say_price(living.rate)}/h"
    since = f", since {_time(living.since, poll.at)}" if living.since is not None else ""
    name, gpus = code(living.name) if living.name else "no name", f"{code(living.gpus)}, " if living.gpus else ""
    return f"• {name} ({code(living.resource_id)}), {gpus}{price}{since}"


def _time(moment: datetime, now: datetime) -> str:
    """Return a time as a date token, which Slack shows in each reader's own time zone."""
    if abs(moment - now) <= _TIME_ALONE:
        shown, plain = "{time}", f"{moment:%H:%M} UTC"
    else:
        shown, plain = "{date_short} {time}", f"{moment:%a %d %b %H:%M} UTC"
    return f"<!date^{int(moment.timestamp())}^{shown}|{plain}>"
