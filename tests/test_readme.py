"""Tests that the front page and the pages on commands, settings and policy agree with the code.

Links must lead to existing files and headings.
"""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from bot.config.settings import Settings
from bot.policy.team import yaml_file
from bot.policy.team.rules import Rules
from bot.watchdog.settings import WatchdogSettings
from handlers.slack_api.scopes import NEEDED, OPTIONAL
from handlers.typed.commands import ADMIN_HELP, APPROVER_HELP, HELP

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
README = (ROOT / "README.md").read_text(encoding="utf-8")
FIELDS = {str(field.validation_alias): field for field in Settings.model_fields.values()}


def docs(name: str) -> str:
    return (ROOT / "docs" / name).read_text(encoding="utf-8")


def test_the_settings_table_names_every_setting_and_its_default() -> None:
    rows = setting_rows(docs("settings.md").partition("\n## The watchdog")[0])
    assert rows.keys() == FIELDS.keys()
    needed = {name for name, default in rows.items() if default == "needed"}
    assert needed == {name for name, field in FIELDS.items() if field.is_required()}
    defaults = {name: default.strip("`") for name, default in rows.items() if default.startswith("`")}
    assert defaults == {name: str(FIELDS[name].default) for name in defaults}
    assert defaults.keys() == {
        *(
            "GPUBOT_HTTP",
            "GPUBOT_LOG",
            "GPUBOT_SLACK_MODE",
            "SLACK_API_URL",
            "COMPUTE_CLEAR_URL",
            "GPUBOT_GITHUB_URL",
        )
    }


def test_the_watchdogs_settings_table_names_every_setting() -> None:
    rows = setting_rows(docs("settings.md").partition("\n## The watchdog")[2])
    fields = {str(field.validation_alias): field for field in WatchdogSettings.model_fields.values()}
    assert rows.keys() == fields.keys()
    needed = {name for name, default in rows.items() if default == "needed"}
    assert needed == {name for name, field in fields.items() if field.is_required()}


def test_the_env_on_the_slack_page_contains_every_required_setting() -> None:
    names = set(re.findall(r"^    ([A-Z_]+)=", docs("slack.md"), re.MULTILINE))
    assert {name for name, field in FIELDS.items() if field.is_required()} <= names <= FIELDS.keys()


def setting_rows(table: str) -> dict[str, str]:
    """Return the default of each setting in a table, by the setting's name."""
    return dict(re.findall(r"^\| `(\w+)` \|.*\| (.+) \|$", table, re.MULTILINE))


def test_the_policy_page_contains_every_key_with_its_default() -> None:
    policy = yaml_file.load(docs("policy.md").partition("```yaml\n")[2].partition("```")[0]).value
    assert Rules.model_validate(policy) == Rules()

    def keys(value: object, name: str = "") -> set[str]:
        return (
            set().union(*(keys(v, f"{name}.{k}") for k, v in value.items())) if isinstance(value, dict) else {name}
        )

    assert keys(policy) == keys(Rules().model_dump(exclude={"home_channel"}, by_alias=True))


def test_the_commands_page_contains_every_command_of_the_help() -> None:
    helped = " ".join(f"{command} {text}" for command, text in (*HELP, *APPROVER_HELP, *ADMIN_HELP))
    command = re.compile(r"/gpu ([a-z]+)")
    assert set(command.findall(docs("commands.md"))) == {"help", *command.findall(helped)}


def test_the_permissions_page_gives_a_reason_for_each_scope() -> None:
    table = docs("permissions.md").partition("| scope | for |\n")[2].partition("\n\n")[0]
    scopes = re.findall(r"`([a-z_]+(?::[a-z]+)?)`", " ".join(re.findall(r"^\| (`.+?) \|", table, re.MULTILINE)))
    assert sorted(scopes) == sorted({**NEEDED, **OPTIONAL})


def test_the_permissions_page_names_each_default_host_and_port() -> None:
    hosts = docs("permissions.md").partition("| host | port | why |\n")[2].partition("\n## ")[0]
    defaults = [str(field.default) for field in FIELDS.values()]
    assert {urlsplit(default).hostname for default in defaults if default.startswith("https://")} == set(
        re.findall(r"^\| `(\S+)`", hosts, re.MULTILINE)
    )
    assert f"`{FIELDS['GPUBOT_HTTP'].default}`" in hosts


def test_the_front_page_can_be_read_in_three_minutes() -> None:
    """People read about 240 words a minute (doi.org/10.1016/j.jml.2019.104047). Blocks and tables don't count."""
    prose = [line for line in README.splitlines() if not line.startswith(("    ", "|"))]
    assert len(" ".join(prose).split()) <= 750


def test_the_front_page_names_existing_make_targets() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = re.findall(r"\bmake ([a-z]+)", "\n".join(re.findall(r"^    .*|`.+?`", README, re.MULTILINE)))
    assert {"demo", "test"} <= set(targets)
    assert [target for target in targets if not re.search(rf"^{target}:", makefile, re.MULTILINE)] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_to_an_existing_file_and_heading(page: Path) -> None:
    for target, heading in re.findall(r"\]\(([^)#]*)(?:#([^)]*))?\)", page.read_text(encoding="utf-8")):
        if "://" not in target:
            linked = page.parent / unquote(target) if target else page
            assert linked.exists(), target
            assert not heading or heading in headings(linked), heading


def headings(page: Path) -> set[str]:
    """Return the anchors that GitHub creates for a page's headings."""
    lines = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", line.lower()).replace(" ", "-") for line in lines}
