"""One row for a run: what a list shows of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from presets.fields import Value
from runs.folder import RunFolder
from runs.status import RunStatus

Stamp = tuple[int, ...]
"""Inodes and times of the files that a row is read from."""


@dataclass(frozen=True)
class RunSummary:
    """What a list shows of a run. Losses are validation losses in nats; elapsed_s is of all attempts.

    losses: the newest evaluations, oldest first. num_bytes: None until it has been counted. Both come a few
    polls later for runs that have ended, so that a long list is there at once.
    root_cause: why it failed. remark: what else one must know beside the state: a full disk, how it was killed.
    settings: fields that differ from the defaults, by dotted path; None until read. figures: the last value of
    each metric. read_only: why it is not ours to change. group, pinned, archived, sweep, forked_from: see `About`.
    """

    folder: RunFolder
    id: str
    name: str
    preset: str
    dataset: str
    status: RunStatus
    step: int
    total_steps: int
    best_loss: float | None
    best_step: int | None
    last_loss: float | None
    elapsed_s: float
    created: float
    tags: tuple[str, ...]
    note: str
    losses: tuple[float, ...]
    num_bytes: int | None
    root_cause: str
    remark: str = ""
    group: str = ""
    pinned: bool = False
    archived: bool = False
    sweep: str = ""
    forked_from: str = ""
    settings: Mapping[str, Value] | None = None
    figures: Mapping[str, float] = field(default_factory=dict)
    num_checkpoints: int | None = None
    checkpoint_bytes: int | None = None
    read_only: str = ""
