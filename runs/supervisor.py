"""Watches over one attempt of a run: starts its processes, walks the stop ladder, says what became of it.

`python -m runs.supervisor <run folder> [--resume NAME]`, in a session of its own. Exit status: 0 the run
finished, stopped or paused, 1 it failed, 2 nothing was started.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import secrets
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import FrameType
from typing import Literal

import msgspec

from presets.config import ConfigError, with_values
from presets.schema import RunConfig
from runs import control
from runs.folder import Attempt, RunFolder, write_atomically
from runs.ladder import Ladder
from runs.launch import child_environment, plan_launch, threads_per_process
from runs.launch_record import describe_launch
from runs.lock import take_lock
from runs.machines import GRACE_S, machine_ends, wait_for_machines
from runs.outcome import Ending, conclude
from runs.processes import (
    TAG_VARIABLE,
    ProcessIdentity,
    become_subreaper,
    children,
    find_tagged,
    identify,
    kill_all,
    send_signal,
    stuck_message,
    this_process,
)
from runs.records import RecordTail
from runs.status import Outcome, State, StateRecord, engine_processes, latest_attempt, read_state, tag_prefix

POLL_S = 0.1
_WRITE_TRIES = 60


class Supervisor:
    """One attempt, from its folder to its outcome. Holds the engine's process."""

    def __init__(self, folder: RunFolder, config: RunConfig, attempt: Attempt, resume: str) -> None:
        self.folder = folder
        self.config = config
        self.attempt = attempt
        self.resume = resume
        self.tag = f"{tag_prefix(folder)}{attempt.number}.{secrets.token_hex(16)}"
        self.ladder = Ladder(grace_s=config.launch.stop_grace)
        self.must_stop = False  # set by a signal
        self._wanted: Literal["", "stop", "pause"] = ""
        self._me = this_process()
        self._agent: ProcessIdentity | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._killed = 0.0
        self._lost_at = 0.0
        self._note = ""
        self._events = RecordTail(attempt.events_file)
        self._started = time.monotonic()
        self._state = StateRecord("starting", attempt.number, self.tag, self._me, since=time.time())

    def run(self) -> Outcome:
        """Start the engine, watch it to its end, and write how it ended."""
        self._write_state()
        try:
            self._process = self._spawn()
        except OSError as error:
            return self._conclude(f"the engine cannot be started: {error}")
        self._agent = identify(self._process.pid)
        self._set_state("starting")
        while not self._reap():
            self._read_events()
            self._heed_requests()
            if self._climb() or self.has_lost_machine():
                break
            time.sleep(POLL_S)
        # also after an end by itself: what the agent left behind must not go on alone
        self._note = stuck_message(self._kill_everything())
        if not self._killed:
            wait_for_machines(self.attempt)
        return self._conclude()

    def has_lost_machine(self) -> bool:
        """Whether what ran on another machine failed some time ago: ranks of a GPU might wait for it for ever."""
        if self.config.launch.num_nodes == 1:
            return False
        if not self._lost_at and any(end.returncode for end in machine_ends(self.attempt)):
            self._lost_at = time.monotonic()  # by this machine's clock alone
        return bool(self._lost_at) and time.monotonic() - self._lost_at >= GRACE_S

    def _spawn(self) -> subprocess.Popen[bytes]:
        plan = plan_launch(self.config, str(self.folder.path), self.attempt.number, self.resume)
        environment = child_environment() | {
            TAG_VARIABLE: self.tag,
            "OMP_NUM_THREADS": str(threads_per_process(self.config)),
        }
        record = describe_launch(self.attempt.number, plan.argv, self.resume, environment)
        self._try_to_write(self.folder.launch_file, record)
        with self.attempt.console_file.open("ab") as console:
            self._started = time.monotonic()
            return subprocess.Popen(
                plan.argv,
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=console,
                cwd=self.folder.path,
                env=environment,
                start_new_session=True,
            )

    def _reap(self) -> bool:
        """Collect every child that has ended, orphans too; whether the agent has."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                break
            if pid == 0:
                break
            if self._process is not None and pid == self._process.pid:
                self._process.returncode = os.waitstatus_to_exitcode(status)
        return self._process is None or self._process.returncode is not None

    def _read_events(self) -> None:
        for event in self._events.poll():
            kind = event.get("kind")
            if kind == "attempt_started":
                self.ladder.begin()
                if self._state.state == "starting":
                    self._set_state("running")
            elif kind == "checkpoint_saved":
                self.ladder.saved(float(event.get("elapsed_s") or 0.0))
            elif kind == "control_answered" and event.get("accepted"):
                self._want(event.get("verb"))

    def _heed_requests(self) -> None:
        if self.must_stop:
            self.must_stop = False
            with contextlib.suppress(OSError):  # on a full disk the ladder is enough
                control.ask(self.folder, "stop")
            self._want("stop")
        for request in control.pending(self.folder):
            if request.verb == "kill":
                self.ladder.kill()
                control.answer(self.folder, request)
            else:
                self._want(request.verb)

    def _want(self, verb: object) -> None:
        """A stop or a pause begins the ladder, and a stop is more than a pause; the rest is the engine's alone."""
        if verb == "stop" or (verb == "pause" and not self._wanted):
            self._wanted = "stop" if verb == "stop" else "pause"
            self.ladder.ask()

    def _climb(self) -> bool:
        """Do what the ladder says is due; True after everything was killed."""
        rung = self.ladder.due()
        if rung == "kill":
            self._set_state("stopping", "killing everything")
            self._killed = time.time()
            return True
        if rung == "terminate" and self._agent is not None:
            # to the agent alone: torchrun passes it on, and gives its workers time to save
            send_signal(self._agent, signal.SIGTERM)
        if self.ladder.is_stopping:
            message, deadline = self.ladder.message, self.ladder.deadline
            state: State = "pausing" if self._wanted == "pause" else "stopping"
            is_known = self._state.state == state and self._state.message == message
            if not is_known or abs(self._state.deadline - deadline) > 1:
                self._set_state(state, message, deadline)
        return False

    def _kill_everything(self) -> tuple[ProcessIdentity, ...]:
        me = self._me.pid
        return kill_all(lambda: (*find_tagged(self.tag), *children(me)), reap=self._reap)

    def _conclude(self, failure: str = "") -> Outcome:
        ending = Ending(
            returncode=self._process.returncode if self._process else None,
            elapsed_s=time.monotonic() - self._started,
            wanted="kill" if self.ladder.kill_asked else self._wanted,
            terminated=self.ladder.was_terminated,
            killed=self._killed,
            note=self._note,
            failure=failure,
        )
        control.clear(self.folder)
        for _ in range(_WRITE_TRIES):
            try:
                outcome = conclude(self.folder, self.attempt, ending)
                break
            except OSError as error:  # a full disk: somebody may be making room right now
                log(f"the outcome cannot be written: {error}")
                time.sleep(1)
        else:
            raise TimeoutError("the outcome could not be written")
        self._set_state(outcome.state, outcome.reason)
        return outcome

    def _set_state(self, state: State, message: str = "", deadline: float = 0.0) -> None:
        since = self._state.since if state == self._state.state else time.time()
        self._state = msgspec.structs.replace(
            self._state, state=state, message=message, deadline=deadline, since=since, agent=self._agent
        )
        self._write_state()

    def _write_state(self) -> None:
        self._try_to_write(self.folder.state_file, self._state)

    def _try_to_write(self, path: Path, value: msgspec.Struct) -> None:
        """Write a file that training can do without: a full disk must not end a run."""
        try:
            write_atomically(path, msgspec.json.format(msgspec.json.encode(value)))
        except OSError as error:
            log(f"{path.name} cannot be written: {error}")


def log(sentence: str) -> None:
    """A line of `supervisor.log`; lost when the disk is full, as nothing may hang on it."""
    with contextlib.suppress(OSError):
        sys.stderr.write(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {sentence}\n")
        sys.stderr.flush()


def main(arguments: list[str] | None = None) -> int:
    """Run one attempt of a run; see the module's text."""
    parser = argparse.ArgumentParser(prog="python -m runs.supervisor", description=__doc__)
    parser.add_argument("run", type=Path, help="the run's folder")
    parser.add_argument("--resume", default="", metavar="NAME", help="checkpoint to continue from")
    parser.add_argument("--processes", type=int, default=0, metavar="N", help="other than configured")
    options = parser.parse_args(arguments)
    os.umask(0o077)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    folder = RunFolder(options.run.resolve())
    try:
        config = folder.config()
        if options.processes:
            config = with_values(config, {"launch.num_processes": options.processes})
        lock = take_lock(folder)
    except (OSError, ConfigError) as error:
        log(f"{folder.id} cannot be started: {error}")
        return 2
    if lock is None:
        log(f"{folder.id} already has a supervisor at work")
        return 2
    orphans = engine_processes(folder, read_state(folder))
    if orphans:
        log(f"processes of {folder.id} are still alive: pid {', '.join(str(o.pid) for o in orphans)}")
        return 2
    try:
        attempt = new_attempt(folder)
        control.clear(folder)
    except OSError as error:
        log(f"{folder.id} cannot be started: {error}")
        return 2
    become_subreaper()
    supervisor = Supervisor(folder, config, attempt, options.resume)

    def on_signal(number: int, frame: FrameType | None) -> None:
        supervisor.must_stop = True

    signal.signal(signal.SIGTERM, on_signal)
    signal.signal(signal.SIGINT, on_signal)
    outcome = supervisor.run()
    log(f"{folder.id}, attempt {attempt.number}: {outcome.state}: {outcome.reason}")
    return 1 if outcome.state == "failed" else 0  # the lock falls with the process


def new_attempt(folder: RunFolder) -> Attempt:
    """Make the folder of the next attempt. Raises OSError."""
    latest = latest_attempt(folder)
    attempt = folder.attempt(latest.number + 1 if latest else 1)
    attempt.path.parent.mkdir(exist_ok=True, mode=0o700)
    attempt.path.mkdir(mode=0o700)
    attempt.ranks_dir.mkdir(mode=0o700)
    return attempt


if __name__ == "__main__":
    raise SystemExit(main())
