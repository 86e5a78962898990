"""Makes the pictures of README.md and docs/: `python -m tests.by_hand.pictures`, or `make pictures`.

Plays a short story on the sandbox's page in Chromium, and writes docs/pictures/*.png. With `--messages FOLDER`,
the most important messages are written to that folder instead, each in a picture of its own.
"""

from __future__ import annotations

import argparse
import re
import sys
from dataclasses import dataclass
from pathlib import Path

import httpx
from playwright.sync_api import Browser, Locator, Page, ViewportSize, expect, sync_playwright

from bot.sealed_secret import new_key, public_text
from tests.page.conftest import ANA, BEN, CLEO, GPUS, TRAINING, Sandbox, composer, messages, run_sandbox, types
from tests.programs import find

FOLDER = Path(__file__).parents[2] / "docs" / "pictures"
PAGE = ViewportSize(width=1280, height=800)
MESSAGES = ViewportSize(width=1010, height=640)
"""The window's size for pictures of messages: wide enough for the list of places, with the panel closed."""
ALONE = ViewportSize(width=740, height=900)
CLEOS_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKuTYM8YqYNlRHGQdFCzcCJ4bcGQDh7nYqBBmQJrEXmF cleo@laptop"
HALF_HOUR = 1800


@dataclass(frozen=True)
class Story:
    """A sandbox on which a story is played, and the folder for its pictures."""

    browser: Browser
    sandbox: Sandbox
    folder: Path

    def open(self, user: str, channel: str, size: ViewportSize = MESSAGES) -> Page:
        """Open the page as a person. With the window size MESSAGES, the panel is closed."""
        page = self.browser.new_page(viewport=size, reduced_motion="reduce", device_scale_factor=1.5)
        page.goto(f"{self.sandbox.url}/#/{user}/{channel}")
        if size is MESSAGES:
            page.get_by_role("button", name="Outside world").click()
        return page

    def take(self, shown: Page | Locator, name: str) -> None:
        """Take a picture.

        The mouse is moved away first, because a message under the mouse shows its tools.
        """
        (shown if isinstance(shown, Page) else shown.page).mouse.move(0, 0)
        path = self.folder / f"{name}.png"
        shown.screenshot(path=path)
        sys.stdout.write(f"{path}\n")

    def type(self, user: str, text: str, channel: str = TRAINING) -> None:
        self.sandbox.call("slack/_control/command", user=user, channel=channel, command="/gpu", text=text)

    def later(self, seconds: int) -> None:
        """Let time pass, in steps of at most half an hour.

        The bot does everything that becomes due in each step.
        """
        for _ in range(seconds // HALF_HOUR):
            self.sandbox.call("_control/time", seconds=HALF_HOUR)
        if seconds % HALF_HOUR:
            self.sandbox.call("_control/time", seconds=seconds % HALF_HOUR)

    def later_until(self, shown: Locator) -> Locator:
        """Let time pass in steps of half an hour until something is shown, and return what is shown.

        Fails if nothing is shown within a day.
        """
        for _ in range(48):
            if shown.count():
                break
            self.later(HALF_HOUR)
        expect(shown.last).to_be_visible()
        return shown.last

    def machines(self) -> list[str]:
        """Return the resource IDs of all machines."""
        account = self.sandbox.read("../../compute/_control/account")
        return [line["resource_id"] for line in account["resources"] if line["alive"]]

    def use(self, percent: int) -> None:
        """Set the utilization of the GPUs of all machines, in percent."""
        for machine in self.machines():
            phases = [{"all": percent, "connections": 1 if percent else 0}]
            self.sandbox.call(f"compute/_control/resources/{machine}/use", phases=phases)

    def start_job(self, progress: str) -> None:
        """Start a job on all machines, which prints a line of progress at once."""
        for machine in self.machines():
            said = [{"after": 0, "text": progress}]
            self.sandbox.call(
                f"compute/_control/resources/{machine}/jobs", name="python train.py", all=98, progress=said
            )


def said(page: Page, pattern: str) -> Locator:
    """Return the messages on a page that match the pattern."""
    return messages(page).get_by_role("article").filter(has_text=re.compile(pattern))


def newest(page: Page, pattern: str) -> Locator:
    """Wait for a message that matches the pattern, and return the newest one."""
    found = said(page, pattern).last
    expect(found).to_be_visible()
    return found


def ask_ben(page: Page) -> None:
    """Request the newest offers, which need approval."""
    page.get_by_role("button", name="Ask for $18.40/h").last.click()
    page.get_by_role("dialog").locator("[type=submit]").click()
    expect(page.get_by_role("dialog")).to_have_count(0)


def take_pages(story: Story) -> None:
    """Take the pictures of the pages.

    In the story, people look at offers and the form, rent, look at the machine and at the Home tab, approve, and
    read the cost of the month.
    """
    page = story.open(ANA, TRAINING)
    story.type(ANA, "key github ana-dev")
    page.get_by_role("button", name=re.compile("^Use ")).click()
    expect(messages(page)).to_contain_text("saved")
    types(page, "/gpu get H100 EU for 6h -- fine-tune run 7")
    rent = page.get_by_role("button", name="Rent from $2.15/h")
    expect(rent).to_be_visible()
    story.take(page, "offers")
    whole = story.open(ANA, TRAINING, PAGE)
    expect(whole.get_by_role("button", name="Rent from $2.15/h")).to_be_visible()
    composer(whole).press_sequentially("/gpu e")
    story.take(whole, "page")
    page.get_by_role("button", name="Change").click()
    expect(page.get_by_role("dialog")).to_contain_text("From $2.15/h")
    story.take(page, "form")
    page.keyboard.press("Escape")
    rent.click()
    newest(page, "Starting: ")
    story.later(600)
    story.use(98)
    page.get_by_role("button", name="gpubot (direct messages)").click()
    newest(page, "ssh -p ")
    story.later(2 * HALF_HOUR)
    story.take(page, "ready")
    page.get_by_role("button", name="Home").click()
    expect(page.get_by_role("button", name=re.compile("^Destroy "))).to_be_visible()
    story.take(page, "home")
    page.get_by_role("button", name="#training").click()
    story.start_job("step 1200 of 8000, loss 2.1")
    story.later(600)
    card = newest(page, "step 1200")
    story.take(card, "progress")
    types(page, "/gpu get 8xH100 EU for 4h -- sweep 12")
    ask_ben(page)
    ben = story.open(BEN, GPUS)
    ben.emulate_media(color_scheme="dark")
    approve = ben.get_by_role("button", name=re.compile("^Approve up to"))
    expect(approve).to_be_visible()
    story.take(ben, "approval")
    approve.click()
    ben.get_by_role("dialog").locator("[type=submit]").click()
    expect(approve).to_have_count(0)
    types(ben, "/gpu spend")
    expect(ben.get_by_role("img").last).to_be_visible()
    story.take(ben, "spend")


def take_program(story: Story) -> None:
    """Take the pictures of the form for a token, and of the line about a machine that a program rented with it."""
    page = story.open(ANA, GPUS)
    types(page, "/gpu token")
    dialog = page.get_by_role("dialog", name="New token")
    dialog.get_by_label("Name").fill("nightly eval")
    dialog.get_by_label("H100", exact=True).check()
    story.take(page, "token")
    dialog.get_by_role("button", name="Make token").click()
    secret = re.search(r"gpb_\w{49}", str(page.get_by_role("dialog").filter(has_text="gpb_").text_content()))
    if secret is None:
        raise SystemExit("The form shows no secret.")
    page.get_by_role("dialog").get_by_role("button", name="Close").click()
    take_login(story, page)
    headers = {"Authorization": f"Bearer {secret[0]}", "Idempotency-Key": "run-812"}
    body = {"words": "H100 EU for 1h max $4 total"}
    httpx.post(f"{story.sandbox.url}/program/v1/rentals", headers=headers, json=body).raise_for_status()
    newest(page, "nightly eval .* rents ")
    story.later(600)
    story.take(newest(page, "nightly eval .* until "), "program")


def take_login(story: Story, page: Page) -> None:
    """Take the picture of the form for a program that logs in."""
    asked = {"public_key": public_text(new_key()), "program": "gpubot", "host": "build-7"}
    login = httpx.post(f"{story.sandbox.url}/program/v1/logins", json=asked).raise_for_status().json()
    story.later(40)
    types(page, f"/gpu token {login['code']}")
    dialog = page.get_by_role("dialog", name="New token")
    dialog.get_by_label("Name").fill("nightly eval")
    expect(dialog).to_contain_text("Continue only if you started it.")
    story.take(page, "login")
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)


def take_messages(story: Story) -> None:
    """Take the pictures of single messages.

    In the story, Ana rents for two people, leaves the machine idle until a question comes, uses it until its end,
    and Cleo requests eight GPUs.
    """
    ana, cleo = story.open(ANA, TRAINING, ALONE), story.open(CLEO, TRAINING, ALONE)
    story.type(ANA, "key github ana-dev")
    ana.get_by_role("button", name=re.compile("^Use ")).click()
    expect(messages(ana)).to_contain_text("saved")
    story.type(CLEO, f"key {CLEOS_KEY}")
    story.type(ANA, "get H100 EU with @cleo for 6h -- fine-tune run 7")
    rent = ana.get_by_role("button", name="Rent from $2.15/h")
    expect(rent).to_be_visible()
    story.take(newest(ana, "Hyperstack"), "1-offers")
    story.sandbox.call("compute/_control/vendors/hyperstack", behaviour="sold_out", times=1)
    rent.click()
    card = newest(ana, "Starting: ")
    story.later(60)
    expect(card).to_contain_text("Nebius")
    story.take(card, "2-card-starting")
    story.later(540)
    story.take(newest(ana, "Ready: |In use: "), "2-card-ready")
    for page, name in ((ana, "3-ready-owner"), (cleo, "4-ready-teammate")):
        page.get_by_role("button", name="Places").click()
        page.get_by_role("button", name="gpubot (direct messages)").click()
        story.take(newest(page, "ssh -p "), name)
    question = story.later_until(said(ana, "[Ii]dle "))
    story.take(question, "6-idle-question")
    question.get_by_role("button", name=re.compile("ask (again )?in 4 h")).click()
    story.use(98)
    notice = r"[Ee]nds .*, in \d+ (min|h)\b"
    story.take(story.later_until(said(ana, notice)), "7-end-notice")
    story.take(story.later_until(said(ana, "Ended at ")), "8-receipt")
    types(cleo, "/gpu get 8xH100 EU for 6h -- sweep 12")
    ask_ben(cleo)
    ben = story.open(BEN, GPUS, ALONE)
    story.take(newest(ben, "Approve up to"), "5-approval-request")


def main() -> None:
    """Write the pictures. Exit with status 1 if Chromium is missing."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--messages", type=Path, metavar="FOLDER", help="write single messages there instead")
    folder: Path | None = parser.parse_args().messages
    chromium = find("chromium")
    if chromium is None:
        raise SystemExit("The pictures need Chromium: apt-get install chromium")
    (folder or FOLDER).mkdir(parents=True, exist_ok=True)
    with run_sandbox() as sandbox, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium)
        story = Story(browser, sandbox, folder or FOLDER)
        if folder is None:
            take_pages(story)
            take_program(story)
        else:
            take_messages(story)
        browser.close()


if __name__ == "__main__":
    main()
