"""Lists, dialogs and short answers in their words."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from bot.errors import Changed, Mistake, PrivateKey, Refused, TooLate
from bot.model.attempt import Why
from bot.model.base import changed
from bot.model.event import EventKind
from bot.model.offer import Catalog
from bot.model.person import Key
from bot.model.quote import Quote, QuoteState
from bot.model.state import State
from handlers.ids import ANSWERS_WITH, Callback, Field
from handlers.views import lists, modals, offers, replies
from handlers.views.offers import Row
from tests.slack_limits import problems_of_view, text_objects
from tests.views.stories import (
    ANA,
    BEN,
    HYPERSTACK,
    RULES,
    H,
    M,
    clock,
    envelope,
    gone,
    happened,
    labels,
    lease,
    listed,
    making,
    read,
    ready,
    rental,
    request,
    waiting,
)

K = EventKind
NOW = clock(14, 40)
CATALOG = Catalog(
    gpus={"H100": ("nvidia-h100-sxm5-80gb", "nvidia-h100-pcie-80gb"), "A100": ("nvidia-a100-sxm4-80gb",)},
    vendors=("hyperstack", "nebius"),
    regions=("US", "EU"),
    contracts=("ondemand", "spot"),
    read_at=clock(14, 0),
)
KEY = Key(line="ssh-ed25519 AAAA", comment="you@laptop", fingerprint="SHA256:abc", set_at=NOW)


def says(view: dict[str, Any]) -> str:
    return "\n".join(block["text"]["text"] for block in view["blocks"] if block["type"] == "section")


class TestLists:
    def test_mine(self) -> None:
        live = listed(ready(), own="2.42", own_amount=4_960_000, team="4.57", team_amount=5_020_000)
        shown = lists.listing(live, reader=ANA, everyone=False, sees_money=False, rules=RULES, now=NOW)
        assert read(shown.text, NOW).splitlines() == [
            "Ready: 1x H100 EU, k7mq2. $2.42/h, $4.96 so far. Ends 18:40.",
            "You: $2.42/h now, $4.96 so far. Team: $4.57/h now, $5.02 so far.",
        ]
        assert labels(shown.blocks) == ["Details"]

    def test_before_its_first_attempt_it_costs_nothing_that_is_worth_a_word(self) -> None:
        shown = lists.listing(
            listed(waiting()), reader=ANA, everyone=False, sees_money=False, rules=RULES, now=NOW
        )
        assert read(shown.text, NOW).splitlines()[0] == (
            "Waiting for approval: 8x H100 EU, p4wd9. Lapses today at 22:05."
        )

    def test_the_money_of_others_is_not_for_everyone(self) -> None:
        for sees, line in (
            (False, "Ready: 1x H100 EU, Ana, k7mq2. Ends 18:40."),
            (True, "Ready: 1x H100 EU, Ana, k7mq2. $2.42/h, $4.96 so far. Ends 18:40."),
        ):
            shown = lists.listing(
                listed(ready()), reader=BEN, everyone=True, sees_money=sees, rules=RULES, now=NOW
            )
            assert read(shown.text, NOW).splitlines()[0] == line

    def test_nothing(self) -> None:
        shown = lists.listing(listed(), reader=ANA, everyone=False, sees_money=False, rules=RULES, now=NOW)
        assert shown.text == "You rent nothing now. Try: /gpu get H100 EU"

    def test_a_history_is_told_from_its_events(self) -> None:
        events = (
            happened(K.RENTING, clock(12, 36), vendor="hyperstack", rate=Decimal("2.15")),
            happened(
                K.ENDED,
                clock(18, 41),
                end=State.DESTROYED,
                span=6 * H + 4 * M,
                rate=Decimal("2.42"),
                amount=14_681_333,
                estimated=False,
            ),
        )
        details = changed(gone(*events), events=events)
        own = read(
            lists.show(details, reader=ANA, sees_money=False, rules=RULES, now=clock(19, 0)).text, clock(19, 0)
        )
        assert own.splitlines() == [
            "Destroyed: 1x H100 EU, Ana, k7mq2.",
            "6 h 4 min, $14.68. Nebius eu-north1. Allowed: up to $2.47/h, $16.06 in all. fine-tune run 7",
            "12:36  Renting from Hyperstack at $2.15/h.",
            "18:41  Gone, confirmed by the vendor. 6 h 4 min at $2.42/h: $14.68 computed.",
        ]
        other = lists.show(details, reader=BEN, sees_money=False, rules=RULES, now=clock(19, 0)).text
        assert "$" not in other
        assert "Renting from Hyperstack." in other

    def test_no_kind_of_event_shows_money_to_who_may_not_see_it(self) -> None:
        rich: dict[str, Any] = {
            "vendor": "nebius",
            "rate": Decimal(2),
            "before": Decimal(1),
            "before_vendor": "hyperstack",
            "max_rate": Decimal(3),
            "total": 9_000_000,
            "amount": 5_000_000,
            "estimate": 4_000_000,
            "why": Why.SOLD_OUT,
            "resource_id": "r-1",
        }
        events = tuple(happened(kind, clock(13, 0), BEN, **rich) for kind in EventKind)
        for end in (ready(), gone(), waiting(owner=ANA)):
            details = changed(end, events=events)
            text = lists.show(details, reader=BEN, sees_money=False, rules=RULES, now=NOW).text
            assert "$" not in text

    def test_ssh_is_for_the_owner(self) -> None:
        own = read(lists.ssh(ready(), reader=ANA, rules=RULES, now=NOW).text, NOW)
        assert own.splitlines()[:2] == ["Ready: your 1x H100 (k7mq2), until 18:40.", "`ssh root@203.0.113.7`"]
        assert lists.ssh(making(), reader=ANA, rules=RULES, now=NOW).text == (
            "k7mq2 can't be opened yet. Being made: 1x H100 EU. I send you the command when it is ready."
        )

    def test_catalog(self) -> None:
        assert read(lists.catalog(CATALOG, rules=RULES, now=NOW).text, NOW).splitlines() == [
            "H100: SXM 80 GB, PCIe 80 GB",
            "A100: SXM 80 GB",
            "Regions: US, EU.",
            "Contracts: on demand, spot.",
            "Vendors: Hyperstack, Nebius.",
            "As of 14:00. Try: /gpu get H100 EU",
        ]

    def test_help_names_pausing_to_admins_only(self) -> None:
        assert "/gpu pause" in lists.help_(admin=True, user=True, rules=RULES).text
        assert "/gpu pause" not in lists.help_(admin=False, user=True, rules=RULES).text
        assert "you decide alone" in lists.help_(admin=False, user=True, rules=RULES).text
        assert "you decide alone" not in lists.help_(admin=False, user=False, rules=RULES).text

    def test_home(self) -> None:
        shown = lists.home(listed(), reader=ANA, rules=RULES, now=NOW)
        assert shown.text.splitlines() == [
            "You rent nothing now.",
            "Team: $0.00/h now, $0.00 so far.",
            "/gpu get H100 EU shows offers. /gpu help shows the rest.",
        ]

    def test_home_says_how_many_more_there_are(self) -> None:
        shown = lists.home(listed(ready(), more=7), reader=ANA, rules=RULES, now=NOW)
        assert shown.text.splitlines()[1] == "7 more: /gpu list"


class TestDialogs:
    def test_destroying_names_what_and_what_it_has_cost(self) -> None:
        view = modals.destroy_confirm(ready(spent=14_070_000))
        assert view["title"]["text"] == "Destroy k7mq2?"
        assert says(view) == "1x H100, Ana. Everything on it is lost. $14.07 so far."
        assert (view["submit"]["text"], view["close"]["text"]) == ("Destroy k7mq2", "Go back")
        assert modals.destroy_confirm(making())["title"]["text"] == "Cancel k7mq2?"
        assert modals.destroy_confirm(waiting())["title"]["text"] == "Withdraw p4wd9?"

    def test_approving_much(self) -> None:
        view = modals.approve_confirm(waiting(), rules=RULES)
        assert view["submit"]["text"] == "Approve up to $137.54"
        assert says(view).splitlines() == [
            "8x H100 EU, 6 h, for Ana: fine-tune run 7",
            "Over the $10.00/h and $100.00 limits. Up to $21.16/h, $137.54 in all.",
        ]
        assert view["private_metadata"] == "p4wd9:1"

    def test_renting_much(self) -> None:
        quote = Quote(
            id="q1", state=QuoteState.FOUND, owner=ANA, asked_in="C0TRAIN", request=request(), created_at=NOW
        )
        view = modals.rent_confirm(quote, Row(offer=HYPERSTACK, envelope=envelope()), rules=RULES)
        assert view["submit"]["text"] == "Rent from $2.15/h"
        assert says(view).splitlines() == [
            "1x H100 EU from Hyperstack nor-1, $2.15/h, 6 h from ready.",
            "About $12.90, at most $16.06: if it sells out I take the next, up to $2.47/h.",
        ]
        asks = Row(offer=HYPERSTACK, envelope=envelope(price="18.40", total=137_540_000), needs_approval=True)
        assert modals.rent_confirm(quote, asks, rules=RULES)["submit"]["text"] == "Ask"

    def test_extending_offers_what_the_rules_allow(self) -> None:
        view = modals.extend(ready(), rules=RULES, now=clock(18, 10))
        assert says(view) == "1x H100, Ana. It ends in 30 min."
        choices = [choice["text"]["text"] for choice in view["blocks"][1]["element"]["options"]]
        assert choices[:2] == ["1 h, about $2.42", "2 h, about $4.84"]
        long = ready(lease=lease(clock(12, 40, day=27)))
        assert says(modals.extend(long, rules=RULES, now=NOW)) == (
            "A lease is at most 3 days; this one can't be longer."
        )

    def test_the_form_is_filled_in(self) -> None:
        wanted = request(max_gpu_rate=Decimal("3.00"), vendor="nebius", gpu="nvidia-h100-pcie-80gb")
        view = modals.form(CATALOG, rules=RULES, request=wanted)
        assert problems_of_view(view) == []
        elements = {block["block_id"]: block["element"] for block in view["blocks"]}
        assert elements[Field.GPU]["initial_option"]["text"]["text"] == "H100 PCIe 80 GB"
        assert elements[Field.VENDOR]["initial_option"]["value"] == "nebius"
        assert elements[Field.REGION]["initial_option"]["value"] == "EU"
        assert elements[Field.CAP]["initial_value"] == "3.00"
        assert elements[Field.LEASE]["initial_value"] == "6h"
        assert elements[Field.NOTE]["initial_value"] == "fine-tune run 7"
        empty = modals.form(CATALOG, rules=RULES)
        first = empty["blocks"][0]["element"]
        assert "initial_option" not in first
        assert [choice["value"] for choice in first["options"]][:2] == ["H100", "A100"]

    def test_every_dialog_with_a_submit_is_listed(self) -> None:
        assert set(ANSWERS_WITH) == set(Callback) - {Callback.NOTICE}


class TestShortAnswers:
    def test_a_wrong_word_gets_the_nearest(self) -> None:
        words = 'I don\'t know the GPU "H10". Nearest: H100, H200, A10. Try: /gpu get H100'
        shown = replies.error(Mistake(words, ("H100", "H200", "A10")))
        assert shown.text == words
        assert labels(shown.blocks) == ["Choose from a list"]

    def test_what_may_not_be_and_what_came_too_late(self) -> None:
        refused = replies.error(Refused("Only approvers decide this. I changed nothing."))
        assert refused.text == "Only approvers decide this. I changed nothing."
        late = replies.error(TooLate("Ben approved it 2 s before you. I changed nothing.", "p4wd9"))
        assert late.text == "Ben approved it 2 s before you. I changed nothing."
        assert labels(late.blocks) == ["Show p4wd9"]
        assert labels(replies.error(Changed("It has changed.", "p4wd9")).blocks) == ["Show p4wd9"]

    def test_words_of_others_stay_words(self) -> None:
        shown = replies.error(Mistake('I don\'t know "<!channel> <@U1>". Ask in <#C0GPUS>.'))
        assert shown.text == 'I don\'t know "&lt;!channel&gt; &lt;@U1&gt;". Ask in <#C0GPUS>.'

    def test_a_bug_has_a_number_and_says_nothing_that_is_not_known(self) -> None:
        assert replies.bug("E-4F2K", rented=False).text == (
            "Something broke on my side; nothing was rented. Tell an admin the number E-4F2K."
        )
        assert "nothing was rented" not in replies.bug("E-4F2K").text

    def test_keys(self) -> None:
        assert (
            replies.key_saved(KEY, 1).text == 'Your key "you@laptop" is set: SHA256:abc. Going on with 1 search.'
        )
        assert replies.error(PrivateKey()).text.startswith("That was a private key. I dropped it")
        assert labels(replies.key_shown(None).blocks) == ["Add SSH key"]

    def test_what_a_click_on_an_offer_made(self) -> None:
        assert replies.chosen(rental(State.PROCURING)).text == (
            "Renting: 1x H100 EU, k7mq2, from $2.15/h. Follow it in <#C0TRAIN>."
        )
        assert replies.chosen(waiting().rental).text == (
            "Asked for approval: 8x H100 EU, p4wd9, up to $21.16/h. Follow it in <#C0TRAIN>."
        )


def test_no_dialog_holds_a_clock_time() -> None:
    quote = Quote(
        id="q1", state=QuoteState.FOUND, owner=ANA, asked_in="C0TRAIN", request=request(), created_at=NOW
    )
    for view in (
        modals.destroy_confirm(ready()),
        modals.approve_confirm(waiting(), rules=RULES),
        modals.extend(ready(), rules=RULES, now=NOW),
        modals.rent_confirm(quote, Row(offer=HYPERSTACK, envelope=envelope()), rules=RULES),
        modals.key(KEY),
    ):
        assert not [one for one in text_objects(view) if "<!date" in one["text"]]
    assert offers.unanswered(quote, now=NOW).text.startswith("Compute Clear hasn't answered for 0 s.")
