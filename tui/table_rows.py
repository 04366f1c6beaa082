"""What a table with a column for each run is made of, for a screen and for plain lines."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from rich.style import Style

Mark = Literal["", "best", "faint"]


@dataclass(frozen=True)
class Cell:
    """What stands in a column. mark: the best has a sign of its own in the text too; faint steps back."""

    text: str
    mark: Mark = ""


@dataclass(frozen=True)
class Row:
    """key: by which the cursor stays on it. is_head: a heading without cells, over which the cursor goes."""

    key: str
    label: str
    cells: tuple[Cell, ...] = ()
    is_head: bool = False
    colour: Style | None = None


@dataclass(frozen=True)
class Head:
    """The head of a column, in its run's colour."""

    text: str
    colour: Style | None = None
