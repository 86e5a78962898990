"""`POST /_control/resources`: adds unmanaged machines, which weren't procured through the API."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any

from pydantic import AwareDatetime, BeforeValidator, Field

from sandbox.compute.catalog import VARIANTS, families
from sandbox.compute.machines import Machine
from sandbox.compute.validation import Uuid
from sandbox.compute.vendors import VENDORS
from sandbox.serving import ControlModel, refusal


def _exact(value: Any) -> Any:
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


class UnmanagedMachineBody(ControlModel):
    """A machine to add that wasn't procured through the API."""

    name: str
    gpu_type: str
    rate: Annotated[Decimal, BeforeValidator(_exact), Field(strict=False, ge=0)]
    """The price in USD per hour for all its GPUs."""
    gpus: Annotated[int, Field(ge=1)] = 1
    vendor: str = "lambda"
    since: AwareDatetime | None = None
    runs_after: Annotated[float, Field(ge=0)] = 0
    offer_id: Uuid | None = None


def unmanaged_machine(body: UnmanagedMachineBody, resource_id: str, now: datetime) -> Machine:
    """Create the machine. Refuse an unknown GPU or vendor, or a `since` in the future, with 422."""
    variant = next(iter(families().get(body.gpu_type, [])), body.gpu_type)
    if variant not in VARIANTS or body.vendor not in VENDORS:
        raise refusal(422, "no such gpu_type or vendor")
    since = now if body.since is None else body.since.astimezone(UTC)
    if since > now:
        raise refusal(422, "since is still to come")
    return Machine(
        resource_id=resource_id,
        name=body.name,
        vendor=body.vendor,
        region=VENDORS[body.vendor].regions[0].name,
        variant=VARIANTS[variant],
        gpus=body.gpus,
        rate=body.rate,
        appears_at=since,
        runs_at=since + timedelta(seconds=body.runs_after),
        offer_id=body.offer_id,
    )
