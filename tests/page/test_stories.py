"""The page in a real browser: a rental by keyboard and mouse, a reload, and two people at the same time."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

from playwright.sync_api import Locator, Page, expect

from tests.page.conftest import (
    ANA,
    APPROVALS,
    BEN,
    CLEO,
    GPUS,
    GUS,
    PHONE,
    SHARED,
    SIZE,
    TRAINING,
    Open,
    Sandbox,
    accessible,
    composer,
    messages,
    name_machine,
    passes,
    types,
)

RECEIPT = re.compile(r"Ended at \d\d:\d\d: 1x H100 [^$]*\$0\.\d\d")
MOST_TABS = 200
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKuTYM8YqYNlRHGQdFCzcCJ4bcGQDh7nYqBBmQJrEXmF cleo@laptop"


class Keyboard:
    """A person without a mouse."""

    def __init__(self, page: Page) -> None:
        self.page = page

    def to(self, target: Locator) -> None:
        """Press Tab until the target has the focus. Raise AssertionError if it never gets the focus."""
        expect(target).to_be_visible()
        for _ in range(MOST_TABS):
            if target.evaluate("node => node === document.activeElement"):
                return
            self.page.keyboard.press("Tab")
        raise AssertionError(f"Tab does not reach {target}")

    def press(self, name: str | re.Pattern[str], within: Locator | None = None) -> None:
        """Move the focus to a button, and press it."""
        self.to((within or self.page).get_by_role("button", name=name).last)
        self.page.keyboard.press("Enter")


def test_a_whole_rental_works_by_keyboard_and_by_mouse(open_page: Open) -> None:
    """Go from an empty page to a destroyed machine with a receipt.

    Cleo uses the keyboard wherever the Tab key has to be tested, and the mouse for the rest.
    """
    page = open_page()
    expect(messages(page)).to_have_text("Nothing yet.")
    keyboard = Keyboard(page)
    person = page.get_by_role("combobox", name="Act as")
    expect(person).to_have_value(ANA)
    keyboard.to(person)
    page.keyboard.press("C")
    expect(person).to_have_value(CLEO)
    keyboard.to(composer(page))
    page.keyboard.type("/gpu ge")
    expect(page.get_by_role("listbox", name="Commands").get_by_role("option").first).to_contain_text(
        "/gpu get H100 EU"
    )
    accessible(page)
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(composer(page)).to_have_value("/gpu get H100 EU")
    page.keyboard.press("Enter")
    keyboard.press("Rent from $2.15/h")
    keyboard.press("Add SSH key")
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("textbox")).to_be_focused()
    page.keyboard.type("no key")
    accessible(page)

    page.reload()  # place, messages, dialog and typed text survive a reload
    expect(dialog.get_by_role("textbox")).to_have_value("no key")
    expect(messages(page)).to_contain_text("To log in, you'll need an SSH key")
    keyboard.to(dialog.get_by_role("textbox"))
    page.keyboard.press("Enter")
    expect(dialog.locator(".error")).to_be_visible()
    expect(dialog.get_by_role("textbox")).to_be_focused()
    page.keyboard.press("ControlOrMeta+A")
    page.keyboard.type(KEY)
    page.keyboard.press("Enter")
    expect(messages(page)).to_contain_text(re.compile("Starting: 1x H100.*Cleo"))
    keyboard.press("+10 min")
    card = messages(page).get_by_role("article").filter(has_text="Ready: 1x H100").first
    expect(card).to_contain_text("Cleo")
    name_machine(card)

    page.get_by_role("button", name=re.compile("repl(y|ies)$")).click()
    expect(page.locator("#thread-list")).to_contain_text("Renting from Hyperstack")
    accessible(page)
    page.get_by_role("button", name="Close thread").click()
    page.get_by_role("spinbutton", name="GPUs at %").fill("98")
    page.get_by_role("button", name="Set use").click()
    expect(page.get_by_text("GPUs at 98%, 0 connected")).to_be_visible()
    page.get_by_role("button", name="Start job").click()
    page.get_by_role("button", name="Print").click()
    expect(page.get_by_text("python train.py runs: step 1200 of 8000, loss 2.1")).to_be_visible()
    page.get_by_role("combobox", name="What breaks").select_option("Gets too hot")
    page.get_by_role("button", name="Break").click()
    expect(page.get_by_text("GPU 0 is slowed down by heat.")).to_be_visible()
    page.get_by_role("combobox", name="What breaks").select_option("Memory error that was corrected")
    page.get_by_role("button", name="Break").click()
    expect(page.get_by_text("GPU 0 had 1 memory error, is slowed down by heat.")).to_be_visible()
    accessible(page)
    page.get_by_role("button", name="Fail").click()
    expect(page.get_by_text("python train.py ended, status 1")).to_be_visible()

    keyboard.press(re.compile(r"^gpubot \(direct messages\)"))
    ready = messages(page).get_by_role("article").filter(has_text="ssh -p ")
    name_machine(ready)
    keyboard.press(re.compile("^Destroy "), messages(page))
    expect(dialog.locator(".alert")).to_have_text("Warning: Everything on the disk will be deleted.")
    accessible(page)
    keyboard.press("Go back", dialog)
    expect(dialog).to_have_count(0)
    expect(messages(page).get_by_role("button", name=re.compile("^Destroy ")).last).to_be_focused()
    page.keyboard.press("Enter")
    keyboard.press(re.compile("^Destroy "), dialog)
    expect(dialog).to_have_count(0)
    passes(page, "+10 min")
    expect(messages(page)).to_contain_text(RECEIPT)
    page.get_by_role("button", name="#training").click()
    expect(messages(page)).to_contain_text(re.compile("Ended.*: 1x H100"))

    for section in ("Money", "Vendors", "Faults", "Requests", "Addresses"):
        page.get_by_role("heading", name=section, exact=True).click()
    expect(page.get_by_role("table", name="The vendor's bill beside the bot's ledger")).to_contain_text(", equal")
    page.get_by_label("How often").fill("1")
    page.get_by_label("vultr").select_option("sold_out")
    expect(page.get_by_text("1 more")).to_be_visible()
    page.get_by_role("button", name="Switch on").click()
    page.get_by_role("button", name="Switch off: Answers late, all requests").click()
    expect(page.get_by_role("button", name=re.compile("^Switch off"))).to_have_count(0)
    page.locator(".request summary", has_text=" 200").first.click()
    expect(page.locator(".request[open] pre")).to_be_visible()
    page.get_by_role("button", name="Home").click()
    expect(messages(page).get_by_role("button").first).to_be_visible()
    accessible(page)
    page.get_by_role("button", name="#training").click()
    types(page, "/gpu spend week")  # on the first day of a month, a month has nothing to compare in a chart
    table = messages(page).get_by_role("table").first
    table.get_by_role("button").last.click()  # sort by the last column
    expect(table.locator("[aria-sort]")).to_have_count(1)
    expect(messages(page).get_by_role("img")).to_be_visible()
    accessible(page)


def test_the_form_keeps_choices_when_it_shows_the_price_and_after_a_reload(open_page: Open) -> None:
    page = open_page(channel="home")
    dialog = page.get_by_role("dialog")
    messages(page).get_by_role("button", name="Get GPUs").click()
    dialog.get_by_label("GPU", exact=True).select_option("H100")
    dialog.get_by_label("Region").select_option("EU")
    dialog.get_by_label("For how long").fill("90m")
    dialog.get_by_role("checkbox", name="Cleo").check()
    dialog.get_by_label("Note (optional)").fill("a < b & c")
    expect(dialog).to_contain_text(
        re.compile(r"From \$2\.15/h, about \$\d+\.\d\d for .*: 1x H100 in EU, on demand")
    )
    expect(dialog.get_by_label("Note (optional)")).to_be_focused()
    expect(dialog.get_by_label("Note (optional)")).to_have_value("a < b & c")
    page.reload()
    expect(dialog.get_by_label("GPU", exact=True)).to_have_value("H100")
    expect(dialog.get_by_label("Region").locator("option:checked")).to_have_text("EU")
    expect(dialog.get_by_role("checkbox", name="Cleo")).to_be_checked()
    expect(dialog.get_by_label("Note (optional)")).to_have_value("a < b & c")
    dialog.get_by_label("For how long").fill("moon")
    dialog.get_by_role("button", name="Show offers").click()
    expect(dialog.get_by_label("For how long")).to_be_focused()
    expect(dialog.get_by_label("For how long")).to_have_attribute("aria-invalid", "true")
    accessible(page)
    dialog.get_by_label("For how long").fill("90m")
    dialog.get_by_role("button", name="Show offers").click()
    expect(dialog).to_have_count(0)


def plain_text(text: str) -> dict[str, str]:
    return {"type": "plain_text", "text": text}


def drawn(within: Locator, title: str) -> Counter[str]:
    """Count the shapes of each kind in a chart."""
    chart = within.get_by_role("img", name=f"{title}: the numbers follow as a table")
    expect(chart).to_be_visible()
    return Counter(chart.evaluate("chart => [...chart.children].map(shape => shape.tagName)"))


def options(*texts: str) -> list[dict[str, Any]]:
    return [{"text": plain_text(text), "value": text.lower()} for text in texts]


def labels_stand_apart(page: Page, title: str) -> None:
    """Wait until the chart is drawn for its current width: no texts overlap, and none lies outside."""
    page.wait_for_function(
        """title => {
            const chart = document.querySelector(`[role=img][aria-label^="${title}"]`);
            const {left, right} = chart.closest(".content").getBoundingClientRect();
            const all = [...chart.querySelectorAll("text")].map(text => text.getBoundingClientRect());
            const beside = (a, b) => a.right <= b.left || b.right <= a.left;
            const apart = (a, b) => beside(a, b) || a.bottom <= b.top || b.bottom <= a.top;
            return all.every(box => left <= box.left && box.right <= right)
                && all.every((a, n) => all.slice(n + 1).every(b => apart(a, b)));
        }""",
        arg=title,
    )


def test_blocks_that_the_bot_does_not_send_are_shown_too(open_page: Open, sandbox: Sandbox) -> None:
    page = open_page(ANA, GPUS)
    groups = [{"label": plain_text("Vendors"), "options": options("Nebius")}]
    sizes = [[{"type": "raw_text", "text": "Size"}], *([{"type": "raw_number", "value": n}] for n in range(25))]
    values = (("idle", 3), ("working", 5), ("not seen", -1))
    points = [{"label": label, "value": value} for label, value in values]
    axes = {"axis_config": {"categories": [label for label, _ in values]}}
    blocks = [
        {"type": "header", "text": plain_text("A header")},
        {"type": "divider"},
        {"type": "section", "fields": [plain_text("Left"), plain_text("Right")]},
        {
            "type": "actions",
            "elements": [
                {"type": "radio_buttons", "action_id": "radio", "options": options("One", "Two")},
                {"type": "multi_static_select", "action_id": "multi", "options": options("Red", "Blue")},
                {"type": "static_select", "action_id": "grouped", "option_groups": groups},
                {
                    "type": "users_select",
                    "action_id": "user",
                    "placeholder": plain_text("Who"),
                    "initial_user": BEN,
                },
                {"type": "datepicker", "action_id": "day", "initial_date": "2026-12-14"},
            ],
        },
        {"type": "data_table", "caption": "Sizes", "rows": sizes, "page_size": 10},
        {"type": "data_visualization", "title": "Use", "chart": {"type": "pie", "segments": points[:2]}},
    ]
    lines = [{"name": name, "data": points} for name in ("Ana", "Ben")]
    drawings = [
        {"type": "data_visualization", "title": f"As {kind}", "chart": {"type": kind, "series": lines, **axes}}
        for kind in ("line", "area")
    ]
    weeks = [f"{day} to {day + 6} November" for day in range(1, 21)]
    bars = [{"name": "Ana", "data": [{"label": label, "value": n} for n, label in enumerate(weeks)]}]
    many = {"type": "bar", "series": bars, "axis_config": {"categories": weeks}}
    blocks.append({"type": "data_visualization", "title": "By week", "chart": many})
    sandbox.as_app("chat.postMessage", channel=GPUS, text="for a test", blocks=blocks)
    sandbox.as_app("chat.postMessage", channel=GPUS, text="for a test too", blocks=drawings)
    message = messages(page).get_by_role("article").filter(has_text="A header")
    expect(message.get_by_role("heading", name="A header")).to_be_visible()
    expect(message).to_contain_text("LeftRight")
    message.get_by_role("radio", name="Two").check()
    message.get_by_role("checkbox", name="Blue").check()
    expect(message.get_by_role("combobox", name="Who")).to_have_value(BEN)
    expect(message.locator("input[type=date]")).to_have_value("2026-12-14")
    expect(message.locator("optgroup[label=Vendors] option")).to_have_text("Nebius")
    message.get_by_role("button", name="Later rows").click()
    expect(message.get_by_role("table", name="Sizes").get_by_role("cell").first).to_have_text("10")
    assert drawn(message, "Use") == {"circle": 2}
    message.get_by_text("Numbers: Use").click()
    expect(message.get_by_role("row", name="working 5")).to_be_visible()
    assert drawn(messages(page), "As line") == {"polyline": 2, "circle": 6, "line": 1, "text": 4}
    assert drawn(messages(page), "As area") == {"polygon": 2, "polyline": 2, "circle": 6, "line": 1, "text": 4}
    for size in (PHONE, SIZE):
        page.set_viewport_size(size)
        shown = drawn(messages(page), "By week")
        assert (shown["rect"], 2 < shown["text"] < len(weeks)) == (len(weeks), True)
        labels_stand_apart(page, "By week")
    accessible(page)
    page.reload()
    expect(message.get_by_role("radio", name="Two")).to_be_checked()
    expect(message.get_by_role("checkbox", name="Blue")).to_be_checked()


def step(n: int, title: str, status: str) -> dict[str, str]:
    return {"type": "task_card", "task_id": str(n), "title": title, "status": status}


def columns(fields: Locator) -> int:
    """Return the number of columns in which fields are arranged."""
    return len({round(field.bounding_box()["x"]) for field in fields.locator("p").all()})  # type: ignore[index]


def test_headers_fields_code_and_checklists_look_as_in_slack(open_page: Open, sandbox: Sandbox) -> None:
    page = open_page(BEN, APPROVALS)
    code = {"type": "rich_text_preformatted", "elements": [{"type": "text", "text": "ssh root@203.0.113.7"}]}
    fields = [
        {"type": "mrkdwn", "text": f"*{label}*\n{value}"} for label, value in (("Ends", "18:40"), ("Price", "$2"))
    ]
    statuses = ("complete", "error", "in_progress", "pending")
    steps = [step(n, f"Step {n}", status) for n, status in enumerate(statuses)]
    ready = [
        {"type": "header", "text": plain_text("Your machine is ready")},
        {"type": "rich_text", "elements": [code]},
        {"type": "section", "fields": fields},
    ]
    starting = {"type": "plan", "title": "Starting: k7mq2", "tasks": steps}
    sandbox.as_app("chat.postMessage", channel=APPROVALS, text="Ready", blocks=[*ready, starting])
    message = messages(page).get_by_role("article").filter(has_text="Your machine is ready")
    expect(message.get_by_role("heading", name="Your machine is ready")).to_be_visible()
    expect(message.locator("pre")).to_have_text("ssh root@203.0.113.7")
    message.locator("pre").click()  # one click selects the whole text for copying
    assert page.evaluate("getSelection().toString()").strip() == "ssh root@203.0.113.7"
    assert columns(message.locator(".fields")) == 2
    page.set_viewport_size(PHONE)
    assert columns(message.locator(".fields")) == 1
    expect(message.get_by_role("heading", name="Starting: k7mq2")).to_be_visible()
    said = ("done", "failed", "in progress", "not begun")
    expect(message.get_by_role("listitem")).to_have_text([f"Step {n}, {status}" for n, status in enumerate(said)])
    accessible(page)


def test_alerts_state_their_level_as_text_too(open_page: Open) -> None:
    """The test calls the page's module directly, because an app can open a dialog only within 3 s of a click."""
    page = open_page(ANA, GPUS)
    levels = {
        "warning": "Warning: ",
        "error": "Error: ",
        "success": "Done: ",
        "info": "Note: ",
        "default": "Note: ",
    }
    page.evaluate(
        """async levels => {
            const {blocks} = await import("/page/blocks.js");
            const text = [{text: "Everything on the disk will be deleted.", styles: ["bold"]}];
            const alerts = levels.map(level => ({type: "alert", level, text}));
            document.getElementById("composer").before(...blocks(alerts, {}));
        }""",
        list(levels),
    )
    said = [f"{words}Everything on the disk will be deleted." for words in levels.values()]
    expect(page.locator(".alert")).to_have_text(said)
    accessible(page)


def test_markup_in_names_and_messages_is_shown_as_text(open_page: Open, sandbox: Sandbox) -> None:
    name, text = "<img src=x onerror=alert(1)>", "<b>bold</b><script>alert(2)</script>"
    page = open_page(ANA, GPUS)
    with sandbox.renamed(GUS, name):
        sandbox.call("slack/_control/say", user=GUS, channel=GPUS, text=text)
        expect(messages(page)).to_contain_text(name)
        expect(messages(page)).to_contain_text(text)
        assert page.locator("#list :is(img, b, script)").count() == 0


def test_unread_places_are_bold_and_only_mentions_and_direct_messages_are_counted(
    open_page: Open, sandbox: Sandbox
) -> None:
    page = open_page(ANA, "home")
    shared = page.get_by_role("button", name="#shared")
    expect(shared).to_have_text("#shared")
    sandbox.call("slack/_control/say", user=BEN, channel=SHARED, text="morning")
    expect(shared).to_have_text("#shared new")
    sandbox.call("slack/_control/say", user=BEN, channel=SHARED, text="@ana, look")
    expect(shared).to_have_text("#shared1 new")
    shared.click()
    expect(messages(page)).to_contain_text("@Ana, look")
    expect(shared).to_have_text("#shared")


def test_a_message_has_its_thread_and_notification_text_next_to_it(open_page: Open, sandbox: Sandbox) -> None:
    page = open_page(ANA, TRAINING)
    blocks = [{"type": "section", "text": plain_text("Shown")}]
    sandbox.as_app("chat.postMessage", channel=TRAINING, text="Said by a phone", blocks=blocks)
    message = messages(page).get_by_role("article").filter(has_text="Shown")
    tools = message.get_by_role("toolbar")
    expect(tools).to_have_css("opacity", "0")
    message.hover()
    expect(tools).to_have_css("opacity", "1")
    expect(message.get_by_text("Said by a phone")).to_be_hidden()
    Keyboard(page).to(tools.get_by_role("button", name="Reply in thread"))
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    expect(message.get_by_text("Said by a phone")).to_be_visible()
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Enter")
    reply = page.get_by_role("combobox", name="A reply.")
    expect(reply).to_be_focused()
    page.keyboard.type("Thanks")
    page.keyboard.press("Enter")
    expect(message).to_contain_text("1 replyLast reply at")
    expect(page.get_by_role("heading", name="Try this")).to_be_hidden()  # the thread is shown in its place
    page.get_by_role("button", name="Close thread").click()
    expect(message.get_by_role("button", name="1 reply")).to_be_focused()


def test_if_two_people_approve_at_once_one_decides_and_the_other_is_informed(
    open_page: Open, sandbox: Sandbox
) -> None:
    policy = sandbox.folder / "policy.yml"
    policy.write_text(f"{policy.read_text()}approvers: {{people: [{BEN}, {CLEO}]}}\n")
    command = {"channel": GPUS, "command": "/gpu"}
    sandbox.call("slack/_control/command", user=BEN, text="policy reload", **command)
    key = KEY.replace("KuT", "KuU").replace("cleo", "ana")
    sandbox.call("slack/_control/command", user=ANA, text=f"key {key}", **command)
    pages = [open_page(user, GPUS) for user in (BEN, CLEO)]
    asking = open_page(ANA, GPUS)
    types(asking, "/gpu get 8xH100 EU for 4h")
    asking.get_by_role("button", name="Ask for $18.40/h").click()
    asking.get_by_role("dialog").locator("[type=submit]").click()
    for page in pages:
        page.get_by_role("button", name=re.compile("^Approve up to")).click()
        expect(page.get_by_role("dialog")).to_be_visible()
    accessible(pages[0])
    at = pages[0].evaluate("Date.now()") + 500
    for page in pages:
        page.evaluate(
            """at => {
                const approve = document.querySelector("[role=dialog] [type=submit]");
                setTimeout(() => approve.click(), at - Date.now());
            }""",
            at,
        )
    for page in pages:
        expect(messages(page)).to_contain_text(re.compile("(Ben|Cleo) approved"))
    early, late = sorted(pages, key=lambda page: page.get_by_role("dialog").count())
    expect(early.get_by_role("dialog")).to_have_count(0)
    expect(late.get_by_role("dialog")).to_contain_text(re.compile("(Ben|Cleo) approved .* before you"))
