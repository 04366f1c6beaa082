"""Start, stop, kill and delete runs; and the exact command of a run, to be shown before it starts."""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

import msgspec

import runs
from presets.schema import RunConfig
from runs import control
from runs.folder import RunFolder
from runs.lock import RunBusy as RunBusy
from runs.lock import held_lock, is_locked
from runs.outcome import Ending, conclude
from runs.processes import find_tagged, kill_all, stuck_message
from runs.status import engine_processes, latest_attempt, read_outcome, read_state, read_status

SHUTDOWN_MARGIN_S = 30
MEETING_S = 1800
TRASH = ".trash"

_START_WAIT_S = 10.0
_POLL_S = 0.01
_LET_GO_S = 3.0
_LOG_TAIL = 1500
_TRASHED_ID = re.compile(r"\d{8}-\d{6}-[a-z0-9._-]+")


class LaunchFailed(RuntimeError):
    """The supervisor did not come up; the text is what it said."""


class LaunchPlan(msgspec.Struct, frozen=True):
    """What will be started. notes: plain sentences that a person should know before."""

    argv: tuple[str, ...]
    notes: tuple[str, ...]

    def command(self) -> str:
        """The command as one would type it."""
        return shlex.join(self.argv)


def plan_launch(
    config: RunConfig, run_path: str = "<run>", attempt: int = 1, resume: str = "", machine: str = ""
) -> LaunchPlan:
    """The engine's command line: `python -m engine` for one process, torchrun for several, on every machine.

    machine: the folder in `ranks/` of a machine that joined; the first one's logs stand beside those folders.

    torchrun's own shutdown timeout is longer than two rungs of the stop ladder, so that it is the ladder
    that decides (its default kills a saving rank after 30 s).
    """
    engine = ("engine", run_path, "--attempt", str(attempt), *(("--resume", resume) if resume else ()))
    num_processes, num_nodes = config.launch.num_processes, config.launch.num_nodes
    if num_processes == num_nodes == 1:
        return LaunchPlan((sys.executable, "-m", *engine), ())
    timeout = 2 * config.launch.stop_grace + SHUTDOWN_MARGIN_S
    logs = f"{run_path}/attempts/{attempt:04d}/ranks"
    torchrun = (
        *(sys.executable, "-m", "torch.distributed.run"),
        *_meeting(config, Path(run_path).name, attempt),
        f"--nproc-per-node={num_processes}",
        *("--signals-to-handle=SIGTERM,SIGINT", f"--shutdown-timeout={timeout}"),
        *(f"--log-dir={'/'.join(filter(None, (logs, machine)))}", "--redirects=3", "-m"),
    )
    notes = [
        "torchrun opens two ports on every network interface of this machine while the run lasts, "
        "and whoever reaches them can run code as you; use it behind a firewall"
    ]
    if num_nodes > 1:
        others = "the other one" if num_nodes == 2 else f"each of the other {num_nodes - 1}"
        first = config.launch.rendezvous.rpartition(":")[0]
        notes.append(
            f"{num_nodes} machines train together: start the run on {first}, "
            f"then `tinytrain-tui join RUN` on {others} within half an hour; all need the same program, and "
            "the runs folder and the token caches on storage they share"
        )
    return LaunchPlan((*torchrun, *engine), tuple(notes))


def _meeting(config: RunConfig, run_id: str, attempt: int) -> tuple[str, ...]:
    """How torchrun's agents find each other; agents of another run or attempt never meet these."""
    if config.launch.num_nodes == 1:
        return ("--standalone",)
    return (
        f"--nnodes={config.launch.num_nodes}",
        *("--rdzv-backend=c10d", f"--rdzv-endpoint={config.launch.rendezvous.strip()}"),
        *(f"--rdzv-id={run_id}.{attempt}", f"--rdzv-conf=join_timeout={MEETING_S}"),
    )


def child_environment() -> dict[str, str]:
    """The environment in which `runs` and `engine` are found in this source tree, whatever the folder.

    PYTHONPATH keeps what it had in front. PYTHONSAFEPATH keeps a folder named `engine` in the current
    folder from being taken for ours.
    """
    root = str(Path(runs.__file__).resolve().parent.parent)
    inherited = [part for part in os.environ.get("PYTHONPATH", "").split(os.pathsep) if part and part != root]
    path = os.pathsep.join((*inherited, root))
    return {**os.environ, "PYTHONPATH": path, "PYTHONSAFEPATH": "1", "PYTHONUNBUFFERED": "1"}


def threads_per_process(config: RunConfig) -> int:
    """CPU threads of each process: as configured, else this machine's cores shared among the processes."""
    if config.launch.threads:
        return config.launch.threads
    num_cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, num_cores // config.launch.num_processes)


def start(folder: RunFolder, resume: str = "", num_processes: int = 0) -> int:
    """Spawn the detached supervisor of a run; returns its pid once it holds the lock (at most 10 s).

    num_processes: another number for this attempt than the run's configuration has; 0 for that one.
    Call it off the event loop. Raises RunBusy when the run is live, LaunchFailed with the supervisor's
    words when it gave up at once, OSError when it cannot be spawned.
    """
    refuse_live(folder)
    argv = [sys.executable, "-m", "runs.supervisor", str(folder.path)]
    argv += ["--resume", resume] if resume else []
    argv += ["--processes", str(num_processes)] if num_processes else []
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
    log = os.open(folder.supervisor_log, flags, 0o600)
    try:
        said_before = os.fstat(log).st_size
        process = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            # other runs that the configuration names lie beside this one, also with --runs-dir
            env={**child_environment(), "TINYTRAIN_RUNS": str(folder.path.parent)},
            start_new_session=True,
        )
    finally:
        os.close(log)
    deadline = time.monotonic() + _START_WAIT_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            if _is_up(folder, process.pid):
                break  # it came up, and its run is over already
            raise LaunchFailed(_said(folder, said_before) or f"the supervisor ended with {process.returncode}")
        if _is_up(folder, process.pid):
            break
        time.sleep(_POLL_S)
    # somebody must collect it when it ends while we are still here
    threading.Thread(target=process.wait, name=f"wait-{process.pid}", daemon=True).start()
    return process.pid


def refuse_live(folder: RunFolder) -> None:
    """Raise RunBusy with a sentence when a supervisor or an engine of the run is alive."""
    deadline = time.monotonic() + _LET_GO_S
    while is_locked(folder) and not read_status(folder).is_live and time.monotonic() < deadline:
        time.sleep(_POLL_S)  # the run is over, and its supervisor is about to go
    if is_locked(folder):
        raise RunBusy(f"{folder.id} is {read_status(folder).state}; stop it first")
    orphans = engine_processes(folder, read_state(folder))
    if orphans:
        pids = ", ".join(str(identity.pid) for identity in orphans)
        raise RunBusy(f"processes of {folder.id} are still alive (pid {pids}); stop or kill it first")


def stop(folder: RunFolder) -> None:
    """Ask a run to save and end; returns at once. The engine itself reads the request, also an orphaned one.

    Raises ValueError when the run is not live, OSError when the request cannot be written.
    """
    _require_live(folder, "stop")
    control.ask(folder, "stop")


def pause(folder: RunFolder) -> None:
    """Ask a run to save, end and free its device, to be resumed later; returns at once. Raises as `stop` does."""
    _require_live(folder, "pause")
    control.ask(folder, "pause")


def ask(folder: RunFolder, verb: control.Verb, value: str = "") -> control.Request:
    """Ask a live run for something at its next step; its answer is an event. Returns at once.

    Raises ValueError with a sentence when the value is wrong or the run is not there to answer, and OSError.
    """
    control.check_value(verb, value)
    state = read_status(folder).state
    if state in ("stopping", "pausing"):
        raise ValueError(f"{folder.id} is {state}; it answers no more requests")
    _require_live(folder, "change" if value else verb)
    return control.ask(folder, verb, value)


def kill(folder: RunFolder) -> None:
    """End a run at once, without saving. Blocks up to 10 s only when no supervisor is there to do it.

    Raises ValueError when the run is not live, RunBusy when a process outlives SIGKILL, OSError.
    """
    _require_live(folder, "kill")
    if is_locked(folder):
        control.ask(folder, "kill")
        return
    with held_lock(folder):
        state, attempt = read_state(folder), latest_attempt(folder)
        if state is None or attempt is None or not engine_processes(folder, state):
            return
        killed = time.time()
        survivors = kill_all(lambda: find_tagged(state.tag))
        if read_outcome(attempt) is None:
            elapsed_s = max(0.0, killed - state.since)
            ending = Ending(None, elapsed_s, "kill", killed=killed, note=stuck_message(survivors))
            conclude(folder, attempt, ending)
    if survivors:
        raise RunBusy(stuck_message(survivors))


def delete_run(folder: RunFolder) -> Path:
    """Move a run into the trash beside the runs, and return where it is now; `undelete_run` brings it back.

    Raises RunBusy for a live run, ValueError for what is not a run's folder, OSError.
    """
    if folder.path.is_symlink() or not folder.path.is_dir() or not _TRASHED_ID.match(folder.id):
        raise ValueError(f"{folder.path} is not the folder of a run")
    refuse_live(folder)
    trash = folder.path.parent / TRASH
    with contextlib.suppress(FileExistsError):
        trash.mkdir(mode=0o700)
    if trash.is_symlink() or not trash.is_dir():
        raise ValueError(f"{trash} is not a folder")
    with held_lock(folder):
        target = trash / folder.id
        folder.path.rename(target)
    os.utime(target)  # purge_trash counts from here
    return target


def undelete_run(trash: Path) -> RunFolder:
    """Bring a run back from the trash. Raises FileNotFoundError, FileExistsError, or ValueError."""
    if trash.parent.name != TRASH or trash.is_symlink() or not _TRASHED_ID.match(trash.name):
        raise ValueError(f"{trash} is not a run in the trash")
    target = trash.parent.parent / trash.name
    if target.exists() or target.is_symlink():
        raise FileExistsError(f"there is already a run {trash.name}")
    trash.rename(target)
    return RunFolder(target)


def purge_trash(runs_path: Path, older_than_s: float) -> int:
    """Delete for good what has been in the trash longer than that; returns how many runs. Follows no link."""
    trash = runs_path / TRASH
    if trash.is_symlink() or not trash.is_dir():
        return 0
    num_purged = 0
    with os.scandir(trash) as entries:
        for entry in entries:
            if not entry.is_dir(follow_symlinks=False) or not _TRASHED_ID.match(entry.name):
                continue
            if time.time() - entry.stat(follow_symlinks=False).st_mtime > older_than_s:
                shutil.rmtree(entry.path)
                num_purged += 1
    return num_purged


def _require_live(folder: RunFolder, verb: str) -> None:
    status = read_status(folder)
    if status.state == "lost":
        raise ValueError(f"{folder.id} cannot be reached from here: {status.reason}")
    if not status.is_live:
        raise ValueError(f"{folder.id} is {status.state}; there is nothing to {verb}")


def _is_up(folder: RunFolder, pid: int) -> bool:
    state = read_state(folder)
    return state is not None and state.supervisor.pid == pid


def _said(folder: RunFolder, offset: int) -> str:
    try:
        with folder.supervisor_log.open("rb") as file:
            file.seek(offset)
            return file.read().decode("utf-8", "replace").strip()[-_LOG_TAIL:]
    except OSError:
        return ""
