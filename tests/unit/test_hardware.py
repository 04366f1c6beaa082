"""Readings come from a process of its own, whatever the driver does. tests/fakes/pynvml plays the driver."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from runs.hardware_feed import HardwareFeed, HardwareState
from runs.readings import DeviceProcess, DeviceReading

FAKES = Path(__file__).parent.parent / "fakes"
ROOT = Path(__file__).parents[2]


@pytest.fixture
def feed(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., HardwareFeed]]:
    made: list[HardwareFeed] = []

    def make(mode: str, clock: Callable[[], float] = time.monotonic, **environment: str) -> HardwareFeed:
        monkeypatch.setenv("PYTHONPATH", str(FAKES))
        monkeypatch.setenv("FAKE_NVML", mode)
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        made.append(HardwareFeed(clock))
        return made[-1]

    yield make
    for one in made:
        pid = one.pid
        one.close()
        assert pid is None or not Path(f"/proc/{pid}").exists()


def wait_for(
    feed: HardwareFeed, is_there: Callable[[HardwareState], object], timeout: float = 20
) -> HardwareState:
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        state = feed.poll()
        if is_there(state):
            return state
        time.sleep(0.02)
    raise AssertionError(f"not within {timeout} s; last: {feed.poll()}")


def test_one_device_is_read_with_every_figure(feed: Callable[..., HardwareFeed]) -> None:
    reading = wait_for(feed("1"), lambda state: state.reading).reading
    assert reading is not None
    (device,) = reading.devices
    assert (device.utilisation_percent, device.temperature_c, device.power_w) == (70.0, 54.0, 412.0)
    assert (device.memory_used_bytes, device.memory_total_bytes) == (38_200_000_000, 141_000_000_000)
    assert reading.driver == "" and device.uuid.startswith("GPU-00000000-")
    assert reading.host.memory_total_bytes > 0
    assert len(reading.host.core_percents) == os.cpu_count()


def test_eight_devices_are_eight_readings(feed: Callable[..., HardwareFeed]) -> None:
    reading = wait_for(feed("8"), lambda state: state.reading).reading
    assert reading is not None
    assert [device.index for device in reading.devices] == list(range(8))
    assert reading.devices[7].utilisation_percent == 77.0
    assert reading.devices[0].name == "NVIDIA H200"


def test_a_figure_the_device_does_not_give_is_none_and_not_zero(feed: Callable[..., HardwareFeed]) -> None:
    reading = wait_for(feed("na"), lambda state: state.reading).reading
    assert reading is not None
    (device,) = reading.devices
    assert device.utilisation_percent is device.temperature_c is device.power_w is device.processes is None
    assert device.memory_used_bytes == 38_200_000_000
    assert device.memory_of("anything") is None


def test_without_a_driver_it_says_so_and_still_reads_the_host(feed: Callable[..., HardwareFeed]) -> None:
    reading = wait_for(feed("none"), lambda state: state.reading).reading
    assert reading is not None
    assert (reading.driver, reading.devices) == ("no NVIDIA driver", ())
    assert reading.host.memory_used_bytes > 0


def test_a_hanging_driver_makes_the_reading_stale_and_starts_no_second_helper(
    feed: Callable[..., HardwareFeed],
) -> None:
    ahead = [0.0]
    hanging = feed("hang", clock=lambda: time.monotonic() + ahead[0])
    first = wait_for(hanging, lambda state: state.reading)
    pid = hanging.pid
    assert first.stale_s == 0
    deadline = time.monotonic() + 10
    while _is_hanging(pid) is False and time.monotonic() < deadline:
        time.sleep(0.05)
    hanging.poll()
    ahead[0] = 60.0
    stale = hanging.poll()
    assert 55 <= stale.stale_s <= 65
    assert stale.reading is not None and stale.reading.devices[0].utilisation_percent == 70.0
    assert hanging.pid == pid


def _is_hanging(pid: int | None) -> bool:
    """It has been silent for two of its intervals: its stdout pipe is empty and CPU time stands still."""
    before = Path(f"/proc/{pid}/stat").read_text().split()[13:15]
    time.sleep(2.2)
    return Path(f"/proc/{pid}/stat").read_text().split()[13:15] == before


def test_a_device_that_disappears_says_so_while_the_others_go_on(feed: Callable[..., HardwareFeed]) -> None:
    state = wait_for(feed("lost"), lambda state: state.reading and state.reading.devices[3].problem)
    assert state.reading is not None
    lost = state.reading.devices[3]
    assert lost.problem == "the driver has lost this device"
    assert lost.utilisation_percent is lost.memory_used_bytes is lost.memory_of("run") is None
    assert state.reading.devices[4].utilisation_percent == 74.0


def test_the_memory_of_a_run_is_told_from_that_of_others(feed: Callable[..., HardwareFeed]) -> None:
    environment = {**os.environ, "TINYTRAIN_RUN_TAG": "run-a.1f.1"}
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, env=environment) as own:
        with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as other:
            wait_until(lambda: b"TINYTRAIN_RUN_TAG" in Path(f"/proc/{own.pid}/environ").read_bytes())
            one = feed("1", FAKE_NVML_PIDS=f"{own.pid} {other.pid}")
            reading = wait_for(one, lambda state: state.reading).reading
            other.communicate(b"\n")
        own.communicate(b"\n")
    assert reading is not None
    assert reading.devices[0].memory_of("run-a.1f.") == 1_000_000_000
    assert reading.devices[0].memory_of("run-b.") == 0


def wait_until(is_true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not is_true():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_pids_that_mean_nothing_here_give_no_figure_for_the_run() -> None:
    device = DeviceReading(0, "H200", processes=(DeviceProcess(999_999_999, 5, None),))
    assert device.memory_of("run-a.") is None


def test_the_helper_ends_when_its_reader_is_killed_even_while_the_driver_hangs() -> None:
    program = (
        "import time; from runs.hardware_feed import HardwareFeed; feed = HardwareFeed()\n"
        "while feed.poll().reading is None: time.sleep(0.02)\n"
        "print(feed.pid, flush=True); time.sleep(60)"
    )
    environment = {**os.environ, "PYTHONPATH": f"{FAKES}{os.pathsep}{ROOT}", "FAKE_NVML": "hang"}
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, env=environment) as reader:
        assert reader.stdout is not None
        pid = int(reader.stdout.readline())
        reader.kill()
    try:
        wait_until(lambda: _is_gone(pid))
    finally:
        if not _is_gone(pid):
            os.kill(pid, 9)


def _is_gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().split()[2] == "Z"
    except OSError:
        return True


def test_a_helper_that_dies_is_named_and_tried_again_later(feed: Callable[..., HardwareFeed]) -> None:
    ahead = [0.0]
    one = feed("1", clock=lambda: time.monotonic() + ahead[0])
    wait_for(one, lambda state: state.reading)
    first = one.pid
    assert first is not None
    os.kill(first, 9)
    state = wait_for(one, lambda state: state.problem)
    assert "exit -9" in state.problem and one.pid is None
    ahead[0] = 11.0
    wait_for(one, lambda _: one.pid is not None)
    assert one.pid != first
