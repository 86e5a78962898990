"""The probe reads the files of jobs on a machine on which everyone can put anything into their folder."""

from __future__ import annotations

import asyncio
import os
import shlex
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.policy.access.health_script import HEALTH_PATH
from bot.policy.access.jobs_script import GPUBOT_JOBS_SCRIPT, JOBS_PATH
from bot.policy.access.probe_script import INSTALLED_PROBE_SCRIPT, PROBE_SCRIPT, probe_line
from bot.policy.access.run_script import JOBS_DIRECTORY
from bot.policy.access.startup_script import compacted, script_text
from bot.probe.jobs import read_jobs
from bot.probe.key import new_probe_key
from bot.probe.prober import SshProber
from tests.programs import program
from tests.ssh_server import Machine, SshServer, new_key, public_line, run
from tests.startup_script.jobs import ANA, EVE, NOBODY, Job, Jobs

SHADOW = "a line that only root can read"
NOW = "$(date +%s)"


@pytest.fixture(params=["dash", "bash", "busybox"])
async def jobs(request: pytest.FixtureRequest, machine: Machine) -> AsyncIterator[Jobs]:
    async with machine.up():
        machine.root.chmod(0o755)
        (machine.root / "secret").write_text(f"{SHADOW}\n")
        (machine.root / "secret").chmod(0o600)
        jobs = Jobs(machine, request.param)
        assert await jobs.read() == []
        yield jobs


async def put(jobs: Jobs, name: str, text: str, *, user: int = 0, after: str = "true") -> None:
    """Write a file into the folder of the jobs as a user, then run a command there. The shell expands the text."""
    script = f'umask 022; cd {JOBS_DIRECTORY} && echo "{text}" >{shlex.quote(name)} && {after}'
    assert await jobs.sh(script, user) == (0, "")


def ended(seconds: int, status: str = "0", name: str = "true") -> str:
    """Return the text of a file of a job that started an hour ago and ended some seconds ago."""
    return f"gpubot-job 1 - - - $(($(date +%s) - 3600)) {status} $(($(date +%s) - {seconds})) {name}"


def running(
    start: str = NOW, process: str = "$(cut -d' ' -f1,22 /proc/1/stat)", name: str = "python train.py"
) -> str:
    """Return the text of a file of a running job."""
    return f"gpubot-job 1 {process} $(readlink /proc/self/ns/pid) {start} - - {name}"


# --- which jobs are printed


async def test_running_jobs_come_first_and_then_those_that_ended_last(jobs: Jobs) -> None:
    for n in range(1, 8):
        await put(
            jobs, f"ended.0.E{n}", ended(n * 100), after=f"/usr/bin/touch -d '{n * 100} seconds ago' ended.0.E{n}"
        )
    await put(jobs, "running.1000.Ana", running(), user=ANA)
    await put(jobs, "running.0.Root", running(f"$(({NOW} - 500))"))
    found = await jobs.read()
    assert [job.id for job in found] == ["Root", "Ana", "E1", "E2", "E3", "E4", "E5", "E6"]
    assert found[0] == Job("Root", 0, "running", found[0].age, None, "python train.py")
    assert found[0].age >= 500
    assert found[2].age >= 3600
    assert (found[2].ended or 0) >= 100


async def test_nobody_can_crowd_out_the_running_jobs_of_root(jobs: Jobs) -> None:
    for n in range(20):
        await put(jobs, f"running.0.Eve{n}", running(), user=EVE)
        await put(jobs, f"ended.0.Ended{n}", ended(0), user=EVE)
    await put(jobs, "running.0.Root", running(), after="/usr/bin/touch -d '1 minute ago' running.0.Root")
    found = await jobs.read()
    assert [job.user for job in found] == [0, *[EVE] * 7]
    assert {job.state for job in found} == {"running"}


async def test_a_job_whose_process_is_gone_or_whose_file_is_old_has_an_unknown_end(jobs: Jobs) -> None:
    await put(jobs, "running.0.Gone", running(process="4194303 5"))
    await put(jobs, "running.0.Reused", running(process="1 5"))
    await put(jobs, "running.0.Old", running(), after="/usr/bin/touch -d '4 minutes ago' running.0.Old")
    await put(jobs, "running.0.Elsewhere", running().replace("$(readlink /proc/self/ns/pid)", "pid:[1]"))
    found = {job.id: job for job in await jobs.read()}
    assert {job_id: job.state for job_id, job in found.items()} == {
        "Elsewhere": "running",
        "Gone": "unknown",
        "Reused": "unknown",
        "Old": "unknown",
    }
    assert (found["Old"].ended or 0) >= 240


async def test_a_job_that_is_seen_twice_has_ended(jobs: Jobs) -> None:
    """It ends while the reader lists the files. Another user's file with the same ID is another job."""
    await put(jobs, "running.0.Twice", running())
    await put(jobs, "ended.0.Twice", ended(0, "3"))
    await put(jobs, "running.0.Other", running())
    await put(jobs, "ended.0.Other", ended(0, "0"), user=EVE)
    assert sorted((job.id, job.user, job.state) for job in await jobs.read()) == [
        ("Other", 0, "running"),
        ("Other", EVE, "exit-0"),
        ("Twice", 0, "exit-3"),
    ]


@pytest.mark.parametrize("order", ["end; see", "see; end"])
async def test_a_job_that_ends_while_the_files_are_looked_at_is_seen(jobs: Jobs, order: str) -> None:
    await put(jobs, "running.0.Ends", running(), user=jobs.reader)
    await put(jobs, "new.Ends", ended(0, "3"), user=jobs.reader)
    _replace_stat(
        jobs,
        f"""
        end() {{ [ ! -e new.Ends ] || {{ mv new.Ends ended.0.Ends && rm running.0.Ends; }}; }}
        see() {{ stat "$@"; }}
        {order.replace("see", 'see "$@"')}""",
    )
    assert [(job.id, job.state) for job in await jobs.read()] == [("Ends", "exit-3")]


async def test_a_clock_in_the_future_gives_ages_of_zero(jobs: Jobs) -> None:
    later = "/usr/bin/touch -d 'next year'"
    await put(jobs, "running.0.A", running("9999999999"), after=f"{later} running.0.A")
    await put(jobs, "ended.0.B", "gpubot-job 1 - - - 9999999999 1 9999999999 B", after=f"{later} ended.0.B")
    await put(jobs, "progress.0", "soon", after=f"{later} progress.0")
    assert await jobs.printed() == [
        "gpubot-jobs 1",
        "job A 0 running 0 - python train.py",
        "job B 0 exit-1 0 0 B",
        "progress 0 soon",
        "jobs-end",
    ]


# --- hostile files


@pytest.mark.parametrize(
    "text",
    [
        "",
        "gpubot-job 2 - - - 5 0 6 name",
        "gpubot-job 1 - - - x 0 6 name",
        "gpubot-job 1 - - - 5 256 6 name",
        "gpubot-job 1 - - - 5 -1 6 name",
        "gpubot-job 1 - - - 5 - - name",
        "gpubot-job 1 - - - 5 0 99999999999 name",
        "gpubot-job 1 - - - 5 0 6e5 name",
    ],
)
async def test_a_file_that_gpubot_run_would_not_write_is_ignored(machine: Machine, text: str) -> None:
    async with machine.up():
        jobs = Jobs(machine)
        assert await jobs.read() == []
        await put(jobs, "ended.0.A", text)
        await put(jobs, "ended.0.B", ended(0))
        assert [job.id for job in await jobs.read()] == ["B"]


async def test_neither_links_nor_other_kinds_of_files_are_read(jobs: Jobs) -> None:
    await put(jobs, "ended.0.Good", ended(0))
    for kind in ("running", "ended", "progress"):
        end = ".0.{}" if kind != "progress" else ".{}"
        for n, make in enumerate(
            (
                "mkfifo {}",
                "mkdir {}",
                "ln -s /root/secret {}",
                "ln -s /dev/zero {}",
                "ln -s ended.0.Good {}",
                "ln -s nowhere {}",
                "python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind(\"{}\")' || mkfifo {}",
            )
        ):
            file = kind + end.format(1000 + n)
            assert (await jobs.sh(f"cd {JOBS_DIRECTORY} && {make.replace('{}', file)}", EVE))[0] == 0
    assert (await jobs.sh(f"cd {JOBS_DIRECTORY} && ln ended.0.Good ended.0.Copy"))[0] == 0
    assert await jobs.read() == []
    assert (await jobs.sh(f"cd {JOBS_DIRECTORY} && rm ended.0.Copy"))[0] == 0
    assert [job.id for job in await jobs.read()] == ["Good"]


async def test_large_and_binary_files_are_read_up_to_a_limit(jobs: Jobs) -> None:
    """A file may be larger than the machine's memory, and may have no line break."""
    for name in ("ended.0.Large", "running.0.Large", "progress.0"):
        assert await jobs.sh(f"cd {JOBS_DIRECTORY} && truncate -s 1G {name}") == (0, "")
    assert await jobs.read() == []
    for name in ("ended.0.Noise", "running.0.Noise", "progress.2000"):
        assert await jobs.sh(f"cd {JOBS_DIRECTORY} && head -c 100000 /dev/urandom >{name}", EVE) == (0, "")
    assert await jobs.read() == []
    assert await jobs.sh(f"rm {JOBS_DIRECTORY}/*") == (0, "")
    ascii_text, letters = "a bc" * 100, "näh" * 100
    await put(jobs, "ended.0.Long", ended(0, name=f"\x1b[1mnäh{ascii_text}"))
    await put(jobs, "progress.1000", f"\x1b[1m{letters}", user=ANA)
    (job,) = await jobs.read()
    assert job.name == f" [1mn??h{ascii_text}"[:100]
    (line,) = [line for line in await jobs.printed() if line.startswith("progress")]
    assert line.split(" ", 2)[2] == f" [1m{letters}"[:100]


async def test_a_file_counts_for_its_owner_whatever_its_name_is(jobs: Jobs) -> None:
    """A name with a line break could otherwise add a file of root's."""
    await put(jobs, "ended.0.Forged", ended(0), user=EVE)
    await put(jobs, f"ended.0.x\n-rw-r--r-- 1 0 {2**31} ended.0.Forged", ended(0), user=EVE)
    await put(jobs, "ended.0.a b", ended(0), user=EVE)
    await put(jobs, "ended.0.$(id)", ended(0), user=EVE)
    await put(jobs, f"ended.0.{'a' * 33}", ended(0))
    await put(jobs, "ended.0.Writable", ended(0), after="chmod o+w ended.0.Writable")
    await put(jobs, "ended.0.Group", ended(0), after="chmod g+w ended.0.Group")
    assert [(job.id, job.user) for job in await jobs.read()] == [("Forged", EVE)]


async def test_a_link_that_replaces_a_file_after_the_check_shows_nothing(jobs: Jobs) -> None:
    """The reader isn't root, so it can't read what the link points to."""
    _swap(jobs, "ln -s /root/secret {}")
    for name in ("ended.0.A", "running.0.A", "progress.0"):
        await put(jobs, name, SHADOW, user=jobs.reader)
    assert await jobs.printed() == ["gpubot-jobs 1", "jobs-end"]


@pytest.mark.parametrize("jobs", ["dash"], indirect=True)
async def test_a_pipe_that_replaces_a_file_after_the_check_ends_the_reading(jobs: Jobs) -> None:
    """The missing last line shows that something is missing."""
    _swap(jobs, "mkfifo {}")
    await put(jobs, "ended.0.A", ended(0), user=jobs.reader)
    status, printed = await jobs.machine.run(JOBS_PATH)
    assert (status != 0, printed) == (True, "gpubot-jobs 1\n")
    assert await jobs.sh("ps ax -o stat,args | grep '^[^Z].*\\([g]pubot-jobs\\|[h]ead -c\\)'") == (1, "")


FORGES = r"""
import os

while True:
    for process in filter(str.isdigit, os.listdir("/proc")):
        try:
            if b"gpubot-jobs" in open(f"/proc/{process}/cmdline", "rb").read():
                pipe = os.open(f"/proc/{process}/fd/1", os.O_WRONLY | os.O_NONBLOCK)
                os.write(pipe, b"job forged 0 exit-0 60 0 python\n")
                os.close(pipe)
        except OSError:
            pass
"""


@pytest.mark.parametrize("jobs", ["dash"], indirect=True)
async def test_a_program_of_nobody_cannot_write_into_the_pipes_of_the_reader(jobs: Jobs) -> None:
    """A process can open the files of every other process of its user."""
    (jobs.machine.root / "forges.py").write_text(FORGES)
    process = await jobs.begin("/usr/bin/python3 /root/forges.py", user=NOBODY)
    await asyncio.sleep(0.5)
    assert [await jobs.printed() for _ in range(10)] == [["gpubot-jobs 1", "jobs-end"]] * 10
    assert await jobs.sh(f"kill {process}") == (0, "")


def _swap(jobs: Jobs, make: str) -> None:
    """Replace each file of the reader's user as soon as the reader has looked at the files."""
    make = make.replace("{}", '"$file"')
    _replace_stat(jobs, f'stat "$@"\nfor file in *.*; do rm -f "$file" && {make}; done\n')


def _replace_stat(jobs: Jobs, script: str) -> None:
    """Replace the command `stat` by a script, which can still call it."""
    busybox = shlex.quote(os.path.realpath(program("busybox")))
    (jobs.machine.sbin / "stat").unlink(missing_ok=True)
    jobs.machine.install("stat", f'#!/bin/sh\nstat() {{ {busybox} stat "$@"; }}\n{script}')


async def test_everyone_can_write_to_the_folder_whoever_made_it(jobs: Jobs) -> None:
    """After a restart, Docker makes a folder that a container mounts, and only root can write to it."""
    assert await jobs.sh(f"rm -r {JOBS_DIRECTORY} && umask 022 && mkdir {JOBS_DIRECTORY}") == (0, "")
    assert await jobs.read() == []
    assert await jobs.sh(f"gpubot-run true && stat -c '%a %u' {JOBS_DIRECTORY}", ANA) == (0, "1777 0\n")
    assert [job.user for job in await jobs.read()] == [ANA]


async def test_more_files_than_fit_into_a_command_are_not_taken_for_no_jobs(jobs: Jobs) -> None:
    names = f"cd {JOBS_DIRECTORY} && seq -f ended.0.%048.0f 20000 | xargs touch"
    assert await jobs.sh(names, EVE) == (0, "")
    assert await jobs.machine.run(JOBS_PATH) == (1, "")


# --- the probe


async def test_the_bot_reads_the_jobs_with_the_probe(machine: Machine, server: SshServer) -> None:
    """The startup script makes their folder, so that a job that starts before the first probe run is seen."""
    key = new_probe_key()
    async with machine.up():
        (machine.var_lib / "user-data").write_text(script_text([], None, probe_line(key.public_line)))
        assert await machine.run("sh", "/var/lib/user-data") == (0, "")
        assert await machine.run("gpubot-run", "sh", "-c", "gpubot-run say 'step 3'; exit 3") == (3, "")
        result = await SshProber(key).run_probe("127.0.0.1", server.port, None)
    assert result.report is not None
    found = result.report.jobs
    assert found is not None
    assert found.progress is not None
    assert found.progress.text == "step 3"
    assert [(job.uid, job.name, job.exit_status) for job in found.jobs] == [(0, "sh", 3)]


async def test_a_probe_run_over_ssh_stays_small_next_to_hostile_files(
    machine: Machine, server: SshServer, tmp_path: Path
) -> None:
    """Over SSH, a process that hangs would keep the connection open."""
    bot = new_key(tmp_path / "bot")
    async with machine.up():
        (machine.var_lib / "user-data").write_text(script_text([], None, probe_line(public_line(bot))))
        assert await machine.run("sh", "/var/lib/user-data") == (0, "")
        assert await machine.run("gpubot-run", "sh", "-c", "exit 3") == (3, "")
        jobs = Jobs(machine)
        for n in range(100):
            await put(jobs, f"running.2000.R{n}", running(name="x" * 500), user=EVE)
            await put(jobs, f"progress.{n}", "x" * 5_000, user=EVE)
        for n, make in enumerate(("mkfifo", "mkdir", "ln -s /dev/zero", "truncate -s 1G")):
            for name in ("running.0.H", "ended.0.H", "progress.200"):
                assert await jobs.sh(f"cd {JOBS_DIRECTORY} && {make} {name}{n}", EVE) == (0, "")
        status, printed = await server.login(bot, "another command")
    _, _, after = printed.partition("\nend\n")
    found = read_jobs(after.encode())
    assert status == 0
    assert len(printed) <= 3_000
    assert found is not None
    assert len(found.jobs) == 8
    assert {job.uid for job in found.jobs} == {EVE}


async def test_the_scripts_are_clean_and_know_each_other(tmp_path: Path) -> None:
    assert INSTALLED_PROBE_SCRIPT.startswith(PROBE_SCRIPT)
    (line,) = INSTALLED_PROBE_SCRIPT.removeprefix(PROBE_SCRIPT).splitlines()
    assert line.startswith("for more in jobs health; do more=/usr/local/sbin/gpubot-$more;")
    assert (HEALTH_PATH, JOBS_PATH) == ("/usr/local/sbin/gpubot-health", "/usr/local/sbin/gpubot-jobs")
    assert max(len(line) for line in GPUBOT_JOBS_SCRIPT.splitlines()) <= 115
    for name, script in {"jobs": GPUBOT_JOBS_SCRIPT, "probe": INSTALLED_PROBE_SCRIPT}.items():
        for text in (script, compacted(script)):
            file = tmp_path / f"{name}.sh"
            file.write_text(text)
            options = () if text is script else ("--exclude=SC2016,SC2046,SC2086",)
            for shell in ("dash", "busybox"):
                assert await run(program("shellcheck"), f"--shell={shell}", *options, str(file)) == (0, "")
