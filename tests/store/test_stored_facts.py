"""Each kind of event is read as it was stored by 0.1.0, by 0.5.0, or by the version that introduced it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.dialects.sqlite.base import SQLiteDialect

from bot.model.event import Event, EventKind
from store.columns import JsonText
from store.mapping import to_model
from tests.databases import START

ROWS = [json.loads(line) for line in (Path(__file__).parent / "facts.jsonl").read_text().splitlines()]
NAMES = {name for row in ROWS for name in row["facts"]}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row['kind']}, {row['release']}")
def test_events_stored_by_an_earlier_version_keep_their_facts(row: dict[str, Any]) -> None:
    # These versions stored null for each fact that the event didn't have.
    facts = {**dict.fromkeys(NAMES), **row["facts"], "of_a_later_version": 1}
    stored = {"id": 1, "rental_id": "k7mq2", "kind": row["kind"], "at": START, "actor": None, "facts": facts}
    event = to_model(Event, stored)
    fields, known = type(event.facts).model_fields, event.facts.model_fields_set
    assert {fields[name].alias or name for name in known} == row["facts"].keys()
    # An earlier release has to read what is stored now, so renamed fields are stored under their earlier names.
    written = json.loads(JsonText[Any](Any).process_bind_param(event.facts, SQLiteDialect()) or "")
    assert row["facts"].keys() <= written.keys()
    if use := row["facts"].get("use"):
        assert use.keys() <= written["use"].keys()


def test_each_kind_has_a_row_of_a_version_that_stored_it() -> None:
    assert {row["kind"] for row in ROWS} == {*EventKind}
