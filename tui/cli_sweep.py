"""`sweep`: many runs that differ in a few fields, queued; and the table of what came of them."""

from __future__ import annotations

import argparse
import time
from typing import Any

from presets import corpora
from presets.catalog import Preset
from presets.estimate import estimate
from presets.fields import format_value
from presets.schema import RunConfig
from presets.sweep_axes import Sweep, WrongSweep, make_sweep, parse_axis
from runs.folder import RunFolder, runs_dir
from runs.references import MissingReference, with_lasting_references
from runs.summary import RunIndex
from runs.sweep import (
    SweepNotFound,
    SweepStopped,
    SweepSummary,
    SweepTable,
    new_sweep_id,
    start_sweep,
    sweep_table,
    sweeps,
)
from tui.cli_logout import heed_logout
from tui.cli_output import DONE, FAILED, WrongRequest, number, say, say_json, say_table, warn
from tui.cli_plan import changed
from tui.cli_train import read
from tui.cli_trust import heed_preset, heed_start_from
from tui.figures import duration
from tui.plan import measured_machine
from tui.sweep_words import cells, headings, left_out_words, size_words, state_words, total_time_s


def sweep(options: argparse.Namespace) -> int:
    """List the sweeps, show one, or make one and with `--start` queue its runs."""
    if options.what == "list":
        return _list(options)
    if options.what == "show":
        return _show(options)
    if options.id:
        raise WrongRequest(f"{options.id!r}: fields to vary are given as --grid FIELD=VALUES")
    preset = read(options.what)
    made = _make(changed(preset.config, options.set), options)
    if options.start:
        return _start(preset, made, options)
    machine = measured_machine()
    if options.json:
        times = [estimate(point.config, machine).time_s.value for point in made.points]
        say_json(
            {
                **_document(made),
                "runs": [
                    {"name": point.name, "values": dict(point.values), "time_s": seconds}
                    for point, seconds in zip(made.points, times, strict=True)
                ],
                "time_s": total_time_s(made, machine),
            }
        )
        return DONE
    rows = [[path.partition(".")[2] for path in made.paths] + ["time"]]
    for point in made.points:
        seconds = estimate(point.config, machine).time_s.value
        rows.append([*map(format_value, point.values.values()), "?" if seconds is None else duration(seconds)])
    say_table(rows)
    say(size_words(made, machine))
    if left_out_words(made):
        warn(left_out_words(made))
    warn("nothing was started; --start queues these runs")
    return DONE


def _make(base: RunConfig, options: argparse.Namespace) -> Sweep:
    if options.offline_corpus and base.data.source == "hub":
        base = corpora.with_embedded_corpus(base)
    try:
        grid, over = [parse_axis(text) for text in options.grid], [parse_axis(text) for text in options.over]
        return make_sweep(base, grid, over, options.random, options.seed)
    except WrongSweep as error:
        raise WrongRequest(str(error)) from None


def _start(preset: Preset, made: Sweep, options: argparse.Namespace) -> int:
    """Ask what `train` asks, once for all, then queue one run after the other."""
    from dataclasses import replace

    runs = runs_dir(options.runs_dir)
    heed_preset(preset, options)
    heed_start_from(made.base, runs, options)
    try:
        points = [replace(one, config=with_lasting_references(one.config, runs)) for one in made.points]
    except MissingReference as error:
        raise WrongRequest(str(error)) from None
    made = replace(made, points=tuple(points))
    for config in {point.config.data: point.config for point in made.points}.values():
        _require_data(config)
    heed_logout(options)
    id = new_sweep_id(preset.name)

    is_queued = False

    def begun(count: int, folder: RunFolder) -> None:
        nonlocal is_queued
        is_queued = True
        if not options.json:
            say(f"{count}/{len(made.points)}  {folder.about().name}  {folder.id}")

    try:
        started = start_sweep(
            runs, made, preset=preset.name, id=id, despite_logout=True, begun=begun  # heed_logout has asked
        )  # fmt: skip
    except KeyboardInterrupt:
        if is_queued:  # whole, before the first was begun
            warn(f"sweep {id} stands in the queue, all {len(made.points)} runs; `tinytrain-tui sweep show {id}`")
        raise
    except SweepStopped as error:
        warn(str(error))
        started, status = error.started, FAILED
    else:
        status = DONE
    if left_out_words(made):
        warn(left_out_words(made))
    if options.json:
        document = {**_document(made), "id": id, "runs": [folder.id for folder in started]}
        say_json(document)
    elif started:
        say(
            f"sweep {id}: {len(started)} runs are queued; `tinytrain-tui sweep show {id}` shows what comes of them"
        )
    return status


def _require_data(config: RunConfig) -> None:
    if config.data.source != "hub":
        return
    from runs.hub import hub_status

    status = hub_status(config)
    if status.is_in_the_way:
        advice = "" if config.objective.has_labels else "; give --offline-corpus to train on the shipped corpus"
        raise WrongRequest(status.sentence + advice)


def _list(options: argparse.Namespace) -> int:
    found = sweeps(RunIndex(runs_dir(options.runs_dir)).poll())
    if options.json:
        say_json([_summary_document(one) for one in found])
    elif found:
        rows = [("sweep", "runs", "done", "best", "best run", "begun")]
        for one in found:
            best = one.best
            begun = time.strftime("%Y-%m-%d %H:%M", time.localtime(one.created))
            loss, name = (number(best.best_loss), best.name) if best else ("-", "-")
            rows.append((one.id, str(one.num_runs), str(one.num_over), loss, name, begun))
        say_table(rows)
    else:
        warn("no sweep yet; `tinytrain-tui sweep PRESET --grid optim.lr=1e-4,1e-3 --start` makes one")
    return DONE


def _show(options: argparse.Namespace) -> int:
    try:
        table = sweep_table(runs_dir(options.runs_dir), options.id or "last")
    except SweepNotFound as error:
        raise WrongRequest(str(error)) from None
    if options.json:
        say_json(_table_document(table))
        return DONE
    say(f"{table.id}: {state_words(table)}")
    say_table([(*headings(table), "id"), *((*cells(table, row), row.run.id) for row in table.rows)])
    return DONE


def _document(made: Sweep) -> dict[str, Any]:
    return {
        "fields": list(made.paths),
        "left_out": [{"name": name, "reason": reason} for name, reason in made.left_out],
    }


def _summary_document(one: SweepSummary) -> dict[str, Any]:
    best = {"id": one.best.id, "name": one.best.name, "best_loss": one.best.best_loss} if one.best else None
    return {"id": one.id, "num_runs": one.num_runs, "num_over": one.num_over, "created": one.created, "best": best}


def _table_document(table: SweepTable) -> dict[str, Any]:
    rows = [
        {
            "place": row.place,
            "is_best": row.is_best,
            "id": row.run.id,
            "name": row.run.name,
            "state": row.run.status.state,
            "values": dict(row.values),
            "best_loss": row.run.best_loss,
            "best_step": row.run.best_step,
            "last_loss": row.run.last_loss,
            "step": row.run.step,
            "total_steps": row.run.total_steps,
            "elapsed_s": row.run.elapsed_s,
        }
        for row in table.rows
    ]
    return {"id": table.id, "fields": list(table.paths), "num_over": table.num_over, "runs": rows}
