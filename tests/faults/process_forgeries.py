"""Promise 7: no stranger is ever signalled, whatever a record says and whoever has the pid by now."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec

from runs import launch
from runs.folder import RunFolder, write_atomically
from runs.processes import ProcessIdentity, identify, send_signal
from runs.spawn import child_environment
from runs.status import StateRecord
from tests.faults.fault_runs import FaultRuns, NeverBegan, begun, goes_on
from tests.faults.figures import Figure, Scale

Send = Callable[[ProcessIdentity, signal.Signals], bool]

_NUM_FORGED = 10_000
_NUM_CONTROLS = 20
_NUM_REUSED = {"quick": 20, "long": 500}
_NUM_STATES = {"quick": 24, "long": 240}

# In a pid namespace of its own, where the next pid can be chosen: prints how many pids were truly given again, and
# how many of their new owners were hit by a signal for the old one.
_REUSE = """
import os, signal, sys, time
from pathlib import Path
from runs.processes import identify, send_signal

def pid_only(identity, number):
    os.kill(identity.pid, number)
    return True

def sleeper():
    pid = os.fork()
    if pid == 0:
        signal.pause()
    return pid

send = {"ours": send_signal, "pid only": pid_only}[sys.argv[2]]
last_pid, tried, hit = Path("/proc/sys/kernel/ns_last_pid"), 0, 0
while tried < int(sys.argv[1]):
    old = sleeper()
    identity = identify(old)
    time.sleep(0.02)  # two clock ticks: within one, even the kernel's start time is the same
    os.kill(old, signal.SIGKILL)
    os.waitpid(old, 0)
    last_pid.write_text(str(old - 1))
    new = sleeper()
    tried += new == old
    sent = send(identity, signal.SIGKILL)
    time.sleep(0.002)
    hit += bool(sent or os.waitpid(new, os.WNOHANG)[0])
    try:
        os.kill(new, signal.SIGKILL)
        os.waitpid(new, 0)
    except (ProcessLookupError, ChildProcessError):
        pass
print(tried, hit)
"""


def by_pid_alone(identity: ProcessIdentity, number: signal.Signals) -> bool:
    """The broken build: what a pid file gives."""
    os.kill(identity.pid, number)
    return True


def measure_forgeries(folder: Path, scale: Scale) -> list[Figure]:
    """Forged identities, pids that were really reused, forged state.json; and a build that believes the pid."""
    hit = _forged(send_signal, _NUM_FORGED)
    tried, reused_hit = _reused(_NUM_REUSED[scale], "ours")
    what = "forged identities (other boot, host, start; reused, own, negative pid): strangers signalled"
    detail = f"{tried:,} of them pids that were really reused" if tried else "no pid namespace to reuse pids in"
    states = _forged_states(folder / "states", _NUM_STATES[scale])
    controls_tried, controls_hit = _reused(5, "pid only")
    controls_hit += _forged(by_pid_alone, _NUM_CONTROLS)
    return [
        Figure(7, what, _NUM_FORGED + tried, hit + reused_hit, detail=detail),
        states,
        Figure(7, "believes the pid", _NUM_CONTROLS + controls_tried, controls_hit, is_control=True),
    ]


def _forged(send: Send, number: int) -> int:
    """How many forged identities had a stranger signalled."""
    rng = random.Random(7)
    hit = tried = 0
    stranger = _sleeper()
    try:
        while tried < number:
            true = identify(stranger)
            assert true is not None, "the stranger is not there, so that it could not be hit"
            pids = [stranger] * 3 + [os.getpid(), 1, 0, -1, 2**31, 2**63, os.getppid()]
            forged = msgspec.structs.replace(
                true,
                host=rng.choice([true.host, "elsewhere", ""]),
                boot_id=rng.choice([true.boot_id, "0" * 36, ""]),
                pid=stranger if send is by_pid_alone else rng.choice(pids),
                # a clock that jumped by an hour or to 1970 is a start that is off by as many ticks
                start_ticks=true.start_ticks + rng.choice([0, 0, 1, -1, 360_000, -360_000, -true.start_ticks]),
            )
            if forged == true:
                continue
            tried += 1
            sent = send(forged, signal.SIGKILL)
            if sent or os.waitpid(stranger, os.WNOHANG)[0]:
                hit += 1
                _end(stranger)
                stranger = _sleeper()
        for never in (1, os.getpid()):  # whose identities are true, and which no run may end
            itself = identify(never)
            hit += send is send_signal and itself is not None and send(itself, signal.SIGCONT)
        true = identify(stranger)
        assert true is not None and send_signal(true, signal.SIGKILL), "the same call does not end the right one"
    finally:
        _end(stranger)
    return hit


def _reused(number: int, build: str) -> tuple[int, int]:
    """Tried and hit, with pids that are really given again; none where no namespace may be made."""
    namespace = ("unshare", "--user", "--map-root-user", "--pid", "--fork", "--mount-proc", "--kill-child")
    command = (*namespace, sys.executable, "-c", _REUSE, str(number), build)
    try:
        done = subprocess.run(
            command, env=child_environment(), capture_output=True, text=True, timeout=300, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return 0, 0
    tried, hit = done.stdout.split()
    return int(tried), int(hit)


def _forged_states(folder: Path, number: int) -> Figure:
    """Folders whose state.json claims the processes of another run, for every verb that ends something."""
    rng = random.Random(8)
    hit = 0
    with FaultRuns(folder) as runs:
        victim = runs.make()
        supervisor = runs.start(victim)
        engine = begun(victim)
        true = msgspec.json.decode(victim.state_file.read_bytes(), type=StateRecord)
        for index in range(number):
            forger = runs.make()
            _forge(forger, true, rng)
            verb = (launch.kill, launch.stop, launch.pause)[index % 3]
            with contextlib.suppress(ValueError, launch.RunBusy):
                verb(forger)
            if identify(engine) is None or identify(supervisor.pid) is None:
                hit += 1
                break
        if not hit and not goes_on(victim, engine):
            raise NeverBegan("the run whose processes were claimed stands still")
    return Figure(7, "forged state.json that claims another run's processes: runs hit", number, hit)


def _forge(forger: RunFolder, true: StateRecord, rng: random.Random) -> None:
    own = f"{forger.id}.{forger.path.stat().st_ino:x}.1."
    tag = rng.choice([true.tag, own + true.tag, f"{own}{true.tag.rpartition('.')[2]}", "", own, "\0", "x" * 5000])
    forged = msgspec.structs.replace(
        true,
        state=rng.choice(["running", "stopping", "starting", "failed"]),
        tag=tag,
        supervisor=rng.choice([true.supervisor, msgspec.structs.replace(true.supervisor, boot_id="")]),
    )
    attempt = forger.attempt(1)
    attempt.ranks_dir.mkdir(parents=True)
    write_atomically(forger.state_file, msgspec.json.encode(forged))


def _sleeper() -> int:
    pid = os.fork()
    if pid == 0:
        signal.pause()
        os._exit(0)
    return pid


def _end(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError, ChildProcessError):
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
