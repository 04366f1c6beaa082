"""Checkpoints: whole or absent, verified, pointed at, kept and dropped."""

from __future__ import annotations

import hashlib
import os
import random
import shutil
import signal
import struct
import time
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import msgspec
import pytest
import torch

from engine import checkpoint_files
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


def test_a_pointer_that_was_altered_misleads_nobody_and_leads_nowhere_else(tmp_path: Path) -> None:
    store = CheckpointStore(tmp_path / "checkpoints")
    for step in (1, 2, 3):
        save(store, step, is_best=step == 2)
    for text in ("../../etc", "step-00000001\n", "step-00000003", "", "\0", "x" * 1000):
        (store.folder / "last").write_text(text)
        (store.folder / "best").write_text(text)
        assert (store.resolve("last"), store.resolve("best")) == ("step-00000003", "step-00000002")
    (store.folder / "last").write_text("step-00000009\n")  # one that is gone is missed, and not passed over
    loaded, fallback = store.load("last")
    assert (loaded.name, fallback) == ("step-00000003", "step-00000009: manifest.json is missing")


def test_a_full_disk_leaves_the_older_checkpoint_and_nothing_half_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = CheckpointStore(tmp_path)
    save(store, 1)

    def full(path: Path, content: bytes) -> None:
        if path.name == "manifest.json":
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(checkpoint_files, "write_atomically", full)
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


def altered(store: CheckpointStore, name: str, **changes: object) -> None:
    """Write a manifest that says something else, and is whole in itself."""
    manifest = checkpoint_files.read_manifest(store.folder / name, int(name[5:]))
    changed = msgspec.structs.replace(manifest, **changes)
    (store.folder / name / "manifest.json").unlink()
    checkpoint_files.write_manifest(
        store.folder / name, changed.step, changed.files, changed.serial, is_best=changed.is_best
    )


def a_link(path: Path) -> None:
    kept = path.with_name("kept")
    path.rename(kept)
    path.symlink_to(kept)


def a_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


@pytest.mark.parametrize(
    ("file", "spoil", "said"),
    [
        ("model.safetensors", a_link, "link"),
        ("model.safetensors", a_pipe, "pipe"),
        ("state.json", Path.unlink, "is missing"),
        ("model.safetensors", lambda path: os.truncate(path, 10**12), "cut short: it has 1,000,000,000,000 bytes"),
        ("manifest.json", a_link, "cannot be read"),
        ("manifest.json", a_pipe, "cannot be read"),
        ("manifest.json", lambda path: os.truncate(path, 10**12), "cannot be read"),
        ("labels.json", lambda path: path.write_text('["a"]'), "is there, and not in its manifest"),
    ],
)  # fmt: skip
def test_what_is_no_plain_file_of_the_checkpoint_is_damage_and_never_read(
    tmp_path: Path, file: str, spoil: Callable[[Path], object], said: str
) -> None:
    store = CheckpointStore(tmp_path)
    save(store, 1)
    name = save(store, 2)
    spoil(tmp_path / name / file)
    assert said in store.damage(name)
    loaded, fallback = store.load("last")
    assert loaded.state.step == 1 and said in fallback


def test_a_manifest_has_to_list_what_is_needed_by_plain_names(tmp_path: Path) -> None:
    store = CheckpointStore(tmp_path)
    name = save(store, 1)
    files = checkpoint_files.read_manifest(tmp_path / name, 1).files
    altered(store, name, files={**files, "../../.bashrc": files["state.json"]})
    assert "'../../.bashrc', which is no plain file name" in store.damage(name)
    (tmp_path / name / "manifest.json").write_text('{"step":1}')
    assert "cannot be read" in store.damage(name)
    shutil.rmtree(tmp_path / name)
    save(store, 1)
    without = {file: entry for file, entry in files.items() if file != "optimizer.safetensors"}
    altered(store, name, files=without)
    assert store.damage(name) == "optimizer.safetensors is not in its manifest"
    (tmp_path / name / "optimizer.safetensors").unlink()
    assert store.damage(name) == "optimizer.safetensors is not in its manifest"
    assert store.load("last", with_optimizer=False)[0].state.step == 1
    with pytest.raises(CheckpointError, match=r"optimizer\.safetensors is not in its manifest"):
        store.load("last")


def test_a_header_of_gigabytes_is_refused_before_anything_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = CheckpointStore(tmp_path)
    name = save(store, 1)
    model = tmp_path / name / "model.safetensors"
    content = struct.pack("<Q", 17 << 20) + model.read_bytes()[8:]
    content += bytes(18 << 20)
    model.write_bytes(content)
    files = checkpoint_files.read_manifest(tmp_path / name, 1).files
    entry = checkpoint_files.FileEntry(len(content), hashlib.sha256(content).hexdigest())
    altered(store, name, files={**files, "model.safetensors": entry})
    monkeypatch.setattr(checkpoint_files.hashlib, "file_digest", None)  # calling it would end the test
    assert "header of model.safetensors says that it has 17,825,792 bytes" in store.damage(name)


def test_files_with_the_right_hash_that_hold_no_tensors_are_an_error_with_a_sentence(tmp_path: Path) -> None:
    store = CheckpointStore(tmp_path)
    name = save(store, 1)
    content = struct.pack("<Q", 20) + b"x" * 100
    (tmp_path / name / "model.safetensors").write_bytes(content)
    files = checkpoint_files.read_manifest(tmp_path / name, 1).files
    entry = checkpoint_files.FileEntry(len(content), hashlib.sha256(content).hexdigest())
    altered(store, name, files={**files, "model.safetensors": entry})
    with pytest.raises(CheckpointError, match="step-00000001 cannot be read"):
        store.load("last")


def test_a_checkpoint_of_the_first_version_without_a_serial_still_loads(tmp_path: Path) -> None:
    store = CheckpointStore(tmp_path)
    for step in (1, 2):
        name = save(store, step, is_best=step == 1)
        manifest = checkpoint_files.read_manifest(tmp_path / name, step)
        old = msgspec.structs.replace(manifest, serial=0, is_best=False, digest="")
        (tmp_path / name / "manifest.json").write_bytes(msgspec.json.format(msgspec.json.encode(old)))
    assert store.load("last")[0].name == "step-00000002"
    assert store.load("best")[0].name == "step-00000001"
    save(store, 3)
    assert store.load("last")[0].name == "step-00000003"
    assert store.load("best")[0].name == "step-00000001"


def test_after_a_fallback_the_damaged_one_does_not_count_as_kept(tmp_path: Path) -> None:
    store = CheckpointStore(tmp_path)
    for step in (10, 20, 30):
        save(store, step, keep=3)
    for step in (20, 30):
        (tmp_path / f"step-000000{step}" / "model.safetensors").write_bytes(b"")
    resumed = CheckpointStore(tmp_path)
    assert resumed.load("last")[0].state.step == 10
    save(resumed, 15, keep=2)
    assert resumed.names() == ["step-00000010", "step-00000015"], "two sound ones, and the damaged ones are gone"
    assert resumed.load("last")[1] == ""


def test_a_single_checkpoint_is_never_all_that_is_kept(tmp_path: Path) -> None:
    store = CheckpointStore(tmp_path)
    for step in (1, 2, 3):
        save(store, step, keep=1)
    assert store.names() == ["step-00000002", "step-00000003"]


def test_after_going_back_what_came_later_is_dropped_first_and_stands_in_last(tmp_path: Path) -> None:
    store = CheckpointStore(tmp_path)
    for step in (10, 20, 30):
        save(store, step, keep=9)
    resumed = CheckpointStore(tmp_path)
    resumed.load("10")
    save(resumed, 15, keep=9)
    (tmp_path / "step-00000015" / "state.json").write_bytes(b"")
    loaded, fallback = CheckpointStore(tmp_path).load("last")
    assert loaded.state.step == 10 and "step-00000015" in fallback
    (tmp_path / "step-00000010" / "state.json").write_bytes(b"")
    assert CheckpointStore(tmp_path).load("last")[0].state.step == 30
    resumed = CheckpointStore(tmp_path)
    resumed.load("30")
    save(resumed, 40, keep=2)
    assert resumed.names() == ["step-00000030", "step-00000040"]


def test_what_a_killed_save_left_is_cleaned_up_at_the_next_start(tmp_path: Path) -> None:
    store = CheckpointStore(tmp_path)
    save(store, 1)
    save(store, 2)
    (tmp_path / "step-00000002").rename(tmp_path / "step-00000002.replaced")  # killed between the two renames
    (tmp_path / "step-00000002.building").mkdir()
    shutil.copytree(tmp_path / "step-00000001", tmp_path / "step-00000001.replaced")
    shutil.copytree(tmp_path / "step-00000001", tmp_path / "step-00000000.dropped")
    (tmp_path / ".last.123.abc.tmp").write_text("step-0")
    (tmp_path / "notes.tmp").write_text("mine")
    CheckpointStore(tmp_path).clean_up()
    left = sorted(path.name for path in tmp_path.iterdir())
    assert left == ["last", "notes.tmp", "step-00000001", "step-00000002"]
    assert store.load("last")[0].state.step == 2


def test_a_save_that_reads_back_differently_is_no_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = CheckpointStore(tmp_path)
    save(store, 1)

    def loses_a_byte(file: BinaryIO, num_bytes: int) -> bytes:
        return file.read(num_bytes)[:-1] + b"?"

    monkeypatch.setattr(checkpoint_files, "_read_exactly", loses_a_byte)
    with pytest.raises(OSError, match="reads back differently"):
        save(store, 2)
    assert store.names() == ["step-00000001"]
    assert store.resolve("last") == "step-00000001"
