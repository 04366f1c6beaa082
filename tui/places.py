"""Where a run stands in the queue, as the screens know it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Place:
    """Where a run stands in the queue: 1 is next. reason: what it waits for, as a sentence."""

    number: int
    reason: str
