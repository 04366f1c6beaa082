"""The one door to the files of a run: follows no link out of it, waits for nothing, takes no more than it wants.

A run may come from anybody: a folder can stand where a file is expected, a pipe that nobody writes to, a link to
somebody's keys, or a file of a terabyte. Whoever reads or writes in a run's folder therefore comes through here.
Of a path, the part from the run's folder on may hold no link; what stands above it is the owner's own affair.
"""

from __future__ import annotations

import contextlib
import errno
import functools
import os
import re
import secrets
import stat
from collections.abc import Iterator
from io import BufferedReader
from pathlib import Path

_ID = r"\d{8}-\d{6}-[a-z0-9._-]{1,64}-[a-z0-9]{4}"
RUN_ID = re.compile(_ID, re.ASCII)
"""The names of runs' folders."""

MAX_TEXT_BYTES = 1 << 20
"""No honest configuration or description is larger."""

_IN_A_RUN = re.compile(rf"(?:^|/){_ID}(?=/|$)", re.ASCII)
_READ = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY
_PLAIN_FOLDER = os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_WAY = _PLAIN_FOLDER | getattr(os, "O_PATH", os.O_RDONLY)  # to pass a folder takes no right to list it
_MOST_ENTRIES = 1_000_000


class UnsafeFile(OSError):
    """What stands at a path is no plain file or folder of the run; the text says what it is instead."""


def open_file(path: Path, *, follow: bool = False) -> BufferedReader:
    """Open a plain file for reading. follow: outside of runs the path may be a link, for a person gave it.

    Raises UnsafeFile for a link, pipe, socket, device or folder, and OSError.
    """
    may_be_link = follow and _run_folder(path) is None
    descriptor = os.open(path, _READ) if may_be_link else _open_in_run(path, _READ | os.O_NOFOLLOW)
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise UnsafeFile(errno.EINVAL, f"this is {_kind(status.st_mode)}, not a file", str(path))
        return os.fdopen(descriptor, "rb")
    except BaseException:
        os.close(descriptor)
        raise


def read_bytes(path: Path, most_bytes: int = MAX_TEXT_BYTES, *, follow: bool = False) -> bytes:
    """The whole content of a plain file. Raises UnsafeFile, also for one that is larger, and OSError."""
    with open_file(path, follow=follow) as file:
        num_bytes = os.fstat(file.fileno()).st_size
        if num_bytes <= most_bytes:
            return file.read(num_bytes)
    raise UnsafeFile(
        errno.EFBIG, f"this has more than {most_bytes:,} bytes, and no such file is that large", str(path)
    )


def read_text(path: Path, most_bytes: int = MAX_TEXT_BYTES, *, follow: bool = False) -> str:
    """The whole content of a plain UTF-8 file. Raises as `read_bytes` does, and UnicodeDecodeError."""
    return read_bytes(path, most_bytes, follow=follow).decode("utf-8")


def file_status(path: Path) -> os.stat_result:
    """Size and times of a plain file. Raises UnsafeFile for anything else, and OSError."""
    with _folder_of(path) as (parent, name):
        status = os.stat(name, dir_fd=parent, follow_symlinks=False)
    if not stat.S_ISREG(status.st_mode):
        raise UnsafeFile(errno.EINVAL, f"this is {_kind(status.st_mode)}, not a file", str(path))
    return status


def is_file(path: Path) -> bool:
    """Whether a plain file is there."""
    try:
        file_status(path)
    except OSError:
        return False
    return True


def folder_names(path: Path) -> list[str]:
    """The names of the folders in a folder, in no order; none when it is a link or cannot be read."""
    with contextlib.suppress(OSError):
        descriptor = _open_in_run(path, os.O_RDONLY | _PLAIN_FOLDER)
        try:
            with os.scandir(descriptor) as entries:
                return [entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]
        finally:
            os.close(descriptor)
    return []


def make_folder(path: Path) -> None:
    """Make a folder of a run, with those above it up to the run's own, for its owner alone.

    Raises UnsafeFile when one of them is a link or a file, PermissionError in a run of another user, and OSError.
    """
    root = _run_folder(path)
    if root is None:
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
        return
    missing = [path, *(parent for parent in path.parents if parent.is_relative_to(root) and parent != root)]
    for folder in reversed(missing):
        with _folder_of(folder, for_writing=True) as (parent, name), contextlib.suppress(FileExistsError):
            os.mkdir(name, 0o700, dir_fd=parent)
    with _folder_of(path / "any"):  # the last of them is a folder too
        pass


def write_atomically(path: Path, content: bytes) -> None:
    """Replace a file so that every reader sees the old or the new content, also after a power cut.

    Raises UnsafeFile when a folder on the way is a link, PermissionError in a run of another user, also for root,
    and OSError.
    """
    beside = f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}.tmp"
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    with _folder_of(path, for_writing=True) as (parent, name):
        temporary = str(Path(name).with_name(beside))
        try:
            descriptor = os.open(temporary, flags, 0o600, dir_fd=parent)
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            os.rename(temporary, name, src_dir_fd=parent, dst_dir_fd=parent)
        except BaseException as error:
            with contextlib.suppress(OSError):
                os.unlink(temporary, dir_fd=parent)
            if isinstance(error, OSError):
                error.filename = str(path)  # as the caller knows it
            raise


def what_is_unsafe(folder: Path) -> str:
    """A sentence on what in a run's folder, at any depth, is neither a plain file nor a folder; empty when all is.

    What the program writes of itself is all plain. For a start or a resume, which write everywhere in the run.
    """
    waiting, num_seen = [folder], 0
    while waiting:
        try:
            with os.scandir(waiting.pop()) as entries:
                for entry in entries:
                    num_seen += 1
                    try:
                        mode = entry.stat(follow_symlinks=False).st_mode
                    except FileNotFoundError:  # it was just replaced
                        continue
                    if stat.S_ISDIR(mode):
                        waiting.append(Path(entry.path))
                    elif not stat.S_ISREG(mode):
                        where = Path(entry.path).relative_to(folder)
                        return f"{where} in {folder} is {_kind(mode)}, which this program does not make; remove it"
        except FileNotFoundError:  # a folder that was just removed
            continue
        except OSError as error:
            return f"{folder} cannot be looked through: {error}"
        if num_seen > _MOST_ENTRIES:
            return f"{folder} holds more than {_MOST_ENTRIES:,} files, and no run has that many"
    return ""


def _open_in_run(path: Path, flags: int) -> int:
    """Open what stands at a path that leads over no link from the run's folder on; outside of runs as it is."""
    text = str(path)
    try:
        descriptor = os.open(text, flags)
    except OSError as error:
        raise _explained(error, path) from None
    if _is_where_it_says(descriptor, text):
        return descriptor
    os.close(descriptor)  # a link on the way, a run that was moved, or a system that does not say
    with _folder_of(path) as (parent, name):
        try:
            return os.open(name, flags, dir_fd=parent)
        except OSError as error:
            raise _explained(error, path) from None


def _is_where_it_says(descriptor: int, text: str) -> bool:
    """Whether the kernel knows the open file by the path that was asked for: then no link stands on the way."""
    in_run = _IN_A_RUN.search(text)
    if in_run is None:
        return True
    try:
        place = os.readlink(f"/proc/self/fd/{descriptor}")  # noqa: PTH115 - texts, for speed
        return place == _real_place(text[: in_run.end()]) + text[in_run.end() :]
    except OSError:
        return False


def _real_place(root: str) -> str:
    """The run's folder with the links above it resolved."""
    above, slash, name = root.rpartition("/")
    return f"{_without_links(above or slash)}/{name}"


@functools.lru_cache(maxsize=256)
def _without_links(folder: str) -> str:
    """An answer that is too old only costs a longer look."""
    return os.path.realpath(folder).rstrip("/")


@contextlib.contextmanager
def _folder_of(path: Path, *, for_writing: bool = False) -> Iterator[tuple[int | None, str]]:
    """A descriptor of the folder a path stands in, reached without a link from the run's folder on, and its name.

    Outside of runs the path is taken as it is.
    """
    root = _run_folder(path)
    if root is None or root == path:
        yield None, str(path)
        return
    descriptor = _open_folder(root, None, root)
    try:
        if for_writing and os.fstat(descriptor).st_uid != os.geteuid():
            raise PermissionError(errno.EACCES, "the run belongs to another user", str(path))
        for name in path.relative_to(root).parts[:-1]:
            inner = _open_folder(name, descriptor, path)
            os.close(descriptor)
            descriptor = inner
        yield descriptor, path.name
    finally:
        os.close(descriptor)


def _open_folder(name: str | Path, parent: int | None, path: Path) -> int:
    if name == "..":
        raise UnsafeFile(errno.EINVAL, "this path leads out of the run", str(path))
    try:
        return os.open(name, _WAY, dir_fd=parent)
    except OSError as error:
        raise _explained(error, path) from None


def _run_folder(path: Path) -> Path | None:
    """The run's folder that a path is in: the outermost with a run's name, since names in a run are anybody's."""
    in_run = _IN_A_RUN.search(str(path))
    return Path(str(path)[: in_run.end()]) if in_run else None


def _explained(error: OSError, path: Path) -> OSError:
    """ELOOP, ENOTDIR and ENXIO in words; they mean a link, a file or link instead of a folder, and a socket."""
    said = {
        errno.ELOOP: "this is a link, and links in a run are not followed",
        errno.ENOTDIR: "a folder above it is a link or a file, and links in a run are not followed",
        errno.ENXIO: "this is a socket or a pipe, not a file",
    }.get(error.errno or 0)
    if said:
        return UnsafeFile(error.errno, said, str(path))
    error.filename = str(path)  # whole, not as seen from the folder it stands in
    return error


def _kind(mode: int) -> str:
    kinds = (
        (stat.S_ISLNK, "a link"),
        (stat.S_ISDIR, "a folder"),
        (stat.S_ISFIFO, "a pipe"),
        (stat.S_ISSOCK, "a socket"),
        (stat.S_ISBLK, "a device"),
        (stat.S_ISCHR, "a device"),
    )
    return next((name for is_kind, name in kinds if is_kind(mode)), "no plain file")
