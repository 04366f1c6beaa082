"""How the command line speaks: safe lines for people, JSON for programs, one sentence for a wrong request."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Sequence
from types import TracebackType
from typing import Any

import msgspec

from tui.safe_text import safe_json, safe_lines, safe_text

PROGRAM = "tinytrain-tui"
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
    """One JSON document on one line; a loss that is not finite becomes null.

    Control characters and marks that act on a terminal are `\\u` escapes: the same value, printed harmlessly.
    """
    try:
        document = msgspec.json.encode(value, enc_hook=str)
    except UnicodeEncodeError:  # a path of the disk may hold bytes that are no UTF-8
        document = msgspec.json.encode(_encodable(msgspec.to_builtins(value, enc_hook=str)))
    print(safe_json(document.decode()), flush=True)


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
    """Make every character printable, whatever encoding the terminal has; and the report of a defect harmless."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")
    sys.excepthook = _report_defect


def _report_defect(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """A traceback holds the text that it stumbled over."""
    import traceback

    report = "".join(traceback.format_exception(kind, error, trace))
    print(safe_lines(report, 100_000), file=sys.stderr, flush=True)


def _encodable(value: Any) -> Any:
    """The same with `?` for what cannot be written as UTF-8."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, dict):
        return {_encodable(key): _encodable(part) for key, part in value.items()}
    return [_encodable(part) for part in value] if isinstance(value, list | tuple) else value


def let_go_of_output() -> None:
    """After a broken pipe, or the end of a terminal: what nobody takes any more is thrown away.

    The interpreter would complain of it when it flushes at its end, and end with 120 whatever the status was.
    """
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, stream.fileno())
            os.close(nowhere)


def number(value: float | None, digits: int = 4) -> str:
    """A figure, or `-` where there is none."""
    return "-" if value is None else f"{value:.{digits}f}"
