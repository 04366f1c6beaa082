"""Starting supervisors: in sessions of their own, with logs of their own, if possible out of a logout's reach."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import runs
from runs.folder import RunFolder
from runs.processes import TAG_VARIABLE
from runs.queue_entry import QueueEntry, environment_of
from runs.safe_files import file_status, open_file

_LOG_TAIL = 1500


class LaunchFailed(RuntimeError):
    """The supervisor did not come up; the text is what it said."""


def child_environment() -> dict[str, str]:
    """The environment in which `runs` and `engine` are found in this source tree, whatever the folder.

    PYTHONPATH keeps what it had in front. PYTHONSAFEPATH keeps a folder named `engine` in the current
    folder from being taken for ours.
    """
    root = str(Path(runs.__file__).resolve().parent.parent)
    inherited = [part for part in os.environ.get("PYTHONPATH", "").split(os.pathsep) if part and part != root]
    path = os.pathsep.join((*inherited, root))
    return {**os.environ, "PYTHONPATH": path, "PYTHONSAFEPATH": "1", "PYTHONUNBUFFERED": "1"}


def refuse_logout(despite_logout: bool) -> None:
    """Raise LogoutWouldKill when a run started here would end with its owner's login, unless that is wanted."""
    from runs.logout import LogoutWouldKill, logout_risk

    risk = None if despite_logout else logout_risk()
    if risk is not None and risk.blocks:
        raise LogoutWouldKill(f"{risk.sentence}; to keep it going: {risk.advice}")


def spawn_supervisor(
    folder: RunFolder, *arguments: str, environment: dict[str, str] | None = None
) -> subprocess.Popen[bytes]:
    """Start a supervisor of the run; what it says goes to the run's `supervisor.log`. Raises OSError.

    environment: of the caller when None.
    """
    from runs.logout import spawn_prefix

    argv = (*spawn_prefix(), sys.executable, "-m", "runs.supervisor", str(folder.path), *arguments)
    own = child_environment() if environment is None else environment
    # other runs that the configuration names lie beside this one, also with --runs-dir; and whoever kills
    # the run that this process might belong to does not mean the new one
    own = {name: value for name, value in own.items() if name != TAG_VARIABLE}
    own["TINYTRAIN_RUNS"] = str(folder.path.parent)
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
    log = os.open(folder.supervisor_log, flags, 0o600)
    try:
        return subprocess.Popen(
            argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=own, start_new_session=True
        )
    finally:
        os.close(log)


def spawn_waiting(folder: RunFolder, entry: QueueEntry) -> subprocess.Popen[bytes]:
    """Start the supervisor that waits with a run in the queue, as nobody's child. Raises OSError.

    The returned process ends at once, and must be waited for; the one that it leaves behind is adopted by init. A
    supervisor may start those of other runs, and must not take them for orphans of its own run.
    """
    return spawn_supervisor(folder, "--queue", environment=environment_of(entry, child_environment()))


def log_size(folder: RunFolder) -> int:
    """Where the next words of a supervisor will stand."""
    try:
        return file_status(folder.supervisor_log).st_size
    except OSError:
        return 0


def said(folder: RunFolder, offset: int) -> str:
    """The last of what supervisors have said from there on."""
    try:
        with open_file(folder.supervisor_log) as file:
            file.seek(offset)
            return file.read().decode("utf-8", "replace").strip()[-_LOG_TAIL:]
    except OSError:
        return ""
