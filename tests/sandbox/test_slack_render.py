"""Messages of the app, rendered as a person reads them."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from sandbox.slack.render import Reader, buttons, mrkdwn, reads
from tests.sandbox.slack_world import Json, actions, button, section, text_input

NOW = datetime(2026, 11, 24, 21, 30, tzinfo=UTC)
BERLIN = Reader(
    tz="Europe/Berlin",
    now=NOW,
    person={"U1": "Ana"}.get,
    channel={"C1": "gpus"}.get,
    group={"S1": "approvers"}.get,
)
NEW_YORK = replace(BERLIN, tz="America/New_York")


def at(moment: datetime, form: str, fallback: str = "later") -> str:
    return f"<!date^{int(moment.timestamp())}^{form}|{fallback}>"


@pytest.mark.parametrize(
    ("sent", "read"),
    [
        ("<@U1> in <#C1>, <!subteam^S1>", "@Ana in #gpus, @approvers"),
        ("<@U9> <@U9|eve> <#C9|lab>", "@U9 @eve #lab"),
        ("<!here> <!channel> <!everyone>", "@here @channel @everyone"),
        ("a &lt;b&gt; &amp; c &amp;lt;", "a <b> & c &lt;"),
        ("<https://x.example/a?b=1&amp;c=2> <https://x.example|the docs>", "https://x.example/a?b=1&c=2 the docs"),
        ("*Ready*: _1x_ ~H100~ `nvidia-smi -l *`", "Ready: 1x H100 nvidia-smi -l *"),
        ("8*H100*2 snake_case_name 3 * 4 * 5", "8*H100*2 snake_case_name 3 * 4 * 5"),
        ("```ssh root@203.0.113.7\n# *as is*```", "ssh root@203.0.113.7\n# *as is*"),
        ("&gt; quoted\n&gt;twice", "quoted\ntwice"),
        (":rocket: stays", ":rocket: stays"),
        ("a < b", "a < b"),
        ("J*not boldJ*J *boldJ*J J_n_J".replace("J", "\u2060"), "*not bold* *bold* _n_"),
        ("Z*boldZ*Z".replace("Z", "\u200b"), "\u200bbold\u200b\u200b"),
    ],
)
def test_mrkdwn_reads_without_its_formatting(sent: str, read: str) -> None:
    assert mrkdwn(sent, BERLIN) == read


@pytest.mark.parametrize(
    ("form", "in_berlin", "in_new_york"),
    [
        ("{time}", "23:05", "17:05"),
        ("{date_short_pretty} {time}", "today 23:05", "today 17:05"),
        ("{date_num}", "2026-11-24", "2026-11-24"),
        ("{date}", "November 24th, 2026", "November 24th, 2026"),
        ("{date_long}", "Tuesday, November 24th, 2026", "Tuesday, November 24th, 2026"),
        ("in {ago}", "in in 35 minutes", "in in 35 minutes"),
        ("no token", "later", "later"),
    ],
)
def test_dates_are_shown_in_the_readers_zone(form: str, in_berlin: str, in_new_york: str) -> None:
    sent = at(datetime(2026, 11, 24, 22, 5, tzinfo=UTC), form)
    assert (mrkdwn(sent, BERLIN), mrkdwn(sent, NEW_YORK)) == (in_berlin, in_new_york)


def test_the_age_of_a_time_grows_with_the_readers_clock() -> None:
    sent = at(BERLIN.now - timedelta(minutes=1), "{ago}")
    later = replace(BERLIN, now=BERLIN.now + timedelta(hours=2))
    assert (mrkdwn(sent, BERLIN), mrkdwn(sent, later)) == ("1 minute ago", "2 hours ago")


def test_today_and_tomorrow_are_days_of_the_readers_zone() -> None:
    sent = at(datetime(2026, 11, 25, 0, 30, tzinfo=UTC), "{date_short_pretty} {time}")
    assert (mrkdwn(sent, BERLIN), mrkdwn(sent, NEW_YORK)) == ("tomorrow 01:30", "today 19:30")
    far = at(datetime(2026, 12, 1, 12, tzinfo=UTC), "{date_short_pretty}")
    assert mrkdwn(far, BERLIN) == "Dec 1, 2026"


def test_an_invalid_date_shows_its_fallback() -> None:
    assert mrkdwn("<!date^soon^{time}|13:05 UTC>", BERLIN) == "13:05 UTC"
    assert mrkdwn(f"<!date^{10**30}^{{time}}|13:05 UTC>", BERLIN) == "13:05 UTC"


def test_the_texts_of_buttons_and_menus_are_left_out() -> None:
    blocks: list[Json] = [
        {"type": "header", "text": {"type": "plain_text", "text": "Offers"}},
        section("1x *H100*", accessory=button("Rent", "rent")),
        {"type": "section", "fields": [{"type": "mrkdwn", "text": "a"}, {"type": "mrkdwn", "text": "b"}]},
        {"type": "divider"},
        {
            "type": "context",
            "elements": [{"type": "mrkdwn", "text": "until <@U1>"}, {"type": "plain_text", "text": "&amp;"}],
        },
        {**text_input("note"), "hint": {"type": "plain_text", "text": "public"}},
        {"type": "alert", "text": {"type": "mrkdwn", "text": "*Gone*"}},
        {
            "type": "plan",
            "title": "Starting",
            "tasks": [{"title": "SSH", "status": "in_progress"}, {"title": "End"}],
        },
        {
            "type": "rich_text",
            "elements": [
                {"type": "rich_text_preformatted", "elements": [{"type": "text", "text": "ssh *a*\nls"}]}
            ],
        },
        actions(button("Refresh", "refresh")),
    ]
    assert reads(blocks, BERLIN).splitlines() == [
        "Offers",
        "1x H100",
        "a",
        "b",
        "until @Ana &amp;",
        "Note",
        "public",
        "Gone",
        "Starting",
        "in progress: SSH",
        "End",
        "ssh *a*",
        "ls",
    ]


def test_buttons_are_shown_with_everything_needed_to_click_them() -> None:
    block = {"block_id": "b", **actions(button("Destroy", "destroy", "k7", style="danger"))}
    assert buttons([block], BERLIN) == [
        {
            "text": "Destroy",
            "action_id": "destroy",
            "block_id": "b",
            "value": "k7",
            "style": "danger",
            "type": "button",
        }
    ]
