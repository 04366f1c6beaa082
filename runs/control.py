"""Requests to a running engine: one small file each in `control/`, answered by an event."""

from __future__ import annotations

import secrets
import time
from pathlib import Path
from typing import Literal

import msgspec

from runs.folder import RunFolder, read_struct, write_atomically

Verb = Literal["stop", "kill"]


class Request(msgspec.Struct, frozen=True):
    """id: unique, also the file's name. time: Unix seconds. stop saves first; kill does not ask."""

    id: str
    verb: Verb
    time: float


def ask(folder: RunFolder, verb: Verb) -> Request:
    """Write a request. `stop` is answered by the engine at its next step; `kill` by the supervisor.

    Raises OSError.
    """
    now = time.time()
    request = Request(id=f"{now:017.6f}-{secrets.token_hex(3)}-{verb}", verb=verb, time=now)
    folder.control_dir.mkdir(exist_ok=True, mode=0o700)
    write_atomically(folder.control_dir / f"{request.id}.json", msgspec.json.encode(request))
    return request


def pending(folder: RunFolder, verb: Verb | None = None) -> tuple[Request, ...]:
    """Unanswered requests, oldest first; a damaged file is passed over."""
    found: list[Request] = []
    for path in sorted(folder.control_dir.glob("[0-9]*.json")):
        request = read_struct(path, Request)
        if request is not None and request.id == path.stem and verb in (None, request.verb):
            found.append(request)
    return tuple(found)


def answer(folder: RunFolder, request: Request) -> None:
    """Take the request out of the inbox; whoever answers says so in an event or in the state file."""
    _file(folder, request).unlink(missing_ok=True)


def clear(folder: RunFolder) -> None:
    """Drop requests left over from an earlier attempt."""
    for request in pending(folder):
        answer(folder, request)


def _file(folder: RunFolder, request: Request) -> Path:
    return folder.control_dir / f"{request.id}.json"
