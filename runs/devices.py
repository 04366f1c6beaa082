"""Which GPUs or cores a run needs, which are free of other runs and strangers, and which it gets."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from presets.schema import RunConfig
from runs.folder import RunFolder, all_runs
from runs.hardware_feed import HardwareFeed
from runs.lock import is_locked
from runs.machines import machine_devices
from runs.processes import is_alive, is_here, live_tags, this_host
from runs.queue_entry import is_waiting, read_entry
from runs.readings import HardwareReading
from runs.status import LIVE_STATES, read_state, tag_prefix
from runs.visible_gpus import CUDA, may_have_gpus, variable_of, visible_gpus

READING_S = 3.0
STRANGERS_SHARE = 0.1
"""Of a GPU's memory: one of which programs that are no runs of ours hold more is not free."""

_STRANGER = "another program"
_POLL_S = 0.02


@dataclass(frozen=True)
class DeviceAnswer:
    """Whether a run could start now. sentence: who uses the devices, or which are free."""

    is_free: bool
    sentence: str


@dataclass(frozen=True)
class Devices:
    """What a run was given. names: `gpu:0`, `cpu:2`. environment: the variables that keep its engine to them."""

    names: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)


NO_DEVICES = Devices()


@dataclass(frozen=True)
class Pool:
    """The devices among which a run chooses. num_wanted: how many of them it needs, never more than there are.

    strangers: those whose memory is filled by programs that are no runs of ours, as far as the driver tells.
    variable: what tells the engine of its GPUs. spelled: how it calls those that it does not call by their number.
    """

    kind: Literal["gpu", "cpu"]
    names: tuple[str, ...]
    num_wanted: int
    strangers: frozenset[str] = frozenset()
    variable: str = CUDA
    spelled: Mapping[str, str] = field(default_factory=dict)


class GpuReadings:
    """Asks the driver through a process of its own, one at most: a call into a driver can hang for good."""

    def __init__(self) -> None:
        self._feed = HardwareFeed()
        self._last: HardwareReading | None = None

    def read(self, environment: Mapping[str, str], timeout_s: float = READING_S) -> HardwareReading | None:
        """A fresh reading; None without GPUs, and when the driver does not answer in time."""
        if not may_have_gpus(environment):
            return None
        deadline = time.monotonic() + timeout_s
        try:
            while time.monotonic() < deadline:
                state = self._feed.poll()
                if state.reading is not None and state.reading is not self._last:
                    self._last = state.reading
                    return state.reading
                if state.problem:
                    return None
                time.sleep(_POLL_S)
        finally:
            self._feed.close()
        return None


def free_now(config: RunConfig, runs: Path) -> DeviceAnswer:
    """Whether a run of this configuration would find its devices free, and nobody waiting for them already.

    Blocks up to 3 s where there are GPUs; raises nothing.
    """
    pool = pool_for(config, os.environ, GpuReadings().read(os.environ))
    claimed = claims(runs)
    entries = ((folder, read_entry(folder)) for folder in all_runs(runs))
    num_waiting = sum(e is not None and e.host == this_host() and is_waiting(f) for f, e in entries)
    if choose(pool, claimed) is None:
        return DeviceAnswer(False, _who_has_them(pool, claimed))
    if num_waiting:
        who = "a run waits" if num_waiting == 1 else f"{num_waiting} runs wait"
        return DeviceAnswer(False, f"{who} in the queue already")
    return DeviceAnswer(True, _which_are_free(pool, claimed))


def pool_for(config: RunConfig, environment: Mapping[str, str], reading: HardwareReading | None) -> Pool:
    """The GPUs that the environment shows, or this process's cores for a run that uses none."""
    if config.launch.device != "cpu":
        spelled = visible_gpus(environment, reading)
        gpus = tuple(spelled)
        if gpus or config.launch.device == "cuda":
            strangers = frozenset(_filled(reading)) if reading else frozenset()
            num_wanted = min(config.launch.num_processes, len(gpus))
            return Pool("gpu", gpus, num_wanted, strangers, variable_of(reading), spelled)
    cores = tuple(f"cpu:{number}" for number in _cores())
    # without a number of threads the processes share all cores
    num_wanted = config.launch.num_processes * config.launch.threads or len(cores)
    return Pool("cpu", cores, min(num_wanted, len(cores)))


def choose(pool: Pool, claimed: Mapping[str, str]) -> tuple[str, ...] | None:
    """The first free devices, as many as the run needs; None when there are too few."""
    free = _free(pool, claimed)
    return free[: pool.num_wanted] if len(free) >= pool.num_wanted else None


def given(pool: Pool, names: tuple[str, ...], environment: Mapping[str, str]) -> Devices:
    """The devices with the variables by which the engine sees these GPUs alone; cores need none."""
    if pool.kind == "cpu" or not names:
        return Devices(names)
    variables = {pool.variable: ",".join(pool.spelled.get(name, name.partition(":")[2]) for name in names)}
    if pool.variable == CUDA and CUDA not in environment:
        # the driver's numbers, by which readings go: CUDA's own order puts the fastest first
        variables["CUDA_DEVICE_ORDER"] = "PCI_BUS_ID"
    return Devices(names, variables)


def claims(runs: Path, apart_from: RunFolder | None = None) -> dict[str, str]:
    """Every device of this machine that a live run of these has, with the run's name.

    A claim lasts while the run's supervisor does, or its `join` here, or any process of its engine. Raises
    nothing.
    """
    tags: frozenset[str] | None = None
    claimed: dict[str, str] = {}
    for folder in all_runs(runs):
        if folder == apart_from:
            continue
        for devices, is_watched in _said_to_be_taken(folder):
            if not is_watched and tags is None:
                tags = live_tags()  # one look at all processes serves all runs
            if is_watched or _has_processes(folder, tags or frozenset()):
                claimed.update(dict.fromkeys(devices, folder.about().name))
    return claimed


def _said_to_be_taken(folder: RunFolder) -> Iterator[tuple[tuple[str, ...], bool]]:
    """Devices here that the run said it has, and whether who said so is at work."""
    state = read_state(folder)
    if state is None:
        return
    is_live = state.state in LIVE_STATES
    if state.devices and is_here(state.supervisor):
        yield state.devices, is_live and is_locked(folder)
    if is_live:
        for part in machine_devices(folder.attempt(state.attempt)):
            if part.devices and is_here(part.joined):
                yield part.devices, is_alive(part.joined)


def waits_for(pool: Pool, claimed: Mapping[str, str]) -> str:
    """The sentence for the first of the queue."""
    return f"waits for {_count(pool.num_wanted, pool.kind)}; {_who_has_them(pool, claimed)}"


def _cores() -> tuple[int, ...]:
    if hasattr(os, "sched_getaffinity"):
        return tuple(sorted(os.sched_getaffinity(0)))
    return tuple(range(os.cpu_count() or 1))


def _filled(reading: HardwareReading) -> Iterable[str]:
    """GPUs of which more memory is in use than an idle one has."""
    for device in reading.devices:
        used, total = device.memory_used_bytes, device.memory_total_bytes
        if used is not None and total and used > STRANGERS_SHARE * total:
            yield f"gpu:{device.index}"


def _has_processes(folder: RunFolder, tags: frozenset[str]) -> bool:
    try:
        prefix = tag_prefix(folder)
        return any(tag.startswith(prefix) for tag in tags)
    except OSError:
        return False


def _free(pool: Pool, claimed: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(name for name in pool.names if name not in claimed and name not in pool.strangers)


def _count(number: int, kind: Literal["gpu", "cpu"]) -> str:
    noun = "GPU" if kind == "gpu" else "CPU core"
    return f"a {noun}" if number == 1 else f"{number} {noun}s"


def _who_has_them(pool: Pool, claimed: Mapping[str, str]) -> str:
    """Such as "all 8 GPUs are used by warm-otter"."""
    taken = [name for name in pool.names if name in claimed or name in pool.strangers]
    users = list(dict.fromkeys(claimed.get(name, _STRANGER) for name in taken))
    who = users[0] if len(users) == 1 else f"{', '.join(users[:-1])} and {users[-1]}"
    noun = "GPU" if pool.kind == "gpu" else "CPU core"
    if len(taken) < len(pool.names):
        verb = "is" if len(taken) == 1 else "are"
        return f"{len(taken)} of {len(pool.names)} {noun}s {verb} used by {who}"
    if len(taken) == 1:
        return f"the {noun} is used by {who}"
    return f"{'both' if len(taken) == 2 else f'all {len(taken)}'} {noun}s are used by {who}"


def _which_are_free(pool: Pool, claimed: Mapping[str, str]) -> str:
    if not pool.names:
        return "this machine shows no GPU"
    num_free = len(_free(pool, claimed))
    noun = "GPU" if pool.kind == "gpu" else "CPU core"
    if num_free == len(pool.names):
        return f"the {noun} is free" if num_free == 1 else f"all {num_free} {noun}s are free"
    return f"{num_free} of {len(pool.names)} {noun}s {'is' if num_free == 1 else 'are'} free"
