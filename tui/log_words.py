"""Lines of a log in plain words: the engine prints each of its events as JSON, for programs."""

from __future__ import annotations

import re

import msgspec

from runs.events import Event, Probed, Progress
from tui.run_words import sentence_of

_EVENT = re.compile(r'(\d\d:\d\d:\d\d) step (\d{1,15}) (\{"kind": ".*\})')
_COLOURS = re.compile(r"\x1b\[[0-9;]*[mK]")


def readable(line: str) -> str:
    """An event of the engine's as its clock time and a sentence, any other line without codes for colours.

    Empty where that is the line as it is.
    """
    if "\x1b[" in line:
        return _COLOURS.sub("", line)
    found = _EVENT.fullmatch(line)
    if found is None:
        return ""
    clock, step, record = found.groups()
    try:
        fields = msgspec.json.decode(record, type=dict)
        event = msgspec.convert({"probes": (), **fields, "step": int(step)}, Event)
    except (ValueError, RecursionError):  # cut off, or of another version
        return ""
    return f"{clock} {_sentence(event)}"


def _sentence(event: Event) -> str:
    match event:
        case Probed():
            return f"step {event.step:,} probed"
        case Progress(done=done, total=total, unit=unit):
            amount = f"{done:,} of {total:,} {unit}" if total else f"{done:,} {unit}"
            return f"{event.phase}: {amount}".rstrip()
        case _:
            return sentence_of(event)
