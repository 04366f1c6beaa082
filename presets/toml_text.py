"""Reads TOML that anybody may have written: what would cost the parser minutes or all memory is refused first."""

from __future__ import annotations

import os
import re
import stat
import tomllib
from pathlib import Path
from typing import Any

MAX_CHARACTERS = 256 << 10
_MAX_DOTS = 100
_TOKEN = re.compile(r'"""|\'\'\'|["\'#\n.]')
_CLOSING = {'"': re.compile(r'\\.|["\n]', re.DOTALL), '"""': re.compile(r'\\.|"""', re.DOTALL)}


class NotReadable(ValueError):
    """The text is no TOML, or none that a configuration could be; the text says why."""


def read_file(path: Path) -> str:
    """The text of a preset's file, which may be a link. Raises NotReadable and OSError."""
    # a pipe that nobody writes to is not waited for
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise NotReadable("this is a folder" if stat.S_ISDIR(status.st_mode) else "this is no plain file")
        if status.st_size > 4 * MAX_CHARACTERS:
            raise NotReadable(f"it has {status.st_size:,} bytes, and no configuration is that large")
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            return file.read(4 * MAX_CHARACTERS).decode("utf-8")
    except UnicodeDecodeError as error:
        raise NotReadable(f"this is not TOML: its byte {error.start + 1:,} is no text in UTF-8") from None
    finally:
        os.close(descriptor)


def read_tree(text: str) -> dict[str, Any]:
    """The tables of a TOML text. Raises NotReadable."""
    if len(text) > MAX_CHARACTERS:
        raise NotReadable(
            f"it has {len(text):,} characters, and no configuration has more than {MAX_CHARACTERS:,}"
        )
    line = _line_of_many_dots(text)
    if line:
        raise NotReadable(
            f"line {line} has more than {_MAX_DOTS} dots in its keys; a key such as optim.lr has one"
        )
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise NotReadable(f"this is not TOML: {error}") from None
    except RecursionError:
        raise NotReadable("its lists or tables are nested too deeply") from None
    except ValueError as error:  # such as a number of 5,000 digits
        raise NotReadable(f"this is not TOML: {error}") from None


def _line_of_many_dots(text: str) -> int:
    """The first line, from 1, with many dots outside of strings and comments; 0 when there is none.

    The parser's time and memory grow with the square of a dotted key's length: 16 kB take a second, 64 kB
    seventeen. Where this loses its place the text is no TOML, and the parser stops there too.
    """
    position = num_dots = 0
    while match := _TOKEN.search(text, position):
        token, position = match[0], match.end()
        if token == "\n":
            num_dots = 0
        elif token == ".":
            num_dots += 1
            if num_dots > _MAX_DOTS:
                return text.count("\n", 0, position) + 1
        elif token == "#":
            end = text.find("\n", position)
            position = end if end >= 0 else len(text)
        else:
            end = _end_of_string(text, token, position)
            if end < 0:
                return 0
            position = end
    return 0


def _end_of_string(text: str, quote: str, start: int) -> int:
    """Where the string ends whose opening quote ends at `start`; -1 for one without an end."""
    if quote[0] == "'":
        end = text.find(quote, start)
        end = end + len(quote) if end >= 0 else -1
    else:
        closing = _CLOSING[quote]
        while (match := closing.search(text, start)) and match[0][0] == "\\":
            start = match.end()
        end = match.end() if match and match[0] == quote else -1
    if end >= 0 and len(quote) == 3:  # up to two quotes may stand before the closing three
        end += len(re.match(f"{quote[0]}{{0,2}}", text[end : end + 2])[0])  # type: ignore[index]
    return end
