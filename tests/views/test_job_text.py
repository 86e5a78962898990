"""Jobs and their progress: on the card, in lists, and in the message that they have ended."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from inline_snapshot import snapshot

from bot.model.base import changed
from bot.model.event import Event, EventKind
from bot.model.job import Job, JobState, MachineJobs, Progress
from bot.model.machine_use import GpuUse, UsageStatus, Use
from bot.model.message import MessageKind
from bot.model.rental import Asked, Question
from bot.model.state import State
from bot.model.summary import RentalDetails
from handlers.messages import lists
from handlers.messages.card import REFRESH_PROGRESS_EVERY
from handlers.messages.card import card as card_of
from handlers.messages.home import home_tab
from handlers.phrases.blocks import Rendered
from tests.views.screens import approval, card, direct, message, outbox, page
from tests.views.stories import ANA, CARL, H, M, clock, done_job, happened, lease, listed, reading, ready
from tests.views.test_home import home_of
from tests.views.test_home import shown as shown_on_home
from tests.views.test_limits import assert_valid

K = EventKind
NOW = clock(16, 12)
TRAIN = done_job(clock(13, 0), NOW)
KILLED = changed(TRAIN, id="0.b", state=JobState.FAILED, exit_status=137, began_at=clock(15, 30))
LOST = changed(TRAIN, id="0.c", name="torchrun", state=JobState.UNKNOWN, exit_status=None, ended_at=clock(14, 0))
RUNNING = changed(TRAIN, state=JobState.RUNNING, exit_status=None, ended_at=None)
PROGRESS = Progress(text="step 1200 of 8000, loss 2.1", at=NOW - M)
HOSTILE = "<!channel> <@U0BEN> *b* _i_ ~s~ `c` &lt; :tada: <http://x|y> \x1b[31m\x07\u202e >q"


def ended(*jobs: Job) -> Event:
    """Return the event that these jobs have ended, at 16:12."""
    rate = ready().rental.rate
    return happened(
        K.JOBS_ENDED, NOW, id=20, jobs=jobs, until=clock(18, 40), rate=rate, amount=8_700_000, estimated=False
    )


def working(*jobs: Job, progress: Progress | None = PROGRESS, **changes: Any) -> RentalDetails:
    return ready(jobs=MachineJobs(jobs=jobs), progress=progress, **changes)


def shown(event: Event, details: RentalDetails, at: datetime = NOW) -> str:
    return direct(event, details, at)


# --- the message that the jobs have ended


def test_the_owner_learns_how_the_last_job_ended_and_what_the_machine_costs() -> None:
    assert page(*(shown(ended(job), ready()) for job in (TRAIN, KILLED, LOST))) == snapshot("""\

(fallback) Job: python train.py, exit 0. It costs $2.42/h, $8.70 so far.
*Your job on 1x H100 (k7mq2) finished after 3 h 12 min.* The machine runs until 18:40.
| Job: python train.py, exit 0
| Cost: $2.42/h, $8.70 so far
[Destroy k7mq2] [Keep it, ask again in 1 h] [Keep it, ask again in 4 h]

(fallback) Job: python train.py, exit status 137 (killed, often out of memory). It costs $2.42/h,
      $8.70 so far.
*Your job on 1x H100 (k7mq2) failed after 42 min.* The machine runs until 18:40.
| Job: python train.py, exit status 137 (killed, often out of memory)
| Cost: $2.42/h, $8.70 so far
[Destroy k7mq2] [Keep it, ask again in 1 h] [Keep it, ask again in 4 h]

(fallback) Job: torchrun, exit status unknown. It costs $2.42/h, $8.70 so far.
*Your job on 1x H100 (k7mq2) stopped after 1 h.* The machine runs until 18:40.
| Job: torchrun, exit status unknown
| Cost: $2.42/h, $8.70 so far
[Destroy k7mq2] [Keep it, ask again in 1 h] [Keep it, ask again in 4 h]
""")


def test_other_ended_jobs_are_listed_after_the_last_long_one() -> None:
    """A job that took only seconds never is the subject of the message."""
    short = changed(TRAIN, id="0.d", name="curl", began_at=NOW - timedelta(seconds=9))
    many = [changed(LOST, id=f"0.{n}", name=f"bash {n}.sh") for n in range(9)]
    assert page(shown(ended(short, TRAIN, KILLED), ready()), shown(ended(TRAIN, *many), ready())) == snapshot("""\

(fallback) Job: python train.py, exit 0. It costs $2.42/h, $8.70 so far. Also ended: curl, exit 0;
      python train.py, exit status 137 (killed, often out of memory).
*Your job on 1x H100 (k7mq2) finished after 3 h 12 min.* The machine runs until 18:40.
| Job: python train.py, exit 0
| Cost: $2.42/h, $8.70 so far
| Also ended: curl, exit 0; python train.py, exit status 137 (killed, often out of memory)
[Destroy k7mq2] [Keep it, ask again in 1 h] [Keep it, ask again in 4 h]

(fallback) Job: python train.py, exit 0. It costs $2.42/h, $8.70 so far. Also ended: bash 0.sh, exit
      status unknown; bash 1.sh, exit status unknown; bash 2.sh, exit status unknown; bash 3.sh,
      exit status unknown; bash 4.sh, exit status unknown; 4 more.
*Your job on 1x H100 (k7mq2) finished after 3 h 12 min.* The machine runs until 18:40.
| Job: python train.py, exit 0
| Cost: $2.42/h, $8.70 so far
| Also ended: bash 0.sh, exit status unknown; bash 1.sh, exit status unknown; bash 2.sh, exit status
      unknown; bash 3.sh, exit status unknown; bash 4.sh, exit status unknown; 4 more
[Destroy k7mq2] [Keep it, ask again in 1 h] [Keep it, ask again in 4 h]
""")


def test_the_message_says_that_the_machine_works_again_or_how_it_was_answered() -> None:
    told, later = ended(TRAIN), clock(17, 0)
    idle = Use(status=UsageStatus.IDLE, since=clock(16, 10), gpus=(GpuUse(index=0, highest=0),))
    next_period = changed(idle, since=clock(16, 30))
    kept = happened(K.KEPT, later, ANA, id=21, until=clock(18, 0), since=clock(18, 40), span=H)
    other_end = ended(changed(KILLED, ended_at=later))
    work = Use(status=UsageStatus.IN_USE, since=clock(16, 40))

    def again(use: Use) -> Event:
        return happened(K.STILL_NEEDED, later, id=21, status=use.status, use=use)

    assert page(
        shown(told, working(changed(RUNNING, began_at=clock(16, 30))), later),
        shown(told, ready(told, use=work), later),
        shown(told, ready(told, kept), later),
        shown(told, ready(told, again(idle)), later),
        shown(told, ready(told, again(next_period)), later),
        shown(told, ready(told, changed(other_end, id=21, at=later)), later),
        shown(told, ready(told, state=State.DESTROYING), later),
    ) == snapshot("""\

Another job has been running on 1x H100 (k7mq2) since 16:30.

Your 1x H100 (k7mq2) has been in use again since 16:40.

You said that you still need your 1x H100 (k7mq2). I'll ask again at 18:00. It still ends at 18:40.
[Extend 2 h, about $4.84]

You didn't answer. I asked again at 17:00 whether you still need your 1x H100 (k7mq2).

I asked again at 17:00 whether you still need your 1x H100 (k7mq2).

The job on your 1x H100 (k7mq2) failed after 1 h 30 min.

Your 1x H100 (k7mq2) is being destroyed.
""")


def test_approvers_still_decide_if_the_message_about_a_job_was_the_first_question() -> None:
    idle = Use(status=UsageStatus.IDLE, since=clock(16, 10), gpus=(GpuUse(index=0, highest=0),))
    asked = Asked(about=NOW, after_job=True, last_at=NOW, first_at=NOW, approvers_at=clock(20, 12))
    told = happened(
        K.NOBODY_ANSWERS, clock(20, 12), id=22, status=idle.status, use=idle, since=idle.since, span=4 * H
    )
    details = ready(told, use=idle, lease=changed(lease(clock(23, 0)), question=Question(asked=asked)))
    assert "[Ask Ana again]" in approval(told, details, clock(20, 12))


def test_the_question_names_the_running_job_that_postponed_it() -> None:
    idle = Use(status=UsageStatus.IDLE, since=clock(12, 12), gpus=(GpuUse(index=0, highest=0),))
    connected = changed(idle, status=UsageStatus.CONNECTED, connections=1)

    def asked(use: Use) -> str:
        facts: dict[str, Any] = {
            "status": use.status,
            "use": use,
            "since": use.since,
            "span": 4 * H,
            "job": RUNNING,
        }
        return shown(happened(K.STILL_NEEDED, NOW, id=20, **facts), ready(use=use))

    two = changed(idle, gpus=(GpuUse(index=0, highest=0), GpuUse(index=1, highest=0)))
    assert "but its GPUs have been at 0% for 4 h." in " ".join(asked(two).split())
    assert page(asked(idle), asked(connected)) == snapshot("""\

(fallback) It costs $2.42/h, $4.96 so far. Its GPU has been at 0% since 12:12. Nobody is connected.
      It ends at 18:40.
*Still using your 1x H100 (k7mq2)?* A job is running (python train.py), but its GPU has been at 0%
      for 4 h.
| Cost: $2.42/h, $4.96 so far
| GPU: at 0% since 12:12
| Connections: none
| Ends: 18:40
  Machines are never destroyed just because they're idle.
[Destroy k7mq2] [Yes, ask again in 1 h] [Yes, ask again in 4 h]

(fallback) It costs $2.42/h, $4.96 so far. It ends at 18:40.
*Still using your 1x H100 (k7mq2)?* A job is running (python train.py), but its GPU has been at 0%
      for 4 h, with 1 SSH connection open.
| Cost: $2.42/h, $4.96 so far
| Ends: 18:40
  Machines are never destroyed just because they're idle.
[Destroy k7mq2] [Yes, ask again in 1 h] [Yes, ask again in 4 h]
""")


def test_the_history_says_that_a_job_has_ended_without_its_name() -> None:
    read = message(lists.show(ready(ended(TRAIN)), reading(NOW, CARL)), NOW)
    assert "The job on this machine finished after 3 h 12 min." in read
    assert "python" not in read


# --- progress


def test_the_card_shows_the_newest_progress_but_no_name_of_a_job() -> None:
    assert card(working(RUNNING), NOW) == snapshot("""\
(fallback) Ready: 1x H100 (k7mq2) in EU for Ana.
(fallback) It ends at 18:40. It has cost $2.42/h since 12:37. Job: step 1200 of 8000, loss 2.1 (1
      min ago).
*Ready: 1x H100 (k7mq2) in EU*
| Owner: Ana
| Ends: 18:40
| Price: $2.42/h since 12:37
| Job: step 1200 of 8000, loss 2.1 (1 min ago)
  fine-tune run 7
[Extend] [Details] [Destroy k7mq2]\
""")


def test_the_card_is_refreshed_every_five_minutes_while_it_shows_progress() -> None:
    """An edit isn't needed if nothing was printed since the last one."""
    first, later = (card_of(working(), reading(at)) for at in (NOW, NOW + 4 * M))
    assert first.refresh_after == REFRESH_PROGRESS_EVERY == 5 * M
    assert (first.text, first.blocks) == (later.text, later.blocks)


@pytest.mark.parametrize(
    "details",
    [
        working(progress=changed(PROGRESS, at=NOW - 24 * H - M)),
        working(state=State.DESTROYING),
        working(progress=None),
    ],
    ids=["older than a day", "destroying", "none"],
)
def test_old_progress_and_that_of_a_machine_that_ends_is_not_shown(details: RentalDetails) -> None:
    assert "step" not in card(details, NOW)
    refresh = card_of(details, reading(NOW)).refresh_after
    assert refresh is None or refresh > REFRESH_PROGRESS_EVERY
    assert "step" not in message(lists.show(details, reading(NOW, ANA)), NOW)


def test_the_card_shows_the_usage_instead_once_nobody_answers() -> None:
    idle = Use(status=UsageStatus.IDLE, since=clock(13, 42))
    asked = Asked(about=idle.since, last_at=clock(14, 0), first_at=clock(14, 0), on_card=True)
    read = card(working(use=idle, lease=changed(lease(), question=Question(asked=asked))), NOW)
    assert "Usage: Idle for 2 h 30 min" in read
    assert "step" not in read


def test_lists_show_the_running_job_and_its_progress_to_those_who_may_see_them() -> None:
    others = ready(jobs=None, progress=PROGRESS)
    rows = [working(RUNNING), working(RUNNING, progress=None), others, working(TRAIN, progress=None)]
    lines = [lists.line(one, owned=True, times=reading(NOW).times) for one in rows]
    assert page(*(message(Rendered(text=one, blocks=()), NOW) for one in lines)) == snapshot("""\

(fallback) Ready: 1x H100 (k7mq2) in EU. It ends at 18:40. $2.42/h, $4.96 so far. Job: python
      train.py, step 1200 of 8000, loss 2.1 (1 min ago).

(fallback) Ready: 1x H100 (k7mq2) in EU. It ends at 18:40. $2.42/h, $4.96 so far. Job: python
      train.py.

(fallback) Ready: 1x H100 (k7mq2) in EU. It ends at 18:40. $2.42/h, $4.96 so far. Job: step 1200 of
      8000, loss 2.1 (1 min ago).

(fallback) Ready: 1x H100 (k7mq2) in EU. It ends at 18:40. $2.42/h, $4.96 so far.
""")


def test_home_shows_the_running_job_and_its_progress() -> None:
    tab = home_tab(home_of(working(RUNNING)), reading(NOW, ANA))
    assert "Job: python train.py, step 1200 of 8000, loss 2.1 (1 min ago)." in "\n".join(shown_on_home(tab, NOW))


def test_a_long_name_and_progress_hide_neither_end_nor_cost_on_home() -> None:
    details = working(changed(RUNNING, name="*" * 100), progress=changed(PROGRESS, text="*" * 100))
    tab = "\n".join(shown_on_home(home_tab(home_of(details), reading(NOW, ANA)), NOW))
    assert "It ends at 18:40. $2.42/h, $4.96 so far. Job: " in tab


def test_show_lists_all_jobs_and_the_newest_progress() -> None:
    details = working(RUNNING, KILLED, LOST)
    assert message(lists.show(details, reading(NOW, ANA)), NOW).splitlines()[:4] == snapshot(
        [
            "Ready: 1x H100 (k7mq2) in EU for Ana. It ends at 18:40. $2.42/h, $4.96 so far.",
            "Jobs: python train.py, running for 3 h 12 min; python train.py, exit status 137 (killed, often out",
            "      of memory) after 42 min; torchrun, exit status unknown after 1 h.",
            "Progress: step 1200 of 8000, loss 2.1 (1 min ago).",
        ]
    )


# --- text from outside


@pytest.mark.parametrize("text", [HOSTILE, "x" * 100, "`" * 100, "<" * 100, "*" * 100])
def test_hostile_names_and_progress_are_shown_as_plain_text(text: str) -> None:
    job, said = changed(RUNNING, name=text), Progress(text=text, at=NOW)
    others = [changed(TRAIN, id=f"0.{n}", name=text) for n in range(15)]
    details = working(job, *others, progress=said)
    rendered = [
        card_of(details, reading(NOW)),
        lists.show(details, reading(NOW, ANA)),
        lists.listing(listed(details), reading(NOW, ANA), everyone=False),
    ]
    told = outbox(MessageKind.DIRECT, ready(), NOW, ended(*others), to=ANA)
    idle = Use(status=UsageStatus.IDLE, since=clock(12, 12), gpus=(GpuUse(index=0, highest=0),))
    asked = happened(K.STILL_NEEDED, NOW, id=20, status=idle.status, use=idle, span=4 * H, job=job)
    question = outbox(MessageKind.DIRECT, ready(use=idle), NOW, asked, to=ANA)
    assert told is not None
    assert "It costs $2.42/h, $8.70 so far." in told.text
    assert question is not None
    for one in (*rendered, told, question):
        assert_valid(one)
        assert "\x1b" not in str(one)
        assert "<!channel>" not in str(one)
