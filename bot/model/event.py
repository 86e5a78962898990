"""Events: what happened to a rental or to the account."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from enum import StrEnum

from bot.model.attempt import Why
from bot.model.base import Frozen, Instant
from bot.model.money import Micros
from bot.model.state import State
from bot.model.use import GpusSeen, Use, Verdict


class EventKind(StrEnum):
    """The kinds of events. Each makes one reply in the thread, as far as `notifications.in_thread` says."""

    ASKED = "asked"
    """An approver decides. `facts.envelope` is the version that they decide."""
    ASKED_AGAIN = "asked_again"
    """People decide again: no offer is inside the envelope, it is too late, or buying was blocked too long."""
    CHANGED = "changed"
    APPROVED = "approved"
    APPROVED_NOT_READY = "approved_not_ready"
    """It was approved a while ago and its machine is not ready yet."""
    DENIED = "denied"
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"
    DECIDERS_CHANGED = "deciders_changed"
    """Other people, `facts.people`, are asked about what waits. `facts.admins_decide`: no approver is left."""
    STARTED = "started"
    """Rented without an approval, because it is within the limits."""
    RENTING = "renting"
    """An attempt is intended. `facts.before_vendor` is the vendor of the attempt before it, if any."""
    NO_ANSWER = "no_answer"
    GIVEN_UP = "given_up"
    """An attempt was accepted but did not get ready. It is being destroyed, and the next one follows."""
    ACCEPTED = "accepted"
    """An attempt bought a machine. `facts.why` is set if its outcome was unknown before (NO_ANSWER)."""
    WAITING = "waiting"
    """Buying is blocked by an outage, a pause, a refused token, or unproven attempts. `facts.count` is their
    number, and `facts.end` is set if no other offer fits."""
    SILENT = "silent"
    """The machine runs, but nothing answered on its SSH port. READY follows, with `facts.why`."""
    READY = "ready"
    TEAMMATE_ADDED = "teammate_added"
    """Its owner lets more people in: `facts.people`."""
    KEPT = "kept"
    STILL_NEEDED = "still_needed"
    ENDING = "ending"
    EXTENDED = "extended"
    EXTENSION_ASKED = "extension_asked"
    EXTENSION_APPROVED = "extension_approved"
    EXTENSION_DENIED = "extension_denied"
    EXTENSION_WITHDRAWN = "extension_withdrawn"
    EXTENSION_EXPIRED = "extension_expired"
    END_MOVED = "end_moved"
    """Its end came while it was in use, and moved on to `facts.until`."""
    PUT_BACK = "put_back"
    """The database was put back from an older copy. Its owner is told that it ends at `facts.until` again."""
    USE_CHANGED = "use_changed"
    """The verdict about its use changed to `facts.verdict`, since `facts.since`. People are not notified."""
    HOST_KEY_CHANGED = "host_key_changed"
    """Its server showed a host key that is not the one of the first contact. It is not trusted."""
    NOBODY_ANSWERS = "nobody_answers"
    """Its owner did not answer the question about an idle machine. The approvers are notified."""
    OWNER_ASKED_AGAIN = "owner_asked_again"
    """An approver wants the owner of an idle machine to be asked again, at `facts.until`."""
    LEFT_ALONE = "left_alone"
    """An approver said that it may stay idle until its end."""
    PROBE_INSTALLED = "probe_installed"
    """Someone says that they installed the probe by hand."""
    NOT_AS_SOLD = "not_as_sold"
    """Its GPUs, `facts.gpus_seen`, are not those that were sold: `facts.count` of `facts.gpu`."""
    KEPT_AS_IT_IS = "kept_as_it_is"
    """Its owner keeps it, although its GPUs are not those that were sold."""
    NOT_WORKING = "not_working"
    """Its owner says that it doesn't work, `facts.detail`, and wants another machine in its place."""
    REPLACED = "replaced"
    """Another rental, `facts.name`, takes its place. `facts.why` is set if it was lost. If it still runs, it is
    destroyed once the other one is bought."""
    NOT_REPLACED = "not_replaced"
    """The other rental, `facts.name`, ended without a machine, so this one stays. `facts.amount` is what the other
    one cost."""
    ADOPTED = "adopted"
    """A machine that the bot did not know got an owner, `facts.people`, from an admin."""
    OWNER_CHANGED = "owner_changed"
    """An admin gave a rental another owner. `facts.people` is the owner before, then the new one."""
    OWNER_LEFT = "owner_left"
    """Its owner, `facts.people`, left the workspace. The admins are asked what becomes of it."""
    OWNER_LEFT_LATER = "owner_left_later"
    """An admin wants to be asked about that again, at `facts.until`."""
    LOST = "lost"
    DESTROYING = "destroying"
    NOT_CONFIRMED = "not_confirmed"
    TAKEN_ON = "taken_on"
    """Someone said "I'm on it"."""
    EXTRA_RESOURCE = "extra_resource"
    """A resource appeared for an attempt that was settled or answered with `failed` (`facts.why`). It is being
    deleted."""
    EXTRA_GONE = "extra_gone"
    ENDED = "ended"
    # About a rental, sent as notices, which are rendered from the event alone:
    STEP_FAILED = "step_failed"
    """Its step failed several times in a row. `facts.number` is in the log. `facts.until` is when its machine is
    deleted all the same, if that is known."""
    STEP_WORKS = "step_works"
    """The step works again after STEP_FAILED."""
    DELETED_OVERDUE = "deleted_overdue"
    """Its machine still existed long after its end, so it was deleted without the rental's own step."""
    # About the account:
    UNKNOWN_MACHINE = "unknown_machine"
    OLDER_DATABASE = "older_database"
    """The account has machines, `facts.count`, that were bought after the database was saved. Buying is paused."""
    UNKNOWN_RENTAL = "unknown_rental"
    """Somebody clicked a button about a rental, `facts.name`, that the store does not know."""
    NO_APPROVER_LEFT = "no_approver_left"
    """No approver is left, so the admins decide. `facts.count` requests wait."""
    UNAUTHORIZED = "unauthorized"
    """The marketplace refuses our token."""
    AUTHORIZED_AGAIN = "authorized_again"
    PAUSED = "paused"
    RESUMED = "resumed"
    # About the account, posted without the outbox:
    NO_READS = "no_reads"
    """The store can't be read, so nothing is deleted."""
    NO_WRITES = "no_writes"
    """The store takes no writes. With `facts.name`, it is for the owner of that rental, which ends soon."""
    STORE_BACK = "store_back"
    """The store works again. Everyone who was notified of its failure is notified of this."""


class LeftOut(Frozen):
    """What a purchase does not bring onto the machine, although its owner wanted it."""

    refused: bool = False
    """The place takes no boot script, so it has none."""
    setup: str | None = None
    """The name of a set-up script that doesn't run."""
    probe: bool = False
    """The probe is not installed, so the bot can't see whether the machine is used."""
    key_count: int = 0
    """How many keys don't get in."""
    people: tuple[str, ...] = ()
    """Slack ids of teammates who have no key."""


class Facts(Frozen):
    """The facts of an event as they were when it happened. Each kind uses some of these."""

    vendor: str | None = None
    vendor_region: str | None = None
    rate: Decimal | None = None
    before: Decimal | None = None
    """The `rate` or `max_rate` before this event."""
    before_vendor: str | None = None
    """The vendor of the attempt that failed before this one."""
    clicked: Decimal | None = None
    """The price that was clicked or approved, if this one follows a failed attempt."""
    max_rate: Decimal | None = None
    total: Micros | None = None
    envelope: int | None = None
    """The version of the envelope that the event is about."""
    why: Why | None = None
    detail: str | None = None
    """The market's own words, or those of the person who acted. Data, never markup. In OLDER_DATABASE `empty` if
    the database has no rental."""
    admins_decide: bool | None = None
    """Whether the admins are asked because no approver is left who may decide."""
    span: timedelta | None = None
    hours: timedelta | None = None
    """The whole lease."""
    until: Instant | None = None
    since: Instant | None = None
    amount: Micros | None = None
    estimate: Micros | None = None
    estimated: bool | None = None
    resource_id: str | None = None
    more_resources: tuple[str, ...] = ()
    """Of NOT_CONFIRMED: the ids of the others that may still bill."""
    name: str | None = None
    """A resource's name, the id of another rental, or the rental's own id in an event that is sent as a notice."""
    gpu: str | None = None
    before_gpu: str | None = None
    """The GPU that was clicked, if `gpu` is another one that doesn't fit it."""
    count: int | None = None
    people: tuple[str, ...] | None = None
    """Slack ids."""
    without_key: tuple[str, ...] | None = None
    """Those of `people` who had no SSH key, so that they are asked for one. Of READY: the teammates who were asked
    for one before and still have none."""
    end: State | None = None
    """The state in which the rental ends."""
    paid: bool | None = None
    """Whether the attempt cost anything. None if the store doesn't know."""
    self_approved: bool | None = None
    number: str | None = None
    """The number of a run of failed steps, as in the log."""
    verdict: Verdict | None = None
    use: Use | None = None
    """The evidence of the verdict."""
    gpus_seen: GpusSeen | None = None
    host_key: str | None = None
    """The fingerprint of a host key that is not trusted: `SHA256:...`."""
    before_host_key: str | None = None
    """The fingerprint that was expected instead."""
    left_out: LeftOut | None = None
    """What the boot script of a purchase lacks. None if it lacks nothing."""


class Event(Frozen):
    """Who did what, when and why. It is written in the same transaction as the change."""

    id: int = 0
    """Given by the store; 0 until then."""
    rental_id: str | None
    kind: EventKind
    at: Instant
    actor: str | None = None
    """Slack user id. None is the bot itself."""
    facts: Facts = Facts()
