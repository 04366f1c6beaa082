"""Edits the probes of a run that trains: one a line, judged while they are typed."""

from __future__ import annotations

from pathlib import PurePath
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Static, TextArea

from presets.probe_text import probes_problem, read_probe, read_probes
from presets.schema import MASK_TOKEN, RunConfig
from tui.safe_text import plain
from tui.widgets.lines_input import LinesInput


class ProbesDialog(ModalScreen[str | None]):
    """Dismissed with the probes, one a line, once there is nothing wrong with them; with None on esc."""

    CSS_PATH: ClassVar[list[str | PurePath]] = ["dialogs.tcss", "probes_dialog.tcss"]
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+s", "ask", "Use them"),
        Binding("escape", "cancel", "Cancel", show=False),
    ]

    def __init__(self, probes: tuple[str, ...], config: RunConfig) -> None:
        """config: of the run; its objective says what a probe may be."""
        super().__init__()
        self._probes = probes
        self._objective = config.objective

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog") as frame:
            frame.border_title = "Probe sentences"
            frame.border_subtitle = "ctrl+s uses them from the next step on · esc cancels"
            yield Static(plain(_how(self._objective.kind, self._objective.has_masks), 400), classes="caption")
            yield LinesInput("\n".join(self._probes))
            yield Static(id="meaning")

    def on_mount(self) -> None:
        """Type on at the end."""
        for field in self.query(LinesInput):  # none, when a key closed it before it was composed
            field.focus()
            field.move_cursor(field.document.end)
            self._judge()

    def action_cancel(self) -> None:
        """Leave the probes as they are."""
        self.dismiss(None)

    def action_ask(self) -> None:
        """Ask for them, if nothing is wrong."""
        if self._judge():
            self.dismiss("\n".join(read_probes(self.query_one(LinesInput).text)))

    @on(TextArea.Changed)
    def _judge(self) -> bool:
        """Say what is wrong, or how many there are; whether they can be used."""
        probes = read_probes(self.query_one(LinesInput).text)
        problem = probes_problem(probes, self._objective.kind, self._objective.has_masks)
        if not probes:
            problem = "write at least one sentence"
        shown = self.query_one("#meaning", Static)
        shown.set_class(bool(problem), "error")
        shown.update(plain(f"✗ {problem}" if problem else _count(probes), 400))
        return not problem


def _how(kind: str, has_masks: bool) -> str:
    if kind == "clm":
        return "One a line: a beginning, and after => the word that comes next, whose rank is followed."
    if has_masks:
        return (
            f"One a line, with {MASK_TOKEN} where a word is hidden; after => the word that belongs there, one for "
            f"each mask: the people of the united {MASK_TOKEN} => states"
        )
    return "One text a line, and after => its label, whose rank is followed."


def _count(probes: tuple[str, ...]) -> str:
    number = len(probes)
    followed = sum(len(read_probe(probe).expected) for probe in probes)
    sentences = "1 sentence" if number == 1 else f"{number} sentences"
    ranks = "no rank is" if not followed else "1 rank is" if followed == 1 else f"{followed} ranks are"
    return f"{sentences}; {ranks} followed"
