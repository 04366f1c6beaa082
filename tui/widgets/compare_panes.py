"""Tables of Compare whose arrow keys or brackets mean something of their own, and the names of its panes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.widgets import Static

from tui.widgets.side_by_side import SideBySide


class PaneNames(Static):
    """A line of names; a click on one chooses that pane. names: by the panes' ids."""

    @dataclass
    class Chosen(Message):
        """That pane is to come to the front."""

        name: str

    def __init__(self, names: Mapping[str, str], id: str) -> None:
        super().__init__(id=id)
        self._names = names

    def on_click(self, event: events.Click) -> None:
        """Each name has a cell before it, one behind it, and one between it and the next."""
        offset = event.get_content_offset(self)
        start = 0
        for name, title in self._names.items():
            if offset is not None and start <= offset.x < start + len(title) + 2:
                self.post_message(self.Chosen(name))
            start += len(title) + 3


class ProbesSideBySide(SideBySide):
    """Its arrow keys go to earlier and later probings; with shift they bring other columns."""

    KEYS_SCOPE = "compare_probes"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "left,h", "screen.scrub(-1)", "Earlier", id="earlier", show=False, tooltip="Look at earlier answers."
        ),
        Binding("right,l", "screen.scrub(1)", "Later", id="later", show=False, tooltip="Look at later answers."),
        Binding("shift+left", "column(-1)", show=False),
        Binding("shift+right", "column(1)", show=False),
    ]


class SettingsSideBySide(SideBySide):
    """Goes from one difference to the next."""

    KEYS_SCOPE = "compare_settings"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "left_square_bracket",
            "jump(-1)",
            "Difference before",
            id="previous_difference",
            show=False,
            tooltip="To the one before.",
        ),
        Binding(
            "right_square_bracket",
            "jump(1)",
            "Next difference",
            id="next_difference",
            show=False,
            tooltip="To the next one.",
        ),
    ]

    def action_jump(self, by: int) -> None:
        """Put the cursor on the next row in which the runs differ."""
        places = [place for place, row in enumerate(self.rows) if row.cells and row.cells[0].mark != "faint"]
        here = next((place for place, row in enumerate(self.rows) if row.key == self.key), 0)
        beyond = [place for place in places if (place > here if by > 0 else place < here)]
        if beyond:
            self.go_to(self.rows[beyond[0] if by > 0 else beyond[-1]].key)
