"""The registered writers of messages, compared with the table of audiences for each kind of event."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Union, get_args, get_origin, get_type_hints

import pytest

from bot.model.event import EFFECTS, Effects, EventKind, never
from handlers.messages import render
from handlers.messages.writers import alert, approvers, direct, question, thread


def kinds(has_audience: Callable[[Effects[Any]], object]) -> set[EventKind]:
    return {kind for kind, row in EFFECTS.items() if has_audience(row)}


def test_each_kind_has_exactly_the_writers_that_its_row_names() -> None:
    assert render.SUBJECTS  # importing these modules registers the writers
    assert direct.keys() == kinds(lambda row: row.direct)
    assert approvers.keys() == kinds(lambda row: row.approvers)
    assert alert.keys() == kinds(lambda row: row.alert)
    assert question.keys() == kinds(lambda row: row.question)
    # These two kinds have no registered writer, because their writers need different arguments.
    assert kinds(lambda row: row.reminder) == {EventKind.APPROVERS_REMINDED}
    assert kinds(lambda row: row.file) == {EventKind.MONTH_FILED}


def test_each_kind_about_a_rental_has_a_thread_or_history_text() -> None:
    assert kinds(lambda row: row.thread is not never) <= thread.keys()
    about_the_account = list(EventKind)[list(EventKind).index(EventKind.DELETED_OVERDUE) + 1 :]
    assert {*EventKind} - thread.keys() == {*about_the_account}


@pytest.mark.parametrize(
    ("kind", "write"), [one for audience in (thread, direct, approvers, alert) for one in audience.items()]
)
def test_each_writer_is_annotated_with_the_facts_of_its_kinds(
    kind: EventKind, write: Callable[[Any], Any]
) -> None:
    context = next(iter(get_type_hints(write).values()))
    contexts = get_args(context) if get_origin(context) is Union else (context,)
    declared = [facts for one in contexts for facts in get_args(one)]
    assert all(issubclass(EFFECTS[kind].facts, facts) for facts in declared)
