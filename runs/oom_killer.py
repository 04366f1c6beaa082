"""What the kernel's out-of-memory killer has killed, by the counters that this process may read."""

from __future__ import annotations

import contextlib
import re
from pathlib import Path
from typing import Literal

_COUNT = re.compile(r"^oom_kill (\d+)$", re.MULTILINE)
_COUNTER = re.compile(r"sys/fs/cgroup/(?:[^\x00]+/)?memory\.(?:events|oom_control)")
_MACHINE = "machine"


def oom_kills(root: Path = Path("/")) -> dict[str, int]:
    """Processes killed for want of memory: in this process's memory cgroup, by its path, and on the machine.

    root: of the file system, for tests. Never raises; what cannot be read is left out.
    """
    found: dict[str, int] = {}
    files = [*_cgroup_files(root), (_MACHINE, root / "proc/vmstat")]
    for name, path in files:
        with contextlib.suppress(OSError, ValueError):
            counts = _COUNT.search(path.read_text(encoding="ascii", errors="replace"))
            if counts:
                found[name] = int(counts[1])
    return found


def was_oom_killed(before: dict[str, int], root: Path = Path("/")) -> Literal["yes", "perhaps", "no", "unknown"]:
    """Whether the counters rose since `before`, which was read on this machine since it was switched on.

    yes: that of a cgroup of the run. perhaps: only that of the whole machine, so it may have been another program.
    """
    if not before:
        return "unknown"
    # names come from a file of the run: nothing else is opened for them
    now = {name: _count_at(name, root) for name in before if name == _MACHINE or _is_counter(name)}
    risen = [name for name, count in now.items() if count is not None and count > before[name]]
    if any(name != _MACHINE for name in risen):
        return "yes"
    if risen:
        return "perhaps"
    return "unknown" if now.get(_MACHINE) is None else "no"


def _is_counter(name: str) -> bool:
    return bool(_COUNTER.fullmatch(name)) and ".." not in name.split("/")


def _count_at(name: str, root: Path) -> int | None:
    path = root / "proc/vmstat" if name == _MACHINE else root / name
    with contextlib.suppress(OSError, ValueError):
        counts = _COUNT.search(path.read_text(encoding="ascii", errors="replace"))
        return int(counts[1]) if counts else None
    return None


def _cgroup_files(root: Path) -> list[tuple[str, Path]]:
    """The counters of this process's memory cgroup, of version 2 or 1; named by their path below the root.

    Inside of a container its own cgroup stands at the top, whatever its path is outside. Elsewhere the top is the
    whole machine's, which is no answer to whether it was the run.
    """
    found: list[tuple[str, Path]] = []
    with contextlib.suppress(OSError, ValueError):
        for line in (root / "proc/self/cgroup").read_text(encoding="utf-8").splitlines():
            _, controllers, place = line.split(":", 2)
            if ".." in place.split("/") or (controllers and "memory" not in controllers.split(",")):
                continue
            top, name = ("sys/fs/cgroup", "memory.events")
            if controllers:
                top, name = ("sys/fs/cgroup/memory", "memory.oom_control")
            own = "/".join(filter(None, (top, place.strip("/"), name)))
            is_inside = place.strip("/") and not (root / own).exists()
            path = f"{top}/{name}" if is_inside else own
            if path != "sys/fs/cgroup/memory/memory.oom_control" or is_inside:
                found.append((path, root / path))
    return found
