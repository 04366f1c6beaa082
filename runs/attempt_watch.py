"""One attempt of a run under watch: its engine is started, heeded, walked down the stop ladder, accounted for."""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Literal

import msgspec

from presets.schema import RunConfig
from runs import control
from runs.device_memory import DeviceMemory, gpus_of
from runs.devices import NO_DEVICES, Devices
from runs.disk import is_full
from runs.folder import Attempt, RunFolder, write_atomically
from runs.hang_watch import HangWatch
from runs.ladder import Ladder
from runs.launch import child_environment, plan_launch, threads_per_process
from runs.launch_record import describe_launch
from runs.machines import GRACE_S, machine_ends, wait_for_machines
from runs.notify_settings import WEBHOOK_VARIABLE
from runs.outcome import Ending, conclude
from runs.outcome_words import proof_words
from runs.ownership import ReadOnlyRun
from runs.processes import (
    TAG_VARIABLE,
    ProcessIdentity,
    children,
    find_tagged,
    identify,
    kill_all,
    send_signal,
    stuck_message,
    this_process,
)
from runs.queue_entry import leave
from runs.records import RecordTail
from runs.reserve import Reserve
from runs.status import Outcome, State, StateRecord, tag_prefix
from runs.webhook import Teller

POLL_S = 0.1
_WRITE_TRIES = 60
_ON_LINUX = sys.platform == "linux"


class Supervisor:
    """One attempt, from its folder to its outcome. Holds the engine's process."""

    def __init__(
        self, folder: RunFolder, config: RunConfig, attempt: Attempt, resume: str, devices: Devices = NO_DEVICES
    ) -> None:
        self.folder = folder
        self.config = config
        self.attempt = attempt
        self.resume = resume
        self.devices = devices
        self.tag = f"{tag_prefix(folder)}{attempt.number}.{secrets.token_hex(16)}"
        self.ladder = Ladder(grace_s=config.launch.stop_grace)
        self.must_stop = False  # set by a signal
        self.teller = Teller(folder, log)
        self._wanted: Literal["", "stop", "pause"] = ""
        self._me = this_process()
        self._agent: ProcessIdentity | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._killed = 0.0
        self._lost_at = 0.0
        self._left = self._proof = ""
        self._memory = DeviceMemory(())
        self._engine_pids: set[int] = set()
        self._events = RecordTail(attempt.events_file)
        self._hang_watch = HangWatch(attempt, self.tag)
        self._started = time.monotonic()
        self._state = StateRecord(
            "starting", attempt.number, self.tag, self._me, since=time.time(), devices=devices.names
        )

    def run(self) -> Outcome | None:
        """Start the engine, watch it to its end, and write how it ended; None when told to end before that."""
        self._write_state()
        self._memory = DeviceMemory(gpus_of(self._state.devices))
        self._memory.begin()
        try:
            self._process = self._spawn()
        except OSError as error:
            return self._conclude(f"the engine cannot be started: {error}")
        self._agent = identify(self._process.pid)
        self._set_state("starting")
        with contextlib.suppress(OSError):  # main tries again
            leave(self.folder)
        while not self._reap():
            self._memory.poll()
            self._read_events()
            self._heed_requests()
            if said := self._hang_watch.look():
                log(said)
                self.teller.alert("hang", said)
            if self._climb() or self.has_lost_machine():
                break
            time.sleep(POLL_S)
        # also after an end by itself: what the agent left behind must not go on alone
        self._left = self._prove_that_nothing_is_left()
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
            **self.devices.environment,
            TAG_VARIABLE: self.tag,
            "OMP_NUM_THREADS": str(threads_per_process(self.config)),
        }
        if _ON_LINUX and self.config.launch.num_processes > 1 and self.config.launch.num_nodes == 1:
            environment.setdefault("GLOO_SOCKET_IFNAME", "lo")  # ranks of one machine need no network
        environment.pop(WEBHOOK_VARIABLE, None)  # a secret that training has no use for
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
                self._memory.close()  # from here on it is no longer what was before the run
                if self._state.state == "starting":
                    self._set_state("running")
            elif kind == "checkpoint_saved":
                self.ladder.saved(float(event.get("elapsed_s") or 0.0))
            elif kind == "control_answered" and event.get("accepted"):
                self._want(event.get("verb"))
            else:
                self.teller.heed(event)

    def _heed_requests(self) -> None:
        if self.must_stop:
            self.must_stop = False
            with contextlib.suppress(OSError, ReadOnlyRun):  # where nothing can be written the ladder is enough
                control.ask(self.folder, "stop")
            self._want("stop")
        for request in control.pending(self.folder):
            if request.verb == "kill":
                self.ladder.kill()
                with contextlib.suppress(OSError):
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

    def _prove_that_nothing_is_left(self) -> str:
        """Kill what is there, and see that the devices' memory is free; a sentence about what is not, or empty."""
        self._memory.close()
        survivors = kill_all(self._engine_processes, reap=self._reap)
        if self._memory.gpus:
            self._set_state(self._state.state, "waiting for its device memory to be free")
        held = self._memory.what_is_left(self.tag, self._engine_pids)
        left = "; ".join(filter(None, (stuck_message(survivors), held)))
        self._proof = "" if left else proof_words(self._memory.is_seen_free)
        return left

    def _engine_processes(self) -> tuple[ProcessIdentity, ...]:
        """What carries the run's tag, and what was left to us by it; a look at the driver is neither."""
        found = (*find_tagged(self.tag), *children(self._me.pid))
        own = {identity: None for identity in found if identity.pid not in self._memory.helpers}
        self._engine_pids.update(identity.pid for identity in own)
        return tuple(own)

    def _conclude(self, failure: str = "") -> Outcome | None:
        ending = Ending(
            returncode=self._process.returncode if self._process else None,
            elapsed_s=time.monotonic() - self._started,
            wanted="kill" if self.ladder.kill_asked else self._wanted,
            terminated=self.ladder.was_terminated,
            killed=self._killed,
            left=self._left,
            proof=self._proof,
            failure=failure,
        )
        with contextlib.suppress(OSError):  # whoever starts the run next tries again
            control.clear(self.folder)
        num_tries, said = 0, ""
        while True:
            try:
                outcome = conclude(self.folder, self.attempt, ending)
                break
            except OSError as error:
                sentence = f"it is over, but how it ended cannot be written: {error}"
                if is_full(error) and Reserve(self.attempt).give_up():
                    self._let_go_of_devices(sentence)  # in the reserve's room
                    continue
                num_tries += not is_full(error)  # on a full disk somebody will make room some day
                if num_tries > _WRITE_TRIES:
                    raise
                if str(error) != said:
                    said = str(error)
                    log(f"the outcome cannot be written, which is tried again every second: {said}")
                self._let_go_of_devices(sentence)
                if self.must_stop or control.pending(self.folder, "kill"):
                    return None  # what became of it is settled by whoever starts or reads the run next
                time.sleep(1)
        self._set_state(outcome.state, outcome.reason)
        self.teller.ended(outcome, was_asked=bool(self._wanted or self.ladder.kill_asked))
        return outcome

    def _let_go_of_devices(self, sentence: str) -> None:
        """Say that the run is over, though its outcome is not there: others may have its devices."""
        state = msgspec.structs.replace(self._state, state="stopping", message=sentence, deadline=0.0, devices=())
        if state != self._state:
            with contextlib.suppress(OSError):  # the next try writes both
                write_atomically(self.folder.state_file, msgspec.json.format(msgspec.json.encode(state)))
                self._state = state

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
