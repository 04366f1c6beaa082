"""Which process is which: identities that a reused pid cannot forge, tags, and signals that hit no stranger."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import functools
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

TAG_VARIABLE = "TINYTRAIN_RUN_TAG"

_PROC = Path("/proc")
_ON_LINUX = sys.platform == "linux"
_PR_SET_CHILD_SUBREAPER = 36
_RESCAN_S = 0.02


class ProcessIdentity(msgspec.Struct, frozen=True):
    """Names one process for good: a pid alone is reused, and clocks jump. start_ticks: /proc stat field 22."""

    host: str
    boot_id: str
    pid: int
    start_ticks: int


def this_host() -> str:
    """The name of this machine, as identities carry it."""
    return socket.gethostname()


@functools.cache
def boot_id() -> str:
    """What changes with every boot of this machine."""
    if _ON_LINUX:
        return (_PROC / "sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    import psutil

    return f"{psutil.boot_time():.0f}"


def identify(pid: int) -> ProcessIdentity | None:
    """The identity of a process that runs now; None when there is none, or only its zombie."""
    found = _state_and_start(pid)
    if found is None or found[0] in "ZX":
        return None
    return ProcessIdentity(host=this_host(), boot_id=boot_id(), pid=pid, start_ticks=found[1])


def this_process() -> ProcessIdentity:
    """The identity of the caller."""
    identity = identify(os.getpid())
    assert identity is not None, "a running process has an identity"
    return identity


def is_alive(identity: ProcessIdentity) -> bool:
    """That very process runs here: same machine, boot, pid and start, and not a zombie."""
    return identity.pid > 0 and identify(identity.pid) == identity


def is_here(identity: ProcessIdentity) -> bool:
    """Whether this machine can say anything about the process."""
    return identity.host == this_host()


def find_tagged(tag: str) -> tuple[ProcessIdentity, ...]:
    """This user's processes with `TINYTRAIN_RUN_TAG=tag` in their environment, the caller left out.

    The environment is inherited, so this finds workers in sessions of their own and orphans alike.
    """
    if not tag:
        return ()
    wanted = f"{TAG_VARIABLE}={tag}".encode()
    me = os.getpid()
    found = (identify(pid) for pid in _own_pids() if pid != me and wanted in _environment(pid))
    return tuple(identity for identity in found if identity is not None)


def find_with_prefix(prefix: str) -> tuple[ProcessIdentity, ...]:
    """As `find_tagged`, with every tag that begins so."""
    if not prefix:
        return ()
    wanted = f"{TAG_VARIABLE}={prefix}".encode()
    me = os.getpid()
    found = (
        identify(pid)
        for pid in _own_pids()
        if pid != me and any(part.startswith(wanted) for part in _environment(pid))
    )
    return tuple(identity for identity in found if identity is not None)


def live_tags() -> frozenset[str]:
    """The run tags of all processes of this user, by one look at each."""
    start = f"{TAG_VARIABLE}=".encode()
    found = (part for pid in _own_pids() for part in _environment(pid) if part.startswith(start))
    return frozenset(part[len(start) :].decode("utf-8", "replace") for part in found)


def children(parent: int) -> tuple[ProcessIdentity, ...]:
    """The direct children of a process that are not zombies."""
    if not _ON_LINUX:
        import psutil

        with contextlib.suppress(psutil.Error):
            found = [identify(child.pid) for child in psutil.Process(parent).children()]
            return tuple(identity for identity in found if identity is not None)
        return ()
    pids: set[int] = set()
    for task in _PROC.glob(f"{parent}/task/[0-9]*/children"):
        with contextlib.suppress(OSError):
            pids.update(int(pid) for pid in task.read_text(encoding="ascii").split())
    return tuple(identity for identity in map(identify, sorted(pids)) if identity is not None)


def send_signal(identity: ProcessIdentity, number: signal.Signals) -> bool:
    """Signal that very process; False when it is gone or not ours. A stranger with its pid is left alone.

    It is checked again once the pidfd pins the process, so that nothing can slip in between.
    """
    if identity.pid <= 1 or identity.pid == os.getpid() or not is_alive(identity):
        return False
    try:
        descriptor = os.pidfd_open(identity.pid) if _ON_LINUX else None
    except OSError as error:
        if error.errno in (errno.ESRCH, errno.EINVAL):
            return False
        descriptor = None  # kernels before 5.3, sandboxes that forbid it, and no descriptor left
    try:
        if not is_alive(identity):
            return False
        if descriptor is not None:
            with contextlib.suppress(PermissionError):  # of a sandbox, or os.kill has it too
                signal.pidfd_send_signal(descriptor, number)
                return True
        os.kill(identity.pid, number)
        return True
    except (ProcessLookupError, PermissionError):
        return False
    finally:
        if descriptor is not None:
            os.close(descriptor)


def kill_all(
    find: Callable[[], tuple[ProcessIdentity, ...]],
    timeout_s: float = 10.0,
    reap: Callable[[], object] = lambda: None,
) -> tuple[ProcessIdentity, ...]:
    """SIGKILL what `find` finds until two looks in a row find nothing; returns what is left at the timeout.

    Two looks, since a process in the middle of an exec has no readable environment for a moment.
    `reap` is called between looks, by a parent that must collect its dead.
    """
    deadline = time.monotonic() + timeout_s
    num_empty = 0
    while True:
        reap()
        found = find()
        num_empty = 0 if found else num_empty + 1
        if num_empty == 2 or time.monotonic() > deadline:
            return found
        for identity in found:
            send_signal(identity, signal.SIGKILL)
        time.sleep(_RESCAN_S)


def stuck_message(survivors: tuple[ProcessIdentity, ...]) -> str:
    """What to tell a person about processes that outlive SIGKILL; empty when there are none."""
    return "; ".join(_stuck_sentence(identity.pid) for identity in survivors)


def _stuck_sentence(pid: int) -> str:
    """Names the process, and where in the kernel it waits: SIGKILL is heeded only when that wait is over."""
    name = _first_line(_PROC / str(pid) / "comm") or "gone since"
    found = _state_and_start(pid)
    if found is None or found[0] != "D":
        return f"pid {pid} ({name}) does not answer to SIGKILL"
    where = _first_line(_PROC / str(pid) / "wchan")
    place = f" in {where}" if where not in ("", "0") else ""
    return (
        f"pid {pid} ({name}) does not answer to SIGKILL, since it waits in the kernel (state D{place}); "
        "when that does not end by itself, the machine needs a reboot"
    )


def _first_line(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace").partition("\n")[0]
    except OSError:
        return ""


def become_subreaper() -> bool:
    """Make orphaned descendants children of the caller instead of init's. Linux only; False elsewhere."""
    if not _ON_LINUX:
        return False
    libc = ctypes.CDLL(None, use_errno=True)
    return bool(libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0)


def _state_and_start(pid: int) -> tuple[str, int] | None:
    if not _ON_LINUX:
        return _state_and_start_elsewhere(pid)
    try:
        stat = (_PROC / str(pid) / "stat").read_bytes()
    except (OSError, ValueError):
        return None
    # the command's name comes before the last ')', and may itself hold blanks and brackets
    fields = stat[stat.rfind(b")") + 2 :].split()
    return (fields[0].decode(), int(fields[19])) if len(fields) > 19 else None


def _state_and_start_elsewhere(pid: int) -> tuple[str, int] | None:
    """Without /proc: hundredths of a second since 1970, worse than ticks, since the clock's jumps move it."""
    import psutil

    try:
        process = psutil.Process(pid)
        zombie = process.status() == psutil.STATUS_ZOMBIE
        return ("Z" if zombie else "S"), int(process.create_time() * 100)
    except (psutil.Error, ValueError):
        return None


def _own_pids() -> Iterator[int]:
    if not _ON_LINUX:
        import psutil

        yield from psutil.pids()
        return
    uid = os.getuid()
    with os.scandir(_PROC) as entries:
        for entry in entries:
            if entry.name.isdecimal():
                with contextlib.suppress(OSError):
                    if entry.stat(follow_symlinks=False).st_uid == uid:
                        yield int(entry.name)


def _environment(pid: int) -> list[bytes]:
    if not _ON_LINUX:
        import psutil

        try:
            return [f"{key}={value}".encode() for key, value in psutil.Process(pid).environ().items()]
        except (psutil.Error, OSError):
            return []
    try:
        return (_PROC / str(pid) / "environ").read_bytes().split(b"\0")
    except OSError:
        return []
