"""Short private replies to commands and clicks, and errors."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from enum import Enum

import pytest
from inline_snapshot import snapshot

from bot.errors import (
    AlreadyDecided,
    BuyingBlock,
    BuyingBlocked,
    Decision,
    GpubotError,
    Line,
    Mistake,
    NeedsKey,
    NextStep,
    OwnerOnly,
    PrivateKey,
    Refused,
    RequestChanged,
    RequestMistake,
)
from bot.model.state import State
from bot.model.summary import PeopleAsked
from handlers.messages import replies
from handlers.phrases.blocks import Rendered
from handlers.phrases.error_text import BLOCKS, DECISIONS, NEXT_STEPS
from tests.views.screens import message, page
from tests.views.stories import LONGER, H, clock, extended, reading, ready, rental, request, waiting

NOW = clock(14, 40)
LONG_LINE = Line("8x H100 in EU (spot) -- " + "long " * 20, "8x H100 in EU (spot) -- " + "long " * 20)
READER = reading(NOW)


def texts(*answers: Rendered) -> str:
    return page(*(message(answer, NOW) for answer in answers))


def test_an_error_says_what_to_do_instead() -> None:
    errors: tuple[GpubotError, ...] = (
        RequestMistake(
            'I don\'t know a GPU called "H10". Similar names: H100, H200, A10.', Line("H100 EU", "H100 EU")
        ),
        RequestMistake(
            '"us" can mean the region US, or you and your team.', Line("H100 US", "H100 US"), LONG_LINE
        ),
        RequestMistake('I don\'t know "training".', Line("H100", "H100"), without=True),
        RequestMistake('I can\'t exclude things, as in "not eu". Type what you want instead.'),
        Refused("Only approvers can decide about requests. Nothing was changed."),
        AlreadyDecided("p4wd9", Decision.APPROVED, name="Ben", own=False, ago=timedelta(seconds=2)),
        RequestChanged(
            "The request p4wd9 has changed, so your click decided nothing. Check the new version.", "p4wd9"
        ),
        PrivateKey(),
        NeedsKey(github=True),
        Refused("I can't be used in this channel.", channels=("C0GPUS", "C0TRAIN")),
        Mistake("I don't know zzzzz.", next_step=NextStep.LIST_YOURS),
        BuyingBlocked(BuyingBlock.PAUSED),
        BuyingBlocked(BuyingBlock.UNAUTHORIZED),
    )
    assert texts(*map(replies.error, errors)) == snapshot("""\

I don't know a GPU called "H10". Similar names: H100, H200, A10. Try: /gpu get H100 EU
[Show H100 EU] [Choose from a list]

"us" can mean the region US, or you and your team. Try: /gpu get H100 US, or /gpu get 8x H100 in EU
      (spot) -- long long long long long long long long long long long long long long long long long
      long long long
[Show H100 US] [Show suggestion 2] [Choose from a list]

I don't know "training". Without it: /gpu get H100
[Show H100] [Choose from a list]

I can't exclude things, as in "not eu". Type what you want instead.
[Choose from a list]

Only approvers can decide about requests. Nothing was changed.

Ben approved the request for p4wd9, 2 s before you. This time, nothing was changed.
[Show p4wd9]

The request p4wd9 has changed, so your click decided nothing. Check the new version.
[Show p4wd9]

That was a private key. I didn't keep it and no channel shows it, but it went through Slack. Create
      a new key pair, then type /gpu key with the line of its .pub file.

To log in, you'll need an SSH key. Add your public key and I'll continue; nothing has been rented
      yet.
[Add SSH key] [Use my GitHub keys]

I can't be used in this channel. Ask in <#C0GPUS>, <#C0TRAIN>, or in a direct message to me.

I don't know zzzzz. /gpu list shows your machines.

Buying is paused. An admin can end the pause with /gpu resume. Nothing was rented.

Compute Clear rejects my API token, so I can't rent anything. The admins know. Nothing was rented.
""")


@pytest.mark.parametrize("words", [NEXT_STEPS, BLOCKS, DECISIONS])
def test_every_fact_of_an_error_has_a_text(words: Mapping[Enum, str]) -> None:
    assert set(words) == set(type(next(iter(words))))


@pytest.mark.parametrize(
    ("decision", "name", "own", "ago", "text"),
    [
        (
            Decision.DENIED,
            "Ben",
            False,
            timedelta(seconds=0.9),
            "Ben declined the request for p4wd9, a moment before you.",
        ),
        (
            Decision.APPROVED,
            "Ben",
            False,
            timedelta(minutes=3, seconds=59),
            "Ben approved the request for p4wd9, 3 min before you.",
        ),
        (
            Decision.WITHDREW,
            None,
            False,
            timedelta(hours=26),
            "Someone else withdrew the request for p4wd9, 26 h before you.",
        ),
        (
            Decision.APPROVED,
            "Ana",
            True,
            timedelta(seconds=59),
            "You already approved the request for p4wd9 59 s ago.",
        ),
        (Decision.GAVE_OWNER, "Cleo", False, timedelta(0), 'Cleo chose "Assign an owner", a moment before you.'),
        (Decision.NOT_OURS, "Cleo", True, timedelta(hours=1), 'You already chose "Not ours" 1 h ago.'),
        (
            Decision.DENIED,
            "<!here>",
            False,
            timedelta(0),
            "&lt;!here&gt; declined the request for p4wd9, a moment before you.",
        ),
    ],
)
def test_the_reply_to_a_late_click_names_the_person_who_decided(
    decision: Decision, name: str | None, *, own: bool, ago: timedelta, text: str
) -> None:
    shown = replies.error(AlreadyDecided("p4wd9", decision, name=name, own=own, ago=ago))
    assert shown.text == f"{text} This time, nothing was changed."


@pytest.mark.parametrize(("owner", "text"), [("Ana", "Only Ana"), (None, "Only the owner")])
def test_only_the_owner_gets_the_ssh_command(owner: str | None, text: str) -> None:
    shown = replies.error(OwnerOnly("k7mq2", owner))
    assert shown.text == f"{text} and the teammates on k7mq2 can see its SSH command."


def test_people_and_channels_in_an_error_are_never_pinged() -> None:
    shown = replies.error(Mistake('I don\'t know "<!channel> <@U1>".'))
    assert shown.text == 'I don\'t know "&lt;!channel&gt; &lt;@U1&gt;".'


def test_the_reply_after_a_bug_has_a_number_and_only_certain_facts() -> None:
    assert texts(
        replies.bug("E-4F2K", rented=False),
        replies.bug("E-4F2K"),
        replies.store_busy(),
    ) == snapshot("""\

Something went wrong on my side. Nothing was rented. Give an admin this number: E-4F2K.

Something went wrong on my side. /gpu list shows what is rented. Give an admin this number: E-4F2K.

I couldn't save anything just now, so nothing was changed. Try again in a moment.
""")


def test_the_reply_to_a_click_on_an_offer_links_to_the_card() -> None:
    until = rental(State.PROCURING, request=request(until=clock(18, 0)))
    rentals = [rental(State.PROCURING), until, waiting().rental]
    shown = texts(*map(replies.rented, rentals))
    assert shown == snapshot("""\

Renting 1x H100 (k7mq2) in EU, from $2.15/h. Follow it in <#C0TRAIN>.

Renting 1x H100 (k7mq2) in EU, from $2.15/h, running until today at 18:00. Follow it in <#C0TRAIN>.

I've asked for approval: 8x H100 (p4wd9) in EU, at up to $21.16/h. Follow it in <#C0TRAIN>.
""")


def test_the_reply_to_extend_and_keep_says_when_the_lease_ends() -> None:
    use = ready().rental
    assert texts(
        replies.extended(extended(use, timedelta(hours=5, minutes=8)), READER.times),
        replies.extended(extended(use, 2 * H, sees_money=False), READER.times),
        replies.extended(extended(ready(extension=LONGER).rental, 24 * H, waits=True), READER.times),
        replies.extended(
            extended(
                ready(extension=LONGER).rental,
                24 * H,
                waits=True,
                asked=PeopleAsked(names=("Ben",), admins_decide=False),
            ),
            READER.times,
        ),
        replies.extended_just_now(use, 2 * H, READER),
        replies.still_needed(use, clock(15, 40), READER),
        replies.still_needed(use, clock(18, 40), READER),
        replies.still_needed(use, None, READER),
    ) == snapshot("""\

You extended 1x H100 (k7mq2) by 5 h 8 min, about $12.42. It ends at 18:40.

You extended 1x H100 (k7mq2) by 2 h. It ends at 18:40.

I've asked for 24 h more for 1x H100 (k7mq2), about $58.08. Unless someone approves, it ends at
      18:40.

I've asked Ben for 24 h more for 1x H100 (k7mq2), about $58.08. Unless someone approves, it ends at
      18:40.

You extended 1x H100 (k7mq2) by 2 h just now, so nothing more was added. It ends at 18:40.
[Extend 2 h more, about $4.84]

You said that you still need 1x H100 (k7mq2). I'll ask again at 15:40. It still ends at 18:40.
[Extend 2 h, about $4.84]

You said that you still need 1x H100 (k7mq2). It still ends at 18:40, and I won't ask again before
      that.
[Extend 2 h, about $4.84]

You said that you still need 1x H100 (k7mq2). It still ends at 18:40, and I won't ask again before
      that.
[Extend 2 h, about $4.84]
""")


def test_the_reply_to_destroy_says_if_confirmation_is_pending() -> None:
    destroying, withdrawn = ready(state=State.DESTROYING).rental, waiting(state=State.WITHDRAWN).rental
    assert texts(replies.ending(destroying), replies.ending(withdrawn)) == snapshot("""\

I'm destroying 1x H100 (k7mq2) in EU. I'll say in <#C0TRAIN> when the vendor has confirmed the
      deletion.

The request for 8x H100 (p4wd9) in EU was withdrawn.
""")


def test_other_replies_describe_the_current_state() -> None:
    assert texts(
        replies.paused(True, "C0GPUS"),
        replies.paused(False, "C0GPUS"),
        replies.resumed(True),
        replies.resumed(False),
        replies.newer_version(
            "The request p4wd9 has changed, so your click decided nothing. Here is the new version.",
            replies.reply("Ana wants 8x H100 (p4wd9) in EU for 4 h."),
        ),
        replies.begin_with_mention("U0BOT", "get H100 EU until 18:00"),
    ) == snapshot("""\

Buying is paused. <#C0GPUS> will be told. Machines can still be destroyed. To end the pause: /gpu
      resume

Buying was already paused. Machines can still be destroyed. To end the pause: /gpu resume

Buying has resumed, so machines can be rented again.

Buying wasn't paused.

The request p4wd9 has changed, so your click decided nothing. Here is the new version.
Ana wants 8x H100 (p4wd9) in EU for 4 h.

Nothing was done. If you meant a command, begin with my name: <@U0BOT> get H100 EU until 18:00
""")
