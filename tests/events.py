"""Facts of events for tests. A test names only the facts that matter to it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from bot.model.attempt import Why
from bot.model.budget import TEAM, Balance
from bot.model.event import EFFECTS, EventKind
from bot.model.facts import HeartbeatReturn, WorkGoesOn
from bot.model.gpu_health import GpuFault, GpuFaultKind
from bot.model.job import Job, JobState
from bot.model.machine_use import GpusSeen, UsageStatus
from bot.model.spend import Digest
from bot.model.state import State

_AT = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
_JOB = Job(
    id="q7Xk2",
    uid=0,
    name="python train.py",
    state=JobState.DONE,
    exit_status=0,
    began_at=_AT - timedelta(hours=3),
    ended_at=_AT,
)
_USUAL: dict[str, Any] = {
    "amount": 0,
    "balance": Balance(scope=TEAM, month="2026-11"),
    "count": 1,
    "digest": Digest(first=_AT.date(), last=_AT.date(), projects=(), month="2026-11"),
    "end": State.DESTROYED,
    "terms": 1,
    "estimate": 0,
    "faults": (GpuFault(gpu=3, kind=GpuFaultKind.LOST, xid=79),),
    "gpu": "nvidia-h100-sxm5-80gb",
    "gpus_seen": GpusSeen(count=0, models=()),
    "host": "hooks.example.com",
    "host_key": "SHA256:new",
    "how": HeartbeatReturn.HEARTBEAT,
    "job": _JOB,
    "jobs": (_JOB,),
    "kept_until": _AT,
    "month": "2026-11",
    "name": "k7mq2",
    "owner": "U0ANA",
    "people": ("U0NEW",),
    "resource_id": "3c90c3cc-0d44-4b50-8888-8dd25736052a",
    "since": _AT,
    "span": timedelta(0),
    "token_id": "tk7mq2",
    "total": 0,
    "until": _AT,
    "vendor": "hyperstack",
    "status": UsageStatus.IDLE,
    "why": Why.OUTAGE,
    "work": WorkGoesOn.JOB,
}


def facts_for(kind: EventKind, **known: Any) -> Any:
    """Return the facts of an event of this kind, with made-up values for required fields that aren't given."""
    fields = EFFECTS[kind].facts.model_fields
    usual = {name: _USUAL[name] for name, field in fields.items() if field.is_required() and name not in known}
    if kind is EventKind.OWNER_CHANGED:
        usual = {"people": ("U0OLD", "U0NEW")} if "people" not in known else {}
    return EFFECTS[kind].facts(**usual, **known)
