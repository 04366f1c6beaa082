"""`runs` and `show`: every run as a row, and one run with all that is known of it."""

from __future__ import annotations

import argparse
from typing import Any

from runs.clock import local_time
from runs.confusion import label_scores, last_judged, macro_f1
from runs.events import Evaluated
from runs.folder import RunFolder, runs_dir
from runs.ownership import why_read_only
from runs.queue import revive, waiting
from runs.reader import RunReader, RunSnapshot
from runs.status import SIGNS
from runs.summary import RunIndex, RunSummary
from tui.cli_lines import say_probes, to_beat
from tui.cli_output import DONE, number, say, say_json, say_table, warn
from tui.cli_reference import the_run
from tui.figures import elapsed
from tui.label_lines import label_lines
from tui.run_words import disk_trouble

_READ_ONLY = "⊘"
_HEADER = ("", "state", "name", "preset", "step", "best", "last", "time", "id")


def runs(options: argparse.Namespace) -> int:
    """List the runs whose texts hold every word of the filter."""
    path = runs_dir(options.runs_dir)
    revive(path)
    words = options.filter.lower().split()
    rows = [row for row in RunIndex(path).poll() if all(word in _text(row) for word in words)]
    if options.json:
        say_json([_row_document(row) for row in rows])
    elif rows:
        say_table([_HEADER, *(_cells(row) for row in rows)])
        shown = {row.id for row in rows}
        for one in waiting(path):
            if one.folder.id in shown:
                say(f"{one.folder.about().name}: {one.reason}")
        for row in rows:
            if row.remark:
                say(f"{row.name}: {row.remark}")
    else:
        warn(f"no run in {path}" + (f" answers to {options.filter!r}" if words else ""))
    return DONE


def show(options: argparse.Namespace) -> int:
    """Print one run."""
    reader = RunReader(the_run(options))
    run = reader.poll()
    while run.is_behind:
        run = reader.poll()
    while reader.keep_cache():
        pass  # a long run is there at once the next time
    if options.json:
        say_json(_run_document(run))
    else:
        _say_run(run)
    return DONE


def _text(row: RunSummary) -> str:
    parts = (row.name, row.id, row.preset, row.dataset, row.status.state, *row.tags)
    return " ".join(parts).lower()


def _cells(row: RunSummary) -> tuple[str, ...]:
    steps = f"{row.step}/{row.total_steps}" if row.total_steps else str(row.step)
    return (
        *(SIGNS[row.status.state], row.status.state, _marked_name(row.folder, row.name), row.preset, steps),
        *(number(row.best_loss), number(row.last_loss), elapsed(row.elapsed_s), row.id),
    )


def _marked_name(folder: RunFolder, name: str) -> str:
    """The name, with a sign before it where the run is not ours to change."""
    return f"{_READ_ONLY} {name}" if why_read_only(folder) else name


def _row_document(row: RunSummary) -> dict[str, Any]:
    fields = {name: getattr(row, name) for name in row.__dataclass_fields__ if name != "folder"}
    return {**fields, "path": str(row.folder.path), "read_only": why_read_only(row.folder)}


def _run_document(run: RunSnapshot) -> dict[str, Any]:
    names = (
        *("about", "config", "status", "started", "baselines", "error", "step", "total_steps", "elapsed_s"),
        *("eta_s", "tokens_per_second", "best_loss", "best_step", "last_val_loss", "last_loss", "splices"),
    )
    fields = {name: getattr(run, name) for name in names}
    return {
        "id": run.folder.id,
        "path": str(run.folder.path),
        **fields,
        "probes": run.probes[-1].probes if run.probes else (),
        "classification": _labels_document(run),
        "num_damaged_records": run.num_skipped,
        "disk_full": disk_trouble(run),
        "read_only": why_read_only(run.folder),
    }


def _say_run(run: RunSnapshot) -> None:
    about, status = run.about, run.status
    name = _marked_name(run.folder, about.name)
    say(f"{SIGNS[status.state]} {name}  {status.state}" + (f": {status.reason}" if status.reason else ""))
    if trouble := disk_trouble(run):
        say(f"! {trouble}")
    made = local_time(about.created, "%Y-%m-%d %H:%M") if about.created else "?"
    facts = [
        ("⊘", why_read_only(run.folder)),
        ("folder", str(run.folder.path)),
        ("preset", f"{about.preset or '(none)'}, made {made}"),
        ("tags", ", ".join(about.tags)),
        ("note", about.note),
    ]
    if run.started:
        start = run.started
        facts.append(("data", f"{start.dataset}, {start.train_rows:,} training rows"))
        facts.append(("model", f"{start.num_parameters:,} parameters, {start.device} {start.precision}"))
    of = f" of {run.total_steps:,}" if run.total_steps else ""
    facts.append(("step", f"{run.step:,}{of}, in {elapsed(run.elapsed_s)}"))
    outcome = status.outcome
    if outcome is not None:
        facts.append(("its end", outcome.proof))
    if run.best_loss is not None:
        facts.append(("best", f"validation loss {run.best_loss:.4f} at step {run.best_step or 0:,}"))
    if run.baselines:
        facts.append(("to beat", to_beat(run.baselines, run.config)))
    if run.splices:
        facts.append(("resumed", "at step " + ", ".join(f"{step:,}" for step in run.splices)))
    if run.num_skipped:
        facts.append(("damaged", f"{run.num_skipped:,} records were torn and left out"))
    for name, value in facts:
        if value:
            say(f"  {name:<8} {value}")
    _say_error(run)
    _say_labels(run)
    say_probes(run.probes[-1].probes if run.probes else ())
    _say_config(run)


def _say_error(run: RunSnapshot) -> None:
    if run.error is None:
        return
    say(f"root cause, rank {run.error.rank}{f': {run.error.cause}' if run.error.cause else ''}:")
    for line in run.error.traceback.splitlines() or [run.error.message]:
        say(f"  {line}")
    if run.error.hint:
        say(f"  hint: {run.error.hint}")


def _say_labels(run: RunSnapshot) -> None:
    """The table of a classification; of every other run nothing."""
    judged = _judged(run)
    for line in label_lines(judged) if judged else ():
        say(line)


def _judged(run: RunSnapshot) -> Evaluated | None:
    """The newest evaluation of labels that no resume has undone."""
    return last_judged(event for event in run.events if event.step <= run.step)


def _labels_document(run: RunSnapshot) -> dict[str, Any] | None:
    judged = _judged(run)
    if judged is None:
        return None
    return {
        "step": judged.step,
        "labels": judged.labels,
        "confusion": judged.confusion,
        "macro_f1": macro_f1(judged.confusion),
        "scores": label_scores(judged.labels, judged.confusion),
    }


def _say_config(run: RunSnapshot) -> None:
    if run.config is None:
        say("  its config.toml cannot be read")
        return
    from presets.config import describe, diff
    from presets.schema import RunConfig

    say("settings that differ from the defaults:")
    for change in diff(RunConfig(), run.config):
        say(f"  {describe(change)}")
