"""What became of an attempt: the engine's own word, or what can be pieced together when it left none."""

from __future__ import annotations

import time
from typing import Literal

import msgspec

from runs.folder import Attempt, RunFolder, write_atomically
from runs.hang_watch import standing_sentence
from runs.outcome_words import steps_lost
from runs.processes import is_here
from runs.rank_marks import marked_step
from runs.records import RecordTail, last_records
from runs.root_cause import RootCause, root_cause, vanished_cause
from runs.status import ErrorReport, Outcome, last_sign_of_life, read_error, read_outcome, read_state

_MOST = 1 << 62


class Ending(msgspec.Struct, frozen=True):
    """What was seen of an attempt's end.

    returncode: exit code, or minus the signal's number; None when nobody could wait for the process.
    wanted: what a person had asked for. terminated: we sent SIGTERM. killed: Unix seconds of our own
    SIGKILL, 0 when there was none. left: what outlived the attempt, as a sentence that is added to the reason.
    proof: that nothing did, in words; empty when nobody looked.
    failure: why nothing could be started. unseen: nobody saw it, Unix seconds of the last sign of life.
    """

    returncode: int | None
    elapsed_s: float = 0.0
    wanted: Literal["", "stop", "pause", "kill"] = ""
    terminated: bool = False
    killed: float = 0.0
    left: str = ""
    proof: str = ""
    failure: str = ""
    unseen: float = 0.0


class Figures(msgspec.Struct, frozen=True):
    """How far a run came, by its records and the marks of its ranks. saved_step: 0 without a checkpoint."""

    step: int = 0
    saved_step: int = 0
    total_steps: int = 0
    best_loss: float | None = None
    best_step: int | None = None
    last_loss: float | None = None


def conclude(folder: RunFolder, attempt: Attempt, ending: Ending) -> Outcome:
    """Decide how the attempt ended, and write `outcome.json`, and `error.json` for a failure.

    The engine's own outcome holds, except that an engine which stopped without being asked to, beside a
    rank that failed, was stopped by torchrun. Raises OSError when the files cannot be written.
    """
    said = read_outcome(attempt)
    if ending.unseen:
        error = vanished_cause(attempt, _boot(folder, attempt))
    else:
        error = root_cause(attempt, ending.returncode, before=ending.killed, said=ending.failure)
    stopped_by_torchrun = (
        said is not None and said.state in ("stopped", "paused") and not ending.wanted and error.is_certain
    )
    if said is not None and not stopped_by_torchrun:
        if said.state == "failed":
            write_atomically(attempt.error_file, _pretty(error.report))
        if (ending.left and not said.left) or (ending.proof and not said.proof):
            left, proof = ending.left or said.left, ending.proof or said.proof
            reason = _with(said.reason, "" if said.left else ending.left)
            said = msgspec.structs.replace(said, reason=reason, left=left, proof=proof)
            write_atomically(attempt.outcome_file, _pretty(said))
        return said
    figures = read_figures(folder, attempt)
    failed = _has_failed(ending, error)
    stood = standing_sentence(attempt, ending.killed or time.time()) if ending.killed or ending.terminated else ""
    reason = error.sentence if failed else _with(_stopped_reason(ending, figures), stood)
    outcome = Outcome(
        state="failed" if failed else "stopped",
        reason=_with(reason, ending.left),
        step=figures.step,
        total_steps=figures.total_steps,
        best_loss=figures.best_loss,
        best_step=figures.best_step,
        last_loss=figures.last_loss,
        elapsed_s=round(ending.elapsed_s, 3),
        ended=ending.unseen or time.time(),
        exit_code=ending.returncode,
        left=ending.left,
        proof=ending.proof,
        saved_step=figures.saved_step,
    )
    if failed:
        write_atomically(attempt.error_file, _pretty(error.report))
    write_atomically(attempt.outcome_file, _pretty(outcome))
    return outcome


def settle(folder: RunFolder, attempt: Attempt) -> None:
    """Write what became of an attempt that nobody saw ending, before the run goes on.

    For whoever holds the run's lock, when none of its processes is alive. Raises OSError.
    """
    if read_outcome(attempt) is None:
        records = last_records(attempt.metrics_file)[-1:]
        elapsed_s = records[0].get("elapsed_s") if records else 0.0
        seconds = float(elapsed_s) if isinstance(elapsed_s, int | float) else 0.0
        conclude(folder, attempt, Ending(None, seconds, unseen=last_sign_of_life(attempt)))


def read_failure(folder: RunFolder, attempt: Attempt) -> ErrorReport | None:
    """The root cause of a failed attempt: as it was written, or from what is left when nobody could write it."""
    written = read_error(attempt)
    if written is not None or read_outcome(attempt) is not None:
        return written
    return vanished_cause(attempt, _boot(folder, attempt)).report


def _boot(folder: RunFolder, attempt: Attempt) -> str:
    """Boot id of the machine when the attempt was started; empty when nobody knows."""
    state = read_state(folder)
    if state is None or state.attempt != attempt.number or not is_here(state.supervisor):
        return ""
    return state.supervisor.boot_id


def read_figures(folder: RunFolder, until: Attempt) -> Figures:
    """Step, losses and length of the run up to an attempt; what a resume hides does not count."""
    losses: list[tuple[int, float]] = []
    step = saved_step = total_steps = 0
    for attempt in folder.attempts():
        if attempt.number > until.number:
            break
        for event in RecordTail(attempt.events_file).poll_all():
            step = _count(event.get("step"), step)
            if event.get("kind") == "attempt_started":
                losses = [point for point in losses if point[0] <= step]
                saved_step = step  # what it goes on from; 0 at a beginning
                total_steps = _count(event.get("total_steps"), total_steps) or total_steps
            elif event.get("kind") == "evaluated" and isinstance(event.get("loss"), float):
                losses.append((step, event["loss"]))
            elif event.get("kind") == "checkpoint_saved":
                saved_step = step
            elif event.get("kind") == "control_answered":
                total_steps = _count(event.get("total_steps"), total_steps) or total_steps
        for record in last_records(attempt.metrics_file)[-1:]:
            step = max(step, _count(record.get("step"), 0))
    step = max(step, marked_step(until))  # records come every so many steps, and on a full disk not at all
    best = min(losses, key=lambda point: point[1], default=None)
    return Figures(
        step=step,
        saved_step=saved_step,
        total_steps=total_steps,
        best_loss=best[1] if best else None,
        best_step=best[0] if best else None,
        last_loss=losses[-1][1] if losses else None,
    )


def _count(value: object, otherwise: int) -> int:
    """What a record says, where it is a count: an earlier attempt may come from anybody."""
    return value if isinstance(value, int) and abs(value) < _MOST else otherwise


def _has_failed(ending: Ending, error: RootCause) -> bool:
    if ending.wanted == "kill":
        return False
    if ending.killed or ending.terminated:
        return error.is_certain
    return not ending.wanted or error.is_certain or ending.returncode not in (0, None)


def _stopped_reason(ending: Ending, figures: Figures) -> str:
    lost = steps_lost(figures.saved_step, figures.step)
    if ending.wanted == "kill":
        return _with("killed", lost)
    if figures.step == 0:
        return "stopped before its first step"
    if ending.killed:
        return _with("killed, since it did not stop by itself in time", lost)
    return _with("ended by SIGTERM" if ending.terminated else "stopped", lost)


def _with(reason: str, left: str) -> str:
    return f"{reason}; {left}" if left else reason


def _pretty(value: Outcome | ErrorReport) -> bytes:
    return msgspec.json.format(msgspec.json.encode(value))
