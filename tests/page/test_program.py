"""The panel's section "Program": a token from the dialog, and a machine that a program rents with it."""

from __future__ import annotations

import re

from playwright.sync_api import expect

from tests.page.conftest import ANA, GPUS, TRAINING, Open, Sandbox, accessible, messages, passes, types
from tests.page.test_stories import KEY


def test_a_program_rents_with_a_token_and_its_machine_ends_without_heartbeats(
    open_page: Open, sandbox: Sandbox
) -> None:
    sandbox.call("slack/_control/command", user=ANA, channel=TRAINING, command="/gpu", text=f"key {KEY}")
    page = open_page(ANA, GPUS)
    panel = page.get_by_role("complementary", name="Outside world")
    panel.get_by_role("heading", name="Program").click()
    panel.get_by_role("button", name="Rent", exact=True).click()
    expect(panel.get_by_text("A program needs a token.")).to_be_visible()
    panel.get_by_role("button", name="Make a token").click()
    dialog = page.get_by_role("dialog", name="New token")
    dialog.get_by_label("Name").fill("nightly eval")
    dialog.get_by_label("H100", exact=True).check()
    dialog.get_by_label("If its heartbeat is lost").select_option(
        label="End the machine, unless its GPUs are working"
    )
    dialog.get_by_role("button", name="Make token").click()
    expect(panel.get_by_label("Secret of a token")).to_have_value(re.compile(r"^gpb_\w{49}$"))
    page.get_by_role("dialog").get_by_role("button", name="Close").click()
    panel.get_by_role("button", name="Rent", exact=True).click()
    line = messages(page).get_by_text("nightly eval (Ana)")
    expect(line).to_contain_text("rents 1x H100")
    expect(panel.get_by_label("Key", exact=True)).to_have_value(re.compile(r"^run-\w+$"))
    accessible(page)
    panel.get_by_role("button", name="Rent", exact=True).click()  # the same key finds the same rental
    passes(page, "+10 min")
    expect(panel.locator("dl")).to_contain_text("Stateready")
    expect(line).to_contain_text("until")
    panel.get_by_role("button", name="Heartbeat").click()
    expect(panel.locator("dl")).to_contain_text("Next heartbeat by")
    page.reload()
    expect(panel.locator("dl")).to_contain_text("Stateready")
    passes(page, "+1 h")
    expect(panel.locator("dl")).to_contain_text("Stateended")
    expect(line).to_have_count(1)
    expect(line).to_contain_text("It cost $")
    expect(panel.get_by_role("button", name="Release")).to_be_disabled()


def test_a_program_logs_in_with_a_code_that_a_person_types(open_page: Open) -> None:
    page = open_page(ANA, GPUS)
    panel = page.get_by_role("complementary", name="Outside world")
    panel.get_by_role("heading", name="Program").click()
    panel.get_by_role("button", name="Log in by code").click()
    said = panel.get_by_role("status").filter(has_text="In Slack, type: ")
    expect(said).to_have_text(re.compile(r"^In Slack, type: /gpu token [A-Z0-9]{8}$"))
    page.reload()
    expect(said).to_be_visible()
    types(page, said.inner_text().removeprefix("In Slack, type: "))
    dialog = page.get_by_role("dialog", name="New token")
    expect(dialog.get_by_text("Continue only if you started it.")).to_be_visible()
    dialog.get_by_label("Name").fill("quick check")
    dialog.get_by_label("H100", exact=True).check()
    dialog.get_by_role("button", name="Make token").click()
    expect(panel.get_by_text("Logged in as quick check (Ana).")).to_be_visible()
    expect(panel.get_by_label("Secret of a token")).to_have_value(re.compile(r"^gpb_\w{49}$"))
    expect(page.get_by_text(re.compile(r"gpb_\w{9}"))).to_have_count(0)
    accessible(page)
