"""Requests to a running engine: one small file each in `control/`, answered by an event."""

from __future__ import annotations

import contextlib
import math
import os
import re
import secrets
import time
from pathlib import Path
from typing import Literal

import msgspec

from presets.probe_text import probes_problem, read_probes
from runs.disk import is_full
from runs.folder import RunFolder, read_struct, write_atomically
from runs.ownership import require_ours
from runs.safe_files import make_folder

Verb = Literal["stop", "kill", "pause", "lr", "steps", "evaluate", "checkpoint", "probe", "probes"]
ENDING_VERBS: frozenset[Verb] = frozenset({"stop", "pause"})
"""After these the engine saves and ends."""

MAX_RATE = 1.0
MAX_STEPS = 10**9
_NUMBER = re.compile(r"\d+(\.\d*)?([eE][+-]?\d+)?|\.\d+([eE][+-]?\d+)?")
_LEFT = re.compile(r"[0-9].*\.json", re.DOTALL)
_HALF_WRITTEN = re.compile(r"\..*\.tmp", re.DOTALL)
_HALF_WRITTEN_S = 60.0
_NAME = re.compile(r"(\d+\.\d+)-[0-9a-f]{6}-(stop|kill|pause|evaluate|checkpoint|probe)")
_FACTOR_SIGNS = "x×*"
_COUNT = re.compile(r"([+-]?)(\d[\d_,]*)")


class Request(msgspec.Struct, frozen=True):
    """A wish of a person, to be granted at the next step.

    id: unique, also the file's name. time: Unix seconds. value: of `lr`, a rate such as `3e-4` or a factor such
    as `x0.5`; of `steps`, `5000`, `+1000` or `-500`; of `probes`, all of them, one a line; else empty. stop and
    pause save first; kill does not ask.
    """

    id: str
    verb: Verb
    time: float
    value: str = ""


class Rate(msgspec.Struct, frozen=True):
    """What `lr` asks for: the rate itself, or a factor on the one that holds."""

    number: float
    is_factor: bool

    def __str__(self) -> str:
        return f"{'x' if self.is_factor else ''}{self.number_text}"

    @property
    def number_text(self) -> str:
        """Digits that read back as the same number; a whole one needs no .0."""
        return repr(self.number).removesuffix(".0")


class Steps(msgspec.Struct, frozen=True):
    """What `steps` asks for: a new total, or a difference to the one that holds."""

    count: int
    is_difference: bool

    def __str__(self) -> str:
        return f"{self.count:+d}" if self.is_difference else str(self.count)


def read_rate(text: str) -> Rate:
    """Understand `3e-4` or `x0.5`. Raises ValueError with a sentence."""
    stripped = text.strip().lower()
    is_factor = stripped[:1] in _FACTOR_SIGNS and stripped != ""
    digits = stripped[1:].strip() if is_factor else stripped
    if not _NUMBER.fullmatch(digits):
        raise ValueError(f"learning rate: {text!r} is neither a rate such as 3e-4 nor a factor such as x0.5")
    number = float(digits)
    if number <= 0:
        raise ValueError(f"learning rate: {text.strip()} is not above 0; nothing would be learnt")
    if not is_factor and number > MAX_RATE:
        raise ValueError(
            f"learning rate: {digits} is above the limit {MAX_RATE:g} (rates are usually 1e-5 to 1e-2); "
            f"for a factor write x{digits}"
        )
    if math.isinf(number):
        raise ValueError(f"learning rate: a factor of {digits} is beyond every limit")
    return Rate(number, is_factor)


def read_steps(text: str) -> Steps:
    """Understand `5000`, `+1000` or `-500`. Raises ValueError with a sentence."""
    match = _COUNT.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"steps: {text!r} is neither a number such as 5000 nor a change such as +1000 or -500")
    sign, digits = match.groups()
    count = int(digits.replace(",", "").replace("_", ""))
    if count == 0:
        raise ValueError(f"steps: {text.strip()} changes nothing or leaves no step; to end the run, stop it")
    if count > MAX_STEPS:
        raise ValueError(f"steps: {count:,} is above the limit {MAX_STEPS:,}")
    return Steps(-count if sign == "-" else count, bool(sign))


def check_value(verb: Verb, value: str) -> str:
    """The value as it is written into the request. Raises ValueError with a sentence."""
    if verb == "lr":
        return str(read_rate(value))
    if verb == "steps":
        return str(read_steps(value))
    if verb == "probes":
        return "\n".join(check_probes(value))
    if value:
        raise ValueError(f"{verb}: takes no value, and {value!r} was given")
    return ""


def check_probes(lines: str) -> tuple[str, ...]:
    """The probes of a text with one a line. Raises ValueError with a sentence; the run's engine looks further."""
    probes = read_probes(lines)
    if not probes:
        raise ValueError("probes: there is no sentence; write one a line")
    if problem := probes_problem(probes, "", has_masks=False):
        raise ValueError(f"probes: {problem}")
    return probes


def ask(folder: RunFolder, verb: Verb, value: str = "") -> Request:
    """Write a request. The engine answers at its next step; `kill` is the supervisor's.

    Raises ValueError with a sentence when the value is wrong or the run is not ours, before anything is written,
    and OSError.
    """
    value = check_value(verb, value)
    require_ours(folder)
    now = time.time()
    request = Request(id=f"{now:017.6f}-{secrets.token_hex(3)}-{verb}", verb=verb, time=now, value=value)
    make_folder(folder.control_dir)
    path = folder.control_dir / f"{request.id}.json"
    try:
        write_atomically(path, msgspec.json.encode(request))
    except OSError as error:
        if not is_full(error) or value:
            raise
        path.touch(mode=0o600)  # a full disk has room for a name, which says all of it
    return request


def pending(folder: RunFolder, verb: Verb | None = None) -> tuple[Request, ...]:
    """Unanswered requests, oldest first; a damaged file is passed over."""
    found: list[Request] = []
    for path in sorted(folder.control_dir.glob("[0-9]*.json")):
        request = read_struct(path, Request) or _by_name(path)
        if request is not None and request.id == path.stem and verb in (None, request.verb):
            found.append(request)
    return tuple(found)


def _by_name(path: Path) -> Request | None:
    """The request of an empty file, as `ask` leaves it on a full disk."""
    named = _NAME.fullmatch(path.stem)
    try:
        is_empty = named is not None and path.stat(follow_symlinks=False).st_size == 0
    except OSError:
        return None
    if named is None or not is_empty:
        return None
    return msgspec.convert({"id": path.stem, "verb": named[2], "time": float(named[1])}, Request)


def answer(folder: RunFolder, request: Request) -> None:
    """Take the request out of the inbox; whoever answers says so in an event or the state file. Raises OSError."""
    _file(folder, request).unlink(missing_ok=True)


def clear(folder: RunFolder) -> None:
    """Drop what an earlier attempt left: requests, also damaged ones, and what a killed asker had begun to write.

    Raises OSError. Follows no link.
    """
    try:
        inbox = os.open(folder.control_dir, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:  # none is there
        return
    try:
        with os.scandir(inbox) as entries:
            for entry in entries:
                if _LEFT.fullmatch(entry.name) or (_HALF_WRITTEN.fullmatch(entry.name) and _is_old(entry)):
                    with contextlib.suppress(FileNotFoundError, IsADirectoryError):
                        os.unlink(entry.name, dir_fd=inbox)
    finally:
        os.close(inbox)


def _is_old(entry: os.DirEntry[str]) -> bool:
    """Nobody writes it any more."""
    try:
        return time.time() - entry.stat(follow_symlinks=False).st_mtime > _HALF_WRITTEN_S
    except FileNotFoundError:
        return False


def _file(folder: RunFolder, request: Request) -> Path:
    return folder.control_dir / f"{request.id}.json"
