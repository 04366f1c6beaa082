"""The clock of a device that is behind its host. Its events are stand-ins; the device is a list of work."""

from __future__ import annotations

import time
from typing import Any

import pytest
import torch

from engine.device_clock import CudaClock, HostClock, device_clock


class Device:
    """Does what was queued only when it is told to, or waited for; an event takes the time when it is come to."""

    def __init__(self) -> None:
        self.queue: list[Event | float] = []
        self.now_ms = 0.0
        self.num_events = 0
        self.num_waits = 0

    def work(self, milliseconds: float) -> None:
        self.queue.append(milliseconds)

    def go_on(self) -> None:
        for item in self.queue:
            if isinstance(item, Event):
                item.time_ms = self.now_ms
            else:
                self.now_ms += item
        self.queue.clear()

    def event(self) -> Event:
        self.num_events += 1
        return Event(self)


class Event:
    """As much of torch.cuda.Event as the clock uses."""

    def __init__(self, device: Device) -> None:
        self.device = device
        self.time_ms: float | None = None

    def record(self) -> None:
        self.time_ms = None
        self.device.queue.append(self)

    def query(self) -> bool:
        return self.time_ms is not None

    def synchronize(self) -> None:
        if self.time_ms is None:
            self.device.num_waits += 1
            self.device.go_on()

    def elapsed_time(self, other: Any) -> float:
        assert self.time_ms is not None and other.time_ms is not None, "CUDA raises an error here"
        return float(other.time_ms - self.time_ms)


def span(device: Device, clock: CudaClock, milliseconds: float) -> None:
    clock.begin()
    device.work(milliseconds)
    clock.end()
    device.work(1000.0)  # of no span


def test_the_work_between_begin_and_end_counts_however_late_the_device_does_it() -> None:
    device = Device()
    clock = CudaClock(device.event)
    for milliseconds in (20.0, 30.0, 50.0):
        span(device, clock, milliseconds)
    assert device.num_waits == 0
    assert clock.seconds() == pytest.approx(0.1)
    assert clock.seconds() == pytest.approx(0.1)
    span(device, clock, 5.0)
    assert clock.seconds() == pytest.approx(0.105)
    clock.restart()
    assert clock.seconds() == 0.0


def test_the_slowest_span_is_told_once_it_is_over_and_nobody_waits_for_it() -> None:
    device = Device()
    clock = CudaClock(device.event)
    span(device, clock, 700.0)
    span(device, clock, 20.0)
    assert clock.slowest() == 0.0
    device.go_on()
    span(device, clock, 20.0)
    assert clock.slowest() == pytest.approx(0.7)
    assert clock.slowest() == 0.0
    assert device.num_waits == 0


def test_events_are_used_again_and_never_more_than_some_are_under_way() -> None:
    device = Device()
    clock = CudaClock(device.event)
    for _ in range(100):
        span(device, clock, 1.0)
        device.go_on()
    assert device.num_events <= 4
    for _ in range(5000):
        span(device, clock, 1.0)
    assert device.num_events < 1100
    assert clock.seconds() == pytest.approx(5.1)


def test_where_the_host_computes_itself_its_own_clock_tells() -> None:
    clock = device_clock(torch.device("cpu"))
    assert isinstance(clock, HostClock)
    clock.begin()
    began = time.perf_counter()
    while time.perf_counter() - began < 0.002:
        pass
    clock.end()
    assert 0.002 <= clock.seconds() == clock.slowest()
    clock.restart()
    assert clock.seconds() == 0.0
