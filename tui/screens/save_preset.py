"""Saves what stands in the form as a preset of one's own; replacing one is asked first."""

from __future__ import annotations

from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from presets import config as configs
from presets.catalog import save_preset
from presets.schema import RunConfig
from tui.safe_text import plain, safe_text
from tui.widgets.line_input import LineInput


class SavePresetDialog(ModalScreen[str | None]):
    """Asks for a name and a sentence; dismissed with the name once the file is written, None on esc."""

    CSS_PATH = "dialogs.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "cancel", "Cancel", show=False),
        Binding("down", "app.focus_next", show=False),
        Binding("up", "app.focus_previous", show=False),
    ]

    def __init__(self, config: RunConfig, name: str = "", summary: str = "") -> None:
        super().__init__()
        self._config = config
        self._suggested = name
        self._summary = summary
        self._replaces = ""

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog") as frame:
            frame.border_title = "Save as a preset of your own"
            num_fields = len(configs.diff(RunConfig(), self._config))
            yield Static("name", classes="caption")
            yield LineInput(self._suggested, placeholder="small letters, digits, . _ -", id="name", max_length=64)
            yield Static("what it is for", classes="caption")
            yield LineInput(self._summary, placeholder="a sentence, for the list", id="summary", max_length=300)
            yield Static(Content(""), classes="error")
            hint = f"enter saves it ({num_fields} fields that differ from the defaults), esc cancels"
            yield Static(Content(hint), classes="hint")

    def on_mount(self) -> None:
        self.query("#name").focus()  # a key may have closed it before it was composed

    def action_cancel(self) -> None:
        """Close without saving."""
        self.dismiss(None)

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        event.stop()
        name = self.query_one("#name", Input).value.strip()
        summary = self.query_one("#summary", Input).value.strip()
        try:
            save_preset(name, self._config, summary, replace=self._replaces == name)
        except FileExistsError:
            self._replaces = name
            self._say(f"There is already a preset {name}. Press enter again to replace it.")
        except (ValueError, OSError) as error:
            self._say(f"Not saved: {error}")
        else:
            self.dismiss(name)

    def _say(self, sentence: str) -> None:
        self.query_one(".error", Static).update(plain(safe_text(sentence), 400))
