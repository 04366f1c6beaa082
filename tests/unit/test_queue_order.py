"""Places in the queue: their order, how it changes, and what does not wait although it looks so. No processes."""

from __future__ import annotations

import math
import os
import random
import subprocess
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest

from presets.schema import RunConfig
from runs import launch, ownership, queue, queue_order
from runs.folder import RunFolder, create_run
from runs.lock import RunBusy, held_lock, is_held
from runs.ownership import ReadOnlyRun
from runs.processes import this_host, this_process
from runs.queue_entry import (
    QueueEntry,
    environment_of,
    is_waiting,
    kept_environment,
    lock_file,
    owner_of,
    queue_lock,
    read_entry,
    write_entry,
)
from runs.spawn import LaunchFailed
from runs.status import StateRecord, read_status
from runs.trash import delete_run, undelete_run


def waits(runs: Path, order: float, host: str = "", name: str = "") -> RunFolder:
    """A run with a place in the queue, whose supervisor is gone."""
    folder = create_run(runs, RunConfig(), name=name, preset="q")
    write_entry(folder, QueueEntry(order, 100.0, host or this_host(), owner=owner_of(folder)))
    return folder


def order(runs: Path) -> list[RunFolder]:
    return [one.folder for one in queue.waiting(runs)]


@pytest.fixture
def four(runs_path: Path) -> list[RunFolder]:
    return [waits(runs_path, number) for number in (1.0, 2.0, 3.0, 4.0)]


def test_runs_wait_in_the_order_of_their_entries(runs_path: Path) -> None:
    second, first, third = waits(runs_path, 5), waits(runs_path, -1.5), waits(runs_path, 5.25)
    waiting = queue.waiting(runs_path)
    assert [(one.folder, one.place) for one in waiting] == [(first, 1), (second, 2), (third, 3)]
    assert "its supervisor is gone" in waiting[0].reason
    assert read_status(first).state == "queued" and read_status(first).is_live


@pytest.mark.parametrize(
    ("where", "expected"),
    [("up", (0, 2, 1, 3)), ("down", (0, 1, 3, 2)), ("first", (2, 0, 1, 3)), ("last", (0, 1, 3, 2))],
)
def test_a_run_can_be_moved(
    runs_path: Path, four: list[RunFolder], where: queue.Where, expected: Sequence[int]
) -> None:
    queue.move(four[2], where)
    assert order(runs_path) == [four[number] for number in expected]


def test_the_first_cannot_go_further_up_nor_the_last_down(runs_path: Path, four: list[RunFolder]) -> None:
    queue.move(four[0], "up")
    queue.move(four[3], "down")
    assert order(runs_path) == four


def test_places_between_the_same_neighbours_never_run_out(runs_path: Path, four: list[RunFolder]) -> None:
    expected = list(four)
    for _ in range(70):  # the third goes between the first and the second, of whose distance half is left
        expected[1], expected[2] = expected[2], expected[1]
        queue.move(expected[1], "up")
        assert order(runs_path) == expected
    assert all(math.isfinite(one.entry.order) for one in queue.waiting(runs_path))


def test_moves_at_once_lose_nobody(runs_path: Path, four: list[RunFolder]) -> None:
    def move_about(seed: int) -> None:
        rng = random.Random(seed)
        for _ in range(20):
            queue.move(rng.choice(four), rng.choice(("up", "down", "first", "last")))

    threads = [threading.Thread(target=move_about, args=(seed,)) for seed in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    orders = [one.entry.order for one in queue.waiting(runs_path)]
    assert sorted(order(runs_path), key=str) == sorted(four, key=str)
    assert len(set(orders)) == 4, "no two have the same place"


def test_what_does_not_wait_cannot_be_moved(runs_path: Path) -> None:
    folder = create_run(runs_path, RunConfig(), name="warm-otter")
    with pytest.raises(ValueError, match="warm-otter does not wait in the queue; it is stopped"):
        queue.move(folder, "up")


def test_each_machine_has_a_queue_of_its_own(runs_path: Path) -> None:
    there, here = waits(runs_path, 1, host="elsewhere"), waits(runs_path, 2)
    assert [one.place for one in queue.waiting(runs_path)] == [1, 1]
    assert read_status(there).reason == "waits for the devices of elsewhere"
    queue.move(here, "first")
    assert order(runs_path) == [there, here], "among those that wait for the same machine"


def test_a_copy_of_a_waiting_run_does_not_wait(runs_path: Path, four: list[RunFolder]) -> None:
    copy = RunFolder(four[0].path.with_name(four[0].id[:-4] + "zzzz"))
    subprocess.run(["cp", "-r", four[0].path, copy.path], check=True)
    assert order(runs_path) == four
    assert read_status(copy).state == "stopped"


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b'{"order": 1}', b"\xff" * 100, b'{"order": 1e999}'])
def test_a_damaged_entry_is_none(runs_path: Path, four: list[RunFolder], content: bytes) -> None:
    four[1].queue_file.write_bytes(content)
    assert order(runs_path) == [four[0], four[2], four[3]]


def test_entries_that_are_no_files_are_none(runs_path: Path, four: list[RunFolder]) -> None:
    for folder in four[:2]:
        folder.queue_file.unlink()
    four[0].queue_file.mkdir()
    four[1].queue_file.symlink_to(four[2].queue_file)
    assert order(runs_path) == four[2:]
    assert queue.waiting(runs_path / "nowhere") == ()


def test_a_run_that_has_begun_waits_no_longer_though_its_entry_is_still_there(
    runs_path: Path, four: list[RunFolder]
) -> None:
    state = StateRecord("starting", 1, "", this_process())
    four[0].state_file.write_bytes(msgspec.json.encode(state))
    assert is_waiting(four[0]), "whoever wrote that does not hold the lock"
    with held_lock(four[0]):
        assert order(runs_path) == four[1:]
        assert not queue.withdraw(four[0]) and read_entry(four[0]) is not None
        with pytest.raises(ValueError, match="does not wait"):
            queue.move(four[0], "last")


def test_stop_and_kill_take_a_run_out(runs_path: Path, four: list[RunFolder]) -> None:
    launch.stop(four[0])
    launch.kill(four[1])
    with pytest.raises(ValueError, match="has no device to free"):
        launch.pause(four[2])
    assert order(runs_path) == four[2:]
    assert read_status(four[0]).reason == "not started yet"
    assert list(four[0].control_dir.iterdir()) == [], "there is nobody to ask"


def test_a_deleted_run_does_not_wait_when_it_comes_back(runs_path: Path, four: list[RunFolder]) -> None:
    folder = undelete_run(delete_run(four[0]))
    assert order(runs_path) == four[1:] and read_status(folder).state == "stopped"


def test_a_run_waits_once(runs_path: Path, four: list[RunFolder]) -> None:
    with pytest.raises(RunBusy, match="waits in the queue already"):
        queue.enqueue(four[0])
    assert order(runs_path) == four


def test_a_run_of_somebody_else_is_neither_moved_nor_revived(
    runs_path: Path, four: list[RunFolder], monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (queue, queue_order, ownership):
        monkeypatch.setattr(module, "why_read_only", lambda folder: "it belongs to the user eve")
    assert queue.revive(runs_path) == 0
    for act in (lambda: queue.move(four[0], "last"), lambda: queue.withdraw(four[0])):
        with pytest.raises(ReadOnlyRun, match="belongs to the user eve"):
            act()
    assert order(runs_path) == four


class Spawned:
    """In place of `spawn_waiting`: who was to be started, and what is wrong with whom."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folders: list[RunFolder] = []
        self.errors: dict[RunFolder, Exception] = {}
        monkeypatch.setattr(queue, "spawn_waiting", self)

    def __call__(self, folder: RunFolder, entry: QueueEntry) -> Spawned:
        self.folders.append(folder)
        if folder in self.errors:
            raise self.errors[folder]
        return self

    def wait(self) -> int:
        return 0


@pytest.fixture
def spawned(monkeypatch: pytest.MonkeyPatch) -> Spawned:
    return Spawned(monkeypatch)


def test_what_is_wrong_with_one_run_keeps_no_other_from_being_revived(
    runs_path: Path, four: list[RunFolder], spawned: Spawned
) -> None:
    spawned.errors = {four[0]: OSError(21, "Is a directory"), four[2]: ValueError("embedded null byte")}
    assert queue.revive(runs_path, wait_s=0) == 2
    assert sorted(spawned.folders, key=str) == sorted(four, key=str)


def test_a_caller_that_is_suspended_while_it_waits_for_supervisors_keeps_nobody_out(
    runs_path: Path, four: list[RunFolder], spawned: Spawned, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = runs_path / f".queue-revive-{os.geteuid()}.lock"
    held: list[bool] = []
    monkeypatch.setattr(spawned, "wait", lambda: held.append(is_held(lock)), raising=False)
    monkeypatch.setattr(queue, "_comes_up", lambda folder, timeout_s: held.append(is_held(lock)))
    assert queue.revive(runs_path) == 4
    assert lock.exists() and held == [False] * 8


def test_a_supervisor_that_does_not_come_up_is_tried_again_later_and_later(
    runs_path: Path, spawned: Spawned, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = waits(runs_path, 1)
    began = time.time()
    tried_at: list[int] = []
    for second in range(0, 300, 2):
        monkeypatch.setattr(queue.time, "time", lambda second=second: began + second)
        tried_at += [second] * queue.revive(runs_path, wait_s=0)
    assert tried_at == [0, 6, 16, 36, 76, 136, 196, 256], "after 5, 10, 20, 40 and then 60 seconds"
    folder.state_file.write_bytes(b"{}")
    os.utime(folder.state_file, (began + 299, began + 299))
    assert queue.revive(runs_path, wait_s=0) == 1, "it came up, and was shot: it is brought back at once"
    (runs_path / f".queue-revive-{os.geteuid()}.lock").write_bytes(b'{"x": ')
    assert queue.revive(runs_path, wait_s=0) == 1, "what cannot be read was never tried"


def test_two_users_of_one_folder_of_runs_do_not_lock_each_other_out(
    runs_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with queue_lock(runs_path, 0.1):
        with pytest.raises(TimeoutError, match=lock_file(runs_path).name), queue_lock(runs_path, 0.1):
            raise AssertionError("one at a time")
        monkeypatch.setattr(os, "geteuid", lambda: 4711)
        with queue_lock(runs_path, 0.1):
            assert lock_file(runs_path).is_file() and "4711" in lock_file(runs_path).name


def test_a_run_whose_settings_cannot_be_noted_does_not_wait(
    runs_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    queued, new = waits(runs_path, 1), create_run(runs_path, RunConfig(), name="warm-otter")
    (tmp_path / "file").touch()
    monkeypatch.setenv("TINYTRAIN_PRESETS", str(tmp_path / "file" / "presets"))
    with pytest.raises(LaunchFailed, match=r"warm-otter cannot wait: its settings cannot be noted in .*\.known"):
        queue.enqueue(new)
    assert order(runs_path) == [queued] and not new.queue_file.exists()
    (one,) = queue.waiting(runs_path)
    assert one.reason.startswith("does not begin by itself: this machine does not know its settings")


def test_a_run_of_another_machine_is_for_that_one_to_begin(
    runs_path: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    waits(runs_path, 1, host="elsewhere")
    monkeypatch.setenv("TINYTRAIN_PRESETS", str(tmp_path / "new"))  # what is known there is not known here
    assert [one.reason for one in queue.waiting(runs_path)] == ["waits for the devices of elsewhere"]


def test_a_waiting_run_keeps_the_variables_that_say_where_its_devices_and_data_are(runs_path: Path) -> None:
    wanted = {"CUDA_VISIBLE_DEVICES": "2", "HIP_VISIBLE_DEVICES": "2", "ROCR_VISIBLE_DEVICES": "2,3"}
    mine = {**wanted, "TINYTRAIN_CACHE": "/c", "HF_TOKEN": "secret", "HOME": "/home/me"}
    kept = kept_environment(mine)
    assert kept == {**wanted, "TINYTRAIN_CACHE": "/c"}
    entry = QueueEntry(1, 1, "h", environment={**kept, "PYTHONPATH": "/evil", "LD_PRELOAD": "/evil.so"})
    another = {"CUDA_VISIBLE_DEVICES": "5", "HF_HOME": "/theirs", "HOME": "/home/me", "HF_TOKEN": "secret"}
    assert environment_of(entry, another) == {**kept, "HOME": "/home/me", "HF_TOKEN": "secret"}
