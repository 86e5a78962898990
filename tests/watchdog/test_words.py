"""The watchdog's messages: their wording, their length, and the handling of text from outside."""

from __future__ import annotations

import re
import textwrap
from datetime import timedelta
from decimal import Decimal

from inline_snapshot import snapshot

from bot.model.base import changed
from bot.watchdog import words
from bot.watchdog.state import Account, BotAnswer, Living, Options, Outage, Poll, State
from tests.watchdog.test_policy import DEAD, MINUTE, SICK, STRANGE, TWO, at, living, machine

OPTIONS = Options(destroy=True, admins=("U0CLEO000", "U0BEN0000"), host="bastion")
MACHINES = (machine(1, at(1.5)), machine(2, at(-0.5)), machine(3, None, owner_name=None))
STRANGER = Living(
    resource_id="res-9", name="gpubot-x", rate=Decimal("3.4567"), since=at(-50), gpus="1x A100 PCIe 80 GB"
)


def warning(bot: BotAnswer, account: tuple[Living, ...] | None, *, destroy: bool = True, **known: object) -> str:
    state = changed(State(answered_at=TWO, machines=MACHINES), **known)
    market = Account(living=account, trouble="Compute Clear can't be reached.")
    poll = Poll(at=at(0.25), continues=True, bot=bot, account=market)
    return words.warning(state, Outage(since=TWO), poll, changed(OPTIONS, destroy=destroy))


def shown(text: str) -> str:
    """Return a message as lines of a page, with its times in UTC."""
    text = re.sub(r"<!date\^[^|]*\|([^>]*)>", r"\1", text)
    return "\n".join(textwrap.fill(line, 100) for line in text.splitlines())


def test_an_unreachable_bot_may_still_be_running() -> None:
    assert shown(warning(DEAD, (*living(1, 2, 3), STRANGER))) == snapshot("""\
<@U0CLEO000> <@U0BEN0000> This is gpubot's watchdog. I haven't been able to reach gpubot since 02:00
UTC (nothing accepts connections at its address). It may still be running. I don't know whether
anyone has extended a machine since then.
4 machines are running, at about $9.76/h.
Machines that haven't reached their end:
• `1x H100 SXM 80 GB (k7mq1)`, `Ana`, $2.10/h, until 03:30 UTC at the latest
Machines past their end:
• `1x H100 SXM 80 GB (k7mq2)`, `Ana`, $2.10/h, past its end since 01:30 UTC
Machines with an unknown end:
• `1x H100 SXM 80 GB (k7mq3)`, `U0ANA0000`, $2.10/h, end unknown
Not on gpubot's list of machines, so I'll never delete them:
• `gpubot-x` (`res-9`), `1x A100 PCIe 80 GB`, about $3.46/h, since Sun 22 Nov 00:00 UTC
Shutting a machine down from inside doesn't stop billing. If gpubot doesn't recover, I'll delete
machines once they are at least 2 h past their end. I'll announce each deletion an hour before.\
""")


def test_a_bot_that_is_not_well_says_why() -> None:
    assert shown(warning(SICK, living(1), destroy=False)) == snapshot("""\
<@U0CLEO000> <@U0BEN0000> This is gpubot's watchdog. gpubot has had a problem since 02:00 UTC: `the
database can't be written`. I don't know whether anyone has extended a machine since then.
1 machine is running, at $2.10/h.
Machines that haven't reached their end:
• `1x H100 SXM 80 GB (k7mq1)`, `Ana`, $2.10/h, until 03:30 UTC at the latest
Shutting a machine down from inside doesn't stop billing. I won't delete anything.\
""")
    assert shown(warning(changed(SICK, machines=MACHINES), ())) == snapshot("""\
<@U0CLEO000> <@U0BEN0000> This is gpubot's watchdog. gpubot has had a problem since 02:00 UTC: `the
database can't be written`.
No machine is running on the account.\
""")


def test_something_else_responds_at_the_bots_address() -> None:
    assert shown(warning(STRANGE, None, answered_at=TWO - MINUTE, machines=MACHINES[:1])) == snapshot("""\
<@U0CLEO000> <@U0BEN0000> This is gpubot's watchdog. gpubot hasn't sent me a list of its machines
since 02:00 UTC: it rejects my GPUBOT_MACHINES_TOKEN. Something answers at its address, so gpubot is
probably running. I don't know whether anyone has extended a machine since 01:59 UTC.
I can't see which machines are running: `Compute Clear can't be reached.`
gpubot's list of 01:59 UTC has 1 machine, at $2.10/h:
• `k7mq1`, `Ana`, $2.10/h, until 03:30 UTC at the latest
Shutting a machine down from inside doesn't stop billing. I won't delete anything.\
""")


def test_a_watchdog_that_never_got_an_answer_knows_no_ends() -> None:
    assert shown(warning(DEAD, (STRANGER,), answered_at=None, machines=())) == snapshot("""\
<@U0CLEO000> <@U0BEN0000> This is gpubot's watchdog. I haven't been able to reach gpubot since 02:00
UTC (nothing accepts connections at its address). It may still be running. I don't know when
gpubot's machines end, because it has never sent me a list of them.
1 machine is running, at about $3.46/h.
I'll never delete these, because gpubot has never reported them to me:
• `gpubot-x` (`res-9`), `1x A100 PCIe 80 GB`, about $3.46/h, since Sun 22 Nov 00:00 UTC
Shutting a machine down from inside doesn't stop billing. I won't delete a machine as long as I
don't know its end.\
""")


def test_text_from_outside_mentions_nobody_and_formats_nothing() -> None:
    evil = "<!channel> `*x*`\n<@U0BEN0000>"
    named = machine(1, at(1), owner_name=evil, rental_id=evil, resource_id=evil)
    stranger = Living(resource_id="res-9", name=evil, rate=None, since=None)
    known = Living(resource_id=evil, name=evil, rate=None, since=None)
    bot = BotAnswer(trouble=DEAD.trouble, why=evil)
    text = warning(bot, (stranger, known), machines=(named,)) + words.not_deleted(named, TWO, evil, {evil: evil})
    assert text.count("<@") == len(OPTIONS.admins)
    assert "<!" not in text.replace("<!date^", "")
    assert "`&lt;!channel&gt; '*x*' &lt;@U0BEN0000&gt;`" in text


def test_a_message_lists_twenty_machines_and_counts_the_others() -> None:
    many = tuple(machine(n, at(9), owner_name="A" * 300) for n in range(500))
    for account in (living(*range(500)), None):
        text = warning(DEAD, account, machines=many)
        assert text.count("•") == words.MOST_LISTED
        assert "and 480 more" in text
        assert "$1,050.00/h" in text
        assert len(text) < 4000, "Slack asks for at most 4,000 characters (docs.slack.dev/reference/methods)"


def test_dates_are_shown_only_for_distant_times() -> None:
    assert words._time(TWO, TWO + timedelta(hours=3)) == "<!date^1795485600^{time}|02:00 UTC>"
    assert (
        words._time(TWO, TWO + timedelta(days=3)) == "<!date^1795485600^{date_short} {time}|Tue 24 Nov 02:00 UTC>"
    )
