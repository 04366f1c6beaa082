"""Words in no more lines than their place has room for; `…` says where they are cut."""

from __future__ import annotations

import textwrap

from textual.content import Content
from textual.widgets import Static


class FittedText(Static):
    """Cuts what `fit` is given at the style sheet's `max-height`, anew at each size."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._whole = Content()

    def fit(self, words: Content) -> None:
        """Show as much of these words as fits."""
        self._whole = words
        self._cut()

    def on_resize(self) -> None:
        """A narrower place has room for less."""
        self._cut()

    def _cut(self) -> None:
        limit, width = self.styles.max_height, self.content_size.width
        text, end = self._whole.plain, len(self._whole)
        if limit is None or width <= 0 or _num_lines(text, width) <= limit.value:
            self.update(self._whole)
            return
        while end > 0 and _num_lines(f"{text[:end]} …", width) > limit.value:
            end = text.rfind(" ", 0, end)
        self.update(Content.assemble(self._whole[: max(end, 0)], " …"))


def _num_lines(text: str, width: int) -> int:
    return len(textwrap.wrap(text, width, break_on_hyphens=False))
