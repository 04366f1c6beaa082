"""Decides when the columns of a run are worth keeping, and has them written in pieces."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator

from runs.folder import RunFolder
from runs.ownership import why_read_only
from runs.series_cache import ReadState
from runs.series_table import SeriesTable

LEAST_BYTES = 8 << 20  # of records; fewer are read in a moment
_PIECES_S = 0.005
_LIVE_GROWTH = 8  # the columns of a live run are kept again when an eighth came to them


class CacheKeeper:
    """Of one reader. num_covered: bytes of records whose columns are in the cache."""

    def __init__(self, folder: RunFolder) -> None:
        self.num_covered = 0
        self._folder = folder
        self._writing: Generator[None] | None = None
        self._gave_up = False

    def keep(self, num_bytes: int, is_live: bool, state: Callable[[], ReadState], table: SeriesTable) -> bool:
        """Write for some five milliseconds when it is due; True while there is more to write.

        num_bytes: of the records that were read. A run that is not ours keeps no cache.
        """
        if self._gave_up:
            return False
        try:
            if self._writing is None:
                if not self._is_due(num_bytes, is_live):
                    return False
                self._begin(state(), table)
            until = time.monotonic() + _PIECES_S
            while self._writing is not None:
                next(self._writing)
                if time.monotonic() >= until:
                    break
        except StopIteration:
            self._writing = None
            return False
        except OSError:  # such as a full disk: the next opening takes longer, and that is all
            self._writing, self._gave_up = None, True
            return False
        return True

    def close(self) -> None:
        """Leave off; what was not finished is removed."""
        if self._writing is not None:
            self._writing.close()
            self._writing = None

    def _is_due(self, num_bytes: int, is_live: bool) -> bool:
        fresh = num_bytes - self.num_covered
        if fresh < LEAST_BYTES or (is_live and fresh * _LIVE_GROWTH < self.num_covered):
            return False
        self._gave_up = bool(why_read_only(self._folder))
        return not self._gave_up

    def _begin(self, state: ReadState, table: SeriesTable) -> None:
        from runs.series_cache_writer import write_pieces  # most openings only read

        self._writing = write_pieces(self._folder, state, table)
        self.num_covered = state.num_bytes
