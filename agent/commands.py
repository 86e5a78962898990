"""The commands of `gpubot agent`. Each command imports only what it uses, so that help is shown at once."""

from __future__ import annotations

import asyncio
import os
import secrets
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import IntEnum
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from agent.arguments import (
    RENTAL,
    AsJson,
    Key,
    Lease,
    Most,
    NewEnd,
    NewKey,
    NewLease,
    ProgramName,
    RentalId,
    WaitFor,
    Words,
)
from bot.errors import Mistake

if TYPE_CHECKING:
    from agent.client import Answer, Client, M, Which
    from agent.settings import Address
    from bot.clock import Clock
    from bot.model.api import Login, Rental, RentalRequest

T = TypeVar("T")
INTERRUPTED = 130
"""The exit status after Ctrl-C, as in a shell."""
LARGEST_KEY_FILE = 16_384


class Exit(IntEnum):
    """The exit statuses of `gpubot agent`."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    DENIED = 3
    EXPIRED = 4
    SOLD_OUT = 5
    BEYOND_TERMS = 6


_BY_STATE = MappingProxyType(
    {
        "denied": Exit.DENIED,
        "expired": Exit.EXPIRED,
        "sold_out": Exit.SOLD_OUT,
        "refused": Exit.BEYOND_TERMS,
        "ending": Exit.FAILED,
        "ended": Exit.FAILED,
    }
)
"""The exit status of `rent` for each state in which there will be no machine."""


@dataclass(frozen=True)
class Run:
    """One run of the command line."""

    clock: Clock
    command: tuple[str, ...] | None = None
    """The command after `--`, for `heartbeat`. None if there is no `--`."""


commands = typer.Typer(
    help="""Rent machines from a script, a CI job or a coding agent, with a token from Slack.

    To get a token, use `login`. Or set GPUBOT_API_URL to the API's address, and GPUBOT_TOKEN to the secret of a
    token that somebody made with /gpu token in Slack.
    """,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
)


def run(arguments: Sequence[str], name: str = "gpubot agent", clock: Clock | None = None) -> None:
    """Carry out a command, and exit with its status.

    Raises GpubotError if the command failed, for the reason in its message.
    """
    from bot.clock import SystemClock

    command: tuple[str, ...] | None = None
    if arguments[:1] == ["heartbeat"] and "--" in arguments:
        # click would drop the "--", and read the options of the command as those of `heartbeat`.
        split = list(arguments).index("--")
        arguments, command = arguments[:split], tuple(arguments[split + 1 :])
    for text in (*arguments, os.environ.get(RENTAL, "")):
        try:
            text.encode()
        except UnicodeEncodeError:
            raise Mistake("An argument isn't text in UTF-8. Nothing was sent.") from None
    commands(args=list(arguments), prog_name=name, obj=Run(clock or SystemClock(), command))


class _Session:
    """The settings, the clock and the output of a command."""

    def __init__(self, context: typer.Context) -> None:
        from agent.screen import Screen

        self.run: Run = context.obj
        self.clock = self.run.clock
        self.screen = Screen()

    def ask(
        self, work: Callable[[Client], Awaitable[T]], as_json: bool, *, without_token: Address | None = None
    ) -> T:
        """Do some work with the client, and return the result.

        If the API refuses a request, this prints the reason and exits. Raises GpubotError if there is no usable
        answer.

        Args:
            work: Called with the client. It makes the requests.
            as_json: True to print the API's answer if it refuses a request.
            without_token: The API's address, for work that needs no token. If None, the settings are read.
        """
        from agent.client import BEYOND_TERMS, ApiRefused, Client
        from agent.settings import read_settings

        settings = without_token or read_settings()

        async def with_client() -> T:
            async with Client(settings, self.clock, self.screen.status) as client:
                return await work(client)

        try:
            return asyncio.run(with_client())
        except ApiRefused as error:
            if as_json and error.body is not None:
                self.screen.json(error.body)
            self.screen.note(error.words)
            raise typer.Exit(Exit.BEYOND_TERMS if error.kind in BEYOND_TERMS else Exit.FAILED) from None

    def answer(
        self,
        work: Callable[[Client], Awaitable[Answer[M]]],
        lines: Callable[[M, datetime], Sequence[str]],
        as_json: bool,
    ) -> None:
        """Print the answer to a call: as text, or as the API sent it."""
        answer = self.ask(work, as_json)
        if as_json:
            self.screen.json(answer.body)
        else:
            self.screen.result(*lines(answer.value, self.clock.now()))


# --- commands


@commands.command()
def login(
    *,
    context: typer.Context,
    url: Annotated[
        str | None,
        typer.Option("--url", metavar="URL", help="The API's address. Without it, GPUBOT_API_URL is used."),
    ] = None,
    name: ProgramName = "gpubot",
    as_json: AsJson = False,
) -> None:
    """Get a token from a person in Slack.

    The person types the code that this command prints. The token is then saved in a file that only you can read,
    and was never in Slack. A token that is in the file already is replaced.

    Exit status: 0 if you are logged in, 4 if nobody made a token in time, 2 for wrong usage, 130 after Ctrl-C, and
    1 for everything else.
    """
    from agent.login import login_request, open_token, wait_for_token
    from agent.settings import check_can_save, overrides, read_address, read_url, save, settings_file
    from agent.words import REPLACED, code_expired, logged_in_lines, login_stopped, not_saved, overriding
    from bot.model.api import LoginState
    from bot.sealed_secret import new_key

    file = settings_file()
    url = read_url(url, file)
    address = read_address(url)
    check_can_save(file, url)
    session, key = _Session(context), new_key()
    request = login_request(key, name)

    async def work(client: Client) -> Answer[Login]:
        return await wait_for_token(client, request, clock=session.clock, screen=session.screen)

    try:
        answer = session.ask(work, as_json, without_token=address)
    except KeyboardInterrupt:
        session.screen.note(login_stopped())
        raise typer.Exit(INTERRUPTED) from None
    found = answer.value
    shown = {name: value for name, value in answer.body.items() if name not in {"id", "secret"}}
    if found.state is LoginState.EXPIRED:
        if as_json:
            session.screen.json(shown)
        session.screen.note(code_expired(found.code))
        raise typer.Exit(Exit.EXPIRED)
    token = open_token(found.secret, key, found.id)
    try:
        replaced = save(file, url, token)
    except Mistake as error:
        raise Mistake(not_saved(error.words)) from None
    if as_json:
        session.screen.json({**shown, "file": str(file)})
    else:
        session.screen.result(*logged_in_lines(found))
    if replaced:
        session.screen.note(REPLACED)
    hidden_by = overrides(url)
    if hidden_by:
        session.screen.note(overriding(hidden_by))


@commands.command()
def rent(
    *,
    context: typer.Context,
    words: Words,
    lease: Lease = None,
    most: Most = None,
    key: NewKey = None,
    ssh_key: Annotated[
        Path | None,
        typer.Option("--ssh-key", metavar="FILE", help="A file with your public SSH key, such as id_ed25519.pub."),
    ] = None,
    wait: Annotated[bool, typer.Option("--wait", help="Wait until the machine is ready.")] = False,
    wait_for: WaitFor = None,
    heartbeat: Annotated[
        bool,
        typer.Option(
            "--heartbeat", help="You will send heartbeats. If they stop, the token's owner gets a message."
        ),
    ] = False,
    setup: Annotated[
        str | None, typer.Option("--setup", metavar="NAME", help="One of your team's setup scripts.")
    ] = None,
    note: Annotated[
        str, typer.Option("--note", metavar="TEXT", help="What the machine is for. People read it in Slack.")
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Rent a machine.

    Somebody may have to approve the request first. Ctrl-C stops waiting, but doesn't withdraw the request.

    Exit status: 0 if the machine is ready (without --wait: if the request was accepted), 3 if it was denied, 4 if
    nobody decided in time, 5 if it's sold out, 6 if it's beyond the token's terms or the team's rules, 2 for wrong
    usage, 130 after Ctrl-C, and 1 for everything else.
    """
    from agent.client import ApiAway
    from agent.words import made_key, may_have_arrived, stopped_waiting, the_request_stays

    request = _request(
        words=_request_words(words, lease),
        max_total=most,
        wait_for=wait_for,
        setup=setup,
        note=note,
        ssh_public_key=None if ssh_key is None else _public_key(ssh_key),
        heartbeat=heartbeat,
    )
    session = _Session(context)
    if key is None:
        key = f"cli-{secrets.token_hex(8)}"
        session.screen.note(made_key(key))
    name = key

    accepted = False

    async def work(client: Client) -> Answer[Rental]:
        from agent.renting import wait_until_ready

        nonlocal accepted
        answer = await client.rent(request, name)
        accepted = True
        if not wait:
            return answer
        last = await wait_until_ready(client, answer.value, clock=session.clock, screen=session.screen)
        return last or answer

    try:
        answer = session.ask(work, as_json)
    except KeyboardInterrupt:
        session.screen.note(stopped_waiting(key) if accepted else may_have_arrived(key))
        raise typer.Exit(INTERRUPTED) from None
    except ApiAway as error:
        went_on = the_request_stays(key) if accepted else may_have_arrived(key)
        raise ApiAway(f"{error.words} {went_on}") from None
    _finish(session, answer, as_json)


@commands.command()
def quote(*, context: typer.Context, words: Words, lease: Lease = None, as_json: AsJson = False) -> None:
    """Show the offers that fit a request now. Nothing is rented or reserved."""
    from agent.words import quote_lines

    text = _request_words(words, lease)
    _Session(context).answer(lambda client: client.quote(words=text), quote_lines, as_json)


@commands.command("list")
def list_rentals(*, context: typer.Context, as_json: AsJson = False) -> None:
    """List the current rentals of the token's owner."""
    from agent.words import rental_rows

    _Session(context).answer(
        lambda client: client.rentals(), lambda value, now: rental_rows(value.rentals, now), as_json
    )


@commands.command()
def show(*, context: typer.Context, rental: RentalId = None, key: Key = None, as_json: AsJson = False) -> None:
    """Show a rental: its state, its end, its cost, and how to log in."""
    from agent.words import show_lines

    which = _which(rental, key)

    async def work(client: Client) -> Answer[Rental]:
        return await client.rental(await which.find(client))

    _Session(context).answer(work, show_lines, as_json)


@commands.command()
def extend(
    *,
    context: typer.Context,
    rental: RentalId = None,
    key: Key = None,
    lease: NewLease = None,
    until: NewEnd = None,
    as_json: AsJson = False,
) -> None:
    """Make a lease longer.

    You name its new end, or its whole length. If you repeat the command, nothing is added.
    """
    from agent.words import show_lines
    from bot.model.api import ExtendRequest

    which = _which(rental, key)
    if (lease is None) == (until is None):
        raise typer.BadParameter("Name the length of the whole lease (--for 6h) or its new end (--until).")
    request = ExtendRequest(lease=lease, until=until)

    async def work(client: Client) -> Answer[Rental]:
        return await client.extend(await which.find(client), request)

    _Session(context).answer(work, show_lines, as_json)


@commands.command()
def release(
    *,
    context: typer.Context,
    rental: RentalId = None,
    key: Key = None,
    at_once: Annotated[bool, typer.Option("--now", help="Don't run /root/on-ending.sh first.")] = False,
    as_json: AsJson = False,
) -> None:
    """End a machine, or withdraw a request.

    The machine runs its /root/on-ending.sh, for at most 10 minutes. Then it is destroyed, and its disk is deleted.
    """
    from agent.words import over_lines

    which = _which(rental, key)

    async def work(client: Client) -> Answer[Rental]:
        return await client.release(await which.find(client), at_once=at_once)

    _Session(context).answer(work, over_lines, as_json)


@commands.command(
    options_metavar="[OPTIONS]", epilog="With a command: gpubot agent heartbeat [OPTIONS] [ID] -- COMMAND"
)
def heartbeat(
    *, context: typer.Context, rental: RentalId = None, key: Key = None, as_json: AsJson = False
) -> None:
    """Send heartbeats while a command runs, and then release the machine.

    A heartbeat is sent every 5 minutes, and signals are passed on to the command. The exit status is that of the
    command. A heartbeat that fails never ends the command. Without a command, one heartbeat is sent.
    """
    from agent.words import beat_lines

    which = _which(rental, key)
    session = _Session(context)
    command = session.run.command
    if command is not None:
        if not command:
            raise typer.BadParameter("Type a command after --, such as: heartbeat -- python train.py")
        raise typer.Exit(_run_with_heartbeats(session, which, command))

    async def work(client: Client) -> Answer[Rental]:
        return await client.heartbeat(await which.find(client))

    session.answer(work, beat_lines, as_json)


@commands.command()
def token(*, context: typer.Context, as_json: AsJson = False) -> None:
    """Show the terms of the token, and what is left of them."""
    from agent.words import token_lines

    _Session(context).answer(lambda client: client.token(), token_lines, as_json)


@commands.command()
def skill() -> None:
    """Print an agent skill: a text that teaches coding agents these commands.

    Save it as gpubot/SKILL.md in the folder where the agent looks for skills. This command needs neither the API
    nor a token.
    """
    from importlib.resources import files

    typer.echo(files("agent").joinpath("SKILL.md").read_text(encoding="utf-8"), nl=False)


# --- parts of the commands


def _request_words(words: Sequence[str], lease: timedelta | None) -> str:
    from bot.model.text import say_span

    return " ".join([*words, *(() if lease is None else ("for", say_span(lease)))])


def _request(**fields: object) -> RentalRequest:
    from pydantic import ValidationError

    from bot.model.api import RentalRequest

    try:
        return RentalRequest.model_validate(fields)
    except ValidationError as error:
        wrong = error.errors(include_input=False, include_url=False)[0]
        raise typer.BadParameter(f"{wrong['loc'][0]}: {wrong['msg']}.") from None


def _public_key(file: Path) -> str:
    """Return the public key in a file. Raises Mistake if the file contains a private key, which isn't sent."""
    from bot.text_file import Unreadable, read_text

    try:
        text = read_text(file, LARGEST_KEY_FILE).strip()
    except Unreadable as error:
        raise Mistake(f"{file}: I can't read it: {error}.") from None
    if "PRIVATE KEY" in text or text.startswith("PuTTY-User-Key-File"):
        raise Mistake(
            f"{file} is a private key, so I didn't send it. Name the file with the public key: {file}.pub"
        )
    return text


def _which(rental: str | None, key: str | None) -> Which:
    """Return the rental that a command names. Raises BadParameter if it names none, or names it twice."""
    from agent.client import Which

    if rental is not None and key is not None:
        raise typer.BadParameter("Name the rental by its ID or by its key, not by both.")
    if key is None:
        rental = rental or os.environ.get(RENTAL)
    if not rental and key is None:
        raise typer.BadParameter(f"Which rental? Name it by its ID, with --key, or in {RENTAL}.")
    return Which(rental, key)


def _finish(session: _Session, answer: Answer[Rental], as_json: bool) -> None:
    """Print the outcome of a request, and exit with the status for it."""
    from agent.words import over_line, result_lines

    rental = answer.value
    status = _BY_STATE.get(rental.state.value, Exit.DONE)
    if as_json:
        session.screen.json(answer.body)
    if status is not Exit.DONE:
        session.screen.note(over_line(rental))
        raise typer.Exit(status)
    if not as_json:
        session.screen.result(*result_lines(rental, session.clock.now()))


def _run_with_heartbeats(session: _Session, which: Which, command: Sequence[str]) -> int:
    async def work(client: Client) -> int:
        from agent.beating import run

        return await run(client, which, command, clock=session.clock, screen=session.screen)

    return session.ask(work, as_json=False)
