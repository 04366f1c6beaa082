"""A fork: a new run that goes on from another one's checkpoint, with other settings where one likes."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from presets.config import diff
from presets.schema import RunConfig
from runs.checkpoint_manifest import MANIFEST, STATE, Damage, FileEntry, Manifest, encoded, read_manifest, sealed
from runs.checkpoint_names import NAME, POINTERS, called
from runs.disk import require_room
from runs.folder import RunFolder, create_run, write_atomically
from runs.safe_files import folder_names, open_file, read_bytes

_CHUNK = 4 << 20
_MARGIN = 1.2
_MOST_STATE_BYTES = 1 << 20
_FREE_OF_A_MODEL = frozenset({"dropout", "attention_dropout", "embedding_dropout", "init", "init_std"})
_FIXED = frozenset(
    {
        "objective.kind", "optim.algorithm", "optim.ema_decay",
        "data.tokenizer", "data.tokenizer_from", "data.vocab_size", "data.lowercase",
    }
)  # fmt: skip
_LENGTH_OF_WEIGHTS = ("learned", "sinusoidal")


class _Loss(msgspec.Struct):
    """The part of a checkpoint's state that is shown."""

    last_loss: float | None = None


class CannotFork(ValueError):
    """No run can be made from that checkpoint with those settings; the text is a sentence that says why."""


def fork(folder: RunFolder, checkpoint: str, config: RunConfig, name: str) -> RunFolder:
    """Make a run whose own first checkpoint is a verified copy of that one; nothing is started.

    checkpoint: `last`, `best`, a step, or a checkpoint's name. config: of the new run. name: made up when empty.
    Start it with `launch.start(new, resume="last")`. What was changed while the first run trained (learning rate,
    number of steps) holds in the fork too, unless the fork's own settings say otherwise; its best loss begins
    anew, except from the best checkpoint on the same data. Call it off the event loop: it copies the weights.
    Whoever calls it has asked about settings that somebody else wrote (see `runs.trust`).
    Raises CannotFork with a sentence, OSError; then nothing is left of the new run.
    """
    source, step = _source(folder, checkpoint)
    try:
        before = folder.config()
    except (OSError, ValueError) as error:
        raise CannotFork(f"the configuration of {folder.id} cannot be read: {error}") from None
    require_forkable(before, config, step)
    changes = diff(before, config)
    try:
        manifest = read_manifest(source, step)
    except Damage as damage:
        raise CannotFork(f"{source.name} of {folder.about().name} cannot be used: {damage}") from None
    num_bytes = sum(entry.num_bytes for entry in manifest.files.values())
    runs = folder.path.parent
    require_room(runs, num_bytes, _MARGIN)
    about = folder.about()
    new = create_run(runs, config, name=name, preset=about.preset)
    try:
        _copy(source, manifest, new, {change.path for change in changes})
        its = new.about()
        new.write_about(msgspec.structs.replace(its, tags=about.tags, forked_from=f"{folder.id}@{source.name}"))
    except Damage as damage:
        shutil.rmtree(new.path, ignore_errors=True)
        raise CannotFork(f"{source.name} of {about.name} cannot be used: {damage}") from None
    except BaseException:
        shutil.rmtree(new.path, ignore_errors=True)
        raise
    return new


@dataclass(frozen=True)
class CheckpointFact:
    """What one knows of a checkpoint without reading its weights. loss: the last validation loss, nats."""

    name: str
    step: int
    loss: float | None
    num_bytes: int
    is_last: bool
    is_best: bool


def checkpoints_of(folder: RunFolder) -> tuple[str, ...]:
    """The names of a run's checkpoints, newest step first."""
    names = (name for name in folder_names(folder.checkpoints_dir) if NAME.fullmatch(name))
    return tuple(sorted(names, key=_step_of, reverse=True))


def checkpoint_facts(folder: RunFolder) -> tuple[CheckpointFact, ...]:
    """What is known of a run's checkpoints, newest step first; damaged ones are left out. Raises nothing."""
    last, best = (called(folder.checkpoints_dir, pointer) for pointer in POINTERS)
    facts: list[CheckpointFact] = []
    for name in checkpoints_of(folder):
        with contextlib.suppress(Damage):
            manifest = read_manifest(folder.checkpoints_dir / name, _step_of(name))
            num_bytes = sum(entry.num_bytes for entry in manifest.files.values())
            loss = _last_loss(folder.checkpoints_dir / name / STATE)
            facts.append(CheckpointFact(name, manifest.step, loss, num_bytes, name == last, name == best))
    return tuple(facts)


def require_forkable(before: RunConfig, after: RunConfig, step: int) -> None:
    """Raise CannotFork when a checkpoint of that step does not fit the changed settings, or is at their end."""
    for change in diff(before, after):
        section, _, name = change.path.partition(".")
        is_of_weights = section == "model" and name not in _FREE_OF_A_MODEL
        is_length = change.path == "data.sequence_length" and before.model.positions in _LENGTH_OF_WEIGHTS
        if is_of_weights or is_length or change.path in _FIXED:
            raise CannotFork(
                f"{change.path}: a fork goes on with the checkpoint's weights and optimizer, which were made with "
                f"{change.before!r}; start a new run to change this"
            )
    if after.train.max_steps and step >= after.train.max_steps:
        raise CannotFork(
            f"train.max_steps: the checkpoint is of step {step:,}, and the fork would end at step "
            f"{after.train.max_steps:,}; set it higher"
        )


def _source(folder: RunFolder, checkpoint: str) -> tuple[Path, int]:
    """The folder of the checkpoint that is meant, and its step. Raises CannotFork."""
    name = called(folder.checkpoints_dir, checkpoint)
    there = checkpoints_of(folder)
    if not name and checkpoint in POINTERS:
        raise CannotFork(f"{folder.about().name} has no {checkpoint} checkpoint")
    if name not in there:
        has = f"it has {', '.join(there)}" if there else "it has none"
        raise CannotFork(f"{folder.about().name} has no checkpoint {checkpoint[:40]!r}; {has}")
    return folder.checkpoints_dir / name, _step_of(name)


def _step_of(name: str) -> int:
    return int(name.removeprefix("step-"))


def _last_loss(state: Path) -> float | None:
    try:
        loss = msgspec.json.decode(read_bytes(state, _MOST_STATE_BYTES), type=_Loss).last_loss
    except (OSError, ValueError, RecursionError):
        return None
    return loss


def _copy(source: Path, manifest: Manifest, new: RunFolder, changed: set[str]) -> None:
    """Copy a checkpoint, every byte checked against its manifest. Raises Damage, OSError."""
    building = new.checkpoints_dir / f"{source.name}.building"
    building.mkdir(mode=0o700)
    for name, entry in manifest.files.items():
        _copy_file(source / name, building / name, entry)
    is_best = manifest.is_best and not any(path.startswith(("data.", "objective.")) for path in changed)
    files = dict(manifest.files)
    if STATE in files:
        files[STATE] = _state_of_the_fork(building / STATE, files[STATE], changed, is_best)
    own = msgspec.structs.replace(manifest, files=files, serial=1, is_best=is_best, digest="")
    write_atomically(building / MANIFEST, encoded(sealed(own)))
    building.rename(new.checkpoints_dir / source.name)
    for pointer in POINTERS if is_best else ("last",):
        write_atomically(new.checkpoints_dir / pointer, f"{source.name}\n".encode())


def _copy_file(source: Path, target: Path, entry: FileEntry) -> None:
    digest, num_bytes = hashlib.sha256(), 0
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        original = open_file(source)
    except FileNotFoundError:
        raise Damage(f"{source.name} is missing, or was removed just now") from None
    with original, os.fdopen(os.open(target, flags, 0o600), "wb") as copy:
        while num_bytes <= entry.num_bytes and (piece := original.read(_CHUNK)):
            digest.update(piece)
            num_bytes += len(piece)
            copy.write(piece)
        copy.flush()
        os.fsync(copy.fileno())
    if num_bytes != entry.num_bytes or digest.hexdigest() != entry.sha256:
        raise Damage(f"{source.name} was altered")


def _state_of_the_fork(path: Path, entry: FileEntry, changed: set[str], is_best: bool) -> FileEntry:
    """Take out of the state what belongs to the first run alone; the file stays as it is when nothing does."""
    try:
        state: dict[str, Any] = msgspec.json.decode(read_bytes(path, _MOST_STATE_BYTES), type=dict)
    except (ValueError, RecursionError) as error:
        raise Damage(f"{STATE} cannot be read ({error})") from None
    own = dict(state)
    if not is_best:
        own |= {"best_loss": None, "best_step": None, "evaluations_since_best": 0}
    if any(path.startswith("optim.") for path in changed):
        own["lr_factor"] = 1.0
    if changed & {"train.max_steps", "train.epochs"}:
        own["total_steps"] = 0
    if changed & {"train.batch_size", "train.fit_batch", "data.sequence_length"} or any(
        path.startswith("launch.") for path in changed
    ):
        own["micro_batch"] = 0  # memory has to be found out anew
    if "train.compile" in changed:
        own["compiled"] = None
    if own.get("probes") is not None:
        own["probes"] = None  # those of the new settings, which its events begin with
    if own == state:
        return entry
    content = msgspec.json.encode(own)
    with contextlib.suppress(FileNotFoundError):
        path.unlink()
    write_atomically(path, content)
    return FileEntry(len(content), hashlib.sha256(content).hexdigest())
