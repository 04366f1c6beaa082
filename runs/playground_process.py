"""Lets checkpoints answer: the child process `python -m engine.playground`, which ends with its stdin."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from runs.line_process import LineProcess
from runs.playground import Request, Said, said_decoder


class PlaygroundProcess(LineProcess):
    """One child that holds the loaded models; a context manager, which ends it. Call it off the event loop."""

    def __init__(self) -> None:
        """Start it. Raises OSError when no process can be had."""
        super().__init__("engine.playground", "--attached")

    def ask(self, request: Request) -> None:
        """Send a request; of a child that died the end of `said` tells."""
        self.write(msgspec.json.encode(request) + b"\n")

    def said(self) -> Iterator[Said]:
        """What it says, until it ends or is closed."""
        for line in self.lines():
            try:
                yield said_decoder.decode(line)
            except (msgspec.MsgspecError, ValueError):
                continue  # a library printed something of its own
