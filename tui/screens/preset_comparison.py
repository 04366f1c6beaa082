"""The models of several presets beside one another: what they are, what they cost, what is set differently."""

from __future__ import annotations

from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.screen import Screen
from textual.widgets import DataTable, Static

from presets.catalog import Preset
from presets.comparison import compare_models, differing_settings
from presets.estimate import Machine
from tui.commands import Command, bindings_of
from tui.preset_table import bases, comparison_rows
from tui.safe_text import FAINT, safe_text
from tui.widgets.footer import KeyFooter

COMMANDS = (Command("back", "escape", "Back", "Go back to the presets.", "app.pop_screen", key_display="esc"),)
_NARROWEST_CELL, _WIDEST_CELL = 14, 26
_LABELS = 32  # cells of the longest label and of the frame
_PADDING = 2


class PresetComparisonScreen(Screen[None]):
    """A table with a column for each preset; scrolls both ways, its labels stay."""

    CSS_PATH = "preset_comparison.tcss"
    SCREEN_COMMANDS = COMMANDS
    HELP_TITLE = "Preset comparison"
    HELP = (
        "One column a preset. Parameters are counted by part, beside what the system it comes from states. "
        "Below the costs stand the settings in which the presets differ; the arrow keys scroll."
    )
    BINDINGS: ClassVar[list[BindingType]] = [*bindings_of(COMMANDS)]

    def __init__(self, presets: tuple[Preset, ...], machine: Machine) -> None:
        super().__init__()
        self._presets = presets
        self._models = compare_models(presets, machine)

    def compose(self) -> ComposeResult:
        yield _Table()
        sentences = [Content.styled(safe_text(text, 600), FAINT) for text in bases(self._models)]
        with VerticalScroll(id="bases"):
            yield Static(Content("\n").join(sentences))
        yield KeyFooter()

    def on_mount(self) -> None:
        """Fill the table, which is not there when a key closed the screen before it was composed."""
        for table in self.query(_Table):
            self._fill(table)

    def _fill(self, table: _Table) -> None:
        room = (self.app.size.width - _LABELS) // len(self._presets) - _PADDING
        limit = min(max(room, _NARROWEST_CELL), _WIDEST_CELL)
        table.border_title = f"{len(self._presets)} presets compared"
        table.add_column("")
        for preset in self._presets:
            table.add_column(Text(safe_text(preset.title, limit), justify="right"))
        for row in comparison_rows(self._models, differing_settings(self._presets)):
            label = Text(safe_text(row.label), style="" if row.cells else "bold")
            cells = (Text(safe_text(cell, limit), justify="right") for cell in row.cells)
            table.add_row(label, *cells)
        table.focus()


class _Table(DataTable[Text]):
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("j", "scroll_down", show=False),
        Binding("k", "scroll_up", show=False),
        Binding("h", "scroll_left", show=False),
        Binding("l", "scroll_right", show=False),
    ]

    def __init__(self) -> None:
        super().__init__(cursor_type="none", fixed_columns=1, classes="pane", id="comparison")
