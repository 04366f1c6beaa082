"""Whatever fields the records have, a metric has the points that were recorded of it, each at its place."""

import math
from array import array
from itertools import pairwise
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from runs.metric_records import in_order, number
from runs.series_table import SeriesTable

NAMES = ("loss", "lr", "val_loss", "grad_norm", "epoch")
usual = st.one_of(st.floats(-1e6, 1e6), st.integers(-1000, 1000), st.none())
odd = st.sampled_from(["words", [1], {"a": 1}, True, 10**400, "1.5"])
records_of = st.lists(
    st.dictionaries(st.sampled_from(NAMES), st.one_of(usual, usual, usual, odd), max_size=len(NAMES)), max_size=60
)


def placed(rows: list[dict[str, Any]], first: int) -> list[dict[str, Any]]:
    """The rows as records, a step after the other."""
    return [{"step": first + at, "time": 1e9 + at, "tokens": 10 * at, **row} for at, row in enumerate(rows)]


def points_of(records: list[dict[str, Any]], name: str) -> list[tuple[float, float, float, float]]:
    """Step, time, tokens and value of a metric, taken one by one; a gap is None."""
    found = []
    for record in records:
        if name in record and (record[name] is None or isinstance(record[name], int | float)):
            value = number(record[name])
            found.append(
                (record["step"], record["time"], record["tokens"], value if math.isfinite(value) else None)
            )
    return found


def shown(table: SeriesTable, name: str) -> list[tuple[float, float, float, float | None]]:
    series = table.series.get(name)
    if series is None:
        return []
    values = [None if math.isnan(value) else value for value in series.value]
    assert series.num_gaps == values.count(None)
    assert all(series.elapsed_s[at] == series.step[at] / 2 for at in range(len(series)))
    return list(zip(series.step, series.time, series.tokens, values, strict=True))


@settings(max_examples=150, deadline=None)
@given(st.lists(records_of, min_size=1, max_size=4), st.integers(0, 100))
def test_each_metric_has_the_points_of_its_records(batches: list[list[dict[str, Any]]], cut: int) -> None:
    table = SeriesTable()
    kept: list[dict[str, Any]] = []
    for index, rows in enumerate(batches):
        records = placed(rows, kept[-1]["step"] + 1 if kept else 1)
        table.extend(records, array("d", [record["step"] / 2 for record in records]))
        kept += records
        if index == 1:
            table.truncate_after(cut)
            kept = [record for record in kept if record["step"] <= cut]
    for name in NAMES:
        assert shown(table, name) == points_of(kept, name)
    assert set(table.series) <= set(NAMES)


def test_metrics_that_are_recorded_together_share_their_places() -> None:
    table = SeriesTable()
    train = [{"step": step, "loss": 1.0, "lr": 0.1} for step in range(100)]
    table.extend(train, array("d", range(100)))
    table.extend([{"step": 100, "val_loss": 2.0}], array("d", [100]))
    assert table.series["loss"].axis is table.series["lr"].axis is not table.series["val_loss"].axis
    table.extend([{"step": 101, "loss": 1.0}], array("d", [101]))
    assert (len(table.series["loss"].step), len(table.series["lr"].step)) == (102 - 1, 100)


def test_a_file_that_makes_up_names_does_not_fill_the_memory() -> None:
    table = SeriesTable()
    for start in range(0, 1500, 100):
        records = [{"step": at, f"metric {at}": 1.0} for at in range(start, start + 100)]
        table.extend(records, array("d", range(100)))
    assert len(table.series) == 1000


@settings(max_examples=100, deadline=None)
@given(st.lists(st.one_of(st.integers(0, 50), st.floats(0, 50), st.none(), odd), max_size=50), st.integers(0, 20))
def test_only_records_that_go_on_are_kept(steps: list[Any], newest: int) -> None:
    kept = [record["step"] for record in in_order([{"step": step} for step in steps], newest)]
    assert all(earlier <= later for earlier, later in pairwise([newest, *kept]))
    rest = iter(steps)
    assert all(any(step is taken for step in rest) for taken in kept), "in their order"
    if steps == sorted(step for step in steps if type(step) is int and newest <= step <= 50):
        assert kept == steps
