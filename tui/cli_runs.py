"""`runs` and `show`: every run as a row, and one run with all that is known of it."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import msgspec

from runs.clock import local_time
from runs.confusion import label_scores, last_judged, macro_f1
from runs.events import Evaluated
from runs.folder import RunFolder, age_key, runs_dir
from runs.index_cache import load_index, save_index
from runs.ownership import why_read_only
from runs.queue import revive, waiting
from runs.reader import RunReader, RunSnapshot
from runs.status import SIGNS
from runs.summary import RunIndex, RunSummary
from tui.cli_lines import say_probes, to_beat
from tui.cli_output import DONE, WrongRequest, number, say, say_json, say_table, warn
from tui.cli_reference import the_run
from tui.figures import elapsed
from tui.label_lines import label_lines
from tui.memory_words import memory_check, memory_words
from tui.run_fields import RunField, all_fields, field_named, metrics_of
from tui.run_listing import NEWEST, Listing, listed, sort_runs
from tui.run_words import disk_trouble

_READ_ONLY = "⊘"
_HEADER = ("", "state", "name", "preset", "step", "best", "last", "time", "id")


def runs(options: argparse.Namespace) -> int:
    """List the runs that match the filter."""
    path = runs_dir(options.runs_dir)
    if options.columns.strip() == "?":
        return _say_fields(path, as_json=options.json)
    revive(path)
    query = " ".join(options.filter)
    rows, metrics = _listed(path, options, query)
    if options.json:
        say_json([_row_document(row) for row in rows])
    elif not rows:
        warn(f"no run in {path}" + (f" answers to {query!r}" if query else ""))
    elif options.columns:
        fields = [_field(name.strip(), metrics) for name in options.columns.split(",") if name.strip()]
        header = tuple(field.key for field in fields)
        say_table([header, *(tuple(field.text(row) for field in fields) for row in rows)])
    else:
        say_table([_HEADER, *(_cells(row) for row in rows)])
        shown = {row.id for row in rows}
        for one in waiting(path):
            if one.folder.id in shown:
                say(f"{one.folder.about().name}: {one.reason}")
        for row in rows:
            if row.remark:
                say(f"{row.name}: {row.remark}")
    return DONE


def _listed(path: Path, options: argparse.Namespace, query: str) -> tuple[tuple[RunSummary, ...], frozenset[str]]:
    """The runs as they are to be printed, and the metrics that some have recorded. Raises WrongRequest."""
    index = RunIndex(path, load_index(path))
    rows = index.poll()
    if options.json or query or options.sort or options.columns:  # then also what takes longer to find out
        rows = index.complete()
    save_index(path, index)
    metrics = metrics_of(rows)
    found = listed(rows, Listing(query, archived=options.archived), {}, metrics)
    if found.error is not None:
        raise WrongRequest(f"the filter, at character {found.error.position + 1}: {found.error}")
    field = _field(options.sort or NEWEST, metrics)
    newest_first = tuple(sorted(found.runs, key=lambda row: age_key(row.id), reverse=True))
    is_down = (field.key == NEWEST) != options.reverse
    runs = sort_runs(newest_first, field.key, metrics, descending=is_down)
    return runs[: options.limit] if options.limit > 0 else runs, metrics


def _field(name: str, metrics: frozenset[str]) -> RunField:
    field = field_named(name, metrics)
    if field is None:
        raise WrongRequest(f"there is no field {name!r}; `runs --columns ?` lists them")
    return field


def _say_fields(path: Path, *, as_json: bool) -> int:
    fields = all_fields(metrics_of(RunIndex(path, load_index(path)).poll()))
    if as_json:
        say_json([{"name": field.key, "kind": field.kind, "help": field.help} for field in fields])
    else:
        say_table([("field", "kind", "what it is"), *((field.key, field.kind, field.help) for field in fields)])
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


def _memory_document(run: RunSnapshot) -> dict[str, Any] | None:
    """The estimate beside the measured peak; None before anything was measured."""
    check = memory_check(run)
    return {**msgspec.to_builtins(check), "is_within": check.is_within} if check is not None else None


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
        "memory": _memory_document(run),
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
    facts.append(("memory", memory_words(run)))
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
