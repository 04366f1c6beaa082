"""Why a run failed, before anything else of it: cause, rank, what helps, settings, way on, its last words."""

from __future__ import annotations

from collections.abc import Sequence

from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import Static

from runs.console import without_events
from runs.console_lines import ConsoleLine
from runs.reader import RunSnapshot
from runs.status import ErrorReport
from tui.run_words import lost_words, way_on
from tui.safe_text import FAINT, plain, safe_text
from tui.setting_words import Changed, folded, setting_items

LAST_LINES = 30
_LOOKED_THROUGH = 500  # among events, which stand elsewhere
_LOW, _VERY_LOW = 30, 20  # rows of a terminal: one line for the settings; no room for what stands still

_Line = tuple[str, str]


class FailurePanel(VerticalScroll):
    """The cause and the heading of the last lines stand still, the lines scroll below; hidden unless it failed."""

    def __init__(self, id: str | None = None) -> None:
        super().__init__(id=id, classes="pane")
        self._snapshot: RunSnapshot | None = None
        self._printed: tuple[str, ...] = ()
        self._is_ours = True
        self._changed: Changed | None = None
        self._cause = Static(id="cause")
        self._last = Static(id="last-lines")
        self._shown: tuple[object, ...] = ()
        self.display = False
        self.border_subtitle = "↑ ↓ scroll · z zoom"

    def compose(self) -> ComposeResult:
        yield self._cause
        yield self._last

    def show(self, snapshot: RunSnapshot, is_ours: bool = True) -> None:
        """Take what holds now. is_ours: its keys may be offered."""
        self._snapshot, self._is_ours = snapshot, is_ours
        self._draw()

    def show_settings(self, changed: Changed) -> None:
        """Take what the run sets otherwise than its preset."""
        self._changed = changed
        self._draw()

    def on_resize(self) -> None:
        """There is room for more settings, or for fewer; on a very low terminal all of it scrolls, cause first."""
        is_low = self.app.size.height < _VERY_LOW
        if is_low != self.has_class("-low"):
            self.set_class(is_low, "-low")
            self.anchor(not is_low)
            if is_low:
                self.scroll_home(animate=False)
        self._draw()

    def show_console(self, lines: Sequence[ConsoleLine]) -> None:
        """Take the last lines that were printed."""
        several = len({line.rank for line in lines}) > 1
        self._printed = tuple(
            f"rank {line.rank}: {line.shown}" if several and line.rank is not None else line.shown
            for line in lines[-_LOOKED_THROUGH:]
            if without_events((line.text,))
        )
        self._draw()

    def _draw(self) -> None:
        snapshot = self._snapshot
        if snapshot is None:
            return
        has_failed = snapshot.status.state == "failed"
        self.display = has_failed
        if not has_failed:
            self._shown = ()
            return
        title, cause = failure_title(snapshot), cause_lines(snapshot, self._is_ours, self._settings(snapshot))
        last = last_lines(snapshot.error, self._printed)
        if (title, cause, last) == self._shown:
            return
        self._shown = (title, cause, last)
        self.border_title = plain(title, 100, "$text-error")
        heading, *rest = last
        self._cause.update(_text((*cause, heading)))
        self._last.update(_text(tuple(rest)))
        if not self.has_class("-low"):
            self.anchor()  # the newest word is the last one, also when the lines get their room later

    def _settings(self, snapshot: RunSnapshot) -> tuple[str, ...]:
        """As many as there is room for: a line or two, with the whole room for the panel a third of it."""
        if snapshot.config is None:
            return ()
        items = setting_items(snapshot.config, snapshot.started, self._changed)
        width = (self.outer_size.width or self.app.size.width) - 5  # its frame, and the bar that may come
        if self.has_class("-zoomed"):
            return folded(items, width, max(2, self.outer_size.height // 3))
        return folded(items, width, 1 if self.app.size.height < _LOW else 2, "z")


def failure_title(snapshot: RunSnapshot) -> str:
    """`✗ failed: out of memory on rank 3 at step 220`, as far as it is known."""
    error = snapshot.error
    words = "✗ failed"
    if error is None:
        return words
    if error.cause and error.cause != "error":
        words += f": {error.cause}"
    if snapshot.started is not None and snapshot.started.num_processes > 1:
        words += f" on rank {error.rank}"
    return words + (f" at step {error.step:,}" if error.step else "")


def cause_lines(snapshot: RunSnapshot, is_ours: bool = True, settings: Sequence[str] = ()) -> tuple[_Line, ...]:
    """Text and style of what stands at the top: the sentence, what helps, the settings, the way on."""
    error, reason = snapshot.error, snapshot.status.reason
    lines: list[_Line] = [(safe_text(reason or "it left no word of why", 500), "bold")]
    if error is not None:
        if error.message.strip() not in reason:
            several = snapshot.started is not None and snapshot.started.num_processes > 1
            lines.append((safe_text(_said(error, several), 400), ""))
        if error.hint:
            lines.append((f"→ {safe_text(error.hint, 300)}", "$text-warning"))
    outcome = snapshot.status.outcome
    if outcome is not None and outcome.left:
        lines.append((f"! {safe_text(outcome.left, 300)}", "$text-warning"))
    if lost := lost_words(snapshot):
        lines.append((lost, "$text-warning"))
    lines += [(line, FAINT) for line in settings]
    return (*lines, (way_on(snapshot, is_ours), "$text-primary"))


def last_lines(error: ErrorReport | None, printed: tuple[str, ...]) -> tuple[_Line, ...]:
    """A heading and the last 30 lines that were printed; after them the traceback where they do not end in it.

    printed: without the engine's events, which stand below the charts already.
    """
    console = [line for line in printed if line.strip()][-LAST_LINES:]
    traceback = [line for line in error.traceback.splitlines() if line.strip()][-LAST_LINES:] if error else []
    known = {line.strip() for line in console}
    blocks: list[_Line] = []
    if console:
        blocks.append(("printed last", FAINT))
        blocks += [(f"  {safe_text(line, 400)}", "") for line in console]
    if traceback and not known.issuperset(line.strip() for line in traceback):
        whose = f"traceback of rank {error.rank}" if error and "Traceback" in error.traceback else "its last words"
        blocks.append((whose, FAINT))
        blocks += [(f"  {safe_text(line, 400)}", "") for line in traceback]
    return tuple(blocks) or (("nothing was printed", FAINT),)


def _said(error: ErrorReport, several: bool) -> str:
    who = f"rank {error.rank}: " if several else ""
    return f"{who}{error.exception}: {error.message}" if error.exception else f"{who}{error.message}"


def _text(lines: tuple[_Line, ...]) -> Content:
    return Content("\n").join(plain(text, style=style) for text, style in lines)
