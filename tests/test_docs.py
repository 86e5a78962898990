"""Tests that the pages in docs/ name modules, functions and decisions that exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PACKAGES = ("agent", "bot", "handlers", "store", "sandbox", "demo", "soak", "bench", "tests")
DRAWN = ("bot/", "handlers/", "store/")
"""The packages whose functions the diagrams name."""
SOURCES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
NAMING = [ROOT / "CONTRIBUTING.md", *sorted(DOCS.glob("**/*.md"))]
TRACED = [DOCS / name for name in ("architecture.md", "glossary.md", "lifecycle.md")]
DECISIONS = sorted(page for page in (DOCS / "decisions").glob("*.md") if page.name != "README.md")
REFERRING = [
    *SOURCES,
    *NAMING,
    *(ROOT / name for name in ("README.md", "CHANGELOG.md", "manifest.yml", "Makefile")),
]

FILE = re.compile(r"(?<![\w/.])(?:[a-z_]+/)*[a-z_0-9]+\.py\b")
OF_PEOPLE = {"train.py", "eval.py"}
"""Names of files that stand for the readers' own."""
FOLDER = re.compile(rf"(?<![\w/.])(?:{'|'.join(PACKAGES)})/(?:[a-z_0-9]+/)*[a-z_0-9]*(?![\w/.])")
CALL = re.compile(r"(?<![\w.])([a-z_]+)\.([A-Za-z_]+)\(")
HEAD = re.compile(r"# (.+)\n\nNewest change: (\d{4}-\d\d-\d\d)\.\n\n## ")
REFERENCE = re.compile(r"\bdecisions/([\w-]+\.md)")
BY_NUMBER = re.compile(r"\bdecisions? \d+\b", re.IGNORECASE)


def of_repository(page: Path) -> str:
    return str(page.relative_to(ROOT))


def files_named(name: str, packages: tuple[str, ...] = PACKAGES) -> list[Path]:
    """Return the source files in these packages whose path is `name` or ends with it."""
    names = {path: of_repository(path) for path in SOURCES}
    return [
        path for path in SOURCES if f"/{names[path]}".endswith(f"/{name}") and names[path].startswith(packages)
    ]


@pytest.mark.parametrize("page", NAMING, ids=of_repository)
def test_every_module_named_on_a_page_exists(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    missing = {name for name in FILE.findall(text) if name not in OF_PEOPLE and not files_named(name)}
    missing |= {name for name in FOLDER.findall(text) if not (ROOT / name).exists()}
    assert not missing


@pytest.mark.parametrize("page", TRACED, ids=of_repository)
def test_every_call_in_a_diagram_names_a_function_of_its_module(page: Path) -> None:
    missing = set()
    for module, function in CALL.findall(page.read_text(encoding="utf-8")):
        defined = re.compile(rf"^ *(?:async def|def|class) {function}\b", re.MULTILINE)
        if not any(
            defined.search(path.read_text(encoding="utf-8")) for path in files_named(f"{module}.py", DRAWN)
        ):
            missing.add(f"{module}.{function}()")
    assert not missing


@pytest.mark.parametrize(
    ("page", "folder"),
    [("docs/architecture.md", "bot/lifecycle"), ("bot/lifecycle/actions/__init__.py", "bot/lifecycle/actions")],
)
def test_a_list_of_modules_names_each_module_of_its_folder(page: str, folder: str) -> None:
    listed = set(
        re.findall(r"^ *([a-z_]+)(?:\.py)? {2,}", (ROOT / page).read_text(encoding="utf-8"), re.MULTILINE)
    )
    assert {path.stem for path in (ROOT / folder).glob("[!_]*.py")} - listed == set()


def test_the_architecture_page_draws_four_sequences() -> None:
    text = (DOCS / "architecture.md").read_text(encoding="utf-8")
    drawings = re.findall(r"```mermaid\nsequenceDiagram\n(.*?)```", text, re.DOTALL)
    assert len(drawings) == 4
    for drawing in drawings:
        participants = re.findall(r"participant (\w+) as (\S+)", drawing)
        assert participants
        assert [name for _, name in participants if not (ROOT / name).is_file()] == []
        declared = {alias for alias, _ in participants} | set(re.findall(r"actor (\w+)", drawing))
        arrows = re.findall(r"^ *(\w+)-+>*\)?>*(\w+):", drawing, re.MULTILINE)
        assert arrows
        assert {end for arrow in arrows for end in arrow} <= declared


def test_the_glossary_names_an_existing_file_for_each_term() -> None:
    text = (DOCS / "glossary.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (?!---|term )(.+?) \| .+ \| `(\S+)` \|$", text, re.MULTILINE)
    assert len(rows) == len(re.findall(r"^\| ", text, re.MULTILINE)) - 2
    assert {term: name for term, name in rows if not (ROOT / name).is_file()} == {}


@pytest.mark.parametrize("page", DECISIONS, ids=lambda page: page.name)
def test_every_page_of_decisions_has_a_date_reasons_and_conditions_for_revisiting(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert HEAD.match(text)
    _, *sections = re.split(r"^## ", text, flags=re.MULTILINE)
    assert [section.splitlines()[0] for section in sections if "\n**Why.** " not in section] == []
    assert "\n**Reconsider this decision** " in text


def test_the_index_lists_each_page_of_decisions_with_its_date() -> None:
    heads = {page.name: HEAD.match(page.read_text(encoding="utf-8")) for page in DECISIONS}
    expected = {(head[1], name, head[2]) for name, head in heads.items() if head is not None}
    index = (DOCS / "decisions" / "README.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| \[(.+)\]\((\S+)\) \| .+ \| (\S+) \|$", index, re.MULTILINE)
    assert len(rows) == len(expected)
    assert set(rows) == expected


def test_each_reference_to_a_decision_names_an_existing_page() -> None:
    pages = {page.name for page in DECISIONS} | {"README.md"}
    unresolved = {}
    for file in REFERRING:
        text = file.read_text(encoding="utf-8")
        if wrong := {name for name in REFERENCE.findall(text) if name not in pages} | set(BY_NUMBER.findall(text)):
            unresolved[of_repository(file)] = wrong
    assert unresolved == {}
