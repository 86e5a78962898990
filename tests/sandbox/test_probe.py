"""The probe of a machine: access to it, its reports over time, and its failures."""

import asyncio
from pathlib import Path
from typing import Any

import asyncssh
import pytest

from sandbox.compute.startup_script import has_set_up, probe_lines
from tests.programs import program
from tests.sandbox.compute_world import ComputeWorld
from tests.sandbox.test_compute_ssh import PATIENCE, login, port_of

PATH = "/usr/local/sbin/gpubot-probe"


class Probe:
    """A probe, with its key, the startup script that installs it, and its reports."""

    def __init__(self, world: ComputeWorld) -> None:
        self.world = world
        self.key = asyncssh.generate_private_key("ssh-ed25519")
        self.line = f'restrict,command="{PATH}" {self.key.export_public_key().decode().strip()}'
        self.script = (
            f"#!/bin/sh\ncat >{PATH} <<'END'\n#!/bin/sh\necho 'gpubot-probe 1'\nEND\necho '{self.line}'\n"
        )

    async def machine(self, vendor: str = "hyperstack", count: int = 1, **more: str) -> dict[str, Any]:
        return await self.world.ready_machine(vendor, "H100", count, **{"cloud_init": self.script, **more})

    async def connected(self, machine: dict[str, Any]) -> asyncssh.SSHClientConnection:
        return await login(self.world, port_of(machine), key=self.key)

    async def report(self, machine: dict[str, Any]) -> list[str]:
        async with await self.connected(machine) as ssh:
            answer = await ssh.run(None)
        return str(answer.stdout).splitlines()

    async def lines(self, machine: dict[str, Any], word: str) -> list[str]:
        """Return the lines of a report that begin with `word`, without this word."""
        return [
            line.removeprefix(f"{word} ") for line in await self.report(machine) if line.startswith(f"{word} ")
        ]

    async def use(self, machine: dict[str, Any], *phases: dict[str, Any], **fields: Any) -> dict[str, Any]:
        body = {**({"phases": phases} if phases else {}), **fields}
        return await self.world.control(f"resources/{machine['resource_id']}/use", **body)


@pytest.fixture
def probe(world: ComputeWorld) -> Probe:
    return Probe(world)


# --- access to the probe


async def test_the_probes_key_runs_only_the_probe_whatever_is_requested(probe: Probe) -> None:
    machine = await probe.machine()
    async with await probe.connected(machine) as ssh:
        for command in (None, "nvidia-smi", "rm -rf /", "scp -t /tmp"):
            answer = await ssh.run(command)
            lines = str(answer.stdout).splitlines()
            assert (lines[0], lines[-1], answer.exit_status) == ("gpubot-probe 1", "end", 0), command
        with pytest.raises(asyncssh.ChannelOpenError):
            await ssh.create_process(subsystem="sftp")
        with pytest.raises(asyncssh.ChannelOpenError):
            await ssh.run(None, term_type="xterm")
        with pytest.raises(asyncssh.ChannelOpenError):
            await ssh.open_connection("127.0.0.1", port_of(machine))
        with pytest.raises(asyncssh.ChannelListenError):
            await ssh.forward_remote_port("127.0.0.1", 0, "127.0.0.1", 1)
    details = await probe.world.look(f"resources/{machine['resource_id']}?visits=4&wait=20")
    assert details["visits"] == 4


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["-tt"], "PTY allocation request failed"),
        (["-R", "0:127.0.0.1:1"], "remote port forwarding failed"),
        (["-W", "127.0.0.1:1"], "open failed: administratively prohibited"),
    ],
)
async def test_openssh_is_refused_a_terminal_and_forwarding(
    probe: Probe, tmp_path: Path, options: list[str], expected: str
) -> None:
    machine = await probe.machine()
    key_file = tmp_path / "key"
    probe.key.write_private_key(str(key_file))
    key_file.chmod(0o600)
    process = await asyncio.create_subprocess_exec(
        *(program("ssh"), "-i", str(key_file), "-F", "none", "-o", "IdentitiesOnly=yes", "-o", "BatchMode=yes"),
        *("-o", "StrictHostKeyChecking=no", "-o", f"UserKnownHostsFile={tmp_path / 'known'}"),
        *(*options, "-p", str(port_of(machine)), "root@127.0.0.1"),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    output, errors = await asyncio.wait_for(process.communicate(), PATIENCE)
    assert expected in errors.decode()
    assert output == b"" or output.startswith(b"gpubot-probe 1\n")


async def test_the_probe_works_30_seconds_after_the_machine_runs_by_default(probe: Probe) -> None:
    """A vendor that runs the startup script late makes it later."""
    world = probe.world
    await world.control("vendors/hyperstack", behaviour="late_probe", times=1)
    for seconds in (600, 30):
        procured = await world.procure(cloud_init=probe.script)
        world.clock.jump(155 + seconds - 0.001)
        [machine] = await world.resources(procured["offer_id"])
        with pytest.raises(asyncssh.PermissionDenied):
            await probe.connected(machine)
        async with await login(world, port_of(machine)) as ssh:
            assert (await ssh.run(PATH)).exit_status == 127
        world.clock.jump(0.001)
        assert (await probe.report(machine))[0] == "gpubot-probe 1"
        async with await login(world, port_of(machine)) as ssh:
            assert str((await ssh.run(PATH)).stdout).startswith("gpubot-probe 1\n")


async def test_a_machine_that_does_not_run_the_script_refuses_its_key(probe: Probe) -> None:
    await probe.world.control("vendors/hyperstack", behaviour="ignores_cloud_init")
    machine = await probe.machine()
    with pytest.raises(asyncssh.PermissionDenied):
        await probe.connected(machine)


@pytest.mark.parametrize("by_hand", [False, True])
async def test_a_person_can_install_the_probe_by_hand(probe: Probe, by_hand: bool) -> None:
    machine = await probe.world.ready_machine()
    line = probe.line.replace('"', '\\"')
    async with await login(probe.world, port_of(machine)) as ssh:
        if by_hand:
            await ssh.run(
                None, input=f"printf '%s\n' '#!/bin/sh\necho gpubot-probe 1\n' >{PATH}\necho \"{line}\"\nexit\n"
            )
        else:
            await ssh.run(f"echo 'echo gpubot-probe 1' >{PATH}; echo \"{line}\" >>.ssh/authorized_keys")
    assert (await probe.report(machine))[-1] == "end"


def test_a_startup_script_is_searched_for_probe_and_setup_but_never_run() -> None:
    key = asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode().strip()
    line = f'restrict,command="/opt/probe" {key}'
    assert probe_lines(f"#!/bin/sh\necho 'gpubot-probe 1'\necho '{line}'\n") == (line,)
    assert probe_lines(f"#!/bin/sh\necho '{line}'\n") == (), "the command is not on the machine"
    assert probe_lines(f"#!/bin/sh\necho 'gpubot-probe 1'\necho '{key}'\n") == ()
    assert has_set_up("echo running >setup.state\n")
    assert not has_set_up("cat /var/lib/gpubot/setup.state\n")


# --- reports


async def test_a_new_machine_is_idle_and_nobody_is_connected(probe: Probe) -> None:
    machine = await probe.machine()
    async with await probe.connected(machine) as ssh:
        port = ssh.get_extra_info("sockname")[1]
        lines = str((await ssh.run(None)).stdout).splitlines()
    assert lines == [
        "gpubot-probe 1",
        f"ssh 127.0.0.1 {port} 127.0.0.1 {port_of(machine)}",
        f"peer 0100007F:{port:04X}",
        "peers 1",
        *["gpu 0, 0, 0, 70.00, Disabled, 81559, NVIDIA H100 80GB HBM3"] * 5,
        "nvidia-smi 0",
        "end",
    ]


async def test_utilization_changes_over_time_and_nvidia_smi_agrees(probe: Probe) -> None:
    machine = await probe.machine(count=2)
    shown = await probe.use(machine, {"all": 98, "for": 3600}, {"gpus": [7, None], "connections": 2})
    assert shown["use"] == {"gpus": [98, 98], "connections": [], "fault": None}

    async def seen() -> tuple[set[str], list[str]]:
        async with await login(probe.world, port_of(machine)) as ssh:
            table = str((await ssh.run("nvidia-smi")).stdout)
        in_report = {",".join(line.split(",")[:2]) for line in await probe.lines(machine, "gpu")}
        return in_report, [row.split()[-3] for row in table.splitlines() if "Default" in row]

    probe.world.clock.jump(3599)
    assert await seen() == ({"0, 98", "1, 98"}, ["98%", "98%"])
    probe.world.clock.jump(3)
    assert await seen() == ({"0, 98", "1, 98", "0, 7", "1, [N/A]"}, ["7%", "N/A"]), "some readings are older"
    probe.world.clock.jump(3)
    assert await seen() == ({"0, 7", "1, [N/A]"}, ["7%", "N/A"])
    rows = await probe.lines(machine, "gpu")
    assert rows[-1] == "1, [N/A], 61169, 100.00, Enabled, 81559, NVIDIA H100 80GB HBM3"


async def test_an_open_shell_shows_the_current_utilization(probe: Probe) -> None:
    machine = await probe.machine()
    async with await login(probe.world, port_of(machine)) as ssh, ssh.create_process(None) as shell:
        for percent in (98, 7):
            await probe.use(machine, {"all": percent})
            shell.stdin.write("nvidia-smi\n")
            table = await asyncio.wait_for(shell.stdout.readuntil("Processes:"), PATIENCE)
            assert f"{percent}%" in table


async def test_phases_that_repeat_make_a_duty_cycle(probe: Probe) -> None:
    machine = await probe.machine()
    await probe.use(machine, {"all": 60, "for": 5}, {"all": 0, "for": 95}, repeat=True)
    busy = []
    for _ in range(20):
        probe.world.clock.jump(10)
        busy.append(any(line.startswith("0, 60") for line in await probe.lines(machine, "gpu")))
    assert busy == [False] * 9 + [True] + [False] * 9 + [True]


async def test_reported_connections_are_the_open_and_the_simulated_ones(probe: Probe) -> None:
    machine = await probe.machine()
    async with await login(probe.world, port_of(machine)) as ssh:
        real = f"0100007F:{ssh.get_extra_info('sockname')[1]:04X}"
        assert real in await probe.lines(machine, "peer")
        assert len(await probe.lines(machine, "peer")) == 2
        ssh.abort()
    await probe.use(machine, {"connections": ["vscode", "laptop"], "for": 60}, {"connections": ["laptop"]})
    both = (await probe.lines(machine, "peer"))[-2:]
    probe.world.clock.jump(60)
    assert (await probe.lines(machine, "peer"))[-1] == both[1]
    assert both[0] not in await probe.lines(machine, "peer")


async def test_the_setup_script_runs_for_a_minute_and_its_outcome_can_be_set(probe: Probe) -> None:
    machine = await probe.machine()
    assert await probe.lines(machine, "setup") == []
    procured = await probe.world.procure(cloud_init=f"{probe.script}echo running >setup.state\n")
    for seconds, state in ((185, "running"), (59.999, "running"), (0.001, "done")):
        probe.world.clock.jump(seconds)
        [machine] = await probe.world.resources(procured["offer_id"])
        assert await probe.lines(machine, "setup") == [state]
    for set_to, expected in (
        ({"state": "failed", "line": 12}, ["failed 1 12"]),
        ({"state": "failed"}, ["failed 1"]),
        ({"state": "running"}, ["running"]),
        (None, ["done"]),
    ):
        await probe.use(machine, setup=set_to)
        assert await probe.lines(machine, "setup") == expected


async def test_a_machine_can_have_other_gpus_than_were_sold(probe: Probe) -> None:
    machine = await probe.machine()
    await probe.use(machine, hardware=[{"name": "NVIDIA L4", "memory_mib": 23034}] * 2)
    assert (await probe.lines(machine, "gpu"))[-2:] == [
        f"{n}, 0, 0, 70.00, Disabled, 23034, NVIDIA L4" for n in (0, 1)
    ]
    async with await login(probe.world, port_of(machine)) as ssh:
        assert str((await ssh.run("nvidia-smi -L")).stdout).count("NVIDIA L4") == 2


# --- failures


async def test_the_refused_fault_affects_only_the_probe_and_can_be_ended(probe: Probe) -> None:
    machine = await probe.machine()
    await probe.use(machine, {"fault": "refused", "for": 60}, {})
    with pytest.raises(asyncssh.PermissionDenied):
        await probe.connected(machine)
    async with await login(probe.world, port_of(machine)) as ssh:
        assert (await ssh.run("uptime")).exit_status == 0
    probe.world.clock.jump(60)
    assert (await probe.report(machine))[-1] == "end"


async def test_a_silent_machine_accepts_connections_and_can_recover(probe: Probe) -> None:
    machine = await probe.machine()
    await probe.use(machine, {"fault": "silent", "for": 60}, {})
    reader, writer = await asyncio.open_connection("127.0.0.1", port_of(machine))
    waiting = asyncio.create_task(reader.read(1))
    await probe.world.resource(machine["resource_id"])
    assert not waiting.done()
    probe.world.clock.jump(60)
    assert len(await probe.lines(machine, "peer")) == 2, "the open connection is one of somebody else"
    writer.close()
    await waiting


async def test_a_hanging_probe_never_responds_and_garbage_is_not_a_report(probe: Probe) -> None:
    machine = await probe.machine()
    await probe.use(machine, {"fault": "hang"})
    async with await probe.connected(machine) as ssh:
        process = await ssh.create_process(None)
        details = await probe.world.look(f"resources/{machine['resource_id']}?visits=1&wait=20")
        assert (details["visits"], details["use"]["fault"]) == (1, "hang")
        assert process.exit_status is None
    await probe.use(machine, {"fault": "garbage"})
    async with await probe.connected(machine) as ssh:
        answer = await ssh.run(None, encoding=None)
    assert isinstance(answer.stdout, bytes)
    with pytest.raises(UnicodeDecodeError):
        answer.stdout.decode()


@pytest.mark.parametrize(("fault", "expected"), [("no_nvidia_smi", "none"), ("nvidia_smi_hangs", "137")])
async def test_without_a_working_nvidia_smi_the_report_gives_the_reason(
    probe: Probe, fault: str, expected: str
) -> None:
    machine = await probe.machine()
    await probe.use(machine, {"fault": fault, "connections": 1})
    report = await probe.report(machine)
    assert (report[-2:], len([line for line in report if line.startswith("peer ")])) == (
        [f"nvidia-smi {expected}", "end"],
        2,
    )


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({}, "give phases, setup, on_ending or hardware"),
        ({"repeat": True}, "give phases"),
        ({"phases": []}, "at least 1 item"),
        ({"phases": [{"all": 101}]}, "phases.0.all"),
        ({"phases": [{"all": 1, "gpus": [1]}]}, "give all or gpus, not both"),
        ({"phases": [{"gpus": [1, 2, 3]}]}, "the machine has 2 GPUs, and a phase 3"),
        ({"phases": [{"for": 1}]}, "the last phase lasts without end"),
        ({"phases": [{}, {}]}, "phase 1 needs `for`"),
        ({"phases": [{}], "repeat": True}, "phase 1 needs `for`"),
        ({"phases": [{"fault": "fire"}]}, "phases.0.fault"),
        ({"phases": [{"cpu": 1}]}, "phases.0.cpu"),
        ({"setup": {"state": "done", "line": 3}}, "only a setup that failed has a line"),
        ({"hardware": [{"name": "L4"}]}, "hardware.0.memory_mib"),
    ],
)
async def test_an_invalid_use_is_refused_with_a_message(probe: Probe, body: dict[str, Any], expected: str) -> None:
    machine = await probe.machine(count=2)
    path = f"/_control/resources/{machine['resource_id']}/use"
    answer = await probe.world.http.post(path, json=body)
    assert (answer.status_code, expected in answer.json()["error"]) == (422, True), answer.text
    assert (await probe.world.http.post("/_control/resources/none/use", json={"phases": [{}]})).status_code == 404
