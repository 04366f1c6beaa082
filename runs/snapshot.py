"""A run as it stands: what a reader of its files knows, frozen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from presets.schema import RunConfig
from runs.events import AttemptStarted, Baselines, ControlAnswered, Event, Probed, Progress
from runs.folder import About, RunFolder
from runs.series import Series
from runs.status import ErrorReport, RunStatus


@dataclass(frozen=True)
class RunSnapshot:
    """A run as it stands; the same object as before when nothing changed.

    series: live columns by metric, to be read only in the thread that polls; `version` rises with every
    change. splices: steps at which a resume began. controls: granted requests, oldest first.
    events: without probes and progress, oldest first.
    elapsed_s: of all attempts. memory_bytes: what the engine's first process says it holds, memory_peak_bytes:
    what it has held at most. num_skipped: torn, altered or out-of-order records. is_behind: more is
    waiting to be read, so poll again at once; share_read: how much of the metrics was read by then.
    """

    folder: RunFolder
    about: About
    config: RunConfig | None
    status: RunStatus
    started: AttemptStarted | None
    phase: Progress | None
    baselines: Baselines | None
    error: ErrorReport | None
    step: int
    total_steps: int
    elapsed_s: float
    eta_s: float | None
    eta_spread_s: float | None
    tokens_per_second: float | None
    memory_bytes: float | None
    learning_rate: float | None
    best_loss: float | None
    best_step: int | None
    last_val_loss: float | None
    last_loss: float | None
    probes: tuple[Probed, ...]
    events: tuple[Event, ...]
    splices: tuple[int, ...]
    controls: tuple[ControlAnswered, ...]
    series: Mapping[str, Series]
    version: int
    num_skipped: int
    is_behind: bool
    last_record_time: float
    share_read: float = 1.0
    memory_peak_bytes: float | None = None

    @property
    def first_step(self) -> int:
        """The step that the run went on from, if it is a fork; what came before it is another run's. Else 0."""
        return min(self.splices, default=0) if self.about.forked_from else 0
