"""Start, stop and kill runs; and the exact command of a run, to be shown before it starts."""

from __future__ import annotations

import os
import shlex
import sys
import threading
import time
from pathlib import Path

import msgspec

from presets.config import with_values
from presets.schema import RunConfig
from runs import control
from runs.folder import RunFolder
from runs.lock import RunBusy as RunBusy
from runs.lock import held_lock, is_locked
from runs.outcome import Ending, conclude
from runs.outcome_words import proof_words
from runs.ownership import ReadOnlyRun as ReadOnlyRun
from runs.ownership import require_ours, require_startable
from runs.processes import is_here, kill_all, stuck_message
from runs.queue_entry import is_waiting, withdraw
from runs.spawn import LaunchFailed as LaunchFailed
from runs.spawn import child_environment as child_environment
from runs.spawn import log_size, refuse_logout, said, spawn_supervisor
from runs.status import StateRecord, engine_processes, latest_attempt, read_outcome, read_state, read_status

SHUTDOWN_MARGIN_S = 30
MEETING_S = 1800

_START_WAIT_S = 10.0
_POLL_S = 0.01
_LET_GO_S = 3.0


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


def threads_per_process(config: RunConfig) -> int:
    """CPU threads of each process: as configured, else this machine's cores shared among the processes."""
    if config.launch.threads:
        return config.launch.threads
    num_cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, num_cores // config.launch.num_processes)


def configured(folder: RunFolder, num_processes: int) -> RunConfig:
    """The run's configuration, with another number of processes unless that is 0. Raises OSError, ConfigError."""
    config = folder.config()
    return with_values(config, {"launch.num_processes": num_processes}) if num_processes else config


def start(folder: RunFolder, resume: str = "", num_processes: int = 0, despite_logout: bool = False) -> int:
    """Spawn the detached supervisor of a run; returns its pid once it holds the lock (at most 10 s).

    num_processes: another number for this attempt than the run's configuration has; 0 for that one.
    A run that waits in the queue without a supervisor leaves it; `queue.enqueue` lets one wait.
    Call it off the event loop. Raises ReadOnlyRun when the run is not ours, or holds what leads out of it, RunBusy
    when it is live, LogoutWouldKill unless despite_logout,
    LaunchFailed with the supervisor's words when it gave up at once, OSError when it cannot be spawned.
    """
    require_startable(folder)
    refuse_live(folder)
    refuse_logout(despite_logout)
    said_before, before = log_size(folder), read_state(folder)
    arguments = ["--resume", resume] if resume else []
    arguments += ["--processes", str(num_processes)] if num_processes else []
    process = spawn_supervisor(folder, *arguments)
    deadline = time.monotonic() + _START_WAIT_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            if _is_up(folder, process.pid, before):
                break  # it came up, and its run is over already
            raise LaunchFailed(said(folder, said_before) or f"the supervisor ended with {process.returncode}")
        if _is_up(folder, process.pid, before):
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
        state = read_status(folder).state
        name = folder.about().name
        raise RunBusy(_waits_already(folder, name) if state == "queued" else f"{name} is {state}; stop it first")
    orphans = engine_processes(folder, read_state(folder))
    if orphans:
        pids = ", ".join(str(identity.pid) for identity in orphans)
        raise RunBusy(f"processes of {folder.about().name} are still alive (pid {pids}); stop or kill it first")


def _waits_already(folder: RunFolder, name: str) -> str:
    from runs.queue import place_sentence, waiting  # which needs this module

    places = [one.place for one in waiting(folder.path.parent) if one.folder == folder]
    where = f"is {place_sentence(places[0])}" if places else "waits in the queue"
    return f"{name} {where} already; stop takes it out"


def stop(folder: RunFolder) -> None:
    """Ask a run to save and end; returns at once. The engine itself reads the request, also an orphaned one.

    A run that waits in the queue is taken out of it.
    Raises ValueError when the run is not live, OSError when the request cannot be written.
    """
    _require_live(folder, "stop")
    if not withdraw(folder):
        control.ask(folder, "stop")


def pause(folder: RunFolder) -> None:
    """Ask a run to save, end and free its device, to be resumed later; returns at once. Raises as `stop` does."""
    _require_live(folder, "pause")
    if is_waiting(folder):
        raise ValueError(f"{folder.about().name} waits in the queue and has no device to free; stop takes it out")
    control.ask(folder, "pause")


def ask(folder: RunFolder, verb: control.Verb, value: str = "") -> control.Request:
    """Ask a live run for something at its next step; its answer is an event. Returns at once.

    Raises ValueError with a sentence when the value is wrong or the run is not there to answer, and OSError.
    """
    control.check_value(verb, value)
    state = read_status(folder).state
    if state in ("stopping", "pausing"):
        raise ValueError(f"{folder.about().name} is {state}; it answers no more requests")
    _require_live(folder, "change" if value else verb)
    return control.ask(folder, verb, value)


def kill(folder: RunFolder) -> None:
    """End a run at once, without saving; one that waits is taken out of the queue.

    Only when no supervisor is there to do it, it blocks until all is gone: up to 10 s for processes, and as long
    for the memory of GPUs.
    Raises ValueError when the run is not live, RunBusy when a process outlives SIGKILL, OSError.
    """
    require_ours(folder)
    if not engine_processes(folder, read_state(folder)):  # of a run that has ended: what outlived its end
        _require_live(folder, "kill")
    if withdraw(folder):
        return
    if is_locked(folder):
        control.ask(folder, "kill")
        return
    with held_lock(folder):
        state, attempt = read_state(folder), latest_attempt(folder)
        if state is None or attempt is None or not engine_processes(folder, state):
            return
        killed = time.time()
        pids = {identity.pid for identity in engine_processes(folder, state)}
        stuck = stuck_message(kill_all(lambda: engine_processes(folder, state)))
        if read_outcome(attempt) is None:
            from runs.device_memory import DeviceMemory, gpus_of  # which itself starts processes as we do

            memory = DeviceMemory(gpus_of(state.devices))
            held = memory.what_is_left(state.tag, pids)
            left = "; ".join(filter(None, (stuck, held)))
            proof = "" if left else proof_words(memory.is_seen_free)
            ending = Ending(None, max(0.0, killed - state.since), "kill", killed=killed, left=left, proof=proof)
            conclude(folder, attempt, ending)
    if stuck:
        raise RunBusy(stuck)


def _require_live(folder: RunFolder, verb: str) -> None:
    require_ours(folder)
    status = read_status(folder)
    if status.state == "lost":
        raise ValueError(f"{folder.about().name} cannot be reached from here: {status.reason}")
    if not status.is_live:
        raise ValueError(f"{folder.about().name} is {status.state}; there is nothing to {verb}")


def _is_up(folder: RunFolder, pid: int, before: StateRecord | None) -> bool:
    """Whether the supervisor with that pid has written its state.

    before: the state as it stood, maybe of one that had the same pid, as in containers that count anew.
    """
    state = read_state(folder)
    if state is None or state.supervisor.pid != pid or not is_here(state.supervisor):
        return False
    return before is None or state.supervisor != before.supervisor
