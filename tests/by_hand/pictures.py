"""Makes the pictures of README.md and the pages of docs/: `python -m tests.by_hand.pictures`, or `make pictures`.

It plays a short story on the sandbox's page in Chromium, and writes docs/pictures/*.png.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.page.conftest import (
    ANA,
    BEN,
    GPUS,
    PATIENCE,
    TRAINING,
    Sandbox,
    composer,
    messages,
    passes,
    run_sandbox,
    types,
)
from tests.programs import find

FOLDER = Path(__file__).parents[2] / "docs" / "pictures"


def open_page(browser: Browser, sandbox: Sandbox, user: str, channel: str) -> Page:
    page = browser.new_page(viewport={"width": 1240, "height": 720}, reduced_motion="reduce")
    page.goto(f"{sandbox.url}/#/{user}/{channel}")
    return page


def take(page: Page, name: str) -> None:
    page.screenshot(path=FOLDER / f"{name}.png")
    sys.stdout.write(f"docs/pictures/{name}.png\n")


def play(browser: Browser, sandbox: Sandbox) -> None:
    """Look at offers and the form, rent, look at the machine and at Home, approve, and read the month's cost."""
    page = open_page(browser, sandbox, ANA, TRAINING)
    types(page, "/gpu key github ana-dev")
    page.get_by_role("button", name=re.compile("^Use ")).click()
    expect(messages(page)).to_contain_text("saved")
    types(page, "/gpu get H100 EU for 6h -- fine-tune run 7")
    rent = page.get_by_role("button", name="Rent from $2.15/h")
    expect(rent).to_be_visible()
    composer(page).press_sequentially("/gpu e")
    take(page, "offers")
    composer(page).fill("")
    page.get_by_role("button", name="Change").click()
    expect(page.get_by_role("dialog")).to_contain_text("From $2.15/h, about $12.90")
    take(page, "form")
    page.keyboard.press("Escape")
    rent.click()
    expect(messages(page)).to_contain_text("Starting: 1x H100")
    passes(page, "+10 min")
    page.get_by_role("spinbutton", name="GPUs at %").fill("98")
    page.get_by_role("button", name="Set use").click()
    page.get_by_role("heading", name="Money", exact=True).click()
    page.get_by_role("button", name="gpubot (direct messages)").click()
    expect(messages(page)).to_contain_text("ssh -p ")
    passes(page, "+1 h")
    take(page, "ready")
    page.get_by_role("button", name="Home").click()
    expect(page.get_by_role("heading", name="Home of the app")).to_be_visible()
    expect(page.get_by_role("button", name=re.compile("^Destroy "))).to_be_visible()
    take(page, "home")
    page.get_by_role("button", name="#training").click()
    types(page, "/gpu get 8xH100 EU for 4h -- sweep")
    page.get_by_role("button", name="Ask for $18.40/h").click()
    page.get_by_role("dialog").locator("[type=submit]").click()
    ben = open_page(browser, sandbox, BEN, GPUS)
    ben.emulate_media(color_scheme="dark")
    ben.get_by_role("button", name=re.compile("^Approve up to")).click()
    expect(ben.get_by_role("dialog")).to_be_visible()
    take(ben, "approval")
    ben.get_by_role("dialog").locator("[type=submit]").click()
    types(ben, "/gpu spend")
    expect(ben.get_by_role("img").last).to_be_visible()
    take(ben, "spend")


def main() -> None:
    """Write the pictures. Exit with status 1 if Chromium is missing."""
    chromium = find("chromium")
    if chromium is None:
        raise SystemExit("The pictures need Chromium: apt-get install chromium")
    expect.set_options(timeout=PATIENCE)
    FOLDER.mkdir(exist_ok=True)
    with run_sandbox() as sandbox, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium)
        play(browser, sandbox)
        browser.close()


if __name__ == "__main__":
    main()
