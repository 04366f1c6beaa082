"""Prints one reading of the host and its GPUs a second, as a line of JSON, until its stdin closes.

It is a process of its own (`python -m runs.hardware`) since a call into a GPU driver can hang for good.
"""

from __future__ import annotations

import os
import platform
import sys
import threading
import time
from pathlib import Path

import msgspec
import psutil

from runs.nvml import Nvml
from runs.readings import HardwareReading, HostReading

_INTERVAL_S = 1.0
_FIRST_S = 0.25  # a shorter look at the CPU first, so that something is shown at once
_PROCESSES_EVERY = 5  # readings; the driver's process list costs milliseconds under its lock


def main() -> None:
    """Print readings until the reader goes away."""
    threading.Thread(target=_leave_with_stdin, daemon=True).start()
    nvml = Nvml()
    processor = _processor()
    psutil.cpu_percent(percpu=True)
    time.sleep(_FIRST_S)
    count = 0
    due = time.monotonic()
    while True:
        reading = HardwareReading(
            time=time.time(),
            host=_read_host(processor),
            devices=nvml.read(with_processes=count % _PROCESSES_EVERY == 0),
            driver=nvml.driver,
        )
        try:
            sys.stdout.buffer.write(msgspec.json.encode(reading) + b"\n")
            sys.stdout.buffer.flush()
        except BrokenPipeError:
            os._exit(0)
        count += 1
        due = max(due + _INTERVAL_S, time.monotonic())
        time.sleep(due - time.monotonic() if due > time.monotonic() else _INTERVAL_S)


def _leave_with_stdin() -> None:
    """Ends the process when stdin closes, even while a driver call hangs in the main thread."""
    while os.read(0, 4096):
        pass
    os._exit(0)


def _read_host(processor: str) -> HostReading:
    cores = tuple(psutil.cpu_percent(percpu=True))
    memory = psutil.virtual_memory()
    return HostReading(
        name=platform.node(),
        processor=processor,
        cpu_percent=sum(cores) / max(1, len(cores)),
        core_percents=cores,
        memory_used_bytes=memory.total - memory.available,
        memory_total_bytes=memory.total,
        load=psutil.getloadavg() if hasattr(os, "getloadavg") else None,
    )


def _processor() -> str:
    """The processor's name, as the kernel gives it."""
    try:
        with Path("/proc/cpuinfo").open(encoding="utf-8", errors="replace") as file:
            for line in file:
                if line.startswith("model name"):
                    return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


if __name__ == "__main__":
    main()
