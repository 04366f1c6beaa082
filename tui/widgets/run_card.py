"""What a person must know of a run that does not simply run: why, what comes next, which key helps."""

from __future__ import annotations

import time

from textual.content import Content
from textual.widgets import Static

from runs.reader import RunSnapshot
from runs.status import FOLDER_GONE, SIGNS, RunStatus
from tui.figures import elapsed
from tui.memory_words import memory_words
from tui.run_words import STATE_STYLES, clock_time, lost_words, place_words, way_on
from tui.safe_text import FAINT, plain, safe_text

_TITLES = {
    "queued": "Waiting in the queue",
    "lost": "This run is lost from sight",
    "stalled": "This run is silent",
    "stopping": "Stopping",
    "pausing": "Pausing",
    "stopped": "Stopped",
    "paused": "Paused",
    "finished": "Finished",
}
_RUNGS = (
    "asked to save a checkpoint and end",
    "told to end by SIGTERM",
    "every process of it killed by SIGKILL",
)
_Line = tuple[str, str]


class RunCard(Static):
    """Hidden while there is nothing to say."""

    def __init__(self, id: str | None = None) -> None:
        super().__init__("", id=id, classes="pane")
        self._snapshot: RunSnapshot | None = None
        self._place = 0
        self._is_ours = True
        self._shown: tuple[object, ...] = ()
        self.display = False

    def on_mount(self) -> None:
        """The countdown of a stop moves each second."""
        self.set_interval(1.0, self._draw)

    def show(self, snapshot: RunSnapshot, place: int = 0, is_ours: bool = True) -> None:
        """Take what holds now. place: in the queue, 1 is next. is_ours: its keys may be offered."""
        self._snapshot, self._place, self._is_ours = snapshot, place, is_ours
        self._draw()

    def _draw(self) -> None:
        snapshot = self._snapshot
        if snapshot is None:
            return
        lines = card_lines(snapshot, time.time(), self._place, self._is_ours)
        state = snapshot.status.state
        if (state, lines) == self._shown:
            return
        self._shown = (state, lines)
        self.display = bool(lines)
        if not lines:
            return
        self.border_title = Content.styled(f"{SIGNS[state]} {_TITLES[state]}", STATE_STYLES[state])
        self.set_class(state == "lost", "-bad")
        self.set_class(state == "finished", "-calm")
        self.update(Content("\n").join(plain(text, style=style) for text, style in lines))


def card_lines(snapshot: RunSnapshot, now: float, place: int = 0, is_ours: bool = True) -> tuple[_Line, ...]:
    """Text and style of each line; none for a run that starts, runs, has failed or is wholly finished."""
    status = snapshot.status
    left = status.outcome.left if status.outcome is not None else ""
    leftover = ((f"! {safe_text(left, 300)}", "$text-warning"),) if left else ()
    state, reason = status.state, safe_text(status.reason, 300).rstrip(".")
    if state == "queued":
        since = f"Waiting since {clock_time(status.since)}; it" if status.since else "It"
        keys = " K moves it up, J down, x takes it out." if is_ours else ""
        return (
            (f"{place_words(place, status.reason)}.", "bold"),
            (f"{since} starts by itself, with or without this dashboard.{keys}", FAINT),
        )
    if state in ("stopped", "paused"):
        keys = way_on(snapshot, is_ours)
        lost = ((lost_words(snapshot), "bold $text-warning"),) if lost_words(snapshot) else ()
        proof = status.outcome.proof if status.outcome is not None else ""
        proven = ((f"✓ checked at its end: {safe_text(proof, 200)}", FAINT),) if proof else ()
        return ((f"{reason}. {keys}" if reason else keys, ""), *lost, *leftover, *proven, *_memory(snapshot))
    if state == "lost":
        keys = "" if status.reason == FOLDER_GONE else way_on(snapshot, is_ours)
        return ((f"{reason}.", ""), *(((keys, ""),) if keys else ()))
    if state == "stalled":
        keys = " l shows what it printed, x stops it, X kills it." if is_ours else ""
        return ((f"{reason}.{keys}", ""),)
    if state in ("stopping", "pausing"):
        return countdown_lines(status, now)
    return (*leftover, *_memory(snapshot)) if state == "finished" else ()


def _memory(snapshot: RunSnapshot) -> tuple[_Line, ...]:
    """How good the estimate before the start was, once the run has ended."""
    words = memory_words(snapshot)
    return ((f"{words[:1]} memory: {words[2:]}", FAINT),) if words else ()


def countdown_lines(status: RunStatus, now: float) -> tuple[_Line, ...]:
    """The rungs of the stop ladder: those that were taken, the one that is waited for with its time, the rest."""
    at = rung_of(status.reason)
    left = max(0.0, status.deadline - now)
    lines: list[_Line] = []
    for index, words in enumerate(_RUNGS):
        if index < at:
            lines.append((f"✓ {words}", FAINT))
        elif index > at:
            lines.append((f"· then {words}", FAINT))
        elif status.deadline and index < len(_RUNGS) - 1:
            lines.append((f"▸ {words}: {elapsed(left)} left for that", "bold"))
        else:
            lines.append((f"▸ {words}", "bold"))
    if at < len(_RUNGS) - 1:
        lines.append(("X kills it now, without saving.", ""))
    return tuple(lines)


def rung_of(reason: str) -> int:
    """Which rung of the ladder the supervisor's words mean: 0 asked, 1 told by SIGTERM, 2 killed."""
    if "SIGTERM" in reason:
        return 1
    return 2 if reason.startswith("killing") else 0
