"""The checkpoints that a run has on disk, with what is known of each; torch is not needed to see them."""

from __future__ import annotations

import math
from dataclasses import dataclass

import msgspec

from runs.checkpoint_names import NAME, pointed_at
from runs.folder import RunFolder, read_struct
from runs.safe_files import file_status, folder_names


class _State(msgspec.Struct):
    step: int = 0
    last_loss: float | None = None


@dataclass(frozen=True)
class SavedCheckpoint:
    """One checkpoint. loss: of the evaluation before it was saved, nats. num_bytes: of the model's weights."""

    name: str
    step: int
    loss: float | None = None
    num_bytes: int = 0
    is_last: bool = False
    is_best: bool = False


def list_checkpoints(folder: RunFolder) -> tuple[SavedCheckpoint, ...]:
    """All of a run, by their steps; empty when it has saved none. What is half-made is left out."""
    names = [name for name in folder_names(folder.checkpoints_dir) if NAME.fullmatch(name)]
    last, best = (pointed_at(folder.checkpoints_dir, pointer) for pointer in ("last", "best"))
    listed = []
    for name in names:
        path = folder.checkpoints_dir / name
        state = read_struct(path / "state.json", _State)
        loss = state.last_loss if state is not None else None
        try:
            num_bytes = file_status(path / "model.safetensors").st_size
        except OSError:
            num_bytes = 0
        is_finite = loss is not None and math.isfinite(loss)
        step = int(name.removeprefix("step-"))
        shown = loss if is_finite else None
        listed.append(SavedCheckpoint(name, step, shown, num_bytes, name == last, name == best))
    return tuple(sorted(listed, key=lambda checkpoint: checkpoint.step))


def has_checkpoints(folder: RunFolder) -> bool:
    """Whether the run has saved any."""
    return any(NAME.fullmatch(name) for name in folder_names(folder.checkpoints_dir))
