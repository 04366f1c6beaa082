"""The settings of a run in a line or two: what its memory and speed hang on, and what was changed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.cells import cell_len

from presets.config import Change, describe, diff
from presets.schema import RunConfig
from runs.events import AttemptStarted
from tui.safe_text import ELLIPSIS, safe_text

_BETWEEN = " · "
_SELDOM_A_CAUSE = frozenset({"probes.texts"})  # long, and shown on the same screen


@dataclass(frozen=True)
class Changed:
    """What of a run's settings is not as in its preset, as that is now; without one, not as the defaults."""

    base: str
    changes: tuple[Change, ...]


def changed_settings(config: RunConfig, preset: str) -> Changed:
    """Compare a run with the preset of that name. Reads the presets' files."""
    from presets.catalog import find_preset

    base, of = RunConfig(), "the defaults"
    try:
        base, of = find_preset(preset).config, safe_text(preset, 40)
    except KeyError:
        pass  # it was deleted, renamed, or there never was one: a run that was cloned or forked
    changes = tuple(change for change in diff(base, config) if change.path not in _SELDOM_A_CAUSE)
    return Changed(of, changes)


def setting_items(config: RunConfig, started: AttemptStarted | None, changed: Changed | None) -> tuple[str, ...]:
    """`batch 32`, `length 128`, `bf16`, `8 × cuda`, `changed from v1: optim.lr: 0.001 → 0.003`, …

    started: says what "auto" came to. changed: None while it is not known.
    """
    train, launch = config.train, config.launch
    passes = f" × {train.accumulation_steps} passes" if train.accumulation_steps > 1 else ""
    num = started.num_processes if started is not None else launch.num_processes * launch.num_nodes
    device = started.device if started is not None else launch.device
    items = [
        f"batch {train.batch_size:,}{passes}",
        f"length {config.data.sequence_length:,}",
        started.precision if started is not None else f"precision {train.precision}",
        f"{num} × {device}" if num > 1 else device,
    ]
    if changed is not None and changed.changes:
        first, *others = (describe(change) for change in changed.changes)
        items += [f"changed from {changed.base}: {first}", *others]
    elif changed is not None:
        items.append(f"all else as in {changed.base}")
    return tuple(safe_text(item, 200) for item in items)


def folded(items: Sequence[str], width: int, rows: int, more: str = "") -> tuple[str, ...]:
    """Items in at most so many lines of that many cells; where not all fit, the last ends in how many are left.

    more: what shows the rest, such as `z`.
    """
    lines: list[str] = []
    waiting = list(items)
    while waiting and len(lines) < rows:
        is_last = len(lines) == rows - 1
        fitting = _num_fitting(waiting, width, more if is_last else None)
        line, waiting = _BETWEEN.join(waiting[:fitting]), waiting[fitting:]
        sign = _left_words(len(waiting), more) if is_last else ""
        lines.append(safe_text(line, max(width - len(sign), 1)) + sign)
    return tuple(lines)


def _num_fitting(items: Sequence[str], width: int, more: str | None) -> int:
    """How many of them stand in a line, at least one; more: as above, None where another line follows."""
    for num in range(len(items), 1, -1):
        sign = _left_words(len(items) - num, more) if more is not None else ""
        if cell_len(_BETWEEN.join(items[:num]) + sign) <= width:
            return num
    return 1


def _left_words(left: int, more: str) -> str:
    if not left:
        return ""
    return f"{_BETWEEN}{ELLIPSIS} {left} more{f': {more}' if more else ''}"
