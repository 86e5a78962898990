"""The sections that a machine prints after the probe's report, such as the one about jobs.

Each section has a first line with the version of its format, and a last line. Earlier versions of the bot ignore
everything after the report.
"""

from __future__ import annotations

from collections.abc import Sequence

LONGEST_SECTION = 16 * 1024
"""The maximum number of bytes after a report that are read. The sections together have at most 5 KiB."""


def section(text: bytes, first: str, last: str) -> Sequence[str] | None:
    """Return the lines between the first and the last line of a section, or None if one of these is missing."""
    # The text may have been cut off, so the part after the last line break may be half a line. Drop it.
    lines = text[:LONGEST_SECTION].decode(errors="replace").split("\n")[:-1]
    try:
        begin = lines.index(first) + 1
        return lines[begin : lines.index(last, begin)]
    except ValueError:
        return None
