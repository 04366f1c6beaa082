"""Promise 6: a forced end leaves no process, whoever is shot first and whatever it ignores."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from runs import launch
from runs.folder import RunFolder
from runs.lock import is_locked
from runs.status import read_outcome, read_state
from tests.faults.fault_runs import FaultRuns, begun, engine_pids, wait_for
from tests.faults.figures import Figure, Scale

WITHIN_S = 10.0
_AT_ONCE = 4

GROUP_KILL = """
import contextlib, os, signal
import runs.processes

def kill_group(find, timeout_s=10.0, reap=lambda: None):
    supervisor = getattr(find, "__self__", None)
    if supervisor is not None and supervisor._agent is not None:
        with contextlib.suppress(OSError):
            os.killpg(supervisor._agent.pid, signal.SIGKILL)
    return ()

runs.processes.kill_all = kill_group
"""


def _ask(folder: RunFolder, supervisor: int, agent: int) -> None:
    launch.kill(folder)


def _agent_first(folder: RunFolder, supervisor: int, agent: int) -> None:
    os.kill(agent, signal.SIGKILL)


def _group_first(folder: RunFolder, supervisor: int, agent: int) -> None:
    os.killpg(agent, signal.SIGKILL)


def _supervisor_first(folder: RunFolder, supervisor: int, agent: int) -> None:
    os.kill(supervisor, signal.SIGKILL)
    wait_for(lambda: not is_locked(folder), "the supervisor is gone")
    launch.kill(folder)


@dataclass(frozen=True)
class Way:
    """How a run is ended. A child is in a session of its own, deaf to SIGTERM. processes: above 1, torchrun."""

    scenario: str
    shoot: Callable[[RunFolder, int, int], None]
    processes: int = 1

    @property
    def has_child(self) -> bool:
        return "child" in self.scenario


WAYS = (
    Way("ignores everything, with a child", _ask),
    Way("leaves a child", _agent_first),
    Way("leaves a child without a tag", _agent_first),
    Way("leaves a child", _group_first),
    Way("ignores everything, with a child", _supervisor_first),
    Way("trains", _ask),
)
SEVERAL = (
    Way("trains", _agent_first, processes=2),
    Way("ignores everything, with a child", _group_first, processes=2),
    Way("ignores everything, with a child", _ask, processes=2),
)


def measure_kills(folder: Path, scale: Scale) -> list[Figure]:
    """The kills, and a build that kills a group rather than what carries the tag."""
    is_long = scale == "long"
    ways = [WAYS[number % len(WAYS)] for number in range(182)] + [*SEVERAL * 6] if is_long else [*WAYS]
    with FaultRuns(folder / "ours") as runs:
        took = _all(runs, ways, WITHIN_S)
    left = sum(seconds is None for seconds in took)
    slowest = max((seconds for seconds in took if seconds is not None), default=0.0)
    what = f"ended by force (agent first, deaf to SIGTERM, children in own sessions): left after {WITHIN_S:.0f} s"
    figures = [Figure(6, what, len(took), left, detail=f"slowest {slowest:.1f} s")]
    controls = [*WAYS[:2] * (5 if is_long else 1)]
    with FaultRuns(folder / "group", broken=GROUP_KILL) as runs:
        took = _all(runs, controls, 1.0)
    missed = sum(seconds is None for seconds in took)
    return [*figures, Figure(6, "kills the group of the agent", len(took), missed, is_control=True)]


def _all(runs: FaultRuns, ways: list[Way], within_s: float) -> list[float | None]:
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return list(pool.map(lambda way: _end(runs, way, within_s), ways))


def _end(runs: FaultRuns, way: Way, within_s: float) -> float | None:
    """Seconds from the shot until nothing of the run is alive, or None when something still is."""
    folder = runs.make(grace=600, processes=way.processes)
    supervisor = runs.start(folder, way.scenario)
    agent = begun(folder)
    state = read_state(folder)
    assert state is not None
    number_before = len(engine_pids(state.tag))
    assert number_before >= (1 if way.processes == 1 else way.processes + 1), (
        "the engine has not all its processes"
    )
    child_file = folder.attempt(1).path / "child.pid"
    children = {int(wait_for(child_file.read_text, "its child is up"))} if way.has_child else set()
    started = time.monotonic()
    way.shoot(folder, supervisor.pid, agent)
    if within_s < WITHIN_S:  # a broken build is given the time its supervisor needs
        wait_for(lambda: not is_locked(folder), "the supervisor has ended")
        within_s += time.monotonic() - started
    while left := {*engine_pids(state.tag), *filter(_exists, children)}:
        if time.monotonic() - started > within_s:
            for pid in left:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            return None
        time.sleep(0.02)
    took = time.monotonic() - started
    wait_for(lambda: read_outcome(folder.attempt(1)) is not None, "it is said how it ended")
    return took


def _exists(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()
