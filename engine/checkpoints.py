"""Checkpoints: complete or not there at all, verified before use, free of pickle."""

from __future__ import annotations

import os
import re
import shutil
import time
from dataclasses import dataclass
from pathlib import Path

import msgspec
import safetensors.torch
import torch
from torch import Tensor

from engine.window import WindowSums
from runs.checksums import sha256_of
from runs.folder import write_atomically

_NAME = re.compile(r"step-\d{8,}")
_MANIFEST = "manifest.json"


class CheckpointError(RuntimeError):
    """No checkpoint can be used; the text says why."""


class TrainState(msgspec.Struct, frozen=True):
    """What a run needs besides tensors to go on as if it had never stopped.

    samples: taken so far. data: fingerprint of the tokens they were taken from. window: sums since the last
    training record, exact in JSON. lr_factor, total_steps: changed while it ran; 0 steps: as configured.
    micro_batch: sequences of a pass, once memory had run out. compiled: whether torch.compile was used.
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


class FileEntry(msgspec.Struct, frozen=True):
    """Size and SHA-256 of one file."""

    num_bytes: int
    sha256: str


class Manifest(msgspec.Struct, frozen=True):
    """`manifest.json`, written last: without it a folder is no checkpoint."""

    step: int
    torch_version: str
    created: float
    files: dict[str, FileEntry]


@dataclass(frozen=True)
class Loaded:
    """A verified checkpoint."""

    name: str
    model: dict[str, Tensor]
    optimizer: dict[str, Tensor]
    state: TrainState


class CheckpointStore:
    """The `checkpoints` folder of a run."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

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

        texts: further small files, such as the tokenizer. Raises OSError, and leaves nothing half-made behind.
        """
        name = f"step-{state.step:08d}"
        target, building = self.folder / name, self.folder / f"{name}.building"
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        shutil.rmtree(building, ignore_errors=True)
        try:
            building.mkdir(mode=0o700)
            (building / "model.safetensors").write_bytes(safetensors.torch.save(_contiguous(model)))
            (building / "optimizer.safetensors").write_bytes(safetensors.torch.save(_contiguous(optimizer)))
            (building / "state.json").write_bytes(msgspec.json.encode(state))
            for file_name, text in texts.items():
                (building / file_name).write_text(text, encoding="utf-8")
            num_bytes = _seal(building, state.step)
            replaced = self.folder / f"{name}.replaced"
            shutil.rmtree(replaced, ignore_errors=True)
            if target.exists():  # a run resumed from further back comes to the same step again
                target.rename(replaced)
            building.rename(target)
            _sync_folder(self.folder)
            shutil.rmtree(replaced, ignore_errors=True)
        except BaseException:
            shutil.rmtree(building, ignore_errors=True)
            raise
        write_atomically(self.folder / "last", name.encode() + b"\n")
        if is_best:
            write_atomically(self.folder / "best", name.encode() + b"\n")
        self._prune(keep)
        return name, num_bytes

    def point_best_to_last(self) -> None:
        """The last checkpoint turned out to be the best."""
        write_atomically(self.folder / "best", (self.folder / "last").read_bytes())

    def names(self) -> list[str]:
        """All checkpoints, oldest first."""
        if not self.folder.is_dir():
            return []
        return sorted(path.name for path in self.folder.iterdir() if _NAME.fullmatch(path.name))

    def resolve(self, reference: str) -> str:
        """The name that `last`, `best`, a step or a name stands for. Raises CheckpointError."""
        names = self.names()
        if reference in ("last", "best"):
            try:
                pointed = (self.folder / reference).read_text(encoding="utf-8").strip()
            except OSError:
                pointed = names[-1] if names and reference == "last" else ""
            if _NAME.fullmatch(pointed):
                return pointed
            raise CheckpointError(f"the run has no {reference} checkpoint")
        wanted = f"step-{int(reference):08d}" if reference.isdigit() else reference
        if wanted not in names:
            there = ", ".join(names) or "none"
            raise CheckpointError(f"the run has no checkpoint {reference!r}; it has {there}")
        return wanted

    def damage(self, name: str) -> str:
        """What is wrong with a checkpoint, or nothing."""
        folder = self.folder / name
        try:
            manifest = msgspec.json.decode((folder / _MANIFEST).read_bytes(), type=Manifest)
            for file_name, entry in manifest.files.items():
                if sha256_of(folder / file_name) != entry.sha256:
                    return f"{file_name} was altered or cut short"
        except FileNotFoundError as error:
            return f"{Path(str(error.filename)).name} is missing"
        except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
            return f"its manifest cannot be read ({error})"
        return ""

    def load(self, reference: str, *, with_optimizer: bool = True) -> tuple[Loaded, str]:
        """A verified checkpoint and, when an older one had to do, a sentence on why.

        Only `last` falls back; another reference names one checkpoint and no other will do.
        Raises CheckpointError.
        """
        wanted = self.resolve(reference)
        candidates = [wanted]
        if reference == "last":
            candidates += [name for name in reversed(self.names()) if name < wanted]
        reasons: list[str] = []
        for name in candidates:
            damage = self.damage(name)
            if not damage:
                return self._read(name, with_optimizer), "; ".join(reasons)
            reasons.append(f"{name}: {damage}")
        raise CheckpointError("no checkpoint can be used: " + "; ".join(reasons))

    def _read(self, name: str, with_optimizer: bool) -> Loaded:
        folder = self.folder / name
        optimizer = folder / "optimizer.safetensors"
        return Loaded(
            name=name,
            model=safetensors.torch.load_file(folder / "model.safetensors"),
            optimizer=safetensors.torch.load_file(optimizer) if with_optimizer else {},
            state=msgspec.json.decode((folder / "state.json").read_bytes(), type=TrainState),
        )

    def _prune(self, keep: int) -> None:
        """Drop the oldest beyond `keep`, never one that a pointer names."""
        pinned = {self.resolve(pointer) for pointer in ("last", "best") if (self.folder / pointer).exists()}
        for name in self.names()[:-keep]:
            if name not in pinned:
                shutil.rmtree(self.folder / name, ignore_errors=True)


def _seal(folder: Path, step: int) -> int:
    """Write the manifest and force everything to the disk. Returns the size in bytes."""
    entries: dict[str, FileEntry] = {}
    for path in sorted(folder.iterdir()):
        with path.open("rb") as file:
            os.fsync(file.fileno())
        entries[path.name] = FileEntry(path.stat().st_size, sha256_of(path))
    manifest = Manifest(step, str(torch.__version__), time.time(), entries)
    write_atomically(folder / _MANIFEST, msgspec.json.format(msgspec.json.encode(manifest)))
    _sync_folder(folder)
    return sum(entry.num_bytes for entry in entries.values())


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _contiguous(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Copies on the CPU that share no memory, as safetensors wants them."""
    return {name: tensor.detach().to("cpu", copy=True).contiguous() for name, tensor in tensors.items()}
