"""What the Launch screen asks in the background: hub and caches about data, the hardware process about GPUs."""

from __future__ import annotations

import threading
import time
from pathlib import Path

from textual.message_pump import MessagePump

from presets.schema import RunConfig
from tui.messages import DataLookedUp, GpusCounted, PastRunsRead
from tui.plan import memory_of

_HARDWARE_WAIT_S = 10.0
_POLL_S = 0.1


class Questions:
    """Asks each question once, in daemon threads: quitting waits neither for a hub nor for a driver."""

    def __init__(self, asker: MessagePump) -> None:
        """asker: gets HubAnswered and GpusCounted."""
        self._asker = asker
        self._asked: set[str] = set()
        self._closed = threading.Event()

    def close(self) -> None:
        """No more answers are wanted."""
        self._closed.set()

    def look_up_data(self, key: str, config: RunConfig) -> None:
        """Can the text of this data section be had, and how large is it? key: tells one section from another."""
        self._ask(f"data {key}", self._data, key, config)

    def count_gpus(self, again: bool = False) -> None:
        """How many GPUs does this machine have, and what of their memory is free? again: it was asked before."""
        if again:
            self._asked.discard("gpus")
        self._ask("gpus", self._gpus)

    def read_past(self, runs: Path) -> None:
        """What did runs here measure of their memory? Asked anew each time: they become more."""
        self._asked.discard("past")
        self._ask("past", self._past, runs)

    def _ask(self, question: str, answer: object, *arguments: object) -> None:
        if question not in self._asked:
            self._asked.add(question)
            threading.Thread(target=answer, args=arguments, name=question, daemon=True).start()  # type: ignore[arg-type]

    def _data(self, key: str, config: RunConfig) -> None:
        from runs.hub import hub_status
        from runs.token_caches import count_sequences

        counts = count_sequences(config.data, labelled=config.objective.has_labels)
        answer = DataLookedUp(key, hub_status(config), counts)
        if not self._closed.is_set():
            self._asker.post_message(answer)

    def _past(self, runs: Path) -> None:
        from runs.memory_check import past_runs

        answer = PastRunsRead(past_runs(runs))
        if not self._closed.is_set():
            self._asker.post_message(answer)

    def _gpus(self) -> None:
        from runs.hardware_feed import HardwareFeed

        feed = HardwareFeed()
        deadline = time.monotonic() + _HARDWARE_WAIT_S
        try:
            while not self._closed.wait(_POLL_S) and time.monotonic() < deadline:
                reading = feed.poll().reading
                if reading is not None:
                    memory = tuple(filter(None, map(memory_of, reading.devices)))
                    self._asker.post_message(GpusCounted(len(reading.devices), reading.driver, memory))
                    return
        finally:
            feed.close()
