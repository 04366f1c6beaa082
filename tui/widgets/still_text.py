"""A few lines of words that change often and seldom take another number of lines."""

from __future__ import annotations

from textual.content import Content
from textual.widgets import Static


class StillText(Static):
    """Lays the screen out anew only where its words take more lines or fewer than before."""

    def put(self, words: Content) -> None:
        """Show these words."""
        before = self.content
        if isinstance(before, Content) and words.is_same(before):
            return
        width = max(1, self.content_size.width)
        lines = {_num_lines(one, width) for one in (before, words) if isinstance(one, Content)}
        self.update(words, layout=not isinstance(before, Content) or len(lines) != 1)


def _num_lines(words: Content, width: int) -> int:
    return sum(max(1, -(-line.cell_length // width)) for line in words.split("\n"))
