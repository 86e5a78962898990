"""The SSH hosts: logins, the output of the shell, and that a host is up exactly while its machine is running."""

import asyncio
import gc
from datetime import timedelta
from pathlib import Path

import asyncssh
import pytest

from sandbox.clock import SandboxClock
from sandbox.host_info import HostInfo
from sandbox.shell import uptime
from sandbox.ssh import SshHost
from sandbox.use import Phase, Use
from tests.programs import program
from tests.sandbox.compute_world import NOON, ComputeWorld

PATIENCE = 20


def port_of(resource: dict[str, dict[str, int]]) -> int:
    return resource["access"]["ssh_port"]


async def login(
    world: ComputeWorld, port: int, user: str = "root", key: asyncssh.SSHKey | None = None
) -> asyncssh.SSHClientConnection:
    return await asyncssh.connect(
        "127.0.0.1", port, username=user, client_keys=[key or world.key], known_hosts=None, config=None
    )


async def shown_host_key(port: int, kind: str = "ssh-ed25519") -> str:
    """Return the fingerprint of the host key that a client is shown."""
    key = await asyncssh.get_server_host_key("127.0.0.1", port, server_host_key_algs=[kind], config=None)
    assert key is not None
    return key.get_fingerprint()


async def banner(port: int) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        return await asyncio.wait_for(reader.readline(), PATIENCE)
    finally:
        writer.close()
        await writer.wait_closed()


async def test_a_command_prints_its_output_and_returns_its_status(world: ComputeWorld) -> None:
    port = port_of(await world.ready_machine("hyperstack", "H100", 8))
    world.clock.jump(3600 * 26)
    async with await login(world, port) as ssh:
        table = await ssh.run("nvidia-smi")
        assert str(table.stdout).count("NVIDIA H100 80GB HBM3") == 8
        assert len(str((await ssh.run("nvidia-smi -L")).stdout).splitlines()) == 8
        assert (await ssh.run("nvidia-smi --frobnicate")).exit_status == 2
        assert "up 1 day,  2:02," in str((await ssh.run("uptime")).stdout)
        assert (await ssh.run("exit 7")).exit_status == 7
        unknown = await ssh.run("rm -rf /")
        assert (unknown.exit_status, str(unknown.stdout).splitlines()[0]) == (
            127,
            "bash: rm: command not found",
        )


async def test_an_interactive_login_reads_lines_until_exit(world: ComputeWorld) -> None:
    port = port_of(await world.ready_machine())
    async with await login(world, port) as ssh:
        process = await ssh.create_process(term_type="xterm")
        process.stdin.write("uptime\nnonsense\nexit\n")
        result = await process.wait()
    assert "load average" in str(result.stdout)
    assert "root@hyperstack-" in str(result.stdout)
    assert result.exit_status == 127, "a shell exits with the status of its last command"


async def test_a_login_ends_at_the_end_of_its_input(world: ComputeWorld) -> None:
    port = port_of(await world.ready_machine())
    async with await login(world, port) as ssh:
        result = await ssh.run(input="uptime\n")
    assert (result.exit_status, str(result.stdout).count("up ")) == (0, 1)


async def test_an_interactive_login_is_aborted_silently_when_its_machine_vanishes(
    world: ComputeWorld, caplog: pytest.LogCaptureFixture
) -> None:
    resource = await world.ready_machine()
    async with await login(world, port_of(resource)) as ssh:
        process = await ssh.create_process(term_type="xterm")
        process.stdin.write("uptime\n")
        await process.stdout.readuntil("load average")
        await world.control(f"resources/{resource['resource_id']}/vanish")
        await asyncio.wait_for(ssh.wait_closed(), PATIENCE)
    assert [record.message for record in caplog.records if record.levelname in ("WARNING", "ERROR")] == []


async def test_only_root_with_the_procured_key_can_log_in(world: ComputeWorld) -> None:
    port = port_of(await world.ready_machine())
    with pytest.raises(asyncssh.PermissionDenied):
        await login(world, port, user="ana")
    world.key = asyncssh.generate_private_key("ssh-ed25519")
    with pytest.raises(asyncssh.PermissionDenied):
        await login(world, port)
    with pytest.raises(asyncssh.PermissionDenied):
        await asyncssh.connect(
            "127.0.0.1", port, username="root", password="", client_keys=None, known_hosts=None, config=None
        )


async def test_keys_from_the_startup_script_can_log_in_too(world: ComputeWorld) -> None:
    colleague, stranger = (asyncssh.generate_private_key("ssh-ed25519") for _ in range(2))
    script = f"#!/bin/sh\necho '{colleague.export_public_key().decode().strip()}' >> /root/.ssh/authorized_keys\n"
    resource = await world.ready_machine(cloud_init=script)
    for key in (world.key, colleague):
        async with await login(world, port_of(resource), key=key) as ssh:
            assert (await ssh.run("uptime")).exit_status == 0
    with pytest.raises(asyncssh.PermissionDenied):
        await login(world, port_of(resource), key=stranger)
    assert (await world.look(f"resources/{resource['resource_id']}"))["cloud_init"] == script


async def test_each_machine_has_its_own_host_key(world: ComputeWorld) -> None:
    first, second = await world.ready_machine(), await world.ready_machine("nebius")
    shown = [await shown_host_key(port_of(resource)) for resource in (first, second)]
    assert shown[0] != shown[1]
    details = await world.look(f"resources/{first['resource_id']}")
    assert details["host_keys"] == {"ssh-ed25519": shown[0]}


async def test_a_running_machine_can_get_other_host_keys(world: ComputeWorld) -> None:
    resource = await world.ready_machine()
    before = await shown_host_key(port_of(resource))
    path = f"resources/{resource['resource_id']}/host_keys"
    assert (await world.control(path))["host_keys"] == {"ssh-ed25519": await shown_host_key(port_of(resource))}
    assert await shown_host_key(port_of(resource)) != before
    changed = (await world.control(path, kinds=["ecdsa-sha2-nistp256", "ssh-rsa"]))["host_keys"]
    assert set(changed) == {"ecdsa-sha2-nistp256", "ssh-rsa"}
    assert await shown_host_key(port_of(resource), "ecdsa-sha2-nistp256") == changed["ecdsa-sha2-nistp256"]
    async with await login(world, port_of(resource)) as ssh:
        assert (await ssh.run("uptime")).exit_status == 0


async def test_a_new_machine_can_listen_on_the_port_of_a_terminated_one(world: ComputeWorld) -> None:
    first = await world.ready_machine()
    port = port_of(first)
    refused = await world.http.post("/_control/next_ssh_port", json={"port": port})
    assert (refused.status_code, refused.json()) == (409, {"error": f"a machine listens on port {port}"})
    await world.delete(first["resource_id"])
    world.clock.jump(60)
    await world.control("next_ssh_port", port=port)
    second = await world.ready_machine()
    assert port_of(second) == port
    async with await login(world, port) as ssh:
        assert (await ssh.run("uptime")).exit_status == 0
    assert port_of(await world.ready_machine()) != port


@pytest.mark.parametrize("kind", ["ssh-rsa", "ecdsa-sha2-nistp384"])
async def test_other_kinds_of_keys_work_too(world: ComputeWorld, kind: str) -> None:
    world.key = asyncssh.generate_private_key(kind)
    async with await login(world, port_of(await world.ready_machine())) as ssh:
        assert (await ssh.run("uptime")).exit_status == 0


async def test_with_an_unreadable_key_the_machine_runs_but_nobody_can_log_in(world: ComputeWorld) -> None:
    offer = await world.offer()
    answer = await world.http.post(
        "/procure_offer", json={"offer_id": offer["offer_id"], "ssh_public_key": "ssh-ed25519 AAAA"}
    )
    assert answer.status_code == 200
    world.clock.jump(300)
    (resource,) = await world.resources(offer["offer_id"])
    assert (await banner(port_of(resource))).startswith(b"SSH-2.0-")
    with pytest.raises(asyncssh.PermissionDenied):
        await login(world, port_of(resource))


async def test_the_ssh_host_is_up_once_the_api_shows_the_machine_running(world: ComputeWorld) -> None:
    procured = await world.procure()
    world.clock.jump(154.999999)
    (resource,) = await world.resources(procured["offer_id"])
    assert (resource["status"], resource["access"]["ssh_port"]) == ("provisioning", None)
    world.clock.jump(0.000001)
    (resource,) = await world.resources(procured["offer_id"])
    assert resource["status"] == "running"
    assert (await banner(port_of(resource))).startswith(b"SSH-2.0-")


async def test_termination_of_a_machine_aborts_its_logins_and_closes_its_port(world: ComputeWorld) -> None:
    resource = await world.ready_machine()
    port = port_of(resource)
    async with await login(world, port) as ssh:
        await world.delete(resource["resource_id"])
        assert (await ssh.run("uptime")).exit_status == 0, "a machine that is being deleted still runs"
        world.clock.jump(30)
        await asyncio.wait_for(ssh.wait_closed(), PATIENCE)
    assert (await world.resource(resource["resource_id"]))["status"] == "deleted"
    with pytest.raises(ConnectionRefusedError):
        await login(world, port)


async def test_terminating_a_machine_while_a_client_connects_aborts_the_connection() -> None:
    """Try this after different numbers of turns of the event loop, so that the host is at different points."""
    key, clock = asyncssh.generate_private_key("ssh-ed25519"), SandboxClock(NOON, speed=0)
    info = HostInfo(hostname="gpu", hardware=(), up_since=NOON, use=Use(phases=(Phase(),), since=NOON))
    for turns in range(60):
        host = SshHost(lambda: info, list, [key], clock, note_typed=print)
        _, writer = await asyncio.open_connection("127.0.0.1", await host.start())
        for _ in range(turns):
            await asyncio.sleep(0)
        await host.stop()
        writer.close()
        await asyncio.sleep(0)
    gc.collect()  # warns about each socket that wasn't closed


async def test_a_silent_host_accepts_connections_and_sends_nothing(world: ComputeWorld) -> None:
    await world.control("vendors/hyperstack", behaviour="silent_ssh")
    resource = await world.ready_machine()
    reader, writer = await asyncio.open_connection("127.0.0.1", port_of(resource))
    writer.write(b"SSH-2.0-hello\r\n")
    await writer.drain()
    listening = asyncio.create_task(reader.read())
    await world.resource(resource["resource_id"])
    assert not listening.done()
    await world.control(f"resources/{resource['resource_id']}/vanish")
    assert await asyncio.wait_for(listening, PATIENCE) == b""
    writer.close()
    await writer.wait_closed()


@pytest.mark.parametrize("by_hand", [False, True])
async def test_openssh_can_log_in_with_the_printed_command(
    world: ComputeWorld, tmp_path: Path, by_hand: bool
) -> None:
    resource = await world.ready_machine()
    key_file = tmp_path / "key"
    world.key.write_private_key(str(key_file))
    key_file.chmod(0o600)
    command = str(resource["access"]["ssh_command"]).split()
    options = ["-i", str(key_file), "-F", "none", "-o", "IdentitiesOnly=yes", "-o", "BatchMode=yes"]
    options += ["-o", "StrictHostKeyChecking=no", "-o", f"UserKnownHostsFile={tmp_path / 'known'}"]
    remote = ["-tt"] if by_hand else ["nvidia-smi"]
    process = await asyncio.create_subprocess_exec(
        program(command[0]),
        *options,
        *command[1:],
        *remote,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    typed = b"nvidia-smi\nexit\n" if by_hand else b""
    output, errors = await asyncio.wait_for(process.communicate(typed), PATIENCE)
    assert process.returncode == 0, errors.decode()
    assert b"NVIDIA H100 80GB HBM3" in output
    assert (b":~# " in output) is by_hand


def test_uptime_has_the_format_of_the_real_command() -> None:
    def after(**time: int) -> str:
        return uptime(NOON, NOON + timedelta(**time))

    assert after(minutes=5) == " 12:05:00 up 5 min,  1 user,  load average: 0.00, 0.00, 0.00\n"
    assert " up  3:07,  1 user" in after(hours=3, minutes=7)
    assert " up 2 days, 0 min,  1 user" in after(days=2)
