"""The programs that the tests run in addition to Python, and the Debian package of each.

`python3 tests/programs.py` installs the missing ones, if it runs as root and apt-get is available. `make test` and
`.ci/run` run it before there is a virtual environment, so this module imports only the standard library. A test
that needs a program calls `program`, which skips the test if the program is missing.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Iterator

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
"""The folders that are searched for programs. sshd is in /usr/sbin, which isn't in everybody's PATH."""
PACKAGES = {
    "bash": "bash",
    "busybox": "busybox",
    "chromium": "chromium",
    "dash": "dash",
    "git": "git",
    "jq": "jq",
    "pgbouncer": "pgbouncer",
    "promtool": "promtool",
    "scp": "openssh-client",
    "sftp": "openssh-client",
    "shellcheck": "shellcheck",
    "ssh": "openssh-client",
    "ssh-agent": "openssh-client",
    "ssh-keygen": "openssh-client",
    "sshd": "openssh-server",
    "systemd-analyze": "systemd",
    "unshare": "util-linux",
}


def find(name: str) -> str | None:
    """Return the path of a program, or None if it isn't installed."""
    return shutil.which(name) or shutil.which(name, path=PATH)


def missing_packages() -> list[str]:
    """Return the Debian packages that contain the missing programs, in alphabetical order."""
    packages = {package for name, package in PACKAGES.items() if find(name) is None}
    # Debian's Python can't create virtual environments without this package.
    if importlib.util.find_spec("ensurepip") is None:
        packages.add("python3-venv")
    return sorted(packages)


def program(name: str) -> str:
    """Return the path of a program. Skip the test if it isn't installed."""
    import pytest  # noqa: PLC0415 - `main` runs before pytest is installed

    found = find(name)
    if found is None:
        pytest.skip(f"{NEEDS}{name}")
    return found


NEEDS = "This test needs "
"""The beginning of each reason to skip a test. It is followed by the name of the program, or by ROOT."""
ROOT = "root"


def skipped_lines(reasons: Iterable[str]) -> Iterator[str]:
    """Yield the lines that a run prints at its end about skipped tests, given the reasons for all of them."""
    counts = Counter(reason.removeprefix(NEEDS) for reason in reasons)
    for needed, count in sorted(counts.items()):
        why = f"no {needed}" if needed in PACKAGES else "not root" if needed == ROOT else needed
        yield f"{count} {'test was' if count == 1 else 'tests were'} skipped: {why}."
    if counts and (packages := missing_packages()):
        yield f"To install what is missing: apt-get install {' '.join(packages)}"
    if ROOT in counts:
        yield "To run those that need root: run as root, and in a container with --privileged."


def main() -> None:
    """Install the missing programs, if that is possible here.

    If apt-get fails, the tests that need the programs are skipped.
    """
    packages = missing_packages()
    if not packages or os.geteuid() != 0 or shutil.which("apt-get") is None:
        return
    sys.stdout.write(f"Installing {', '.join(packages)} for the tests ...\n")
    sys.stdout.flush()
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for arguments in (["update", "-qq"], ["install", "-qq", "-y", "--no-install-recommends", *packages]):
        if subprocess.run(["apt-get", *arguments], env=environment, check=False).returncode:  # noqa: S603, S607 - fixed commands; PATH finds apt-get
            return


if __name__ == "__main__":
    main()
