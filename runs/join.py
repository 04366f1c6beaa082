"""`join`: a further machine runs torchrun in the foreground for its own ranks, beside the first one."""

from __future__ import annotations

import os
import re
import secrets
import signal
import subprocess
import time
from collections.abc import Callable

import msgspec

from presets.config import with_values
from presets.schema import RunConfig
from runs import control
from runs.folder import Attempt, RunFolder, read_struct, write_atomically
from runs.hang_watch import HangWatch
from runs.launch import child_environment, plan_launch, threads_per_process
from runs.launch_record import LaunchRecord
from runs.machines import CONSOLE_FILE, ENDED_FILE, GRACE_S, MachineEnd
from runs.processes import TAG_VARIABLE, find_tagged, kill_all, this_host
from runs.status import Outcome, latest_attempt, read_outcome, tag_prefix
from runs.waiting import take_for_machine

_POLL_S = 0.1
_START_WAIT_S = 30.0
_UNSAFE = re.compile(r"[^\w.-]+")


def join_run(
    folder: RunFolder,
    num_processes: int = 0,
    interrupts: Callable[[], int] = lambda: 0,
    begun: Callable[[], None] = lambda: None,
) -> MachineEnd:
    """Run this machine's share of the newest attempt, and return when it has ended.

    num_processes: another number of ranks than the configuration's. interrupts: how often somebody wanted to end
    it, up to now: the first asks the whole run to save and end, the second kills the ranks of this machine. begun:
    called once it is known that there is something to join.
    Raises ValueError with a sentence when there is nothing to join, OSError.
    """
    config = folder.config()
    if num_processes:
        config = with_values(config, {"launch.num_processes": num_processes})
    attempt, resume = _joinable(folder, config)
    begun()
    machine = attempt.ranks_dir / f"{_UNSAFE.sub('-', this_host())}-{os.getpid()}"
    machine.mkdir(parents=True, mode=0o700)
    tag = f"{tag_prefix(folder)}{attempt.number}.{secrets.token_hex(16)}"
    environment = child_environment() | {
        **take_for_machine(folder, config, machine).environment,
        TAG_VARIABLE: tag,
        "TINYTRAIN_RUNS": str(folder.path.parent),
        "OMP_NUM_THREADS": str(threads_per_process(config)),
    }
    plan = plan_launch(config, str(folder.path), attempt.number, resume, machine=machine.name)
    returncode = -signal.SIGKILL.value
    try:
        with (machine / CONSOLE_FILE).open("ab") as console:
            process = subprocess.Popen(
                plan.argv,
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=console,
                cwd=folder.path,
                env=environment,
                start_new_session=True,  # Ctrl-C is for us: it becomes a request to the whole run
            )
        ended = wait_for_end(folder, attempt, process, interrupts, HangWatch(attempt, tag).look)
        kill_all(lambda: find_tagged(tag), reap=process.poll)
        process.wait()
        returncode = process.returncode if ended else returncode
    finally:
        end = MachineEnd(this_host(), returncode, time.time())
        write_atomically(machine / ENDED_FILE, msgspec.json.encode(end))
    return end


def end_of_run(attempt: Attempt, timeout_s: float = GRACE_S) -> Outcome | None:
    """What became of the attempt, once it is known; None when nobody says within that time."""
    deadline = time.monotonic() + timeout_s
    while (outcome := read_outcome(attempt)) is None and time.monotonic() < deadline:
        time.sleep(_POLL_S)
    return outcome


def _joinable(folder: RunFolder, config: RunConfig) -> tuple[Attempt, str]:
    """The attempt that is under way, and the checkpoint it goes on from. Raises ValueError."""
    name = folder.about().name
    if config.launch.num_nodes == 1:
        raise ValueError(f"{name} is for one machine; launch.num_nodes says how many train together")
    attempt = latest_attempt(folder)
    if attempt is None or read_outcome(attempt) is not None:
        state = "was not started yet" if attempt is None else "is over"
        raise ValueError(f"{name} {state}: start or resume it on the first machine, then join it")
    deadline = time.monotonic() + _START_WAIT_S
    while True:
        record = read_struct(folder.launch_file, LaunchRecord)
        if record is not None and record.attempt == attempt.number:
            return attempt, record.resume
        if time.monotonic() > deadline:
            raise ValueError(f"{name} is not under way: {folder.launch_file.name} says nothing of this attempt")
        time.sleep(_POLL_S)


def wait_for_end(
    folder: RunFolder,
    attempt: Attempt,
    process: subprocess.Popen[bytes],
    interrupts: Callable[[], int],
    look: Callable[[], object] = lambda: None,
) -> bool:
    """Wait for the end; False when what runs here must be killed, since it was asked for or the rest is over.

    look: called meanwhile, some ten times a second.
    """
    over_at = 0.0
    has_asked = False
    while process.poll() is None:
        count = interrupts()
        if count > 1:
            return False
        if count and not has_asked:
            has_asked = True
            control.ask(folder, "stop")
        if not over_at and read_outcome(attempt) is not None:
            over_at = time.monotonic()
        if over_at and time.monotonic() - over_at > GRACE_S:
            return False
        look()
        time.sleep(_POLL_S)
    return True
