"""Settings: what holds, where it is written down, and an example to begin with."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from tui.commands import shown
from tui.keys import key_names
from tui.safe_text import safe_text
from tui.settings import EXAMPLE, Settings, write_example
from tui.themes import LOOKS


class SettingsDialog(ModalScreen[None]):
    """Shows the settings; w writes a file of examples, t goes on to the next look, y copies the path."""

    CSS_PATH = "help.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,enter", "dismiss", "Close", show=False),
        Binding("w", "write", "Write", show=False),
        Binding("t", "look", "Look", show=False),
        Binding("y", "copy", "Copy", show=False),
        Binding("down,j", "scroll(1)", show=False),
        Binding("up,k", "scroll(-1)", show=False),
    ]

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        self._settings = settings

    def compose(self) -> ComposeResult:
        with VerticalScroll(id="help", can_focus=False) as frame:
            frame.border_title = "Settings"
            frame.border_subtitle = "t look · w write an example · y copy the path · esc closes"
            yield Static(self._text(), id="text")

    def _text(self) -> Content:
        settings, notify = self._settings, self._settings.notify
        is_there = settings.path.is_file()
        rows = [
            ("file", f"{settings.path}{'' if is_there else ' (not there yet; w writes an example)'}"),
            ("theme", f"{self.app.theme}: {LOOKS.get(self.app.theme, '')}"),
            ("mouse", _yes(settings.mouse)),
            ("slow line", _yes(settings.low_bandwidth)),
            ("ascii", _yes(settings.ascii)),
            ("bell", _yes(notify.bell)),
            ("desktop", f"{_yes(notify.desktop)} (OSC 9)"),
            ("webhook", "set" if notify.webhook else "none"),
            *(("key", f"{path} = {_shown_keys(key)}") for path, key in settings.keys.items()),
        ]
        lines = [
            Content.assemble((f"{safe_text(name, 12):<12}", "bold"), safe_text(text, 300)) for name, text in rows
        ]
        for problem in settings.problems:
            lines.append(Content.assemble(("! ", "$text-warning"), safe_text(problem, 400)))
        lines += [Content(""), Content.styled("an example; it is read when the dashboard starts", "$text-primary")]
        lines += [Content(line) for line in EXAMPLE.strip().splitlines()]
        return Content("\n").join(lines)

    def action_look(self) -> None:
        """Go on to the next look; it is remembered."""
        names = list(LOOKS)
        now = names.index(self.app.theme) if self.app.theme in names else -1
        self.app.theme = names[(now + 1) % len(names)]
        self.query_one("#text", Static).update(self._text())

    def action_write(self) -> None:
        """Write the example where no settings are yet."""
        try:
            write_example(self._settings.path)
        except FileExistsError:
            self.notify("There are settings already; they stay as they are.", markup=False)
        except OSError as error:
            self.notify(safe_text(f"The example cannot be written: {error}", 400), severity="error", markup=False)
        else:
            self.notify(safe_text(f"Written: {self._settings.path}", 400), markup=False)
            self.query_one("#text", Static).update(self._text())

    def action_copy(self) -> None:
        """Put the file's path on the clipboard."""
        path = safe_text(str(self._settings.path), 4000)
        self.app.copy_to_clipboard(path)
        self.notify(f"copied {path}", markup=False, timeout=3)

    def action_scroll(self, lines: int) -> None:
        """Move the text when it is longer than the window."""
        self.query_one("#help").scroll_relative(y=lines, animate=False)


def _yes(value: bool) -> str:
    return "yes" if value else "no"


def _shown_keys(text: str) -> str:
    """Keys as they stand in the key line; what is no key as it was written."""
    try:
        return " ".join(shown(key) for key in key_names(text).split(",") if key) or "none"
    except ValueError:
        return f"{safe_text(text, 20)}, which is no key"
