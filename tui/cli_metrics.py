"""`metrics`: what a run recorded, as a table, JSON lines or CSV; read in pieces, however long it is."""

from __future__ import annotations

import argparse
import csv
import io
from collections.abc import Iterator
from typing import Any

from runs.folder import RunFolder
from runs.records import RecordTail
from tui.cli_output import DONE, WrongRequest, say, say_json
from tui.cli_reference import the_run

_ALWAYS = ("step", "elapsed_s")
_LONGEST_ROW = 1_000_000  # characters; a row that is cut off would be a wrong table
_NOT_METRICS = frozenset({*_ALWAYS, "seq", "time", "tokens", "crc", "attempt"})


def metrics(options: argparse.Namespace) -> int:
    """Print the run's metrics."""
    if options.json and options.csv:
        raise WrongRequest("choose one of --json and --csv")
    folder = the_run(options)
    there = _names(folder)
    wanted = [name.strip() for name in options.names.split(",") if name.strip()]
    unknown = [name for name in wanted if name not in there]
    if unknown:
        known = ", ".join(there) or "nothing yet"
        raise WrongRequest(f"{folder.about().name} did not record {', '.join(unknown)}; it recorded {known}")
    names = wanted or there
    if options.json:
        for record in visible_records(folder):
            if not wanted:
                say_json(record)
            elif any(name in record for name in wanted):
                kept = {name: record[name] for name in ("attempt", "step", "elapsed_s", *wanted) if name in record}
                say_json(kept)
        return DONE
    columns = [*_ALWAYS, *names]
    say(_csv(columns) if options.csv else "  ".join(f"{name:>12}" for name in columns), _LONGEST_ROW)
    for record in visible_records(folder):
        if any(name in record for name in names):
            values = [record.get(name) for name in columns]
            row = _csv(values) if options.csv else "  ".join(f"{_cell(value):>12}" for value in values)
            say(row, _LONGEST_ROW)
    return DONE


def visible_records(folder: RunFolder) -> Iterator[dict[str, Any]]:
    """All records in order, with their attempt; what a later resume repeated is left out."""
    attempts = folder.attempts()
    starts = [_start(RecordTail(attempt.events_file)) for attempt in attempts]
    for index, attempt in enumerate(attempts):
        later = [start for start in starts[index + 1 :] if start is not None]
        last_step = min(later, default=None)
        tail = RecordTail(attempt.metrics_file)
        for batch in tail.batches():
            for record in batch:
                if last_step is None or record.get("step", 0) <= last_step:
                    yield {"attempt": attempt.number, **record}


def _start(events: RecordTail) -> int | None:
    """The step an attempt went on from; None when it never began."""
    for event in events.poll():
        if event.get("kind") == "attempt_started":
            return int(event.get("step", 0))
    return None


def _names(folder: RunFolder) -> list[str]:
    found: dict[str, None] = {}
    for record in visible_records(folder):
        found.update(dict.fromkeys(name for name in record if name not in _NOT_METRICS))
    return list(found)


def _csv(values: list[Any]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="").writerow(["" if value is None else value for value in values])
    return text.getvalue()


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.5g}"
    return str(value)
