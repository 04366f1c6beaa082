"""A run that waits for its turn, in this process: what lets it begin, and what ends its waiting."""

from __future__ import annotations

import os
import time
from pathlib import Path

import msgspec
import pytest

from presets.config import with_values
from presets.schema import RunConfig
from runs import control, devices, queue, waiting
from runs.folder import RunFolder, create_run
from runs.lock import held_lock
from runs.machines import DEVICES_FILE, MachineDevices
from runs.processes import this_host, this_process
from runs.queue_entry import QueueEntry, owner_of, read_entry, write_entry
from runs.readings import DeviceReading, HardwareReading, HostReading
from runs.status import StateRecord, read_state, read_status
from runs.waiting import Waiter, has_begun, take_at_once, take_for_machine

TWO_CORES = with_values(RunConfig(), {"launch.device": "cpu", "launch.threads": 2})


@pytest.fixture(autouse=True)
def four_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "_cores", lambda: tuple(range(4)))
    monkeypatch.setattr(waiting, "revive", lambda runs, wait_s: 0)
    monkeypatch.setattr(waiting, "POLL_S", 0.01)
    monkeypatch.setattr(waiting, "LOOK_S", 0.01)


def waits(runs: Path, order: float) -> RunFolder:
    folder = create_run(runs, TWO_CORES, preset="q")
    write_entry(folder, QueueEntry(order, 100.0, this_host(), owner=owner_of(folder)))
    return folder


def waiter(folder: RunFolder, seconds: float = 10.0) -> Waiter:
    """Is told to leave after that time."""
    end = time.monotonic() + seconds
    return Waiter(folder, lambda: time.monotonic() > end, print)


def test_the_first_takes_free_devices_and_is_waiting_no_longer(runs_path: Path) -> None:
    folder = waits(runs_path, 1)
    with held_lock(folder):
        given = waiter(folder).wait(TWO_CORES)
        assert given is not None and given.names == ("cpu:0", "cpu:1")
        state = read_state(folder)
        assert state is not None and (state.state, state.devices) == ("starting", given.names)
        assert read_status(folder).state == "starting" and queue.waiting(runs_path) == ()
        other = waits(runs_path, 2)
        with held_lock(other):
            assert take_at_once(other, TWO_CORES).names == ("cpu:2", "cpu:3"), "nobody is given the same"
            assert waiter(waits(runs_path, 3), 0.1).wait(TWO_CORES) is None
    assert read_entry(folder) is not None, "it is given up when the engine has been started"


def test_a_run_that_is_told_to_leave_keeps_its_place(runs_path: Path) -> None:
    first, second = waits(runs_path, 1), waits(runs_path, 2)
    with held_lock(second):
        assert waiter(second, 0.1).wait(TWO_CORES) is None
        assert read_status(second).reason == "second in the queue"
    assert [one.folder for one in queue.waiting(runs_path)] == [first, second]


def test_a_run_that_nobody_can_bring_back_holds_nobody_up_for_ever(
    runs_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waiting, "PASSED_OVER_S", 0.2)
    waits(runs_path, 1)
    second = waits(runs_path, 2)
    began = time.monotonic()
    with held_lock(second):
        assert waiter(second).wait(TWO_CORES) is not None
    assert time.monotonic() - began >= 0.2


@pytest.mark.parametrize("verb", ["stop", "kill"])
def test_a_request_takes_it_out_and_so_does_a_place_that_is_gone(runs_path: Path, verb: control.Verb) -> None:
    waits(runs_path, 1)
    folder = waits(runs_path, 2)
    control.ask(folder, verb)
    with held_lock(folder):
        assert waiter(folder).wait(TWO_CORES) is None
        assert read_status(folder).state == "stopped"
    assert read_entry(folder) is None and control.pending(folder) == ()
    assert waiter(folder).wait(TWO_CORES) is None


def test_without_room_to_write_down_its_devices_a_run_does_not_begin(
    runs_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = waits(runs_path, 1)
    real = waiting.write_atomically

    def full(path: Path, content: bytes) -> None:
        if b'"starting"' in content:
            raise OSError(28, "No space left on device")
        real(path, content)

    monkeypatch.setattr(waiting, "write_atomically", full)
    with held_lock(folder):
        assert waiter(folder, 0.2).wait(TWO_CORES) is None
        assert "No space left on device" in read_status(folder).reason
    assert devices.claims(runs_path) == {}


def test_the_driver_is_asked_when_no_run_of_ours_is_in_the_way(
    runs_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = HostReading("box", "cpu", 0.0, (0.0,), 1, 2, None)
    used = [90, 90]
    asked: list[float] = []

    def read(self: devices.GpuReadings, environment: object) -> HardwareReading:
        asked.append(time.monotonic())
        gpus = tuple(
            DeviceReading(i, "H200", memory_used_bytes=gb, memory_total_bytes=141) for i, gb in enumerate(used)
        )
        return HardwareReading(time.time(), host, gpus, "")

    monkeypatch.setattr(devices.GpuReadings, "read", read)
    monkeypatch.setattr(waiting, "_FIRST_READING_AGE_S", 0.1)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    folder = waits(runs_path, 1)
    config = with_values(RunConfig(), {"launch.device": "cuda"})
    with held_lock(folder):
        assert waiter(folder, 0.5).wait(config) is None
        assert read_status(folder).reason == "waits for a GPU; both GPUs are used by another program"
        assert 1 < len(asked) <= 3, "twice as long after each reading that says the same"
        used[1] = 1
        given = waiter(folder).wait(config)
    assert given is not None and given.names == ("gpu:1",)
    assert given.environment == {"CUDA_VISIBLE_DEVICES": "1"} and os.environ["CUDA_VISIBLE_DEVICES"] == "0,1"


def test_a_gpu_that_a_run_of_ours_has_just_left_is_taken_only_after_a_look_at_it(
    runs_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Our run ends between the two looks at what is claimed, and somebody else's program has most of its GPU."""
    host = HostReading("box", "cpu", 0.0, (0.0,), 1, 2, None)
    full = DeviceReading(0, "H200", memory_used_bytes=90, memory_total_bytes=100)
    asked: list[float] = []

    def read(self: devices.GpuReadings, environment: object) -> HardwareReading:
        asked.append(time.monotonic())
        return HardwareReading(time.time(), host, (full,), "")

    looks = iter([{}, {"gpu:0": "warm-otter"}, {}])
    monkeypatch.setattr(devices.GpuReadings, "read", read)
    monkeypatch.setattr(waiting, "claims", lambda runs, apart_from=None: next(looks, {}))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    folder = waits(runs_path, 1)
    with held_lock(folder):
        assert waiter(folder, 0.3).wait(with_values(RunConfig(), {"launch.device": "cuda"})) is None
        assert next(looks, None) is None and len(asked) == 2
        assert read_status(folder).reason == "waits for a GPU; the GPU is used by another program"


def test_a_run_that_waits_among_very_many_looks_less_often(
    runs_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[float] = []

    def look(self: Waiter, config: RunConfig) -> None:
        looks.append(time.monotonic())
        began = time.thread_time()
        while time.thread_time() - began < 0.01:
            pass

    monkeypatch.setattr(Waiter, "_look", look)
    assert waiter(waits(runs_path, 1), 0.5).wait(TWO_CORES) is None
    assert len(looks) == 1, "10 ms of work a second are a hundredth of a core"


def test_a_machine_that_joins_takes_devices_that_no_other_run_here_has(runs_path: Path) -> None:
    direct, joined, later = (create_run(runs_path, TWO_CORES) for _ in range(3))
    machine = joined.attempt(3).ranks_dir / "box-1"
    machine.mkdir(parents=True)
    first = msgspec.structs.replace(this_process(), host="elsewhere")
    joined.state_file.write_bytes(msgspec.json.encode(StateRecord("running", 3, "", first, devices=("cpu:0",))))
    with held_lock(direct):
        assert take_at_once(direct, TWO_CORES).names == ("cpu:0", "cpu:1")
        assert take_for_machine(joined, TWO_CORES, machine).names == ("cpu:2", "cpu:3")
        with held_lock(later):
            assert waiter(waits(runs_path, 1), 0.1).wait(TWO_CORES) is None, "all cores are taken"
    assert devices.claims(runs_path) == dict.fromkeys(("cpu:2", "cpu:3"), joined.about().name)
    gone = MachineDevices(msgspec.structs.replace(this_process(), start_ticks=1), ("cpu:2", "cpu:3"))
    (machine / DEVICES_FILE).write_bytes(msgspec.json.encode(gone))
    assert devices.claims(runs_path) == {}, "who joined has ended"


def test_an_attempt_counts_as_begun_when_it_left_any_trace(runs_path: Path) -> None:
    folder = waits(runs_path, 1)
    entry = read_entry(folder)
    assert entry is not None and not has_begun(folder, entry)
    attempt = folder.attempt(1)
    attempt.ranks_dir.mkdir(parents=True)
    attempt.console_file.touch()
    assert not has_begun(folder, entry) and folder.attempts() == (), "an attempt without any is taken away"
    attempt.ranks_dir.mkdir(parents=True)
    (attempt.ranks_dir / "rank-0.log").write_text("hello")
    assert has_begun(folder, entry) and folder.attempts() == (attempt,)
    later = QueueEntry(1, 1, this_host(), owner=owner_of(folder), after=1)
    assert not has_begun(folder, later) and folder.attempts() == (attempt,), "it was there before"
