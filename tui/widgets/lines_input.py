"""A text input of several lines, with the same care as the one of one line; imported when first needed."""

from __future__ import annotations

from textual import events
from textual.widgets import TextArea

from tui.safe_text import safe_lines

_LONGEST = 1_000_000


class LinesInput(TextArea):
    """A compact TextArea without a blinking cursor; tab leaves it."""

    def __init__(self, text: str) -> None:
        super().__init__(safe_lines(text, _LONGEST), compact=True, tab_behavior="focus")
        self.cursor_blink = False

    def load_text(self, text: str) -> None:
        """Replace everything; control characters become visible signs."""
        super().load_text(safe_lines(text, _LONGEST))

    async def _on_paste(self, event: events.Paste) -> None:
        event.text = safe_lines(event.text, _LONGEST)  # the base class's own handler comes next
