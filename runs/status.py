"""The states of a run, what the supervisor and the engine write down about them, and which one holds now."""

from __future__ import annotations

from typing import Literal

import msgspec

State = Literal[
    "queued", "starting", "running", "stalled", "stopping", "stopped",
    "pausing", "paused", "finished", "failed", "lost",
]  # fmt: skip

LIVE_STATES: frozenset[State] = frozenset({"queued", "starting", "running", "stalled", "stopping", "pausing"})

SIGNS: dict[State, str] = {
    "queued": "◌", "starting": "◌", "running": "●", "stalled": "…", "stopping": "■", "stopped": "■",
    "pausing": "‖", "paused": "‖", "finished": "✓", "failed": "✗", "lost": "?",
}  # fmt: skip


class ProcessIdentity(msgspec.Struct, frozen=True):
    """Names one process for good: a pid alone is reused, and clocks jump. start_ticks: /proc stat field 22."""

    host: str
    boot_id: str
    pid: int
    start_ticks: int


class StateRecord(msgspec.Struct, frozen=True):
    """`state.json`, written by the supervisor: a hint; the held lock is the truth.

    tag: value of TINYTRAIN_RUN_TAG in the environment of every process of this attempt.
    deadline: Unix seconds at which the next rung of the stop ladder is taken, 0 when none is due.
    """

    state: State
    attempt: int
    tag: str
    supervisor: ProcessIdentity
    agent: ProcessIdentity | None = None
    since: float = 0.0
    deadline: float = 0.0
    message: str = ""


class Outcome(msgspec.Struct, frozen=True):
    """`outcome.json` of an attempt: by the engine when it ends by itself, else by the supervisor.

    Losses are validation losses in nats; None when there was no evaluation. elapsed_s: of this attempt.
    """

    state: Literal["finished", "stopped", "paused", "failed"]
    reason: str
    step: int
    total_steps: int
    best_loss: float | None = None
    best_step: int | None = None
    last_loss: float | None = None
    elapsed_s: float = 0.0
    ended: float = 0.0
    exit_code: int | None = None


class ErrorReport(msgspec.Struct, frozen=True):
    """A rank's last words in `ranks/error-<rank>.json`; the earliest becomes the attempt's `error.json`.

    monotonic_ns orders ranks of one host better than wall time does.
    """

    rank: int
    exception: str
    message: str
    traceback: str
    time: float
    monotonic_ns: int
    step: int = 0
    hint: str = ""


class RunStatus(msgspec.Struct, frozen=True):
    """What holds now. reason: a sentence, such as why it failed. supervised: a supervisor watches it."""

    state: State
    attempt: int = 0
    reason: str = ""
    since: float = 0.0
    deadline: float = 0.0
    supervised: bool = False
    outcome: Outcome | None = None

    @property
    def is_live(self) -> bool:
        """Processes of it are, or should be, running."""
        return self.state in LIVE_STATES
