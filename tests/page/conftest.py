"""A `gpubot sandbox` and a Chromium that all tests of the page share."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Locator, Page, ViewportSize, expect, sync_playwright

from tests.programs import program

PATIENCE = 90_000
"""The milliseconds that Playwright waits for an expected state. Tests don't check that it arrives sooner."""
expect.set_options(timeout=PATIENCE)
SIZE = ViewportSize(width=1280, height=900)
COLOURS = {"runOnly": ["color-contrast"], "resultTypes": ["violations"]}
PHONE = ViewportSize(width=420, height=860)
ANA, BEN, CLEO, GUS = "U0ANA0000", "U0BEN0000", "U0CLEO000", "U0GUS0000"
TRAINING, GPUS, SHARED, APPROVALS = "C0TRAIN00", "C0GPUS000", "C0SHARED0", "C0APPROVE"


@dataclass(frozen=True)
class Sandbox:
    """A running `gpubot sandbox`."""

    url: str
    folder: Path
    """The folder with the bot's database, policy and log."""

    def call(self, path: str, **body: Any) -> dict[str, Any]:
        """Make a control call through the page's origin."""
        answer = httpx.post(f"{self.url}/{path}", json=body, timeout=60).json()
        assert isinstance(answer, dict)
        return answer

    def read(self, path: str) -> dict[str, Any]:
        """Return the response to a GET control call of the workspace."""
        answer = httpx.get(f"{self.url}/slack/_control/{path}").json()
        assert isinstance(answer, dict)
        return answer

    def as_app(self, method: str, **arguments: Any) -> None:
        """Call a method of Slack's Web API as the app."""
        workspace = self.read("workspace")
        token = {"Authorization": f"Bearer {workspace['tokens']['bot_token']}"}
        answer = httpx.post(workspace["api_url"] + method, json=arguments, headers=token).json()
        assert answer["ok"], answer

    @contextmanager
    def renamed(self, user: str, name: str) -> Iterator[None]:
        """Rename a person until the end of the block."""
        person = f"{self.url}/slack/_control/people/{user}"
        httpx.patch(person, json={"name": name}).raise_for_status()
        yield
        httpx.patch(person, json={"name": "Gus"}).raise_for_status()


@contextmanager
def run_sandbox() -> Iterator[Sandbox]:
    """Run `gpubot sandbox` until the end of the block."""
    process = subprocess.Popen(
        [sys.executable, "-m", "bot", "sandbox"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdin is not None
    assert process.stdout is not None
    url, log = "", ""
    try:
        for line in process.stdout:
            url = found[1] if (found := re.match(r"Open in a browser: (\S+)", line)) else url
            log = found[1] if (found := re.search(r"The bot's log: (\S+)", line)) else log
            if log:
                break
        assert url
        assert log, "gpubot sandbox ended before its bot was connected"
        yield Sandbox(url, Path(log).parent)
    finally:
        process.communicate("quit\n")
    assert process.returncode == 0


def composer(page: Page) -> Locator:
    return page.get_by_role("combobox", name="A message, or a command")


def messages(page: Page) -> Locator:
    return page.locator("#list")


def types(page: Page, text: str) -> None:
    composer(page).fill(text)
    composer(page).press("Enter")


def passes(page: Page, jump: str) -> None:
    """Press one of the panel's buttons that advance the clock, and wait until it has advanced."""
    page.get_by_role("button", name=jump, exact=True).click()
    expect(page.get_by_text("Time has passed, from ")).to_be_visible()


def accessible(page: Page) -> None:
    """Assert that axe finds no problems on the page, in light and dark mode, on a wide screen and a phone."""
    before = page.viewport_size
    found: list[dict[str, Any]] = []
    expect(page.locator("#place-title")).not_to_be_empty()  # wait until the page has been filled
    for size in (PHONE, SIZE):
        page.set_viewport_size(size)
        page.emulate_media(color_scheme="light")
        found += Axe().run(page).response["violations"]
        page.emulate_media(color_scheme="dark")  # only the rule for contrast depends on colours
        found += Axe().run(page, options=COLOURS).response["violations"]
    assert before is not None
    page.set_viewport_size(before)
    assert not found, json.dumps([(each["id"], [node["html"] for node in each["nodes"]]) for each in found])


def name_machine(message: Locator) -> None:
    """Assert that the accessible name of each button of a message contains the id of its machine."""
    found = re.search(r"\((\w{5})\)", str(message.text_content()))
    assert found
    buttons = message.locator(".actions, .section").get_by_role("button")
    expect(buttons.first).to_be_visible()
    for button in buttons.all():
        expect(button).to_have_accessible_name(re.compile(found[1]))


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with run_sandbox() as running:
        yield running


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    chromium = program("chromium")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=chromium)
        yield started
        started.close()


Open = Callable[..., Page]


@pytest.fixture
def open_page(sandbox: Sandbox, browser: Browser) -> Iterator[Open]:
    """Return a function that opens the page in a separate browser context, for a person and a channel.

    The test fails if a script of the page fails.
    """
    contexts = []
    wrong: list[str] = []

    def open_(user: str = ANA, channel: str = TRAINING, size: ViewportSize = SIZE) -> Page:
        context = browser.new_context(viewport=size, reduced_motion="reduce")
        context.set_default_timeout(PATIENCE)
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("console", lambda message: wrong.append(message.text) if message.type == "error" else None)
        page.goto(f"{sandbox.url}/#/{user}/{channel}")
        return page

    yield open_
    for context in contexts:
        context.close()
    assert wrong == []
