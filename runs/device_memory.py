"""Whether a run gave back the memory of its GPUs, as the driver tells: by process, and by what was used before."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from pathlib import Path

from runs.hardware_feed import HardwareFeed, HardwareState
from runs.readings import DeviceProcess, DeviceReading, HardwareReading, find_device

PROOF_S = 10.0
READING_S = 5.0
NOTICEABLE_BYTES = 512 << 20
"""What a desktop or another run's context may take meanwhile is less; what a rank leaves behind is more."""

_UNCHECKED = "whether the GPU memory is free could not be checked"
_LOOK_EVERY_S = 0.3
_POLL_S = 0.02


class DeviceMemory:
    """Looks at a run's GPUs before its engine uses them and after its last process is gone.

    A driver call can hang, so everything is asked of `runs.hardware`, a process of its own. Without GPUs, or
    without NVIDIA's library to ask, the end of the processes is all that can be seen, and nothing is said.
    """

    def __init__(self, gpus: Collection[int | str]) -> None:
        """gpus: the driver's numbers of the devices that the run was given, or their UUIDs."""
        self.gpus = frozenset(gpus)
        self.helpers: set[int] = set()
        """Pids of the processes that asked the driver: no part of the run, even when one hangs for good."""
        self.is_seen_free = False
        """Whether the driver has said, after the end, that nothing of the run is in the GPUs' memory."""
        self._feed: HardwareFeed | None = None
        self._before: dict[int, DeviceReading] = {}

    def begin(self) -> None:
        """Ask what is in use now; `poll` takes the answer. Never waits."""
        if self.gpus:
            self._feed = HardwareFeed()
            self.poll()

    def poll(self) -> None:
        """Take the answer when it is there."""
        if self._feed is None:
            return
        state = self._feed.poll()
        if self._feed.pid is not None:
            self.helpers.add(self._feed.pid)
        if state.reading is not None or state.problem:
            self._before = _by_index(state.reading)
            self.close()

    def close(self) -> None:
        """Ask no more: the engine is at work, so that what comes now is not from before it."""
        if self._feed is not None:
            self._feed.close()
            self._feed = None

    def what_is_left(self, tag: str, pids: Collection[int], proof_s: float = PROOF_S) -> str:
        """A sentence about memory that the run still holds, or that cannot be checked; empty: all of it is free.

        tag, pids: of the run's processes, which are gone. Blocks until the memory is free, at most `proof_s` and
        one reading, since a driver frees it some moments after the process.
        """
        self.close()
        if not self.gpus:
            return ""
        deadline = time.monotonic() + proof_s
        while True:
            state = read_hardware(READING_S, self.helpers.add)
            reading = state.reading
            if reading is None:
                return f"{_UNCHECKED}: {state.problem or f'the driver did not answer within {READING_S:.0f} s'}"
            if reading.driver:
                return "" if _has_no_driver(reading) else f"{_UNCHECKED}: {reading.driver}"
            devices = _by_index(reading)
            found = [
                sentence
                for gpu in sorted(self.gpus, key=str)
                if (sentence := self._judge(gpu, devices, tag, pids))
            ]
            self.is_seen_free = not found
            if not found or time.monotonic() > deadline:
                return "; ".join(found)
            time.sleep(_LOOK_EVERY_S)

    def _judge(self, gpu: int | str, devices: dict[int, DeviceReading], tag: str, pids: Collection[int]) -> str:
        device = find_device(devices.values(), str(gpu))
        if device is None:
            why = "it is gone" if isinstance(gpu, int) else "the driver tells of no device of that name"
            return f"the memory of GPU {gpu} could not be checked: {why}"
        if device.problem:
            return f"the memory of GPU {gpu} could not be checked: {device.problem}"
        if device.processes is None and device.memory_used_bytes is None:
            return f"the memory of GPU {gpu} could not be checked: the driver tells neither its use nor its users"
        for process in device.processes or ():
            if (tag and process.tag == tag) or (process.pid in pids and _has_entry(process.pid)):
                return f"pid {process.pid} still holds {_gigabytes(process.memory_bytes)} of GPU {gpu}"
        before = self._before.get(device.index)
        if before is None or before.memory_used_bytes is None or device.memory_used_bytes is None:
            return "" if device.processes is not None else f"the memory of GPU {gpu} could not be compared"
        more = device.memory_used_bytes - before.memory_used_bytes
        more -= max(0, _held(device.processes) - _held(before.processes))
        if more < NOTICEABLE_BYTES:
            return ""
        more_text = _gigabytes(more)
        return f"GPU {gpu} has {more_text} more in use than before the run, by no process that the driver names"


def read_hardware(timeout_s: float, started: Callable[[int], object] = lambda pid: None) -> HardwareState:
    """One reading with the list of processes, from a helper of its own; without one when it does not come in time.

    started: is told the helper's pid. Blocks; call it off the event loop.
    """
    feed = HardwareFeed()
    deadline = time.monotonic() + timeout_s
    try:
        while True:
            state = feed.poll()
            if feed.pid is not None:
                started(feed.pid)
            if state.reading is not None or state.problem or time.monotonic() > deadline:
                return state
            time.sleep(_POLL_S)
    finally:
        feed.close()


def gpus_of(devices: tuple[str, ...]) -> frozenset[int | str]:
    """The GPUs in names of devices: 3 for `gpu:3`; one that goes by its UUID, or a part of one, by that name."""
    names = (name.removeprefix("gpu:") for name in devices if name.startswith("gpu:"))
    return frozenset(int(name) if name.isdecimal() else name for name in names)


def _has_no_driver(reading: HardwareReading) -> bool:
    from runs.nvml import NO_DRIVER  # brings pynvml

    return reading.driver == NO_DRIVER


def _by_index(reading: HardwareReading | None) -> dict[int, DeviceReading]:
    return {device.index: device for device in reading.devices} if reading else {}


def _held(processes: tuple[DeviceProcess, ...] | None) -> int:
    return sum(process.memory_bytes or 0 for process in processes or ())


def _has_entry(pid: int) -> bool:
    """Whether there is such a process, dead or alive; a container's driver names those of the host."""
    return Path(f"/proc/{pid}").exists()


def _gigabytes(num_bytes: int | None) -> str:
    return "memory" if num_bytes is None else f"{num_bytes / 1e9:.1f} GB"
