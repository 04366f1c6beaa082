"""Runs for the fault harnesses: real supervisors of a fake engine, in a folder that is left without a process."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Self, TypeVar

from presets.config import with_values
from presets.fields import Value
from presets.schema import RunConfig
from runs.folder import RunFolder, create_run
from runs.spawn import child_environment, spawn_supervisor
from runs.status import read_state, read_status
from tests import fake_engine

T = TypeVar("T")
_FOLDERS = ("cache", "presets", "home")


class NeverBegan(AssertionError):
    """What was to be disturbed was not there, so that the disturbance would show nothing."""


class FaultRuns:
    """A folder of runs; leaving it kills everything that was started for them.

    broken: Python code that every process of these runs executes at its start, for a deliberately broken build.
    fake: whether the engine is tests/fake_engine.
    """

    def __init__(self, folder: Path, broken: str = "", fake: bool = True) -> None:
        self.is_real = not fake
        self.runs = folder / "runs"
        self.runs.mkdir(parents=True, mode=0o700)
        paths = []
        if broken:
            (folder / "broken").mkdir()
            (folder / "broken" / "sitecustomize.py").write_text(broken)
            paths.append(str(folder / "broken"))
        if fake:
            paths.append(str(fake_engine.install(folder / "fake")))
        own = {f"TINYTRAIN_{name.upper()}": str(folder / name) for name in _FOLDERS}
        own |= {"TINYTRAIN_RUNS": str(self.runs), "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
        environment = child_environment()
        environment["PYTHONPATH"] = os.pathsep.join((*paths, environment["PYTHONPATH"]))
        self.environment = environment | own
        self._supervisors: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        while left := self.processes():
            for pid in left:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            time.sleep(0.02)
        for supervisor in self._supervisors:
            supervisor.wait()

    def make(self, grace: int = 1, processes: int = 1, **values: Value) -> RunFolder:
        """A run that is not started yet. values: further fields, `train__max_steps=5`."""
        fields = {"launch.stop_grace": grace, "launch.num_processes": processes, "launch.device": "cpu"}
        fields |= {name.replace("__", "."): value for name, value in values.items()}
        return create_run(self.runs, with_values(RunConfig(), fields), preset="faults")

    def start(self, folder: RunFolder, scenario: str = "trains", **environment: str) -> subprocess.Popen[bytes]:
        """Start its supervisor, which is returned; `begun` waits for the engine."""
        own = self.environment | {fake_engine.SCENARIO: scenario} | environment
        supervisor = spawn_supervisor(folder, environment=own)
        self._supervisors.append(supervisor)
        return supervisor

    def processes(self) -> list[int]:
        """Everything that was started for these runs and is alive, wherever it went."""
        wanted = f"TINYTRAIN_RUNS={self.runs}".encode()
        return [pid for pid, environment in _environments() if wanted in environment]


def tiny_endless_run() -> dict[str, Value]:
    """Fields for `make` of a run of the real engine that trains on and on."""
    fields: dict[str, Value] = {
        "data__tokenizer": "word", "data__vocab_size": 200, "data__max_samples": 12, "data__sequence_length": 16,
        "data__validation_fraction": 0.25, "model__hidden_size": 8, "model__num_layers": 2, "model__num_heads": 2,
        "train__batch_size": 8, "train__max_steps": 10**6, "train__log_every": 4, "train__eval_rows": 32,
        "train__precision": "fp32", "launch__threads": 1,
    }  # fmt: skip
    return fields


def engine_pids(tag: str) -> list[int]:
    """The processes of a run, by its tag, found without the code under test."""
    wanted = f"TINYTRAIN_RUN_TAG={tag}".encode()
    return [pid for pid, environment in _environments() if wanted in environment]


def begun(folder: RunFolder) -> int:
    """Wait until the run records; returns the pid of its engine (of several processes: of torchrun)."""
    wait_for(lambda: read_status(folder).state == "running", "it runs")
    file = folder.attempts()[-1].metrics_file
    wait_for(lambda: file.exists() and file.stat().st_size > 0, "it records")
    state = read_state(folder)
    if state is None or state.agent is None or state.agent.pid not in engine_pids(state.tag):
        raise NeverBegan(f"{folder.id}: the engine is not there")
    return state.agent.pid


def goes_on(folder: RunFolder, pid: int, patience_s: float = 10.0) -> bool:
    """Whether the same engine is alive and records more."""
    file = folder.attempts()[-1].metrics_file
    size = file.stat().st_size
    deadline = time.monotonic() + patience_s
    while time.monotonic() < deadline:
        if not Path(f"/proc/{pid}/environ").exists() or not _is_alive(pid):
            return False
        if file.stat().st_size > size:
            return True
        time.sleep(0.01)
    return False


def wait_for(condition: Callable[[], T], what: str, timeout_s: float = 60.0) -> T:
    """Poll until the condition holds and return its value. Raises NeverBegan when it never does."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        value = condition()
        if value:
            return value
        time.sleep(0.01)
    raise NeverBegan(f"not within {timeout_s:g} s: {what}")


def _is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def _environments() -> Iterator[tuple[int, list[bytes]]]:
    for path in Path("/proc").glob("[0-9]*/environ"):
        with contextlib.suppress(OSError):
            if (pid := int(path.parent.name)) != os.getpid():
                yield pid, path.read_bytes().split(b"\0")
