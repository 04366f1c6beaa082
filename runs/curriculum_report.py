"""Whether a curriculum helped: a run beside its twin, the same run without it, at the same number of tokens."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from pathlib import Path

import msgspec

from presets.config import ConfigError, diff, with_values
from presets.estimate import global_batch
from presets.fields import Value
from presets.schema import CurriculumConfig, RunConfig
from runs.folder import RunFolder, all_runs
from runs.reader import RunReader
from runs.status import read_status

SHARES = (0.1, 0.25, 0.5, 0.75, 1.0)
"""Of the tokens that both runs have seen, where they are compared."""
LEAST_DIFFERENCE = 0.005
"""Share of the loss under which two runs count as equal; two seeds of one run easily differ by that much."""

_Curve = Sequence[tuple[float, float, float]]

# what changes nothing of what a run learns from a token, or is there to make the tokens equal
_HARMLESS = frozenset(
    "train." + name
    for name in (
        *("max_steps", "epochs", "log_every", "eval_every", "checkpoint_every", "keep_checkpoints"),
        *("early_stopping_patience", "early_stopping_min_delta", "max_skipped_updates"),
        *("compile", "cuda_graphs", "activation_checkpointing", "fit_batch"),
    )
)
_OF_THE_BATCH = frozenset({"train.batch_size", "train.accumulation_steps"})
_PROCESSES = frozenset({"launch.num_processes", "launch.num_nodes"})


class NoComparison(ValueError):
    """There is nothing to compare; the text says why, and what to do."""


class Point(msgspec.Struct, frozen=True):
    """Validation losses of the run and of its twin after the same number of tokens, nats."""

    tokens: int
    loss: float
    twin_loss: float


class CurriculumReport(msgspec.Struct, frozen=True):
    """tokens: the most that both have seen, padding with them. difference: loss − twin_loss, below 0 it helped.

    step, twin_step: the last step of each. points: how they went, the last one at `tokens`. differing: paths of
    other settings than the curriculum's in which they differ, so that the difference may be due to them.
    """

    run: str
    twin: str
    twin_id: str
    tokens: int
    loss: float
    twin_loss: float
    difference: float
    step: int
    twin_step: int
    points: tuple[Point, ...]
    sentence: str
    differing: tuple[str, ...] = ()


def has_curriculum(config: RunConfig) -> bool:
    """Whether anything begins easy and grows."""
    curriculum = config.curriculum
    return curriculum.order != "none" or 0 < curriculum.start_length < config.data.sequence_length


def find_twin(runs: Path, folder: RunFolder) -> RunFolder | None:
    """The finished run whose configuration is this one's without the curriculum, and whose tokens come nearest.

    Of several that are as near, the newest.
    """
    config = folder.config()
    wanted = validation_curve(folder)
    found: list[tuple[float, RunFolder]] = []
    for other in all_runs(runs):
        try:
            if other.id == folder.id or not is_twin(config, other.config()):
                continue
        except (OSError, ConfigError):  # a run of another version, or one that is just being deleted
            continue
        if read_status(other).state != "finished":
            continue
        curve = validation_curve(other)
        if curve and wanted:
            found.append((abs(curve[-1][0] - wanted[-1][0]), other))
    return min(found, key=lambda one: one[0])[1] if found else None


def is_twin(config: RunConfig, other: RunConfig) -> bool:
    """Whether another configuration learns the same from the same data, without a curriculum."""
    return not has_curriculum(other) and not differing_settings(config, other)


def differing_settings(config: RunConfig, other: RunConfig) -> tuple[str, ...]:
    """Paths in which two runs differ that change what a token teaches, besides the curriculum."""
    same_batch = global_batch(other) == global_batch(config)
    harmless = _HARMLESS | _OF_THE_BATCH if same_batch else _HARMLESS
    paths = (change.path for change in diff(config, other) if change.path not in harmless)
    return tuple(
        path
        for path in paths
        if path.split(".")[0] not in ("curriculum", "probes", "launch") or (path in _PROCESSES and not same_batch)
    )


def twin_config(folder: RunFolder) -> RunConfig:
    """The run's configuration without the curriculum, with as many steps as make up the run's tokens.

    Raises NoComparison when it has no curriculum, or has not said how many tokens it took.
    """
    config = _with_curriculum(folder)
    curve = validation_curve(folder)
    if not curve or not curve[-1][0]:
        raise NoComparison(f"{folder.about().name} has no evaluation yet; its tokens are not known before it ends")
    if read_status(folder).is_live:
        raise NoComparison(f"{folder.about().name} is not over yet; its tokens are not known before it ends")
    steps = round(curve[-1][0] / (global_batch(config) * config.data.sequence_length))
    values: dict[str, Value] = {
        **{f"curriculum.{name}": value for name, value in msgspec.structs.asdict(CurriculumConfig()).items()},
        "train.max_steps": max(1, steps),
        "train.early_stopping_patience": 0,  # it is to see all the tokens
    }
    return with_values(config, values)


def compare(folder: RunFolder, twin: RunFolder) -> CurriculumReport:
    """Both at the same tokens. Raises NoComparison when there are too few, or not just one has a curriculum."""
    config, plain = _with_curriculum(folder), twin.config()
    name, other = folder.about().name, twin.about().name
    if twin.id == folder.id:
        raise NoComparison(f"{name} cannot be its own twin; name the same run without the curriculum")
    if has_curriculum(plain):
        raise NoComparison(f"{other} has a curriculum itself; a twin is the same run without one")
    differing = differing_settings(config, plain)
    curve, twin_curve = validation_curve(folder), validation_curve(twin)
    if len(curve) < 2 or len(twin_curve) < 2:
        raise NoComparison(f"{name if len(curve) < 2 else other} has fewer than two evaluations to compare")
    tokens = min(curve[-1][0], twin_curve[-1][0])
    points = tuple(
        Point(round(share * tokens), _at(curve, share * tokens), _at(twin_curve, share * tokens))
        for share in SHARES
    )
    last = points[-1]
    difference = last.loss - last.twin_loss
    return CurriculumReport(
        run=name,
        twin=other,
        twin_id=twin.id,
        tokens=last.tokens,
        loss=last.loss,
        twin_loss=last.twin_loss,
        difference=difference,
        step=round(curve[-1][2]),
        twin_step=round(twin_curve[-1][2]),
        points=points,
        sentence=_sentence(points) + _caution(differing),
        differing=differing,
    )


def validation_curve(folder: RunFolder) -> list[tuple[float, float, float]]:
    """Tokens seen, validation loss and step of every evaluation, in order; what a resume repeated counts once."""
    reader = RunReader(folder)
    while (snapshot := reader.poll()).is_behind:
        pass
    series = snapshot.series.get("val_loss")
    if series is None:
        return []
    points = zip(series.tokens, series.value, series.step, strict=True)
    return [point for point in points if point[1] == point[1]]


def _with_curriculum(folder: RunFolder) -> RunConfig:
    config = folder.config()
    if not has_curriculum(config):
        message = "has no curriculum: neither curriculum.start_length nor curriculum.order is set"
        raise NoComparison(f"{folder.about().name} {message}")
    return config


def _at(curve: _Curve, tokens: float) -> float:
    """The loss after so many tokens, on the straight line between the evaluations around."""
    index = bisect_left(curve, tokens, key=lambda point: point[0])
    if index == 0:
        return curve[0][1]
    if index == len(curve):
        return curve[-1][1]
    (before, loss_before, _), (after, loss_after, _) = curve[index - 1], curve[index]
    share = (tokens - before) / (after - before)
    return loss_before + share * (loss_after - loss_before)


def _sentence(points: Sequence[Point]) -> str:
    """What the figures mean."""
    last = points[-1]
    difference = last.loss - last.twin_loss
    was_ahead = any(_is_more(point.twin_loss, point.loss) for point in points[:-1])
    figures = (
        f"{last.loss:.4f} nats with the curriculum and {last.twin_loss:.4f} without it, after the same "
        f"{last.tokens:,} tokens"
    )
    if not (_is_more(last.loss, last.twin_loss) or _is_more(last.twin_loss, last.loss)):
        verdict = f"The curriculum made no difference that one pair of runs could show: {figures}."
    elif difference < 0:
        verdict = f"The curriculum helped by {-difference:.4f} nats: {figures}."
    else:
        verdict = f"The curriculum did harm by {difference:.4f} nats: {figures}."
    if was_ahead and not _is_more(last.twin_loss, last.loss):
        verdict += " It was ahead before: it made the beginning faster, and not the end better."
    return f"{verdict} With another seed the difference may be another."


def _caution(differing: Sequence[str]) -> str:
    if not differing:
        return ""
    return f" The two also differ in {', '.join(differing)}, and the difference may be due to that."


def _is_more(loss: float, other: float) -> bool:
    return loss - other > LEAST_DIFFERENCE * other
