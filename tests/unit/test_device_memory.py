"""Device memory after a run: given back, still held, or not to be told."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from runs import device_memory
from runs.device_memory import DeviceMemory, gpus_of
from runs.hardware_feed import HardwareState
from runs.nvml import NO_DRIVER
from runs.processes import TAG_VARIABLE
from runs.readings import DeviceProcess, DeviceReading, HardwareReading, HostReading
from tests.conftest import wait_until

FAKES = Path(__file__).parent.parent / "fakes"
TAG = "run-of-a-test.1.abc"
GB = 10**9
HOST = HostReading("", "", 0.0, (), 0, 0, None)

Play = Callable[..., None]


@pytest.fixture
def play(monkeypatch: pytest.MonkeyPatch) -> Play:
    """Say what the helper reads from now on. processes: (pid, bytes, tag), or None when that is not told."""
    state = HardwareState()

    class PlayedFeed:
        pid = None

        def poll(self) -> HardwareState:
            return state

        def close(self) -> None:
            pass

    def play(
        used: int | None,
        processes: Sequence[tuple[int, int | None, str | None]] | None = (),
        problem: str = "",
        driver: str = "",
    ) -> None:
        nonlocal state
        known = None if processes is None else tuple(DeviceProcess(*process) for process in processes)
        device = DeviceReading(
            0, "", memory_used_bytes=used, processes=known, problem=problem, uuid="GPU-0aa-d72c"
        )
        state = HardwareState(HardwareReading(time.time(), HOST, () if driver else (device,), driver))

    monkeypatch.setattr(device_memory, "HardwareFeed", PlayedFeed)
    return play


@pytest.fixture
def rank() -> Iterator[subprocess.Popen[bytes]]:
    """A process that carries the run's tag."""
    code = "import time; print(flush=True); time.sleep(600)"
    process = subprocess.Popen(
        [sys.executable, "-S", "-c", code], env={**os.environ, TAG_VARIABLE: TAG}, stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    process.stdout.readline()
    yield process
    process.kill()
    process.communicate()


def begun() -> DeviceMemory:
    """A run on GPU 0 whose engine is about to use it."""
    memory = DeviceMemory({0})
    memory.begin()
    return memory


def test_memory_is_free_some_moments_after_the_last_process(
    rank: subprocess.Popen[bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the real helper, and tests/fakes/pynvml for the driver: it is asked until all is free."""
    file = tmp_path / "nvml.json"
    monkeypatch.setenv("PYTHONPATH", str(FAKES))
    monkeypatch.setenv("FAKE_NVML_FILE", str(file))

    def tell(used: int, processes: list[tuple[int, int]]) -> None:
        file.with_suffix(".new").write_text(json.dumps({"used": used, "processes": processes}))
        file.with_suffix(".new").replace(file)

    tell(1 * GB, [])
    memory = begun()

    def is_read() -> bool:
        memory.poll()
        return memory._before != {}

    wait_until(is_read, what="the driver answers")
    tell(5 * GB, [(rank.pid, 4 * GB)])
    assert memory.what_is_left(TAG, (), proof_s=0) == f"pid {rank.pid} still holds 4.0 GB of GPU 0"
    threading.Timer(0.5, lambda: tell(1 * GB, [])).start()
    assert memory.what_is_left(TAG, (), proof_s=20) == ""
    assert len(memory.helpers) >= 3 and all(not Path(f"/proc/{pid}").exists() for pid in memory.helpers)


def test_a_driver_that_hangs_costs_the_time_limit_and_no_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "pynvml.py").write_text("import time\nclass NVMLError(Exception): pass\ntime.sleep(3600)\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setattr(device_memory, "READING_S", 1.0)
    memory = begun()
    started = time.monotonic()
    left = memory.what_is_left(TAG, ())
    assert left == "whether the GPU memory is free could not be checked: the driver did not answer within 1 s"
    assert time.monotonic() - started < 5
    assert memory.helpers and all(not Path(f"/proc/{pid}").exists() for pid in memory.helpers)


def test_memory_as_before_held_by_nobody_of_the_run_is_free(play: Play) -> None:
    play(3 * GB, [(os.getppid(), 2 * GB, "")])
    assert begun().what_is_left(TAG, {4_000_000}) == ""


def test_a_process_of_the_run_that_holds_memory_is_named(play: Play) -> None:
    play(0)
    memory = begun()
    play(5 * GB, [(os.getppid(), None, TAG)])
    assert memory.what_is_left(TAG, (), proof_s=0) == f"pid {os.getppid()} still holds memory of GPU 0"
    play(5 * GB, [(os.getppid(), 5 * GB, "")])  # a zombie has no environment any more
    assert memory.what_is_left(TAG, {os.getppid()}, proof_s=0).startswith(f"pid {os.getppid()} still holds 5.0 GB")
    assert memory.what_is_left(TAG, (), proof_s=0) == ""


@pytest.mark.parametrize(
    "processes", [[], [(99_999_999, 1 * GB, None)], None], ids=["none", "the host's", "not told"]
)
def test_in_a_container_what_is_used_is_compared(
    play: Play, processes: list[tuple[int, int, None]] | None
) -> None:
    play(1 * GB, processes)
    memory = begun()
    play(4 * GB, processes)
    left = memory.what_is_left(TAG, {99_999_999}, proof_s=0)
    assert left == "GPU 0 has 3.0 GB more in use than before the run, by no process that the driver names"
    play(int(1.2 * GB), processes)
    assert memory.what_is_left(TAG, {99_999_999}, proof_s=0) == ""


def test_what_others_took_meanwhile_is_theirs(play: Play) -> None:
    play(1 * GB, [(7, 1 * GB, "")])
    memory = begun()
    play(9 * GB, [(7, 4 * GB, ""), (8, 5 * GB, "another run")])
    assert memory.what_is_left(TAG, (), proof_s=0) == ""


def test_without_an_answer_nothing_is_taken_for_free(play: Play) -> None:
    play(0, driver="the NVIDIA driver does not answer: version mismatch")
    memory = DeviceMemory({0})
    left = (
        "whether the GPU memory is free could not be checked: the NVIDIA driver does not answer: version mismatch"
    )
    assert memory.what_is_left(TAG, ()) == left
    play(0, driver=NO_DRIVER)  # as on a machine with AMD's GPUs: only the processes can be looked at
    assert memory.what_is_left(TAG, ()) == ""
    play(0, problem="the driver has lost this device")
    left = "the memory of GPU 0 could not be checked: the driver has lost this device"
    assert memory.what_is_left(TAG, (), proof_s=0) == left
    play(None, None)
    assert "neither its use nor its users" in memory.what_is_left(TAG, (), proof_s=0)
    play(5 * GB, None)
    assert "could not be compared" in memory.what_is_left(TAG, (), proof_s=0)
    assert "GPU 7 could not be checked: it is gone" in DeviceMemory({7}).what_is_left(TAG, (), proof_s=0)


def test_without_gpus_nothing_is_asked() -> None:
    memory = DeviceMemory(gpus_of(("cpu:0", "cpu:1")))
    memory.begin()
    assert (memory.what_is_left(TAG, {1}), memory.helpers) == ("", set())
    assert gpus_of(("gpu:0", "gpu:11", "cpu:3")) == {0, 11}


def test_a_gpu_that_goes_by_its_uuid_is_looked_at_and_one_that_nobody_knows_is_not_called_free(play: Play) -> None:
    play(0)
    memory = DeviceMemory(gpus_of(("gpu:GPU-0aa", "cpu:1")))
    memory.begin()
    play(5 * GB, [(os.getppid(), 5 * GB, TAG)])
    assert memory.what_is_left(TAG, (), proof_s=0) == f"pid {os.getppid()} still holds 5.0 GB of GPU GPU-0aa"
    play(0)
    assert memory.what_is_left(TAG, (), proof_s=0) == "" and memory.is_seen_free
    part = DeviceMemory(gpus_of(("gpu:MIG-5b/1/0",)))
    left = "the memory of GPU MIG-5b/1/0 could not be checked: the driver tells of no device of that name"
    assert part.what_is_left(TAG, (), proof_s=0) == left and not part.is_seen_free


def test_without_a_tag_the_processes_of_others_are_not_taken_for_the_runs(play: Play) -> None:
    play(0, [(os.getppid(), 5 * GB, "")])
    assert begun().what_is_left("", (), proof_s=0) == ""
