"""Which GPUs a process of this machine would see: what is there, and what the environment leaves of it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from runs.nvml import LOST
from runs.readings import DeviceReading, HardwareReading, find_device

CUDA = "CUDA_VISIBLE_DEVICES"
_HIP, _ROCR = "HIP_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES"
_DEV = Path("/dev")
_KFD_NODES = Path("/sys/class/kfd/kfd/topology/nodes")
_BY_UUID = re.compile(r"(GPU|MIG)-[\w/-]+")


def visible_gpus(environment: Mapping[str, str], reading: HardwareReading | None) -> dict[str, str]:
    """The GPUs that an engine would see: those that the environment names, up to the first that is none, or all.

    Their names are by the driver's numbers wherever it tells the UUIDs: a GPU has one name, however it is asked
    for. With each is what the engine's variable calls it.
    """
    if reading is not None and not reading.driver:
        return _named(environment.get(CUDA), reading.devices)
    nodes = _numbered(_num_nodes())
    if not _is_amd(reading):
        return _named(environment.get(CUDA), nodes)
    # ROCr hides GPUs first, and HIP counts those that are left
    left = tuple(_named(environment.get(_ROCR), nodes))
    shown = _named(environment.get(_HIP, environment.get(CUDA)), _numbered(len(left)))
    return {left[int(part)] if part.isdecimal() else name: part for name, part in shown.items()}


def variable_of(reading: HardwareReading | None) -> str:
    """The environment's variable that tells an engine of its GPUs."""
    return _HIP if _is_amd(reading) else CUDA


def may_have_gpus(environment: Mapping[str, str]) -> bool:
    """Whether it is worth asking a driver; on a machine without GPUs nothing must wait for one."""
    shown = environment.get(CUDA)
    if shown is not None and shown.strip() in ("", "-1"):
        return False
    return bool(shown) or (_DEV / "dxg").exists() or _num_nodes() > 0


def _numbered(count: int) -> tuple[DeviceReading, ...]:
    return tuple(DeviceReading(number, "") for number in range(count))


def _named(shown: str | None, devices: tuple[DeviceReading, ...]) -> dict[str, str]:
    """Names of devices, each with how the variable that shows them spells it."""
    if shown is None:
        return {f"gpu:{device.index}": str(device.index) for device in devices if device.problem != LOST}
    names: dict[str, str] = {}
    for part in (part.strip() for part in shown.split(",")):
        device = find_device(devices, part)
        is_uuid = device is None and bool(devices) and _BY_UUID.fullmatch(part) is not None
        if not is_uuid and (device is None or device.problem == LOST):
            break  # CUDA itself sees none from here on
        names.setdefault(f"gpu:{part if device is None else device.index}", part)
    return names


def _num_nodes() -> int:
    """GPUs by what the kernel shows of them: NVIDIA's device files, or AMD's nodes that can compute."""
    return _num_nvidia() or _num_amd()


def _is_amd(reading: HardwareReading | None) -> bool:
    """Whether the engine sees GPUs through HIP, which has variables of its own."""
    has_nvidia = (reading is not None and not reading.driver) or _num_nvidia() > 0
    return not has_nvidia and _num_amd() > 0


def _num_nvidia() -> int:
    return sum(path.name[6:].isdecimal() for path in _DEV.glob("nvidia[0-9]*"))


def _num_amd() -> int:
    num_amd = 0
    for path in _KFD_NODES.glob("*/properties"):
        try:
            num_amd += re.search(r"^simd_count [1-9]", path.read_text(encoding="ascii"), re.MULTILINE) is not None
        except (OSError, ValueError):
            continue
    return num_amd
