"""What the run's machine does: a row for each GPU, or the processor and the memory where there is none."""

from __future__ import annotations

import re

from textual import events
from textual.content import Content
from textual.widgets import Static

from runs.hardware_feed import HardwareState
from runs.readings import DeviceReading, HardwareReading
from tui.figures import num_bytes
from tui.run_words import bar
from tui.safe_text import FAINT, plain, safe_text

_FEW_ROWS = 4
_Row = tuple[tuple[str, str], ...]


class DevicePane(Static):
    """Changes only when a figure of it does."""

    def __init__(self, id: str | None = None) -> None:
        super().__init__("", id=id, classes="pane")
        self.can_focus = True
        self.border_title = "Devices"
        self._state: HardwareState | None = None
        self._run_words = ""
        self._tag_prefix = ""
        self._shown: tuple[object, ...] = ()

    def show(self, state: HardwareState | None, run_words: str, tag_prefix: str) -> None:
        """Take readings. run_words: what the engine says of its memory; tag_prefix: whose memory is the run's."""
        self._state, self._run_words, self._tag_prefix = state, run_words, tag_prefix
        width, height = self.content_size
        if not width or not height:
            return
        rows, title = self._rows(width), self._title()
        if len(rows) > height:
            missing = len(rows) - height + 1
            rows = [*rows[: height - 1], ((f"… {missing} more: z enlarges", FAINT),)]
        if (rows, title) == self._shown:
            return
        self._shown = (rows, title)
        self.set_class(self.num_rows() > _FEW_ROWS, "-many")
        self.border_title = plain(title, 80)
        lines = [Content.assemble(*(plain(text, style=style) for text, style in row)) for row in rows]
        self.update(Content("\n").join(lines), layout=False)

    def on_resize(self, event: events.Resize) -> None:
        """Fit the rows into the new width."""
        self.show(self._state, self._run_words, self._tag_prefix)

    def num_rows(self) -> int:
        """Rows that all readings would need."""
        return len(self._rows(max(20, self.content_size.width)))

    def _title(self) -> str:
        reading = self._state.reading if self._state else None
        title = f"Devices of {reading.host.name}" if reading else "Devices"
        return f"{title} · stale {self._state.stale_s} s" if self._state and self._state.stale_s else title

    def _rows(self, width: int) -> list[_Row]:
        state = self._state
        if state is None or state.reading is None:
            words = state.problem if state and state.problem else ""
            if state and state.stale_s and not words:
                words = f"no answer from the driver for {state.stale_s} s"
            rows: list[_Row] = [((words, FAINT),)] if words else []
        elif state.reading.devices:
            rows = [device_row(device, width, self._tag_prefix) for device in state.reading.devices]
        else:
            rows = host_rows(state.reading, width)
        if state and state.problem and state.reading is not None:
            rows.append(((state.problem, "$text-warning"),))
        if self._run_words:
            rows.append(((self._run_words, FAINT),))
        return rows or [(("waiting for the first reading", FAINT),)]


def device_row(device: DeviceReading, width: int, tag_prefix: str) -> _Row:
    """One GPU in a line; a figure that the driver does not give is `n/a`."""
    name = _short_name(device.name)
    head = f"{device.index} {safe_text(name, 10):<6} "
    if device.problem:
        return ((head, ""), (f"✗ {device.problem}", "$text-error"))
    used, total = device.memory_used_bytes, device.memory_total_bytes
    share = device.utilisation_percent
    percent = "  n/a" if share is None else f"{share:4.0f}%"
    memory = f"{_gigabytes(used):>5}/{_gigabytes(total)} GB"
    heat = "n/a" if device.temperature_c is None else f"{device.temperature_c:.0f}°C"
    power = "n/a" if device.power_w is None else f"{device.power_w:.0f} W"
    own = device.memory_of(tag_prefix) if tag_prefix else None
    run = f"run {_gigabytes(own)} GB" if own is not None else ""
    others = ""
    if own is not None and device.processes is not None:
        rest = sum(process.memory_bytes or 0 for process in device.processes) - own
        others = f"others {_gigabytes(rest)} GB" if rest > 0 else ""
    tail = [
        f"  {memory}",
        f"  {heat:>5}",
        f" {power:>6}",
        f"  {run}" if run else "",
        f"  {others}" if others else "",
    ]
    free = width - len(head) - len(percent)
    kept = ""
    for part in tail:
        if len(kept) + len(part) <= free - 5:
            kept += part
    cells = max(0, min(20, free - len(kept) - 1))
    gauge = ("·" * cells, FAINT) if share is None else (bar(share / 100, cells), "$text-primary")
    return ((head, ""), gauge, (f"{percent}{kept}", ""))


def host_rows(reading: HardwareReading, width: int) -> list[_Row]:
    """The processor and the memory, and why there are no GPUs."""
    host = reading.host
    cells = max(4, min(20, width - 34))
    load = f"   load {host.load[0]:.2f}" if host.load else ""
    cores = f"   {len(host.core_percents)} cores"
    share = host.memory_used_bytes / host.memory_total_bytes if host.memory_total_bytes else 0.0
    memory = f"   {_gigabytes(host.memory_used_bytes)}/{_gigabytes(host.memory_total_bytes)} GB"
    return [
        _host_row("cpu", host.cpu_percent / 100, cells, (cores, load), width),
        _host_row("memory", share, cells, (memory,), width),
        ((reading.driver, FAINT),),
    ]


def _host_row(name: str, share: float, cells: int, tail: tuple[str, ...], width: int) -> _Row:
    words = f"{share:5.0%}"
    for part in tail:
        if 7 + cells + len(words) + len(part) <= width:
            words += part
    return ((f"{name:<7}", ""), (bar(share, cells), "$text-primary"), (words, ""))


def memory_words(bytes_now: float | None, device: str) -> str:
    """What the engine itself says it holds."""
    if bytes_now is None or bytes_now != bytes_now:
        return ""
    kind = "peak on each device" if device.startswith("cuda") else "in its main process"
    return f"run    {num_bytes(bytes_now)} {kind}"


def _short_name(name: str) -> str:
    return re.sub(r"^(NVIDIA|Tesla|GeForce|Quadro)\s+", "", re.sub(r"^NVIDIA\s+", "", name)).strip() or "GPU"


def _gigabytes(value: int | None) -> str:
    if value is None:
        return "n/a"
    return f"{value / 1e9:.1f}" if value < 1e11 else f"{value / 1e9:.0f}"
