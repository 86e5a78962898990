"""Tests of the shell lines that people paste on a machine to add and remove keys."""

from __future__ import annotations

import asyncio
from pathlib import Path

import asyncssh
import pytest

from bot.policy.access.keys import add_line, remove_line
from tests.programs import program

SHELLS = (["dash", "-c"], ["busybox", "sh", "-c"], ["bash", "-c"])


def _line(kind: str, size: int = 0) -> str:
    key = asyncssh.generate_private_key(kind, key_size=size) if size else asyncssh.generate_private_key(kind)
    return " ".join(key.export_public_key("openssh").decode().split()[:2])


ANA, BEN, CLEO = _line("ssh-ed25519"), _line("ssh-rsa", 2048), _line("ecdsa-sha2-nistp256")


@pytest.fixture(params=SHELLS, ids=lambda shell: shell[0])
def shell(request: pytest.FixtureRequest) -> list[str]:
    """Return the command that runs a line in one of the shells."""
    command: list[str] = request.param
    return [program(command[0]), *command[1:]]


class Home:
    """The home directory of root on a machine."""

    def __init__(self, path: Path, shell: list[str]) -> None:
        self._path, self._shell = path, shell
        self.file = path / ".ssh" / "authorized_keys"

    def has(self, content: str) -> None:
        """Write the authorized_keys file as a vendor left it."""
        self.file.parent.mkdir(mode=0o700)
        self.file.write_text(content)
        self.file.chmod(0o600)

    async def run(self, line: str) -> tuple[int | None, str]:
        """Run a line without a terminal, and return its exit status and output."""
        process = await asyncio.create_subprocess_exec(
            *self._shell,
            line,
            env={"HOME": str(self._path), "PATH": "/usr/local/bin:/usr/bin:/bin"},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        output, _ = await process.communicate()
        return process.returncode, output.decode()

    def lines(self) -> list[str]:
        """Return the non-empty lines of the file."""
        return [line for line in self.file.read_text().splitlines() if line]


@pytest.fixture
def home(tmp_path: Path, shell: list[str]) -> Home:
    """Return a home directory without .ssh."""
    return Home(tmp_path, shell)


async def test_new_keys_are_appended_once_after_existing_ones(home: Home) -> None:
    home.has(f"# made by the vendor\n{ANA} ana@laptop")
    for _ in range(2):
        assert await home.run(add_line([BEN, CLEO])) == (0, "")
        assert home.lines() == ["# made by the vendor", f"{ANA} ana@laptop", BEN, CLEO]


async def test_keys_are_added_to_a_new_file_that_only_root_can_read(home: Home) -> None:
    await home.run(add_line([ANA]))
    assert home.lines() == [ANA]
    assert [path.stat().st_mode & 0o777 for path in (home.file.parent, home.file)] == [0o700, 0o600]


async def test_a_key_that_is_commented_out_is_added_again(home: Home) -> None:
    home.has(f"# {BEN}\n")
    await home.run(add_line([BEN]))
    assert home.lines() == [f"# {BEN}", BEN]


async def test_keys_are_removed_with_options_and_comments_and_others_stay(home: Home) -> None:
    home.has(f'{ANA} ana@laptop\n{BEN}\nno-pty,from="10.*" {BEN} ben@desk\n{CLEO}\n')
    for _ in range(2):
        assert await home.run(remove_line([BEN, CLEO])) == (0, "")
        assert home.lines() == [f"{ANA} ana@laptop"]
    assert home.file.stat().st_mode & 0o777 == 0o600


async def test_a_key_that_was_added_can_be_removed(home: Home) -> None:
    home.has(f"{ANA}\n")
    await home.run(add_line([BEN, CLEO]))
    await home.run(remove_line([BEN, CLEO]))
    assert home.lines() == [ANA]


@pytest.mark.parametrize(
    "lines",
    [
        [],
        [""],
        [ANA, f"{BEN} ben@desk"],
        [f"{ANA}\n"],
        [f"{ANA}'; reboot; '"],
        ["ssh-ed25519 $(reboot)"],
        ["command=reboot ssh-ed25519 AAAA"],
        [f"{ANA}\n{BEN}"],
    ],
)
def test_shell_lines_accept_only_lines_of_public_keys(lines: list[str]) -> None:
    for build in (add_line, remove_line):
        with pytest.raises(ValueError, match="not the lines of public keys"):
            build(lines)
