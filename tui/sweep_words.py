"""A sweep in words and cells of text, for the dialog, the table of results and the command line alike."""

from __future__ import annotations

import math

from presets.estimate import Machine, estimate
from presets.fields import format_value
from presets.sweep_axes import Sweep
from runs.status import SIGNS
from runs.sweep import SweepRow, SweepTable
from tui.figures import duration, elapsed

BEST = "★"


def total_time_s(sweep: Sweep, machine: Machine) -> float | None:
    """Seconds of all runs, one after another; None when that of one is unknown."""
    times = [estimate(point.config, machine).time_s.value for point in sweep.points]
    known = [time for time in times if time is not None]
    return sum(known) if len(known) == len(times) else None


def size_words(sweep: Sweep, machine: Machine) -> str:
    """`12 runs of about 2 min, 24 min in all, one after another`."""
    num = len(sweep.points)
    runs = "1 run" if num == 1 else f"{num} runs"
    seconds = total_time_s(sweep, machine)
    if seconds is None:
        return f"{runs}; their time is unknown until the data are read"
    if num == 1:
        return f"{runs}, about {duration(seconds)}"
    each = duration(seconds / num)
    return f"{runs} of about {each}, {duration(seconds)} in all, one after another"


def left_out_words(sweep: Sweep) -> str:
    """Which combinations cannot run, and why the first of them; empty when all can."""
    if not sweep.left_out:
        return ""
    num = len(sweep.left_out)
    name, reason = sweep.left_out[0]
    which = "1 combination is" if num == 1 else f"{num} combinations are"
    return f"{which} left out: {name}: {reason}" + ("" if num == 1 else f" (and {num - 1} more)")


def headings(table: SweepTable) -> tuple[str, ...]:
    """Of the columns that `cells` fills."""
    leaves = [path.partition(".")[2] for path in table.paths]
    fields = [path if leaves.count(leaf) > 1 else leaf for path, leaf in zip(table.paths, leaves, strict=True)]
    return ("", "best", "at", "last", *fields, "state", "step", "time", "run")


def cells(table: SweepTable, row: SweepRow) -> tuple[str, ...]:
    """One run as text: its place or a star, figures, its values in the varied fields, state, progress, name."""
    run = row.run
    place = f"{BEST} 1" if row.is_best else f"{row.place}" if row.place else "–"
    values = (format_value(row.values[path]) if path in row.values else "?" for path in table.paths)
    at = "–" if run.best_step is None else f"{run.best_step:,}"
    state = f"{SIGNS[run.status.state]} {run.status.state}"
    step = f"{run.step:,}/{run.total_steps:,}" if run.total_steps else f"{run.step:,}"
    return (place, _loss(run.best_loss), at, _loss(run.last_loss), *values, state, step, elapsed(run.elapsed_s),
            run.name)  # fmt: skip


def state_words(table: SweepTable) -> str:
    """`5 of 12 done; best 5.412 with lr 3e-4`."""
    num, over = len(table.rows), table.num_over
    done = f"all {num} done" if num and over == num else f"{over} of {num} done"
    if table.num_idle:
        done += f", {table.num_idle} never begun"
    best = next((row for row in table.rows if row.is_best), None)
    if best is None:
        return f"{done}; none has been evaluated yet"
    values = ", ".join(f"{path.partition('.')[2]} {format_value(value)}" for path, value in best.values.items())
    return f"{done}; best {_loss(best.run.best_loss)}" + (f" with {values}" if values else "")


def _loss(loss: float | None) -> str:
    if loss is None:
        return "–"
    return f"{loss:.4f}" if math.isfinite(loss) else f"{loss}"
