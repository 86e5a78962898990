"""A hostile machine can only spoil its own probe run."""

from __future__ import annotations

import asyncio
import logging
import pwd
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NoReturn

import asyncssh
import pytest
from structlog.testing import capture_logs

from bot.model.machine_use import EndToTell, GpuModel, GpuUse, Missed, ProbeResult, Report
from bot.probe.key import ProbeKey, new_probe_key
from bot.probe.prober import PROBE_RUN_BYTES, SshProber, ask_for
from tests.probe.hosts import (
    REPORT,
    Acts,
    Host,
    Process,
    RefusingHost,
    TalkingHost,
    host_key,
    prints,
    repeats,
    serving,
)
from tests.probe.servers import greeting, listening
from tests.probe.test_host_key import BANNER, IGNORE

TEXT = b"text of the machine"
SOON = 0.3
"""The time in seconds (wall clock) after which the probe run of an unresponsive server is abandoned.

The result of a probe run doesn't depend on it.
"""
LOGGED_IN = 3.0
"""A time in seconds (wall clock) that is long enough for a login."""
READ = Report(
    gpus=(GpuUse(index=0, highest=98, memory_mib=1, watts=1),),
    models=(GpuModel(name="NVIDIA H100", memory_mib=81559),),
)


@pytest.fixture(scope="module")
def key() -> ProbeKey:
    return new_probe_key()


def fingerprint(key: asyncssh.SSHKey) -> str:
    return key.get_fingerprint("sha256")


async def dripping(session: Process) -> None:
    """Print an endless report, byte by byte."""
    for byte in REPORT.replace(b"end\n", b"") + b"gpu 0, " * 100_000:
        session.stdout.write(bytes([byte]))
        await session.stdout.drain()
        await asyncio.sleep(0.01)


async def unreachable(session: Process) -> None:
    await session.stdin.read()


async def drips(writer: asyncio.StreamWriter) -> None:
    """Send an endless banner, byte by byte."""
    for byte in b"SSH-2.0-" + b"x" * 100_000:
        writer.write(bytes([byte]))
        await writer.drain()
        await asyncio.sleep(0.01)


Server = Callable[[], AbstractAsyncContextManager[int]]


def raw(sent: bytes, *, repeated: bytes = b"", stays: bool = False) -> Server:
    return lambda: listening(sent, repeated=repeated, stays=stays)


def after_login(acts: Acts, host: Host | None = None) -> Server:
    return lambda: serving(acts, host)


PEERS = b"".join(b"peer 0771000A:%04X\n" % number for number in range(10_000))
NEVER_LETS_IN = {
    "silence": raw(b"", stays=True),
    "closed at once": raw(b""),
    "banner only": raw(BANNER, stays=True),
    "banner, then closed": raw(BANNER),
    "no SSH": raw(b"HTTP/1.1 400 Bad Request\r\n\r\n" + TEXT),
    "a million lines before the banner": raw(b"", repeated=TEXT + b"\n"),
    "a line without end": raw(b"", repeated=TEXT),
    "garbage after the banner": raw(BANNER, repeated=b"\xff\x00\x1b[2J"),
    "small packets without end": raw(BANNER, repeated=IGNORE * 1000),
    "slow drip": lambda: greeting(drips),
    "a megabyte before the login": after_login(prints(REPORT), TalkingHost()),
}
LETS_IN = {
    "closed at once": after_login(prints(b"")),
    "endless output": after_login(repeats(TEXT * 100)),
    "endless errors": after_login(repeats(TEXT * 100, to_stderr=True)),
    "a million lines": after_login(repeats(b"\n" * 1000)),
    "a report without end": after_login(repeats(REPORT.replace(b"end\n", b""))),
    "garbage": after_login(prints(bytes(range(256)) * 20)),
    "ANSI escapes": after_login(prints(REPORT.replace(b"peers", b"\x1b[2J\x1b]0;" + TEXT + b"\x07peers"))),
    "not UTF-8": after_login(prints(REPORT.replace(b"peers", b"\xff\xfe\xc3("))),
    "another machine": after_login(prints(REPORT.replace(b"peers", b"rental p4wd9\npeers"))),
    "another version": after_login(prints(REPORT.replace(b"probe 1", b"probe 2"))),
    "ten thousand connections": after_login(prints(REPORT.replace(b"peers", PEERS + b"peers"))),
    "a report of two machines": after_login(prints(REPORT.replace(b"end\n", b"") + REPORT)),
}
NEVER_ENDS = {"silence": after_login(unreachable), "slow drip": after_login(dripping)}


async def probe_run_beside_an_honest_host(
    key: ProbeKey, server: Server, seconds: float, pinned: str | None = None
) -> ProbeResult:
    """Probe a hostile host and an honest one concurrently, and return the result of the hostile one.

    Also checks that the honest host is probed successfully, and that nothing that a host sent is logged.
    """
    async with server() as hostile, serving(prints(REPORT)) as honest:
        with capture_logs() as lines:
            run_probe, other = await asyncio.gather(
                SshProber(key, probe_run_seconds=seconds).run_probe("127.0.0.1", hostile, pinned),
                SshProber(key).run_probe("127.0.0.1", honest, fingerprint(host_key())),
            )
    assert other == ProbeResult(report=READ, host_key=fingerprint(host_key()))
    assert TEXT.decode() not in repr(lines)
    return run_probe


@pytest.mark.parametrize("server", NEVER_LETS_IN.values(), ids=NEVER_LETS_IN)
async def test_a_host_that_never_completes_the_login_counts_as_no_answer(key: ProbeKey, server: Server) -> None:
    assert await probe_run_beside_an_honest_host(key, server, SOON) == ProbeResult(missed=Missed.NO_ANSWER)


@pytest.mark.parametrize("server", LETS_IN.values(), ids=LETS_IN)
async def test_an_answer_that_is_not_a_report_is_unreadable(
    key: ProbeKey, server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    assert await probe_run_beside_an_honest_host(key, server, 60) == ProbeResult(
        missed=Missed.UNREADABLE, host_key=fingerprint(host_key())
    )
    assert caplog.records == []


async def test_an_endless_answer_is_unreadable_after_the_timeout(key: ProbeKey) -> None:
    probe_runs = await asyncio.gather(
        *(probe_run_beside_an_honest_host(key, server, LOGGED_IN) for server in NEVER_ENDS.values())
    )
    assert [run_probe.missed for run_probe in probe_runs] == [Missed.UNREADABLE, Missed.UNREADABLE]


JOBS = b"gpubot-jobs 1\njob q7Xk2 0 running 2520 - python train.py\njobs-end\n"


async def test_what_follows_the_report_is_read_even_if_it_comes_later(key: ProbeKey) -> None:
    async def act(session: Process) -> None:
        session.stdout.write(REPORT)
        await session.stdout.drain()
        await asyncio.sleep(0)
        await prints(JOBS)(session)

    async with serving(act) as port:
        found = await SshProber(key).run_probe("127.0.0.1", port, None)
    assert found.report is not None
    assert found.report.jobs is not None
    assert [job.name for job in found.report.jobs.jobs] == ["python train.py"]


@pytest.mark.parametrize("after", [unreachable, repeats(TEXT * 100)], ids=["silence", "endless output"])
async def test_a_report_counts_without_the_rest_if_that_never_ends(key: ProbeKey, after: Acts) -> None:
    async def act(session: Process) -> None:
        session.stdout.write(REPORT + JOBS.replace(b"jobs-end\n", b""))
        await after(session)

    async with serving(act) as port:
        found = await SshProber(key, after_report_seconds=SOON).run_probe("127.0.0.1", port, None)
    assert (found.report, found.missed) == (READ, None)


async def test_a_host_with_another_key_gets_no_login(key: ProbeKey) -> None:
    host, changed = Host(), host_key(1)
    run_probe = await probe_run_beside_an_honest_host(
        key, lambda: serving(prints(REPORT), host, changed), 60, fingerprint(host_key())
    )
    assert run_probe == ProbeResult(missed=Missed.HOST_KEY_CHANGED, host_key=fingerprint(changed))
    assert host.tried == []


async def test_a_refused_key_is_offered_once_and_nothing_else_is(key: ProbeKey) -> None:
    host = RefusingHost()
    run_probe = await probe_run_beside_an_honest_host(key, after_login(prints(REPORT), host), 60)
    assert run_probe == ProbeResult(missed=Missed.REFUSED, host_key=fingerprint(host_key()))
    assert host.tried == ["root", "key"]


async def test_a_host_cannot_open_connections_back(key: ProbeKey) -> None:
    """The report of such a host still counts."""
    host = Host()

    async def reach_back(session: Process) -> None:
        refused = 0
        async with listening(b"inside") as inside:
            connection = host.connection
            assert connection is not None
            for opens in (connection.open_connection("127.0.0.1", inside), connection.open_agent_connection()):
                try:
                    await opens
                except (asyncssh.ChannelOpenError, OSError):
                    refused += 1
        if refused == 2:
            await prints(REPORT)(session)

    run_probe = await probe_run_beside_an_honest_host(key, after_login(reach_back, host), 60)
    assert run_probe.report == READ


async def test_at_most_64_kib_are_read(key: ProbeKey) -> None:
    sent = 0

    async def act(session: Process) -> None:
        nonlocal sent
        while True:
            session.stdout.write(b"\n" * 1024)
            sent += 1024
            await session.stdout.drain()

    assert (await probe_run_beside_an_honest_host(key, after_login(act), 60)).missed is Missed.UNREADABLE
    # In addition, asyncssh and the kernel buffer data for a client that doesn't read.
    assert sent < 4 * PROBE_RUN_BYTES


async def test_a_probe_run_uses_only_the_probes_key(
    key: ProbeKey, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ssh = tmp_path / ".ssh"
    ssh.mkdir()
    (ssh / "config").write_text("HostKeyAlgorithms none-such\n")  # would make asyncssh raise
    asyncssh.generate_private_key("ssh-ed25519").write_private_key(str(ssh / "id_ed25519"))
    (ssh / "known_hosts").write_text("@revoked * " + host_key().export_public_key().decode())
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("SSH_AUTH_SOCK", str(tmp_path / "agent"))
    asked = 0

    async def agent(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal asked
        asked += 1
        writer.close()

    host = RefusingHost()
    async with await asyncio.start_unix_server(agent, tmp_path / "agent"), serving(prints(REPORT), host) as port:
        run_probe = await SshProber(key).run_probe("127.0.0.1", port, None)
    assert run_probe.missed is Missed.REFUSED
    assert (host.tried, asked) == (["root", "key"], 0)


async def test_the_process_may_run_as_a_user_without_a_name(
    key: ProbeKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nobody(_: int) -> NoReturn:
        raise KeyError

    monkeypatch.setattr(pwd, "getpwuid", nobody)
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    async with serving(prints(REPORT)) as port:
        assert (await SshProber(key).run_probe("127.0.0.1", port, None)).report == READ


@pytest.mark.parametrize(
    ("host", "port"), [("127.0.0.1", 70_000), ("a" * 300, 22), ("no.such.host.invalid", 22), ("127.0.0.1", 1)]
)
async def test_an_unusable_address_is_no_answer(key: ProbeKey, host: str, port: int) -> None:
    assert await SshProber(key).run_probe(host, port, None) == ProbeResult(missed=Missed.NO_ANSWER)


def test_a_probe_run_sends_the_end_and_the_remaining_time_in_seconds() -> None:
    """The remaining time never has more than seven digits."""
    end = datetime(2026, 11, 28, 18, 40, 0, 999_999, tzinfo=UTC)
    path = "/usr/local/sbin/gpubot-probe"
    assert ask_for(None) == path
    assert ask_for(EndToTell(end=end, left=timedelta(seconds=900.9))) == f"{path} 1795891200 900"
    assert ask_for(EndToTell(end=end, left=timedelta(0))) == f"{path} 1795891200 0"
    assert ask_for(EndToTell(end=end, left=timedelta(days=400))) == f"{path} 1795891200 9999999"
