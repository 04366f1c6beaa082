"""Writers for the kill harness: ours, one that loses records, and one that leaves halves of them."""

from __future__ import annotations

import json
from pathlib import Path

from kill_harness import Write

from runs.records import RecordWriter, seal


def ours(path: Path) -> Write:
    """The writer of every run."""
    return RecordWriter(path).write


def buffered(path: Path) -> Write:
    """The usual way: a file object that keeps records back until its buffer is full."""
    file = path.open("xb", buffering=4096)

    def write(record: dict[str, object]) -> bool:
        file.write(seal(json.dumps(record, separators=(",", ":")).encode()))
        return True

    return write


def in_two_pieces(path: Path) -> Write:
    """A record in two writes, so that a kill between them leaves half of one."""
    file = path.open("xb", buffering=0)

    def write(record: dict[str, object]) -> bool:
        line = seal(json.dumps(record, separators=(",", ":")).encode())
        file.write(line[:20])
        file.write(line[20:])
        return True

    return write
