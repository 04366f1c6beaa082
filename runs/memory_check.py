"""The estimate of memory beside the peak that was measured, and how good it has been for runs like another one."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import msgspec

from presets.config import ConfigError
from presets.costs import RUNTIME_BYTES
from presets.estimate import memory_figure
from presets.schema import RunConfig
from runs.folder import RunFolder, all_runs

PEAK = "memory_peak_bytes"
_MOST_RUNS = 200
_HEAD_BYTES = 1 << 16  # of the events, which say at their beginning on what device it runs
_RUNTIME_SPREAD = 0.25  # how much less or more than its constant a process has taken before its first weight


class MemoryCheck(msgspec.Struct, frozen=True):
    """Bytes of the run's first process on its device. On a CPU both are the whole process, its libraries included;
    on a GPU what PyTorch has allotted, without the driver's context. low, high: the estimate's own range.
    """

    estimated_bytes: float
    measured_bytes: float
    on_gpu: bool
    low_bytes: float = 0.0
    high_bytes: float = 0.0

    @property
    def is_within(self) -> bool:
        """The measured peak is in the estimate's range."""
        return self.low_bytes <= self.measured_bytes <= self.high_bytes

    @property
    def ratio(self) -> float:
        """Measured for each estimated byte."""
        return self.measured_bytes / self.estimated_bytes if self.estimated_bytes else 0.0


class PastRun(msgspec.Struct, frozen=True):
    """A run here that measured its peak. shape: equal for runs that need the same memory."""

    name: str
    shape: str
    check: MemoryCheck


class PastChecks(msgspec.Struct, frozen=True):
    """What runs here say of an estimate. same: the newest of the same shape, or None.

    low, high: measured for each estimated byte, over `num` runs on the same kind of device; 0 without any.
    """

    same: PastRun | None
    num: int
    low: float
    high: float


def check_memory(config: RunConfig, device: str, measured_bytes: float | None) -> MemoryCheck | None:
    """device: as the engine calls it, such as `cuda:0`. None without a measurement."""
    if not measured_bytes:
        return None
    on_gpu = device.startswith("cuda")
    figure, runtime = memory_figure(config, on_gpu), 0 if on_gpu else RUNTIME_BYTES["cpu"]
    spread = runtime * _RUNTIME_SPREAD
    low, high = (figure.low or 0.0) + runtime - spread, (figure.high or 0.0) + runtime + spread
    return MemoryCheck((figure.value or 0.0) + runtime, measured_bytes, on_gpu, low, high)


def memory_shape(config: RunConfig, on_gpu: bool) -> str:
    """A text that is equal for configurations of the same memory: the model's sizes, batch and optimizer."""
    data, train, optim = config.data, config.train, config.optim
    model = msgspec.structs.replace(config.model, start_from="")
    parts = (
        on_gpu, msgspec.json.encode(model).decode(), data.sequence_length, data.vocab_size, data.tokenizer,
        train.batch_size, train.precision, train.activation_checkpointing, optim.algorithm, bool(optim.ema_decay),
        config.objective.kind,
    )  # fmt: skip
    return repr(parts)


def past_runs(runs: Path) -> tuple[PastRun, ...]:
    """Of the newest 200 runs those that measured their peak, newest first. Raises nothing."""
    return tuple(past for folder in all_runs(runs)[:_MOST_RUNS] if (past := _past_run(folder)) is not None)


def compare_with_past(config: RunConfig, on_gpu: bool, past: Iterable[PastRun]) -> PastChecks:
    """What those runs say of this configuration's estimate."""
    shape = memory_shape(config, on_gpu)
    alike = [run for run in past if run.check.on_gpu is on_gpu]
    ratios = [run.check.ratio for run in alike]
    same = next((run for run in alike if run.shape == shape), None)
    return PastChecks(same, len(ratios), min(ratios, default=0.0), max(ratios, default=0.0))


def _past_run(folder: RunFolder) -> PastRun | None:
    from runs.events import AttemptStarted, decode_event  # the first paint does not wait for these
    from runs.records import RecordTail, last_records

    attempts = folder.attempts()
    if not attempts:
        return None
    peaks = [record.get(PEAK) for record in last_records(attempts[-1].metrics_file)]
    numbers = [float(peak) for peak in peaks if isinstance(peak, int | float) and peak == peak]
    if not numbers:
        return None
    try:
        config = folder.config()
    except (OSError, ConfigError):
        return None
    started = next(
        (event for record in RecordTail(attempts[-1].events_file).poll(_HEAD_BYTES)
         if isinstance(event := decode_event(record), AttemptStarted)), None,
    )  # fmt: skip
    check = check_memory(config, started.device if started else "cpu", max(numbers))
    if check is None:
        return None
    return PastRun(folder.about().name, memory_shape(config, check.on_gpu), check)
