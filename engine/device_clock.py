"""How long a device took for what was asked of it: on CUDA the host only queues, and its clock tells nothing."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from typing import Any, Protocol

import torch

_MOST_PENDING = 512  # passes whose end the host has not asked for yet


class DeviceClock(Protocol):
    """Sums up the spans between `begin` and `end`; neither waits for the device."""

    def begin(self) -> None:
        """What is queued from here on counts."""
        ...

    def end(self) -> None:
        """What was queued since `begin` counts, and nothing after it."""
        ...

    def seconds(self) -> float:
        """Of all spans since `restart`; waits until the last of them is over."""
        ...

    def slowest(self) -> float:
        """Seconds of the longest span that was found to be over since this was asked last; does not wait."""
        ...

    def restart(self) -> None:
        """Count from 0 again; waits as `seconds` does."""
        ...


class HostClock:
    """Where the host computes itself."""

    def __init__(self) -> None:
        self._sum = self._slowest = 0.0
        self._began = time.perf_counter()

    def begin(self) -> None:
        """See `DeviceClock`."""
        self._began = time.perf_counter()

    def end(self) -> None:
        """See `DeviceClock`."""
        span = time.perf_counter() - self._began
        self._sum += span
        self._slowest = max(self._slowest, span)

    def seconds(self) -> float:
        """See `DeviceClock`."""
        return self._sum

    def slowest(self) -> float:
        """See `DeviceClock`."""
        slowest, self._slowest = self._slowest, 0.0
        return slowest

    def restart(self) -> None:
        """See `DeviceClock`."""
        self._sum = 0.0


class CudaClock:
    """Two events a span, which the device stamps when it comes to them. Never run on a device (docs/log.md)."""

    def __init__(self, new_event: Callable[[], Any] | None = None) -> None:
        """new_event: makes a torch.cuda.Event that takes times."""
        self._new_event = new_event or _timing_event
        self._pending: deque[tuple[Any, Any]] = deque()
        self._spare: list[Any] = []
        self._began: Any = None
        self._sum = self._slowest = 0.0

    def begin(self) -> None:
        """See `DeviceClock`."""
        self._began = self._began or self._event()
        self._began.record()

    def end(self) -> None:
        """See `DeviceClock`; with very many spans under way it waits for the oldest."""
        ended = self._event()
        ended.record()
        self._pending.append((self._began, ended))
        self._began = None
        while self._pending and (self._pending[0][1].query() or len(self._pending) > _MOST_PENDING):
            self._take()

    def seconds(self) -> float:
        """See `DeviceClock`."""
        while self._pending:
            self._take()
        return self._sum

    def slowest(self) -> float:
        """See `DeviceClock`."""
        slowest, self._slowest = self._slowest, 0.0
        return slowest

    def restart(self) -> None:
        """See `DeviceClock`."""
        self.seconds()
        self._sum = 0.0

    def _event(self) -> Any:
        return self._spare.pop() if self._spare else self._new_event()

    def _take(self) -> None:
        """Add the oldest span, once it is over, and use its events again."""
        began, ended = self._pending.popleft()
        ended.synchronize()
        span = began.elapsed_time(ended) / 1000.0  # milliseconds
        self._sum += span
        self._slowest = max(self._slowest, span)
        self._spare += (began, ended)


def device_clock(device: torch.device) -> DeviceClock:
    """The clock of a device."""
    return CudaClock() if device.type == "cuda" else HostClock()


def _timing_event() -> Any:
    return torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
