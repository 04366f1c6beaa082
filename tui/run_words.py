"""A run in words and short figures: its state, how far it is, what happened to it."""

from __future__ import annotations

import textwrap

from runs.clock import local_time
from runs.events import (
    AttemptEnded,
    AttemptStarted,
    Baselines,
    CheckpointFellBack,
    CheckpointSaved,
    ControlAnswered,
    DiskNoticed,
    Evaluated,
    Event,
    HealthNoticed,
    Notice,
)
from runs.outcome_words import steps_lost
from runs.reader import RunSnapshot
from runs.status import SIGNS, RunStatus, State
from tui.axes import short_number
from tui.figures import count, elapsed, num_bytes
from tui.safe_text import FAINT, safe_text

STATE_STYLES: dict[State, str] = {
    "queued": FAINT, "starting": FAINT, "running": "$text-success", "stalled": "$text-warning",
    "stopping": "$text-warning", "stopped": FAINT, "pausing": "$text-warning", "paused": "$text-warning",
    "finished": "$text-success", "failed": "$text-error", "lost": "$text-error",
}  # fmt: skip
_BAR = "▓"
_REST = "░"


def state_words(status: RunStatus) -> str:
    """Sign and word: `● running`."""
    return f"{SIGNS[status.state]} {status.state}"


def clock_time(seconds: float) -> str:
    """`12:04:31` of the local day."""
    return local_time(seconds, "%H:%M:%S")


def bar(share: float, width: int) -> str:
    """A bar of blocks, `width` cells long."""
    full = max(0, min(width, round(share * width)))
    return _BAR * full + _REST * (width - full)


def steps_words(step: int, total: int) -> str:
    """`640/1,200`, with the first figure as wide as the second."""
    if not total:
        return f"{step:,}"
    whole = f"{total:,}"
    return f"{step:,}".rjust(len(whole)) + f"/{whole}"


def rate_words(tokens_per_second: float) -> str:
    """`12.4k tok/s`, always as wide."""
    return f"{short_number(tokens_per_second):>5} tok/s"


def eta_words(snapshot: RunSnapshot) -> str:
    """`ETA 1m 52s ±6s`, or that it is not known yet."""
    if snapshot.eta_s is None:
        return "ETA …"
    spread = f" ±{elapsed(snapshot.eta_spread_s)}" if snapshot.eta_spread_s and snapshot.eta_spread_s >= 1 else ""
    return f"ETA {elapsed(snapshot.eta_s)}{spread}"


def way_on(snapshot: RunSnapshot, is_ours: bool = True) -> str:
    """Which keys make an ended run go on, and from where; a run that is not ours has none."""
    if not is_ours:
        return "l shows the log."
    saved = [event.step for event in snapshot.events if isinstance(event, CheckpointSaved)]
    if saved:
        return f"R resumes at once from checkpoint step {saved[-1]:,}; r asks which; l shows the log."
    return "R starts it again at once (it saved no checkpoint); l shows the log."


def lost_words(snapshot: RunSnapshot) -> str:
    """Which steps of an ended run no checkpoint holds, as a sentence; empty when there are none, or it says so."""
    outcome, saved = snapshot.status.outcome, [e.step for e in snapshot.events if isinstance(e, CheckpointSaved)]
    step = max(snapshot.step, outcome.step if outcome is not None else 0)
    if not saved or "trained again" in snapshot.status.reason:
        return ""
    lost = steps_lost(saved[-1], step)
    return f"{lost[:1].upper()}{lost[1:]}." if lost else ""


def in_lines(words: str, width: int, most: int) -> str:
    """Safe text in at most so many lines of that many cells; `…` where it is cut."""
    return "\n".join(textwrap.wrap(words, max(width, 10), max_lines=max(most, 1), placeholder=" …"))


def place_words(place: int, reason: str) -> str:
    """`2nd in the queue; waits for 2 GPUs`: where a queued run stands and what it waits for."""
    said = safe_text(reason, 200).rstrip(".")
    if place < 1:
        return said or "waits for its turn"
    where = f"{'next' if place == 1 else ordinal(place)} in the queue"
    # the supervisor's own word on its place may be some seconds older than a move
    return where if not said or "in the queue" in said else f"{where}; {said}"


def ordinal(number: int) -> str:
    """`1st`, `2nd`, `3rd`, `11th`."""
    tens, ones = number // 10 % 10, number % 10
    return f"{number}{'th' if tens == 1 else {1: 'st', 2: 'nd', 3: 'rd'}.get(ones, 'th')}"


def disk_trouble(snapshot: RunSnapshot) -> str:
    """That recording or saving pauses for want of room: first what to do, then the run's own words.

    Empty when nothing pauses, or the run has ended.
    """
    if not snapshot.status.is_live:
        return ""
    for event in reversed(snapshot.events):
        if isinstance(event, DiskNoticed):
            if not event.is_full:
                return ""
            said = event.message  # its path is long, and stands in the events
            for path in (snapshot.folder.checkpoints_dir, snapshot.folder.path):
                said = said.replace(f"the disk of {path} is full", "there is no room")
            return f"disk full, make room on it: {safe_text(said, 400)}"
        if isinstance(event, AttemptStarted):  # an earlier attempt's trouble is over
            return ""
    return ""


def shares_of(event: Evaluated) -> tuple[tuple[str, float], ...]:
    """What an evaluation counts beside its loss, 0 to 1: accuracy, and the F1 and pair accuracy it may have."""
    figures = (
        ("accuracy", event.accuracy),
        ("F1", event.figures.get("f1")),
        ("pair accuracy", event.figures.get("pair_accuracy")),
    )
    return tuple((name, share) for name, share in figures if share is not None)


def sentence_of(event: Event) -> str:
    """An event as a plain sentence, without markup; everything in it is made safe."""
    match event:
        case AttemptStarted():
            begin = (
                f"resumed from {event.resumed_from} at step {event.step:,}" if event.resumed_from else "started"
            )
            devices = f"{event.num_processes} processes" if event.num_processes > 1 else "1 process"
            parameters = f"{count(event.num_parameters)} parameters"
            words = f"{begin}: {event.dataset}, {parameters}, {event.precision} on {event.device}, {devices}"
        case Baselines():
            words = f"frequency alone scores {event.unigram_loss:.2f}, guessing {event.uniform_loss:.2f} nats"
            if event.floor_loss is not None:
                words += f"; the floor is {event.floor_loss:.3f} (exact), which knowing the grammar scores"
        case Evaluated():
            best = " (best)" if event.is_best else ""
            shares = "".join(f", {name} {share:.1%}" for name, share in shares_of(event))
            words = f"step {event.step:,} evaluated: {event.loss:.3f} nats{shares}{best}"
        case CheckpointSaved():
            best = ", the best so far" if event.is_best else ""
            words = f"checkpoint {event.name} saved{best} ({num_bytes(event.num_bytes)})"
        case CheckpointFellBack():
            words = f"checkpoint {event.wanted} is damaged ({event.reason}); {event.used} is used"
        case ControlAnswered():
            words = event.message or f"{event.verb} was done"
            if not event.accepted:
                words = f"{event.verb} was refused" + (f": {event.message}" if event.message else "")
        case Notice():
            words = event.message if event.level == "info" else f"{event.level}: {event.message}"
        case HealthNoticed():
            words = f"warning: {event.message}"
        case DiskNoticed():
            words = f"disk full: {event.message}" if event.is_full else event.message
        case AttemptEnded():
            words = f"{event.state} at step {event.step:,}" + (f": {event.reason}" if event.reason else "")
        case _:
            words = type(event).__name__
    return safe_text(words, 300)
