"""The part of gpubot 0.1.0 that decides whether a machine's answer is a report, and which lines belong to it.

It is a copy of that version's bot/probe/report.py without the parsing of single values. Don't change it: machines
that were rented by a later version must still be readable after the way back (docs/upgrade.md).
"""

from __future__ import annotations

FIRST_LINE, LAST_LINE = b"gpubot-probe 1\n", b"end\n"
LONGEST_LINE, MOST_LINES = 300, 1000
WORDS = {"ssh", "peer", "peers", "setup", "on-ending", "gpu", "nvidia-smi"}


def lines_of_report(answer: bytes) -> list[str] | None:
    """Return the lines of a report, or None if 0.1.0 would call the answer unreadable."""
    between = _between(answer)
    if between is None:
        return None
    lines = between.decode(errors="replace").split("\n")[:-1]
    if len(lines) > MOST_LINES or any(len(line) > LONGEST_LINE for line in lines):
        return None
    words = {line.partition(" ")[0] for line in lines}
    return lines if words <= WORDS and {"peers", "nvidia-smi"} <= words else None


def _between(answer: bytes) -> bytes | None:
    begin = _after_line(answer, FIRST_LINE, 0)
    end = -1 if begin < 0 else _after_line(answer, LAST_LINE, begin)
    return None if end < 0 else answer[begin : end - len(LAST_LINE)]


def _after_line(answer: bytes, line: bytes, start: int) -> int:
    if answer.startswith(line, start):
        return start + len(line)
    found = answer.find(b"\n" + line, max(start - 1, 0))
    return -1 if found < 0 else found + 1 + len(line)
