"""Progress of `datasets` while it writes its own copy of the rows, or goes through them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import datasets.arrow_dataset
import datasets.builder
from tqdm import tqdm

from engine.data.documents import Report


@contextlib.contextmanager
def rows_reported(phase: str, report: Report) -> Iterator[None]:
    """Hand on the rows that are written, mapped or filtered while this lasts.

    `datasets` 5.2 tells them to its progress bar alone, which is looked up in its modules each time.
    """

    class Reported(tqdm):  # type: ignore[misc]
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            self.num_rows = 0
            super().__init__(*args, **{**kwargs, "disable": True})
            self.known_total = int(kwargs.get("total") or 0)

        def update(self, n: float | None = 1) -> bool | None:
            self.num_rows += int(n or 0)
            report(phase, self.num_rows, self.known_total, "rows")
            return None

    before = datasets.builder.hf_tqdm, datasets.arrow_dataset.hf_tqdm
    datasets.builder.hf_tqdm = datasets.arrow_dataset.hf_tqdm = Reported
    try:
        yield
    finally:
        datasets.builder.hf_tqdm, datasets.arrow_dataset.hf_tqdm = before
