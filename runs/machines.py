"""What the further machines of a run leave behind: where they write, and how they ended.

Each has a folder in the attempt's `ranks/`: the output of its torchrun, its ranks' logs, and at last how it ended.
"""

from __future__ import annotations

import itertools
import time
from pathlib import Path

import msgspec

from runs.folder import Attempt, read_struct
from runs.processes import ProcessIdentity

ENDED_FILE, CONSOLE_FILE, DEVICES_FILE = "ended.json", "console.log", "devices.json"
GRACE_S = 10.0
"""Seconds that what is left of a run has to end by itself, after a part of it has."""

_POLL_S = 0.1
_MOST_MACHINES = 1000  # more are not looked at


class MachineEnd(msgspec.Struct, frozen=True):
    """How the part of a run on one machine ended. returncode: of torchrun, or minus the signal's number."""

    host: str
    returncode: int
    ended: float


class MachineDevices(msgspec.Struct, frozen=True):
    """What a run has on a machine that joined, as `devices` of StateRecord. joined: its process of `join`."""

    joined: ProcessIdentity
    devices: tuple[str, ...]


def machine_devices(attempt: Attempt) -> tuple[MachineDevices, ...]:
    """What the machines that joined an attempt have said of their devices."""
    found = (
        read_struct(path, MachineDevices)
        for path in itertools.islice(attempt.ranks_dir.glob(f"*/{DEVICES_FILE}"), _MOST_MACHINES)
    )
    return tuple(devices for devices in found if devices is not None)


def machine_ends(attempt: Attempt) -> tuple[MachineEnd, ...]:
    """How the machines that joined an attempt have ended, those that have."""
    ends = (read_struct(path, MachineEnd) for path in sorted(attempt.ranks_dir.glob(f"*/{ENDED_FILE}")))
    return tuple(end for end in ends if end is not None)


def consoles(attempt: Attempt) -> tuple[Path, ...]:
    """The output of torchrun on every machine, the first one's first."""
    return (attempt.console_file, *sorted(attempt.ranks_dir.glob(f"*/{CONSOLE_FILE}")))


def wait_for_machines(attempt: Attempt, timeout_s: float = GRACE_S) -> None:
    """Wait until every machine that joined has said how it ended: what failed may stand there alone."""
    deadline = time.monotonic() + timeout_s
    while len(machine_ends(attempt)) < len(consoles(attempt)) - 1 and time.monotonic() < deadline:
        time.sleep(_POLL_S)
