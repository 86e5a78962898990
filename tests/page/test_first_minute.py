"""The first minute on the page: the six steps of the guide, the shown time zone, and the page on a phone."""

from __future__ import annotations

import re
from datetime import datetime

import httpx
from playwright.sync_api import Locator, Page, expect

from tests.page.conftest import (
    ANA,
    BEN,
    CLEO,
    GPUS,
    PHONE,
    TRAINING,
    Open,
    Sandbox,
    accessible,
    composer,
    messages,
    name_machine,
)


def guide(page: Page) -> Locator:
    return page.get_by_role("region", name="Try this")


def tries(page: Page, step: str) -> Locator:
    """Press a step of the guide, and return the message that it highlights."""
    guide(page).get_by_role("button", name=step).click()
    expect(guide(page).locator("[aria-busy]")).to_have_count(0)
    pointed = page.locator("#list .pointed")
    expect(pointed).to_be_in_viewport()
    return pointed


def acts(page: Page) -> str:
    """Return the name of the person who is selected to act."""
    return page.get_by_role("combobox", name="Act as").input_value()


def test_the_six_steps_of_the_guide_lead_from_request_to_bill(open_page: Open, sandbox: Sandbox) -> None:
    policy = sandbox.folder / "policy.yml"
    policy.write_text(
        f"{policy.read_text()}idle: {{from: 0.50}}\n"
    )  # so that less time has to pass until the question
    sandbox.call("slack/_control/command", user=BEN, channel=GPUS, command="/gpu", text="policy reload")
    page = open_page()
    expect(guide(page)).to_contain_text("step 1 of 6: Ask for an H100")
    offers = tries(page, "Ask for an H100")
    expect(offers.get_by_role("button", name="Rent from $2.15/h")).to_be_visible()
    accessible(page)
    card = tries(page, "Let 10 minutes pass")
    expect(card).to_contain_text(re.compile("(Ready|In use): 1x H100 SXM 80 GB"))
    starting = tries(page, "Let a vendor sell out")
    assert acts(page) == CLEO
    expect(starting).to_contain_text("Nebius")
    name_machine(starting)
    question = tries(page, "Look away until it is idle")
    assert acts(page) == ANA
    expect(question.get_by_role("button", name=re.compile("^Destroy "))).to_be_visible()
    name_machine(question)
    request = tries(page, "Approve as Ben")
    assert acts(page) == BEN
    expect(request).to_contain_text(re.compile("8x H100"))
    expect(request.get_by_role("button", name=re.compile("^Approve"))).to_have_count(0)
    page.reload()  # completed steps are still marked
    expect(guide(page)).to_contain_text("step 6 of 6")
    cost = tries(page, "See what it cost")
    expect(cost.get_by_role("table").first).to_be_visible()
    expect(guide(page)).to_contain_text("all six steps done")


def test_the_page_shows_whose_time_zone_it_uses_and_updates_at_midnight(open_page: Open, sandbox: Sandbox) -> None:
    page = open_page(ANA, GPUS)
    clock = httpx.get(f"{sandbox.url}/_control/clock").json()
    at = int(datetime.fromisoformat(clock["now"]).timestamp()) + 86_400
    date = f"<!date^{at}^{{date_short_pretty}} at {{time}}|soon>"
    sandbox.as_app("chat.postMessage", channel=GPUS, text=f"It ends {date}.")
    expect(page.get_by_text(re.compile(r"^Ana's time: \d\d:\d\d, .*\(Europe/Berlin\)$"))).to_be_visible()
    expect(messages(page)).to_contain_text("It ends tomorrow at ")
    expect(messages(page).get_by_text("Today", exact=True)).to_be_visible()
    sandbox.call("_control/clock", jump=86_400)
    expect(messages(page)).to_contain_text("It ends today at ")
    expect(messages(page).get_by_text("Yesterday", exact=True)).to_be_visible()


def test_the_sidebars_fold_away_on_a_phone(open_page: Open) -> None:
    page = open_page(ANA, TRAINING, PHONE)
    places, panel = page.get_by_role("navigation", name="Places"), page.get_by_role("complementary")
    expect(composer(page)).to_be_in_viewport(ratio=1)
    expect(places).to_be_hidden()
    expect(panel).to_be_hidden()
    page.get_by_role("button", name="Outside world").click()
    expect(panel.get_by_role("button", name="+10 min")).to_be_in_viewport(ratio=1)
    accessible(page)  # with other sizes, it is closed or always visible
    page.get_by_role("button", name="Outside world").click()
    page.keyboard.press("Escape")
    expect(panel).to_be_hidden()
    expect(page.get_by_role("button", name="Outside world")).to_be_focused()
    page.get_by_role("button", name="Places").click()
    places.get_by_role("button", name="#gpus").click()
    expect(places).to_be_hidden()
    expect(page.get_by_role("heading", name="#gpus")).to_be_visible()
    guide(page).get_by_text("Try this").click()
    offers = tries(page, "Ask for an H100")
    expect(offers.get_by_role("button", name=re.compile("^Rent from")).first).to_be_visible()
    expect(composer(page)).to_be_in_viewport(ratio=1)
    assert page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]
    page.get_by_role("button", name="Places").click()
    accessible(page)
