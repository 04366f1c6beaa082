"""One field of the form: its mark and label, a control, what may stand there, and the error under it."""

from __future__ import annotations

import textwrap

from textual import events, on
from textual.app import ComposeResult
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Input

from presets.fields import FieldSpec, Value, format_value
from tui.messages import FieldEdited, FieldFocused, FieldReset
from tui.safe_text import FAINT, MUTED, plain, safe_text
from tui.widgets.choice_control import SHOWN, ChoiceControl
from tui.widgets.form_model import NAME, FormModel
from tui.widgets.line_input import LineInput

LEAD = 20  # cells before the control: mark, label, a space
_WIDTHS = {"int": 11, "float": 11, "choice": 14, "bool": 14}
_TEXT_WIDTHS = (10, 40)  # of a control for a text: as the row has room
_NOTES_WIDTH = 12  # kept free behind it
_TEXTS_HEIGHT = 5
_RESET = "⟲"


class FieldRow(Widget):
    """Draws everything but the control itself, so that a form of fifty fields stays fast to mount."""

    DEFAULT_CSS = """
    FieldRow { height: 1; width: 1fr; }
    FieldRow > LineInput { background: $panel; margin-left: 20; width: 12; padding: 0 1; }
    FieldRow > ChoiceControl { margin-left: 20; }
    FieldRow > LineInput:focus { background: $primary 40%; }
    FieldRow > TextArea { margin: 1 1 0 4; height: 5; width: 1fr; background: $panel; border: none; padding: 0 1; }
    """

    def __init__(self, spec: FieldSpec, model: FormModel) -> None:
        super().__init__()
        self.spec = spec
        self._model = model
        self._problem = ""
        self._shows_problem = False
        # what is edited; here and not in `compose`, since another draft may be loaded before that has run
        self.control = self._make_control()
        self.set_class(spec.advanced, "-advanced")

    def compose(self) -> ComposeResult:
        yield self.control

    def _make_control(self) -> Widget:
        text = self._model.text(self.spec.path)
        if self.spec.kind == "texts":
            from tui.widgets.lines_input import LinesInput

            return LinesInput(text)
        if self.spec.kind in ("choice", "bool"):
            return ChoiceControl(self.spec.choices or ("true", "false"), text)
        entry = LineInput(text, placeholder="made up" if self.spec is NAME else "")
        entry.styles.width = self._control_width
        return entry

    def on_mount(self) -> None:
        self._fit()

    @property
    def shown_problem(self) -> str:
        """The error that stands under the field now."""
        return self._problem if self._shows_problem else ""

    @property
    def text(self) -> str:
        """What stands in the control now."""
        name = "text" if self.spec.kind == "texts" else "value"
        return str(getattr(self.control, name))

    def load(self, model: FormModel) -> None:
        """Show what the model holds; posts nothing."""
        self._model = model
        text = model.text(self.spec.path)
        control = self.control
        if isinstance(control, ChoiceControl):
            control.value = text
        elif getattr(control, "value", None) != text and isinstance(control, Input):
            with self.prevent(Input.Changed):
                control.value = text
        elif self.spec.kind == "texts" and control.text != text:  # type: ignore[attr-defined]
            from textual.widgets import TextArea

            with self.prevent(TextArea.Changed):
                control.load_text(text)  # type: ignore[attr-defined]
        self.refresh()

    def set_problem(self, problem: str) -> None:
        """Take what is wrong, or nothing. It appears on leaving the field, and stays until it is mended."""
        if problem != self._problem:
            self._problem = problem
            self._shows_problem = bool(problem) and (self._shows_problem or not self.control.has_focus)
            self._fit()

    def _show_pending(self) -> None:
        if self._problem and not self._shows_problem:
            self._shows_problem = True
            self._fit()

    def _fit(self) -> None:
        self.styles.height = self._body_height + len(self._error_lines())
        self.set_class(self._shows_problem, "-wrong")
        self.refresh()

    @property
    def _body_height(self) -> int:
        return 1 + (_TEXTS_HEIGHT if self.spec.kind == "texts" else 0)

    def _error_lines(self) -> list[str]:
        if not self._shows_problem:
            return []
        text = f"✗ {safe_text(self._problem, 300)}"
        return textwrap.wrap(text, max(self.size.width - 5, 20), subsequent_indent="  ")

    def on_resize(self) -> None:
        """A narrower row needs more lines for its error, and a narrower control for a text."""
        if self.spec.kind == "str":
            self.control.styles.width = self._control_width
        if self._shows_problem:
            self._fit()

    @property
    def _control_width(self) -> int:
        if self.spec.kind == "str":
            narrowest, widest = _TEXT_WIDTHS
            return max(narrowest, min(widest, self.size.width - LEAD - _NOTES_WIDTH))
        return _WIDTHS.get(self.spec.kind, 0)  # sentences have lines of their own

    def render(self) -> Content:
        """Mark and label, room for the control, the notes; then the error."""
        changed = self._model.is_changed(self.spec.path)
        mark = Content.styled("✗ ", "$text-error") if self._shows_problem else (
            Content.styled("• ", "$accent") if changed else Content("  ")
        )  # fmt: skip
        label = Content.styled(f"{safe_text(self.spec.label):<{LEAD - 2}}", "bold" if changed else "")
        gap = self._control_width + 1
        room = self.size.width - LEAD - gap
        notes, reset = self._notes(changed, room - 3 if changed else room)
        line = Content.assemble(mark, label, " " * gap, notes)
        if reset:
            line = line.pad_right(max(self.size.width - line.cell_length - 2, 0))
            line = Content.assemble(line, Content.styled(_RESET, "$accent"))
        lines = [line, *(Content("") for _ in range(self._body_height - 1))]
        lines += [Content.styled("    " + text, "$text-error") for text in self._error_lines()]
        return Content("\n").join(lines)

    def _notes(self, changed: bool, room: int) -> tuple[Content, bool]:
        """What stands behind the control, the least important left out where there is no room."""
        spec, published = self.spec, self._model.preset.published
        notes: list[tuple[str, str]] = []
        if changed:
            was = _short(self._model.preset_value(spec.path))
            notes.append(("changed" if spec.kind == "texts" else f"was {was}", "$accent"))
        if spec.path in published:
            notes.append((f"published {_short(published[spec.path])}", "$text-secondary"))
        if spec.zero and self._model.value(spec.path) == 0 and not changed:
            notes.append((f"= {spec.zero}", MUTED))
        elif spec.kind == "choice" and len(spec.bounds()) > room:
            notes.append((f"{len(spec.choices)} choices", FAINT))
        elif spec.kind in ("int", "float", "choice"):
            both = f"{spec.unit} {spec.bounds()}".strip()
            used = sum(len(text) + 2 for text, _ in notes)
            notes.append((both if used + len(both) <= room else spec.bounds(), FAINT))
        elif spec.kind == "texts":
            notes.append(("one a line, each with a [MASK]", FAINT))
        kept: list[Content] = []
        for text, style in notes:
            used = sum(part.cell_length + 2 for part in kept)
            if used + len(text) <= room or not kept:
                kept.append(plain(text, max(room - used, 1), style))
        return Content("  ").join(kept), changed

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        event.stop()
        self.post_message(FieldEdited(self.spec.path, event.value))

    @on(ChoiceControl.Chosen)
    def _chosen(self, event: ChoiceControl.Chosen) -> None:
        event.stop()
        self.post_message(FieldEdited(self.spec.path, event.value))

    def on_text_area_changed(self, event: events.Event) -> None:
        """The sentences were edited."""
        event.stop()
        self.post_message(FieldEdited(self.spec.path, self.control.text))  # type: ignore[attr-defined]

    def on_descendant_focus(self) -> None:
        """Whoever shows help wants to know where one is."""
        self.post_message(FieldFocused(self.spec.path))

    def on_descendant_blur(self) -> None:
        """Leaving a field is when its error appears."""
        self._show_pending()

    def on_click(self, event: events.Click) -> None:
        """A click on ⟲ resets, one on the label goes to the control."""
        if event.widget is not self or event.y >= self._body_height:
            return
        if self._model.is_changed(self.spec.path) and event.x >= self.size.width - 3:
            self.post_message(FieldReset(self.spec.path))
        else:
            self.control.focus()


def _short(value: Value) -> str:
    text = " | ".join(value) if isinstance(value, tuple) else format_value(value)
    return safe_text(SHOWN.get(text, text) or "empty", 24)
