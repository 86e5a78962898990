"""Commands that run with gpubot-run, on a machine with a real OpenSSH server, behave as without it."""

from __future__ import annotations

import asyncio
import os
import stat
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from bot.policy.access.run_script import GPUBOT_RUN_SCRIPT, JOBS_DIRECTORY
from tests.programs import program
from tests.ssh_server import Machine, SshServer, new_key, public_line, run
from tests.startup_script.jobs import ANA, EVE, Jobs

WAITS = "read -r _ </root/go"


@pytest.fixture(params=["dash", "bash", "busybox"])
async def jobs(request: pytest.FixtureRequest, machine: Machine) -> AsyncIterator[Jobs]:
    async with machine.up():
        os.mkfifo(machine.root / "go")
        machine.root.chmod(0o755)
        jobs = Jobs(machine, request.param)
        assert await jobs.read() == []
        yield jobs


async def go(jobs: Jobs) -> None:
    """Let a command that WAITS continue."""
    await asyncio.to_thread((jobs.machine.root / "go").write_text, "\n")


# --- what is written


async def test_the_end_of_a_job_is_recorded_and_its_status_is_passed_on(jobs: Jobs) -> None:
    assert await jobs.sh("umask 077; gpubot-run sh -c 'umask; exit 3'") == (3, "0077\n")
    (job,) = await jobs.read()
    assert (job.user, job.state, job.name) == (0, "exit-3", "sh")
    _, found = await jobs.sh(f"stat -c %a {JOBS_DIRECTORY} {JOBS_DIRECTORY}/*")
    assert found == "1777\n644\n"
    status, printed = await jobs.sh("gpubot-run no-such-program")
    assert (status, "not found" in printed) == (127, True)
    assert sorted(await jobs.states()) == ["exit-127", "exit-3"]


async def test_only_the_names_of_the_program_and_its_file_are_written(jobs: Jobs) -> None:
    commands = {
        "sleep 0 /root/secret": "sleep",
        "cat '/root/train secret-plan.py' /root/secret": "cat train secret-plan.py",
        "/usr/bin/env TOKEN=secret true": "env",
        "echo -u user:secret": "echo",
        "echo '/root/näh\n.py'": "echo n??h?.py",
    }
    for name in ("secret", "train secret-plan.py", "näh\n.py"):
        (jobs.machine.root / name).touch()
    for command in commands:
        await jobs.sh(f"gpubot-run {command}")
    assert sorted(job.name for job in await jobs.read()) == sorted(commands.values())
    assert (await jobs.files()).replace("secret-plan", "").count("secret") == 0


async def test_a_word_that_is_no_program_is_not_written(jobs: Jobs) -> None:
    """It can be a whole command line in quotes, or an assignment, which is no command here."""
    (jobs.machine.root / "train.py").touch()
    for command in ("'mysql -psecret'", "WANDB_API_KEY=secret true", "TOKEN=top/secret /root/train.py"):
        assert (await jobs.sh(f"gpubot-run {command}"))[0] == 127
    assert [job.name for job in await jobs.read()] == ["(not found)"] * 3
    assert "secret" not in await jobs.files()


@pytest.mark.parametrize("missing", ["date", "sleep", "date id mktemp stat awk sleep"])
async def test_a_command_runs_without_the_programs_of_gpubot_run(jobs: Jobs, missing: str) -> None:
    """It isn't ended, and nothing waits for it in a loop without a pause."""
    (jobs.machine.root / "start").write_text(f"""
        mkdir /root/path && cd /root/path
        for name in awk cat date id mktemp mv readlink rm sleep stat touch tr
          do ln -s "$(command -v $name)" .; done
        rm {missing}
        PATH=/root/path /usr/local/bin/gpubot-run {program("sh")} -c '{WAITS}; exit 5'
        echo $? >/root/status""")
    await jobs.begin("sh /root/start")
    await asyncio.sleep(2)
    assert not (jobs.machine.root / "status").exists()
    assert await jobs.sh("pgrep -P 1 -f bin/gpubot-run") == (1, "")
    await go(jobs)
    assert await jobs.until_file("status") == "5\n"


async def test_the_command_has_the_same_environment_folder_and_children(jobs: Jobs) -> None:
    """None of its variables is one of gpubot-run's, and no process of gpubot-run is its child."""
    script = 'env | grep -v "^SHLVL\\|^_\\|^OLDPWD"; pwd; read -r one </proc/$$/task/$$/children; echo "[$one]"'
    names = (
        "names",
        "status",
        "file",
        "now",
        "id",
        "pid",
        "born",
        "stat",
        "old",
        "new",
        "told",
        "seconds",
        "text",
    )
    env = {name: f"{name} of Ana" for name in names}
    _, without = await jobs.sh(f"cd /usr; exec sh -c '{script}'", env=env)
    _, within = await jobs.sh(f"cd /usr; exec gpubot-run sh -c '{script}'", env=env)
    assert sorted(within.splitlines()) == sorted(without.splitlines())
    assert "[]" in within


async def test_files_of_jobs_that_ended_a_day_ago_are_removed_at_the_next_start(jobs: Jobs) -> None:
    names = (
        "ended.0.Old",
        "ended.0.Young",
        "running.1000.Old",
        "new.Old",
        "progress.0",
        "ended.x\n0 ended.0.Young",
    )
    for name in names:
        age = 23 if name == "ended.0.Young" else 25
        assert await jobs.sh(f"cd {JOBS_DIRECTORY} && /usr/bin/touch -d '{age} hours ago' '{name}'") == (0, "")
    await jobs.sh("gpubot-run true; gpubot-run true")
    _, found = await jobs.sh(f"cd {JOBS_DIRECTORY} && echo *")
    assert "Old" not in found
    assert "ended.0.Young progress.0" in found


async def test_a_command_runs_without_the_folder_and_with_a_full_run(jobs: Jobs) -> None:
    """The next call of the reader makes the folder again."""
    told = "gpubot-run: can't write to /run/gpubot/jobs, so this isn't shown\n"
    for breaks in ("rm -r /run/gpubot", "mount -o remount,size=64k /run && ! cat /dev/zero >/run/full"):
        await jobs.sh(breaks)
        assert await jobs.sh("gpubot-run sh -c 'echo works; exit 6'") == (6, "works\n")
        assert await jobs.sh("gpubot-run say hello") == (0, told)
        assert await jobs.read() == []
        _, found = await jobs.sh(f"stat -c '%a %u' {JOBS_DIRECTORY}; ls {JOBS_DIRECTORY}")
        assert found == "1777 0\n"


async def test_progress_is_a_line_of_the_user_and_the_newest_is_shown(jobs: Jobs) -> None:
    assert await jobs.sh("gpubot-run say 'step 1 of 8'", ANA) == (0, "")
    assert await jobs.sh(f"/usr/bin/touch -d '1 minute ago' {JOBS_DIRECTORY}/*") == (0, "")
    assert await jobs.sh("umask 077; gpubot-run say step 2 'of 8,\n\tloss \033[1m2.1, näh'") == (0, "")
    _, _, text = (await jobs.printed())[1].split(" ", 2)
    assert text == "step 2 of 8,  loss  [1m2.1, näh"
    await jobs.sh(f"rm {JOBS_DIRECTORY}/progress.0")
    _, age, text = (await jobs.printed())[1].split(" ", 2)
    assert (int(age) >= 60, text) == (True, "step 1 of 8")
    assert (await jobs.sh("gpubot-run"))[0] == (await jobs.sh("gpubot-run --help"))[0] == 2


async def test_links_and_folders_in_the_place_of_its_files_are_not_followed(jobs: Jobs) -> None:
    (jobs.machine.root / "folder").mkdir(mode=0o777)
    await jobs.sh(f"ln -s /root/folder {JOBS_DIRECTORY}/progress.0", EVE)
    await jobs.sh("gpubot-run say hello")
    assert list((jobs.machine.root / "folder").iterdir()) == []
    assert (await jobs.printed())[1].endswith(" hello")
    await jobs.sh(f"rm {JOBS_DIRECTORY}/progress.0")
    await jobs.sh(f"mkdir {JOBS_DIRECTORY}/progress.0", EVE)
    status, _ = await jobs.sh("gpubot-run say hello")
    assert (status, await jobs.sh(f"ls {JOBS_DIRECTORY}/progress.0")) == (0, (0, ""))


# --- terminals and signals


@asynccontextmanager
async def logged_in(jobs: Jobs, server: SshServer, tmp_path: Path, command: str) -> AsyncIterator[Process]:
    """Log in with a terminal, as people do, and run a command."""
    key = new_key(tmp_path / "ana")
    jobs.machine.authorized_keys.parent.mkdir(mode=0o700)
    jobs.machine.authorized_keys.write_text(f"{public_line(key)}\n")
    client = server.client("ssh", key, "-tt")
    ssh = await asyncio.create_subprocess_exec(
        *client, "root@127.0.0.1", command, stdin=PIPE, stdout=PIPE, stderr=DEVNULL
    )
    try:
        yield ssh
    finally:
        if ssh.returncode is None:
            ssh.kill()
        await ssh.wait()


async def shown(ssh: Process, text: str) -> None:
    """Read the terminal's output until it contains a text."""
    assert ssh.stdout is not None
    await ssh.stdout.readuntil(text.encode())


def typed(ssh: Process, keys: str) -> None:
    assert ssh.stdin is not None
    ssh.stdin.write(keys.encode())


async def test_a_command_uses_the_terminal(jobs: Jobs, server: SshServer, tmp_path: Path) -> None:
    script = 'test -t 0 && test -t 2 && echo "a terminal" && read -r line && echo "got $line"; exit 9'
    async with logged_in(jobs, server, tmp_path, f"gpubot-run sh -c '{script}'") as ssh:
        await shown(ssh, "a terminal")
        typed(ssh, "hello\n")
        await shown(ssh, "got hello")
        assert await ssh.wait() == 9
    assert await jobs.states() == ["exit-9"]


async def test_ctrl_c_reaches_the_command_which_may_take_its_time(
    jobs: Jobs, server: SshServer, tmp_path: Path
) -> None:
    script = f'trap "echo saving; {WAITS}; exit 7" INT; echo started; while :; do sleep 0.1; done'
    async with logged_in(jobs, server, tmp_path, f"gpubot-run sh -c '{script}'") as ssh:
        await shown(ssh, "started")
        typed(ssh, "\3")
        await shown(ssh, "saving")
        assert await jobs.states() == ["running"]
        await go(jobs)
        assert await ssh.wait() == 7
    assert await jobs.states() == ["exit-7"]


async def test_ctrl_c_ends_the_loop_in_which_a_command_runs(jobs: Jobs, server: SshServer, tmp_path: Path) -> None:
    loop = "bash -c 'while :; do gpubot-run sleep 1000; done'"
    async with logged_in(jobs, server, tmp_path, loop) as ssh:
        await jobs.until("running")
        typed(ssh, "\3")
        assert await ssh.wait() == 255, "ssh says so if a signal ended the shell"
    assert await jobs.states() == ["exit-130"]


async def test_ctrl_z_stops_the_command_until_it_is_continued(
    jobs: Jobs, server: SshServer, tmp_path: Path
) -> None:
    async with logged_in(jobs, server, tmp_path, "bash --norc -i") as ssh:
        typed(ssh, "gpubot-run sh -c 'echo star''ted; read -r line; echo \"got $line\"; exit 5'\n")
        await shown(ssh, "started")
        typed(ssh, "\x1a")
        await shown(ssh, "Stopped")
        assert await jobs.states() == ["running"]
        typed(ssh, "fg\n")
        await shown(ssh, "gpubot-run")
        typed(ssh, "hello\n")
        await shown(ssh, "got hello")
        typed(ssh, "exit $?\n")
        assert await ssh.wait() == 5
    assert await jobs.states() == ["exit-5"]


async def test_pipes_are_the_commands_alone(jobs: Jobs) -> None:
    """The process that watches a job holds no file of its command open."""
    assert await jobs.sh("echo one | gpubot-run cat | tr a-z A-Z") == (0, "ONE\n")
    await jobs.begin(f"sh -c 'echo | (gpubot-run sh -c \"{WAITS}\" 3>/root/lock | cat) 4>/root/lock'")
    await jobs.until("running", "exit-0")
    _, watcher = await jobs.sh("pgrep -P 1 -f 'bin/gpubot-run sh'")
    _, held = await jobs.sh(f"ls -l /proc/{watcher.strip()}/fd")
    assert "/dev/null" in held
    assert "pipe:" not in held
    assert "lock" not in held
    await go(jobs)
    await jobs.until("exit-0", "exit-0")


CATCHES = 'trap "echo term >>/root/told; exit 0" TERM; trap "" HUP; echo >/root/ready; while :; do sleep 0.1; done'


@pytest.mark.parametrize("signal", ["TERM", "KILL", "HUP"])
async def test_what_ends_gpubot_run_alone_reaches_the_command_as_term(jobs: Jobs, signal: str) -> None:
    process = await jobs.begin(f"gpubot-run sh -c '{CATCHES}'")
    await jobs.until_file("ready")
    assert await jobs.sh(f"kill -{signal} {process}") == (0, "")
    assert await jobs.until_file("told") == "term\n"
    await jobs.until("unknown")


async def test_a_hang_up_of_the_terminal_ends_the_command(jobs: Jobs, server: SshServer, tmp_path: Path) -> None:
    async with logged_in(jobs, server, tmp_path, f"gpubot-run sh -c '{CATCHES}'"):
        await jobs.until_file("ready")
    assert await jobs.until_file("told") == "term\n"


@pytest.mark.parametrize("start", ["nohup gpubot-run", "gpubot-run nohup"])
async def test_nohup_protects_a_command_from_a_hang_up(jobs: Jobs, start: str) -> None:
    process = await jobs.begin(f"{start} sh -c 'echo >/root/ready; {WAITS}; exit 4'")
    await jobs.until_file("ready")
    assert await jobs.sh(f"kill -HUP -{process}") == (0, "")
    await go(jobs)
    await jobs.until("exit-4")


async def test_a_signal_that_the_command_handles_does_not_end_gpubot_run(jobs: Jobs) -> None:
    """Slurm, for example, sends SIGUSR1 to the whole process group before it ends a job."""
    script = 'trap "exit 8" USR1; echo >/root/ready; while :; do sleep 0.1; done'
    process = await jobs.begin(f"gpubot-run sh -c '{script}'")
    await jobs.until_file("ready")
    assert await jobs.sh(f"kill -USR1 -{process}") == (0, "")
    await jobs.until("exit-8")


async def test_a_killed_command_has_the_status_of_its_signal(jobs: Jobs) -> None:
    assert (await jobs.sh("gpubot-run sh -c 'kill -KILL $$'"))[0] == 137
    assert await jobs.states() == ["exit-137"]


async def test_nobody_knows_how_a_job_ended_whose_group_was_killed(jobs: Jobs) -> None:
    process = await jobs.begin("gpubot-run sleep 1000")
    await jobs.until("running")
    assert await jobs.sh(f"kill -KILL -{process}") == (0, "")
    await jobs.until("unknown")


async def test_a_daemon_outlives_the_job_that_started_it(jobs: Jobs) -> None:
    status, printed = await jobs.sh("gpubot-run sh -c '(setsid sleep 1000 >/dev/null 2>&1 &); exit 4'")
    assert (status, printed) == (4, "")
    assert await jobs.states() == ["exit-4"]
    assert (await jobs.sh("pgrep -f 'sleep 1000'"))[0] == 0


# --- users and containers


async def test_jobs_of_several_users_run_at_the_same_time(jobs: Jobs) -> None:
    await jobs.begin(f"gpubot-run sh -c '{WAITS}'")
    await jobs.begin("gpubot-run sleep 1000", user=ANA)
    await jobs.begin("gpubot-run sleep 1000", user=ANA)
    await jobs.until("running", "running", "running")
    assert [job.user for job in await jobs.read()] == [0, ANA, ANA]
    await go(jobs)
    await jobs.until("running", "running", "exit-0")
    assert [job.user for job in await jobs.read()] == [ANA, ANA, 0]


CONTAINER = """
mount -t tmpfs none /mnt && cd /mnt || exit
mkdir -p proc dev root usr/bin usr/sbin usr/local/bin run/gpubot/jobs || exit
for folder in /usr/lib /usr/lib64 /usr/bin /usr/local/sbin; do
  [ ! -d $folder ] || { mkdir -p .$folder && mount --bind -o ro $folder .$folder; } || exit
done
ln -s usr/bin usr/sbin usr/lib usr/lib64 . && touch dev/null usr/local/bin/gpubot-run root/go || exit
mount --bind /dev/null dev/null && mount -t proc proc proc && mount --bind /root/go root/go || exit
mount --bind -o ro /usr/local/bin/gpubot-run usr/local/bin/gpubot-run || exit
mount --bind /run/gpubot/jobs run/gpubot/jobs && exec chroot . "$@"
"""


async def test_a_job_in_a_container_runs_while_its_file_is_touched(jobs: Jobs) -> None:
    """The container has its own files and process IDs. Only the folder and gpubot-run are mounted into it."""
    (jobs.machine.root / "container").write_text(CONTAINER)
    await jobs.begin(f"unshare --mount --pid --fork sh /root/container gpubot-run sh -c '{WAITS}; exit 2'")
    await jobs.until("running")
    assert await jobs.sh(f"/usr/bin/touch -d '4 minutes ago' {JOBS_DIRECTORY}/running.*") == (0, "")
    (job,) = await jobs.read()
    assert (job.state, job.ended is not None and job.ended >= 240) == ("unknown", True)
    await go(jobs)
    await jobs.until("exit-2")


# --- the page

PAGE = Path(__file__).parents[2] / "docs/jobs.md"


def block(name: str) -> str:
    """Return the lines to copy that follow a bold name on the page about jobs."""
    return PAGE.read_text().partition(f"**{name}**\n\n```")[2].partition("\n")[2].partition("```")[0]


STUBS = """
import sys, types
for name in ("lightning", "lightning.pytorch", "lightning.pytorch.callbacks", "transformers"):
    sys.modules[name] = types.ModuleType(name)
sys.modules["lightning.pytorch.callbacks"].Callback = object
sys.modules["transformers"].TrainerCallback = object
trainer = types.SimpleNamespace(is_global_zero=True, global_step=200, max_steps=8000)
state = types.SimpleNamespace(is_world_process_zero=True, global_step=200, max_steps=8000)
"""


@pytest.mark.parametrize(
    ("name", "call", "text"),
    [
        ("Python", "say('step 1 of 8')", "step 1 of 8"),
        ("Lightning", "Progress().on_train_batch_end(trainer, None, None, None, 199)", "step 200 of 8000"),
        ("Hugging Face", "Progress().on_log(None, state, None, {'loss': 2.1})", "step 200 of 8000, loss 2.1"),
        ("Hugging Face", "Progress().on_log(None, state, None)", "step 200 of 8000, loss -"),
    ],
)
async def test_the_lines_to_copy_in_python_show_progress(
    machine: Machine, name: str, call: str, text: str
) -> None:
    """The frameworks are replaced by objects with the same names."""
    async with machine.up():
        jobs = Jobs(machine)
        await jobs.printed()
        (machine.root / "train.py").write_text(f"{STUBS}\n{block(name)}\n{call}\n")
        assert await machine.run("/usr/bin/python3", "/root/train.py") == (0, "")
        assert (await jobs.printed())[1].split(" ", 2)[2] == text


async def test_the_lines_to_copy_in_bash_show_progress(machine: Machine) -> None:
    async with machine.up():
        jobs = Jobs(machine)
        await jobs.printed()
        (machine.root / "train").write_text("#!/bin/sh\n")
        (machine.root / "train").chmod(0o755)
        status, printed = await machine.run("bash", "-c", f"cd /root\n{block('bash').replace('100', '3')}")
        assert (status, printed) == (0, "")
        assert (await jobs.printed())[1].endswith(" step 3 of 3")


# --- the script itself


async def test_the_script_is_clean(tmp_path: Path) -> None:
    assert max(len(line) for line in GPUBOT_RUN_SCRIPT.splitlines()) <= 115
    file = tmp_path / "run.sh"
    file.write_text(GPUBOT_RUN_SCRIPT)
    assert stat.S_ISREG(file.stat().st_mode)
    for shell in ("sh", "dash", "busybox"):
        assert await run(program("shellcheck"), f"--shell={shell}", str(file)) == (0, "")
