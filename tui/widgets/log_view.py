"""What the processes printed, and what happened, as lines of text."""

from __future__ import annotations

from textual.content import Content
from textual.widgets import Log, Static

from runs.events import Event
from tui.run_words import clock_time, sentence_of
from tui.safe_text import FAINT, plain, safe_text

_MAX_LINES = 2000
_MAX_COLUMNS = 400


class LogPane(Log):
    """Follows the end of the console; the lines are kept by the feed, so a hidden pane holds nothing."""

    def __init__(self, id: str | None = None) -> None:
        super().__init__(max_lines=_MAX_LINES, highlight=False, id=id, classes="pane")
        self.border_title = "Log"
        self._last: tuple[str, ...] = ()

    def show(self, lines: tuple[str, ...]) -> None:
        """Take the newest lines; only those that are new are written."""
        known = overlap(self._last, lines)
        if not known:
            self.clear()
        self._last = lines
        self.write_lines([safe_text(line, _MAX_COLUMNS) for line in lines[known:]])


def overlap(before: tuple[str, ...], now: tuple[str, ...]) -> int:
    """How many of the first lines of `now` are the last lines of `before`."""
    if not before:
        return 0
    for end in range(min(len(before), len(now)), 0, -1):
        if now[end - 1] == before[-1] and now[:end] == before[-end:]:
            return end
    return 0


class EventLines(Static):
    """The newest events as sentences with their clock time, newest first, as many as there is room for."""

    def __init__(self, id: str | None = None) -> None:
        super().__init__("", id=id)
        self._events: tuple[Event, ...] = ()

    def show(self, events: tuple[Event, ...]) -> None:
        """Take all events, oldest first."""
        if events != self._events:
            self._events = events
            self.draw()

    def draw(self) -> None:
        """Fit them into the present size."""
        width, height = self.content_size
        if not width or not height:
            return
        newest = [
            f"{clock_time(event.time)} {sentence_of(event)}" for event in reversed(self._events[-4 * height :])
        ]
        lines: list[str] = []
        for words in newest:
            if lines and len(lines[-1]) + len(words) + 3 <= width:
                lines[-1] += f"   {words}"
            elif len(lines) < height:
                lines.append(safe_text(words, width))
            else:
                break
        self.update(Content("\n").join(plain(line, style=FAINT) for line in lines), layout=False)

    def on_resize(self) -> None:
        """Fit them into the new size."""
        self.draw()
