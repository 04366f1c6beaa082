"""What the machine does as rows: one for each GPU with its last minutes, and whose processes hold it."""

from __future__ import annotations

import re
from collections.abc import Sequence

from runs.hardware_history import BUCKET_S, NO_HISTORY, HardwareHistory, Past
from runs.readings import DeviceProcess, DeviceReading, HardwareReading
from tui.figures import num_bytes
from tui.run_words import bar
from tui.safe_text import FAINT, safe_text
from tui.widgets.sparkline import sparkline

Row = tuple[tuple[str, str], ...]
_LEAST_SPARK = 5  # cells under which a gauge says more than a line
_LEAST_GAUGE, _GOOD_GAUGE, _ROOMY = 3, 12, 56
"""Cells kept for the gauge: beside the memory, and beside what matters least in a pane that has so many cells."""
_MOST_NAME = 10
_PERCENT_WIDTH, _HOST_HEAD = 5, 7
_MEMORY, _MEMORY_LINE, _HEAT, _POWER, _RUN, _OTHERS = range(6)
_NUM_PARTS = 6
_BY_WORTH = (_MEMORY, _RUN, _OTHERS, _HEAT, _POWER, _MEMORY_LINE)
_WIDE = 110  # cells from which memory has a line of its own


def device_rows(
    devices: Sequence[DeviceReading],
    width: int,
    tag_prefix: str,
    history: HardwareHistory = NO_HISTORY,
    *,
    only_ascii: bool = False,
) -> list[Row]:
    """A line for each GPU, with how busy it was; the same figures stand below each other.

    A figure that the driver does not give is `n/a`.
    """
    names = max((len(_name(device)) for device in devices), default=0)
    heads = [f"{device.index} {_name(device):<{names}} " for device in devices]
    parts = [_parts(device, width, tag_prefix, history, only_ascii) for device in devices]
    sizes = [max(map(len, same)) for same in zip(*parts, strict=True)]
    free = width - max(map(len, heads), default=0) - _PERCENT_WIDTH
    kept: list[int] = []
    for part in _BY_WORTH:
        if part == _MEMORY:
            gauge = _LEAST_GAUGE
        else:
            is_roomy = width >= _ROOMY and part not in (_RUN, _OTHERS)
            gauge = _GOOD_GAUGE if is_roomy else _LEAST_SPARK + 1
        if sizes and sizes[part] and sum(sizes[one] for one in kept) + sizes[part] <= free - gauge:
            kept.append(part)
    cells = free - sum(sizes[part] for part in kept) - 1
    rows: list[Row] = []
    for device, head, own in zip(devices, heads, parts, strict=True):
        if device.problem:
            problem = safe_text(f"✗ {device.problem}", max(1, width - len(head)))
            rows.append(((head, ""), (problem, "$text-error")))
            continue
        share = device.utilisation_percent
        percent = "  n/a" if share is None else f"{share:4.0f}%"
        tail = "".join(
            own[part].ljust(sizes[part]) if part in (_RUN, _OTHERS) else own[part].rjust(sizes[part])
            for part in sorted(kept)
        )
        gauge_of = _gauge(share, history.utilisation.get(device.index, ()), cells, only_ascii)
        rows.append(((head, ""), gauge_of, ((percent + tail).rstrip(), "")))
    return rows


def _parts(
    device: DeviceReading, width: int, tag_prefix: str, history: HardwareHistory, only_ascii: bool
) -> tuple[str, ...]:
    """What may stand after the percentage, in the order in which it does; each begins with its distance."""
    if device.problem:
        return ("",) * _NUM_PARTS
    used, total = device.memory_used_bytes, device.memory_total_bytes
    past = history.memory.get(device.index, ())
    line = f" {_line(past, 20, only_ascii)}" if width >= _WIDE and len(past) > 1 else ""
    heat = "n/a" if device.temperature_c is None else f"{device.temperature_c:.0f}°C"
    power = "n/a" if device.power_w is None else f"{device.power_w:.0f} W"
    run, others = whose_memory(device, tag_prefix)
    return (
        f"  {_gigabytes(used):>4}/{_gigabytes(total)} GB",
        line,
        f"  {heat:>5}",
        f" {power:>6}",
        f"  {run}" if run else "",
        f"  {others}" if others else "",
    )


def whose_memory(device: DeviceReading, tag_prefix: str) -> tuple[str, str]:
    """What the run holds, and what others do; empty where that cannot be told, or there is nothing."""
    own = device.memory_of(tag_prefix) if tag_prefix else None
    if own is None:
        return "", ""
    others = ""
    if device.processes is not None:
        rest = sum(process.memory_bytes or 0 for process in device.processes) - own
        others = f"others {_gigabytes(rest)} GB" if rest > 0 else ""
    return f"run {_gigabytes(own)} GB" if own else "", others


def process_rows(devices: Sequence[DeviceReading], tag_prefix: str, width: int, height: int) -> list[Row]:
    """Whose processes hold each device: those of the run first, then the largest; in at most `height` lines."""
    rows: list[Row] = []
    for device in devices:
        if device.processes is None:
            if not device.problem:
                rows.append(((f"{device.index}  the driver does not tell whose processes are on it", FAINT),))
            continue
        ordered = sorted(
            device.processes, key=lambda one: (not _is_own(one, tag_prefix), -(one.memory_bytes or 0))
        )
        rows += [_process_row(device.index, process, tag_prefix, width) for process in ordered]
    if not rows:
        return [(("no process is on any of them", FAINT),)] if height > 0 else []
    if len(rows) > height:
        rows = [*rows[: max(0, height - 1)], ((f"… {len(rows) - height + 1} more processes", FAINT),)][:height]
    return rows


def _process_row(index: int, process: DeviceProcess, tag_prefix: str, width: int) -> Row:
    memory = "n/a" if process.memory_bytes is None else f"{_gigabytes(process.memory_bytes)} GB"
    name = safe_text(process.name, 20) or "?"
    user = f" of {safe_text(process.user, 20)}" if process.user else ""
    head = f"{index}  pid {process.pid:<8} {memory:>9}  "
    if _is_own(process, tag_prefix):
        return ((head, ""), ("● this run", "$text-success"), (f"  {name}{user}"[: max(0, width - 50)], ""))
    whose = "○ not seen from here" if process.tag is None else "○ another run" if process.tag else "○ other"
    return ((head, FAINT), (whose, "$text-warning"), (f"  {name}{user}", FAINT))


def _is_own(process: DeviceProcess, tag_prefix: str) -> bool:
    return bool(tag_prefix) and (process.tag or "").startswith(tag_prefix)


def host_rows(
    reading: HardwareReading,
    width: int,
    history: HardwareHistory = NO_HISTORY,
    *,
    below: Row = (),
    only_ascii: bool = False,
) -> list[Row]:
    """The processor and the memory with their last minutes, and why there are no GPUs, where there are none.

    below: a row of a GPU, whose gauge these stand in line with.
    """
    host = reading.host
    cells = max(4, min(60 if width >= _WIDE else 20, width - 34))
    head = _HOST_HEAD
    if len(below) > 2:
        head = max(head, len(below[0][0]))
        cells = max(4, len(below[0][0]) + len(below[1][0]) - head)
    load = f"   load {host.load[0]:.2f}" if host.load else ""
    cores = f"   {len(host.core_percents)} cores"
    share = host.memory_used_bytes / host.memory_total_bytes if host.memory_total_bytes else 0.0
    memory = f"   {_gigabytes(host.memory_used_bytes)}/{_gigabytes(host.memory_total_bytes)} GB"
    cpu_gauge = _gauge(host.cpu_percent, history.cpu, cells, only_ascii)
    memory_gauge = _gauge(100 * share, history.host_memory, cells, only_ascii)
    rows = [
        _host_row("cpu".ljust(head), host.cpu_percent / 100, cpu_gauge, (cores, load), width),
        _host_row("memory".ljust(head), share, memory_gauge, (memory,), width),
    ]
    return [*rows, ((reading.driver, FAINT),)] if reading.driver else rows


def history_words(history: HardwareHistory) -> str:
    """`last 5 min`: how far the lines reach back; empty while they are short."""
    seconds = history.seconds
    if seconds < 2 * BUCKET_S:
        return ""
    return f"last {seconds} s" if seconds < 60 else f"last {seconds // 60} min"


def memory_words(bytes_now: float | None, device: str) -> str:
    """What the engine itself says it holds."""
    if bytes_now is None or bytes_now != bytes_now:
        return ""
    kind = "peak on each device" if device.startswith("cuda") else "in its main process"
    return f"run    {num_bytes(bytes_now)} {kind}"


def _host_row(name: str, share: float, gauge: tuple[str, str], tail: tuple[str, ...], width: int) -> Row:
    words = f"{share:5.0%}"
    for part in tail:
        if len(name) + len(gauge[0]) + len(words) + len(part) <= width:
            words += part
    return ((name, ""), gauge, (words, ""))


def _gauge(percent: float | None, past: Past, cells: int, only_ascii: bool) -> tuple[str, str]:
    """The last minutes as a line; a bar while there is no past or too little room."""
    cells = max(0, min(60, cells))
    if cells >= _LEAST_SPARK and len(past) > 1:
        return _line(past, cells, only_ascii), "$text-primary"
    cells = min(20, cells)
    if percent is None:
        return "·" * cells, FAINT
    return ("#" * round(percent / 100 * cells)).ljust(cells, ".") if only_ascii else bar(
        percent / 100, cells
    ), "$text-primary"


def _line(past: Past, cells: int, only_ascii: bool) -> str:
    return sparkline(past, cells, 0.0, 1.0, only_ascii=only_ascii)


def _name(device: DeviceReading) -> str:
    return safe_text(_short_name(device.name), _MOST_NAME)


def _short_name(name: str) -> str:
    return re.sub(r"^(NVIDIA|Tesla|GeForce|Quadro)\s+", "", re.sub(r"^NVIDIA\s+", "", name)).strip() or "GPU"


def _gigabytes(value: int | None) -> str:
    if value is None:
        return "n/a"
    return f"{value / 1e9:.1f}" if value < 1e11 else f"{value / 1e9:.0f}"
