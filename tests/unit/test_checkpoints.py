"""Checkpoints: whole or absent, verified, pointed at, kept and dropped."""

from __future__ import annotations

import os
import random
import signal
import time
from pathlib import Path

import pytest
import torch

from engine.checkpoints import CheckpointError, CheckpointStore, TrainState


def save(store: CheckpointStore, step: int, *, is_best: bool = False, keep: int = 3, size: int = 1000) -> str:
    tensors = {"weight": torch.full((size,), float(step))}
    moments = {"exp_avg.weight": torch.full((size,), float(-step))}
    return store.save(
        tensors, moments, TrainState(step=step), {"tokenizer.json": "{}"}, is_best=is_best, keep=keep
    )[0]


def test_what_was_saved_is_loaded_and_the_pointers_name_it(tmp_path: Path) -> None:
    store = CheckpointStore(tmp_path / "checkpoints")
    save(store, 1, is_best=True)
    save(store, 2)
    loaded, fallback = store.load("last")
    assert (loaded.name, loaded.state.step, fallback) == ("step-00000002", 2, "")
    assert torch.equal(loaded.model["weight"], torch.full((1000,), 2.0))
    assert torch.equal(loaded.optimizer["exp_avg.weight"], torch.full((1000,), -2.0))
    assert store.load("best")[0].name == store.load("1")[0].name == "step-00000001"


def test_the_newest_are_kept_and_the_best_is_never_dropped(tmp_path: Path) -> None:
    store = CheckpointStore(tmp_path)
    for step in range(1, 8):
        save(store, step, is_best=step == 2, keep=2)
    assert store.names() == ["step-00000002", "step-00000006", "step-00000007"]


def test_every_kind_of_damage_makes_last_fall_back_and_says_so(tmp_path: Path) -> None:
    generator = random.Random(4)
    for trial in range(40):
        store = CheckpointStore(tmp_path / str(trial))
        save(store, 1)
        name = save(store, 2)
        victim = generator.choice(sorted((store.folder / name).iterdir()))
        content = bytearray(victim.read_bytes())
        if generator.random() < 0.5:
            content[generator.randrange(len(content))] ^= 1 << generator.randrange(8)
        else:
            del content[generator.randrange(len(content)) :]
        victim.write_bytes(content)
        if store.damage(name) == "":  # a flipped bit in the manifest's own time stamp alters nothing that is used
            assert victim.name == "manifest.json"
            continue
        loaded, fallback = store.load("last")
        assert loaded.state.step == 1
        assert name in fallback


def test_a_named_checkpoint_that_is_damaged_is_refused_not_replaced(tmp_path: Path) -> None:
    store = CheckpointStore(tmp_path)
    save(store, 1)
    name = save(store, 2)
    (tmp_path / name / "model.safetensors").unlink()
    with pytest.raises(CheckpointError, match=r"model\.safetensors is missing"):
        store.load("2")


def test_a_run_without_checkpoints_says_so(tmp_path: Path) -> None:
    store = CheckpointStore(tmp_path / "none")
    with pytest.raises(CheckpointError, match="no last checkpoint"):
        store.load("last")
    with pytest.raises(CheckpointError, match="it has none"):
        store.load("500")


def test_a_pointer_cannot_lead_out_of_the_folder(tmp_path: Path) -> None:
    store = CheckpointStore(tmp_path / "checkpoints")
    save(store, 1)
    (store.folder / "last").write_text("../../etc")
    with pytest.raises(CheckpointError):
        store.load("last")


def test_a_full_disk_leaves_the_older_checkpoint_and_nothing_half_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = CheckpointStore(tmp_path)
    save(store, 1)

    def full(path: Path, content: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OSError, match="No space left"):
        save(store, 2)
    monkeypatch.undo()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["last", "step-00000001"]
    assert store.load("last")[0].state.step == 1


def test_kill_minus_nine_while_saving_never_loses_the_newest_whole_checkpoint(tmp_path: Path) -> None:
    """Fifty children save without pause and are killed at random; each must leave what it had finished."""
    generator = random.Random(1)
    for trial in range(50):
        folder = tmp_path / str(trial)
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            store = CheckpointStore(folder)
            for step in range(1, 10_000):
                save(store, step, keep=2, size=20_000)
                os.write(writer, step.to_bytes(4, "little"))
        os.close(writer)
        acknowledged = os.read(reader, 4)  # the first is whole
        time.sleep(generator.random() * 0.02)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        while more := os.read(reader, 4):
            acknowledged = more
        os.close(reader)
        loaded, _ = CheckpointStore(folder).load("last")
        newest = int.from_bytes(acknowledged, "little")
        assert loaded.state.step >= newest
        assert torch.equal(loaded.model["weight"], torch.full((20_000,), float(loaded.state.step)))
