"""What a reader keeps of one attempt: how far it has read its files, and how long it lasted."""

from __future__ import annotations

from runs.folder import Attempt
from runs.records import RecordTail
from runs.series_cache import CoveredTail, cover
from runs.status import read_outcome


class AttemptTail:
    """The ends of an attempt's files. elapsed_s: seconds from its beginning to its last record that was read."""

    def __init__(self, attempt: Attempt) -> None:
        self.attempt = attempt
        self.metrics = RecordTail(attempt.metrics_file)
        self.events = RecordTail(attempt.events_file)
        self.is_placed = False  # its place on the step axis is known
        self.first_step: float | None = None  # of its records
        self.elapsed_s = 0.0
        self._ended_s: float | None = None

    def length_s(self, *, is_over: bool) -> float:
        """Seconds to its end, where it is over and somebody wrote so; else to its last record."""
        if is_over and self._ended_s is None and (outcome := read_outcome(self.attempt)) is not None:
            self._ended_s = outcome.elapsed_s
        return self.elapsed_s if self._ended_s is None else self._ended_s

    def covered(self) -> CoveredTail:
        """What a cache that is written now covers of it. Raises OSError."""
        place = self.metrics.place
        return cover(self.attempt.number, self.attempt.metrics_file, place, self.elapsed_s, self.first_step)
