"""Short descriptions of all faults. The page shows them in the menus where people choose a fault."""

from collections.abc import Mapping, Sequence

from sandbox.compute.vendors import Behaviour
from sandbox.faults import FaultKind
from sandbox.gpu_health import OFF_THE_BUS
from sandbox.use import Fault as MachineFault

BEHAVIOURS = {
    Behaviour.NORMAL: "Behaves as it should",
    Behaviour.SOLD_OUT: "Is sold out when somebody rents",
    Behaviour.FAILS_WITH_RESOURCE: "Refuses, but a machine runs and bills",
    Behaviour.LATE_RESOURCE: "Refuses, but a machine appears a minute later",
    Behaviour.PARTIAL: "Delivers four quarters, of which two never run",
    Behaviour.REFERENCE_WORDS: "Names its states in other words",
    Behaviour.SLOW: "Never gets the machine ready",
    Behaviour.FAILS_LATER: "Accepts, then fails after 90 s",
    Behaviour.DELETE_500: "Can't delete machines for 5 min (error 500)",
    Behaviour.SILENT_SSH: "Runs the machine, but its SSH never answers",
    Behaviour.NO_PRICE: "Offers machines without a price",
    Behaviour.NOTHING_FREE: "Has nothing to offer",
    Behaviour.NOT_DELETING: "Deletes 5 min late, and bills meanwhile",
    Behaviour.STALE_CACHE: "Shows the account as it was a minute ago",
    Behaviour.IGNORES_CLOUD_INIT: "Ignores the startup script: one key works",
    Behaviour.REFUSES_CLOUD_INIT: "Refuses purchases with a startup script",
    Behaviour.LATE_PROBE: "Runs the startup script 10 min late",
}
MACHINE_FAULTS = {
    MachineFault.SILENT: "SSH accepts, then says nothing",
    MachineFault.REFUSED: "SSH refuses the bot's key",
    MachineFault.HANG: "The usage check never ends",
    MachineFault.GARBAGE: "The usage check prints nonsense",
    MachineFault.NO_NVIDIA_SMI: "nvidia-smi is missing",
    MachineFault.NVIDIA_SMI_HANGS: "nvidia-smi hangs",
}
GPU_TROUBLES: Sequence[tuple[Mapping[str, object], str]] = (
    ({"xid": OFF_THE_BUS}, "Falls off the bus (Xid 79)"),
    ({"xid": 48}, "Memory error that can't be corrected (Xid 48)"),
    ({"xid": 64}, "A memory row can't be replaced (Xid 64)"),
    ({"xid": 74}, "NVLink error (Xid 74)"),
    ({"xid": 95}, "Memory error in any program (Xid 95)"),
    ({"xid": 94}, "Memory error in one program (Xid 94)"),
    ({"ecc": 1}, "Memory error that was corrected"),
    ({"hot": True}, "Gets too hot"),
    ({"hot": False}, "Cools down"),
    ({"power": True}, "Lacks power"),
    ({"power": False}, "Has enough power again"),
)
"""The bodies of the control call that breaks a GPU."""
FAULT_KINDS = {
    FaultKind.LATENCY: "Answers late",
    FaultKind.STATUS: "Answers with an error, and does nothing",
    FaultKind.HANG: "Never answers, and does nothing",
    FaultKind.GARBAGE: "Answers nonsense, and does nothing",
    FaultKind.CUT_BEFORE: "Hangs up before it does anything",
    FaultKind.CUT_AFTER: "Does it, then hangs up without an answer",
    FaultKind.HOLD_BEFORE: "Waits until you switch it off, then does it",
    FaultKind.HOLD_AFTER: "Does it, but answers only when you switch it off",
}
