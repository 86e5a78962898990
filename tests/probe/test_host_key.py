"""The prober reads the fingerprint of a host key without logging in."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import asyncssh
import pytest
from typing_extensions import override

from bot.probe.prober import HOST_KEY_BYTES, SshProber
from tests.probe.servers import listening

BANNER = b"SSH-2.0-OpenSSH_9.6\r\n"
KEX_INIT = 20
LONG = 30.0
"""In seconds (wall clock). Longer than anything in these tests takes unless it waits for a DNS lookup."""


@cache
def made(kind: str) -> asyncssh.SSHKey:
    return asyncssh.generate_private_key(kind)


class NoLogin(asyncssh.SSHServer):
    """A server that records whether someone tries to log in."""

    logins = 0

    @override
    def begin_auth(self, username: str) -> bool:
        type(self).logins += 1
        return True


@asynccontextmanager
async def serving(*kinds: str, host: str = "127.0.0.1") -> AsyncIterator[int]:
    """Serve SSH on a port, with a host key of each kind."""
    keys = [made(kind) for kind in kinds]
    server = await asyncssh.listen(host, 0, server_host_keys=keys, server_factory=NoLogin, gss_host=None)
    async with server:
        yield server.get_port()


def packet(content: bytes) -> bytes:
    """Return an unencrypted SSH packet (RFC 4253, section 6)."""
    padding = 16 - (len(content) + 5) % 8
    return (len(content) + padding + 1).to_bytes(4, "big") + bytes([padding]) + content + bytes(padding)


IGNORE = packet(b"\x02" + bytes(4))
"""SSH_MSG_IGNORE without data. Clients accept any number of them before the key exchange."""


@contextmanager
def names(monkeypatch: pytest.MonkeyPatch, addresses: Callable[[str], list[object]]) -> Iterator[None]:
    """Use `addresses` to look up names. IP addresses are handled as usual."""
    real = socket.getaddrinfo

    def look_up(host: Any, *rest: Any, **more: Any) -> Any:
        if str(host).endswith(".example.com") and not more.get("flags", 0) & socket.AI_NUMERICHOST:
            return addresses(host)
        return real(host, *rest, **more)

    with monkeypatch.context() as patched:
        patched.setattr(socket, "getaddrinfo", look_up)
        yield


@pytest.mark.parametrize(
    ("kinds", "told"),
    [
        (["ssh-ed25519"], "ssh-ed25519"),
        (["ssh-rsa", "ecdsa-sha2-nistp256", "ssh-ed25519"], "ssh-ed25519"),
        (["ssh-rsa", "ecdsa-sha2-nistp384"], "ecdsa-sha2-nistp384"),
        (["ssh-rsa"], "ssh-rsa"),
    ],
)
async def test_the_fingerprint_of_the_ed25519_key_is_preferred(kinds: Sequence[str], told: str) -> None:
    NoLogin.logins = 0
    async with serving(*kinds) as port:
        assert await SshProber().host_key("127.0.0.1", port) == made(told).get_fingerprint("sha256")
    assert NoLogin.logins == 0


KIND = (socket.AF_INET, socket.SOCK_STREAM, 6, "")


async def test_a_host_name_with_several_addresses_is_tried_at_each_of_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with serving("ssh-ed25519") as port:

        def addresses(name: str) -> list[object]:
            assert name == "gpu-7.example.com"
            return [(*KIND, ("127.0.0.2", 0)), (*KIND, ("127.0.0.1", 0))]

        with names(monkeypatch, addresses):
            assert await SshProber().host_key("gpu-7.example.com", port) is not None


class DnsServer:
    """A DNS server that responds, or, once it is `stuck`, blocks every lookup until the end of the test."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.stuck: set[str] = set()
        self.given_up = threading.Event()

    def addresses(self, name: str) -> list[object]:
        self.asked.append(name)
        if name in self.stuck:
            self.given_up.wait()
            raise socket.gaierror(socket.EAI_AGAIN, "no server answers")
        return [(*KIND, ("127.0.0.1", 0))]


@pytest.fixture
def dns(monkeypatch: pytest.MonkeyPatch) -> Iterator[DnsServer]:
    server = DnsServer()
    with names(monkeypatch, server.addresses):
        try:
            yield server
        finally:
            server.given_up.set()


async def test_unanswered_dns_lookups_delay_nothing_else(
    dns: DnsServer,
) -> None:
    prober = SshProber(seconds=LONG)
    dns.stuck = {f"gpu-{n}.example.com" for n in range(64)}
    async with serving("ssh-ed25519") as port:
        waiting = [
            asyncio.create_task(prober.banner(name, port, f"vendor {n}")) for n, name in enumerate(dns.stuck)
        ]
        try:
            async with asyncio.timeout(LONG):
                assert await prober.banner("127.0.0.1", port)
                assert await SshProber().host_key("127.0.0.1", port) is not None
                await asyncio.to_thread(len, "the rest of the bot")
            assert not any(task.done() for task in waiting)
        finally:
            dns.given_up.set()
            assert await asyncio.gather(*waiting) == [False] * 64


async def test_lookups_are_shared_by_name_and_limited_for_each_vendor(
    dns: DnsServer,
) -> None:
    """At most two names of a vendor are looked up at a time. Other vendors don't wait."""
    prober, given_up_at_once = SshProber(seconds=LONG), SshProber(seconds=0.1)
    given_up_at_once._connector = prober._connector
    dns.stuck = {f"gpu-{n}.example.com" for n in range(40)}
    async with serving("ssh-ed25519") as port:
        for _ in range(3):
            checks = [given_up_at_once.banner(name, port, "vastai") for name in dns.stuck]
            assert not any(await asyncio.gather(*checks))
        assert len(dns.asked) == len(set(dns.asked)) == 2
        assert await prober.banner("gpu.example.com", port, "nebius")


async def test_the_last_known_address_is_used_while_dns_is_down(dns: DnsServer) -> None:
    name, prober = "gpu-1.example.com", SshProber(seconds=LONG)
    async with serving("ssh-ed25519") as port:
        assert await prober.banner(name, port, "vastai")
        dns.stuck = {name}
        for _ in range(2):
            assert await prober.banner(name, port, "vastai")
        assert dns.asked == [name] * 2, "the second look-up is still under way"
        dns.given_up.set()
        assert await prober.banner(name, port, "vastai")


async def test_nothing_in_the_home_directory_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ssh = tmp_path / ".ssh"
    ssh.mkdir()
    # Either file would make asyncssh raise an error.
    (ssh / "config").write_text("HostKeyAlgorithms none-such\n")
    (ssh / "id_ed25519").write_text("not a key\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("SSH_AUTH_SOCK", str(tmp_path / "no-such-agent"))
    async with serving("ssh-ed25519") as port:
        assert await SshProber().host_key("127.0.0.1", port) is not None


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        BANNER,
        b"SSH-1.5-old\r\n",
        b"SSH-2.0-" + b"x" * 100_000,
        b"line\n" * 100_000,
        BANNER + b"\x00" * 4096,
        BANNER + b"\xff" * 4096,
        BANNER + b"HTTP/1.1 400 Bad Request\r\n\r\n" * 100,
        BANNER + packet(b""),
        BANNER + packet(bytes([KEX_INIT])),
        BANNER + packet(bytes([KEX_INIT]) + b"\xff" * 200),
        BANNER + packet(bytes([KEX_INIT]) + bytes(16) + (4).to_bytes(4, "big") + b"\xff\xfe,\xfd" * 10),
        BANNER + (256 * 1024).to_bytes(4, "big") + b"x" * 300_000,
        b"\xff\xfe\r\n" * 10 + b"SSH-2.0-\xff\xfe\r\n",
    ],
)
@pytest.mark.parametrize("stays", [False, True])
async def test_a_server_that_does_not_speak_ssh_has_no_fingerprint(sent: bytes, stays: bool) -> None:
    async with listening(sent, stays=stays) as port:
        assert await SshProber(seconds=0.3).host_key("127.0.0.1", port) is None


@pytest.mark.parametrize(
    ("sent", "repeated"),
    [(BANNER, IGNORE * 1000), (BANNER, BANNER * 1000), (b"", b"x\n" * 1000), (BANNER, b"")],
)
async def test_a_server_that_never_stops_sending_is_abandoned(sent: bytes, repeated: bytes) -> None:
    async with listening(sent, repeated=repeated, stays=True) as port:
        assert await SshProber(seconds=0.3).host_key("127.0.0.1", port) is None


async def test_at_most_16_kib_are_read_before_the_host_key_is_known() -> None:
    sent = BANNER + IGNORE * (HOST_KEY_BYTES // len(IGNORE))
    async with listening(sent, stays=True) as port, asyncio.timeout(LONG):
        prober = SshProber(seconds=10 * LONG, host_key_seconds=10 * LONG)
        assert await prober.host_key("127.0.0.1", port) is None


@pytest.mark.parametrize(
    ("host", "port"), [("127.0.0.1", 70_000), ("a" * 300, 22), ("no.such.host.invalid", 22), ("127.0.0.1", 1)]
)
async def test_an_unusable_address_raises_nothing(host: str, port: int) -> None:
    assert await SshProber().host_key(host, port) is None
