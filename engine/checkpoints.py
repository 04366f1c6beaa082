"""Checkpoints: complete or not there at all, verified before use, free of pickle."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

import msgspec
import safetensors
import safetensors.torch
from torch import Tensor

from engine.checkpoint_files import (
    MODEL,
    OPTIMIZER,
    STATE,
    Damage,
    Manifest,
    read_manifest,
    require_whole,
    sync_folder,
    write_files,
    write_manifest,
)
from engine.checkpoint_order import NAME, dropped, meant, stand_ins, step_of
from engine.window import WindowSums
from runs.folder import write_atomically
from runs.safe_files import folder_names, read_bytes, read_text

_BUILDING, _REPLACED, _DROPPED = ".building", ".replaced", ".dropped"
_TEMPORARY = re.compile(r"\.(last|best)\..*\.tmp")
_MOST_POINTER_BYTES = 100
_MOST_STATE_BYTES = 1 << 20


class CheckpointError(RuntimeError):
    """No checkpoint can be used; the text says why."""


class TrainState(msgspec.Struct, frozen=True):
    """What a run needs besides tensors to go on as if it had never stopped.

    samples: taken so far. data: fingerprint of the tokens they were taken from. window: sums since the last
    training record, exact in JSON. lr_factor, total_steps: changed while it ran; 0 steps: as configured.
    micro_batch: sequences of a pass, once memory had run out. compiled: whether torch.compile was used.
    probes: as they were changed while it ran; None: as configured.
    """

    step: int = 0
    samples: int = 0
    tokens: int = 0
    best_loss: float | None = None
    best_step: int | None = None
    last_loss: float | None = None
    evaluations_since_best: int = 0
    window: WindowSums = WindowSums()
    precision: str = ""
    data: str = ""
    lr_factor: float = 1.0
    total_steps: int = 0
    micro_batch: int = 0
    compiled: bool | None = None
    probes: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Loaded:
    """A verified checkpoint."""

    name: str
    model: dict[str, Tensor]
    optimizer: dict[str, Tensor]
    state: TrainState


class CheckpointStore:
    """The `checkpoints` folder of a run. Remembers which checkpoints were found damaged or were gone back from."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._uncounted: set[str] = set()

    def save(
        self,
        model: dict[str, Tensor],
        optimizer: dict[str, Tensor],
        state: TrainState,
        texts: dict[str, str],
        *,
        is_best: bool,
        keep: int,
    ) -> tuple[str, int]:
        """Write a checkpoint, move the pointers to it, drop old ones. Returns its name and size in bytes.

        texts: further small files, such as the tokenizer. keep: how many of the newest stay, besides the best.
        Raises OSError, and leaves no half-made checkpoint behind; where there was no room for the pointer alone,
        the checkpoint is there without being the last one.
        """
        name = f"step-{state.step:08d}"
        target, building = self.folder / name, self.folder / (name + _BUILDING)
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        manifests = self._manifests()
        serial = 1 + max((manifest.serial for manifest in manifests.values()), default=0)
        _remove(building)
        try:
            building.mkdir(mode=0o700)
            files = write_files(building, {MODEL: safetensors.torch.save(_contiguous(model))})
            files |= write_files(building, {OPTIMIZER: safetensors.torch.save(_contiguous(optimizer))})
            files |= write_files(building, {STATE: msgspec.json.encode(state)})
            files |= write_files(building, {file: text.encode() for file, text in texts.items()})
            write_manifest(building, state.step, files, serial, is_best=is_best)
            self._put_in_place(building, target)
        except BaseException:
            shutil.rmtree(building, ignore_errors=True)
            raise
        self._uncounted.discard(name)
        write_atomically(self.folder / "last", name.encode() + b"\n")
        if is_best:
            write_atomically(self.folder / "best", name.encode() + b"\n")
        self._prune(keep)
        return name, sum(entry.num_bytes for entry in files.values())

    def clean_up(self) -> None:
        """Remove what a killed save left half-made, and bring back what it had moved aside. Raises OSError.

        For the one process that is going to save.
        """
        for name in folder_names(self.folder):
            whole, dot, suffix = name.partition(".")
            if not NAME.fullmatch(whole) or dot + suffix not in (_BUILDING, _REPLACED, _DROPPED):
                continue
            if dot + suffix == _REPLACED and not os.path.lexists(self.folder / whole):
                (self.folder / name).rename(self.folder / whole)
            else:
                shutil.rmtree(self.folder / name, ignore_errors=True)
        for path in self.folder.glob(".*.tmp"):
            if _TEMPORARY.fullmatch(path.name):
                path.unlink(missing_ok=True)

    def names(self) -> list[str]:
        """All checkpoints, by their steps."""
        return sorted(filter(NAME.fullmatch, folder_names(self.folder)), key=step_of)

    def resolve(self, reference: str) -> str:
        """The name that `last`, `best`, a step or a name stands for. Raises CheckpointError."""
        if reference == "last" or reference == "best":
            try:
                pointed = read_text(self.folder / reference, _MOST_POINTER_BYTES).strip()
            except (OSError, UnicodeDecodeError):
                pointed = ""
            found = meant(reference, pointed, self.names(), self._manifests())
            if not found:
                raise CheckpointError(f"the run has no {reference} checkpoint")
            return found
        names = self.names()
        wanted = f"step-{int(reference):08d}" if reference.isdecimal() else reference
        if wanted not in names:
            there = ", ".join(names) or "none"
            raise CheckpointError(f"the run has no checkpoint {reference!r}; it has {there}")
        return wanted

    def damage(self, name: str, *, with_optimizer: bool = True) -> str:
        """What is wrong with a checkpoint, or nothing. with_optimizer: its optimizer is needed, too."""
        try:
            require_whole(self.folder / name, step_of(name), with_optimizer=with_optimizer)
        except Damage as damage:
            self._uncounted.add(name)
            return str(damage)
        return ""

    def choose(self, reference: str, *, with_optimizer: bool = True) -> tuple[str, str]:
        """The name of a verified checkpoint and, when an older one has to do, a sentence on why.

        Only `last` falls back; another reference names one checkpoint and no other will do.
        Raises CheckpointError.
        """
        wanted = self.resolve(reference)
        reasons: list[str] = []
        manifests = self._manifests()
        others = stand_ins(wanted, self.names(), manifests) if reference == "last" else []
        for name in (wanted, *others):
            damage = self.damage(name, with_optimizer=with_optimizer)
            if not damage:
                serial = manifests[name].serial if name in manifests else 0
                self._uncounted |= {other for other, its in manifests.items() if its.serial > serial}
                return name, "; ".join(reasons)
            reasons.append(f"{name}: {damage}")
        raise CheckpointError("no checkpoint can be used: " + "; ".join(reasons))

    def load(self, reference: str, *, with_optimizer: bool = True) -> tuple[Loaded, str]:
        """A verified checkpoint and, when an older one had to do, a sentence on why.

        Raises CheckpointError, as `choose` does, and when the files hold something else than a checkpoint.
        """
        name, fallback = self.choose(reference, with_optimizer=with_optimizer)
        folder = self.folder / name
        try:
            loaded = Loaded(
                name=name,
                model=safetensors.torch.load_file(folder / MODEL),
                optimizer=safetensors.torch.load_file(folder / OPTIMIZER) if with_optimizer else {},
                state=msgspec.json.decode(read_bytes(folder / STATE, _MOST_STATE_BYTES), type=TrainState),
            )
        except (OSError, ValueError, RecursionError, safetensors.SafetensorError) as error:
            raise CheckpointError(f"{name} cannot be read: {error}") from error
        return loaded, fallback

    def _put_in_place(self, building: Path, target: Path) -> None:
        replaced = target.with_name(target.name + _REPLACED)
        _remove(replaced)
        is_again = os.path.lexists(target)  # a run resumed from further back comes to the same step again
        if is_again:
            target.rename(replaced)
        try:
            building.rename(target)
        except OSError:
            if is_again:
                replaced.rename(target)
            raise
        sync_folder(self.folder)
        _remove(replaced)

    def _manifests(self) -> dict[str, Manifest]:
        """Of all checkpoints whose manifest is sound."""
        found: dict[str, Manifest] = {}
        for name in self.names():
            with contextlib.suppress(Damage):
                found[name] = read_manifest(self.folder / name, step_of(name))
        return found

    def _prune(self, keep: int) -> None:
        """Drop old ones, now that the newest is verified; never one that a pointer names."""
        pinned: set[str] = set()
        for pointer in ("last", "best"):
            with contextlib.suppress(CheckpointError):
                pinned.add(self.resolve(pointer))
        for name in dropped(self.names(), self._manifests(), self._uncounted, pinned, keep):
            aside = self.folder / (name + _DROPPED)
            with contextlib.suppress(OSError):  # it stays, and goes another time
                _remove(aside)
                (self.folder / name).rename(aside)  # a half-deleted one must not look like a checkpoint
                _remove(aside)


def _contiguous(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Copies on the CPU that share no memory, as safetensors wants them."""
    return {name: tensor.detach().to("cpu", copy=True).contiguous() for name, tensor in tensors.items()}


def _remove(path: Path) -> None:
    """Delete a folder or whatever stands in its place, a link itself and not what it points to. Raises OSError."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
