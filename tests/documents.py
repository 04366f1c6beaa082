"""Documents out of a list, for tests of what is done with them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from engine.data.documents import DocumentLabels, Rows, SourceBroke, usable_rows
from presets.schema import DataConfig


@dataclass
class ListDocuments:
    """One row a document. breaks_at: reading that document raises, as a hub that goes away does."""

    texts: list[str]
    data: DataConfig = field(default_factory=DataConfig)
    commit: str = ""
    words: tuple[str, ...] | None = None
    labels: DocumentLabels | None = None
    is_stream: bool = False
    breaks_at: int | None = None
    num_read: int = 0

    @property
    def num_documents(self) -> int | None:
        return None if self.is_stream else len(self.texts)

    def read(self, first: int = 0) -> Iterator[Rows]:
        for number, text in enumerate(self.texts[first:], first):
            if number == self.breaks_at:
                raise SourceBroke(f"the hub went away at row {number}")
            self.num_read += 1
            yield usable_rows(iter([text]), self.data)
