"""A world that never changes: a clock that stands, a machine that is always the same, runs made from a seed.

What a screen shows on this stage is the same on every machine and on every day, so that its look can be kept.
"""

from __future__ import annotations

import os
import queue
import random
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from runs import folder as folders
from runs import host_memory, launch
from runs.events import Candidate, ProbeResult
from runs.folder import RunFolder
from runs.playground import Answer, Ready, Request, Said, Token
from tests.run_writer import AttemptWriter, new_run

NOW = 1_760_050_000.0  # 2025-10-09 22:46:40 UTC
_DISK = (500 * 10**9, 200 * 10**9, 300 * 10**9)  # total, used, free
_MEMORY = (64 * 10**9, 48 * 10**9)  # total, free


class Stage:
    """Holds what was put up. runs: the folder of the runs, whose path has the same length everywhere."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, runs: Path) -> None:
        self.runs = runs
        self._patch = monkeypatch
        self._chance = random.Random(0)
        self._stand_still()
        self._be_a_machine()
        monkeypatch.setattr("tui.playground_feed.PlaygroundProcess", CannedPlayground)
        monkeypatch.setattr("tui.playground_state.time", SimpleNamespace(monotonic=lambda: 0.0))
        monkeypatch.setattr("tui.playground_conversation.time", SimpleNamespace(monotonic=lambda: 0.012))

    def _stand_still(self) -> None:
        self._patch.setenv("TZ", "UTC")
        time.tzset()
        self._patch.setattr(time, "time", lambda: NOW)
        self._made = 0

        def localtime(_: float) -> time.struct_time:
            return time.gmtime(NOW - 3600 + self._made)

        clock = SimpleNamespace(time=time.time, strftime=time.strftime, localtime=localtime)
        self._patch.setattr(folders, "time", clock)
        self._patch.setattr(folders, "secrets", SimpleNamespace(choice=self._chance.choice))

    def _be_a_machine(self) -> None:
        self._patch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(*_DISK))  # type: ignore[attr-defined]
        self._patch.setattr(os, "sched_getaffinity", lambda pid: set(range(8)))
        self._patch.setattr(launch, "sys", SimpleNamespace(executable="/usr/bin/python3"))
        self.replace(host_memory.host_memory, lambda *_: _MEMORY)

    def replace(self, function: Callable[..., Any], other: Callable[..., Any]) -> None:
        """Put another function in the place of one of ours, also where it was imported by name already."""
        for module in list(sys.modules.values()):
            if module.__name__.split(".")[0] in ("tui", "runs", "presets"):
                for name, value in list(vars(module).items()):
                    if value is function:
                        self._patch.setattr(module, name, other)

    def run(self, name: str, steps: int = 400, preset: str = "quickstart", **about: Any) -> RunFolder:
        """A run that ended as it should an hour ago. about: fields of About to set."""
        self._made += 1
        folder = new_run(self.runs, name, preset, steps)
        writer = AttemptWriter(folder, clock=NOW - 7200 + 60 * self._made, seed=self._made)
        writer.start(total_steps=steps)
        writer.evaluate(8.29)
        writer.probe()
        writer.run_to(steps)
        writer.end("finished", "all steps done")
        self._describe(folder, about)
        return folder

    def failed_run(self, name: str, steps: int = 120, **about: Any) -> RunFolder:
        """A run that ran out of memory."""
        self._made += 1
        folder = new_run(self.runs, name, "quickstart", 400)
        writer = AttemptWriter(folder, clock=NOW - 7200 + 60 * self._made, seed=self._made)
        writer.start(total_steps=400)
        writer.evaluate(8.29)
        writer.run_to(steps)
        writer.fail(
            "OutOfMemoryError", "CUDA out of memory: tried to allocate 2.0 GiB", 3,
            "lower train.batch_size or model.hidden_size",
        )  # fmt: skip
        self._describe(folder, about)
        return folder

    def company(self) -> tuple[RunFolder, ...]:
        """Some runs, as one has them after a day: oldest first."""
        return (
            self.run("warm-otter", tags=("baseline",), note="the first one"),
            self.failed_run("quick-heron"),
            self.run("calm-lynx", steps=800, preset="v1-imdb-small", tags=("keep",)),
            self.run("early-wren", steps=600),
        )

    def _describe(self, folder: RunFolder, about: dict[str, Any]) -> None:
        import msgspec

        folder.write_about(msgspec.structs.replace(folder.about(), **about))


class CannedPlayground:
    """A playground whose model is always the same: it knows a handful of words."""

    pid = 1
    is_closed = False

    def __init__(self) -> None:
        self._asked: queue.SimpleQueue[Request | None] = queue.SimpleQueue()

    def ask(self, request: Request) -> None:
        """Answered in turn by `said`."""
        self._asked.put(request)

    def said(self) -> Iterator[Said]:
        """Until it is closed."""
        yield Ready()
        while (request := self._asked.get()) is not None:
            yield _answer(request)

    def last_words(self) -> tuple[str, str]:
        """It never fails."""
        return "", ""

    def wait(self) -> int:
        """As a process that was closed."""
        return 0

    def kill(self) -> None:
        """The same as close."""
        self.close()

    def close(self) -> None:
        """No more answers."""
        self.is_closed = True
        self._asked.put(None)


def _answer(request: Request) -> Answer:
    words = tuple(
        Candidate(word, share)
        for word, share in (
            ("states", 0.41),
            ("government", 0.17),
            ("people", 0.08),
            ("nation", 0.04),
            ("union", 0.02),
        )
    )
    tokens, at = [], 0
    for number, piece in enumerate(request.text.split()):
        start = request.text.index(piece, at)
        at = start + len(piece)
        tokens.append(
            Token(
                piece.lower(), 100 + number, piece, start, at, is_mask=piece == "[MASK]", begins_word=True,
                loss=0.5 + 0.25 * number, guesses=words[:3],
            )
        )  # fmt: skip
    num_masks = sum(token.is_mask for token in tokens)
    return Answer(
        probes=(ProbeResult(request.text, (words,) * num_masks),),
        checkpoint="step-00000400", step=400, objective="mlm", length=128, vocab_size=4000, tokens=tuple(tokens),
        loss_of="masked", id=request.id, slot=request.slot,
    )  # fmt: skip
