"""A stand-in for NVIDIA's library that plays the devices named by FAKE_NVML; put its folder on PYTHONPATH.

FAKE_NVML_FILE names a JSON file that tests rewrite: {"used": bytes, of all or in a list of each, "processes":
[[pid, bytes or null], …] or null}; with "broken" in it the driver does not answer.
"""

import json
import os
import time
from pathlib import Path
from types import SimpleNamespace

MODE = os.environ.get("FAKE_NVML", "1")
NVML_TEMPERATURE_GPU = 0
_calls = {"count": 0, "processes": 0}


class NVMLError(Exception):
    pass


class NVMLError_LibraryNotFound(NVMLError):
    pass


class NVMLError_DriverNotLoaded(NVMLError):
    pass


class NVMLError_NotSupported(NVMLError):
    pass


class NVMLError_GpuIsLost(NVMLError):
    pass


class NVMLError_FunctionNotFound(NVMLError):
    pass


def _from_file(key, otherwise):
    try:
        return json.loads(Path(os.environ.get("FAKE_NVML_FILE", "")).read_text()).get(key, otherwise)
    except OSError:
        return otherwise


def nvmlInit():
    if MODE == "silent":
        time.sleep(3600)
    if MODE == "none":
        raise NVMLError_LibraryNotFound("NVML Shared Library Not Found")
    if _from_file("broken", False):
        raise NVMLError("version mismatch")


def nvmlDeviceGetCount():
    _calls["count"] += 1
    return 8 if MODE in ("8", "lost") else 1


def nvmlDeviceGetHandleByIndex(index):
    if MODE == "lost" and index == 3 and _calls["count"] > 1:
        raise NVMLError_GpuIsLost("GPU is lost")
    return index


def nvmlDeviceGetName(handle):
    named = os.environ.get("FAKE_NVML_NAME")
    return named or (b"NVIDIA H200" if MODE == "8" else "NVIDIA \x1b[31mH200")


def nvmlDeviceGetUUID(handle):
    if MODE == "na":
        raise NVMLError_NotSupported("Not Supported")
    return f"GPU-{handle:08x}-d72c-4106-8a12-20bd9faed9f6"


def nvmlDeviceGetUtilizationRates(handle):
    if MODE in ("na", "mig"):
        raise NVMLError_NotSupported("Not Supported")
    if MODE == "hang" and _calls["count"] > 1:
        time.sleep(float(os.environ.get("FAKE_NVML_HANG_S", "3600")))
    if MODE == "crash" and _calls["count"] > 1:
        os.abort()
    return SimpleNamespace(gpu=70 + handle, memory=40)


def nvmlDeviceGetMemoryInfo(handle):
    used = _from_file("used", 38_200_000_000)
    return SimpleNamespace(used=used[handle] if isinstance(used, list) else used, total=141_000_000_000)


def nvmlDeviceGetPowerUsage(handle):
    if MODE == "na":
        raise NVMLError_NotSupported("Not Supported")
    return 412_000


def nvmlDeviceGetEnforcedPowerLimit(handle):
    return 700_000


def nvmlDeviceGetTemperature(handle, kind):
    if MODE == "na":
        raise NVMLError_NotSupported("Not Supported")
    return 54


def nvmlDeviceGetComputeRunningProcesses_v3(handle):
    raise NVMLError_FunctionNotFound("Function Not Found")


def nvmlDeviceGetComputeRunningProcesses_v2(handle):
    if MODE == "na":
        raise NVMLError_NotSupported("Not Supported")
    pids = [int(pid) for pid in os.environ.get("FAKE_NVML_PIDS", "").split()]
    processes = _from_file("processes", [[pid, 1_000_000_000] for pid in pids])
    if processes is None:
        raise NVMLError_NotSupported("Not Supported")
    return [SimpleNamespace(pid=pid, usedGpuMemory=used) for pid, used in processes]
