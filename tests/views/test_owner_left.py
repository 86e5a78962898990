"""What admins read of a rental whose owner left the workspace."""

from __future__ import annotations

from inline_snapshot import snapshot

from bot.lifecycle.transitions import begin_destroying
from bot.model.base import changed
from bot.model.event import EventKind as K
from bot.model.rental import Ending
from bot.model.state import State
from handlers.views.direct_message import direct_message
from tests.views.screens import direct, page
from tests.views.stories import ANA, BEN, CARL, RULES, clock, gone, happened, ready, waiting

LEFT = happened(K.OWNER_LEFT, clock(14, 10), None, id=7, people=(ANA,))
LATER = happened(K.OWNER_LEFT_LATER, clock(14, 20), CARL, id=8, until=clock(14, 20, day=25))
AGAIN = happened(K.OWNER_LEFT, clock(14, 30), None, id=9, people=(ANA,))
GIVEN = happened(K.OWNER_CHANGED, clock(14, 30), CARL, id=9, people=(ANA, BEN))
DESTROYING = changed(
    ready(LEFT), rental=begin_destroying(ready().rental, Ending(outcome=State.DESTROYED), clock(14, 40))
)


def test_each_admin_reads_whose_machine_it_was_what_it_costs_and_what_was_decided() -> None:
    assert page(
        direct(LEFT, ready(LEFT), to=CARL),
        direct(LEFT, ready(LEFT, LATER), to=CARL),
        direct(LEFT, ready(LEFT, AGAIN), to=CARL),
        direct(LEFT, ready(LEFT, GIVEN), to=CARL),
        direct(LEFT, DESTROYING, to=CARL),
        direct(LEFT, gone(), to=CARL),
        direct(LEFT, waiting(LEFT), to=CARL),
    ) == snapshot("""\

Ana left the workspace, and nobody else owns k7mq2, 1x H100 EU: $2.42/h, $4.96 so far. It is ready,
      until 18:40.
[Give it an owner] [Ask again tomorrow] [Destroy k7mq2]

Ana left the workspace, and nobody else owns k7mq2, 1x H100 EU: $2.42/h, $4.96 so far. It is ready,
      until 18:40. Carl says later: I ask again tomorrow at 14:20.
[Give it an owner] [Destroy k7mq2]

Ana left the workspace: k7mq2, 1x H100 EU. I asked again at 14:30.

Ana left the workspace. Carl made Ben the owner: k7mq2, 1x H100 EU.

Ana left the workspace: k7mq2, 1x H100 EU. It is being destroyed.

Ana left the workspace: k7mq2, 1x H100 EU. Destroyed 18:41.

Ana left the workspace, and nobody else owns p4wd9, 8x H100 EU. It waits for approval.
[Give it an owner] [Ask again tomorrow] [Withdraw]
""")


def test_the_message_changes_until_the_rental_is_over() -> None:
    for details, closed in ((DESTROYING, False), (gone(), True)):
        assert direct_message(LEFT, details, reader=CARL, rules=RULES, now=clock(14, 50)).closed is closed
