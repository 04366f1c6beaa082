"""Whose run it is: what belongs to another user, or cannot be written, is only looked at."""

from __future__ import annotations

import os
import pwd
import stat
from typing import TYPE_CHECKING

from runs.safe_files import what_is_unsafe

if TYPE_CHECKING:
    from runs.folder import RunFolder


class ReadOnlyRun(ValueError):
    """The run is not ours to change; the text is a sentence that says why."""


def why_read_only(folder: RunFolder) -> str:
    """Why nothing of the run may be changed, as a sentence; empty when it is ours, or is not there at all.

    Cheap: one look at the folder itself, at no file in it. Root is no exception: it could write in everybody's
    runs, and what it wrote there would lock their owners out.
    """
    try:
        status = os.lstat(folder.path)
    except OSError:
        return ""
    if not stat.S_ISDIR(status.st_mode):
        return f"{folder.path} is a link or a file, not a run's folder; open what it points to"
    if status.st_uid != os.geteuid():
        return f"this run belongs to {_user(status.st_uid)}; it can only be looked at"
    if not status.st_mode & stat.S_IWUSR or not os.access(folder.path, os.W_OK | os.X_OK):
        return f"this run can only be looked at, for its folder cannot be written: {folder.path}"
    return ""


def require_ours(folder: RunFolder) -> None:
    """Raise ReadOnlyRun, with the reason, when nothing of the run may be changed."""
    reason = why_read_only(folder)
    if reason:
        raise ReadOnlyRun(reason)


def require_startable(folder: RunFolder) -> None:
    """Raise ReadOnlyRun, with the reason, when the run is not ours, or holds links or pipes that lead elsewhere.

    For whatever writes everywhere in the run, as a start does. Looks at every file of the run once.
    """
    require_ours(folder)
    reason = what_is_unsafe(folder.path)
    if reason:
        raise ReadOnlyRun(reason)


def _user(uid: int) -> str:
    try:
        return f"the user {pwd.getpwuid(uid).pw_name}"
    except KeyError:  # such as of a shared disk, or a container
        return f"another user (uid {uid})"
