"""The README's settings and policy are those of the code, and links of all pages lead to files."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import unquote

import pytest

from bot.policy import yaml_file
from bot.policy.rules import Rules
from bot.settings import Settings

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])


def test_the_settings_table_names_every_setting_and_its_default() -> None:
    table = README.partition("## Settings")[2].partition("\n## ")[0]
    rows = dict(re.findall(r"^\| `(\w+)` \|.*\| (.+) \|$", table, re.MULTILINE))
    fields = {str(field.validation_alias): field for field in Settings.model_fields.values()}
    assert rows.keys() == fields.keys()
    needed = {name for name, default in rows.items() if default == "needed"}
    assert needed == {name for name, field in fields.items() if field.is_required()}
    defaults = {name: default.strip("`") for name, default in rows.items() if default.startswith("`")}
    assert defaults == {name: str(fields[name].default) for name in defaults}
    assert defaults.keys() == {
        *("GPUBOT_HTTP", "GPUBOT_LOG", "SLACK_API_URL", "COMPUTE_CLEAR_URL", "GPUBOT_GITHUB_URL")
    }


def test_the_policy_in_the_readme_has_every_key_with_its_default() -> None:
    policy = yaml_file.load(README.partition("```yaml\n")[2].partition("```")[0])
    assert Rules.model_validate(policy) == Rules()

    def keys(value: object, name: str = "") -> set[str]:
        return (
            set().union(*(keys(v, f"{name}.{k}") for k, v in value.items())) if isinstance(value, dict) else {name}
        )

    assert keys(policy) == keys(Rules().model_dump(exclude={"home_channel"}, by_alias=True))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_each_link_of_a_page_leads_to_an_existing_file(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
        assert "://" in target or (page.parent / unquote(target)).exists(), target
