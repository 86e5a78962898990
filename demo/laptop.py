"""A person's laptop: a key pair, the contents of `~/.ssh/config`, and OpenSSH's own client."""

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
"""The time limit of a login, in wall-clock seconds."""


def has_openssh() -> bool:
    """Return whether OpenSSH's client is installed on this machine."""
    return shutil.which("ssh") is not None


class Login(NamedTuple):
    """The result of an attempt to log in."""

    status: int
    """The exit status of ssh: the status of the remote command, or 255 if the login failed."""
    output: str
    errors: str
    """The text that ssh and the remote command wrote to standard error."""


@dataclass(frozen=True)
class Laptop:
    """A laptop. Its files are in `folder`, which only the user of this process can read."""

    folder: Path
    public_key: str
    """The line of the `.pub` file."""

    @classmethod
    def new(cls, folder: Path, comment: str) -> Self:
        """Create a laptop with a new key pair."""
        folder.mkdir(mode=0o700)
        pair = asyncssh.generate_private_key("ssh-ed25519", comment=comment)
        laptop = cls(folder, pair.export_public_key().decode().strip())
        with os.fdopen(os.open(laptop.private_key, os.O_WRONLY | os.O_CREAT, 0o600), "wb") as file:
            file.write(pair.export_private_key())
        # These options simulate another person's laptop: ssh must not use the keys, the agent or the known hosts
        # of the account that runs this process.
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
        """The path of the private key."""
        return self.folder / "id_ed25519"

    @property
    def config(self) -> Path:
        """The path of the file that takes the place of `~/.ssh/config`."""
        return self.folder / "config"

    @property
    def known_hosts(self) -> Path:
        """The path of the file in which ssh stores the host keys of machines."""
        return self.folder / "known_hosts"

    def paste(self, block: str) -> None:
        """Insert a block at the top of the config file, exactly as it was copied."""
        self.config.write_text(f"{block}\n\n{self.config.read_text()}")

    async def try_ssh(self, *arguments: str) -> Login:
        """Run `ssh -F config ARGUMENTS`, and return the result even if it failed.

        Raises Missed if ssh takes too long.
        """
        command = ["ssh", "-F", str(self.config), *arguments]
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

    async def ssh(self, *arguments: str) -> str:
        """Run `ssh -F config ARGUMENTS`, and return its output. Raise Missed if it fails or takes too long."""
        login = await self.try_ssh(*arguments)
        if login.status:
            raise Missed(f"ssh {' '.join(arguments)} fails: {login.errors}")
        return login.output


def _text(written: bytes) -> str:
    return written.decode(errors="replace").strip()
