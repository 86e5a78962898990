"""Measures how well the project's texts read, next to those of packages that are known for readable code.

`make reading SEED=7` draws a random sample. It writes two files for a reader, and one that they must not see:

- `build/reading/brief.md`: how to grade;
- `build/reading/questions.txt`: docstrings, comments, paragraphs of pages and Slack texts of this project, and
  docstrings and comments of the anchors from PyPI, shuffled and without the names of the projects;
- `build/reading.key`: where each text comes from.

The reader is somebody who has never seen the code. `python -m tests.by_hand.reading --score ANSWERS` scores their
answers, and CONTRIBUTING.md says which scores to aim for.
"""

from __future__ import annotations

import argparse
import ast
import inspect
import io
import random
import re
import subprocess
import sys
import tokenize
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "build" / "reading"
KEY = FOLDER.with_suffix(".key")
"""Next to the folder and not in it, so that the whole folder can be given to a reader."""
OURS = "gpubot"
ANCHORS = {"httpx": "0.28.1", "procrastinate": "3.10.0", "dstack": "0.22.5"}
"""The packages to compare with, by their names on PyPI. Their releases are fixed, so that two samples compare."""
PACKAGES = ("agent", "bot", "handlers", "store", "sandbox", "demo", "soak", "bench")
NUMBERS = {"docstring": 60, "comment": 15, "paragraph": 15, "Slack text": 10}
"""The number of our texts of each kind in a sample."""
NUMBERS_OF_ANCHOR = {"docstring": 20, "comment": 5}
"""The same, for each of the anchors."""
SHORTEST = 41
"""The length in characters from which a text counts. "Close the pool." says little about how somebody writes."""
LEFT_OUT = {"tests", "test", "testing", "migrations", "__pycache__"}
MASK = "acme"
"""Replaces the names of all projects."""

BRIEF = f"""\
# How to grade

`questions.txt` has numbered texts from several Python projects in random order: docstrings, code comments,
paragraphs of documentation, and messages that a Slack app sends. Their kinds and, for docstrings, their names
are given; the code is not. The names of the projects are replaced with "{MASK}". One of the projects rents
machines with GPUs for the people of a team.

Read as an experienced Python engineer who is new to all of these projects. Grade each text:

- A: you understood every sentence at the first reading, and could tell a colleague what it says.
- B: you had to read a sentence twice, guess what a word or pronoun refers to, or stop at unidiomatic
  English.
- C: after a second reading you still don't know what it says, or it can mean two different things.

Only comprehension counts: not whether the text is complete, useful, correct, or in a style that you like. A
name that the project must define elsewhere (`Job`, `Transport`) is fine; an everyday word in a special sense
that is not explained is not. One sentence that makes you stumble makes the whole text a B. There is no share
to reach: all A is a possible result.

Read each text once, in order, at normal speed. Grade it before you look at the next one, and don't go back.
Look nothing up, and open no other file.

Write one line for each number into `answers.md`, with a reason of at most ten words for each B and C:

    1 A
    2 B "them" could be workers or queues
"""


class Text(NamedTuple):
    """A text and where it was found."""

    source: str
    """`gpubot`, or the name of an anchor."""
    kind: str
    """`docstring`, `comment`, `paragraph` or `Slack text`."""
    place: str
    """The file, and the line or the name in it."""
    title: str
    """The text's heading in the questions, such as ``function `Client.send` ``."""
    text: str


# --- find texts


def docstrings(source: str, files: Iterable[Path], root: Path) -> Iterator[Text]:
    """Yield the docstrings of modules, classes and functions."""
    for file in files:
        module = ast.parse(file.read_text(encoding="utf-8"))
        for node in ast.walk(module):
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                name = file.stem if isinstance(node, ast.Module) else node.name
                kind = {ast.Module: "module", ast.ClassDef: "class"}.get(type(node), "function")
                if text := ast.get_docstring(node):
                    yield Text(source, "docstring", f"{file.relative_to(root)} {name}", f"{kind} `{name}`", text)


def comments(source: str, files: Iterable[Path], root: Path) -> Iterator[Text]:
    """Yield the comments that have lines of their own. Comments in consecutive lines are one text."""
    for file in files:
        code = file.read_text(encoding="utf-8")
        lines: list[str] = []
        before = 0
        for token in tokenize.generate_tokens(io.StringIO(code).readline):
            if token.type != tokenize.COMMENT or token.line.strip() != token.string:
                continue
            row = token.start[0]
            if lines and row != before + 1:
                yield _comment(source, file, root, before, lines)
                lines = []
            lines.append(token.string.lstrip("#").strip())
            before = row
        if lines:
            yield _comment(source, file, root, before, lines)


def _comment(source: str, file: Path, root: Path, row: int, lines: list[str]) -> Text:
    return Text(
        source, "comment", f"{file.relative_to(root)}:{row}", f"comment in `{file.stem}`", "\n".join(lines)
    )


def paragraphs() -> Iterator[Text]:
    """Yield the paragraphs of our pages that are made of sentences, each with the heading above it."""
    for page in (*sorted((ROOT / "docs").rglob("*.md")), ROOT / "README.md", ROOT / "CONTRIBUTING.md"):
        text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
        heading = ""
        for part in re.split(r"\n\s*\n", text):
            if found := re.match(r"#+ (.+)", part):
                heading = found[1]
            elif re.match(r"[A-Z`\[*]", part) and re.search(r"[.:?]$", part.strip()):
                yield Text(
                    OURS, "paragraph", str(page.relative_to(ROOT)), f'paragraph under "{heading}"', part.strip()
                )


def slack_texts() -> Iterator[Text]:
    """Yield the messages in the inline snapshots of `tests/views`, each as a person receives it."""
    for file in sorted((ROOT / "tests" / "views").glob("test_*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name) or node.func.id != "snapshot":
                continue
            for constant in node.args:
                if isinstance(constant, ast.Constant) and isinstance(constant.value, str):
                    for part in re.split(r"\n\s*\n", constant.value):
                        if text := _as_received(part):
                            yield Text(
                                OURS, "Slack text", f"{file.relative_to(ROOT)}:{node.lineno}", "message", text
                            )


def _as_received(text: str) -> str:
    """Return a message without its notification text. Empty if it only tests escaping or length."""
    lines = re.sub(r"^\(fallback\).*(?:\n {6}.*)*\n?", "", text, flags=re.MULTILINE).strip("\n")
    lines = re.sub(r"\n {6}(?=\S)", " ", lines)
    lines = re.sub(r"<[@#!](?:subteam\^)?[A-Z]\d*([A-Z]+?)\d*>", lambda name: f"@{name[1].lower()}", lines)
    sentences = re.search(r"[a-z)][.?](?:\s|$)", lines) and len(lines.split()) > 7
    return lines if sentences and not re.search(r"<!|<b>|aaaa|&lt;|long long", lines) else ""


def _modules(folder: Path) -> list[Path]:
    files = sorted(folder.rglob("*.py"))
    return [file for file in files if not LEFT_OUT.intersection(file.relative_to(folder).parts)]


def texts_of_ours() -> list[Text]:
    """Return all texts of this project."""
    files = [file for package in PACKAGES for file in _modules(ROOT / package)]
    return [*docstrings(OURS, files, ROOT), *comments(OURS, files, ROOT), *paragraphs(), *slack_texts()]


def texts_of_anchor(name: str, folder: Path) -> list[Text]:
    """Return all docstrings and comments of a package."""
    files = _modules(folder)
    return [*docstrings(name, files, folder), *comments(name, files, folder)]


# --- draw and score


def draw(chooser: random.Random, texts: Iterable[Text], numbers: dict[str, int]) -> list[Text]:
    """Draw so many texts of each kind. Each text is drawn once, and short ones are left out."""
    known = {text.text: text for text in texts if len(text.text) >= SHORTEST}
    drawn = []
    for kind, number in numbers.items():
        of_kind = [text for text in known.values() if text.kind == kind]
        drawn += chooser.sample(of_kind, min(number, len(of_kind)))
    return drawn


def masked(text: str) -> str:
    """Replace the projects' names, also where they are a part of a longer name."""
    names = "|".join((OURS, *ANCHORS))
    return re.sub(
        names, lambda name: MASK.capitalize() if name[0][0].isupper() else MASK, text, flags=re.IGNORECASE
    )


def write(sample: list[Text], folder: Path, key: Path) -> None:
    """Write the brief and the questions, and the key next to their folder."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "brief.md").write_text(BRIEF, encoding="utf-8")
    questions = [f"{n}. {masked(one.title)}\n\n{masked(one.text)}\n" for n, one in enumerate(sample, 1)]
    (folder / "questions.txt").write_text("\n----\n\n".join(questions), encoding="utf-8")
    lines = [f"{n}\t{one.source}\t{one.kind}\t{one.place}\n" for n, one in enumerate(sample, 1)]
    key.write_text("".join(lines), encoding="utf-8")


def score(answers: str, key: str) -> str:
    """Return the share of each grade for each source, then our texts that are no A with the reader's reasons.

    A number that the reader did not answer is listed. If a number has two answers, the later one counts.
    """
    given = {
        int(one[1]): (one[2], one[3].strip()) for one in re.finditer(r"^\W*(\d+)\W+([ABC])\b(.*)$", answers, re.M)
    }
    grades: dict[str, Counter[str]] = {}
    unclear, missing = [], []
    for line in key.splitlines():
        number, source, kind, place = line.split("\t")
        if int(number) not in given:
            missing.append(number)
            continue
        grade, reason = given[int(number)]
        for group in [source, f"{source}, {kind}"] if source == OURS else [source, "all anchors"]:
            grades.setdefault(group, Counter())[grade] += 1
        if source == OURS and grade != "A":
            unclear.append(f"{grade} {number} {kind}, {place}: {reason}")
    lines = [
        f"{group:22} {counts['A'] / counts.total():4.0%} A ({counts['A']} A, {counts['B']} B, {counts['C']} C)"
        for group, counts in grades.items()
    ]
    return "\n".join([*lines, *([f"No answer: {', '.join(missing)}"] if missing else []), "", *unclear])


def install(folder: Path) -> None:
    """Install the anchors' own files into `folder`, without their dependencies."""
    wanted = [f"{name}=={release}" for name, release in ANCHORS.items()]
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
    subprocess.run([*pip, "--upgrade", "--target", str(folder), *wanted], check=True)  # noqa: S603


def main() -> None:
    """Draw a sample, or score a reader's answers."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.by_hand.reading", description=inspect.cleandoc(__doc__ or "")
    )
    parser.add_argument("--seed", type=int, default=1, help="which sample to draw")
    parser.add_argument("--score", type=Path, metavar="ANSWERS", help="score these answers to the last sample")
    asked = parser.parse_args()
    if asked.score is not None:
        print(score(asked.score.read_text(encoding="utf-8"), KEY.read_text(encoding="utf-8")))
        return
    anchors = ROOT / "build" / "anchors"
    install(anchors)
    chooser = random.Random(asked.seed)  # noqa: S311
    sample = draw(chooser, texts_of_ours(), NUMBERS)
    for name in ANCHORS:
        sample += draw(chooser, texts_of_anchor(name, anchors / name), NUMBERS_OF_ANCHOR)
    chooser.shuffle(sample)
    write(sample, FOLDER, KEY)
    print(f"{len(sample)} texts: {FOLDER.relative_to(ROOT)}. The key is {KEY.relative_to(ROOT)}.")


if __name__ == "__main__":
    main()
