"""`python -m bench.ssh_host`: an SSH server that responds to each command with a probe report for eight GPUs."""

from __future__ import annotations

import asyncio
import sys

import asyncssh
from typing_extensions import override

GPUS, READINGS = 8, 5
REPORT = [
    "gpubot-probe 1",
    "setup done",
    "ssh 198.51.100.4 51234 10.0.0.4 22",
    "peer 046433C6:C822",
    "peer 0771000A:D431",
    "peers 2",
    *[f"gpu {gpu}, 98, 70123, 412.33, Disabled, 81559, NVIDIA H100 80GB HBM3" for gpu in range(GPUS)] * READINGS,
    "nvidia-smi 0",
    "end",
]


class _Host(asyncssh.SSHServer):
    """Accepts every key."""

    @override
    def public_key_auth_supported(self) -> bool:
        return True

    @override
    def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
        return True


def _answer(session: asyncssh.SSHServerProcess[str]) -> None:
    for line in REPORT:
        session.stdout.write(f"{line}\n")
    session.exit(0)


async def _serve() -> None:
    """Print the port, and serve until the process is killed."""
    host_key = asyncssh.generate_private_key("ssh-ed25519")
    server = await asyncssh.listen(
        "127.0.0.1", 0, server_host_keys=[host_key], server_factory=_Host, process_factory=_answer, gss_host=None
    )
    sys.stdout.write(f"{server.get_port()}\n")
    sys.stdout.flush()
    await server.wait_closed()


if __name__ == "__main__":
    asyncio.run(_serve())
