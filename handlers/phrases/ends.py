"""Describes the length of requests, and when leases end.

A request contains either a number of hours or a time at which the lease ends. The hours begin when the machine is
ready.

A flexible lease has an earliest and a latest time at which it can end. It ends at the earliest time if the machine
is idle then. It continues while the GPUs are busy, until the latest time.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from bot.model.job import Job, JobState
from bot.model.machine_use import OnEndingRefused, OnEndingState, UsageStatus
from bot.model.rental import Rental
from bot.model.request import Request, Terms
from bot.model.state import State
from bot.model.summary import RentalDetails
from bot.model.text import about_span, span
from bot.policy.team.hours import known_zone
from bot.policy.team.rules import Rules
from bot.policy.use.flexible_end import can_move, first_end, was_asked_for
from bot.policy.use.jobs import LOOK_AT_FAILURE
from bot.policy.use.on_ending import STARTS_BEFORE
from handlers.phrases.blocks import Fact
from handlers.phrases.format import Times, join, person, sentence

YOUR_JOB = "your job"
ITS_JOB = "its job"


def how_long(request: Request, times: Times, job: str = YOUR_JOB) -> str:
    """Return the length of a request, such as `6 h from when it's ready`.

    For texts such as `until your job is done`, `job` is either `your job` or `its job`.

    Examples:
    - `6 h from when it's ready`;
    - `6 h from when it's ready, or up to 12 h if its GPUs are busy`, for a flexible lease;
    - `until today at 18:00 (5 h 55 min)`, if the request says when the lease ends;
    - `until today at 18:00 (5 h 55 min), or today at 20:00 at the latest if its GPUs are busy`, if it is flexible;
    - `from tomorrow at 09:00 until tomorrow at 17:00 (8 h)`, if the request also contains a start time;
    - `until your job is done, 12 h at most`, if the request contains `until done`;
    - `until your job is done, today at 18:00 at the latest (5 h 55 min)`, if it contains `until done` and a time.
    """
    if request.until_done:
        latest = _at_most(request.lease, job)
        if request.until is not None:
            at = times.date_and_time(request.until)
            latest = f"until {job} is done, {at} at the latest ({span(request.lease)})"
        return f"{_from_start(request)}{latest}"
    if request.until is None or request.last_end is None:
        return f"{span(request.lease)} from when it's ready{_if_busy(request)}"
    first = f"{_from_start(request)}until {times.date_and_time(request.until)} ({span(request.lease)})"
    return f"{first}{_if_busy(request, times.date_and_time(request.last_end))}"


def how_long_in_dialog(request: Request, now: datetime, job: str = YOUR_JOB) -> str:
    """Return the length of a request, for a dialog: `ending in 5 h 50 min`, or `8 h, starting in 14 h`.

    The text contains no clock times, because dialogs can't show them in the reader's time zone.

    For texts such as `until your job is done`, `job` is either `your job` or `its job`.
    """
    if request.until_done:
        if request.starts_at is not None and request.starts_at > now:
            return f"{_at_most(request.lease, job)}, starting in {span(request.starts_at - now)}"
        return _at_most(request.lease if request.until is None else request.until - now, job)
    if request.until is None or request.last_end is None:
        return f"{span(request.lease)} from when it's ready{_if_busy(request)}"
    if request.starts_at is not None and request.starts_at > now:
        return f"{span(request.lease)}{_if_busy(request)}, starting in {span(request.starts_at - now)}"
    later = f"in {span(request.last_end - now)}"
    return f"ending in {span(request.until - now)}{_if_busy(request, later)}"


def hours_text(request: Request, job: str = YOUR_JOB) -> str:
    """Return the hours of a request: `6 h`, or `6 h, or up to 12 h if its GPUs are busy`.

    If the request contains `until done`, the text is `until your job is done, 12 h at most`. In this text, `job`
    is either `your job` or `its job`.
    """
    if request.until_done:
        return _at_most(request.lease, job)
    return f"{span(request.lease)}{_if_busy(request)}"


def until_named(request: Request) -> str:
    """Return a text with the end time that a request contains: `, running until today at 18:00`.

    The text also contains the start time and the latest end time, if the request has them. Empty if the request
    contains only a number of hours.
    """
    if request.until is None or request.last_end is None:
        return ""
    last = Times.date_and_time(request.last_end)
    if request.until_done:
        return f", running {_from_start(request)}until {YOUR_JOB} is done, {last} at the latest"
    return f", running {_from_start(request)}until {Times.date_and_time(request.until)}{_if_busy(request, last)}"


def ends_with_jobs(request: Request, rules: Rules, times: Times) -> str:
    """Return sentences about the lease of a machine that is destroyed when its jobs are done.

    Empty unless the request contains `until done`.
    """
    if not request.until_done:
        return ""
    last = f"after {span(request.lease)}"
    if request.until is not None and request.starts_at is None:
        last = times.at_time(request.until)
    return f"{start_with_gpubot_run(rules, last)} Its disk is deleted then."


def start_with_gpubot_run(rules: Rules, last: str = "") -> str:
    """Return sentences that ask the owner to start their work with `gpubot-run`.

    They also say how long after a job the machine ends. `last` is the latest time at which the machine ends, such
    as `after 12 h`. It can be empty.
    """
    ends = [f"{span(rules.lease.grace)} after its last job succeeds", f"{span(LOOK_AT_FAILURE)} after it fails"]
    ends += [f"{last} in any case"] if last else []
    *first, final = ends
    return (
        "Start your work with gpubot-run, so that I know when it's done. "
        f"The machine ends {', '.join(first)}, and {final}."
    )


def _at_most(lease: timedelta, job: str) -> str:
    return f"until {job} is done, {span(lease)} at most"


def _from_start(request: Request) -> str:
    return "" if request.starts_at is None else f"from {Times.date_and_time(request.starts_at)} "


def _if_busy(request: Request, last: str = "") -> str:
    """Return a clause such as `, or up to 12 h if its GPUs are busy`. Empty if the lease isn't flexible.

    `last` is the latest time at which the lease can end, such as `today at 20:00`. With `last`, the clause is `,
    or today at 20:00 at the latest if its GPUs are busy`.
    """
    if request.up_to is None:
        return ""
    return f", or {f'{last} at the latest' if last else f'up to {span(request.up_to)}'} if its GPUs are busy"


# --- the end of a machine


def keeps_running(rental: Rental) -> bool:
    """Return whether a flexible lease continues at the moment because the machine is in use."""
    lease, request = rental.running_lease, rental.request
    moved = was_asked_for(request, lease) and lease.ends_at > first_end(request, lease.ready_at)
    return moved and rental.use is not None and rental.use.status is UsageStatus.IN_USE


def ends_fact(rental: Rental, times: Times, *posted: datetime) -> Fact:
    """Return a line with the time at which the lease of a ready machine ends.

    If this time can still change, the line says so. `posted` is the time at which the message was posted. Pass no
    `posted` for a new message.
    """
    lease, longer = rental.running_lease, rental.extension
    first, said = times.time(lease.ends_at, *posted), it_ends(rental, lease.ends_at, times, *posted)
    busy, approved = "", ""
    if lease.heartbeat_end is not None:
        first = f"{first}, {_since_lost(rental, times, *posted)}"
    elif lease.until_done is not None and lease.graceful_destroy is None:
        done = lease.until_done.done
        first = f"when its job is done, {first} at the latest" if done is None else f"{first}, {_since_done(done)}"
    elif lease.latest_end is not None and can_move(lease):
        busy = f"or {times.time(lease.latest_end, *posted)} at the latest if its GPUs are busy"
    elif keeps_running(rental):
        busy, said = "even if its GPUs are busy", f"{said} It can't keep running after that."
    if longer is not None:
        approved = f"or {times.time(longer.ends_at, *posted)} if the request for more time is approved"
        at = times.at_time(longer.ends_at, *posted)
        said = f"{said} If the request for more time is approved, it ends {at}."
    return Fact("Ends", join(first, busy, approved, by=", "), said)


def it_ends(rental: Rental, ends_at: datetime, times: Times, *posted: datetime, unless: str = "") -> str:
    """Return a sentence with the time at which a machine ends, such as `It ends at 18:40`.

    For a flexible lease, an example is `It ends at 18:40, or tomorrow at 00:40 at the latest if its GPUs are
    busy.` If the machine ends because a job has ended, an example is `It ends at 16:15, since its job is done.` If
    it ends because its heartbeat is lost, an example is `It ends at 13:30, since its heartbeat stopped at
    12:40.`

    `unless` is a clause that precedes the sentence, such as `unless someone approves, `.
    """
    lease = rental.running_lease
    ends, latest = f"{unless}it ends {times.at_time(ends_at, *posted)}", lease.latest_end
    if lease.heartbeat_end is not None and lease.ends_at == ends_at:
        ends = f"{ends}, {_since_lost(rental, times, *posted)}"
    elif lease.until_done is not None and lease.graceful_destroy is None and lease.ends_at == ends_at:
        done, at = lease.until_done.done, times.at_time(ends_at, *posted)
        when_done = f"{unless}it ends when its job is done, {at} at the latest"
        ends = when_done if done is None else f"{ends}, {_since_done(done)}"
    elif latest is not None and latest > ends_at:
        ends += f", or {times.at_time(latest, *posted)} at the latest if its GPUs are busy"
    return sentence(ends)


def _since_done(job: Job) -> str:
    """Return a clause saying why a machine with a job ends, such as `since its job is done`."""
    ended = {JobState.DONE: "is done", JobState.FAILED: "failed"}
    return f"since its job {ended.get(job.state, 'stopped')}"


def if_busy_then(rental: Rental, ends_at: datetime, times: Times, *posted: datetime) -> str:
    """Return a sentence saying how long a machine keeps running if its GPUs are busy at `ends_at`.

    Empty if the machine is destroyed even if its GPUs are busy.
    """
    latest = rental.running_lease.latest_end
    if latest is None or latest <= ends_at or rental.running_lease.ends_when_done:
        return ""
    return f"If its GPUs are busy then, it keeps running, until {times.time(latest, *posted)} at the latest."


def at_its_end(rental: Rental, now: datetime) -> Fact | None:
    """Return a line about a machine that is still running although its lease has ended.

    The line says what the bot is doing: it runs `/root/on-ending.sh`, checks whether the GPUs are busy, or is
    about to destroy the machine. None before the end of the lease.
    """
    lease, script = rental.running_lease, rental.on_ending
    if now < lease.ends_at:
        return None
    ended = "It has reached its end, and"
    if script is not None and script.state is OnEndingState.RUNNING and script.is_for(lease.ends_at):
        done = f"as soon as its script {PATH} is done"
        return Fact("Ends", done, f"{ended} I'll destroy it {done}.")
    if can_move(lease):
        return Fact("Ends", "now, unless its GPUs are busy", f"{ended} I'm checking whether its GPUs are busy.")
    return Fact("Ends", "now", f"{ended} I'll destroy it as soon as I can.")


def without_approval(rental: Rental, times: Times) -> str:
    """Return a sentence saying when the lease ends if nobody approves more time.

    An example is `Unless someone approves, it ends at 12:34`.
    """
    return it_ends(rental, rental.running_lease.ends_at, times, unless=UNLESS_APPROVED)


UNLESS_APPROVED = "unless someone approves, "


def until_decided(rental: Rental, times: Times) -> str:
    """Return a sentence with the time until which approvers can approve or deny a pending request."""
    if rental.extension is not None:
        return without_approval(rental, times)
    return (
        f"The request expires {times.at_time(rental.decision.expires_at)}." if rental.decision is not None else ""
    )


def lost_heartbeat_text(rental: Rental, times: Times, *posted: datetime) -> str:
    """Return a sentence about the lost heartbeat of a ready machine.

    An example is `Its heartbeat stopped at 12:40.` If somebody keeps the machine, the sentence says until when.
    Empty if the heartbeat isn't lost, or if the machine ends because of it. `ends_fact` then says so.
    """
    lost = rental.lost_heartbeat
    if lost is None or rental.running_lease.heartbeat_end is not None:
        return ""
    stopped = _stopped(rental, times, *posted)
    if lost.kept_until is not None and lost.kept_until > times.now:
        return sentence(f"{stopped}, but it's kept until {times.time(lost.kept_until, *posted)}")
    return sentence(stopped)


def _since_lost(rental: Rental, times: Times, *posted: datetime) -> str:
    """Return a clause saying why a machine ends, such as `since its heartbeat stopped at 12:40`."""
    return f"since {_stopped(rental, times, *posted)}"


def _stopped(rental: Rental, times: Times, *posted: datetime) -> str:
    """Return `its heartbeat stopped at 12:40`, or `no heartbeat has arrived` before the first one."""
    lost = rental.lost_heartbeat
    if lost is None or lost.since <= rental.running_lease.ready_at:
        return "no heartbeat has arrived"
    return f"its heartbeat stopped {times.at_time(lost.since, *posted)}"


def end_moves(rental: Rental) -> bool:
    return rental.lease is not None and can_move(rental.lease)


# --- ends that people type


def read_as_utc(zone: str | None) -> str:
    """Return a sentence saying that a typed time was read as UTC. Empty if the person's time zone is known."""
    return "" if zone else "I read the time that you typed as UTC, because Slack doesn't tell me your time zone."


def clock_time(at: datetime, now: datetime, zone: str) -> str:
    """Return a time such as `8:00`, or `Thu 8:00` if it is more than a day away.

    The time is in the given zone, so use it only in texts that a single person reads.
    """
    local = at.astimezone(known_zone(zone))
    day = f"{local:%a} " if at - now > timedelta(days=1) else ""
    return f"{day}{local.hour}:{local:%M}"


def end_text(at: datetime, zone: str) -> str:
    """Return a time as a person types it after `until` or `up to`: `2026-11-27 18:00`.

    The time is in the person's `zone`. The date is included, so that the text stays correct on a later day.
    """
    return f"{at.astimezone(known_zone(zone)):%Y-%m-%d %H:%M}"


def ask_again_text(
    until: datetime | None, ends: datetime | None, times: Times, *, moves: bool, until_done: bool = False
) -> str:
    """Return sentences saying when the bot asks again whether a machine is needed, and when the lease ends.

    `until` is the time of the next question. None if the bot doesn't ask again. `moves` is true if the lease
    continues while the GPUs are busy, and `until_done` if the machine ends earlier when its job is done.
    """
    again = f"I'll ask again {times.at_time(until)}." if until is not None else "I won't ask again."
    if ends is None:
        return again
    still = f"It still ends {times.at_time(ends)}{' unless its GPUs are busy then' if moves else ''}"
    still = f"{still}, or when its job is done" if until_done else still
    if until is None or until >= ends:
        return f"{still}, and I won't ask again before that."
    return f"{again} {still}."


# --- texts about `/root/on-ending.sh`, the owner's script that runs before the machine ends


PATH = "/root/on-ending.sh"

_REFUSED: dict[OnEndingRefused, str] = {
    OnEndingRefused.NO_FILE: f"that isn't a regular file. Put the script itself at {PATH}, not a link",
    OnEndingRefused.NOT_EXECUTABLE: f"the script isn't executable. Type chmod 700 {PATH} on the machine",
    OnEndingRefused.OWNER: (
        f"the script or /root doesn't belong to root. Type chown root /root {PATH} on the machine"
    ),
    OnEndingRefused.WRITABLE: (
        f"others can write to the script or to /root. Type chmod go-w /root {PATH} on the machine"
    ),
}
"""Texts that say why a machine doesn't run its `/root/on-ending.sh`, and what the owner can do."""


def on_ending_text(rental: Rental, times: Times, *posted: datetime) -> str:
    """Return a sentence about the script that the owner wants to run before the machine ends.

    An example is `The script /root/on-ending.sh starts at 18:25.` Empty if there is no script.

    `posted` is the time at which the message was posted. Pass no `posted` for a new message.
    """
    script, lease = rental.on_ending, rental.lease
    if script is None or lease is None or script.state is OnEndingState.NONE:
        return ""
    ready = rental.state is State.READY
    seen_at = rental.on_ending_at
    if script.state is OnEndingState.REFUSED:
        why = _REFUSED[script.why] if script.why is not None else f"see {PATH}"
        return f"The machine won't run its script {PATH}: {why}." if ready else ""
    if not script.is_for(lease.ends_at):
        return _to_come(rental, times, *posted) if ready else ""
    if script.state is OnEndingState.RUNNING:
        since = f" has been running since {times.time(seen_at, *posted)}" if seen_at is not None else " is running"
        return f"The script {PATH}{since}." if ready else f"The script {PATH} was still running at the end."
    at = f" {times.at_time(seen_at, *posted)}" if seen_at is not None else ""
    if script.state is OnEndingState.DONE:
        return f"The script {PATH} finished{at}."
    check = f", so check the machine before {times.time(lease.ends_at, *posted)}"
    failed = f"The script {PATH} failed{at}{exit_text(script.status)}"
    return f"{failed}{check if ready and lease.ends_at > times.now else ''}."


def keeping_text(terms: Terms) -> str:
    """Return a sentence such as `This includes 13 h 20 min more, if saving fails`.

    It follows the highest cost of a rental. It says for how long the bot keeps the machine if `/root/on-ending.sh`
    fails. Empty if the bot doesn't keep the machine then.
    """
    return f"This includes {about_span(terms.kept)} more, if saving fails ({PATH})." if terms.kept else ""


def can_have_one(rental: Rental) -> str:
    """Return a sentence telling the owner that they can add a script `/root/on-ending.sh`.

    Empty if the machine has this script, or if the bot doesn't know whether it has the script.
    """
    if rental.on_ending is None or rental.on_ending.state is not OnEndingState.NONE:
        return ""
    return f"If you put a script at {PATH}, it runs {span(STARTS_BEFORE)} before the machine ends."


def exit_text(status: int | None) -> str:
    return "" if status is None else f" (exit {status})"


def _to_come(rental: Rental, times: Times, *posted: datetime) -> str:
    lease = rental.running_lease
    starts_at = lease.ends_at - STARTS_BEFORE
    if lease.graceful_destroy is not None:
        return ""  # `graceful_destroy_text` already mentions the script
    if can_move(lease):
        starts = f"The script {PATH} starts {span(STARTS_BEFORE)} before the end."
    elif starts_at > times.now:
        starts = f"The script {PATH} starts {times.at_time(starts_at, *posted)}."
    else:
        starts = f"The script {PATH} hasn't started yet."
    if lease.kept_until is None:
        return starts
    until = times.time(lease.kept_until, *posted)
    return f"{starts} If it fails, the machine keeps running, until {until} at the latest."


def graceful_destroy_text(details: RentalDetails, times: Times, *posted: datetime, name: str = "it") -> str:
    """Return a sentence saying that a machine will be destroyed when its `/root/on-ending.sh` is done.

    An example is `As Ben asked, I'll destroy it when its script /root/on-ending.sh is done, at 18:35 at the
    latest.` `name` replaces the first `it`. Empty if nobody has asked for this.
    """
    lease = details.rental.lease
    first = lease.graceful_destroy if lease is not None else None
    if lease is None or first is None:
        return ""
    return after_script(person(details.names, first.by), name, times.at_time(lease.ends_at, *posted))


def after_script(who: str, name: str, latest: str) -> str:
    return f"As {who} asked, I'll destroy {name} when its script {PATH} is done, {latest} at the latest."
