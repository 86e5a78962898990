"""What happens in an episode, all of it drawn from the seed beforehand: the same seed makes the same plan.

What people see when they act depends on how fast the bot is, so a plan can't name the button that someone clicks.
It holds a number from 0 to 1 instead, which picks one of those that they see then.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

from soak.deeds import Act, draw_act, first_acts
from soak.weather import Weather, draw_weather

KILLS_PER_EPISODE = 10
ENDPOINTS_HELD = (
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


@dataclass(frozen=True)
class Kill:
    """How the process ends. All spans in real seconds, but for `down`."""

    after: float
    """From the beginning of the round; or how long a request is waited for that is to be held."""
    gently: bool
    """SIGTERM; else SIGKILL."""
    at: str | None
    """The endpoint whose next request is held, and the process is killed then. None: at any moment."""
    acted: bool
    """Whether the held request has acted."""
    again_after: float | None
    """It is killed once more so soon after its next start began."""
    down: float
    """Sandbox seconds until it is started again."""


@dataclass(frozen=True)
class Round:
    """Some seconds in which people act, things go wrong and time passes; then the process is killed."""

    acts: tuple[Act, ...]
    weather: tuple[Weather, ...]
    jumps: tuple[tuple[float, float], ...]
    """Real seconds from the beginning of the round, and the sandbox seconds that pass then."""
    kill: Kill
    clears: bool
    """Whether what goes wrong is over when the process starts again."""
    calm: bool
    """Whether it all comes to rest and is checked before the next round."""


@dataclass(frozen=True)
class Plan:
    """One episode: a sandbox and a database of its own."""

    seed: int
    episode: int
    database: str
    asked: int
    """At least so many kills; another number makes another plan."""
    opening: tuple[Act, ...]
    rounds: tuple[Round, ...]

    @property
    def kills(self) -> int:
        """How often the process is killed."""
        return sum(1 + (one.kill.again_after is not None) for one in self.rounds)


def plans(seed: int, kills: int, databases: tuple[str, ...], only: int | None = None) -> list[Plan]:
    """The episodes of a run with at least `kills` kills, the databases in turn; or the one numbered `only`."""
    episodes = [only] if only else range(1, max(-(-kills // KILLS_PER_EPISODE), 1) + 1)
    each = min(kills, KILLS_PER_EPISODE)
    return [plan(seed, episode, each, databases[(episode - 1) % len(databases)]) for episode in episodes]


def plan(seed: int, episode: int, kills: int, database: str) -> Plan:
    """One episode. It depends on nothing but what is given."""
    source = random.Random(f"{seed}:{episode}:{kills}")  # noqa: S311 - made to be repeated, not to be secret
    rounds: list[Round] = []
    # Half of the episodes rest once on their way: that takes long, and what a rest mends is not met any more.
    left, rested = kills, source.random() < 0.5
    while left > 0:
        again = left > 1 and source.random() < 0.2
        left -= 1 + again
        calm = not rested and 0 < left <= kills // 2
        rested = rested or calm
        rounds.append(_round(source, again=again, calm=calm))
    return Plan(seed, episode, database, kills, first_acts(source), tuple(rounds))


def _round(source: random.Random, *, again: bool, calm: bool) -> Round:
    lasts = source.uniform(0.8, 2.4)
    held = source.choice(ENDPOINTS_HELD) if source.random() < 0.4 else None
    kill = Kill(
        after=lasts,
        gently=source.random() < 0.2,
        at=held,
        acted=source.random() < 0.5,
        again_after=source.uniform(0.1, 1.5) if again else None,
        down=source.choice((0, 0, 0, 20, 90, 600)),
    )
    acts = sorted((draw_act(source, lasts) for _ in range(source.randint(6, 11))), key=lambda act: act.after)
    jumps = sorted(
        (source.uniform(0, lasts), source.choice((1.0, 16.0, 31.0, 60.0, 180.0, 600.0)))
        for _ in range(source.randint(2, 5))
    )
    weather = sorted(
        (draw_weather(source, lasts / 2) for _ in range(source.randint(1, 4))), key=lambda one: one.after
    )
    return Round(tuple(acts), tuple(weather), tuple(jumps), kill, source.random() < 0.4, calm)
