"""Identities: nothing but the very process is taken for it, and no stranger is ever signalled."""

from __future__ import annotations

import errno
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from runs import processes
from runs.processes import TAG_VARIABLE, ProcessIdentity
from tests.conftest import wait_until

SLEEPER = [sys.executable, "-S", "-c", "import time; time.sleep(600)"]


@pytest.fixture
def stranger() -> Iterator[subprocess.Popen[bytes]]:
    """A process that has nothing to do with any run."""
    process = subprocess.Popen(SLEEPER)
    yield process
    process.kill()
    process.wait()


def identity_of(process: subprocess.Popen[bytes]) -> ProcessIdentity:
    identity = processes.identify(process.pid)
    assert identity is not None
    return identity


def test_a_process_is_itself_until_it_ends() -> None:
    process = subprocess.Popen(SLEEPER)
    identity = identity_of(process)
    assert processes.is_alive(identity)
    process.kill()
    wait_until(lambda: not processes.is_alive(identity), what="a zombie is not alive")
    assert process.poll() is not None
    assert not processes.is_alive(identity)


def test_a_zombie_is_not_alive() -> None:
    process = subprocess.Popen([sys.executable, "-S", "-c", "pass"])
    wait_until(lambda: processes.identify(process.pid) is None, what="only a zombie is left")
    assert Path(f"/proc/{process.pid}").exists()
    process.wait()


def test_a_name_with_brackets_and_blanks_is_parsed() -> None:
    code = "import ctypes, time; ctypes.CDLL(None).prctl(15, b') Z 1 (x', 0, 0, 0)\n"
    code += "print('up', flush=True); time.sleep(600)"
    process = subprocess.Popen([sys.executable, "-S", "-c", code], stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    assert processes.is_alive(identity_of(process))
    process.kill()
    process.communicate()


def test_ten_thousand_forged_identities_signal_nobody(stranger: subprocess.Popen[bytes]) -> None:
    """Another host, another boot, another start, a reused pid, a jumped clock: each is a stranger."""
    true = identity_of(stranger)
    rng = random.Random(1)
    forgeries = 0
    while forgeries < 10_000:
        forged = msgspec.structs.replace(
            true,
            host=rng.choice([true.host, "elsewhere", ""]),
            boot_id=rng.choice([true.boot_id, "0" * 36, ""]),
            pid=rng.choice([true.pid, true.pid, os.getpid(), 1, 0, -1, 2**31, os.getppid()]),
            start_ticks=true.start_ticks + rng.choice([0, 0, 1, -1, 360_000, -true.start_ticks]),
        )
        if forged == true:
            continue
        forgeries += 1
        assert not processes.send_signal(forged, signal.SIGKILL), forged
    assert stranger.poll() is None
    assert processes.send_signal(true, signal.SIGKILL)  # the same call does end the right one
    assert stranger.wait(timeout=10) == -signal.SIGKILL


def test_tagged_processes_are_found_in_other_sessions_and_as_orphans(monkeypatch: pytest.MonkeyPatch) -> None:
    tag = f"test-{os.getpid()}-{time.time_ns()}"
    child = "import subprocess, sys, time\n"
    child += f"p = subprocess.Popen({SLEEPER!r}, start_new_session=True); print(p.pid, flush=True)"
    done = subprocess.run(
        [sys.executable, "-c", child], env={**os.environ, TAG_VARIABLE: tag}, stdout=subprocess.DEVNULL, timeout=20
    )  # fmt: skip
    assert done.returncode == 0
    found = processes.find_tagged(tag)
    assert len(found) == 1
    assert processes.find_tagged(tag[:-1]) == () == processes.find_tagged("")
    assert processes.find_with_prefix(tag[:-1]) == found and processes.find_with_prefix("") == ()
    assert processes.kill_all(lambda: processes.find_tagged(tag), timeout_s=10) == ()
    assert not processes.is_alive(found[0])


def test_what_cannot_be_killed_is_named_in_bounded_time(stranger: subprocess.Popen[bytes]) -> None:
    identity = msgspec.structs.replace(identity_of(stranger), start_ticks=1)  # as deaf as one in the kernel
    began = time.monotonic()
    survivors = processes.kill_all(lambda: (identity,), timeout_s=0.3)
    assert time.monotonic() - began < 3
    name = Path(f"/proc/{identity.pid}/comm").read_text().strip()
    assert processes.stuck_message(survivors) == f"pid {identity.pid} ({name}) does not answer to SIGKILL"


def test_a_process_that_waits_in_the_kernel_is_named_with_what_helps() -> None:
    """A parent that waits for a vfork is in the state of one that hangs in a driver."""
    code = "import ctypes; ctypes.CDLL(None).vfork() or ctypes.CDLL(None).usleep(600_000_000)"
    with subprocess.Popen([sys.executable, "-S", "-c", code], start_new_session=True) as process:
        identity = identity_of(process)
        wait_until(lambda: "state D" in processes.stuck_message((identity,)), what="it waits in the kernel")
        message = processes.stuck_message((identity,))
        os.killpg(process.pid, signal.SIGKILL)
    assert message.startswith(f"pid {identity.pid} (")
    assert message.endswith("when that does not end by itself, the machine needs a reboot")


@pytest.mark.parametrize("forbidden", ["pidfd_open", "pidfd_send_signal"])
def test_a_sandbox_without_pidfds_still_ends_processes(
    stranger: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch, forbidden: str
) -> None:
    def forbid(*_: object) -> None:
        raise PermissionError(errno.EPERM, "seccomp says no")

    identity = identity_of(stranger)
    monkeypatch.setattr(os if forbidden == "pidfd_open" else signal, forbidden, forbid)
    assert not processes.send_signal(msgspec.structs.replace(identity, start_ticks=1), signal.SIGKILL)
    assert processes.send_signal(identity, signal.SIGKILL)
    assert stranger.wait(timeout=10) == -signal.SIGKILL


def test_children_are_found(stranger: subprocess.Popen[bytes]) -> None:
    assert identity_of(stranger) in processes.children(os.getpid())


def test_a_subreaper_inherits_orphans() -> None:
    code = """
import os, subprocess, sys, time
from runs import processes
assert processes.become_subreaper()
orphan = "import subprocess, sys; subprocess.Popen([sys.executable, '-S', '-c', 'import time; time.sleep(60)'])"
subprocess.run([sys.executable, "-c", orphan])
found = processes.children(os.getpid())
print(len(found))
assert processes.kill_all(lambda: processes.children(os.getpid())) == ()
"""
    from runs.launch import child_environment

    done = subprocess.run(
        [sys.executable, "-c", code], env=child_environment(), capture_output=True, text=True, timeout=30
    )
    assert done.stdout.strip() == "1", done.stderr
