"""The commands after `/gpu`, and the error messages for mistyped commands."""

from __future__ import annotations

import re
from contextlib import suppress
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.errors import Mistake
from bot.lifecycle.deps import random_id
from bot.model.base import changed
from bot.model.budget import ScopeKind
from handlers.typed.commands import (
    Command,
    Destroy,
    Extend,
    Keep,
    KeyFromGithub,
    KeySet,
    ListRentals,
    Longer,
    Pause,
    Plain,
    Show,
    Spend,
    Ssh,
)
from tests.handlers.parsing_helpers import CATALOG, MONDAY_NOON, command


def mistake(text: str) -> Mistake:
    with pytest.raises(Mistake) as caught:
        command(text)
    return caught.value


@pytest.mark.parametrize(
    ("text", "says", "nearest"),
    [
        ("get H10 EU", 'I don\'t know a GPU called "H10". Similar names: H100,', "H100"),
        ("get H10 EU", "Try: /gpu get H100 EU", "A10"),
        ("H10 EU", 'I don\'t know a GPU called "H10".', "H100"),
        ("get rtx4080", 'a GPU called "rtx4080"', "RTX 4090"),
        ("get EU", "Which GPU? Try: /gpu get H100 EU", None),
        ("get now", "Which GPU?", None),
        ("get h100 erope", 'I don\'t know "erope". Similar words: EU. Try: /gpu get H100 EU', "EU"),
        ("get h100 sopt", "Similar words: spot. Try: /gpu get H100 spot", "spot"),
        ("get h100 nebus", "Similar words: nebius. Try: /gpu get H100 vendor nebius", "nebius"),
        ("get h100 vendor nebus", 'I don\'t know a vendor called "nebus". Similar names: nebius.', "nebius"),
        ("get h100 in Narnia", 'I don\'t know the region "Narnia". Regions: US, EU, APAC, Other.', None),
        ("get h100 vendor spot", '"vendor" needs a name: nebius, hyperstack,', None),
        ("get h100 region 8x", '"region" needs a name: US, EU, APAC, Other.', None),
        ("get h100 1e999", 'I can\'t read "1e999"', None),
        ("get h100 under 1e999", 'I can\'t read the price "1e999".', None),
        ("get h100 max $999999999", "can't be right", None),
        ("get h100 max $3.000000001", "can't be right", None),
        ("get h100 for 999999999 weeks", "is too long", None),
        ("get h100 3 €", 'the price "3 €"', None),
        ("get h100 under $1.000,50", "A price of $1000.50 per GPU-hour can't be right.", None),
        ("get h100 under $2,000", 'I can\'t read the price "$2,000".', None),
        ("get h100 under $2,000.50", "A price of $2000.50 per GPU-hour can't be right.", None),
        ("get h100 24gb",
     'I don\'t know a GPU called "H100 24gb". Similar names: H100 SXM5 80GB, H100 PCIe 80GB.', "H100 PCIe 80GB"),
        ("get " + "h100 " * 300, "too long", None),
        ("get h100 " + "\ufdfa" * 900, "too long", None),
        ("get " + "1 " * 100, "too long", None),
        ("h100 " + "<" * 100, "too long", None),
        ("list " + "all " * 300, "too long", None),
        ("get h100 " + "x" * 900, '"' + "x" * 39 + '…"', None),
        (
            "destory p4wd9",
            'I don\'t know the command "destory". Similar: destroy. Try: /gpu destroy p4wd9, or /gpu help',
            "destroy",
        ),
        ("extnd", "Try: /gpu extend k7mq2, or /gpu help", "extend"),
        ("puase", "Similar: pause. Try: /gpu pause, or /gpu help", "pause"),
        ("resum", "Similar: resume.", "resume"),
        ("agian", "Similar: again. Try: /gpu again, or /gpu help", "again"),
        ("blah", 'I don\'t know the command "blah". /gpu list shows your machines, /gpu help all commands.', None),
        ("<script>", 'the command "script"', None),
        ("x" * 100_000, "too long", None),
        ("destroy k7mq2 p4wd9", "Name one machine at a time, by its ID", None),
        ("destroy p4wd9 in 2h", '"in 2h" here. /gpu destroy takes only an ID. Try: /gpu list', None),
        ("end p4wd9 tomorrow", 'I don\'t know "tomorrow" here. /gpu destroy takes only an ID.', None),
        ("extend p4wd9 2-3h", 'I don\'t know "2-3h" here. Try: /gpu extend p4wd9 2h', None),
        ("extend p4wd9 at least 2h", 'I don\'t know "at least 2h" here.', None),
        ("keep p4wd9 overnight", 'I don\'t know "overnight" here. Try: /gpu keep p4wd9 2h', None),
        ("extend p4wd9 500", "500 hours or 500 minutes? Try: /gpu extend p4wd9 500m", None),
        ("ssh k7-mq2", '"k7-mq2" isn\'t an ID', None),
        ("extend 30", "30 hours or 30 minutes? Try: /gpu extend 30h, or /gpu extend 30m", None),
        ("extend k7mq2 30", "30 hours or 30 minutes? Try: /gpu extend k7mq2 30h, or /gpu extend k7mq2 30m", None),
        ("keep k7mq2 4", "4 hours or 4 minutes?", None),
        ("extend k7mq2 to 6h",
     "By how much longer? Try: /gpu extend k7mq2 2h, or /gpu extend k7mq2 until 18:00", None),
        ("extend k7mq2 until", "Until when? Try: /gpu extend k7mq2 until 18:00", None),
        ("extend k7mq2 until 6", "Try: /gpu extend k7mq2 until 6am, or /gpu extend k7mq2 until 6pm", None),
        ("extend until tomorrow", "At what time tomorrow? Try: /gpu extend until tomorrow 18:00", None),
        ("extend k7mq2 2h until 18:00",
     "Type a length or an end, not both. Try: /gpu extend k7mq2 2h, or /gpu extend k7mq2 until 18:00", None),
        ("extend k7mq2 until next friday 18:00", "Until when? ", None),
        ("again 8x", "/gpu again takes nothing else: it looks again for your last request.", None),
        ("get h100 for 1h 30", 'I can\'t read the time "1h 30". Try: /gpu get H100 for 1h30m', None),
        ("get h100 1h 5", 'I can\'t read the time "1h 5". Try: /gpu get H100 for 1h5m', None),
        ("extend k7mq2 500h", "500h is too long", None),
        ("list foo", '"foo"', None),
        ("pause k7mq2", "takes only a reason", None),
    ],
)  # fmt: skip
def test_an_error_names_the_problem_and_what_to_type(text: str, says: str, nearest: str | None) -> None:
    found = mistake(text)
    assert says in found.words
    assert nearest is None or nearest in found.words
    assert len(found.words) < 400


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("", Plain.HOME),
        ("  \n ", Plain.HOME),
        ("/gpu", Plain.HOME),
        ("get", Plain.GET_FORM),
        ("rent ", Plain.GET_FORM),
        ("help", Plain.HELP),
        ("?", Plain.HELP),
        ("HELP me", Plain.HELP),
        ("catalog", Plain.CATALOG),
        ("catalogue", Plain.CATALOG),
        ("list", ListRentals()),
        ("list" + " " * 2000, ListRentals()),
        ("ls", ListRentals()),
        ("list mine", ListRentals()),
        ("what do I have", ListRentals()),
        ("What do I have running right now?", ListRentals()),
        ("what am I renting", ListRentals()),
        ("what's running", ListRentals()),
        ("ps", ListRentals()),
        ("ps all", ListRentals(all=True)),
        ("me", ListRentals()),
        ("my gpus", ListRentals()),
        ("\u200blist", ListRentals()),
        ("\u202alist\u202c", ListRentals()),
        ("\u200e/gpu\u00a0list\ufeff", ListRentals()),
        ("“list”", ListRentals()),
        ("*list*", ListRentals()),
        ("List.", ListRentals()),
        ("\u2066destroy\u2069 k7mq2", Destroy(id="k7mq2")),
        ("\u200bssh-ed25519 AAAA you@laptop\u200b", KeySet(line="ssh-ed25519 AAAA you@laptop")),
        ("ssh *k7mq2*", Ssh(id="k7mq2")),
        ("list all", ListRentals(all=True)),
        ("list of the team", ListRentals(all=True)),
        ("show k7mq2", Show(id="k7mq2")),
        ("show K7MQ2", Show(id="k7mq2")),
        ("show #k7mq2.", Show(id="k7mq2")),
        ("show `k7mq2`", Show(id="k7mq2")),
        ("ssh k7mq2", Ssh(id="k7mq2")),
        ("connect to my k7mq2", Ssh(id="k7mq2")),
        ("destroy k7mq2", Destroy(id="k7mq2")),
        ("delete k7mq2 now please", Destroy(id="k7mq2")),
        ("Cancel k7mq2", Destroy(id="k7mq2")),
        ("show", Show()),
        ("ssh", Ssh()),
        ("destroy it", Destroy()),
        ("keep", Keep()),
        ("keep for 4h", Keep(duration=timedelta(hours=4))),
        ("keep until 18:00", Longer(untils=(MONDAY_NOON + timedelta(hours=6),))),
        ("destroy all", Destroy()),
        ("extend", Extend()),
        ("extend 2h", Extend(duration=timedelta(hours=2))),
        ("extend 1h30m", Extend(duration=timedelta(hours=1, minutes=30))),
        ("extend until 18:00", Extend(until=MONDAY_NOON + timedelta(hours=6))),
        ("extend k7mq2 until fri 18:00", Extend(id="k7mq2", until=MONDAY_NOON + timedelta(days=4, hours=6))),
        ("extend until tomorrow at 9am k7mq2", Extend(id="k7mq2", until=MONDAY_NOON + timedelta(hours=21))),
        ("again", Plain.AGAIN),
        ("extend k7mq2", Extend(id="k7mq2")),
        ("extend k7mq2 2h", Extend(id="k7mq2", duration=timedelta(hours=2))),
        ("extend k7mq2 by 2 hours", Extend(id="k7mq2", duration=timedelta(hours=2))),
        ("extend k7mq2 for another 90m", Extend(id="k7mq2", duration=timedelta(minutes=90))),
        ("extend 2h k7mq2", Extend(id="k7mq2", duration=timedelta(hours=2))),
        ("extend k7mq2 for 2 more hours", Extend(id="k7mq2", duration=timedelta(hours=2))),
        ("extend k7mq2 2h30", Extend(id="k7mq2", duration=timedelta(hours=2, minutes=30))),
        ("extend k7mq2 +2h", Extend(id="k7mq2", duration=timedelta(hours=2))),
        ("extend k7mq2 by two hours", Extend(id="k7mq2", duration=timedelta(hours=2))),
        ("ssh into k7mq2", Ssh(id="k7mq2")),
        ("vendors", Plain.CATALOG),
        ("list everything", ListRentals(all=True)),
        ("extend 23456 2h", Extend(id="23456", duration=timedelta(hours=2))),
        ("extend 2222h", Extend(id="2222h")),
        ("keep k7mq2", Keep(id="k7mq2")),
        ("keep k7mq2 for 4h", Keep(id="k7mq2", duration=timedelta(hours=4))),
        ("pause", Pause()),
        ("pause bill check", Pause(reason="bill check")),
        ("pause -- bill check", Pause(reason="bill check")),
        ("resume", Plain.RESUME),
        ("spend", Spend()),
        ("costs", Spend()),
        ("bill of the team this month", Spend()),
        ("Budget", Spend()),
        ("spend me", Spend(kind=ScopeKind.PERSON)),
        ("costs mine today", Spend(kind=ScopeKind.PERSON, period="today")),
        ("spend week team", Spend(period="week")),
        ("spend last month", Spend(period="last month")),
        ("spend Project 3d_Vision 2026-10", Spend(kind=ScopeKind.PROJECT, project="3d_Vision", period="2026-10")),
        ("spend in october for project vision", Spend(kind=ScopeKind.PROJECT, project="vision", period="october")),
        ("key", Plain.KEYS),
        ("key show", Plain.KEYS),
        ("key ssh-ed25519 AAAA you@laptop", KeySet(line="ssh-ed25519 AAAA you@laptop")),
        ("key list", Plain.KEYS),
        ("key github", KeyFromGithub(name=None)),
        ("key github ana-dev", KeyFromGithub(name="ana-dev")),
        ("ssh-key from GitHub.com  @ana-dev", KeyFromGithub(name="ana-dev")),
        ("key github <https://github.com/ana-dev.keys|github.com/ana-dev.keys>", KeyFromGithub(name="ana-dev")),
        ("key www.github.com/ana-dev/", KeyFromGithub(name="ana-dev")),
        ("key github two words", KeyFromGithub(name="two words")),
        ("key githubber", KeySet(line="githubber")),
        ("key set ssh-ed25519 AAAA", KeySet(line="ssh-ed25519 AAAA")),
        ("key  ssh-rsa AAAA — my -- key ", KeySet(line="ssh-rsa AAAA — my -- key")),
        ("key a\nb", KeySet(line="a\nb")),
        ("key `ssh-ed25519 AAAA you@laptop`", KeySet(line="ssh-ed25519 AAAA you@laptop")),
        ("key “ssh-ed25519 AAAA you@laptop”", KeySet(line="ssh-ed25519 AAAA you@laptop")),
        ("```ssh-ed25519 AAAA you@laptop```", KeySet(line="ssh-ed25519 AAAA you@laptop")),
        ("key ssh-rsa AAAA <mailto:you@host.io|you@host.io>", KeySet(line="ssh-rsa AAAA you@host.io")),
        ("ssh-ed25519 AAAA you@laptop", KeySet(line="ssh-ed25519 AAAA you@laptop")),
        ("sk-ssh-ed25519@openssh.com AAAA", KeySet(line="sk-ssh-ed25519@openssh.com AAAA")),
    ],
)
def test_each_command_is_understood_in_all_its_spellings(text: str, meant: Command) -> None:
    assert command(text) == meant


def test_a_new_rentals_id_is_never_mistaken_for_a_length() -> None:
    for _ in range(500):
        rental_id = random_id()
        assert command(f"extend {rental_id}") == Extend(id=rental_id)
        assert command(f"keep {rental_id} 2h") == Keep(id=rental_id, duration=timedelta(hours=2))


@pytest.mark.parametrize(
    "text",
    ["reserve", "deploy", "lease", "usage", "use", "please", "reuse k7mq2",
     "resize k7mq2", "release", "remote", "bend", "desktop", "report", "price"],
)  # fmt: skip
def test_only_real_typos_suggest_commands_that_stop_something(text: str) -> None:
    found = mistake(text)
    assert not re.search("destroy|pause|resume", found.words)
    assert "/gpu help" in found.words


# --- any text

BITS = """get
H100 8 x × 8x : , - -- — under < max $ $3 for 6h 6 h m d 1e9 .5 -3 EU us in region vendor from nebius
spot now a100 80gb sxm4 4090 rtx l40s extend k7mq2 key list show pause ssh-rsa AAAA &lt; &amp; <@U1|x> <#C1>
<!here> 18:00 until tomorrow fri 9am 25:00 2026-02-30 at @ wait any time up to
anywhere an hour half and 999999999 weeks 0 ( ` é ½ ² ſ K"""
bits = st.sampled_from([*BITS.split(), "\n", "\u00a0", "\u202e", "\ud800", "\u212a"])


@given(
    text=st.text()
    | st.lists(bits).map(" ".join)
    | st.lists(bits).map("".join)
    | st.lists(bits | st.text(max_size=3)).map(lambda found: "get " + " ".join(found))
    | st.lists(bits).map(lambda found: "wait h100 " + " ".join(found))
)
def test_no_text_raises_anything_except_a_mistake(text: str) -> None:
    for catalog in (
        CATALOG,
        changed(CATALOG, gpus={}, vendors=(), regions=(), contracts=()),
    ):
        with suppress(Mistake):
            command(text, catalog=catalog)
