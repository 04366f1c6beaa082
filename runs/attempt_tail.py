"""What a reader keeps of its attempts: how far it has read their files, and how long they lasted."""

from __future__ import annotations

from collections.abc import Sequence

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


def has_news(tails: Sequence[AttemptTail]) -> bool:
    """Whether the newest attempt recorded something that nobody has read. Cheap: two looks at a file."""
    return any(tail.metrics.num_unread() or tail.events.num_unread() for tail in tails[-1:])


def bytes_read(tails: Sequence[AttemptTail]) -> int:
    """Of the metrics of all attempts."""
    return sum(tail.metrics.place.offset for tail in tails)


def share_read(tails: Sequence[AttemptTail]) -> float:
    """Of the metrics that are there, from 0 to 1."""
    done = bytes_read(tails)
    return done / max(1, done + sum(tail.metrics.num_unread() for tail in tails))


def num_skipped(tails: Sequence[AttemptTail]) -> int:
    """Lines of all attempts that were no records."""
    return sum(tail.metrics.num_skipped + tail.events.num_skipped for tail in tails)


def recorded_s(tails: Sequence[AttemptTail]) -> float:
    """Seconds of all attempts, each to its last record that was read."""
    return sum(tail.elapsed_s for tail in tails)


def whole_s(tails: Sequence[AttemptTail], *, is_over: bool) -> float:
    """Seconds of all attempts: to their ends, as far as they have one. is_over: the newest one, too."""
    before_s = sum(tail.length_s(is_over=True) for tail in tails[:-1])
    return before_s + sum(tail.length_s(is_over=is_over) for tail in tails[-1:])
