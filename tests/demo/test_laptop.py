"""Tests of the demo's laptop: its files, and OpenSSH's client as the demo runs it."""

from __future__ import annotations

from pathlib import Path

import pytest

from demo.laptop import Laptop, has_openssh
from demo.play import Missed
from tests.programs import program


def test_only_the_owner_can_read_the_private_key_and_its_folder(tmp_path: Path) -> None:
    laptop = Laptop.new(tmp_path / "ana", "ana@laptop")
    assert laptop.public_key.endswith(" ana@laptop")
    assert (laptop.folder.stat().st_mode & 0o777, laptop.private_key.stat().st_mode & 0o777) == (0o700, 0o600)


async def test_a_failed_login_reports_the_error_output_of_ssh(tmp_path: Path) -> None:
    program("ssh")
    laptop = Laptop.new(tmp_path / "ana", "ana@laptop")
    laptop.paste("Host gpu-k7mq2\n    HostName 127.0.0.1\n    Port 1")
    with pytest.raises(Missed, match=r"gpu-k7mq2 nvidia-smi fails: .*Connection refused"):
        await laptop.ssh("gpu-k7mq2", "nvidia-smi")


def test_openssh_is_searched_for_in_the_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program("ssh")
    assert has_openssh()
    monkeypatch.setenv("PATH", str(tmp_path))
    assert not has_openssh()
