"""Numbers as people read them: counts, bytes and times in a few characters."""

from __future__ import annotations

import math

_COUNT_UNITS = ((1e12, "T"), (1e9, "B"), (1e6, "M"))
_BYTE_UNITS = ((1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB"))


def count(value: float) -> str:
    """`1,200`, `797,600`, `4.89 M`, `1.2 B`."""
    for size, unit in _COUNT_UNITS:
        if value >= size:
            return f"{value / size:.3g} {unit}"
    return f"{value:,.0f}"


def plural(number: int, noun: str) -> str:
    """`1 shard`, `2 shards`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def num_bytes(value: float) -> str:
    """`92 MB`, `1.4 GB`: decimal units, as disks and the GPU's data sheet have them."""
    for size, unit in _BYTE_UNITS:
        if value >= size:
            scaled = value / size
            return f"{scaled:.0f} {unit}" if scaled >= 10 else f"{scaled:.1f} {unit}"
    return f"{value:.0f} B"


def duration(seconds: float) -> str:
    """`45 s`, `8 min`, `3 h 09 min`, `2 d 4 h`: two parts at most."""
    if seconds < 90 or not math.isfinite(seconds):
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if minutes < 90:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {minutes:02d} min" if hours < 10 else f"{hours} h"
    days, hours = divmod(hours, 24)
    return f"{days} d {hours} h"


def short_duration(seconds: float) -> str:
    """`45s`, `8m`, `3h`, `2d`: for a narrow column."""
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "m")):
        if seconds >= 1.5 * size:
            return f"{seconds / size:.0f}{unit}"
    return f"{seconds:.0f}s"


def elapsed(seconds: float) -> str:
    """`52s`, `1m 52s`, `2h 04m`, `3d 04h`; two parts of fixed width, for figures that count down."""
    if not math.isfinite(seconds):
        return "?"
    whole = round(seconds)
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m {whole % 60:02d}s"
    if whole < 86_400:
        return f"{whole // 3600}h {whole % 3600 // 60:02d}m"
    return f"{whole // 86_400}d {whole % 86_400 // 3600:02d}h"
