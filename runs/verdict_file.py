"""Where the verdict on a run's curves is kept, and whether it still holds: what a screen can draw without judging.

One file beside the other analyses, `cache/analysis/verdict.json`, which may be deleted at any time. It says how
much of the run's records it rests on: they only grow, so as many bytes are the same records.
"""

from __future__ import annotations

import contextlib
from pathlib import Path

import msgspec

from runs.folder import RunFolder, read_struct, write_atomically
from runs.reader import RunReader
from runs.safe_files import file_status, make_folder
from runs.verdict import Verdict, verdict_of


class StoredVerdict(msgspec.Struct, frozen=True):
    """step: that the run had come to. read: bytes of each attempt's files of records, by attempt/file."""

    verdict: Verdict
    step: int
    read: dict[str, int]


def verdict_file(folder: RunFolder) -> Path:
    """Where it is kept."""
    return folder.cache_dir / "analysis" / "verdict.json"


def read_verdict(folder: RunFolder) -> StoredVerdict | None:
    """The stored verdict on the run as it is now; None when there is none, or it is stale or damaged."""
    stored = read_struct(verdict_file(folder), StoredVerdict)
    return stored if stored is not None and stored.read == _sizes(folder) else None


def current_verdict(folder: RunFolder) -> StoredVerdict:
    """The verdict on the run as it is now: the stored one, or a new one, which is stored.

    Reads all of the run's records when it judges: not for a screen's own thread.
    """
    stored = read_verdict(folder)
    if stored is not None:
        return stored
    sizes = _sizes(folder)  # before they are read: what comes meanwhile makes the verdict stale, never wrong
    reader = RunReader(folder)
    run = reader.poll()
    while run.is_behind:
        run = reader.poll()
    judged = StoredVerdict(verdict_of(run), run.step, sizes)
    path = verdict_file(folder)
    with contextlib.suppress(OSError):  # a full disk, or somebody else's run: the answer is there all the same
        make_folder(path.parent)
        write_atomically(path, msgspec.json.encode(judged))
    return judged


def _sizes(folder: RunFolder) -> dict[str, int]:
    sizes: dict[str, int] = {}
    for attempt in folder.attempts():
        for path in (attempt.metrics_file, attempt.events_file):
            with contextlib.suppress(OSError):
                sizes[f"{attempt.number}/{path.name}"] = file_status(path).st_size
    return sizes
