"""The plan of an episode, drawn from a seed before the episode runs. The same seed always makes the same plan.

What people see when they act depends on how fast the bot is, so a plan can't name the exact button that someone
clicks. Instead, it contains a number from 0 to 1 that selects one of the buttons that the person sees at that
time.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, replace

from soak.actions import Action, draw_action, opening_actions, stopping_actions, waiting_actions
from soak.databases import POSTGRES, REPLICAS, SQLITE
from soak.disturbances import Disturbance, draw_disturbance, draw_use

KILLS_PER_EPISODE = 10
LONG_STOP, LONG_STOPS = 60.0, 0.04
"""Wall-clock seconds for which a replica is stopped before some kills, and the share of kills to which this
applies."""
RESTORES = 0.4
"""The share of episodes in which the database is restored once."""
ENDPOINTS_TO_HOLD = (
    "procure_offer",
    "delete_resource",
    "list_resources",
    "get_resource",
    "offer_status",
    "get_offers",
    "chat.postMessage",
    "chat.postMessage",
    "chat.update",
    "chat.update",
    "response_url",
    "views.open",
)
"""The endpoints whose requests are held before a kill. An endpoint that is listed twice is drawn twice as
often."""


@dataclass(frozen=True)
class Kill:
    """The way in which a process of the bot ends.

    Durations are in wall-clock seconds, except for `down`.
    """

    after: float
    """Wall-clock seconds since the beginning of the round. With `held`, the longest time to wait for a request."""
    graceful: bool
    """True if the process gets SIGTERM, False if it gets SIGKILL."""
    held: str | None
    """The endpoint whose next request is held, so that the process is killed in the middle of this request.

    None if the process is killed at a random moment instead.
    """
    after_acting: bool
    """True if the held request has already taken effect when the process is killed."""
    stopped: float
    """If not zero, the number of seconds for which the process is stopped before the kill (SIGSTOP, SIGCONT)."""
    again_after: float | None
    """The number of seconds after its next start at which the process is killed again, or None."""
    down: float
    """Sandbox seconds until the process is started again."""
    restores: bool
    """True if the database is replaced after the kill, by the copy from the beginning of the round."""
    pick: float = 0.0
    """A number from 0 to 1 that picks the process, if several processes share the database."""


@dataclass(frozen=True)
class Round:
    """A few seconds in which people act, disturbances begin and time passes, followed by a kill."""

    waits: tuple[Action, ...]
    """The actions before the round begins, and before the database is copied. Empty unless the database is
    restored."""
    actions: tuple[Action, ...]
    disturbances: tuple[Disturbance, ...]
    jumps: tuple[tuple[float, float], ...]
    """Jumps of the sandbox's clock.

    Each has the wall-clock seconds since the beginning of the round, and the length of the jump in sandbox
    seconds.
    """
    kill: Kill
    recovers: bool
    """True if all disturbances end before the process starts again."""
    checked: bool
    """True if the bot must become idle after this round, and the checks run before the next round."""


@dataclass(frozen=True)
class Plan:
    """One episode, which has a sandbox and a database of its own."""

    seed: int
    episode: int
    database: str
    min_kills: int
    """The number of kills that was requested. A different number makes a different plan."""
    opening: tuple[Action, ...]
    uses: tuple[Disturbance, ...]
    """The ways in which the machines of the opening are used."""
    rounds: tuple[Round, ...]

    @property
    def replicas(self) -> int:
        """The number of processes that share the database."""
        return 2 if self.database == REPLICAS else 1

    @property
    def kills(self) -> int:
        """The number of times that the process is killed."""
        return sum(1 + (each.kill.again_after is not None) for each in self.rounds)


def plans(
    seed: int, kills: int, databases: tuple[str, ...] = (SQLITE, POSTGRES), only: int | None = None
) -> list[Plan]:
    """Return episodes with at least `kills` kills in total, which use the given databases in turn.

    If `only` is set, just the episode with this number is returned.
    """
    episodes = [only] if only else range(1, max(-(-kills // KILLS_PER_EPISODE), 1) + 1)
    per_episode = min(kills, KILLS_PER_EPISODE)
    return [plan(seed, episode, per_episode, databases[(episode - 1) % len(databases)]) for episode in episodes]


def plan(seed: int, episode: int, kills: int, database: str) -> Plan:
    """Return one episode. The same arguments always make the same episode."""
    rng = random.Random(f"{seed}:{episode}:{kills}")  # noqa: S311 - made to be repeated, not to be secret
    rounds: list[Round] = []
    # In half of the episodes, the checks run only at the end. Checks in the middle have to wait until the bot is
    # idle, which takes long. By then, the bot may have repaired problems that later rounds would have exposed.
    left, checked_once = kills, rng.random() < 0.5
    # Restore the database from a copy in some episodes only. The copy lacks what people did in the last few
    # minutes, so most checks are impossible afterwards.
    restores_at = rng.randint(1, kills) if rng.random() < RESTORES else 0
    while left > 0:
        again = left > 1 and rng.random() < 0.2
        restores = left - 1 - again < restores_at <= left
        left -= 1 + again
        checked = not checked_once and 0 < left <= kills // 2
        checked_once = checked_once or checked
        each = _round(rng, again=again, checked=checked, restores=restores)
        rounds.append(_of_one_replica(rng, each) if database == REPLICAS else each)
    uses = tuple(draw_use(rng, 0) for _ in range(3))
    return Plan(seed, episode, database, kills, opening_actions(rng), uses, tuple(rounds))


def _round(rng: random.Random, *, again: bool, checked: bool, restores: bool) -> Round:
    """Draw a round.

    Args:
        rng: The source of random numbers.
        again: True if the process is killed a second time, during its next start.
        checked: True if the bot must become idle, and is checked, after the round.
        restores: True if the database is restored after the kill.
    """
    length = rng.uniform(0.8, 2.4)
    held = rng.choice(ENDPOINTS_TO_HOLD) if rng.random() < 0.4 else None
    kill = Kill(
        after=length,
        graceful=rng.random() < 0.2,
        held=held,
        after_acting=rng.random() < 0.5,
        stopped=rng.uniform(1.0, 8.0) if rng.random() < 0.1 else 0.0,
        again_after=rng.uniform(0.1, 1.5) if again else None,
        down=rng.choice((0, 0, 0, 20, 90, 600)),
        restores=restores,
    )
    waits, stops = (waiting_actions(rng), stopping_actions(rng, length)) if restores else ((), ())
    drawn = (draw_action(rng, length) for _ in range(rng.randint(6, 11)))
    actions = sorted((*drawn, *stops), key=lambda action: action.after)
    jumps = sorted(
        (rng.uniform(0, length), rng.choice((1.0, 16.0, 31.0, 60.0, 180.0, 600.0)))
        for _ in range(rng.randint(2, 5))
    )
    disturbances = sorted(
        (draw_disturbance(rng, length / 2) for _ in range(rng.randint(1, 4))), key=lambda each: each.after
    )
    return Round(waits, tuple(actions), tuple(disturbances), tuple(jumps), kill, rng.random() < 0.4, checked)


def _of_one_replica(rng: random.Random, each: Round) -> Round:
    """Return a round in which only one of several processes is killed, and is started again at once."""
    stopped = LONG_STOP if rng.random() < LONG_STOPS else each.kill.stopped
    return replace(each, kill=replace(each.kill, stopped=stopped, down=0, restores=False, pick=rng.random()))
