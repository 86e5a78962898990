"""Tests that the files in deploy/ are valid, and name settings and metrics that exist."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from bot import app
from bot.config.settings import Settings
from bot.model.attempt import AttemptState
from bot.ops.metrics import Metrics
from bot.watchdog.settings import WatchdogSettings
from store.migrations import HEAD
from tests.programs import program
from tests.store import make

ROOT = Path(__file__).parents[1]
DEPLOY = ROOT / "deploy"
PROMETHEUS = DEPLOY / "prometheus"
PNG = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR"
UNITS = sorted(DEPLOY.glob("*.service"))
NAMES = {str(field.validation_alias) for field in Settings.model_fields.values()}
SECRETS = {"SLACK_BOT_TOKEN", "SLACK_APP_TOKEN", "COMPUTE_CLEAR_TOKEN"}
METRIC = re.compile(r"\b(gpubot_\w+)(?:\{([^}]*)\})?")


def run(*command: str | Path, cwd: Path = ROOT) -> None:
    """Run a program. If its exit status isn't 0, fail with its output."""
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)  # noqa: S603 - fixed commands
    assert done.returncode == 0, done.stdout + done.stderr


# --- the ways to run gpubot


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_systemd_accepts_the_unit(unit: Path, tmp_path: Path) -> None:
    # The program of this environment takes the place of the one that the page installs.
    text = unit.read_text(encoding="utf-8").replace("/opt/gpubot/venv/bin", str(Path(sys.executable).parent))
    assert f"{Path(sys.executable).parent}/gpubot " in text
    copy = tmp_path / unit.name
    copy.write_text(text, encoding="utf-8")
    run(program("systemd-analyze"), "verify", "--man=no", copy)


def test_the_units_and_the_compose_file_pass_each_secret_as_a_file() -> None:
    given = {}
    for unit in UNITS:
        text = unit.read_text(encoding="utf-8")
        loaded = re.findall(r"^LoadCredential=(\S+):/etc/gpubot/secrets/(\S+)$", text, re.MULTILINE)
        given[unit.stem] = dict(re.findall(r"^Environment=(\w+)_FILE=%d/(\S+)$", text, re.MULTILINE))
        assert loaded == [(name, name) for name in given[unit.stem].values()]
    assert given["gpubot"].keys() == SECRETS
    fields = WatchdogSettings.model_fields.values()
    assert {"COMPUTE_CLEAR_TOKEN", "GPUBOT_MACHINES_TOKEN"} < given["gpubot-watchdog"].keys()
    assert given["gpubot-watchdog"].keys() <= {str(field.validation_alias) for field in fields}
    compose = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))
    service = compose["services"]["gpubot"]
    files = {
        name.removesuffix("_FILE"): path.removeprefix("/run/secrets/")
        for name, path in service["environment"].items()
        if name.endswith("_FILE")
    }
    assert files.keys() == {*SECRETS, "GPUBOT_DATABASE_URL"}
    assert set(files.values()) == set(service["secrets"])
    assert compose["secrets"].keys() == {*files.values(), *compose["services"]["postgres"]["secrets"]}
    for value in compose["secrets"].values():
        assert Path(value["file"]).parent == Path("secrets")
    assert {name.removesuffix("_FILE") for name in service["environment"]} <= NAMES


def test_each_base_image_is_pinned_by_its_digest() -> None:
    compose = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))
    stages = re.findall(r"^FROM (\S+)", (DEPLOY / "Dockerfile").read_text(encoding="utf-8"), re.MULTILINE)
    images = {*stages, compose["services"]["postgres"]["image"]}
    assert len(images) == 2, "both stages of the image have the same base"
    for image in images:
        assert re.fullmatch(r"[a-z]+:[\w.-]+@sha256:[0-9a-f]{64}", image)


def test_no_secrets_or_settings_of_a_checkout_get_into_the_image() -> None:
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    kept_from_git = (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()
    for secret in (".env", "deploy/secrets", "deploy/gpubot.env", "*.sqlite"):
        assert secret in ignored
        assert {secret, f"{secret}/"} & set(kept_from_git)


def test_package_changelog_pages_and_schema_name_the_same_version() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    version = str(project["version"])
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert re.findall(r"^## \[(.+?)\]", changelog, re.MULTILINE)[0] == version
    assert HEAD.startswith("v" + version.replace(".", ""))
    for page, named in (("docs/deploy-systemd.md", 2), ("docs/deploy-compose.md", 1), ("CONTRIBUTING.md", 2)):
        text = (ROOT / page).read_text(encoding="utf-8")
        assert re.findall(r"\bv\d+\.\d+\.\d+\b", text) == [f"v{version}"] * named, page


# --- the files for Prometheus and Grafana


def test_prometheus_accepts_the_rules_and_each_alert_fires_in_its_case() -> None:
    run(program("promtool"), "check", "rules", "rules.yml", cwd=PROMETHEUS)
    run(program("promtool"), "test", "rules", "rules_test.yml", cwd=PROMETHEUS)
    cases = (PROMETHEUS / "rules_test.yml").read_text(encoding="utf-8")
    assert set(re.findall(r'alertname="(\w+)"', cases)) == {rule["alert"] for rule in alerts()}


def alerts() -> list[dict[str, Any]]:
    """Return the alerts in the rules."""
    groups = yaml.safe_load((PROMETHEUS / "rules.yml").read_text(encoding="utf-8"))["groups"]
    return [rule for group in groups for rule in group["rules"]]


def named() -> Iterator[tuple[str, str, set[str]]]:
    """Yield the place of an expression, the expression, and the labels in its text or legend."""
    for rule in alerts():
        texts = " ".join(rule["annotations"].values())
        yield rule["alert"], rule["expr"], set(re.findall(r"\$labels\.(\w+)", texts))
    for panel in json.loads((DEPLOY / "grafana" / "gpubot.json").read_text(encoding="utf-8"))["panels"]:
        for target in panel["targets"]:
            yield panel["title"], target["expr"], set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"]))


async def test_each_metric_and_label_in_rules_and_dashboard_exists(tmp_path: Path) -> None:
    settings = Settings.model_validate(
        {
            "SLACK_BOT_TOKEN": "xoxb-1",
            "SLACK_APP_TOKEN": "xapp-1",
            "COMPUTE_CLEAR_TOKEN": "token",
            "GPUBOT_CHANNEL": "C1",
            "GPUBOT_ADMINS": "U1",
            "GPUBOT_DATABASE_URL": f"sqlite:///{tmp_path}/gpubot.sqlite",
        }
    )
    async with app.build(settings) as bot:
        count_something(bot.report.metrics)
        exposed = (await bot.report.exposition()).decode()
    samples = [sample for family in text_string_to_metric_families(exposed) for sample in family.samples]
    labels: dict[str, set[str]] = {}
    for sample in samples:
        labels.setdefault(sample.name, set()).update(sample.labels)
    for where, expression, shown in named():
        metrics = METRIC.findall(expression)
        assert metrics, where
        grouped = set(" ".join(re.findall(r"\bby \(([^)]*)\)", expression)).replace(",", " ").split())
        for metric, selector in metrics:
            assert metric in labels, f"{where}: {metric}"
            selected = set(re.findall(r"(\w+)[=!]", selector))
            assert selected | grouped <= labels[metric], where
        assert shown <= {label for metric, _ in metrics for label in labels[metric]}, where
        states = re.findall(r'state=~?"([^"]*)"', expression)
        assert {state for each in states for state in each.split("|")} <= set(AttemptState), where


def count_something(metrics: Metrics) -> None:
    """Increment a counter of each kind that has labels, because a counter has no labels before."""
    metrics.market_call("procure_offer", "2xx")
    metrics.failed("ready")
    metrics.run_probe("answered")
    metrics.attempt(make.attempt())


@pytest.mark.parametrize("size", [512, 1024])
def test_the_icons_are_squares_of_the_sizes_that_slack_accepts(size: int) -> None:
    icon = (DEPLOY / f"icon-{size}.png").read_bytes()
    assert icon.startswith(PNG + size.to_bytes(4) * 2)
    assert len(icon) < 100_000
