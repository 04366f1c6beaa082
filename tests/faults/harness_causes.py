"""Promise 12: seeded failures of the real engine under the real torchrun and supervisor; is each named right?

Right is: the rank and what happened stand in the first line, and the word for the cause is the right one. The
control is a build that leaves no error reports and no marks, and does not read torchrun's verdict.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from presets.fields import Value
from runs import launch
from runs.error_report import Cause
from runs.folder import RunFolder
from runs.processes import find_tagged
from runs.reader import RunReader
from runs.status import engine_processes, read_state, read_status
from runs.summary import RunIndex
from tests.faults import seeded_faults
from tests.faults.figures import Figure, Scale
from tests.tiny import new_run, tiny_config

_PATIENCE_S = 180.0
_STACKS_WITHIN_S = 10.0
_LIMIT_S = 15
_LENGTH: dict[str, Value] = {"train__max_steps": 100_000, "train__log_every": 2, "train__eval_every": 5}
_LENGTH |= {"train__checkpoint_every": 5, "launch__stop_grace": 1, "launch__collective_timeout": _LIMIT_S}


@dataclass(frozen=True)
class Case:
    """One seeded failure.

    rank: whose it is, None when no rank is to be named. says: words of the first line, besides the rank. then:
    what to do from outside once the run trains. keeps: it is to be alive, and stalled, when it is looked at.
    """

    fault: str
    cause: Cause
    says: tuple[str, ...]
    processes: int = 1
    ranks: tuple[int, ...] = (0,)
    rank: int | None = 0
    at: str = "step"
    step: int = 6
    config: dict[str, Value] = field(default_factory=dict)
    then: Callable[[RunFolder], None] | None = None
    keeps: bool = False
    damaged: bool = False

    @property
    def name(self) -> str:
        """For a table of what went wrong."""
        return f"{self.fault or 'from outside'} at {self.at}, {self.processes} processes, ranks {self.ranks}"


def _kill_supervisor(folder: RunFolder) -> None:
    state = read_state(folder)
    assert state is not None
    os.kill(state.supervisor.pid, signal.SIGKILL)


def _kill_agent(folder: RunFolder) -> None:
    state = read_state(folder)
    assert state is not None and state.agent is not None
    os.kill(state.agent.pid, signal.SIGKILL)


def _kill_everything(folder: RunFolder) -> None:
    state = read_state(folder)
    assert state is not None
    _kill_supervisor(folder)
    for identity in find_tagged(state.tag):
        with contextlib.suppress(ProcessLookupError):
            os.kill(identity.pid, signal.SIGKILL)


_GONE = "killed by signal 9"
QUICK = (
    Case("value error", "error", ("ValueError: the loss of row 4711",), processes=3, ranks=(2,), rank=2),
    Case("kill", "killed", (_GONE,), processes=2, ranks=(1,), rank=1),
)
LONG = (
    *QUICK,
    Case("torch out of memory", "out of memory", ("OutOfMemoryError",)),
    Case("torch out of memory", "out of memory", ("OutOfMemoryError",), 4, (2,), 2),
    Case("torch without memory", "out of memory", ("can't allocate memory",), 2, (1,), 1, at="evaluation", step=5),
    Case("memory error", "out of memory", ("MemoryError",), 2, (1,), 1),
    Case("address space", "out of memory", ("can't allocate memory",)),
    Case("segmentation fault", "crash", ("signal 11", "step 6")),
    Case("segmentation fault", "crash", ("signal 11", "step 6"), 4, (3,), 3),
    Case("segmentation fault", "crash", ("signal 11",), 2, (1,), 1, at="import"),
    Case("kill", "killed", (_GONE, "step 6")),
    Case("kill", "killed", (_GONE,), 2, (1,), 1, at="prepare", step=0),
    Case("bus error", "crash", ("signal 7",), 2, (1,), 1),
    Case("abort", "crash", ("signal 6",)),
    Case("abort", "crash", ("signal 6",), 2, (0,), 0, at="save", step=5),
    Case("missing module", "import", ("ModuleNotFoundError",), at="import"),
    Case("missing module", "import", ("ModuleNotFoundError",), 2, (1,), 1, at="import"),
    Case("missing library", "import", ("libnotthere.so.1",), 2, (0,), 0, at="import"),
    Case("hang", "hang", ("not moved since step 6", "wait"), 3, (2,), 2),
    Case("native hang", "hang", ("not moved since step 5", "evaluation"), 2, (0,), 0, at="evaluation", step=5),
    Case("hang that ignores SIGTERM", "hang", ("not moved since step 6",), 2, (1,), 1),
    Case("hang", "hang", ("has not moved since step 6",), 1, keeps=True),
    Case("hang", "hang", ("has not moved since step 6", "wait"), 3, (1,), 1, keeps=True,
         config={"launch__collective_timeout": 600}),
    Case("full disk", "disk full", ("No space left on device",)),
    Case("full disk", "disk full", ("No space left on device",), 3, (1,), 1),
    Case("damaged checkpoint", "data", ("CheckpointError",), damaged=True),
    Case("missing data", "data", ("DataError", "not-there.txt"), rank=None, processes=2,
         config={"data__source": "files", "data__dataset": "/not-there.txt"}),
    Case("not a number", "error", ("TrainingDiverged",), config={"train__max_skipped_updates": 4}),
    Case("native exit", "error", ("exit code 3",)),
    Case("native exit", "error", ("exit code 3",), 3, (1,), 1),
    Case("native exit as if well", "error", ("exit code 0",), 3, (1,), 1),
    Case("sys.exit", "error", ("SystemExit: 3",), 2, (1,), 1),
    Case("data thread", "error", ("KeyError: 'row 4711'",), 2, (1,), 1, at="data"),
    Case("value error", "error", ("ranks 1 and 2", "ValueError"), 4, (1, 2), None),
    Case("value error", "error", ("ValueError",), 2, (1,), 1, at="prepare", step=0),
    Case("value error", "error", ("ValueError",), 2, (0,), 0, at="save", step=5),
    Case("", "killed", ("torchrun", _GONE), 2, (), None, then=_kill_agent),
    Case("", "killed", ("disappeared without a word", "step"), 2, (), None, then=_kill_everything),
    Case("segmentation fault", "crash", ("signal 11",), 2, (1,), 1, step=400, then=_kill_supervisor),
    Case("value error", "error", ("ValueError",), 1, step=400, then=_kill_supervisor),
)  # fmt: skip
_OF_SEVERAL = [case for case in LONG if case.processes > 1 and case.cause != "hang" and case.then is None]
_OF_THE_CONTROL = {"quick": QUICK[1:], "long": tuple(_OF_SEVERAL[:12])}


def measure(folder: Path, scale: Scale) -> list[Figure]:
    """See the module's text."""
    cases = QUICK if scale == "quick" else (*LONG, *_oom_killer_cases())
    with _surroundings(folder):
        wrong = _try_all(folder, cases, broken=False)
        control = _OF_THE_CONTROL[scale]
        missed = _try_all(folder, control, broken=True)
    return [
        Figure(12, "seeded failures of which rank, cause or first line was wrong", len(cases), len(wrong),
               detail="; ".join(wrong)),
        Figure(12, "a build without reports, marks and torchrun's verdict", len(control), len(missed),
               is_control=True),
    ]  # fmt: skip


def _oom_killer_cases() -> tuple[Case, ...]:
    """With the kernel's real killer, where this machine lets us have a cgroup with a limit."""
    name = f"tinytrain-trial-{os.getpid()}"
    pid = os.fork()
    if pid == 0:
        os._exit(0 if seeded_faults.enter_cgroup(1 << 30, name) else 1)
    _, status = os.waitpid(pid, 0)
    seeded_faults.remove_cgroup(name)
    if status:
        return ()
    says = (_GONE, "the kernel's out-of-memory killer, since")
    return (
        Case("oom killer", "out of memory", says),
        Case("oom killer", "out of memory", says, 2, (1,), 1),
    )


@contextlib.contextmanager
def _surroundings(folder: Path) -> Iterator[None]:
    """The environment of the runs; what there was comes back."""
    faults = seeded_faults.install(folder / "faults")
    mine = {
        "TINYTRAIN_RUNS": str(folder / "runs"),
        "TINYTRAIN_CACHE": str(folder / "cache"),
        "TINYTRAIN_PRESETS": str(folder / "presets"),
        "HF_HOME": str(folder / "hf"),
        "OMP_NUM_THREADS": "1",
        "PYTHONPATH": os.pathsep.join(filter(None, (str(faults), os.environ.get("PYTHONPATH", "")))),
        seeded_faults.VARIABLE: str(faults),
    }
    before = {name: os.environ.get(name) for name in mine}
    os.environ.update(mine)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _try_all(folder: Path, cases: Sequence[Case], *, broken: bool) -> list[str]:
    """What was wrong with each, of those with which something was."""
    runs = folder / "runs"
    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(lambda case: _try(runs, folder / "faults", case, broken=broken), cases))
    return [f"{case.name}: {wrong}" for case, wrong in zip(cases, found, strict=True) if wrong]


_making = threading.Lock()


def _try(runs: Path, faults: Path, case: Case, *, broken: bool) -> str:
    """One run with its failure; what was not right, or nothing."""
    config: dict[str, Any] = {**_LENGTH, "launch__num_processes": case.processes, **case.config}
    if case.damaged:
        config["train__max_steps"] = 5
    with _making:
        run = new_run(runs, tiny_config(**config))
    started = time.monotonic()
    try:
        if case.damaged:
            launch.start(run)
            _wait(lambda: not read_status(run).is_live, run)
            for weights in run.checkpoints_dir.glob("step-*/model.safetensors"):
                content = bytearray(weights.read_bytes())
                content[-5] ^= 1
                weights.write_bytes(content)
        if case.fault not in ("missing data", "damaged checkpoint"):
            seeded_faults.seed(faults, run.id, case.fault, case.ranks, case.at, case.step, broken)
        launch.start(run, resume="last" if case.damaged else "")
        if case.then is not None:
            _wait(lambda: RunReader(run).poll().step >= 2, run)
            case.then(run)
        if case.keeps:
            _wait(lambda: read_status(run).state == "stalled", run)
            said = _judge_stalled(case, run)
            launch.kill(run)
            _wait(lambda: not read_status(run).is_live, run)
            return said or _judge_killed(case, run)
        _wait(lambda: not read_status(run).is_live, run)
        return _judge(case, run)
    except TimeoutError:
        return f"it did not end: {read_status(run)}"
    except launch.LaunchFailed as error:
        return f"it did not start: {error}"
    finally:
        _end(run)
        seeded_faults.remove_cgroup(run.id)
        print(f"# {time.monotonic() - started:.0f} s: {case.name}: {read_status(run).reason}", file=sys.stderr)


def _judge(case: Case, run: RunFolder) -> str:
    status, error = read_status(run), RunReader(run).poll().error
    if status.state != "failed" or error is None:
        return f"{status.state}: {status.reason}"
    rows = [row.root_cause for row in RunIndex(run.path.parent).poll() if row.id == run.id]
    for line in (status.reason, *rows):
        if not _says(case, line):
            return f"first line {line!r}"
    if case.rank is not None and error.rank != case.rank:
        return f"rank {error.rank}"
    return "" if error.cause == case.cause else f"cause {error.cause!r}"


def _judge_stalled(case: Case, run: RunFolder) -> str:
    reason = read_status(run).reason
    if not _says(case, reason):
        return f"stalled: {reason!r}"

    def has_stacks() -> bool:
        logs = "".join(log.read_text(errors="replace") for log in run.attempt(1).path.rglob("*.log"))
        return "most recent call first" in logs and "in strike" in logs

    try:
        _wait(has_stacks, run, _STACKS_WITHIN_S)
    except TimeoutError:
        return "no stacks in the log"
    return ""


def _judge_killed(case: Case, run: RunFolder) -> str:
    reason = read_status(run).reason
    return "" if _says(case, reason) else f"after a kill: {reason!r}"


def _says(case: Case, line: str) -> bool:
    """Whether a first line names what happened, and of several ranks the right one."""
    names_rank = case.processes == 1 or case.rank is None or re.search(rf"\brank {case.rank}\b", line)
    return bool(names_rank) and all(words in line for words in case.says)


def _wait(condition: Callable[[], bool], run: RunFolder, seconds: float = _PATIENCE_S) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(run.id)
        time.sleep(0.05)


def _end(run: RunFolder) -> None:
    """Leave no process of the run, whatever happened."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        state = read_state(run)
        identities = [] if state is None else [*engine_processes(run, state)]
        if read_status(run).is_live and state is not None:
            identities.append(state.supervisor)
        if not identities:
            return
        for identity in identities:
            with contextlib.suppress(ProcessLookupError):
                os.kill(identity.pid, signal.SIGKILL)
        time.sleep(0.1)
