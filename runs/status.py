"""The states of a run, what the supervisor and the engine write down about them, and which one holds now."""

from __future__ import annotations

import contextlib
import itertools
import statistics
import time
from typing import Literal

import msgspec

from runs.clock import local_time
from runs.error_report import Cause as Cause
from runs.error_report import ErrorReport as ErrorReport
from runs.folder import Attempt, RunFolder, read_struct
from runs.hang_watch import standing_sentence
from runs.lock import is_locked
from runs.processes import ProcessIdentity as ProcessIdentity
from runs.processes import find_with_prefix, is_alive, is_here, this_host
from runs.queue_entry import QueueEntry, read_entry
from runs.rank_marks import last_moved
from runs.records import last_records
from runs.root_cause import vanished_cause

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
    devices: what the run has while it is live, such as `gpu:0` or `cpu:2`; nobody else gets them.
    """

    state: State
    attempt: int
    tag: str
    supervisor: ProcessIdentity
    agent: ProcessIdentity | None = None
    since: float = 0.0
    deadline: float = 0.0
    message: str = ""
    devices: tuple[str, ...] = ()


class Outcome(msgspec.Struct, frozen=True):
    """`outcome.json` of an attempt: by the engine when it ends by itself, else by the supervisor.

    Losses are validation losses in nats; None when there was no evaluation. elapsed_s: of this attempt.
    left: processes or device memory that outlived it, as a sentence. proof: that nothing did, in words; empty when
    nobody looked. saved_step: of the newest checkpoint, 0 when there is none; None when nobody knows.
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
    left: str = ""
    proof: str = ""
    saved_step: int | None = None

    @property
    def num_lost(self) -> int:
        """Steps that a stopped or paused run has made in vain: they came after its last checkpoint."""
        ended_early = self.state in ("stopped", "paused") and self.saved_step is not None
        return max(0, self.step - (self.saved_step or 0)) if ended_early else 0


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
FOLDER_GONE = "its folder is gone: somebody deleted or moved it"
_ARRIVES = "has just come to the queue"
_UNATTENDED = "waits in the queue; its supervisor is gone, and the next look at the queue starts it anew"
_UNSUPERVISED = "its supervisor is gone; the engine still runs"


def read_status(folder: RunFolder) -> RunStatus:
    """What holds now, from the lock, the processes and the latest attempt's outcome; never raises.

    A run that was made but never started is `stopped`, with attempt 0; of one whose folder is not there any more
    the reason is `FOLDER_GONE`. Silence alone never means that a
    run failed: a live one that records nothing is `stalled`.
    """
    entry = read_entry(folder)  # before the state: a run says that it starts, and then gives up its place
    state = read_state(folder)
    attempt = latest_attempt(folder)
    number = attempt.number if attempt else 0
    if is_locked(folder) and not (_is_waiting(state) and entry is None):
        return _supervised(state, attempt, entry)
    # not supervised, or taken out of the queue, and its supervisor is about to go
    if entry is not None and not engine_processes(folder, state):
        reason = _UNATTENDED if entry.host == this_host() else f"waits for the devices of {entry.host}"
        return RunStatus("queued", number, reason, entry.since)
    outcome = read_outcome(attempt) if attempt else None
    if outcome is not None:
        return RunStatus(outcome.state, number, outcome.reason, outcome.ended, outcome=outcome)
    if attempt is None:
        is_there = folder.path.is_dir()
        return RunStatus("stopped", reason=_NOT_STARTED) if is_there else RunStatus("lost", reason=FOLDER_GONE)
    if state is not None and not is_here(state.supervisor):
        reason = f"it was started on {state.supervisor.host}; what became of it cannot be seen from here"
        return RunStatus("lost", number, reason, state.since)
    if engine_processes(folder, state):
        since = state.since if state else 0.0
        stands = standing_sentence(attempt, time.time())
        if stands:
            return RunStatus("stalled", number, f"{_UNSUPERVISED}; {stands}", last_moved(attempt))
        return RunStatus("running", number, _UNSUPERVISED, since)
    outcome = read_outcome(attempt)  # an engine without supervisor may have ended between the two looks
    if outcome is not None:
        return RunStatus(outcome.state, number, outcome.reason, outcome.ended, outcome=outcome)
    found = vanished_cause(attempt, state.supervisor.boot_id if state else "")
    return RunStatus("failed", number, found.sentence, last_sign_of_life(attempt))


def read_state(folder: RunFolder) -> StateRecord | None:
    """What the supervisor wrote last, or None when it is missing or damaged."""
    return read_struct(folder.state_file, StateRecord)


def read_outcome(attempt: Attempt) -> Outcome | None:
    """How an attempt ended, or None when it has not, or nobody could write it."""
    return read_struct(attempt.outcome_file, Outcome)


def read_error(attempt: Attempt) -> ErrorReport | None:
    """The root cause of a failed attempt, or None when nothing readable was left."""
    return read_struct(attempt.error_file, ErrorReport)


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
    """The processes of the run that are alive on this machine; the supervisor is not one.

    Of any attempt, since a full disk may have kept the newest one's tag out of `state.json`. None when the
    supervisor is of another machine: what runs here then, `join` watches over.
    """
    if state is not None and not is_here(state.supervisor):
        return ()
    try:
        return find_with_prefix(tag_prefix(folder))
    except OSError:
        return ()


def last_sign_of_life(attempt: Attempt) -> float:
    """Unix seconds of the newest record of an attempt, or of its making; 0 when it cannot be read."""
    times = [0.0]
    for path in (attempt.path, attempt.metrics_file, attempt.events_file):
        with contextlib.suppress(OSError):
            times.append(path.stat().st_mtime)
    return max(times)


def _is_waiting(state: StateRecord | None) -> bool:
    return state is not None and state.state == "queued" and is_alive(state.supervisor)


def _supervised(state: StateRecord | None, attempt: Attempt | None, entry: QueueEntry | None) -> RunStatus:
    number = attempt.number if attempt else 0
    # a supervisor that has the lock but has written nothing yet stands behind an older state.json
    if state is None or (is_here(state.supervisor) and not is_alive(state.supervisor)):
        if entry is not None:
            return RunStatus("queued", number, _ARRIVES, entry.since, supervised=True)
        since = last_sign_of_life(attempt) if attempt else 0.0
        return RunStatus("starting", number, since=since, supervised=True)
    if state.state == "running" and attempt is not None:
        moved = last_moved(attempt)
        since = max(last_sign_of_life(attempt), moved)
        silence = time.time() - since
        if silence > _SILENT_S and silence > _SILENT_INTERVALS * _typical_interval(attempt, per_step=moved > 0):
            clock = local_time(since, "%H:%M:%S")
            unexplained = f"its processes are alive, but nothing was recorded since {clock}"
            reason = standing_sentence(attempt, time.time(), least_s=0.0) or unexplained
            return RunStatus("stalled", state.attempt, reason, since, supervised=True)
    outcome = read_outcome(attempt) if attempt is not None and state.state not in LIVE_STATES else None
    return RunStatus(state.state, state.attempt, state.message, state.since, state.deadline, True, outcome)


def _typical_interval(attempt: Attempt, *, per_step: bool) -> float:
    """Median seconds between the last records of metrics, or of a step; 0 when there are fewer than two."""
    records = [(record.get("time"), record.get("step")) for record in last_records(attempt.metrics_file)]
    known = [(t, s) for t, s in records if isinstance(t, int | float) and isinstance(s, int)]
    gaps = [
        (after - before) / (max(1, last - first) if per_step else 1)
        for (before, first), (after, last) in itertools.pairwise(known)
    ]
    return statistics.median(gaps) if gaps else 0.0
