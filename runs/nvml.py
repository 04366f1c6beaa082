"""NVIDIA's management library as plain readings: a figure that a device does not give is None, never zero."""

from __future__ import annotations

import pwd
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import pynvml

from runs.processes import TAG_VARIABLE
from runs.readings import DeviceProcess, DeviceReading

NO_DRIVER = "no NVIDIA driver"
LOST = "the driver has lost this device"
SILENT = "the driver does not answer for it"
_PROCESS_CALLS = (
    "nvmlDeviceGetComputeRunningProcesses_v3",
    "nvmlDeviceGetComputeRunningProcesses_v2",
    "nvmlDeviceGetComputeRunningProcesses",
)
_T = TypeVar("_T")


class DeviceLost(RuntimeError):
    """The device fell off the bus; nothing more can be asked of it."""


class Nvml:
    """Asks the driver. `driver` says in a sentence why there are no devices; it is empty when there are."""

    def __init__(self) -> None:
        self.driver = ""
        self._names: dict[int, str] = {}
        self._uuids: dict[int, str] = {}
        self._processes: dict[int, tuple[DeviceProcess, ...] | None] = {}
        try:
            pynvml.nvmlInit()
        except pynvml.NVMLError as error:
            self.driver = _why_none(error)

    def read(self, with_processes: bool) -> tuple[DeviceReading, ...]:
        """All devices; the process lists, which are dear, only when asked for, else as last seen."""
        if self.driver:
            return ()
        try:
            count = int(pynvml.nvmlDeviceGetCount())
        except pynvml.NVMLError as error:
            self.driver = _why_none(error)
            return ()
        return tuple(self._read_device(index, with_processes) for index in range(count))

    def _read_device(self, index: int, with_processes: bool) -> DeviceReading:
        try:
            handle = _ask(pynvml.nvmlDeviceGetHandleByIndex, index)
            if handle is None:
                return self._without_figures(index, SILENT)
            name = _ask(pynvml.nvmlDeviceGetName, handle)
            if name is not None:
                self._names[index] = _text(name)
            if index not in self._uuids:
                self._uuids[index] = _text(_ask(pynvml.nvmlDeviceGetUUID, handle) or "")
            utilisation = _ask(pynvml.nvmlDeviceGetUtilizationRates, handle)
            memory = _ask(pynvml.nvmlDeviceGetMemoryInfo, handle)
            power = _ask(pynvml.nvmlDeviceGetPowerUsage, handle)
            limit = _ask(pynvml.nvmlDeviceGetEnforcedPowerLimit, handle)
            temperature = _ask(pynvml.nvmlDeviceGetTemperature, handle, pynvml.NVML_TEMPERATURE_GPU)
            if with_processes:
                self._processes[index] = _processes(handle)
        except DeviceLost:
            self._processes.pop(index, None)
            return self._without_figures(index, LOST)
        return DeviceReading(
            index=index,
            name=self._names.get(index, ""),
            utilisation_percent=None if utilisation is None else float(utilisation.gpu),
            memory_used_bytes=None if memory is None else int(memory.used),
            memory_total_bytes=None if memory is None else int(memory.total),
            temperature_c=None if temperature is None else float(temperature),
            power_w=None if power is None else power / 1000,
            power_limit_w=None if limit is None else limit / 1000,
            processes=self._processes.get(index),
            uuid=self._uuids[index],
        )

    def _without_figures(self, index: int, problem: str) -> DeviceReading:
        return DeviceReading(index, self._names.get(index, ""), problem=problem, uuid=self._uuids.get(index, ""))


def _ask(call: Callable[..., _T], *arguments: Any) -> _T | None:
    """What the driver answers, or None when this device does not give it. Raises DeviceLost."""
    try:
        return call(*arguments)
    except pynvml.NVMLError_GpuIsLost as error:
        raise DeviceLost from error
    except pynvml.NVMLError:
        return None


def _text(answer: object) -> str:
    return answer.decode(errors="replace") if isinstance(answer, bytes) else str(answer)


def _processes(handle: object) -> tuple[DeviceProcess, ...] | None:
    """Compute processes on a device; older drivers know only the older calls."""
    for name in _PROCESS_CALLS:
        call = getattr(pynvml, name, None)
        found = _ask(call, handle) if call is not None else None
        if found is not None:
            return tuple(
                DeviceProcess(
                    int(process.pid),
                    None if process.usedGpuMemory is None else int(process.usedGpuMemory),
                    tag_of(int(process.pid)),
                    *name_and_user(int(process.pid)),
                )
                for process in found
            )
    return None


def tag_of(pid: int) -> str | None:
    """The run tag in a process's environment; "" without one or when not ours, None when there is no such pid."""
    try:
        environment = Path(f"/proc/{pid}/environ").read_bytes()
    except PermissionError:
        return ""
    except OSError:
        return None
    start = f"{TAG_VARIABLE}=".encode()
    for variable in environment.split(b"\0"):
        if variable.startswith(start):
            return variable[len(start) :].decode(errors="replace")
    return ""


def name_and_user(pid: int) -> tuple[str, str]:
    """A process's program and its user's name, or number without one; empty where there is no such process."""
    folder = Path(f"/proc/{pid}")
    try:
        number = folder.stat().st_uid
        name = (folder / "comm").read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return "", ""
    try:
        return name, pwd.getpwuid(number).pw_name
    except KeyError:
        return name, str(number)


def _why_none(error: Exception) -> str:
    if isinstance(error, pynvml.NVMLError_LibraryNotFound | pynvml.NVMLError_DriverNotLoaded):
        return NO_DRIVER
    return f"the NVIDIA driver does not answer: {error}"
