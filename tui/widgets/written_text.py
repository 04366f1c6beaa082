"""How a causal model goes on from the text: what it has written so far, and by which settings."""

from __future__ import annotations

import textwrap

from textual.content import Content

from tui.safe_text import FAINT, safe_lines, safe_text
from tui.widgets.lines_pane import LinesPane


class WrittenText(LinesPane):
    """Lines of the models' texts, one below the other."""

    def __init__(self, id: str) -> None:
        super().__init__("Goes on", id)

    def show_texts(self, about: str, texts: tuple[tuple[str, str, str], ...], note: str) -> None:
        """about: the settings. texts: of each model its name, the text, and what it wrote. note: said below."""
        lines: list[tuple[str, str]] = []
        width = max(20, self.content_size.width - 3)
        for name, text, written in texts:
            if name:
                lines.append((safe_text(name, width), "bold"))
            lines += _wrapped(text, written, width)
            lines.append(("", ""))
        if note:
            lines += [(line, FAINT) for line in textwrap.wrap(safe_text(note, 400), width)]
        rows = [lambda width, line=line, style=style: Content.styled(line, style) for line, style in lines]
        self.show([lambda width: Content.styled(safe_text(about, width), FAINT)], rows)


def _wrapped(text: str, written: str, width: int) -> list[tuple[str, str]]:
    """The text and what was written, line by line; where what was written begins stands a sign."""
    lines = []
    for paragraph in safe_lines(f"{text}⟩{written}", 12_000).split("\n"):
        lines += [(line, "") for line in textwrap.wrap(paragraph, width, drop_whitespace=False)] or [("", "")]
    return lines
