"""Measures how long the sandbox's page takes to show a message of the bot.

The baseline is a round trip over a WebSocket in the same browser, without the page.
"""

from __future__ import annotations

import time
from statistics import quantiles

from aiohttp import web
from playwright.async_api import Page as Tab
from playwright.async_api import async_playwright

from bench.figures import Figure, figure
from bench.sizes import Size
from bot.errors import Unusable
from sandbox.clock import SandboxClock
from sandbox.compute import ComputeSandbox
from sandbox.github import GithubSandbox
from sandbox.serving import serve
from sandbox.slack import SlackSandbox
from sandbox.slack.default import ANA, TRAINING
from sandbox.slack.state import BOT_USER
from sandbox.web import Page
from tests.programs import find

WATCH = """() => {
    // by text, the browser's time in milliseconds since 1970 at which it was about to draw it
    window.shown = {};
    new MutationObserver(() => requestAnimationFrame(() => {
        const text = document.querySelector("#list .text p")?.textContent;
        window.shown[text] ??= performance.timeOrigin + performance.now();
    })).observe(document.querySelector("#list"), {childList: true, subtree: true, characterData: true});
}"""
"""A script that watches the first paragraph of the page's messages, and records when each new text is drawn."""
SHOWN = "text => window.shown[text]"
ROUND_TRIPS = """async ([url, count]) => {
    const socket = new WebSocket(url);
    await new Promise((open) => socket.onopen = open);
    const took = [];
    for (let n = 0; n < count; n++) {
        const sent = performance.now();
        socket.send(String(n));
        await new Promise((answered) => socket.onmessage = answered);
        took.push(performance.now() - sent);
    }
    return took;
}"""
"""A script that makes `count` round trips over a WebSocket of its own, and returns their milliseconds."""


async def measure(size: Size) -> Figure:
    """Measure `page_effect_p95`: the milliseconds from editing a message until the browser draws it.

    The value and the baseline are 95th percentiles. Raises Unusable if Chromium isn't installed.
    """
    chromium = find("chromium")
    if chromium is None:
        raise Unusable("The bench of the page needs Chromium: apt-get install chromium")
    clock = SandboxClock()
    slack, compute, github = SlackSandbox(clock, pace=False), ComputeSandbox(clock), GithubSandbox(clock)
    page = Page(clock, slack, compute, github)
    parts = (compute, slack, github, page)
    for part in parts:
        url = await part.start()
    app = web.Application()
    app.router.add_get("/", _echo)
    bare = await serve(app)
    try:
        async with async_playwright() as playwright:
            browser = await playwright.chromium.launch(executable_path=chromium)
            tab = await browser.new_page()
            await tab.goto(f"{url}/#/{ANA}/{TRAINING}")
            took = await _edits(slack, tab, size.edits)
            # Open another page to measure this WebSocket. The sandbox's own page can't open it, because its
            # content security policy allows no other servers.
            other = await browser.new_page()
            trips = await other.evaluate(ROUND_TRIPS, [f"ws://127.0.0.1:{bare.port}/", size.edits])
            await browser.close()
    finally:
        await bare.stop()
        for part in reversed(parts):
            await part.stop()
    return figure("page_effect_p95", _p95(took), "ms", _p95(trips))


async def _edits(slack: SlackSandbox, tab: Tab, count: int) -> list[float]:
    """Edit a message `count` times. Return the milliseconds until the browser had drawn each edit."""
    workspace = slack.workspace
    message = workspace.post(workspace.channels[TRAINING], BOT_USER, "edit 0")
    await tab.locator("#list .text p").wait_for()
    await tab.evaluate(WATCH)
    took = []
    for n in range(1, count + 1):
        edited = time.time() * 1000
        message = workspace.edit(message, text=f"edit {n}")
        drawn = await tab.wait_for_function(SHOWN, arg=f"edit {n}")
        took.append(await drawn.json_value() - edited)
    return took


async def _echo(request: web.Request) -> web.WebSocketResponse:
    socket = web.WebSocketResponse()
    await socket.prepare(request)
    async for message in socket:
        await socket.send_str(message.data)
    return socket


def _p95(samples: list[float]) -> float:
    return quantiles(samples, n=100, method="inclusive")[94]
