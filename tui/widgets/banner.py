"""What stands over everything of a run until it is over: a full disk, or that the run is not ours to change."""

from __future__ import annotations

from textual import events
from textual.content import Content
from textual.widgets import Static

from tui.run_words import in_lines
from tui.safe_text import plain, safe_text

_MOST_LINES = 3


class Banner(Static):
    """Hidden while there is nothing to say; red for what is wrong, calm for what is merely so."""

    DEFAULT_CSS = """
    Banner { height: auto; max-height: 3; padding: 0 1; background: $panel; }
    Banner.-bad { background: $error; color: $text; text-style: bold; }
    """

    def __init__(self, id: str | None = None) -> None:
        super().__init__("", id=id)
        self._shown: tuple[str, str] = ("", "")
        self.display = False

    def show(self, trouble: str = "", fact: str = "") -> None:
        """trouble: a sentence on what is wrong. fact: one on what holds besides."""
        if (trouble, fact) == self._shown:
            return
        self._shown = (trouble, fact)
        self.display = bool(trouble or fact)
        self.set_class(bool(trouble), "-bad")
        self._draw()

    def on_resize(self, event: events.Resize) -> None:
        """Cut what has no room any more, with a sign."""
        self._draw()

    def _draw(self) -> None:
        trouble, fact = self._shown
        width = self.content_size.width or self.app.size.width - 2
        rest = [in_lines(f"⊘ {safe_text(fact, 500)}", width, 1)] if fact else []
        first = [in_lines(f"! {safe_text(trouble, 500)}", width, _MOST_LINES - len(rest))] if trouble else []
        lines = [line for block in (*first, *rest) for line in block.split("\n")]
        self.update(Content("\n").join(plain(line, 500) for line in lines))
