"""The initial workspace of the sandbox. Tests and docs/sandbox.md rely on its names and ids."""

from sandbox.clock import SandboxClock
from sandbox.slack.app_config import AppConfig
from sandbox.slack.model import Channel, Group, Person
from sandbox.slack.state import BOT_USER, MAX_STATES, OTHER_TEAM, TEAM, Workspace

ANA, BEN, CLEO, GUS, OLGA, DAN = "U0ANA0000", "U0BEN0000", "U0CLEO000", "U0GUS0000", "U0OLGA000", "U0DAN0000"
GPUS, TRAINING, APPROVALS, SHARED, QUIET = "C0GPUS000", "C0TRAIN00", "C0APPROVE", "C0SHARED0", "C0QUIET00"
APPROVERS = "S0APPROVE"


def default_workspace(clock: SandboxClock, app: AppConfig, *, max_states: int = MAX_STATES) -> Workspace:
    """Create the initial workspace with its people, channels and groups."""
    workspace = Workspace(clock, app, max_states=max_states)
    for person in (
        Person(BOT_USER, app.name, "UTC", TEAM, is_bot=True),
        Person(ANA, "Ana", "Europe/Berlin", TEAM),
        Person(BEN, "Ben", "Europe/London", TEAM),
        Person(CLEO, "Cleo", "America/New_York", TEAM),
        Person(GUS, "Gus", "Europe/Berlin", TEAM, guest="restricted"),
        Person(OLGA, "Olga", "Europe/Madrid", OTHER_TEAM),
        Person(DAN, "Dan", "Europe/Berlin", TEAM, deleted=True),
    ):
        workspace.people[person.id] = person
    team = {ANA, BEN, CLEO, BOT_USER}
    created = workspace.seconds()
    for channel in (
        Channel(GPUS, "gpus", "public", frozenset(team | {GUS}), created=created),
        Channel(TRAINING, "training", "public", frozenset(team), created=created),
        Channel(APPROVALS, "approvals", "public", frozenset({BEN, BOT_USER}), created=created),
        Channel(SHARED, "shared", "public", frozenset(team | {OLGA}), shared=True, created=created),
        Channel(QUIET, "quiet", "private", frozenset({ANA, BEN}), created=created),
    ):
        workspace.channels[channel.id] = channel
    workspace.groups[APPROVERS] = Group(APPROVERS, "approvers", (BEN,))
    return workspace
