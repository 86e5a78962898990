"""Only what the job script can print is accepted. docs/probe.md describes the format."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.model.job import MOST_REPORTED, JobReport, JobState, ReportedJob, ReportedProgress
from bot.probe.jobs import LONGEST_TEXT, read_jobs
from bot.probe.report import read_report, text_after_report

REPORT = "gpubot-probe 1\npeers 0\ngpu 0, 98\nnvidia-smi 0\nend\n"


def answer(*lines: str) -> bytes:
    """Return a report, followed by a section with these lines about jobs."""
    return (REPORT + "\n".join(["gpubot-jobs 1", *lines, "jobs-end", ""])).encode()


def read(text: bytes) -> JobReport | None:
    """Parse the jobs in a machine's whole answer."""
    return read_jobs(text_after_report(text))


def seconds(count: int) -> timedelta:
    return timedelta(seconds=count)


def test_running_ended_and_vanished_jobs_are_read_with_the_newest_progress() -> None:
    assert read(
        answer(
            "job q7Xk2 0 running 2520 - python train.py",
            "job b 1000 exit-0 600 12 torchrun",
            "job c 0 exit-137 600 0 bash run.sh",
            "job d 0 unknown 600 30 curl",
            "progress 60 step 1200 of 8000, loss 2.1",
        )
    ) == JobReport(
        jobs=(
            ReportedJob(id="0.q7Xk2", uid=0, name="python train.py", state=JobState.RUNNING, age=seconds(2520)),
            ReportedJob(
                id="1000.b",
                uid=1000,
                name="torchrun",
                state=JobState.DONE,
                exit_status=0,
                age=seconds(600),
                ended_ago=seconds(12),
            ),
            ReportedJob(
                id="0.c",
                uid=0,
                name="bash run.sh",
                state=JobState.FAILED,
                exit_status=137,
                age=seconds(600),
                ended_ago=seconds(0),
            ),
            ReportedJob(
                id="0.d", uid=0, name="curl", state=JobState.UNKNOWN, age=seconds(600), ended_ago=seconds(30)
            ),
        ),
        progress=ReportedProgress(text="step 1200 of 8000, loss 2.1", age=seconds(60)),
    )


@pytest.mark.parametrize(
    "line",
    [
        "job a 0 running 10 5 python",
        "job a 0 exit-0 10 - python",
        "job a 0 exit-256 10 5 python",
        "job a -1 running 10 - python",
        "job a 0 running -10 - python",
        "job a 0 running 99999999999 - python",
        "job a/b 0 running 10 - python",
        "job a 0 stopped 10 - python",
        "job a 0 running 10 - \x1b\x07",
        "job a 0 running 10 -",
        "progress - hello",
        "progress 10 \x00",
    ],
)
def test_an_invalid_line_is_skipped(line: str) -> None:
    """The lines after it still count."""
    assert read(answer(line)) == JobReport()
    found = read(answer(line, "job a 0 running 20 - bash"))
    assert found is not None
    assert [job.age for job in found.jobs] == [seconds(20)]


def test_at_most_eight_jobs_are_read_and_each_only_once() -> None:
    twice = answer("job a 0 running 10 - one", "job a 0 exit-0 10 5 two", "job a 1 running 10 - three")
    found = read(twice)
    assert found is not None
    assert [job.name for job in found.jobs] == ["one", "three"]
    many = read(answer(*(f"job a{n} 0 running 10 - python" for n in range(40))))
    assert many is not None
    assert len(many.jobs) == MOST_REPORTED


@pytest.mark.parametrize(
    "text",
    [
        REPORT.encode(),
        answer().replace(b"jobs-end\n", b""),
        answer().replace(b"jobs-end\n", b"jobs-end"),
        answer().replace(b"gpubot-jobs 1", b"gpubot-jobs 2"),
    ],
    ids=["no section", "no end", "cut off in the last line", "another version"],
)
def test_without_a_complete_section_of_this_version_nothing_is_known(text: bytes) -> None:
    assert read(text) is None
    report = read_report(text, b"")
    assert report is not None
    assert report.jobs is None


@given(
    st.lists(
        st.binary(max_size=300)
        | st.builds(
            lambda name: b"job a 0 running 10 - " + name.encode(errors="replace"),
            st.text(min_size=1, max_size=300),
        )
        | st.builds(lambda text: b"progress 5 " + text.encode(errors="replace"), st.text(max_size=300)),
        max_size=20,
    )
)
def test_any_text_of_a_machine_is_bounded_and_printable(lines: list[bytes]) -> None:
    found = read(REPORT.encode() + b"\n".join([b"gpubot-jobs 1", *lines, b"jobs-end", b""]))
    if found is None:
        return
    assert len(found.jobs) <= MOST_REPORTED
    texts = [job.name for job in found.jobs] + ([found.progress.text] if found.progress is not None else [])
    for text in texts:
        assert 0 < len(text) <= LONGEST_TEXT
        assert text.isprintable()
