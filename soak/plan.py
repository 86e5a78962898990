"""The plan of an episode, drawn from a seed before it runs: the same seed makes the same plan.

What people see when they act depends on how fast the bot is, so a plan can't name the button that someone clicks.
Instead it has a number from 0 to 1, which selects one of the buttons that they see then.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, replace

from soak.actions import Action, draw_action, opening_actions, stopping_actions, waiting_actions
from soak.databases import POSTGRES, REPLICAS, SQLITE
from soak.disturbances import Disturbance, draw_disturbance, draw_use

KILLS_PER_EPISODE = 10
LONG_STOP, LONG_STOPS = 60.0, 0.04
"""Real seconds for which a replica stands still before some kills, and the share of these kills."""
PUTS_BACK = 0.4
"""The share of episodes in which the database is put back once."""
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
"""An endpoint that is listed twice is drawn twice as often."""


@dataclass(frozen=True)
class Kill:
    """How the process ends. Spans are real seconds, except `down`."""

    after: float
    """Real seconds from the beginning of the round. With `held`, the longest wait for a request to hold."""
    graceful: bool
    """Whether the process gets SIGTERM instead of SIGKILL."""
    held: str | None
    """The endpoint whose next request is held; the process is killed then. None: kill it at any moment."""
    after_acting: bool
    """Whether the held request has taken effect."""
    stopped: float
    """If not zero, the process is first stopped for so long (SIGSTOP, SIGCONT) in the middle of its work."""
    again_after: float | None
    """If set, kill it again that many seconds after its next start began."""
    down: float
    """Sandbox seconds until it is started again."""
    puts_back: bool
    """Whether the database is then replaced by the copy that was made at the beginning of the round."""
    pick: float = 0.0
    """From 0 to 1, picks the process, if several share the database."""


@dataclass(frozen=True)
class Round:
    """Some seconds in which people act, disturbances begin and time passes; then the process is killed."""

    waits: tuple[Action, ...]
    """What people do before the round begins, and before the database is copied, if it is put back."""
    actions: tuple[Action, ...]
    disturbances: tuple[Disturbance, ...]
    jumps: tuple[tuple[float, float], ...]
    """Real seconds from the beginning of the round, and how far the sandbox's clock jumps then."""
    kill: Kill
    recovers: bool
    """Whether all disturbances end before the process starts again."""
    checked: bool
    """Whether everything settles and is checked before the next round."""


@dataclass(frozen=True)
class Plan:
    """One episode: a sandbox and a database of its own."""

    seed: int
    episode: int
    database: str
    min_kills: int
    """How many kills were asked for; another number makes another plan."""
    opening: tuple[Action, ...]
    uses: tuple[Disturbance, ...]
    """How the machines of the opening are used."""
    rounds: tuple[Round, ...]

    @property
    def replicas(self) -> int:
        """How many processes share the database."""
        return 2 if self.database == REPLICAS else 1

    @property
    def kills(self) -> int:
        """How often the process is killed."""
        return sum(1 + (each.kill.again_after is not None) for each in self.rounds)


def plans(
    seed: int, kills: int, databases: tuple[str, ...] = (SQLITE, POSTGRES), only: int | None = None
) -> list[Plan]:
    """Return episodes with at least `kills` kills in all, with the databases in turn. Return only the episode
    numbered `only`, if it is set.
    """
    episodes = [only] if only else range(1, max(-(-kills // KILLS_PER_EPISODE), 1) + 1)
    per_episode = min(kills, KILLS_PER_EPISODE)
    return [plan(seed, episode, per_episode, databases[(episode - 1) % len(databases)]) for episode in episodes]


def plan(seed: int, episode: int, kills: int, database: str) -> Plan:
    """Return one episode. Equal arguments make equal episodes."""
    rng = random.Random(f"{seed}:{episode}:{kills}")  # noqa: S311 - made to be repeated, not to be secret
    rounds: list[Round] = []
    # Only half of the episodes are checked during their run: settling takes long, and it repairs what later rounds
    # would otherwise meet.
    left, checked_once = kills, rng.random() < 0.5
    # Only in some episodes: a database from before the last minutes has forgotten what people did in them, so most
    # checks are impossible then.
    puts_back_at = rng.randint(1, kills) if rng.random() < PUTS_BACK else 0
    while left > 0:
        again = left > 1 and rng.random() < 0.2
        puts_back = left - 1 - again < puts_back_at <= left
        left -= 1 + again
        checked = not checked_once and 0 < left <= kills // 2
        checked_once = checked_once or checked
        each = _round(rng, again=again, checked=checked, puts_back=puts_back)
        rounds.append(_of_one_replica(rng, each) if database == REPLICAS else each)
    uses = tuple(draw_use(rng, 0) for _ in range(3))
    return Plan(seed, episode, database, kills, opening_actions(rng), uses, tuple(rounds))


def _round(rng: random.Random, *, again: bool, checked: bool, puts_back: bool) -> Round:
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
        puts_back=puts_back,
    )
    waits, stops = (waiting_actions(rng), stopping_actions(rng, length)) if puts_back else ((), ())
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
    """Return a round in which one of several processes is killed. It is started again at once."""
    stopped = LONG_STOP if rng.random() < LONG_STOPS else each.kill.stopped
    return replace(each, kill=replace(each.kill, stopped=stopped, down=0, puts_back=False, pick=rng.random()))
