"""What a person must know of a run that does not simply run: why, what was printed last, which key helps."""

from __future__ import annotations

import time

from textual.content import Content
from textual.widgets import Static

from runs.events import CheckpointSaved
from runs.reader import RunSnapshot
from runs.status import SIGNS
from tui.figures import elapsed
from tui.run_words import STATE_STYLES
from tui.safe_text import FAINT, plain, safe_text

_LAST_LINES = 4
_TITLES = {
    "failed": "This run failed",
    "lost": "This run is lost from sight",
    "stalled": "This run is silent",
    "stopping": "Stopping",
    "pausing": "Pausing",
    "stopped": "Stopped",
    "paused": "Paused",
}


class RunCard(Static):
    """Hidden while there is nothing to say."""

    def __init__(self, id: str | None = None) -> None:
        super().__init__("", id=id, classes="pane")
        self._snapshot: RunSnapshot | None = None
        self._printed: tuple[str, ...] = ()
        self._shown: tuple[object, ...] = ()
        self.display = False

    def on_mount(self) -> None:
        """The countdown of a stop moves each second."""
        self.set_interval(1.0, self._draw)

    def show(self, snapshot: RunSnapshot) -> None:
        """Take what holds now."""
        self._snapshot = snapshot
        self._draw()

    def show_console(self, lines: tuple[str, ...]) -> None:
        """Take the last lines that were printed."""
        self._printed = lines
        self._draw()

    def _draw(self) -> None:
        snapshot = self._snapshot
        if snapshot is None:
            return
        lines = card_lines(snapshot, self._printed, time.time())
        state = snapshot.status.state
        shown = (state, lines)
        if shown == self._shown:
            return
        self._shown = shown
        self.display = bool(lines)
        if not lines:
            return
        self.border_title = Content.styled(f"{SIGNS[state]} {_TITLES.get(state, state)}", STATE_STYLES[state])
        self.set_class(state in ("failed", "lost"), "-bad")
        self.update(Content("\n").join(plain(text, style=style) for text, style in lines))


def card_lines(snapshot: RunSnapshot, console: tuple[str, ...], now: float) -> tuple[tuple[str, str], ...]:
    """Text and style of each line; none for a run that runs, waits or is finished."""
    state = snapshot.status.state
    if state == "failed":
        # the last words come last, since a small screen cuts the end off
        return (*_cause(snapshot), (_way_on(snapshot), ""), *_last_words(snapshot, console))
    if state in ("stopped", "paused"):
        reason = safe_text(snapshot.status.reason, 300)
        return ((f"{reason}. {_way_on(snapshot)}" if reason else _way_on(snapshot), ""),)
    if state == "lost":
        return ((safe_text(snapshot.status.reason, 300), ""), (_way_on(snapshot), ""))
    if state == "stalled":
        return (
            (f"{safe_text(snapshot.status.reason, 300)}. l shows what it printed, x stops it, X kills it.", ""),
        )
    if state in ("stopping", "pausing"):
        return ((_countdown(snapshot, now), ""),)
    return ()


def _cause(snapshot: RunSnapshot) -> list[tuple[str, str]]:
    error = snapshot.error
    if error is None:
        return [(safe_text(snapshot.status.reason or "it left no word of why", 400), "bold")]
    rank = f"rank {error.rank}: " if snapshot.started and snapshot.started.num_processes > 1 else ""
    step = f" (at step {error.step:,})" if error.step else ""
    lines = [(safe_text(f"{rank}{error.exception}: {error.message}", 400) + step, "bold")]
    if error.hint:
        lines.append((f"→ {safe_text(error.hint, 300)}", "$text-warning"))
    return lines


def _last_words(snapshot: RunSnapshot, console: tuple[str, ...]) -> list[tuple[str, str]]:
    """The end of the traceback, or of the console when there is no traceback."""
    source = snapshot.error.traceback.splitlines() if snapshot.error else list(console)
    words = [line for line in source if line.strip()][-_LAST_LINES:]
    return [(f"  {safe_text(line, 300)}", FAINT) for line in words]


def _way_on(snapshot: RunSnapshot) -> str:
    saved = [event for event in snapshot.events if isinstance(event, CheckpointSaved)]
    if saved:
        return f"r resumes from its last checkpoint (step {saved[-1].step:,}); l shows the log."
    return "r starts it again (it has saved no checkpoint); l shows the log."


def _countdown(snapshot: RunSnapshot, now: float) -> str:
    words = safe_text(snapshot.status.reason, 200) or "it saves a checkpoint and ends"
    left = snapshot.status.deadline - now
    if snapshot.status.deadline and left > 0:
        return f"{words}; {elapsed(left)} left before it is killed. X kills it now."
    return f"{words}."
