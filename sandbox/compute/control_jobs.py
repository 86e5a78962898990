"""The control calls about jobs and broken GPUs, which a machine reports after its probe's report."""

from datetime import datetime, timedelta
from typing import Annotated, Any, Self
from uuid import NAMESPACE_OID, uuid5

from pydantic import Field, model_validator

from sandbox.compute.control_use import Percent
from sandbox.compute.machines import Machine
from sandbox.gpu_health import OFF_THE_BUS, GpuTrouble
from sandbox.jobs import Job, JobsPart, Line
from sandbox.serving import ControlModel, refusal

LARGEST_UID = 4_294_967_294
Text = Annotated[str, Field(min_length=1, max_length=400)]
Status = Annotated[int, Field(ge=0, le=255)]


class LineBody(ControlModel):
    """A line of progress that a job prints some seconds after its start."""

    after: Annotated[float, Field(ge=0)]
    text: Text


class JobBody(ControlModel):
    """A job to start."""

    name: Text
    uid: Annotated[int, Field(ge=0, le=LARGEST_UID)] = 0
    all: Percent = 0
    gpus: Annotated[tuple[Percent, ...], Field(min_length=1)] | None = None
    progress: tuple[LineBody, ...] = ()
    lasts: Annotated[float, Field(ge=0)] | None = None
    status: Status | None = 0

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if {"all", "gpus"} <= self.model_fields_set:
            raise ValueError("give all or gpus, not both")
        times = [line.after for line in self.progress]
        if times != sorted(times):
            raise ValueError("give the lines of progress in the order of their times")
        if self.lasts is not None and times and times[-1] > self.lasts:
            raise ValueError("a line of progress comes after the end of the job")
        return self


class JobChangeBody(ControlModel):
    """A line that a running job prints now, or its end."""

    say: Text | None = None
    status: Status | None = None

    @model_validator(mode="after")
    def _does_one_thing(self) -> Self:
        if len(self.model_fields_set) != 1 or (self.say is None and "status" not in self.model_fields_set):
            raise ValueError("give say or status")
        return self


class TroubleBody(ControlModel):
    """The faults that a GPU gets or loses. Fields that are left out change nothing."""

    xid: Annotated[int, Field(ge=1, le=999)] | None = None
    ecc: Annotated[int, Field(ge=1)] | None = None
    lost: bool | None = None
    hot: bool | None = None
    power: bool | None = None
    remap_failed: bool | None = None

    @model_validator(mode="after")
    def _changes_something(self) -> Self:
        if all(getattr(self, name) is None for name in self.model_fields_set):
            raise ValueError("give xid, ecc, lost, hot, power or remap_failed")
        return self


def start_job(machine: Machine, body: JobBody, now: datetime) -> Job:
    """Start a job. Refuse it with 409 if `gpubot-run` isn't installed, and with 422 for another number of GPUs."""
    part = _jobs(machine, now)
    percents = (body.all,) if body.gpus is None else body.gpus
    count = len(machine.hardware())
    if len(percents) not in (1, count):
        raise refusal(422, f"the machine has {count} GPUs, and the job {len(percents)}")
    machine.jobs_started += 1
    key = uuid5(NAMESPACE_OID, f"{machine.resource_id}/job/{machine.jobs_started}").hex[:10]
    job = Job(
        id=f"{body.uid}.{key}",
        uid=body.uid,
        name=body.name,
        began_at=now,
        percents=percents,
        lines=tuple(Line(now + timedelta(seconds=line.after), line.text) for line in body.progress),
        ends_at=None if body.lasts is None else now + timedelta(seconds=body.lasts),
        status=body.status,
    )
    part.start(job)
    return job


def change_job(machine: Machine, job_id: str, body: JobChangeBody, now: datetime) -> Job:
    """Let a running job print a line, or end it.

    Refuse this with 404 if the machine doesn't know the job, and with 409 if the job has ended.
    """
    job = next((each for each in _jobs(machine, now).jobs if each.id == job_id), None)
    if job is None:
        raise refusal(404, "the machine knows no such job")
    if not job.runs(now):
        raise refusal(409, "the job has ended")
    if body.say is not None:
        job.say(body.say, now)
    else:
        job.end(body.status, now)
    return job


def break_gpu(machine: Machine, gpu: str, body: TroubleBody) -> None:
    """Break a GPU, or let it recover. Refuse an index that the machine doesn't have with 404."""
    count = len(machine.hardware())
    if not gpu.isdecimal() or int(gpu) >= count:
        raise refusal(404, f"the machine has no such GPU; there are: 0 to {count - 1}")
    trouble = machine.health_part.trouble(int(gpu))
    if body.xid is not None:
        trouble.xids.append(body.xid)
        trouble.lost |= body.xid == OFF_THE_BUS
    if body.ecc is not None:
        trouble.ecc += body.ecc
    for name in ("lost", "hot", "power", "remap_failed"):
        if (value := getattr(body, name)) is not None:
            setattr(trouble, name, value)


def reboot(machine: Machine, now: datetime) -> None:
    """Restart a machine. Refuse it with 409 if the machine isn't running."""
    if not machine.listens(now):
        raise refusal(409, "the machine isn't running")
    machine.reboot(now)


def _jobs(machine: Machine, now: datetime) -> JobsPart:
    part = machine.jobs(now) if machine.listens(now) else None
    if part is None:
        raise refusal(409, "gpubot-run isn't installed on this machine, or not yet")
    return part


def job_json(job: Job, now: datetime) -> dict[str, Any]:
    """Return a job as it is now."""
    runs, progress = job.runs(now), job.progress(now)
    return {
        "id": job.id,
        "name": job.name,
        "uid": job.uid,
        "runs": runs,
        "status": None if runs else job.status,
        "began_at": job.began_at,
        "ended_at": None if runs else job.ends_at,
        "progress": progress and progress.text,
    }


def jobs_json(machine: Machine, now: datetime) -> list[dict[str, Any]] | None:
    """Return the jobs that a machine knows, in the order of their start. None if `gpubot-run` isn't installed."""
    part = machine.jobs(now)
    return None if part is None else [job_json(job, now) for job in part.jobs]


def broken_json(machine: Machine) -> list[dict[str, Any]]:
    """Return the GPUs of a machine that have faults, with their faults, in the order of the GPUs."""
    return [
        {
            "gpu": gpu,
            "lost": trouble.lost,
            "xids": trouble.xids,
            "ecc": trouble.ecc,
            "hot": trouble.hot,
            "power": trouble.power,
            "remap_failed": trouble.remap_failed,
        }
        for gpu, trouble in sorted(machine.health_part.troubles.items())
        if trouble != GpuTrouble()
    ]
