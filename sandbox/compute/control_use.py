"""`POST /_control/resources/ID/use`: sets a machine's utilization, GPUs and scripts, which its probe reports."""

from datetime import datetime, timedelta
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from sandbox.compute.machines import Machine
from sandbox.on_ending import OnEnding
from sandbox.serving import ControlModel, refusal
from sandbox.use import Fault, Phase, SetUp, Use

Percent = Annotated[int, Field(ge=0, le=100)]
_MOST_CONNECTIONS = 10_000


class PhaseBody(ControlModel):
    """A period during which the machine's utilization is constant."""

    all: Percent | None = 0
    gpus: Annotated[tuple[Percent | None, ...], Field(min_length=1)] | None = None
    connections: (
        Annotated[int, Field(ge=0, le=_MOST_CONNECTIONS)]
        | Annotated[tuple[str, ...], Field(max_length=_MOST_CONNECTIONS)]
    ) = 0
    fault: Annotated[Fault, Field(strict=False)] | None = None
    lasts: Annotated[float | None, Field(gt=0, alias="for")] = None

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if {"all", "gpus"} <= self.model_fields_set:
            raise ValueError("give all or gpus, not both")
        return self

    def phase(self) -> Phase:
        """Return the body as a phase."""
        named = self.connections
        return Phase(
            percents=(self.all,) if self.gpus is None else self.gpus,
            connections=tuple(map(str, range(1, named + 1))) if isinstance(named, int) else named,
            fault=self.fault,
            lasts=None if self.lasts is None else timedelta(seconds=self.lasts),
        )


class SetUpBody(ControlModel):
    """The state of the setup script."""

    state: Literal["running", "done", "failed"]
    line: Annotated[int, Field(ge=1)] | None = None

    @model_validator(mode="after")
    def _fails_at_a_line(self) -> Self:
        if self.line is not None and self.state != "failed":
            raise ValueError("only a setup that failed has a line")
        return self


class GpuBody(ControlModel):
    """A GPU that is really in the machine, which may differ from the one that was sold."""

    name: Annotated[str, Field(min_length=1)]
    memory_mib: Annotated[int, Field(ge=1)]


class OnEndingBody(ControlModel):
    """The on-ending.sh that the owner installed on the machine."""

    lasts: Annotated[float | None, Field(ge=0)] = 0
    status: Annotated[int, Field(ge=0, le=255)] = 0
    refused: Literal["no_file", "not_executable", "owner", "writable"] | None = None


class UseBody(ControlModel):
    """The changes to make. Fields that are left out change nothing."""

    phases: Annotated[tuple[PhaseBody, ...], Field(min_length=1)] | None = None
    repeat: bool = False
    setup: SetUpBody | None = None
    on_ending: OnEndingBody | None = None
    hardware: Annotated[tuple[GpuBody, ...], Field(min_length=1)] | None = None

    @model_validator(mode="after")
    def _changes_something(self) -> Self:
        if not self.model_fields_set - {"repeat"}:
            raise ValueError("give phases, setup, on_ending or hardware")
        if self.repeat and self.phases is None:
            raise ValueError("only phases repeat")
        return self

    @model_validator(mode="after")
    def _phases_follow_each_other(self) -> Self:
        for n, phase in enumerate(self.phases or (), start=1):
            without_end = n == len(self.phases or ()) and not self.repeat
            if without_end and phase.lasts is not None:
                raise ValueError("the last phase lasts without end: leave out its `for`, or repeat")
            if not without_end and phase.lasts is None:
                raise ValueError(f"phase {n} needs `for`, since another one follows")
        return self


def set_use(machine: Machine, body: UseBody, now: datetime) -> None:
    """Apply the changes to a machine. Refuse a phase for a different number of GPUs with 422."""
    hardware = machine.other_hardware
    if "hardware" in body.model_fields_set:
        hardware = tuple((gpu.name, gpu.memory_mib) for gpu in body.hardware or ())
    use = machine.use
    if body.phases is not None:
        use = Use(tuple(phase.phase() for phase in body.phases), now, body.repeat)
    count = len(hardware) or machine.gpus
    for phase in use.phases:
        if len(phase.percents) not in (1, count):
            raise refusal(422, f"the machine has {count} GPUs, and a phase {len(phase.percents)}")
    machine.other_hardware, machine.use = hardware, use
    if "setup" in body.model_fields_set:
        machine.other_set_up = None if body.setup is None else SetUp(body.setup.state, body.setup.line)
    if "on_ending" in body.model_fields_set:
        machine.ending_part.script = None if body.on_ending is None else _on_ending(body.on_ending)


def _on_ending(body: OnEndingBody) -> OnEnding:
    lasts = None if body.lasts is None else timedelta(seconds=body.lasts)
    return OnEnding(lasts, body.status, body.refused)


def ending_json(machine: Machine, now: datetime) -> dict[str, Any] | None:
    """Return the end that was sent to a machine, and the runs of its on-ending.sh.

    None if the startup script didn't install the program that receives the end.
    """
    part = machine.ending(now)
    if part is None:
        return None
    runs = [{"end": run.end, "at": run.began, "runs": run.runs(now)} for run in part.runs]
    return {"ends_at": part.ends_at, "runs": runs}


def use_json(machine: Machine, now: datetime) -> dict[str, Any]:
    """Return the current utilization, connections and fault of a machine."""
    phase, info = machine.use.at(now), machine.info(now)
    return {
        "gpus": [info.percent(gpu, now) for gpu in info.hardware],
        "connections": phase.connections,
        "fault": phase.fault,
    }
