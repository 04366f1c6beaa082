"""A disk that is filled, and what is counted of the engines under which that happens."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import msgspec


class Report(msgspec.Struct):
    """Engines under which the disk was filled.

    ended: did not come to their end as if nothing had been. torn: files with a torn line. lost: records that were
    acknowledged and are not there, or waited and never came. unsaid: there was no event that the disk is full, or
    none that this is over. left: half-made files. unsaved: the last checkpoint is missing.

    paused: engines that noticed. at_end: had to wait for room with all steps done. in_a_save: also a checkpoint
    found no room.
    """

    tries: int = 0
    ended: int = 0
    torn: int = 0
    lost: int = 0
    unsaid: int = 0
    left: int = 0
    unsaved: int = 0
    paused: int = 0
    at_end: int = 0
    in_a_save: int = 0
    problems: list[str] = []


@dataclass
class Filler:
    """A file that takes all room on the disk but some."""

    path: Path

    def fill(self, but_bytes: int) -> None:
        descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            while True:
                os.write(descriptor, bytes(4096))
        except OSError:
            os.ftruncate(descriptor, max(0, os.fstat(descriptor).st_size - but_bytes))
        finally:
            os.close(descriptor)

    def empty(self) -> None:
        self.path.unlink(missing_ok=True)
