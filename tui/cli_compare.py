"""`compare`: several runs side by side: figures with the best marked, differing settings, probes, a metric."""

from __future__ import annotations

import argparse
from bisect import bisect_right
from collections.abc import Sequence
from typing import Any

from runs.compare import MOST_RUNS, Comparison, comparison_of, read_whole
from runs.disk import bytes_under
from runs.folder import RunFolder, RunNotFound, find_run, runs_dir
from runs.reader import RunSnapshot
from runs.series import Series
from tui import compare_rows
from tui.cli_output import DONE, WrongRequest, say, say_json
from tui.metric_words import metric_value, metric_words
from tui.safe_text import safe_text
from tui.table_rows import Cell, Row

_NUM_ROWS = 20
_NUM_WORDS = 3
_WIDEST = 36


def compare(options: argparse.Namespace) -> int:
    """Print the comparison."""
    folders = _folders(options)
    snapshots = [read_whole(folder) for folder in folders]
    if options.metric:
        return _metric(snapshots, options)
    comparison = comparison_of(snapshots, [bytes_under(folder.path) for folder in folders], options.step)
    if options.json:
        say_json({**_document(comparison), "metrics": _metrics(snapshots)})
    else:
        _say(comparison, options.all)
    return DONE


def _folders(options: argparse.Namespace) -> tuple[RunFolder, ...]:
    """The runs that were named, each once. Raises WrongRequest."""
    path = runs_dir(options.runs_dir)
    found: dict[str, RunFolder] = {}
    for reference in options.runs:
        try:
            folder = find_run(path, reference)
        except RunNotFound as error:
            raise WrongRequest(str(error)) from None
        found[folder.id] = folder
    if len(found) < 2:
        raise WrongRequest("name at least two different runs to compare")
    if len(found) > MOST_RUNS:
        raise WrongRequest(f"{len(found)} runs are more than can be compared at once ({MOST_RUNS})")
    return tuple(found.values())


def _document(comparison: Comparison) -> dict[str, Any]:
    names = ("runs", "figures", "probes", "notes")
    return {**{name: getattr(comparison, name) for name in names}, "differing": comparison.differing}


def _metrics(snapshots: Sequence[RunSnapshot]) -> list[str]:
    return list(dict.fromkeys(name for snapshot in snapshots for name in snapshot.series))


def _say(comparison: Comparison, everything: bool) -> None:
    heads = tuple(head.text for head in compare_rows.heads_of(comparison.runs))
    for place, run in enumerate(comparison.runs):
        say(f"{compare_rows.name_of(comparison.runs, place)}  {run.state}, step {run.step:,}, {run.id}")
    for note in comparison.notes:
        say(f"! {note}")
    say()
    _say_rows(heads, compare_rows.figure_table(comparison))
    say()
    rows = compare_rows.setting_rows(comparison, everything)
    if rows:
        say("settings" if everything else f"settings that differ: {len(rows)}")
        _say_rows(heads, rows)
    else:
        say("no setting differs")
    if comparison.probes:
        say()
        _say_rows(heads, compare_rows.probe_table(comparison.probes, _NUM_WORDS), left=True)


def _say_rows(heads: Sequence[str], rows: Sequence[Row], *, left: bool = False) -> None:
    """Columns under the runs' names; a heading stands over what belongs to it. left: words, not figures."""
    widths = [0, *map(len, heads)]
    for row in rows:
        texts = () if row.is_head else (row.label, *(cell.text for cell in row.cells))
        for index, text in enumerate(texts):
            widths[index] = max(widths[index], min(len(text), _WIDEST))
    lines = [Row("", "", tuple(Cell(head) for head in heads)), *rows]
    for row in lines:
        if row.is_head:
            say(row.label)
            continue
        texts = tuple(safe_text(cell.text, _WIDEST) for cell in row.cells)
        padded = (
            text.ljust(width) if left else text.rjust(width)
            for text, width in zip(texts, widths[1:], strict=False)
        )  # fmt: skip
        say("  ".join((safe_text(row.label, _WIDEST).ljust(widths[0]), *padded)).rstrip())


def _metric(snapshots: Sequence[RunSnapshot], options: argparse.Namespace) -> int:
    """One metric of all of them: every point as JSON, or at about twenty steps for a person."""
    name: str = options.metric
    known = _metrics(snapshots)
    if name not in known:
        raise WrongRequest(f"none of them recorded {name}; they recorded {', '.join(known) or 'nothing yet'}")
    series = [snapshot.series.get(name) for snapshot in snapshots]
    if options.json:
        runs = [
            {
                "id": snapshot.folder.id,
                "name": snapshot.about.name,
                "steps": list(one.step) if one is not None else [],
                "values": list(one.value) if one is not None else [],
            }
            for snapshot, one in zip(snapshots, series, strict=True)
        ]
        say_json({"metric": name, "runs": runs})
        return DONE
    runs_compared = comparison_of(snapshots).runs
    heads = tuple(head.text for head in compare_rows.heads_of(runs_compared))
    say(f"{metric_words(name)}, by step")
    steps = _steps(series)
    width = max((len(f"{step:,}") for step in steps), default=0)
    rows = [Row("", f"{step:>{width},}", tuple(Cell(_at(one, step)) for one in series)) for step in steps]
    _say_rows(heads, rows)
    return DONE


def _steps(series: Sequence[Series | None]) -> tuple[int, ...]:
    """About twenty of the steps at which one of them recorded it, and the last of each."""
    there = [one for one in series if one is not None and len(one)]
    steps = sorted(
        {int(one.step[at]) for one in there for at in range(0, len(one), max(1, len(one) // _NUM_ROWS))}
    )
    chosen = set(steps[:: max(1, len(steps) // _NUM_ROWS)]) | {int(one.step[-1]) for one in there}
    return tuple(sorted(chosen))


def _at(series: Series | None, step: int) -> str:
    """The newest value at or before that step; nothing past the run's end."""
    if series is None or not len(series) or step > series.step[-1]:
        return "-"
    at = bisect_right(series.step, step) - 1
    return metric_value(series.value[at]) if at >= 0 else "-"
