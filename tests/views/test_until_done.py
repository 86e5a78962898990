"""Machines that end when their jobs are done, as people read about them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from inline_snapshot import snapshot

from bot.model.attempt import ScriptPart, SentScript
from bot.model.base import changed
from bot.model.event import Event, EventKind
from bot.model.facts import WorkGoesOn
from bot.model.job import Job, JobState, MachineJobs, UntilDone
from bot.model.machine_use import OnEnding, OnEndingState
from bot.model.summary import RentalDetails
from handlers.actions.rentals import extend_form
from handlers.actions.requests import approve_dialog
from handlers.messages import offers, replies
from handlers.phrases.format import Times
from tests.views.screens import approval, card, dialog, direct, message, page, thread
from tests.views.stories import (
    ANA,
    BEN,
    LONGER,
    QUOTE,
    H,
    M,
    clock,
    done_job,
    extended,
    happened,
    lease,
    reading,
    ready,
    request,
    view_of,
    waiting,
)
from tests.views.test_offers import rows

K = EventKind
NOW = clock(16, 0)
USUAL = clock(0, 40, day=25)
TRAIN = done_job(clock(12, 48), NOW)
KILLED = changed(TRAIN, state=JobState.FAILED, exit_status=137)
LOST = changed(TRAIN, state=JobState.UNKNOWN, exit_status=None)
SET = UntilDone(since=clock(12, 0))


def ends_with_jobs(*events: Event, done: Job | None = None, **changes: Any) -> RentalDetails:
    """Return a ready machine that ends with its jobs, at 00:40 at the latest. If `done` is given, at 16:15."""
    at = lease(USUAL if done is None else clock(16, 15))
    until_done = SET if done is None else changed(SET, done=done, done_seen_at=NOW, told_at=NOW)
    at = changed(at, until_done=until_done, latest_end=None if done is None else USUAL)
    return ready(*events, lease=at, request=request(lease=12 * H, until_done=True), **changes)


def done(job: Job, span: timedelta = 15 * M, **facts: Any) -> Event:
    """Return the event at 16:00 that the machine's jobs are done."""
    return happened(K.JOB_DONE, NOW, id=20, job=job, until=NOW + span, span=span, rate=None, **facts)


def test_the_offers_name_the_longest_time_and_its_price() -> None:
    asked = changed(QUOTE, request=request(lease=12 * H, until_done=True))
    named = changed(QUOTE, request=request(lease=6 * H, until=clock(18, 40), until_done=True))
    assert page(
        *(message(offers.answer(view_of(one, rows()), reading(clock(12, 35))), NOW) for one in (asked, named))
    ) == snapshot("""\

*1x H100 in EU* · until your job is done, 12 h at most
  Start your work with gpubot-run, so that I know when it's done. The machine ends 15 min after its
      last job succeeds, 1 h after it fails, and after 12 h in any case. Its disk is deleted then.
*$2.15/h* Hyperstack nor-1, SXM 80 GB   [Rent from $2.15/h]
*At most $16.06* for the whole 12 h, including startup and shutdown. If this offer sells out, I'll
      take another up to $2.47/h.
*$2.42/h* Nebius eu-north1   [Rent from $2.42/h]
*$3.11/h* Scaleway fr-par-2   [Rent from $3.11/h]
  Prices are valid until 13:05.
[Details] [Refresh] [Change]

*1x H100 in EU* · until your job is done, today at 18:40 at the latest (6 h)
  Start your work with gpubot-run, so that I know when it's done. The machine ends 15 min after its
      last job succeeds, 1 h after it fails, and at 18:40 in any case. Its disk is deleted then.
  I read the time that you typed as UTC, because Slack doesn't tell me your time zone.
*$2.15/h* Hyperstack nor-1, SXM 80 GB   [Rent from $2.15/h]
*At most $16.06* for the whole 6 h, including startup and shutdown. If this offer sells out, I'll
      take another up to $2.47/h.
*$2.42/h* Nebius eu-north1   [Rent from $2.42/h]
*$3.11/h* Scaleway fr-par-2   [Rent from $3.11/h]
  Prices are valid until 13:05.
[Details] [Refresh] [Change]
""")


def test_approvers_read_that_the_machine_ends_with_its_job() -> None:
    details = waiting(request=request(count=8, lease=12 * H, until_done=True))
    assert page(approval(details.events[-1], details, clock(12, 36))) == snapshot("""\

(fallback) It costs $18.40/h ($2.30 per GPU-hour), or up to $21.16/h if the chosen offer sells out.
      The request exceeds the limits of $10.00/h and $100.00 per rental. Ana also has 1x A100
      (a2bc3).
# Approve up to $137.54?
Ana wants *8x H100 (p4wd9) in EU until its job is done, 12 h at most*: "fine-tune run 7".
| Price: $18.40/h, or up to $21.16/h if the chosen offer sells out
| Exceeds: the limits of $10.00/h and $100.00 per rental
| Also running: 1x A100 (a2bc3)
  The request expires at 22:05.
[Approve up to $137.54] [Approve fewer hours] [Deny] [Ana's spending]
""")


def test_the_card_says_when_the_machine_ends() -> None:
    assert page(
        card(ends_with_jobs(), NOW), *(card(ends_with_jobs(done=job), NOW) for job in (TRAIN, KILLED, LOST))
    ) == snapshot("""\

(fallback) Ready: 1x H100 (k7mq2) in EU for Ana.
(fallback) It ends when its job is done, tomorrow at 00:40 at the latest. It has cost $2.42/h since
      12:37.
*Ready: 1x H100 (k7mq2) in EU*
| Owner: Ana
| Ends: when its job is done, tomorrow at 00:40 at the latest
| Price: $2.42/h since 12:37
  fine-tune run 7
[Extend] [Details] [Destroy k7mq2]

(fallback) Ready: 1x H100 (k7mq2) in EU for Ana.
(fallback) It ends at 16:15, since its job is done. It has cost $2.42/h since 12:37.
*Ready: 1x H100 (k7mq2) in EU*
| Owner: Ana
| Ends: 16:15, since its job is done
| Price: $2.42/h since 12:37
  fine-tune run 7
[Keep k7mq2] [Details] [Destroy k7mq2 now]

(fallback) Ready: 1x H100 (k7mq2) in EU for Ana.
(fallback) It ends at 16:15, since its job failed. It has cost $2.42/h since 12:37.
*Ready: 1x H100 (k7mq2) in EU*
| Owner: Ana
| Ends: 16:15, since its job failed
| Price: $2.42/h since 12:37
  fine-tune run 7
[Keep k7mq2] [Details] [Destroy k7mq2 now]

(fallback) Ready: 1x H100 (k7mq2) in EU for Ana.
(fallback) It ends at 16:15, since its job stopped. It has cost $2.42/h since 12:37.
*Ready: 1x H100 (k7mq2) in EU*
| Owner: Ana
| Ends: 16:15, since its job stopped
| Price: $2.42/h since 12:37
  fine-tune run 7
[Keep k7mq2] [Details] [Destroy k7mq2 now]
""")


def test_the_owner_reads_that_the_machine_ends_because_its_job_is_done() -> None:
    script = OnEnding(state=OnEndingState.RUNNING, end=clock(16, 15))
    assert page(
        direct(done(TRAIN), ends_with_jobs(done=TRAIN, on_ending=script, on_ending_at=NOW), NOW),
        direct(done(KILLED, H), ends_with_jobs(done=KILLED), NOW),
        direct(done(LOST, H), ends_with_jobs(done=LOST), NOW),
        direct(done(TRAIN), changed(ends_with_jobs(done=TRAIN), sees_money=False), NOW, to=BEN),
    ) == snapshot("""\

*Your job is done: 1x H100 (k7mq2) ends at 16:15, in 15 min.* Copy your results off: the disk is
      deleted with it.
  python train.py, exit 0 after 3 h 12 min · $4.96 so far · The script /root/on-ending.sh has been
      running since 16:00.
[Keep k7mq2] [Destroy k7mq2 now]

*Your job failed: 1x H100 (k7mq2) ends at 17:00, in 1 h, so that you can look.* Copy your results
      off: the disk is deleted with it.
  python train.py, exit status 137 (killed, often out of memory) after 3 h 12 min · $4.96 so far
[Keep k7mq2] [Destroy k7mq2 now]

*Your job stopped: 1x H100 (k7mq2) ends at 17:00, in 1 h, so that you can look.* Copy your results
      off: the disk is deleted with it.
  python train.py, exit status unknown after 3 h 12 min · $4.96 so far
[Keep k7mq2] [Destroy k7mq2 now]

*The job is done: 1x H100 (k7mq2) ends at 16:15, in 15 min.* Copy your results off: the disk is
      deleted with it.
  python train.py, exit 0 after 3 h 12 min
[Keep k7mq2]
""")


def test_the_message_says_if_work_goes_on_or_somebody_keeps_the_machine() -> None:
    first = done(TRAIN)
    later = [
        happened(K.WORK_GOES_ON, NOW + 4 * M, id=21, until=USUAL, work=WorkGoesOn.JOB),
        happened(K.WORK_GOES_ON, NOW + 4 * M, id=21, until=USUAL, work=WorkGoesOn.GPU_OR_CONNECTION),
        happened(K.KEPT_WHEN_DONE, NOW + 4 * M, ANA, id=21, until=USUAL),
    ]
    end = clock(18, 15)
    more = happened(K.EXTENDED, NOW + 4 * M, ANA, id=21, until=end, since=clock(16, 15), span=2 * H, terms=2)
    assert page(
        *(direct(first, ends_with_jobs(first, one), NOW + 5 * M) for one in later),
        direct(first, ready(first, more, lease=lease(end)), NOW + 5 * M),
    ) == snapshot("""\

Another job has started, so your 1x H100 (k7mq2) keeps running, until tomorrow at 00:40 at the
      latest.

A GPU is working or somebody has connected, so your 1x H100 (k7mq2) keeps running, until tomorrow at
      00:40 at the latest.

You decided to keep your 1x H100 (k7mq2) until tomorrow at 00:40, even if its job is done.

*Extended: 1x H100 (k7mq2)*. It ends at 18:15.
""")


def test_the_message_says_that_the_machine_is_kept_if_its_usual_end_applies_again() -> None:
    first = done(TRAIN)
    kept = happened(K.KEPT, NOW + 4 * M, ANA, id=21, until=None, since=USUAL, span=H)
    end = USUAL + 12 * H
    asked = happened(K.EXTENSION_ASKED, NOW + 4 * M, ANA, id=21, until=end, since=USUAL, span=20 * H, terms=2)
    waits = changed(LONGER, ends_at=end)
    assert page(
        direct(first, ready(first, kept, lease=lease(USUAL)), NOW + 5 * M),
        direct(first, ready(first, asked, lease=lease(USUAL), extension=waits), NOW + 5 * M),
    ) == snapshot("""\

*Kept: 1x H100 (k7mq2)*. It ends tomorrow at 00:40.

*Kept: 1x H100 (k7mq2)*. It ends tomorrow at 00:40. If the request for more time is approved, it
      ends tomorrow at 12:40.
""")


def test_the_owner_is_told_once_that_no_job_has_started() -> None:
    at = clock(14, 37)
    none_yet = happened(K.NO_JOB, at, id=20, until=USUAL, rate=ready().rental.rate)
    kept = happened(K.KEPT, at + M, ANA, id=21, until=USUAL, since=USUAL, span=10 * H)
    started = changed(TRAIN, state=JobState.RUNNING, began_at=at + M, ended_at=None, exit_status=None)
    assert page(
        direct(none_yet, ends_with_jobs(none_yet), at),
        direct(none_yet, ends_with_jobs(none_yet, kept), at + 2 * M),
        direct(none_yet, ends_with_jobs(none_yet, jobs=MachineJobs(jobs=(started,))), at + 2 * M),
    ) == snapshot("""\

No job has started on 1x H100 (k7mq2) in the 1 h 57 min since it was ready. It keeps running, at
      $2.42/h, until tomorrow at 00:40.
[Destroy k7mq2] [Keep it until then]

You said that you still need your 1x H100 (k7mq2). It still ends tomorrow at 00:40, or when its job
      is done, and I won't ask again before that.
[Extend 2 h, about $4.84]

A job has been running on 1x H100 (k7mq2) since 14:38.
""")
    of_ben = ends_with_jobs(none_yet, jobs=MachineJobs(jobs=(changed(started, uid=1000),)))
    assert direct(none_yet, of_ben, at + 2 * M).startswith("No job of root has started on 1x H100 (k7mq2) in ")


def test_the_owner_learns_about_gpubot_run_when_the_machine_is_ready() -> None:
    event = happened(K.READY, clock(12, 37), id=9, until=USUAL)
    assert "gpubot-run" in direct(event, ends_with_jobs(event), clock(12, 38))
    assert "gpubot-run" not in direct(event, ready(event), clock(12, 38))


def test_the_thread_tells_the_story_without_names_of_jobs() -> None:
    events = [
        done(TRAIN),
        done(KILLED, H),
        happened(K.WORK_GOES_ON, NOW, until=USUAL, work=WorkGoesOn.JOB),
        happened(K.KEPT_WHEN_DONE, NOW, ANA, until=USUAL),
        happened(K.EXTENDED, NOW, ANA, until=USUAL, since=clock(18, 40), span=6 * H, terms=2, until_done=True),
        happened(
            K.EXTENSION_ASKED, NOW, ANA, until=USUAL, since=clock(18, 40), span=6 * H, terms=2, until_done=True
        ),
    ]
    assert page(*(thread(event, ends_with_jobs()) for event in events)) == snapshot("""\

The job on this machine is done, so the machine ends at 16:15.

The job on this machine failed after 3 h 12 min, so the machine ends at 17:00.

Another job has started, so this machine keeps running, until tomorrow at 00:40 at the latest.

Ana decided to keep this machine until tomorrow at 00:40, even if its job is done.

Ana chose that this machine ends when its job is done, tomorrow at 00:40 at the latest.

Ana asked for 6 h more on this machine, until tomorrow at 00:40 or until its job is done. That needs
      approval. Unless someone approves, it ends at 18:40.
""")


def test_more_time_for_a_machine_that_ends_with_its_job_says_so() -> None:
    longer = changed(LONGER, ends_at=USUAL, until_done=True)
    asked = happened(K.EXTENSION_ASKED, NOW, ANA, id=20, until=USUAL, since=clock(18, 40), span=6 * H, terms=2)
    waits = ready(asked, extension=longer)
    assert "Ana wants more time for *1x H100 (k7mq2)*, until its job is done" in approval(asked, waits, NOW)
    shown = " ".join(dialog(approve_dialog(waits, reading(NOW)), NOW).split())
    assert "6 h more for 1x H100 (k7mq2), until its job is done" in shown
    decided = [
        happened(K.EXTENSION_APPROVED, NOW, BEN, id=21, until=USUAL),
        happened(K.EXTENDED, NOW, ANA, id=21, until=USUAL, span=2 * H),
    ]
    for event in decided:
        assert "ends tomorrow at 00:40, or when its job is done." in thread(event, ends_with_jobs())
        assert "or when" not in thread(event, ready())
        assert "or when" not in thread(event, ends_with_jobs(done=TRAIN))


def test_questions_from_before_point_to_the_message_about_the_end_and_its_reader_is_you() -> None:
    told = happened(K.JOBS_ENDED, clock(15, 0), id=19, jobs=(TRAIN,), until=USUAL)
    first, kept = done(TRAIN), happened(K.KEPT_WHEN_DONE, NOW + M, ANA, id=21, until=USUAL)
    after_keep = happened(K.JOBS_ENDED, NOW, id=20, jobs=(TRAIN,), until=USUAL)
    assert page(
        direct(told, ends_with_jobs(told, first, done=TRAIN), NOW),
        direct(after_keep, ends_with_jobs(after_keep, kept), NOW + M),
    ) == snapshot("""\

I told you at 16:00 that the last job on your 1x H100 (k7mq2) has ended.

You decided to keep your 1x H100 (k7mq2) until tomorrow at 00:40, even if its job is done.
""")


def test_extending_offers_to_end_the_machine_with_its_job() -> None:
    times = Times(now=NOW, zone="UTC")
    rental = ends_with_jobs().rental
    script = SentScript(version=1, keys=(), probe=True, parts=(ScriptPart.RUN,))
    with_run = changed(ready(), attempts=tuple(changed(one, script=script) for one in ready().attempts))
    chosen = [changed(extended(rental, longer), until_done=True) for longer in (4 * H, timedelta(0))]
    assert page(
        dialog(extend_form(with_run, reading(NOW)), NOW),
        dialog(extend_form(ends_with_jobs(), reading(NOW)), NOW),
        *(message(replies.extended(one, times), NOW) for one in chosen),
        message(replies.still_needed(rental, clock(18, 0), reading(NOW)), NOW),
    ) == snapshot("""\

== Extend k7mq2? ==
Ana's 1x H100 (k7mq2). It ends in 2 h 40 min.
Longer by: 1 h, about $2.42 | (2 h, about $4.84) | 4 h, about $9.68 | 8 h, about $19.36 | 12 h,
      about $29.04 | 24 h, about $58.08 | 2 days, about $116.16 | no longer than now
If the work is done earlier (started with gpubot-run from now on): [ ] End when the job is done
[Extend k7mq2] [Go back]

== Extend k7mq2? ==
Ana's 1x H100 (k7mq2). It ends in 8 h 40 min.
Longer by: 1 h, about $2.42 | (2 h, about $4.84) | 4 h, about $9.68 | 8 h, about $19.36 | 12 h,
      about $29.04 | 24 h, about $58.08 | 2 days, about $116.16
[Extend k7mq2] [Go back]

You extended 1x H100 (k7mq2) by 4 h, about $9.68. It ends when its job is done, tomorrow at 00:40 at
      the latest.

1x H100 (k7mq2) ends when its job is done, tomorrow at 00:40 at the latest.

You said that you still need 1x H100 (k7mq2). I'll ask again at 18:00. It still ends tomorrow at
      00:40, or when its job is done.
[Extend 2 h, about $4.84]
""")
