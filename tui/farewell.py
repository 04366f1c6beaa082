"""What is said when the dashboard is left while runs go on."""

from __future__ import annotations

import re

from runs.folder import RunFolder
from tui.safe_text import safe_text

_MOST_NAMES = 5


def farewell(live: tuple[RunFolder, ...]) -> str:
    """Which runs go on, how to see them again, how to stop them; the first few by name."""
    names = [_reference(folder) for folder in live[:_MOST_NAMES]]
    if len(live) == 1:
        again = f"tinytrain-tui shows it again; tinytrain-tui stop {names[0]} stops it."
        return f"1 run goes on: {names[0]}. {again}"
    again = "tinytrain-tui shows them again; tinytrain-tui stop RUN stops one."
    more = f" and {len(live) - len(names)} more" if len(live) > len(names) else ""
    return f"{len(live)} runs go on: {', '.join(names)}{more}. {again}"


def _reference(folder: RunFolder) -> str:
    """The run's name where it can be typed into a shell as it is, else its id."""
    name = folder.about().name
    return safe_text(name if re.fullmatch(r"[\w.][\w.-]*", name, re.ASCII) else folder.id)
