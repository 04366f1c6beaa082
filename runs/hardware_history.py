"""How busy the devices and the host were in the last minutes: means over a few seconds each."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field

from runs.readings import HardwareReading

BUCKET_S = 5
NUM_BUCKETS = 60

Past = tuple[float | None, ...]


@dataclass(frozen=True)
class HardwareHistory:
    """Shares from 0 to 1, the newest last, NUM_BUCKETS of BUCKET_S seconds at most; None where nothing was read.

    utilisation, memory: by the device's index.
    """

    cpu: Past = ()
    host_memory: Past = ()
    utilisation: dict[int, Past] = field(default_factory=dict)
    memory: dict[int, Past] = field(default_factory=dict)

    @property
    def seconds(self) -> int:
        """How long it reaches back."""
        return len(self.cpu) * BUCKET_S


NO_HISTORY = HardwareHistory()


class _Mean:
    def __init__(self) -> None:
        self.total, self.count = 0.0, 0

    def add(self, value: float | None) -> None:
        if value is not None:
            self.total, self.count = self.total + value, self.count + 1

    @property
    def value(self) -> float | None:
        return self.total / self.count if self.count else None


_Key = tuple[str, int]


class HistoryKeeper:
    """Takes readings as they come; buckets begin at whole multiples of BUCKET_S, so that a line moves seldom."""

    def __init__(self) -> None:
        self._buckets: OrderedDict[int, dict[_Key, _Mean]] = OrderedDict()

    def add(self, reading: HardwareReading) -> HardwareHistory:
        """One more reading; returns all that is known."""
        number = int(reading.time // BUCKET_S)
        if self._buckets and number < next(reversed(self._buckets)):
            self._buckets.clear()  # the clock was set back
        bucket = self._buckets.setdefault(number, {})
        for key, value in _figures(reading).items():
            bucket.setdefault(key, _Mean()).add(value)
        while self._buckets and next(iter(self._buckets)) <= number - NUM_BUCKETS:
            self._buckets.popitem(last=False)
        return self._history(number, [device.index for device in reading.devices])

    def _history(self, last: int, devices: list[int]) -> HardwareHistory:
        numbers = range(next(iter(self._buckets)), last + 1)

        def past(name: str, index: int = 0) -> Past:
            key = (name, index)
            found = (self._buckets.get(number, {}).get(key) for number in numbers)
            return tuple(mean.value if mean is not None else None for mean in found)

        return HardwareHistory(
            cpu=past("cpu"),
            host_memory=past("host_memory"),
            utilisation={index: past("utilisation", index) for index in devices},
            memory={index: past("memory", index) for index in devices},
        )


def _figures(reading: HardwareReading) -> dict[_Key, float | None]:
    host = reading.host
    figures: dict[_Key, float | None] = {
        ("cpu", 0): host.cpu_percent / 100,
        ("host_memory", 0): _share(host.memory_used_bytes, host.memory_total_bytes),
    }
    for device in reading.devices:
        busy = device.utilisation_percent
        figures["utilisation", device.index] = None if busy is None else busy / 100
        figures["memory", device.index] = _share(device.memory_used_bytes, device.memory_total_bytes)
    return figures


def _share(used: int | None, total: int | None) -> float | None:
    return used / total if used is not None and total else None
