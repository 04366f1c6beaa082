"""What the hardware process says of the host and its devices; a figure that cannot be had is None."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec


class DeviceProcess(msgspec.Struct, frozen=True):
    """A process on a device. tag: its TINYTRAIN_RUN_TAG, "" when it has none or is somebody else's.

    tag is None when the pid means nothing here, as in a container that is given the host's pids. name: of the
    program, as the kernel gives it. user: whose it is. Both are empty where that cannot be told.
    """

    pid: int
    memory_bytes: int | None
    tag: str | None
    name: str = ""
    user: str = ""


class DeviceReading(msgspec.Struct, frozen=True):
    """One device. processes is None when the driver does not tell; problem is a sentence, or empty.

    uuid: such as "GPU-8932f937-d72c-…", empty when the driver does not tell.
    """

    index: int
    name: str
    utilisation_percent: float | None = None
    memory_used_bytes: int | None = None
    memory_total_bytes: int | None = None
    temperature_c: float | None = None
    power_w: float | None = None
    power_limit_w: float | None = None
    processes: tuple[DeviceProcess, ...] | None = None
    problem: str = ""
    uuid: str = ""

    def memory_of(self, tag_prefix: str) -> int | None:
        """Bytes held by the run whose tags begin so, or None when that cannot be told."""
        if self.processes is None:
            return None
        own = [process for process in self.processes if (process.tag or "").startswith(tag_prefix)]
        if any(process.memory_bytes is None for process in own):
            return None
        if not own and any(process.tag is None for process in self.processes):
            return None
        return sum(process.memory_bytes or 0 for process in own)


def find_device(devices: Iterable[DeviceReading], name: str) -> DeviceReading | None:
    """The one that CUDA_VISIBLE_DEVICES means by a number, or by a UUID or enough of its beginning."""
    if name.isdecimal():
        found = [device for device in devices if device.index == int(name)]
    else:
        is_uuid = name.startswith("GPU-")
        found = [device for device in devices if is_uuid and device.uuid.startswith(name)]
    return found[0] if len(found) == 1 else None


class HostReading(msgspec.Struct, frozen=True):
    """The machine. load: mean number of runnable processes over 1, 5 and 15 minutes, or None."""

    name: str
    processor: str
    cpu_percent: float
    core_percents: tuple[float, ...]
    memory_used_bytes: int
    memory_total_bytes: int
    load: tuple[float, float, float] | None


class HardwareReading(msgspec.Struct, frozen=True):
    """time: Unix seconds. driver: why there are no devices, as a sentence, or empty."""

    time: float
    host: HostReading
    devices: tuple[DeviceReading, ...]
    driver: str
