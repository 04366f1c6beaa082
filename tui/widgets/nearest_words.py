"""The words whose embeddings point where a word's does, by one model or by two."""

from __future__ import annotations

from textual.content import Content

from runs.playground import WordNeighbours
from tui.safe_text import FAINT, plain, safe_text
from tui.widgets.likely_words import bar
from tui.widgets.lines_pane import LinesPane, fitted, note


class NearestWords(LinesPane):
    """enter goes on to the neighbours of the word under the cursor."""

    def __init__(self, id: str) -> None:
        super().__init__("Neighbours", id)
        self._all: tuple[WordNeighbours, ...] = ()

    @property
    def chosen(self) -> str:
        """The first model's word under the cursor; empty where there is none."""
        nearest = self._all[0].nearest if self._all else ()
        return nearest[self.row].token if self.row < len(nearest) else ""

    def show_neighbours(self, nearest: tuple[WordNeighbours, ...], words: str) -> None:
        """Of each model; words: said instead where there are none."""
        word = nearest[0].word if nearest else ""
        is_other = not self._all or self._all[0].word != word
        self._all = nearest
        if not nearest:
            self.border_title, self.border_subtitle = "Neighbours", "/ names a word"
            self.show([note(words)], ())
            return
        self.border_title = plain(f"Neighbours of {word}", 40)
        self.border_subtitle = "/ another word · enter its neighbours"
        made_of = nearest[0].tokens
        about = "cosine of the input embeddings, −1 to 1" + (
            f" · mean of {', '.join(made_of[:6])}" if len(made_of) > 1 else ""
        )
        rows = [
            lambda width, row=row: self._row(row, width) for row in range(max(len(n.nearest) for n in nearest))
        ]
        self.show([note(about)], rows, keep_row=not is_other)

    def _row(self, row: int, width: int) -> Content:
        each = (width - 3 * (len(self._all) - 1)) // len(self._all)
        room = max(6, min(18, each // 2 - 4))
        bar_width = max(2, min(30, each - room - 8))
        parts: list[tuple[str, str]] = []
        for index, one in enumerate(self._all):
            if index:
                parts.append((" │ ", FAINT))
            if row >= len(one.nearest):
                parts.append((" " * each, ""))
                continue
            nearest = one.nearest[row]
            parts.append((fitted(nearest.token, room) + " ", ""))
            parts.append((bar(nearest.similarity, bar_width), "$text-primary" if not index else "$text-secondary"))
            parts.append((f" {nearest.similarity:5.2f}".ljust(each - room - 1 - bar_width), ""))
        return Content.assemble(*((safe_text(text, 200), style) for text, style in parts))
