"""A client of a running sandbox, for programs and tests.

It acts for people, reads what they see, moves the clock, sets faults and reads the bill, over the control API of
docs/sandbox.md. Rare calls have no method of their own: they go through `Server.get`, `post` and `patch`.
"""

from sandbox.client.answers import (
    Account,
    Addresses,
    BillLine,
    Button,
    ClockState,
    Input,
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
    "Button",
    "ClockState",
    "ControlError",
    "Fault",
    "Input",
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
