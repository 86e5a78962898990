"""A person's laptop: a key pair, the lines of their `~/.ssh/config`, and OpenSSH's own client."""

from __future__ import annotations

import asyncio
import os
import shutil
from asyncio.subprocess import DEVNULL, PIPE
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Self

import asyncssh

from demo.play import Missed

LOGIN_SECONDS = 30.0
"""The time limit of one login, in real seconds."""


def has_openssh() -> bool:
    """Return whether this machine has OpenSSH's client."""
    return shutil.which("ssh") is not None


class Login(NamedTuple):
    """What came of a login, or of the attempt."""

    status: int
    """The exit status of ssh: that of the command, or 255 if there was no login."""
    output: str
    errors: str
    """What ssh and the command wrote to the standard error."""


@dataclass(frozen=True)
class Laptop:
    """The files are in `folder`, which only their owner can read."""

    folder: Path
    public_key: str
    """The line of the `.pub` file."""

    @classmethod
    def new(cls, folder: Path, comment: str) -> Self:
        """Make a laptop with a new key pair, and return it."""
        folder.mkdir(mode=0o700)
        pair = asyncssh.generate_private_key("ssh-ed25519", comment=comment)
        laptop = cls(folder, pair.export_public_key().decode().strip())
        with os.fdopen(os.open(laptop.private_key, os.O_WRONLY | os.O_CREAT, 0o600), "wb") as file:
            file.write(pair.export_private_key())
        # These keep the laptop apart from the account that runs it.
        rest = {
            "IdentityFile": laptop.private_key,
            "IdentitiesOnly": "yes",
            "IdentityAgent": "none",
            "UserKnownHostsFile": laptop.known_hosts,
            "GlobalKnownHostsFile": "/dev/null",
            "BatchMode": "yes",
        }
        laptop.config.write_text(
            "\n".join(["Host *", *(f'    {name} "{value}"' for name, value in rest.items()), ""])
        )
        return laptop

    @property
    def private_key(self) -> Path:
        """The file of the private key."""
        return self.folder / "id_ed25519"

    @property
    def config(self) -> Path:
        """The file that stands for `~/.ssh/config`."""
        return self.folder / "config"

    @property
    def known_hosts(self) -> Path:
        """The file in which ssh stores the keys of machines."""
        return self.folder / "known_hosts"

    def paste(self, block: str) -> None:
        """Write a block for `~/.ssh/config` as it was copied, above all that is there."""
        self.config.write_text(f"{block}\n\n{self.config.read_text()}")

    async def try_ssh(self, *words: str) -> Login:
        """Run `ssh -F config WORDS`, and return what came of it. Raise Missed if it takes too long."""
        command = ["ssh", "-F", str(self.config), *words]
        process = await asyncio.create_subprocess_exec(*command, stdin=DEVNULL, stdout=PIPE, stderr=PIPE)
        try:
            async with asyncio.timeout(LOGIN_SECONDS):
                output, errors = await process.communicate()
        except TimeoutError:
            raise Missed(f"{' '.join(command)} gives no answer.") from None
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        return Login(await process.wait(), _text(output), _text(errors))

    async def ssh(self, *words: str) -> str:
        """Run `ssh -F config WORDS`, and return its output. Raise Missed if it fails or takes too long."""
        login = await self.try_ssh(*words)
        if login.status:
            raise Missed(f"ssh {' '.join(words)} fails: {login.errors}")
        return login.output


def _text(written: bytes) -> str:
    return written.decode(errors="replace").strip()
