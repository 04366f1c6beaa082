"""What the fault harnesses report: for each promise, how often it was tried, and how often it was broken."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Scale = Literal["quick", "long"]


@dataclass(frozen=True)
class Figure:
    """One line of the report.

    promise: its number in the reliability reference. what: was done, and what counts as failed. tried: how often.
    failed: must be 0, except for a control: a deliberately broken build, where it must be above 0, since a
    harness that cannot fail shows nothing. detail: a further figure, in words.
    """

    promise: int
    what: str
    tried: int
    failed: int
    is_control: bool = False
    detail: str = ""

    @property
    def is_as_promised(self) -> bool:
        """Nothing was broken, or the control was caught."""
        return self.tried > 0 and (self.failed > 0 if self.is_control else self.failed == 0)


Measure = Callable[[Path, Scale], list[Figure]]
"""A harness: works in an empty folder, leaves no process, and takes seconds (quick) or minutes (long)."""


def table(figures: list[Figure]) -> str:
    """The figures as a Markdown table, by promise."""
    rows = ["| promise | what | tried | failed | |", "| --- | --- | ---: | ---: | --- |"]
    for figure in sorted(figures, key=lambda figure: (figure.promise, figure.is_control)):
        what = f"control: {figure.what}" if figure.is_control else figure.what
        sign = "✓" if figure.is_as_promised else "✗ NOT AS PROMISED"
        detail = f"{sign} {figure.detail}".strip()
        rows.append(f"| {figure.promise} | {what} | {figure.tried:,} | {figure.failed:,} | {detail} |")
    return "\n".join(rows)
