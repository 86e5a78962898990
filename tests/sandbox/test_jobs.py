"""The jobs of a machine, and its broken GPUs, as the probe's report shows them."""

from typing import Any

import pytest

from tests.sandbox.compute_world import ComputeWorld
from tests.sandbox.test_compute_ssh import login, port_of
from tests.sandbox.test_probe import Probe

RUN = "echo 'gpubot-job 1'\necho 'gpubot-jobs 1'\n"
HEALTH = "echo 'gpubot-health 1'\n"


class Jobs(Probe):
    """A probe whose startup script also installs `gpubot-run` and the check of the GPUs."""

    async def job(self, machine: dict[str, Any], name: str = "python train.py", **fields: Any) -> dict[str, Any]:
        return await self.world.control(f"resources/{machine['resource_id']}/jobs", name=name, **fields)

    async def change(self, machine: dict[str, Any], job: dict[str, Any], **fields: Any) -> dict[str, Any]:
        return await self.world.control(f"resources/{machine['resource_id']}/jobs/{job['id']}", **fields)

    async def breaks(self, machine: dict[str, Any], gpu: int, **fields: Any) -> dict[str, Any]:
        return await self.world.control(f"resources/{machine['resource_id']}/gpus/{gpu}", **fields)

    async def section(self, machine: dict[str, Any], name: str) -> list[str]:
        """Return the lines of a section after the report, without its first and its last line."""
        after = await self.report(machine)
        after = after[after.index("end") + 1 :]
        return after[after.index(f"gpubot-{name} 1") + 1 : after.index(f"{name}-end")]

    def passes(self, seconds: float) -> None:
        self.world.clock.jump(seconds)


@pytest.fixture
def jobs(world: ComputeWorld) -> Jobs:
    jobs = Jobs(world)
    jobs.script += RUN + HEALTH
    return jobs


def key_of(job: dict[str, Any]) -> str:
    return str(job["id"]).partition(".")[2]


# --- jobs


async def test_the_report_is_followed_by_health_and_jobs_if_installed(jobs: Jobs) -> None:
    machine = await jobs.machine()
    assert (await jobs.report(machine))[-5:] == [
        "end",
        *("gpubot-health 1", "health-end"),
        *("gpubot-jobs 1", "jobs-end"),
    ]


async def test_a_machine_without_gpubot_run_prints_no_jobs_and_starts_none(world: ComputeWorld) -> None:
    probe = Jobs(world)
    machine = await probe.machine()
    assert (await probe.report(machine))[-1] == "end"
    answer = await world.http.post(f"/_control/resources/{machine['resource_id']}/jobs", json={"name": "python"})
    assert (answer.status_code, answer.json()["error"]) == (
        409,
        "gpubot-run isn't installed on this machine, or not yet",
    )
    assert (await world.look(f"resources/{machine['resource_id']}"))["jobs"] is None


async def test_a_job_keeps_the_gpus_busy_prints_progress_and_ends_by_itself(jobs: Jobs) -> None:
    machine = await jobs.machine(count=2)
    job = await jobs.job(
        machine,
        gpus=[98, 7],
        lasts=3600,
        status=137,
        progress=[{"after": 0, "text": "loading"}, {"after": 1200, "text": "step 1200 of 8000, loss 2.1"}],
    )
    key = key_of(job)
    assert await jobs.section(machine, "jobs") == [
        f"job {key} 0 running 0 - python train.py",
        "progress 0 loading",
    ]
    jobs.passes(1260)
    assert await jobs.section(machine, "jobs") == [
        f"job {key} 0 running 1260 - python train.py",
        "progress 60 step 1200 of 8000, loss 2.1",
    ]
    assert {line.split(",")[1] for line in await jobs.lines(machine, "gpu")} == {" 98", " 7"}
    jobs.passes(2340 + 12)
    assert await jobs.section(machine, "jobs") == [
        f"job {key} 0 exit-137 3612 12 python train.py",
        "progress 2412 step 1200 of 8000, loss 2.1",
    ]
    assert {line.split(",")[1] for line in await jobs.lines(machine, "gpu")} == {" 0"}
    [shown] = (await jobs.world.look(f"resources/{machine['resource_id']}"))["jobs"]
    assert (shown["runs"], shown["status"], shown["progress"]) == (False, 137, "step 1200 of 8000, loss 2.1")


async def test_a_job_can_say_a_line_and_be_ended_at_any_time(jobs: Jobs) -> None:
    machine = await jobs.machine()
    job = await jobs.job(machine, lasts=3600, progress=[{"after": 1800, "text": "halfway"}])
    jobs.passes(60)
    assert (await jobs.change(machine, job, say="a\tline \x1b[1m" + "x" * 200))["progress"] is not None
    assert (await jobs.section(machine, "jobs"))[-1] == "progress 0 " + ("a line  [1m" + "x" * 200)[:100]
    ended = await jobs.change(machine, job, status=1)
    assert (ended["runs"], ended["status"]) == (False, 1)
    jobs.passes(7200)
    lines = await jobs.section(machine, "jobs")
    assert lines[0] == f"job {key_of(job)} 0 exit-1 7260 7200 python train.py"
    assert "halfway" not in lines[1], "it would have come after the end"
    path = f"/_control/resources/{machine['resource_id']}/jobs"
    for suffix, status, error in (
        (job["id"], 409, "the job has ended"),
        ("0.none", 404, "the machine knows no such job"),
    ):
        answer = await jobs.world.http.post(f"{path}/{suffix}", json={"status": 0})
        assert (answer.status_code, answer.json()["error"]) == (status, error)


async def test_a_job_that_is_killed_with_gpubot_run_has_an_unknown_end(jobs: Jobs) -> None:
    """Its file stays as it was when gpubot-run marked it last, which it does every 30 seconds."""
    machine = await jobs.machine()
    job = await jobs.job(machine)
    jobs.passes(100)
    await jobs.change(machine, job, status=None)
    jobs.passes(7)
    assert await jobs.section(machine, "jobs") == [f"job {key_of(job)} 0 unknown 107 17 python train.py"]


async def test_after_a_reboot_there_are_no_jobs_and_nobody_is_connected(jobs: Jobs) -> None:
    machine = await jobs.machine()
    await jobs.job(machine, all=98, progress=[{"after": 0, "text": "loading"}])
    async with await login(jobs.world, port_of(machine)) as ssh:
        jobs.passes(3600)
        await jobs.world.control(f"resources/{machine['resource_id']}/reboot")
        await ssh.wait_closed()
    assert await jobs.section(machine, "jobs") == []
    assert len(await jobs.lines(machine, "peer")) == 1
    async with await login(jobs.world, port_of(machine)) as ssh:
        assert "up 0 min" in str((await ssh.run("uptime")).stdout)


async def test_of_many_jobs_the_running_ones_of_root_come_first(jobs: Jobs) -> None:
    machine = await jobs.machine()
    ended = []
    for n in range(6):
        ended.append(await jobs.job(machine, f"old-{n}", lasts=0))
        jobs.passes(60)
    other = await jobs.job(machine, "other", uid=1000)
    roots = []
    for n in range(2):
        jobs.passes(60)
        roots.append(await jobs.job(machine, f"new-{n}"))
    lines = [line.split() for line in await jobs.section(machine, "jobs")]
    expected = [*reversed(roots), other, *reversed(ended)][:8]
    assert [(line[1], line[2]) for line in lines] == [(key_of(job), str(job["uid"])) for job in expected]


async def test_the_start_of_a_job_removes_those_that_ended_a_day_ago(jobs: Jobs) -> None:
    machine = await jobs.machine()
    await jobs.job(machine, "old", lasts=0)
    long = await jobs.job(machine, "long")
    jobs.passes(86_401)
    assert len(await jobs.section(machine, "jobs")) == 2
    new = await jobs.job(machine, "new")
    assert [line.split()[1] for line in await jobs.section(machine, "jobs")] == [key_of(new), key_of(long)]


@pytest.mark.parametrize(
    ("path", "body", "expected"),
    [
        ("jobs", {}, "name"),
        ("jobs", {"name": "a", "all": 1, "gpus": [1, 1]}, "give all or gpus, not both"),
        ("jobs", {"name": "a", "gpus": [1, 2, 3]}, "the machine has 2 GPUs, and the job 3"),
        ("jobs", {"name": "a", "status": 256}, "status"),
        (
            "jobs",
            {"name": "a", "progress": [{"after": 2, "text": "b"}, {"after": 1, "text": "c"}]},
            "in the order of their times",
        ),
        ("jobs", {"name": "a", "lasts": 1, "progress": [{"after": 2, "text": "b"}]}, "after the end of the job"),
        ("jobs/0.a", {}, "give say or status"),
        ("jobs/0.a", {"say": "a", "status": 0}, "give say or status"),
        ("gpus/0", {}, "give xid, ecc, lost, hot, power or remap_failed"),
        ("gpus/0", {"xid": 0}, "xid"),
    ],
)
async def test_an_invalid_job_or_fault_of_a_gpu_is_refused_with_a_message(
    jobs: Jobs, path: str, body: dict[str, Any], expected: str
) -> None:
    machine = await jobs.machine(count=2)
    answer = await jobs.world.http.post(f"/_control/resources/{machine['resource_id']}/{path}", json=body)
    assert (answer.status_code, expected in answer.json()["error"]) == (422, True), answer.text


# --- broken GPUs


async def test_a_gpu_that_falls_off_the_bus_is_reported_and_no_longer_listed(jobs: Jobs) -> None:
    machine = await jobs.machine(count=2)
    assert await jobs.section(machine, "health") == []
    await jobs.job(machine, gpus=[98, 7])
    shown = await jobs.breaks(machine, 0, xid=79)
    assert [(gpu["gpu"], gpu["lost"], gpu["xids"]) for gpu in shown["broken_gpus"]] == [(0, True, [79])]
    jobs.passes(569)
    assert await jobs.section(machine, "health") == [], "the GPUs are checked about every 10 minutes"
    jobs.passes(1)
    assert await jobs.section(machine, "health") == ["fault 0 xid-79"]
    jobs.passes(60)
    assert await jobs.section(machine, "health") == ["fault 0 lost", "fault 0 xid-79"]
    assert {line[:5] for line in await jobs.lines(machine, "gpu")} == {"0, 7,"}, "the other one has moved up"
    async with await login(jobs.world, port_of(machine)) as ssh:
        assert str((await ssh.run("nvidia-smi")).stdout).count("00000000:02:00.0") == 1
    await jobs.world.control(f"resources/{machine['resource_id']}/reboot")
    assert await jobs.section(machine, "health") == []
    assert len({line[0] for line in await jobs.lines(machine, "gpu")}) == 2


async def test_errors_count_from_the_first_check_on(jobs: Jobs) -> None:
    machine = await jobs.machine()
    await jobs.breaks(machine, 0, xid=48, ecc=3)
    assert await jobs.section(machine, "health") == []
    for fields in ({"xid": 63}, {"xid": 63, "ecc": 5}, {"xid": 13}, {"xid": 95}, {"remap_failed": True}):
        await jobs.breaks(machine, 0, **fields)
    jobs.passes(600)
    assert await jobs.section(machine, "health") == [
        *("fault 0 xid-95", "fault 0 remap-failed"),
        *("note 0 xid-63 2", "note 0 ecc 5"),
    ]


async def test_a_slowdown_is_noted_once_the_checks_saw_it_for_10_minutes(jobs: Jobs) -> None:
    machine = await jobs.machine()
    await jobs.breaks(machine, 0, hot=True)
    for _ in range(5):
        assert await jobs.section(machine, "health") == []
        jobs.passes(120)
    assert await jobs.section(machine, "health") == ["note 0 hot 600"]
    jobs.passes(1000)
    assert await jobs.section(machine, "health") == [], "nobody looked for more than 15 minutes"
    jobs.passes(720)
    assert await jobs.section(machine, "health") == ["note 0 hot 720"]
    await jobs.breaks(machine, 0, hot=False)
    jobs.passes(60)
    assert await jobs.section(machine, "health") == []


async def test_a_machine_whose_gpus_are_all_lost_shows_none(jobs: Jobs) -> None:
    machine = await jobs.machine()
    await jobs.breaks(machine, 0, lost=True)
    report = await jobs.report(machine)
    assert report[report.index("end") - 1] == "nvidia-smi 6"
    answer = await jobs.world.http.post(f"/_control/resources/{machine['resource_id']}/gpus/1", json={"hot": True})
    assert (answer.status_code, answer.json()["error"]) == (404, "the machine has no such GPU; there are: 0 to 0")
