"""What happened to a run, as sentences with their clock time: the newest in two lines, or all of them."""

from __future__ import annotations

import textwrap
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.geometry import Size
from textual.scroll_view import ScrollView
from textual.strip import Strip

from runs.clock import local_time
from runs.events import (
    AttemptEnded,
    AttemptStarted,
    ControlAnswered,
    DiskNoticed,
    Event,
    HealthNoticed,
    Notice,
)
from tui.component_style import component_style
from tui.run_words import clock_time, sentence_of
from tui.safe_text import safe_text

_MOST_COMPACT = 3
_TIME_WIDTH = 9


class EventLines(ScrollView, can_focus=True):
    """Newest first. With little height as many sentences as fit beside each other, else one below the other."""

    HELP = (
        "What happened to the run, the newest first. z gives it the whole screen, with everything since the run "
        "began; ↑ ↓ and page keys scroll."
    )
    COMPONENT_CLASSES: ClassVar[set[str]] = {"event--faint", "event--bad", "event--warning", "event--asked"}
    DEFAULT_CSS = """
    EventLines { scrollbar-size: 1 1; overflow: hidden scroll; background: $background; }
    EventLines.-compact { overflow: hidden hidden; }
    EventLines:focus { background: $boost; }
    EventLines > .event--faint { color: $foreground 65%; }
    EventLines > .event--bad { color: $text-error; }
    EventLines > .event--warning { color: $text-warning; }
    EventLines > .event--asked { color: $text-accent; }
    """

    def __init__(self, id: str | None = None) -> None:
        super().__init__(id=id)
        self.border_title = "Events"
        self._events: tuple[Event, ...] = ()
        self._blocks: list[tuple[str, tuple[str, ...]]] = []  # style and lines of each event, oldest first
        self._wrapped_to = 0
        self._lines: list[tuple[str, str]] = []  # style and text, newest first, as they are drawn

    def show(self, events: tuple[Event, ...]) -> None:
        """Take all events, oldest first."""
        if events is self._events or events == self._events:
            return
        before, self._events = self._events, events
        num_gone = next((n for n, one in enumerate(before) if events and one is events[0]), len(before))
        del self._blocks[:num_gone]
        self.draw()

    def draw(self) -> None:
        """Fit them into the present size."""
        is_compact = self.outer_size.height <= _MOST_COMPACT
        self.set_class(is_compact, "-compact")
        self.set_class(not is_compact, "pane")
        width, height = self.scrollable_content_region.size
        if not width or not height:
            return
        lines = self._packed(width, height) if is_compact else self._all(width)
        if lines != self._lines:
            top = self.scroll_offset.y
            num_more = len(lines) - len(self._lines)
            self._lines = lines
            self.virtual_size = Size(width, len(lines))
            if top and num_more > 0:  # who reads further down stays there
                self.scroll_to(y=top + num_more, animate=False, force=True, immediate=True)
            self.refresh()

    def on_resize(self, event: events.Resize) -> None:
        """Fit them into the new size."""
        self._lines = []
        self.draw()
        self.refresh()

    def watch_has_focus(self, has_focus: bool) -> None:
        """Say how all of them are seen, while there is anybody to read it."""
        super().watch_has_focus(has_focus)
        self.draw()

    def render_line(self, y: int) -> Strip:
        """One line in sight."""
        width = self.scrollable_content_region.width
        number = self.scroll_offset.y + y
        base = self.rich_style
        if number >= len(self._lines):
            return Strip.blank(width, base)
        kind, text = self._lines[number]
        return Strip([Segment(safe_text(text, 400), base + self._style(kind))]).adjust_cell_length(width, base)

    def _style(self, kind: str) -> Style:
        return component_style(self, f"event--{kind}") if kind else Style.null()

    def _packed(self, width: int, height: int) -> list[tuple[str, str]]:
        """The newest, several in a line where they are short."""
        newest = [
            f"{clock_time(event.time)} {sentence_of(event)}" for event in reversed(self._events[-4 * height :])
        ]
        hint = f"z shows all {len(self._events):,} events" if self.has_focus and self._events else ""
        lines: list[str] = []
        for words in newest:
            if lines and len(lines[-1]) + len(words) + 3 <= width:
                lines[-1] += f"   {words}"
            elif len(lines) < height:
                lines.append(safe_text(words, width))
            else:
                break
        if hint and lines:
            lines[-1] = f"{safe_text(lines[-1], max(1, width - len(hint) - 3)):<{max(0, width - len(hint))}}{hint}"
        return [("faint", line) for line in lines]

    def _all(self, width: int) -> list[tuple[str, str]]:
        """Every one, wrapped, with the day where it changes."""
        if self._wrapped_to != width:
            self._blocks.clear()
            self._wrapped_to = width
        for event in self._events[len(self._blocks) :]:
            wrapped = textwrap.wrap(sentence_of(event), max(20, width - _TIME_WIDTH)) or [""]
            first = f"{clock_time(event.time)} {wrapped[0]}"
            rest = tuple(" " * _TIME_WIDTH + line for line in wrapped[1:])
            self._blocks.append((_kind(event), (first, *rest)))
        lines: list[tuple[str, str]] = []
        day = ""
        for event, (kind, block) in zip(reversed(self._events), reversed(self._blocks), strict=True):
            its_day = local_time(event.time, "%Y-%m-%d")
            if its_day != day:
                lines.append(("faint", its_day))
                day = its_day
            lines += [(kind, line) for line in block]
        return lines or [("faint", "nothing has happened yet")]


def _kind(event: Event) -> str:
    """Its style; the words say the same."""
    match event:
        case AttemptEnded(state="failed") | Notice(level="error") | ControlAnswered(accepted=False):
            return "bad"
        case HealthNoticed() | Notice(level="warning") | DiskNoticed(is_full=True):
            return "warning"
        case ControlAnswered() | AttemptStarted():
            return "asked"
        case _:
            return ""
