"""The command line.

On the bot's machine: gpubot run | demo | sandbox | manifest | doctor | migrate | backup | copy | export | policy.

On another machine: gpubot watchdog. For programs, on any machine: gpubot agent | mcp.

Operator commands, sent to the running bot: gpubot list | show | spend | extend | approve | deny | destroy | pause
| resume.
"""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import sys
from functools import partial
from io import TextIOWrapper
from pathlib import Path
from typing import Annotated

import typer

from bot.errors import GpubotError

cli = typer.Typer(
    help="Rent, approve, watch and destroy cloud GPUs from Slack.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
policy = typer.Typer(help="The team's rules.", no_args_is_help=True)
cli.add_typer(policy, name="policy")


def _print_version(wanted: bool) -> None:
    if wanted:
        from bot.ops.running_version import running_version

        print(running_version())
        raise typer.Exit


@cli.callback()
def options(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version and commit, then exit."
        ),
    ] = False,
) -> None:
    """Handle the options that come before a command."""


@cli.command()
def run() -> None:
    """Run the bot until it is stopped. Settings come from the environment and .env."""
    # Modules are never freed, so collecting garbage among them is a waste of time. Switch Python's garbage
    # collection off during the imports, where it would take a fifth of the start-up time. After the imports,
    # freeze the modules, that is, exclude them from later collections. These would otherwise delay
    # acknowledgements to Slack.
    gc.disable()
    from bot import app
    from bot.config.settings import read_settings
    from bot.ops.library_internals import check_dependencies
    from bot.ops.logs import set_up_logs

    gc.freeze()
    gc.enable()
    settings = read_settings()
    check_dependencies()
    set_up_logs(settings.log)
    asyncio.run(app.run(settings))


@cli.command()
def demo(
    json: Annotated[
        bool, typer.Option("--json", help="Print JSON lines, one for each message, edit or action.")
    ] = False,
    all_edits: Annotated[bool, typer.Option("--all", help="Print each edit of a message, too.")] = False,
    http: Annotated[bool, typer.Option("--http", help="In HTTP mode, instead of Socket Mode.")] = False,
) -> None:
    """Run a scripted demo of several rentals in a sandbox on this machine, and check the results."""
    from bot.config.settings import LogFormat
    from bot.ops.logs import set_up_logs
    from demo import printing, script

    set_up_logs(LogFormat.CONSOLE)
    printer = printing.Printer(printing.as_json if json else printing.as_text, edits=json or all_edits)
    # With --json, a program reads stdout, so only JSON lines may go there. Notes for people go to stderr.
    note = (lambda text: print(text, file=sys.stderr)) if json else printer.say
    try:
        spent = asyncio.run(script.demo(printer, note, http=http))
    except asyncio.CancelledError:
        sys.exit(128 + signal.SIGTERM)
    note(f"\nSpent {script.total(spent.bill)} by the sandbox's bill, {script.total(spent.ledger)} by the ledger.")
    note(
        f"Next: {_command()} sandbox lets you try it yourself, in your browser; docs/slack.md leads to real Slack."
    )


@cli.command()
def sandbox(
    policy: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Your policy file. Whom and what it names is played by extra members."),
    ] = None,
) -> None:
    """Start the sandbox and the bot on this machine, to try out in a browser or from the terminal."""
    from bot.config.settings import LogFormat
    from bot.ops.logs import set_up_logs
    from demo import console

    set_up_logs(LogFormat.CONSOLE)

    def say(text: str) -> None:
        sys.stdout.write(text + "\n")
        sys.stdout.flush()

    asyncio.run(console.play_along(say, policy.absolute() if policy is not None else None))


@cli.command()
def manifest(
    http: Annotated[
        str | None,
        typer.Option(
            metavar="URL", help="For HTTP mode: where Slack reaches the bot, as https://bot.example.com."
        ),
    ] = None,
) -> None:
    """Print the manifest of the Slack app, to paste at api.slack.com/apps."""
    from bot.config.manifest import http_manifest, socket_manifest

    print(socket_manifest() if http is None else http_manifest(http), end="")


@cli.command()
def doctor() -> None:
    """Check everything that `run` needs and say how to fix what is wrong. Change nothing."""
    from bot.clock import SystemClock
    from bot.doctor.examine import examine
    from bot.doctor.findings import all_well
    from bot.doctor.host import start_command
    from bot.ops.logs import keep_quiet

    keep_quiet()
    findings = asyncio.run(examine(SystemClock()))
    for finding in findings:
        print(finding.line())
    if not all_well(findings):
        print(f"Fix what is not ok, then run this again: {_command()} doctor")
        raise typer.Exit(1)
    print(f"Everything is ok. Next: {start_command(_command(), user=os.geteuid())}")


@cli.command()
def migrate() -> None:
    """Bring the database's schema up to date. `run` does this too, unless PostgreSQL has unfinished rentals."""
    from bot.config.settings import read_settings
    from bot.ops.library_internals import check_dependencies
    from bot.ops.logs import set_up_logs
    from store.db import migrate as migrate_database

    check_dependencies()
    settings = read_settings()
    set_up_logs(settings.log)
    asyncio.run(migrate_database(settings.database_url.get_secret_value()))


@cli.command()
def watchdog(
    destroy: Annotated[
        bool,
        typer.Option("--destroy", help="While gpubot fails, delete machines that are 2 h past their end."),
    ] = False,
) -> None:
    """Watch the bot from another machine. Warn in Slack while the bot is not well."""
    from bot.ops.logs import set_up_logs
    from bot.watchdog.run import run
    from bot.watchdog.settings import read_watchdog_settings

    settings = read_watchdog_settings()
    set_up_logs(settings.log)
    asyncio.run(run(settings, destroy=destroy))


@cli.command(
    context_settings={
        "ignore_unknown_options": True,
        "allow_extra_args": True,
        "allow_interspersed_args": False,
        "help_option_names": [],
    }
)
def agent(context: typer.Context) -> None:
    """Rent machines from a script or a CI job, with a token from Slack. It needs no settings of the bot."""
    from agent.commands import run

    # All arguments are passed on as they were typed, because importing the commands would slow down all others.
    run(context.args, f"{_command()} agent")


@cli.command()
def mcp(
    *,
    address: Annotated[
        str,
        typer.Argument(
            metavar="HOST:PORT",
            help="With --http: the address to listen on, instead of 127.0.0.1:8604.",
            show_default=False,
        ),
    ] = "",
    http: Annotated[
        bool, typer.Option("--http", help="Serve many agents over HTTP. Each of them sends a token of its own.")
    ] = False,
    allow_host: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="With --http: a name by which agents reach it, such as mcp.example.com. Can be repeated.",
        ),
    ] = None,
    url: Annotated[
        str | None, typer.Option(metavar="URL", help="With --http: the API's address, instead of GPUBOT_API_URL.")
    ] = None,
) -> None:
    """Offer tools for renting machines to coding agents (MCP), over stdin and stdout, with a token from Slack."""
    from importlib.metadata import version
    from importlib.util import find_spec

    from bot.errors import Mistake

    if find_spec("mcp") is None:
        # Not by the name alone: pip would ask a registry for it, where anybody could have registered that name.
        install = f'pip install "gpubot[mcp] @ git+$REPOSITORY@v{version("gpubot")}"'
        raise Mistake(
            "gpubot mcp needs the extra mcp, which isn't installed. Install it from gpubot's Git repository. With "
            f"the repository's address in REPOSITORY, type: {install}"
        )
    if http:
        from agent.mcp_http import DEFAULT, read_listen, read_name, serve_http
        from agent.settings import read_address, read_url

        listen = read_listen(address or DEFAULT)
        names = [read_name(name) for name in allow_host or ()]
        serve_http(listen, names, read_address(read_url(url)))
        return
    if address or allow_host or url:
        raise typer.BadParameter("HOST:PORT, --allow-host and --url belong to --http.")
    from agent.mcp_server import serve_stdio

    serve_stdio()


@cli.command()
def backup(file: Annotated[Path, typer.Argument(help="The file to create, such as gpubot.backup.")]) -> None:
    """Copy a SQLite database to a new file, even while the bot runs. For PostgreSQL, say how to call pg_dump."""
    from bot.config.settings import read_database_url
    from bot.errors import Mistake
    from store.backup import copy_sqlite, dump_command
    from store.connections import sqlite_path

    url = read_database_url()
    path = sqlite_path(url)
    if path is None:
        raise Mistake(f"Nothing was copied. For a PostgreSQL database:  {dump_command(url, str(file))}")
    copy_sqlite(path, file)
    print(f"{path} is copied to {file}.")


@cli.command()
def copy(
    to: Annotated[
        str,
        typer.Option(
            metavar="URL", help="An empty PostgreSQL database. PGPASSWORD or ~/.pgpass can have the password."
        ),
    ],
) -> None:
    """Copy the SQLite database of a stopped gpubot to a PostgreSQL one."""
    from bot.config.settings import read_database_url
    from bot.ops.logs import keep_quiet
    from store.copying import copy_to_postgres

    keep_quiet()
    source = read_database_url()
    rows = asyncio.run(copy_to_postgres(source, to))
    print(f"Copied {rows:,} rows. Next: move {source.removeprefix('sqlite:///')} away, so that no gpubot uses it")
    print("any more, and put the new address into GPUBOT_DATABASE_URL.")


# --- commands that an operator types on the bot's machine, for example while Slack is down

RentalId = Annotated[str, typer.Argument(metavar="ID", help="The rental, such as k7mq2.")]
Reason = Annotated[str | None, typer.Option("--why", metavar="TEXT", help="The reason. People read it in Slack.")]


def _by_hand(kind: str, **typed: str) -> None:
    """Send a command to the gpubot that is running on this machine, and print its answer."""
    from bot.operator.protocol import Command, Kind, ask

    print(ask(Command(kind=Kind(kind), **typed)))


def _with_reason(typed: str, why: str | None) -> str:
    """Return the reason. If it is missing, raises Mistake with the command to type."""
    from bot.errors import Mistake

    if why is None:
        raise Mistake(f'Give a reason, which people will read in Slack:  gpubot {typed} --why "the disk is full"')
    return why


@cli.command("list")
def list_all() -> None:
    """List all rentals. The bot must be running."""
    _by_hand("list")


@cli.command()
def show(rental: RentalId) -> None:
    """Show a rental and its history. The bot must be running."""
    _by_hand("show", id=rental)


@cli.command()
def spend(
    words: Annotated[
        list[str] | None, typer.Argument(metavar="WHAT", help="Such as: project vision, today, or 2026-10")
    ] = None,
) -> None:
    """Show the spending of the team or of a project. The bot must be running."""
    _by_hand("spend", words=" ".join(words or ()))


@cli.command()
def extend(
    rental: RentalId,
    by: Annotated[list[str], typer.Argument(metavar="BY", help="By how much, such as 2h, or: until 18:00")],
    why: Reason = None,
) -> None:
    """Extend a lease, even beyond limits and budgets if an approver could allow that. The bot must be running."""
    typed = " ".join(by)
    reason = _with_reason(f"extend {rental} {typed}", why)
    _by_hand("extend", id=rental, by=typed, why=reason)


@cli.command()
def approve(
    rental: RentalId,
    up_to: Annotated[
        str,
        typer.Option("--up-to", metavar="DOLLARS", help="The total that list shows. Any other amount is refused."),
    ],
    why: Reason = None,
) -> None:
    """Approve a pending request for a rental or for more time. The bot must be running."""
    reason = _with_reason(f"approve {rental} --up-to {up_to}", why)
    _by_hand("approve", id=rental, up_to=up_to, why=reason)


@cli.command()
def deny(rental: RentalId, why: Reason = None) -> None:
    """Deny a pending request for a rental or for more time. The bot must be running."""
    _by_hand("deny", id=rental, why=_with_reason(f"deny {rental}", why))


@cli.command()
def destroy(
    rental: Annotated[str | None, typer.Argument(metavar="ID", help="The rental, such as k7mq2.")] = None,
    why: Reason = None,
    resource: Annotated[
        str | None,
        typer.Option(
            metavar="ID",
            help="Instead of a rental: a machine of the account, by its ID at Compute Clear. Needs no bot.",
        ),
    ] = None,
    confirm: Annotated[
        str | None, typer.Option(metavar="ID", help="With --resource: the same ID again, instead of a question.")
    ] = None,
) -> None:
    """End a rental. With --resource, delete a machine instead, even if the bot is down."""
    if resource is not None:
        from bot.operator.resource import destroy_resource
        from bot.ops.logs import keep_quiet

        if rental is not None:
            raise typer.BadParameter("Name a rental, or a machine with --resource, not both.")
        keep_quiet()
        asked = partial(_typed_again, resource) if confirm is None else lambda: confirm
        destroy_resource(resource, asked, partial(print, flush=True))
        return
    if rental is None:
        raise typer.BadParameter("Name a rental and say why: gpubot destroy k7mq2 --why TEXT")
    _by_hand("destroy", id=rental, why=_with_reason(f"destroy {rental}", why))


def _typed_again(resource: str) -> str | None:
    """Prompt for the ID, and return what was typed. None if nobody is at a terminal."""
    if not sys.stdin.isatty():
        return None
    return str(typer.prompt(f"Its disk is deleted too, and nobody is asked. Type {resource} again to delete it"))


@cli.command()
def pause(why: Reason = None) -> None:
    """Stop all buying. Machines are still destroyed. The bot must be running."""
    _by_hand("pause", why=_with_reason("pause", why))


@cli.command()
def resume(why: Reason = None) -> None:
    """Allow buying again. The bot must be running."""
    _by_hand("resume", why=_with_reason("resume", why))


@policy.command()
def check(file: Annotated[Path, typer.Argument(help="A policy file, such as policy.yml.")]) -> None:
    """Print the rules of a policy file in plain words, or every mistake in it. Change nothing."""
    from bot.errors import WrongPolicy
    from bot.policy.team.policy_file import PolicySource
    from bot.policy.team.rules import Rules
    from handlers.actions.policy import terminal_text

    try:
        read = PolicySource(file, home_channel=Rules().home_channel, admins=()).read()
    except WrongPolicy as wrong:
        for line in wrong.lines:
            print(f"{line}.")
        raise typer.Exit(1) from None
    print(terminal_text(read.rules))


export = typer.Typer(invoke_without_command=True)
cli.add_typer(export, name="export")


@export.callback()
def export_month(
    context: typer.Context,
    month: Annotated[str, typer.Option(metavar="MONTH", help="Such as 2026-10.")] = "",
    project: Annotated[
        str | None, typer.Option(metavar="NAME", help="Only what this project was charged.")
    ] = None,
) -> None:
    """Write a month's charges to a CSV file (FOCUS 1.2) in this folder. The bot can keep running."""
    if context.invoked_subcommand is not None:
        return
    from bot.config.settings import read_settings
    from bot.ops.export import export_month, month_written
    from bot.ops.logs import keep_quiet

    keep_quiet()
    print(month_written(asyncio.run(export_month(read_settings(), month, project, Path()))))


@export.command("events")
def export_events(
    first: Annotated[str, typer.Option("--from", metavar="DAY", help="The first day, such as 2026-11-01.")],
    last: Annotated[str, typer.Option("--to", metavar="DAY", help="The last day, such as 2026-11-30.")],
) -> None:
    """Print who did what and when, as lines of JSON, for auditors. The bot can keep running."""
    from bot.config.settings import read_settings
    from bot.ops.export import export_events
    from bot.ops.logs import keep_quiet

    keep_quiet()
    asyncio.run(export_events(read_settings(), first, last, sys.stdout))


def _command() -> str:
    """Return the command as it was typed, such as `.venv/bin/gpubot`."""
    return sys.argv[0] if Path(sys.argv[0]).name == "gpubot" else "gpubot"


def main() -> None:
    """Run a command.

    On an error that a person can fix, print its message and exit with status 1. Any other error is a bug: log only
    the error's class and the place where it was raised, and exit with status 1.
    """
    # Whoever starts a process can have closed these, as `gpubot agent heartbeat ... >&- 2>&-` does.
    sys.stdout, sys.stderr = (stream or open(os.devnull, "w") for stream in (sys.stdout, sys.stderr))  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            # Print `?` for a character that the terminal's encoding lacks, instead of raising an error.
            stream.reconfigure(errors="replace")
    try:
        cli()
    except GpubotError as error:
        sys.stderr.write(error.words + "\n")
        sys.exit(1)
    except Exception as error:
        from bot.ops.logs import log_uncaught

        log_uncaught(error)
        sys.exit(1)


if __name__ == "__main__":
    main()
