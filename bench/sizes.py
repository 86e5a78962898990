"""The sizes of the load: the full bench, and a tiny one to test the bench itself."""

from __future__ import annotations

from bot.model.base import Frozen


class Size(Frozen):
    """Counts, and spans in real seconds."""

    starts: int = 3
    """How often each app is started; the figure is the median."""
    people: int = 185
    """One person for each click of a run, since a second click on *Still needed* does nothing new. Each gets a
    button first, and the bot posts at most 240 times a minute."""
    beside: int = 10
    """How many machines are ready while commands are measured."""
    warming: int = 25
    """How many clicks come before those that are measured."""
    rate: int = 20
    """Actions a second."""
    ack_runs: int = 3
    """How often acknowledgements are measured with the databases in memory."""
    ack_disk_runs: int = 1
    """The same with the databases on the disk."""
    load_seconds: float = 8
    """How long each kind of action is sent in each run."""
    counted: int = 10
    """For how many actions of each kind the commits are counted."""
    provisioning: int = 1000
    many_provisioning: int = 3000
    probed: int = 1000
    """How many machines are visited while polls are measured a second time."""
    settle_seconds: float = 16
    """How long until the first round of polls, which were due before the bot started, is over."""
    poll_seconds: float = 20
    poll_speed: float = 1
    """The speed of the sandbox's clock while polls are measured."""
    live: tuple[int, ...] = (100, 1000, 3000, 10_000)
    """How many live rentals there are while the lateness of polls is measured. At most `probed` are visited."""
    lead_seconds: float = 5
    """How long an app has to start before the first poll is planned."""
    late_seconds: float = 16
    bare_seconds: float = 5
    """How long the bare client of the marketplace polls in a loop."""
    killed_live: int = 1000
    """How many live rentals there are when an app is killed while people rent."""
    rents: int = 20
    """How many people rent then, one every `rent_every` seconds. The kill comes during the first purchases."""
    rent_every: float = 0.3
    procure_seconds: float = 3
    """How long the marketplace takes then for a purchase."""
    quiet_seconds: float = 1
    """After so long without a request to the marketplace, everything that was due is done."""
    questions: int = 120
    """How many people the bot asks whether they still need their machine while a replica takes over."""
    before_kill: float = 5
    """How long after the first question the replica is killed that delivers messages."""
    finished: int = 100_000
    charged: int = 1000
    """How many charges the month has of which `/gpu spend` is asked."""
    spends: int = 50
    home_live: tuple[int, ...] = (60, 1000)
    """How many live rentals somebody has whose Home tab is published."""
    homes: int = 30
    passes: int = 1000
    probe_runs: int = 500
    edits: int = 200
    """How many edits of a message the sandbox's page shows."""


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
    settle_seconds=0,
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
