"""Tries both ways to deploy gpubot on an empty Debian, which debootstrap creates.

    .venv/bin/python -m tests.by_hand.empty_debian image
    .venv/bin/python -m tests.by_hand.empty_debian page

`image` carries out deploy/Dockerfile, with Debian and its Python instead of the base image, and runs the
HEALTHCHECK before the bot starts and while it runs. `page` boots the root with systemd, and follows
docs/deploy-systemd.md word for word. In both, somebody rents a machine from the sandbox, which runs on this
machine's loopback.

Both need root, and Debian's packages debootstrap and systemd-container. Each takes a few minutes and about 1 GB in
the folder for temporary files. Only committed files are tried.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import aiohttp

from bot.clock import SystemClock
from demo.laptop import Laptop
from demo.play import Play
from demo.processes import Bot, environment, free_port, run_sandbox, stop
from sandbox.client import Addresses, SandboxClient
from sandbox.slack.default import ANA, CLEO, GPUS

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "deploy-systemd.md"
DEBIAN = "trixie"
EXTRA_CERTIFICATES = Path("/usr/local/share/ca-certificates")
"""The certificates of a proxy of this machine. The new root must trust them as well."""
CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"
INSTALL = {"DEBIAN_FRONTEND": "noninteractive", "PIP_CERT": CERTIFICATES, "PIP_PROGRESS_BAR": "off"}
BOOTED = Path("/run/systemd/system").exists()
NSPAWN = ("systemd-nspawn", "--quiet", *(() if BOOTED else ("--register=no", "--keep-unit")))
TAG = "try"


def run(*command: str | Path) -> None:
    """Run a program on this machine. Raise CalledProcessError if it fails."""
    subprocess.run(command, check=True)  # noqa: S603 - fixed commands


def say(text: str) -> None:
    """Print a line of the report."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def expect(what: str, status: int, expected: int) -> None:
    """Print the exit status of a program, and stop if it isn't the expected one."""
    say(f"{what}: status {status}")
    if status != expected:
        sys.exit(f"It should be {expected}.")


def new_root(folder: Path, *packages: str) -> None:
    """Create an empty Debian with these packages."""
    include = ",".join(["ca-certificates", *packages])
    log = folder.with_suffix(".log")
    with log.open("wb") as out:
        command = ("debootstrap", "--variant=minbase", f"--include={include}", DEBIAN, str(folder))
        subprocess.run(command, check=True, stdout=out, stderr=out)  # noqa: S603 - fixed commands
    for certificate in EXTRA_CERTIFICATES.glob("*.crt"):
        shutil.copy(certificate, folder / EXTRA_CERTIFICATES.relative_to("/"))
    run(*NSPAWN, f"--directory={folder}", "update-ca-certificates")


def setenv(environment: Mapping[str, str]) -> list[str]:
    """Return the options of systemd-nspawn that set these variables."""
    return [f"--setenv={name}={value}" for name, value in environment.items()]


# --- the image


def instructions() -> Iterator[tuple[str, str]]:
    """Yield each instruction of the Dockerfile with its arguments."""
    text = (ROOT / "deploy" / "Dockerfile").read_text(encoding="utf-8")
    lines = "\n".join(line for line in text.splitlines() if not line.startswith("#"))
    for line in lines.replace("\\\n", " ").splitlines():
        if line:
            word, _, rest = line.partition(" ")
            yield word, rest.strip()


async def image(folder: Path) -> None:
    """Carry out each instruction of the Dockerfile, then run the bot as the last stage does."""
    base = folder / "base"
    new_root(base, "python3", "python3-venv")
    stages: list[Path] = []
    says: dict[str, str] = {}
    variables: dict[str, str] = {}
    for word, rest in instructions():
        if word == "FROM":
            stages.append(folder / f"stage{len(stages)}")
            run("cp", "--archive", base, stages[-1])
        elif word == "RUN":
            say(f"RUN {rest}")
            run(*NSPAWN, f"--directory={stages[-1]}", *setenv(INSTALL), "bash", "-e", "-o", "pipefail", "-c", rest)
        elif word == "COPY" and rest.startswith("--from=build "):
            _, source, target = rest.split()
            (stages[-1] / target[1:]).parent.mkdir(parents=True, exist_ok=True)
            run("cp", "--archive", f"{stages[0]}{source}", f"{stages[-1]}{target}")
        elif word == "COPY":
            run("git", "clone", "--quiet", "--no-local", ROOT, stages[-1] / "source")
        elif word == "ENV":
            for pair in shlex.split(rest):
                name, _, value = pair.partition("=")
                variables[name] = value.replace("$PATH", "/usr/bin:/bin")
        else:
            says[word] = rest
    await _run_image(stages[-1], says, variables)


async def _run_image(root: Path, says: Mapping[str, str], variables: Mapping[str, str]) -> None:
    user = says["USER"]
    start = json.loads(says["ENTRYPOINT"])
    check = json.loads(says["HEALTHCHECK"].partition("CMD ")[2])

    def words(command: list[str], environment: Mapping[str, str]) -> list[str]:
        pairs = [f"{name}={value}" for name, value in environment.items()]
        moved = ["chroot", f"--userspec={user}:{user}", str(root), "env", "--ignore-environment", *pairs]
        return [*moved, f"--chdir={says['WORKDIR']}", *command]

    run(*words([*start, "--version"], variables))
    async with sandbox(root.parent) as (addresses, client):
        of_sandbox = settings(addresses)
        # The default port may already be in use by a bot on this machine.
        inside = {**variables, **of_sandbox, "GPUBOT_HTTP": f"127.0.0.1:{free_port()}"}
        early = await asyncio.create_subprocess_exec(*words(check, inside), stderr=subprocess.DEVNULL)
        expect("HEALTHCHECK before the start", await early.wait(), 1)
        with (root.parent / "bot.log").open("wb") as log:
            bot = await asyncio.create_subprocess_exec(
                *words([*start, *json.loads(says["CMD"])], inside), stdout=log, stderr=log
            )
        try:
            await client.sockets(least=2, wait=60)
            healthy = await asyncio.create_subprocess_exec(*words(check, inside))
            expect("HEALTHCHECK while it runs", await healthy.wait(), 0)
            await rent_one(client, inside["GPUBOT_HTTP"], bot, root.parent)
        finally:
            expect("gpubot run after SIGTERM", await stop(bot), 0)


# --- the page


def blocks() -> Iterator[str]:
    """Yield the commands that the page tells its reader to type, block by block."""
    yield from re.findall(r"^```sh\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


CONNECTED = (
    "import json, urllib.request as r; "
    'print(json.load(r.urlopen("http://127.0.0.1:8600/health"))["connections"] == 2)'
)


def restoring() -> str:
    """Return the commands with which docs/operating.md restores a backup."""
    page = (ROOT / "docs" / "operating.md").read_text(encoding="utf-8")
    lines = re.findall(
        r"^    (.+)$", page.partition("To restore a backup, stop")[2].partition("With PostgreSQL")[0], re.MULTILINE
    )
    return "\n".join(lines).replace(" FILE ", " /root/backup.sqlite ") + "\n"


AFTERWARDS = f"""
connected() {{ python3 -c '{CONNECTED}' 2>/dev/null | grep --quiet True; }}
until connected; do sleep 1; done
touch /root/ready
until [ -e /root/helped ]; do sleep 1; done
python3 -c 'from urllib.request import urlopen; print("/live:", urlopen("http://127.0.0.1:8600/live").status)'
systemctl reload gpubot
systemctl is-active gpubot
gpubot list
gpubot backup /root/backup.sqlite
{restoring()}ls -l /root/backup.sqlite /var/lib/gpubot
until connected; do sleep 1; done
systemctl show --property=MainPID,User,MemoryCurrent,CPUUsageNSec,NRestarts gpubot
ps -o user,rss,etime,args -p "$(systemctl show --property=MainPID --value gpubot)"
systemd-analyze verify gpubot.service
systemd-analyze --no-pager security gpubot.service | tail -n 1
systemctl stop gpubot
systemctl show --property=Result,ExecMainStatus gpubot
cp /root/watchdog/secrets/* /etc/gpubot/secrets/
install --owner gpubot --mode 0600 /root/watchdog/.env /etc/gpubot/.env
cp /opt/gpubot/source/deploy/gpubot-watchdog.service /etc/systemd/system/
systemctl start gpubot-watchdog
until [ -e /var/lib/gpubot/watchdog.json ]; do sleep 1; done
systemctl is-active gpubot-watchdog
journalctl --no-pager --output=cat --unit gpubot-watchdog
systemctl stop gpubot-watchdog
"""
"""The commands that check the result once the page has been followed.

They restore a backup with the same version, and run the watchdog at the end, without the bot.
"""
UNIT = f"""
[Unit]
Wants=network-online.target
After=multi-user.target network-online.target
[Service]
Type=oneshot
Environment=HOME=/root {" ".join(f"{name}={value}" for name, value in INSTALL.items())}
StandardInput=file:/root/typed
StandardOutput=file:/root/said
StandardError=inherit
ExecStart=/bin/bash -x -e /root/page.sh
ExecStopPost=/bin/sh -c 'echo $EXIT_STATUS > /root/status; systemctl --no-block poweroff'
"""


async def page(folder: Path) -> None:
    """Boot an empty Debian that follows the page, and rent a machine through its bot."""
    root = folder / "root"
    new_root(root, "systemd", "systemd-sysv", "dbus", "procps")
    run("git", "clone", "--quiet", "--bare", ROOT, root / "repository.git")
    run("git", "-C", root / "repository.git", "tag", TAG)
    async with sandbox(folder) as (addresses, client):
        write_page(root, addresses)
        write_watchdog(root, addresses, (await client.slack.get("workspace"))["webhook_url"])
        with (folder / "boot.log").open("wb") as log:
            booted = await asyncio.create_subprocess_exec(
                *NSPAWN, f"--directory={root}", "--boot", stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=log
            )
        try:
            ended = asyncio.create_task(booted.wait())
            while not (root / "root" / "ready").exists() and not ended.done():
                await SystemClock().pause(0.5)
            if not ended.done():
                await rent_one(client, "127.0.0.1:8600", booted, folder)
                (root / "root" / "helped").touch()
            await ended
        finally:
            if booted.returncode is None:
                await stop(booted)
    say((root / "root" / "said").read_text(encoding="utf-8"))
    expect("the page", int((root / "root" / "status").read_text(encoding="utf-8")), 0)


def write_page(root: Path, addresses: Addresses) -> None:
    """Write the commands of the page into the root, with the sandbox's addresses in place of the real ones."""
    given = settings(addresses)
    servers = "\n".join(lines_of_urls(given))
    typed = "".join(blocks())
    for of_page, here in (
        (r"^REPOSITORY=.*$", f"REPOSITORY=file:///repository.git VERSION={TAG}"),
        (r"^VERSION=.*$", f"VERSION={TAG}"),
        (r"\bC0123ABCD\b", given["GPUBOT_CHANNEL"]),
        (r"\bU0123ABCD\b", f"{given['GPUBOT_ADMINS']}\n{servers}"),
    ):
        typed, count = re.subn(of_page, here, typed, flags=re.MULTILINE)
        assert count == 1, of_page
    home = root / "root"
    (home / "page.sh").write_text(typed + AFTERWARDS, encoding="utf-8")
    secrets = [given[name] for name in ("SLACK_BOT_TOKEN", "SLACK_APP_TOKEN", "COMPUTE_CLEAR_TOKEN")]
    (home / "typed").write_text("\n".join(secrets) + "\n", encoding="utf-8")
    units = root / "etc" / "systemd" / "system"
    (units / "page.service").write_text(UNIT, encoding="utf-8")
    (units / "default.target.wants").mkdir(exist_ok=True)
    (units / "default.target.wants" / "page.service").symlink_to("../page.service")


def write_watchdog(root: Path, addresses: Addresses, webhook: str) -> None:
    """Write the settings and secrets of a watchdog into the root."""
    given = settings(addresses)
    secrets = root / "root" / "watchdog" / "secrets"
    secrets.mkdir(parents=True)
    for name, secret in (
        ("compute-clear-token", given["COMPUTE_CLEAR_TOKEN"]),
        ("machines-token", "0123456789" * 4),
        ("watchdog-webhook", webhook),
    ):
        (secrets / name).write_text(f"{secret}\n", encoding="utf-8")
    lines = ["GPUBOT_URL=http://127.0.0.1:8600", f"GPUBOT_ADMINS={given['GPUBOT_ADMINS']}", *lines_of_urls(given)]
    (secrets.parent / ".env").write_text("\n".join(lines) + "\n", encoding="utf-8")


def lines_of_urls(given: Mapping[str, str]) -> list[str]:
    """Return the lines of `.env` that contain the sandbox's URLs."""
    return [f"{name}={value}" for name, value in given.items() if name.endswith("_URL")]


# --- the outside world


@asynccontextmanager
async def sandbox(folder: Path) -> AsyncIterator[tuple[Addresses, SandboxClient]]:
    """Run Slack and Compute Clear on this machine."""
    async with run_sandbox(log=folder / "sandbox.log") as addresses, aiohttp.ClientSession() as session:
        yield addresses, SandboxClient(addresses, session)


def settings(addresses: Addresses) -> dict[str, str]:
    """Return the settings that connect a bot to the sandbox, without those that name files of this machine."""
    every = environment(addresses, Path(), admins=CLEO, channel=GPUS, http="")
    bot_setting = re.compile(r"(SLACK|COMPUTE|GPUBOT)_")
    ours = {"GPUBOT_DATABASE_URL", "GPUBOT_SOCKET", "GPUBOT_HTTP"}
    return {name: value for name, value in every.items() if bot_setting.match(name) and name not in ours}


async def rent_one(client: SandboxClient, http: str, process: asyncio.subprocess.Process, folder: Path) -> None:
    """Type `/gpu help`, then rent a machine and wait until its lease ends.

    Prints what happened, including the probe runs of ten minutes.
    """
    outcome = await client.command(ANA, "#gpus", "help")
    say(f"/gpu help: {'acknowledged' if outcome.ok else outcome.error}, {str(outcome.payload)[:150]}")
    laptop = Laptop.new(folder / "laptop", "ana@laptop")
    async with aiohttp.ClientSession(base_url=f"http://{http}") as session:
        bot = Bot(process, f"http://{http}/health", folder / "bot.log")
        play = Play(client, bot, session, {"Ana": ANA, "Cleo": CLEO})
        await play.types("Ana", "dm", f"key {laptop.public_key}")
        await play.types("Ana", "#gpus", "get H100 EU for 1h now")
        say((await play.until_sees("Ana", "is ready", timedelta(hours=1), dm=True)).text)
        await play.passes(timedelta(minutes=10))
        async with session.get("/metrics") as answer:
            found = re.findall(r"^gpubot_visits_total.*$", await answer.text(), re.MULTILINE)
        say("\n".join(found))
        say((await play.until_sees("Ana", "confirmed by the vendor", timedelta(hours=2))).text)
    alive = [machine for machine in (await client.account()).resources if machine.alive]
    say(f"Machines that live on: {len(alive)}")


def main() -> None:
    """Try the ways that the command line names: the image, the page, or both."""
    ways = {"image": image, "page": page}
    if os.geteuid() != 0 or not set(sys.argv[1:]) <= ways.keys() or len(sys.argv) == 1:
        sys.exit(__doc__)
    for name in sys.argv[1:]:
        with tempfile.TemporaryDirectory(prefix=f"gpubot-{name}-") as folder:
            asyncio.run(ways[name](Path(folder)))


if __name__ == "__main__":
    main()
