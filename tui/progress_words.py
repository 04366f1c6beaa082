"""How far a long step is, in a line."""

from __future__ import annotations

from typing import Protocol

from tui.figures import count, duration
from tui.safe_text import safe_text


class Step(Protocol):
    """A long step; total is 0 while it is not known, rate (units a second) and eta_s None."""

    @property
    def phase(self) -> str: ...
    @property
    def done(self) -> int: ...
    @property
    def total(self) -> int: ...
    @property
    def unit(self) -> str: ...
    @property
    def rate(self) -> float | None: ...
    @property
    def eta_s(self) -> float | None: ...


def progress_words(step: Step) -> str:
    """`tokenising 1,200 of 25,000 documents · 5 % · 310 documents/s · ETA 1 min`."""
    parts = [safe_text(step.phase, 200)]
    unit = safe_text(step.unit, 20)
    if step.total:
        parts[0] += f" {step.done:,} of {step.total:,} {unit}"
        parts.append(f"{100 * min(1.0, step.done / step.total):.0f} %")
    elif step.done:
        parts[0] += f" {step.done:,} {unit}"
    return " · ".join([*parts, *pace_words(step)])


def pace_words(step: Step) -> list[str]:
    """`310 documents/s` and `ETA 1 min`, as far as they are known."""
    words = []
    if step.rate is not None:
        rate = count(step.rate) if step.rate >= 10 else f"{step.rate:.1f}"
        words.append(f"{rate} {safe_text(step.unit, 20)}/s")
    if step.eta_s is not None and step.done < step.total:
        words.append(f"ETA {duration(step.eta_s)}")
    return words
