"""Tests of setup scripts in the policy file: they are read at the start, and each invalid one gives one line."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.errors import Mistake
from bot.policy.access.startup_script import check_setup
from bot.policy.team.policy_file import PolicySource
from bot.policy.team.rules import Rules

SCRIPT = "#!/bin/sh\npip install torch\n"


def read(tmp_path: Path, setup: str) -> Rules:
    policy = tmp_path / "policy.yml"
    policy.write_text(f"setup: {setup}\n", encoding="utf-8")
    return PolicySource(policy, home_channel="C0HOME", admins=()).read().rules


def test_setup_scripts_are_read_relative_to_the_policy_file(tmp_path: Path) -> None:
    (tmp_path / "setup").mkdir()
    (tmp_path / "setup/torch.sh").write_text(SCRIPT, encoding="utf-8")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_bytes(b"\xef\xbb\xbf#!/bin/bash\necho \xc3\xa4\n")
    rules = read(tmp_path, f"{{torch: setup/torch.sh, vllm-09: {elsewhere}}}")
    assert rules.setup == {"torch": SCRIPT, "vllm-09": "#!/bin/bash\necho ä\n"}
    assert read(tmp_path, "null").setup == read(tmp_path, "{}").setup == {}


@pytest.mark.parametrize(
    ("setup", "line"),
    [
        ("torch.sh", "setup: write a path for each name, such as {torch: setup/torch.sh}."),
        ("{torch: }", "setup.torch: write the path of a shell script, such as setup/torch.sh."),
        *(
            (
                f"{{{name}: good.sh}}",
                f"setup.{name}: a name has up to 32 small letters and digits, and single hyphens between them.",
            )
            for name in ("Torch", "torch_2", "torch--2", "-torch", "t" * 33)
        ),
        ("{torch: missing.sh}", "setup.torch: I can't read missing.sh: No such file or directory."),
        ("{torch: .}", "setup.torch: I can't read .: Is a directory."),
        ("{torch: empty.sh}", "setup.torch: empty.sh is empty."),
        ("{torch: long.sh}", "setup.torch: long.sh has 6,001 bytes; a setup script has at most 6,000."),
        ("{torch: huge.sh}", "setup.torch: I can't read huge.sh: it is larger than 256 KiB."),
        ("{torch: binary.sh}", "setup.torch: I can't read binary.sh: it isn't UTF-8 text."),
        ("{torch: nul.sh}", "setup.torch: nul.sh isn't text: it contains a NUL byte."),
        (
            "{torch: windows.sh}",
            "setup.torch: windows.sh has Windows line endings; save it with Unix line endings.",
        ),
        ("{torch: bare.sh}", "setup.torch: the first line of bare.sh must name its shell: #!/bin/sh."),
    ],
)
def test_an_invalid_setup_script_gives_one_line_that_names_it(tmp_path: Path, setup: str, line: str) -> None:
    files = {
        "good.sh": SCRIPT.encode(),
        "empty.sh": b"\n \n",
        "long.sh": SCRIPT.encode().ljust(6001, b"#"),
        "huge.sh": SCRIPT.encode().ljust(256 * 1024 + 1, b"#"),
        "binary.sh": b"#!/bin/sh\n\xff",
        "nul.sh": b"#!/bin/sh\n\0",
        "windows.sh": b"#!/bin/sh\r\ntrue\r\n",
        "bare.sh": b"pip install torch\n",
    }
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    with pytest.raises(Mistake) as caught:
        read(tmp_path, setup)
    assert caught.value.words == f"GPUBOT_POLICY: line 1, {line}"


def test_invalid_setup_scripts_are_listed_along_with_other_mistakes(tmp_path: Path) -> None:
    with pytest.raises(Mistake) as caught:
        read(tmp_path, "{a: missing.sh, b: missing.sh}\nself_approval: perhaps")
    assert [line.split(":")[1] for line in caught.value.words.splitlines()] == [
        " line 1, setup.a",
        " line 1, setup.b",
        " line 2, self_approval",
    ]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("torhc", 'I don\'t know a setup called "torhc". Similar names: torch. Try: setup torch'),
        ("x", 'I don\'t know a setup called "x". Your team has: torch, vllm. Try: setup torch'),
    ],
)
def test_an_unknown_setup_is_refused_with_similar_names(name: str, words: str) -> None:
    rules = Rules(setup={"vllm": SCRIPT, "torch": SCRIPT})
    check_setup(None, rules)
    check_setup("torch", rules)
    with pytest.raises(Mistake) as caught:
        check_setup(name, rules)
    assert caught.value.words == words


def test_every_setup_name_is_refused_if_the_rules_have_none() -> None:
    with pytest.raises(Mistake, match="rules have no setup"):
        check_setup("torch", Rules())
