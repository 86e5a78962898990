"""Tests of the startup script's text: its contents and their order, and what no longer fits."""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import asyncssh
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.errors import Mistake
from bot.model.attempt import OwnedKey, ScriptPart
from bot.model.base import changed
from bot.model.person import Key
from bot.policy.access.health_script import HEALTH_PATH, HEALTH_SCRIPT
from bot.policy.access.jobs_script import GPUBOT_JOBS_SCRIPT, JOBS_PATH
from bot.policy.access.keys import LARGEST_RSA, read_key
from bot.policy.access.probe_script import (
    ENDING_PATH,
    ENDING_SCRIPT,
    INSTALLED_PROBE_SCRIPT,
    SCRIPT_PATH,
    probe_line,
)
from bot.policy.access.run_script import GPUBOT_RUN_SCRIPT, RUN_PATH
from bot.policy.access.startup_script import (
    LARGEST_SCRIPT,
    check_runs_jobs,
    check_script_size,
    compacted,
    further_keys,
    keys_that_fit,
    parts_that_fit,
    script_text,
)
from bot.policy.team.policy_file import LARGEST_SETUP
from bot.policy.team.rules import Rules
from tests.programs import program
from tests.ssh_server import run

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
ANA, BEN, CLEO = "U0ANA", "U0BEN", "U0CLEO"
SETUP = "#!/bin/sh\npip install torch\n"
PROBE_LINE = probe_line("ssh-ed25519 AAAAProbe")
SHELL = """$(touch /tmp/x); `id`; '; rm -rf / #" \\ ${HOME} END_OF_KEYS"""


def key(name: str, kind: str = "ssh-ed25519", size: int = 51) -> Key:
    """Return a key with a body of about `size` bytes."""
    body = base64.b64encode(name.encode().ljust(size, b"-")).decode()
    return Key(line=f"{kind} {body}", comment=name, fingerprint=f"SHA256:{name}")


def sent(person: str, *keys: Key) -> list[OwnedKey]:
    return [OwnedKey(person=person, line=k.line, comment=k.comment, fingerprint=k.fingerprint) for k in keys]


def key_lines(script: str) -> list[str]:
    """Return the lines within the here-document of the keys."""
    return script.partition("<<'END_OF_KEYS'\n")[2].partition("\nEND_OF_KEYS\n")[0].split("\n")


# --- keys


def test_the_owners_keys_come_first_and_ed25519_keys_before_others() -> None:
    keys = {
        ANA: [key("laptop", "ssh-rsa"), key("old", "ssh-rsa"), key("desk")],
        BEN: [key("ben-rsa", "ssh-rsa"), key("ben")],
        CLEO: [key("cleo")],
    }
    found = further_keys(ANA, (CLEO, BEN), keys)
    assert [one.comment for one in found] == ["desk", "old", "cleo", "ben", "ben-rsa"]
    assert [one.person for one in found] == [ANA, ANA, CLEO, BEN, BEN]


def test_shared_keys_are_sent_once_and_the_default_key_is_not_repeated() -> None:
    shared, first = key("shared"), key("first")
    found = further_keys(ANA, (BEN, BEN, CLEO), {ANA: [first, shared], BEN: [first, shared], CLEO: [key("cleo")]})
    assert [(one.person, one.comment) for one in found] == [(ANA, "shared"), (CLEO, "cleo")]


def test_people_without_keys_add_nothing() -> None:
    assert further_keys(ANA, (BEN,), {}) == ()
    assert further_keys(ANA, (BEN,), {ANA: [key("first")]}) == ()


# --- text


def test_there_is_no_script_without_keys_or_setup() -> None:
    assert script_text([]) == ""


def test_a_section_without_contents_is_left_out() -> None:
    lines = [key("desk").line, key("ben").line]
    marks = {
        "keys": "END_OF_KEYS",
        "probe": SCRIPT_PATH,
        "run": RUN_PATH,
        "jobs": JOBS_PATH,
        "on-ending.sh": ENDING_PATH,
        "health": HEALTH_PATH,
        "setup": "END_OF_SETUP",
    }
    sections = {
        name: [
            mark for mark, text in marks.items() if f"<<'{text}'" in script or f"add_program {text} <<" in script
        ]
        for name, script in {
            "keys": script_text(lines),
            "setup": script_text([], SETUP),
            "both": script_text(lines, SETUP),
            "probe": script_text([], None, PROBE_LINE),
            "all": script_text(lines, SETUP, PROBE_LINE),
        }.items()
    }
    assert sections == {
        "keys": ["keys"],
        "setup": ["setup"],
        "both": ["keys", "setup"],
        "probe": ["keys", "probe", "run", "jobs", "on-ending.sh", "health"],
        "all": ["keys", "probe", "run", "jobs", "on-ending.sh", "health", "setup"],
    }
    assert key_lines(script_text(lines, SETUP)) == lines


def test_shell_code_in_a_key_comment_never_reaches_the_script() -> None:
    public = asyncssh.generate_private_key("ssh-ed25519").export_public_key("openssh").decode().strip()
    typed = read_key(f"{public} {SHELL}")
    assert typed.comment
    (found,) = further_keys(ANA, (), {ANA: [key("first"), typed]})
    assert script_text([found.line]) == script_text([public])


@given(st.lists(st.from_regex(r"ssh-(ed25519|rsa) [A-Za-z0-9+/]{1,80}={0,2}", fullmatch=True), min_size=1))
def test_every_key_is_on_a_line_of_its_own(lines: list[str]) -> None:
    assert key_lines(script_text(lines, SETUP)) == lines


@given(st.lists(st.sampled_from(["END_OF_SETUP", "END_OF_SETUP_", "END_OF_SETUP__", "true"])))
def test_no_line_of_a_setup_script_ends_its_here_document(lines: list[str]) -> None:
    script = script_text([], "\n".join(["#!/bin/sh", *lines]))
    found = re.search(r"cat >setup <<'(\w+)' \|\| exit\n", script)
    assert found is not None
    before_the_delimiter = script[found.end() :].split(f"\n{found[1]}\n")[0]
    assert before_the_delimiter.split("\n") == ["#!/bin/sh", *lines]


@pytest.mark.parametrize("shell", ["sh", "dash", "busybox"])
@pytest.mark.parametrize(
    ("keys", "setup", "probe"),
    [(2, None, ""), (0, SETUP, ""), (0, None, PROBE_LINE), (2, SETUP, PROBE_LINE)],
    ids=["keys", "setup", "probe", "all"],
)
async def test_shellcheck_finds_nothing(
    tmp_path: Path, shell: str, keys: int, setup: str | None, probe: str
) -> None:
    file = tmp_path / "script"
    file.write_text(script_text([key(str(n)).line for n in range(keys)], setup, probe), encoding="utf-8")
    assert await run(program("shellcheck"), f"--shell={shell}", str(file)) == (0, "")


# --- size


def rules_with(setup_size: int) -> Rules:
    return Rules(setup={"torch": SETUP.ljust(setup_size, "#")})


def rsa(count: int, bits: int = 4096) -> list[OwnedKey]:
    return sent(ANA, *(key(f"rsa-{n}", "ssh-rsa", bits // 8 + 24) for n in range(count)))


def test_ten_typical_keys_fit_together_with_the_largest_setup() -> None:
    keys = sent(ANA, *(key(f"key-{n}") for n in range(9))) + sent(BEN, *(key(f"ben-{n}") for n in range(10)))
    check_script_size(keys, "torch", rules_with(LARGEST_SETUP))
    check_script_size(keys[:12], "torch", rules_with(LARGEST_SETUP), probe_line=PROBE_LINE)
    check_script_size(rsa(9), None, Rules())


def test_the_parts_give_way_in_their_order_before_keys_or_the_setup() -> None:
    setup = SETUP.ljust(500, "#")
    seen = []
    for count in range(0, 140, 4):
        keys = [one.line for one in sent(ANA, *(key(f"key-{n}") for n in range(count)))]
        script = script_text(keys, setup, PROBE_LINE)
        parts = parts_that_fit(keys, setup, PROBE_LINE)
        assert len(script.encode()) <= LARGEST_SCRIPT
        assert key_lines(script) == keys or not keys
        assert setup in script
        assert compacted(INSTALLED_PROBE_SCRIPT) in script
        assert (compacted(HEALTH_SCRIPT) in script) == (ScriptPart.HEALTH in parts)
        assert (compacted(GPUBOT_RUN_SCRIPT) in script) == (ScriptPart.RUN in parts)
        assert (compacted(GPUBOT_JOBS_SCRIPT) in script) == (ScriptPart.RUN in parts)
        assert (compacted(ENDING_SCRIPT) in script) == (ScriptPart.ON_ENDING in parts)
        seen.append(parts)
    assert list(dict.fromkeys(seen)) == [
        (ScriptPart.HEALTH, ScriptPart.RUN, ScriptPart.ON_ENDING),
        (ScriptPart.RUN, ScriptPart.ON_ENDING),
        (ScriptPart.ON_ENDING,),
        (),
    ]
    assert parts_that_fit([], SETUP, "") == ()


def test_a_request_until_done_needs_room_for_gpubot_run() -> None:
    check_runs_jobs((), "torch", rules_with(500), probe_line=PROBE_LINE)
    with pytest.raises(
        Mistake, match=r"no room for gpubot-run.*Leave out the setup or a teammate, or name an end"
    ):
        check_runs_jobs((), "torch", rules_with(LARGEST_SETUP), probe_line=PROBE_LINE)
    keys = sent(ANA, *(key(f"key-{n}") for n in range(90)))
    with pytest.raises(Mistake, match=r"The person who asked can leave out a teammate"):
        check_runs_jobs(keys, None, Rules(), probe_line=PROBE_LINE, own=False)


def test_comments_and_indentation_are_removed_except_in_here_documents() -> None:
    script = "#!/bin/sh\n# one\n\n  cat <<'END'\n#!/bin/sh\n\n# two\n END\nEND\n  # three\necho '#' # four\n"
    assert compacted(script) == ("#!/bin/sh\ncat <<'END'\n#!/bin/sh\n\n# two\n END\nEND\necho '#' # four\n")
    assert compacted("true\n#!/bin/sh\n") == "true\n"


def test_the_setup_script_keeps_its_comments_and_blank_lines() -> None:
    setup = "#!/bin/sh\n\n# one\ncat <<END\n# two\nEND\n"
    assert f"\n{setup}" in script_text([], setup, PROBE_LINE)


@pytest.mark.parametrize(
    ("keys", "setup", "words"),
    [
        (
            rsa(12),
            "torch",
            "The startup script would be 16.4 kB, and 15 kB is the limit. It has 12 keys besides the default one "
            '(8.7 kB) and setup "torch" (6 kB). Leave out the setup or a teammate, or remove a key.',
        ),
        (
            rsa(1, LARGEST_RSA) * 6,
            None,
            "The startup script would be 17.3 kB, and 15 kB is the limit. It has 6 keys besides the default one "
            "(16.7 kB). Leave out the setup or a teammate, or remove a key.",
        ),
        (
            rsa(1, 6 * LARGEST_RSA),
            None,
            "The startup script would be 17 kB, and 15 kB is the limit. It has 1 key besides the default one "
            "(16.5 kB). Leave out the setup or a teammate, or remove a key.",
        ),
    ],
)
def test_a_script_that_is_too_large_is_refused_with_its_sizes(
    keys: Sequence[OwnedKey], setup: str | None, words: str
) -> None:
    with pytest.raises(Mistake) as caught:
        check_script_size(keys, setup, rules_with(LARGEST_SETUP))
    assert caught.value.words == words


def test_keys_that_fit_leaves_out_long_keys_and_keeps_the_order() -> None:
    huge = changed(rsa(1)[0], line="ssh-rsa " + "A" * LARGEST_SCRIPT)
    small = sent(ANA, key("desk"), key("phone"))
    assert keys_that_fit([small[0], huge, small[1]], SETUP) == tuple(small)
    assert keys_that_fit(rsa(9), SETUP) == tuple(rsa(9))


@given(st.lists(st.integers(1, 4000)), st.integers(len(SETUP), LARGEST_SETUP))
def test_the_keys_that_fit_result_in_a_script_that_fits(sizes: list[int], setup_size: int) -> None:
    keys = sent(BEN, *(key(f"key-{n}", "ssh-rsa", size) for n, size in enumerate(sizes)))
    setup = SETUP.ljust(setup_size, "#")
    fitting = keys_that_fit(keys, setup)
    assert len(script_text([one.line for one in fitting], setup).encode()) <= LARGEST_SCRIPT
    for one in keys:
        if one not in fitting:
            with pytest.raises(Mistake):
                check_script_size([*fitting, one], "torch", Rules(setup={"torch": setup}))
