"""A client for a running sandbox, for programs and tests.

The client uses the control API (docs/sandbox-api.md) to act for people, read the messages that they see, move the
clock, add faults, and read the bill. Rarely used calls have no method of their own; use `Server.get`, `post` and
`patch` for them.
"""

from sandbox.client.answers import (
    Account,
    Addresses,
    BillLine,
    BrokenGpu,
    Button,
    ClockState,
    Input,
    Job,
    Json,
    LoggedRequest,
    Machine,
    MachineDetails,
    MachineUse,
    Modal,
    Option,
    Outcome,
    Ping,
    Purchase,
    SeenMessage,
    Sockets,
)
from sandbox.client.client import SandboxClient
from sandbox.client.server import ControlError, Fault, Server
from sandbox.use import Fault as MachineFault

__all__ = [
    "Account",
    "Addresses",
    "BillLine",
    "BrokenGpu",
    "Button",
    "ClockState",
    "ControlError",
    "Fault",
    "Input",
    "Job",
    "Json",
    "LoggedRequest",
    "Machine",
    "MachineDetails",
    "MachineFault",
    "MachineUse",
    "Modal",
    "Option",
    "Outcome",
    "Ping",
    "Purchase",
    "SandboxClient",
    "SeenMessage",
    "Server",
    "Sockets",
]
