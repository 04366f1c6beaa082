"""The values that a filter compares with: numbers, durations, sizes, and days or times of the calendar."""

from __future__ import annotations

import re
import time
from datetime import datetime, timedelta

_NUMBER = re.compile(r"[+-]?(\d+(_\d+)*\.?\d*|\.\d+)(e[+-]?\d+)?(%|[kmbt](?!b))?", re.IGNORECASE | re.ASCII)
_SCALES = {"%": 1.0, "k": 1e3, "m": 1e6, "b": 1e9, "t": 1e12}
_DURATION = re.compile(r"(?:(\d+(?:\.\d+)?)(mo|min|[smhdwy]))+", re.IGNORECASE | re.ASCII)
_PART = re.compile(r"(\d+(?:\.\d+)?)(mo|min|[smhdwy])", re.IGNORECASE | re.ASCII)
_SECONDS = {"s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86_400.0, "w": 604_800.0, "mo": 2_592_000.0,
            "y": 31_536_000.0}  # fmt: skip
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*(b|kb|mb|gb|tb|kib|mib|gib|tib)?", re.IGNORECASE | re.ASCII)
_BYTES = {"": 1.0, "b": 1.0, "kb": 1e3, "mb": 1e6, "gb": 1e9, "tb": 1e12,
          "kib": 2.0**10, "mib": 2.0**20, "gib": 2.0**30, "tib": 2.0**40}  # fmt: skip
_DATE = re.compile(r"(\d{4})(?:-(\d{1,2})(?:-(\d{1,2})(?:[t_ ](\d{1,2}):(\d{2}))?)?)?", re.ASCII | re.IGNORECASE)


def number(text: str) -> float:
    """`0.5`, `3e-4`, `10k`, `50%`. Raises ValueError with an example."""
    match = _NUMBER.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is no number, such as 3.5, 1e-4 or 10k")
    suffix = (match[4] or "").lower()
    return float(text[: len(text) - len(suffix)]) * _SCALES.get(suffix, 1.0)


def seconds(text: str) -> float:
    """`90s`, `2h30m`, `2d`, `1w`; a bare number is seconds. Raises ValueError with an example."""
    if _DURATION.fullmatch(text):
        return sum(float(count) * _SECONDS[unit.lower()] for count, unit in _PART.findall(text))
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"{text!r} is no length of time, such as 90s, 2h30m or 2d") from None


def size(text: str) -> float:
    """`500MB`, `1.5GB`, a bare number is bytes. Raises ValueError with an example."""
    match = _SIZE.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is no size, such as 500MB or 1.5GB")
    return float(match[1]) * _BYTES[(match[2] or "").lower()]


def moments(text: str) -> tuple[float, float]:
    """Unix seconds at which a year, month, day or minute begins and ends, here; also `today`, `yesterday`, `now`.

    A length of time is the moment so long ago. Raises ValueError with an example.
    """
    now = datetime.now()
    today = now.replace(hour=0, minute=0, second=0, microsecond=0)
    word = text.lower()
    if word == "now":
        return time.time(), time.time()
    if word in ("today", "yesterday"):
        first = today - timedelta(days=word == "yesterday")
        return first.timestamp(), (first + timedelta(days=1)).timestamp()
    if _DURATION.fullmatch(text):
        moment = time.time() - seconds(text)
        return moment, moment
    match = _DATE.fullmatch(text)
    try:
        if match is None:
            raise ValueError
        year, month, day, hour, minute = (int(part) if part else None for part in match.groups())
        first = datetime(year or 1, month or 1, day or 1, hour or 0, minute or 0)
        return first.timestamp(), _after(first, month, day, hour).timestamp()
    except (ValueError, OverflowError, OSError):
        raise ValueError(f"{text!r} is no date, such as 2026-11-22, 2026-11, today or 2d") from None


def _after(first: datetime, month: int | None, day: int | None, hour: int | None) -> datetime:
    """When the year, month, day or minute that begins there is over."""
    if hour is not None:
        return first + timedelta(minutes=1)
    if day is not None:
        return first + timedelta(days=1)
    if month is not None:
        return first.replace(year=first.year + first.month // 12, month=first.month % 12 + 1)
    return first.replace(year=first.year + 1)
