"""Runs the watchdog: polls every minute, posts messages, deletes machines, and stores its state."""

from __future__ import annotations

import asyncio
import platform
import signal
from contextlib import AsyncExitStack
from datetime import timedelta
from importlib.metadata import version

import aiohttp
import structlog

from bot.clock import Clock
from bot.errors import Unusable
from bot.market.client import ComputeClear
from bot.net.proxies import proxy_for
from bot.net.sandbox_clock import FollowedClock, clock_of
from bot.net.sessions import new_session
from bot.watchdog import policy, words
from bot.watchdog.outside import SECONDS, Outside
from bot.watchdog.settings import WatchdogSettings, read_watchdog_settings
from bot.watchdog.state import Options, Poll, State, StateFile, Trouble

EVERY = timedelta(minutes=1)
LONGEST_TURN = 600.0
"""The longest plausible time in seconds (wall clock) between two polls.

If the last poll was longer ago, the process must have been suspended in the meantime.
"""
CLOCK_WAS_SET = 60.0
"""The maximum difference in seconds between the wall clock and the monotonic clock since the last poll.

A larger difference means that the wall clock was set, or that the machine slept.
"""

log = structlog.get_logger("gpubot.watchdog")


async def run(settings: WatchdogSettings, *, destroy: bool) -> None:
    """Run until SIGTERM or SIGINT. Raises Unusable if a setting, a proxy or the state file can't be used."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    for url in (settings.bot_url, settings.compute_clear_url, settings.slack_url):
        proxy_for(url)
    async with AsyncExitStack() as stack:
        timeout = aiohttp.ClientTimeout(total=SECONDS)
        session = await stack.enter_async_context(
            new_session(timeout=timeout, cookie_jar=aiohttp.DummyCookieJar())
        )
        clock = await clock_of(settings.clock_url, session)
        market = ComputeClear(
            settings.compute_clear_url,
            settings.compute_clear_token,
            clock,
            read_token=lambda: read_watchdog_settings().compute_clear_token,
        )
        stack.push_async_callback(market.aclose)
        options = Options(destroy=destroy, admins=settings.admin_ids, host=platform.node())
        watchdog = Watchdog(Outside(settings, session, market, clock), StateFile(settings.state), clock, options)
        watchdog.begin()
        work = {asyncio.create_task(watchdog.run(stop))}
        if isinstance(clock, FollowedClock):
            work.add(asyncio.create_task(clock.follow()))
        try:
            done, _ = await asyncio.wait(work, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in work:
                task.cancel()
            await asyncio.gather(*work, return_exceptions=True)


class Watchdog:
    """Polls the bot and the Compute Clear account every minute."""

    def __init__(self, outside: Outside, file: StateFile, clock: Clock, options: Options) -> None:
        self._outside = outside
        self._file = file
        self._clock = clock
        self._options = options
        self._state = State()
        self._trouble: Trouble | None = None
        self._polled: tuple[float, float] | None = None
        """The readings of the wall clock and of the monotonic clock at this process's last poll."""

    def begin(self) -> None:
        """Read the state file. Raises Unusable if the file can't be read, or can't be written."""
        self._state, aside = self._file.read()
        if aside is not None:
            log.error("watchdog.file_put_aside", file=str(aside))
            self._state = policy.with_note(self._state, words.file_put_aside(str(aside)))
        elif self._state == State():
            self._state = policy.with_note(self._state, words.hello(self._options))
        try:
            self._file.write(self._state)
        except OSError as error:
            raise Unusable(f"GPUBOT_WATCHDOG_STATE: I can't write it: {error.strerror}.") from None
        log.info(
            "watchdog.starts",
            version=version("gpubot"),
            destroy=self._options.destroy,
            machines=len(self._state.machines),
        )

    async def run(self, stop: asyncio.Event) -> None:
        """Poll every minute until `stop` is set. A failed poll is logged, and polling continues."""
        while not stop.is_set():
            later = self._clock.now() + EVERY
            try:
                await self.turn()
            except Exception:
                log.exception("watchdog.failed")
                await self._clock.pause(1.0)
            await self._clock.sleep_until(later, stop)

    async def turn(self) -> None:
        """Poll once, then post the messages and delete the machines that `policy.decide` returns."""
        continues = self._continues()
        bot = await self._outside.ask_bot()
        if bot.trouble is not self._trouble:
            log.info("watchdog.bot", trouble=None if bot.trouble is None else bot.trouble.value)
            self._trouble = bot.trouble
        account = await self._outside.list_account()
        poll = Poll(at=self._clock.now(), continues=continues, bot=bot, account=account)
        decision = policy.decide(self._state, poll, self._options)
        self._keep(decision.state)
        for message in decision.say:
            posted = await self._outside.post(message.text)
            if not posted.taken:
                break  # the next poll posts this message and the remaining ones
            log.info("watchdog.said", kind=message.kind.value)
            self._keep(policy.said(self._state, message, self._clock.now(), clock_is_wrong=posted.clock_is_wrong))
        for resource_id in decision.delete:
            failure = await self._outside.delete(resource_id)
            self._keep(policy.deleted(self._state, resource_id, self._clock.now(), failure=failure))

    def _continues(self) -> bool:
        """Return whether this process has been running without interruption since its last poll.

        False for the first poll, if the process was suspended, or if the machine's clock was set.
        """
        before = self._polled
        real, monotonic = self._clock.real().timestamp(), self._clock.monotonic()
        self._polled = real, monotonic
        if before is None:
            return False
        passed = monotonic - before[1]
        return passed <= LONGEST_TURN and abs(real - before[0] - passed) < CLOCK_WAS_SET

    def _keep(self, state: State) -> None:
        """Set the new state, and write it to the state file if it has changed.

        If writing fails, the problem is logged, and the state is kept in memory only.
        """
        if state == self._state:
            return
        self._state = state
        try:
            self._file.write(state)
        except OSError as error:
            log.error("watchdog.not_kept", error=type(error).__name__, errno=error.errno)
