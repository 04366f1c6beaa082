"""The states of a run, what the supervisor and the engine write down about them, and which one holds now."""

from __future__ import annotations

import contextlib
import itertools
import statistics
import time
from typing import Literal

import msgspec

from runs.folder import Attempt, RunFolder, read_struct
from runs.lock import is_locked
from runs.processes import ProcessIdentity as ProcessIdentity
from runs.processes import find_tagged, is_alive, is_here
from runs.records import last_records

State = Literal[
    "queued", "starting", "running", "stalled", "stopping", "stopped",
    "pausing", "paused", "finished", "failed", "lost",
]  # fmt: skip

LIVE_STATES: frozenset[State] = frozenset({"queued", "starting", "running", "stalled", "stopping", "pausing"})

SIGNS: dict[State, str] = {
    "queued": "◌", "starting": "◌", "running": "●", "stalled": "…", "stopping": "■", "stopped": "■",
    "pausing": "‖", "paused": "‖", "finished": "✓", "failed": "✗", "lost": "?",
}  # fmt: skip


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

    monotonic_ns orders ranks of one host better than wall time does. host: the machine the rank was on.
    """

    rank: int
    exception: str
    message: str
    traceback: str
    time: float
    monotonic_ns: int
    step: int = 0
    hint: str = ""
    host: str = ""


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


_SILENT_S = 30.0
_SILENT_INTERVALS = 5
_NOT_STARTED = "not started yet"
_VANISHED = "supervisor and engine disappeared without a word (power cut or kill -9?)"
_UNSUPERVISED = "its supervisor is gone; the engine still runs"


def read_status(folder: RunFolder) -> RunStatus:
    """What holds now, from the lock, the processes and the latest attempt's outcome; never raises.

    A run that was made but never started is `stopped`, with attempt 0. Silence alone never means that a
    run failed: a live one that records nothing is `stalled`.
    """
    state = read_state(folder)
    attempt = latest_attempt(folder)
    number = attempt.number if attempt else 0
    if is_locked(folder):
        return _supervised(state, attempt)
    outcome = read_outcome(attempt) if attempt else None
    if outcome is not None:
        return RunStatus(outcome.state, number, outcome.reason, outcome.ended, outcome=outcome)
    if attempt is None:
        return RunStatus("stopped", reason=_NOT_STARTED)
    if state is not None and not is_here(state.supervisor):
        reason = f"it was started on {state.supervisor.host}; what became of it cannot be seen from here"
        return RunStatus("lost", number, reason, state.since)
    if engine_processes(folder, state):
        since = state.since if state else 0.0
        return RunStatus("running", number, _UNSUPERVISED, since)
    return RunStatus("failed", number, _VANISHED, last_sign_of_life(attempt))


def read_state(folder: RunFolder) -> StateRecord | None:
    """What the supervisor wrote last, or None when it is missing or damaged."""
    return read_struct(folder.state_file, StateRecord)


def read_outcome(attempt: Attempt) -> Outcome | None:
    """How an attempt ended, or None when it has not, or nobody could write it."""
    return read_struct(attempt.outcome_file, Outcome)


def latest_attempt(folder: RunFolder) -> Attempt | None:
    """The newest attempt, or None when the run was never started."""
    try:
        attempts = folder.attempts()
    except (OSError, ValueError):
        return None
    return attempts[-1] if attempts else None


def tag_prefix(folder: RunFolder) -> str:
    """How the tags of a run's processes begin. With the folder's inode, so that a copy of it owns nothing."""
    return f"{folder.id}.{folder.path.stat().st_ino:x}."


def engine_processes(folder: RunFolder, state: StateRecord | None) -> tuple[ProcessIdentity, ...]:
    """The processes of the run's newest attempt that are alive on this machine; the supervisor is not one."""
    try:
        is_its_own = state is not None and state.tag.startswith(tag_prefix(folder))
    except OSError:
        return ()
    return find_tagged(state.tag) if state is not None and is_its_own else ()


def last_sign_of_life(attempt: Attempt) -> float:
    """Unix seconds of the newest record of an attempt, or of its making; 0 when it cannot be read."""
    times = [0.0]
    for path in (attempt.path, attempt.metrics_file, attempt.events_file):
        with contextlib.suppress(OSError):
            times.append(path.stat().st_mtime)
    return max(times)


def _supervised(state: StateRecord | None, attempt: Attempt | None) -> RunStatus:
    number = attempt.number if attempt else 0
    # a supervisor that has the lock but has written nothing yet stands behind an older state.json
    if state is None or (is_here(state.supervisor) and not is_alive(state.supervisor)):
        since = last_sign_of_life(attempt) if attempt else 0.0
        return RunStatus("starting", number, since=since, supervised=True)
    if state.state == "running" and attempt is not None:
        since = last_sign_of_life(attempt)
        silence = time.time() - since
        if silence > _SILENT_S and silence > _SILENT_INTERVALS * _typical_interval(attempt):
            clock = time.strftime("%H:%M:%S", time.localtime(since))
            reason = f"its processes are alive, but nothing was recorded since {clock}"
            return RunStatus("stalled", state.attempt, reason, since, supervised=True)
    outcome = read_outcome(attempt) if attempt is not None and state.state not in LIVE_STATES else None
    return RunStatus(state.state, state.attempt, state.message, state.since, state.deadline, True, outcome)


def _typical_interval(attempt: Attempt) -> float:
    """Median seconds between the last records of metrics; 0 when there are fewer than two."""
    times = [record.get("time") for record in last_records(attempt.metrics_file)]
    seconds = [float(value) for value in times if isinstance(value, int | float)]
    gaps = [after - before for before, after in itertools.pairwise(seconds)]
    return statistics.median(gaps) if gaps else 0.0
