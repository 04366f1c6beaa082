"""The order of the queue: who waits, and how a run gets another place."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Literal

import msgspec

from runs.folder import RunFolder, all_runs
from runs.ownership import require_ours, why_read_only
from runs.queue_entry import QueueEntry, is_waiting, queue_lock, read_entry, write_entry
from runs.status import read_status

Where = Literal["up", "down", "first", "last"]


def in_order(runs: Path, host: str = "") -> tuple[tuple[RunFolder, QueueEntry], ...]:
    """The runs that wait with their entries, of that machine or of all, next first. Raises nothing."""
    entries = ((folder, read_entry(folder)) for folder in all_runs(runs))
    found = [(f, e) for f, e in entries if e is not None and host in ("", e.host) and is_waiting(f)]
    return tuple(sorted(found, key=lambda pair: (pair[1].order, pair[1].since, pair[0].id)))


def move(folder: RunFolder, where: Where) -> None:
    """Give a waiting run another place, among those that wait for the same machine.

    Raises ValueError with a sentence when it does not wait, ReadOnlyRun, OSError.
    """
    require_ours(folder)
    with queue_lock(folder.path.parent):
        entry = read_entry(folder)
        if entry is None or not is_waiting(folder):
            state = read_status(folder).state
            raise ValueError(f"{folder.about().name} does not wait in the queue; it is {state}")
        queue = [pair for pair in in_order(folder.path.parent, entry.host) if not why_read_only(pair[0])]
        index = [pair[0] for pair in queue].index(folder)
        target = {"up": index - 1, "down": index + 1, "first": 0, "last": len(queue) - 1}[where]
        queue.insert(max(0, min(target, len(queue) - 1)), queue.pop(index))
        _renumber(queue, folder)


def put_off(folder: RunFolder) -> None:
    """Give a run the last place, for it could not be started, and others may. Raises OSError."""
    with queue_lock(folder.path.parent):
        entry = read_entry(folder)
        if entry is not None:
            order = behind(in_order(folder.path.parent))
            write_entry(folder, msgspec.structs.replace(entry, order=order))


def behind(queue: tuple[tuple[RunFolder, QueueEntry], ...]) -> float:
    """The order of whoever comes last. Hold the queue's lock."""
    return max((entry.order for _, entry in queue), default=0.0) + 1.0


def _renumber(queue: list[tuple[RunFolder, QueueEntry]], moved: RunFolder) -> None:
    """Give the moved run an order between its neighbours; where none fits between them, all get new ones."""
    index = [pair[0] for pair in queue].index(moved)
    before = queue[index - 1][1].order if index else None
    after = queue[index + 1][1].order if index + 1 < len(queue) else None
    if before is None and after is None:
        return
    low = before if before is not None else (after or 0.0) - 2.0
    high = after if after is not None else low + 2.0
    orders = [entry.order for _, entry in queue]
    orders[index] = (low + high) / 2
    if any(a >= b for a, b in pairwise(orders)):
        orders = [float(number) for number in range(1, len(queue) + 1)]
    for (folder, entry), order in zip(queue, orders, strict=True):
        if entry.order != order:
            write_entry(folder, msgspec.structs.replace(entry, order=order))
