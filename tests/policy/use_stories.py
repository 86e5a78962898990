"""Stories that pair a series of probe runs with the resulting usage status, in a compact notation.

`60m 98, 4m no answer` describes two kinds of probe runs: for 60 minutes, one every 2 minutes with a reading of
98%, then for 4 minutes without an answer. `97/0/-` are three GPUs, the last of which has no reading. `0 then
nvidia smi hangs` is a reading of the first GPU alone. `+ana` is an open connection. There are no probe runs while
the bot is `down`. `2 x (...)` repeats the part in parentheses.

In a usage status, `as since 1:00` is the start of the idle period, if that began earlier. All times are counted
from ready.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import NamedTuple

from bot.model.machine_use import NOT_COMPUTING, GpuUse, Missed, Sample, Use
from bot.policy.team.rules import Rules
from bot.policy.use import usage_status

READY = datetime(2026, 11, 27, 8, 0, tzinfo=UTC)
STORIES = """
what happens                        | probe runs, every 2 min since ready   | usage status at the end
--- work
a training run                      | 3h 98                                 | in use since 0:02
a reading of 5 % is work            | 1h 98, 1h 5                           | in use since 0:02
a reading of 4 % is none            | 1h 98, 1h 4                           | idle since 1:00
1 of 8 GPUs works                   | 3h 0/0/0/97/0/0/0/0                   | in use since 0:02
all 4 of 4 GPUs rest                | 1h 97/97/97/97, 1h 0/0/0/0            | idle since 1:00
an inference server at 5 % duty     | 9 x (18m 0, 2m 40)                    | in use since 0:20
100 % without a process             | 12h 100                               | in use since 0:02
it works and nobody is connected    | 1h 98, 1h 98                          | in use since 0:02
it works, somebody is connected     | 2h 98 +ana                            | in use since 0:02
work begins after 3 hours           | 3h 0, 2m 98                           | in use since 3:02
--- idle
a training run ended 28 min ago     | 1h 98, 28m 0                          | in use since 0:02
a training run ended 30 min ago     | 1h 98, 30m 0                          | idle since 1:00
idle over a weekend                 | 1h 98, 48h 0                          | idle since 1:00
one more reading of work            | 1h 98, 48h 0, 2m 30                   | in use since 49:02
28 min after that reading           | 1h 98, 48h 0, 2m 30, 28m 0            | in use since 49:02
30 min after that reading           | 1h 98, 48h 0, 2m 30, 30m 0            | idle since 49:02, as since 1:00
a burst of 8 min, same idle period  | 1h 98, 48h 0, 10m 30, 30m 0           | idle since 49:10, as since 1:00
a burst of 10 min ends the period   | 1h 98, 48h 0, 12m 30, 30m 0           | idle since 49:12
hourly bursts, one idle period      | 1h 98, 10 x (58m 0, 2m 30), 40m 0     | idle since 11:00, as since 1:00
memory is held and nothing works    | 1h 98, 1h 0 and memory                | idle since 1:00
the host's clock is 12 h off        | 1h 98, 40m 0                          | idle since 1:00
never used for 58 min               | 58m 0                                 | unknown since 0:00
never used for 60 min               | 1h 0                                  | idle since 0:00
never used for a day                | 24h 0                                 | idle since 0:00
spot, probed each minute            | every 1m: 1h 98, 30m 0                | idle since 1:00
probe runs are 6 min apart          | every 6m: 1h 98, 30m 0                | idle since 1:00
17 min apart, 2 runs since work     | every 17m: 85m 98, 34m 0              | unknown since 1:25
17 min apart, 3 runs since work     | every 17m: 85m 98, 51m 0              | idle since 1:25
only 2 good probe runs since work   | every 6m: 1h 98, 2 x (12m -, 6m 0)    | unknown since 1:00
--- connected
VS Code is open all weekend         | 1h 98 +code, 60h 0 +code              | connected since 1:00
it is connected for 28 min          | 1h 98 +ana, 28m 0 +ana                | in use since 0:02
it is connected for 30 min          | 1h 98 +ana, 30m 0 +ana                | connected since 1:00
a tunnel without a terminal         | 1h 98, 40m 0 +tunnel                  | connected since 1:00
never used, but connected           | 30m 0 +ana                            | connected since 0:00
a scanner comes once                | 1h 98, 30m 0, 2m 0 +scan, 2m 0        | idle since 1:00
a scanner stays for 2 min           | 1h 98, 30m 0, 4m 0 +scan              | idle since 1:00
each run sees another scanner       | 1h 98, 30m 0, 2m 0 +a, 2m 0 +b        | idle since 1:00
a connection is 4 min old           | 1h 98, 30m 0, 6m 0 +ana               | connected since 1:00
it closed 28 min ago                | 1h 98, 1h 0 +ana, 28m 0               | connected since 1:00
it closed 30 min ago                | 1h 98, 1h 0 +ana, 30m 0               | idle since 1:00
somebody connects while it is idle  | 1h 98, 5h 0, 10m 0 +ana               | connected since 1:00
spot, a connection of 3 min         | every 1m: 1h 98, 30m 0, 4m 0 +ana     | connected since 1:00
--- unknown
before the first probe run          |                                       | unknown since 0:00
the probe is not installed yet      | 14m refused                           | unknown since 0:00
the probe fails from the start      | 1h refused                            | unknown since 0:00 (refused)
it is refused, probed each 10 min   | every 10m: 2h refused                 | unknown since 0:00 (refused)
its SSH server never answers        | 1h no answer                          | unknown since 0:00 (no answer)
it answers after 10 min, works      | 10m refused, 2m 98                    | in use since 0:12
it answers after 10 min and rests   | 10m refused, 1h 0                     | unknown since 0:12
it answers after 10 min, rests 1 h  | 10m refused, 62m 0                    | idle since 0:12
two probe runs fail                 | 1h 98, 4m no answer                   | in use since 0:02
the probe fails from the middle     | 1h 98, 6m no answer                   | unknown since 1:02 (no answer)
it fails for a day                  | 1h 98, 24h no answer                  | unknown since 1:02 (no answer)
it comes back and works             | 1h 98, 2h no answer, 2m 98            | in use since 3:02
it comes back and rests             | 1h 98, 2h no answer, 28m 0            | unknown since 3:02
it is back and rests for 30 min     | 1h 98, 2h no answer, 32m 0            | idle since 3:02
it comes back and fails again       | 1h 98, 2h refused, 10m 0, 6m refused  | unknown since 3:12 (refused)
a young machine, the bot is down    | 2m 98, 30m down, 2m 0                 | unknown since 0:34
it worked, fails three, rests       | 1h 98, 6m no answer, 2m 0             | in use since 1:08
it works again for an hour          | 1h 98, 6m no answer, 1h 98            | in use since 1:08
long work begins a new idle period  | 1h 98, 2h 0, 5h 98, 6m -, 32m 0       | idle since 8:08
an idle machine fails two runs      | 1h 98, 2h 0, 4m no answer, 2m 0       | idle since 1:00
an idle machine fails three runs    | 1h 98, 2h 0, 6m no answer, 2m 0       | unknown since 3:08
and it rests on, same idle period   | 1h 98, 2h 0, 6m no answer, 32m 0      | idle since 3:08, as since 1:00
every second probe run fails        | 1h 98, 30 x (2m no answer, 2m 0)      | idle since 1:00
the bot is down for 5 min           | 1h 98, 2h 0, 4m down, 2m 0            | idle since 1:00
the bot is down for 2 h, it works   | 1h 98, 2h down, 2m 98                 | in use since 3:02
the bot is down for 2 h, it rests   | 1h 98, 2h down, 2m 0                  | unknown since 3:02
the bot is down while it is idle    | 1h 98, 2h 0, 2h down, 2m 0            | unknown since 5:02
and it rests for 30 min             | 1h 98, 2h 0, 2h down, 32m 0           | idle since 5:02
it is down twice, with one run      | 1h 98, 2h down, 2m 0, 28m down, 4m 0  | unknown since 3:32
it is down each half an hour        | 1h 98, 3 x (30m down, 2m 0), 2m 0     | unknown since 2:36
its host key changes                | 1h 98, 6m host key changed            | unknown since 1:02 (host key changed)
its answers are garbage             | 1h 0, 6m unreadable                   | unknown since 1:02 (unreadable)
nvidia-smi hangs                    | 1h 98, 6m nvidia smi hangs            | unknown since 1:02 (nvidia smi hangs)
it hangs at GPU 1 and GPU 0 rests   | 1h 98/98, 6m 0 then nvidia smi hangs  | unknown since 1:02 (nvidia smi hangs)
it hangs at GPU 1 and GPU 0 works   | 1h 0/98, 1h 98 then nvidia smi hangs  | in use since 0:02
an update breaks the driver         | 1h 98, 6m no gpu                      | unknown since 1:02 (no gpu)
an AMD machine has no nvidia-smi    | 1h no nvidia smi                      | unknown since 0:00 (no nvidia smi)
and somebody is connected           | 1h no nvidia smi +ana                 | unknown since 0:00 (no nvidia smi)
MIG on its only GPU                 | 1h -                                  | unknown since 0:00 (no utilization)
MIG on 1 of 2, the other works      | 1h 98/-                               | in use since 0:02
MIG on 1 of 2, the other rests      | 1h 0/-                                | unknown since 0:00 (no utilization)
the other rests for 28 min          | 1h 98/-, 28m 0/-                      | in use since 0:02
the other rests for 30 min          | 1h 98/-, 30m 0/-                      | unknown since 1:02 (no utilization)
it rests, works for a moment, rests | 1h 98/-, 1h 0/-, 2m 50/-, 28m 0/-     | in use since 2:02
MIG on its only GPU after work      | 1h 98, 6m -                           | unknown since 1:02 (no utilization)
it rests unread, then it is read    | 1h 98/-, 20m 0/-, 8m 0/0              | in use since 0:02
and it is idle only since then      | 1h 98/-, 20m 0/-, 32m 0/0             | idle since 1:22
all kinds of failures in turn       | 1h 98, 2m refused, 2m -, 2m no answer | unknown since 1:02 (no answer)
"""


class Story(NamedTuple):
    """A row of the table: what happens, the probe runs, and the resulting usage status."""

    what: str
    probe_runs: str
    status: str


def stories() -> list[Story]:
    lines = [line for line in STORIES.strip().splitlines()[1:] if not line.startswith("---")]
    return [Story(*(cell.strip() for cell in line.split("|"))) for line in lines]


def _pace(probe_runs: str) -> timedelta:
    """Return the time between two probe runs of a story."""
    match = re.match(r"every (\d+)m: ", probe_runs)
    return timedelta(minutes=int(match[1]) if match else 2)


def samples_of(probe_runs: str) -> list[Sample]:
    """Return the samples of a story's probe runs."""
    every = _pace(probe_runs)
    text = re.sub(r"^every \d+m: ", "", probe_runs)
    text = re.sub(r"(\d+) x \(([^()]*)\)", lambda match: ", ".join([match[2]] * int(match[1])), text)
    samples: list[Sample] = []
    at = READY
    for part in filter(None, text.split(", ")):
        length, _, reading = part.partition(" ")
        for _ in range(_span(length) // every):
            at += every
            if reading != "down":
                samples.append(_sample(at, reading))
    return samples


def history(samples: list[Sample], rules: Rules) -> list[tuple[datetime, Use]]:
    """Return the usage statuses that are stored as these samples arrive, each with the time at which it is stored.

    Like the bot, evaluate each probe run together with the samples of the window and the stored usage status.
    """
    stored: list[tuple[datetime, Use]] = []
    first = 0
    for n, sample in enumerate(samples):
        while first < n and samples[first + 1].at < sample.at - usage_status.window(rules):
            first += 1
        before = stored[-1][1] if stored else None
        for use in usage_status.after_probe_run(
            samples[first:n], sample, ready_at=READY, before=before, rules=rules
        ):
            if usage_status.differs(stored[-1][1] if stored else None, use):
                stored.append((sample.at, use))
    return stored


def replay(samples: list[Sample], rules: Rules) -> list[Use]:
    """Return the usage statuses that are stored as these samples arrive.

    Without samples, return the one that is valid at ready.
    """
    if not samples:
        return [usage_status.judge([], ready_at=READY, before=None, now=READY, rules=rules)]
    return [use for _, use in history(samples, rules)]


def status_text(use: Use) -> str:
    """Return a usage status in the notation of the table."""
    text = f"{_words(use.status)} since {_time(use.since)}"
    if use.status in NOT_COMPUTING and use.idle_period is not None and use.idle_period != use.since:
        text += f", as since {_time(use.idle_period)}"
    return f"{text} ({_words(use.why)})" if use.why else text


def _span(length: str) -> timedelta:
    number = int(length[:-1])
    return timedelta(hours=number) if length.endswith("h") else timedelta(minutes=number)


def _sample(at: datetime, reading: str) -> Sample:
    gpus, peers, missed = _seen(reading)
    return Sample(rental_id="k7mq2", at=at, gpus=gpus, peers=peers, missed=missed)


@cache
def _seen(reading: str) -> tuple[tuple[GpuUse, ...], tuple[str, ...], Missed | None]:
    text, *peers = reading.split(" +")
    text, memory = text.removesuffix(" and memory"), 79_000 if text.endswith(" and memory") else 12
    seen, _, failure = text.rpartition(" then ")
    missed = {_words(kind): kind for kind in Missed}.get(failure)
    text = seen if missed else failure
    readings = [] if not text else [None if one == "-" else int(one) for one in text.split("/")]
    gpus = [GpuUse(index=n, highest=highest, memory_mib=memory) for n, highest in enumerate(readings)]
    return tuple(gpus), tuple(peers), missed


def _words(value: str) -> str:
    return value.replace("_", " ")


def _time(at: datetime) -> str:
    minutes = (at - READY) // timedelta(minutes=1)
    return f"{minutes // 60}:{minutes % 60:02}"
