"""The sizes of the load, for the full bench and for a tiny one that tests the bench itself."""

from __future__ import annotations

from bot.model.base import Frozen


class Size(Frozen):
    """Counts, and durations in wall-clock seconds."""

    starts: int = 3
    """The number of starts of each app. The figure is the median."""
    people: int = 185
    """The number of people.

    Each click in a run needs a different person, since a second click on *Still needed* has no effect. Each person
    must first get a button. More people would take too long, because the bot posts at most 240 messages per
    minute.
    """
    beside: int = 10
    """The number of ready machines while commands are measured."""
    warming: int = 25
    """The number of clicks that warm up the bot before the measurement. They aren't measured."""
    rate: int = 20
    """The number of actions per second."""
    ack_runs: int = 3
    """The number of runs that measure acknowledgements with the databases in memory."""
    ack_disk_runs: int = 1
    """The number of runs that measure acknowledgements with the databases on disk."""
    load_seconds: float = 8
    """The time for which each kind of action is repeated in each run."""
    counted: int = 10
    """The number of actions of each kind whose commits are counted."""
    provisioning: int = 1000
    many_provisioning: int = 3000
    probed: int = 1000
    """The number of probed machines in the second measurement of polls."""
    first_round_seconds: float = 16
    """The time that the bot needs for the polls that were already due when it started. They aren't measured."""
    poll_seconds: float = 20
    poll_speed: float = 1
    """The speed of the sandbox's clock while polls are measured."""
    live: tuple[int, ...] = (100, 1000, 3000, 10_000)
    """The numbers of live rentals for which the lateness of polls is measured. At most `probed` are probed."""
    lead_seconds: float = 5
    """The time that an app has to start before the first poll is due."""
    late_seconds: float = 16
    bare_seconds: float = 5
    """The time for which a loop polls with the bot's market client alone."""
    killed_live: int = 1000
    """The number of live rentals when an app is killed while people rent."""
    rents: int = 20
    """The number of people who rent when an app is killed, one every `rent_every` seconds.

    The app is killed during the first purchases.
    """
    rent_every: float = 0.3
    procure_seconds: float = 3
    """The time that the marketplace takes for a purchase when an app is killed."""
    quiet_seconds: float = 1
    """The time without a request to the marketplace after which all due work counts as done."""
    questions: int = 120
    """The number of people whom the bot asks whether they still need their machine while a replica takes over."""
    before_kill: float = 5
    """The time between the bot's first question and killing the replica that delivers messages."""
    finished: int = 100_000
    charged: int = 1000
    """The number of charges in the month that `/gpu spend` reports."""
    spends: int = 50
    home_live: tuple[int, ...] = (60, 1000)
    """The numbers of live rentals of the person whose Home tab is published."""
    homes: int = 30
    passes: int = 1000
    probe_runs: int = 500
    edits: int = 200
    """The number of edits of a message that the sandbox's page shows."""


FULL = Size()
TINY = Size(
    starts=1,
    people=4,
    beside=1,
    warming=1,
    rate=10,
    ack_runs=1,
    ack_disk_runs=1,
    load_seconds=0.3,
    counted=1,
    provisioning=2,
    many_provisioning=4,
    probed=2,
    first_round_seconds=0,
    poll_seconds=4,
    poll_speed=10,
    live=(8,),
    lead_seconds=2,
    late_seconds=2,
    bare_seconds=0.1,
    killed_live=3,
    rents=2,
    procure_seconds=0.5,
    quiet_seconds=0.2,
    questions=60,
    before_kill=1,
    finished=20,
    charged=10,
    spends=10,
    home_live=(5,),
    homes=10,
    passes=10,
    probe_runs=10,
    edits=5,
)
