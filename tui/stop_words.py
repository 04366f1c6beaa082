"""What a stop or a pause would do to a run, for the question that is asked first: what is saved, what is lost."""

from __future__ import annotations

from dataclasses import dataclass

from runs.checkpoint_names import pointed_at
from runs.disk import free_bytes
from runs.events import DiskNoticed, decode_event
from runs.folder import RunFolder
from runs.records import last_records
from runs.status import latest_attempt

_NO_ROOM_BYTES = 1 << 20


@dataclass(frozen=True)
class Consequence:
    """body: sentences for the dialog. loses_work: no checkpoint can be saved now."""

    body: str
    loses_work: bool = False


def of_stop(name: str, folder: RunFolder, grace_s: int) -> Consequence:
    """What a stop does now. name: safe to show. grace_s: of each rung of the ladder, 0 when not known."""
    if has_no_room(folder):
        return Consequence(f"{name} finishes its step and ends. {_lost(folder)}", loses_work=True)
    ladder = f" It gets {grace_s} s for that; then SIGTERM tells it to end, and {grace_s} s later it is killed."
    body = f"{name} finishes its step, saves a checkpoint and ends.{ladder if grace_s else ''}"
    return Consequence(f"{body} It can be resumed later.")


def of_pause(name: str, folder: RunFolder) -> Consequence:
    """What a pause does now."""
    if has_no_room(folder):
        return Consequence(f"{name} finishes its step and frees its device. {_lost(folder)}", loses_work=True)
    return Consequence(f"{name} finishes its step, saves a checkpoint and frees its device. r goes on from there.")


def has_no_room(folder: RunFolder) -> bool:
    """Whether the run cannot save for want of room, as it said itself or as its disk says."""
    free = free_bytes(folder.path)
    if free is not None and free < _NO_ROOM_BYTES:
        return True
    attempt = latest_attempt(folder)
    for record in reversed(last_records(attempt.events_file) if attempt is not None else []):
        if record.get("kind") == "disk":
            event = decode_event(record)
            return isinstance(event, DiskNoticed) and event.is_full
    return False


def _lost(folder: RunFolder) -> str:
    last = pointed_at(folder.checkpoints_dir, "last").rpartition("-")[2]
    there = (
        f"the last one is of step {int(last):,}, and every step after it has to be trained again"
        if last.isdecimal()
        else "there is none yet, and all of it has to be trained again"
    )
    return f"The disk is full, so it can save NO checkpoint: {there}. Make room on it first, and nothing is lost."
