"""How the command line speaks: safe lines for people, JSON for programs, one sentence for a wrong request."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from tui.safe_text import safe_text

DONE, FAILED, WRONG, INTERRUPTED = 0, 1, 2, 130


class WrongRequest(Exception):
    """The request cannot be done as it was put; the text is the one line a person gets, and exit status 2."""


def say(line: str = "", limit: int = 2000) -> None:
    """A line for a person, at once, also into a pipe; `…` stands for what is past `limit` characters."""
    print(safe_text(line, limit), flush=True)


def warn(line: str) -> None:
    """A line on stderr."""
    print(safe_text(line), file=sys.stderr, flush=True)


def say_json(value: Any) -> None:
    """One JSON document on one line; a loss that is not finite becomes null."""
    print(msgspec.json.encode(value, enc_hook=str).decode(), flush=True)


def say_table(rows: Iterable[Sequence[str]]) -> None:
    """Columns aligned to their widest cell; what looks like a number stands to the right."""
    cells = [[safe_text(cell, 60) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for row in cells:
        padded = [
            cell.rjust(width) if cell[:1].isdigit() and cell.replace(",", "").isdecimal() else cell.ljust(width)
            for cell, width in zip(row, widths, strict=True)
        ]
        say("  ".join(padded).rstrip())


def speak_plainly() -> None:
    """Make every character printable, whatever encoding the terminal claims to have."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")


def give_up_pipe() -> None:
    """After a broken pipe: keep the interpreter from complaining again when it flushes at exit."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)


def number(value: float | None, digits: int = 4) -> str:
    """A figure, or `-` where there is none."""
    return "-" if value is None else f"{value:.{digits}f}"
