"""Chooses what a sweep varies: fields and their values, a grid or draws; says what would come of it."""

from __future__ import annotations

from pathlib import PurePath
from typing import ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.suggester import SuggestFromList
from textual.timer import Timer
from textual.widgets import Button, Input, Static

from presets.config import get_value
from presets.estimate import Machine
from presets.fields import format_value
from presets.schema import FIELDS, RunConfig
from presets.sweep_axes import Axis, Sweep, WrongSweep, make_axis, make_sweep, sweepable
from tui.safe_text import FAINT, plain, safe_text
from tui.sweep_words import left_out_words, size_words
from tui.widgets.choice_control import ChoiceControl
from tui.widgets.line_input import LineInput

MOST_FIELDS = 6
_DELAY_S = 0.2
_SHOWN, _SHOWN_LOW = 5, 1  # of the runs that would be made
_LOW = 30  # rows of a terminal where there is room for little
_SPECS = [spec for spec in FIELDS if spec.kind in ("int", "float", "choice", "bool")]
_PATHS = [spec.path for spec in _SPECS]
_NAMES = [*_PATHS, *(spec.name for spec in _SPECS), *(spec.label for spec in _SPECS)]  # each is understood


class SweepDialog(ModalScreen[Sweep | None]):
    """Dismissed with the sweep that shall be queued, None on esc."""

    CSS_PATH: ClassVar[list[str | PurePath]] = ["dialogs.tcss", "sweep_dialog.tcss"]
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "cancel", "Cancel", show=False),
        Binding("ctrl+g", "queue", "Queue", show=False),
        Binding("down", "app.focus_next", show=False),
        Binding("up", "app.focus_previous", show=False),
    ]

    def __init__(self, name: str, base: RunConfig, machine: Machine, first_field: str = "") -> None:
        """name: of what is varied. first_field: stands in the first row."""
        super().__init__()
        self._name = name
        self._base = base
        self._machine = machine
        self._first_field = first_field if first_field in _PATHS else "optim.lr"
        self._timer: Timer | None = None
        self.sweep: Sweep | None = None

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog") as frame:
            frame.border_title = plain(f"Sweep over {self._name}", 60)
            with Horizontal(classes="line"):
                yield Static("runs", classes="label")
                yield ChoiceControl(("grid", "random"), "grid")
                with Horizontal(id="drawing"):
                    yield Static("draws", classes="label -later")
                    yield LineInput("10", id="draws", max_length=4)
                    yield Static("seed", classes="label -later")
                    yield LineInput("0", id="seed", max_length=10)
                yield Static("all combinations", id="how")
            with VerticalScroll(id="fields", can_focus=False):
                for index in range(MOST_FIELDS):
                    yield _FieldLine(index, self._first_field if index == 0 else "")
            yield Static("", id="size")
            yield Static("", id="points")
            with Vertical(classes="foot"):
                with Horizontal(classes="buttons"):
                    yield Button("Cancel", id="no", compact=True)
                    yield Button("Queue", id="yes", variant="primary", compact=True, disabled=True)
                hint = "lists 1,2,4; ranges 1..4, 1e-4..1e-2:log:5; * all choices; ^g queues, esc cancels"
                yield Static(hint, classes="hint")

    def on_mount(self) -> None:
        self.query("#values-0").focus()
        self._judge()

    def action_cancel(self) -> None:
        """Close without a sweep."""
        self.dismiss(None)

    def action_queue(self) -> None:
        """Queue what is shown, if it can run."""
        self._judge()
        if self.sweep is not None:
            self.dismiss(self.sweep)

    @on(Button.Pressed)
    def _pressed(self, event: Button.Pressed) -> None:
        self.action_queue() if event.button.id == "yes" else self.action_cancel()

    def on_resize(self) -> None:
        """A low terminal has room for fewer runs."""
        self._judge()

    @on(events.DescendantBlur)
    def _left(self, event: events.DescendantBlur) -> None:
        """What is the beginning of one field's name becomes that name."""
        if isinstance(event.widget, Input) and event.widget.has_class("path"):
            event.widget.value = whole_name(event.widget.value)

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self.focus_next()

    @on(Input.Changed)
    @on(ChoiceControl.Chosen)
    def _changed(self) -> None:
        if self._timer is not None:
            self._timer.stop()
        self._timer = self.set_timer(_DELAY_S, self._judge)

    def _judge(self) -> None:
        """Say under each field what it means, and below what would come of all."""
        lines = list(self.query(_FieldLine).results(_FieldLine))
        if not self.is_attached or len(lines) < MOST_FIELDS or not self.query("#yes"):
            return
        is_random = self.query_one(ChoiceControl).value == "random"
        self.query_one("#drawing").display = is_random
        self.query_one("#how").display = not is_random
        axes: list[Axis] = []
        wrong = False
        for line in lines:
            axis, is_wrong = line.judge(self._base, is_random)
            wrong |= is_wrong
            axes += [axis] if axis is not None else []
        last = max((line.index for line in lines if line.is_filled), default=-1)
        for line in lines:
            line.display = line.index <= last + 1
        self.sweep, problem = None, ""
        if not wrong and axes:
            try:
                self.sweep = self._make(axes, is_random)
            except WrongSweep as error:
                problem = str(error)
        if wrong:
            problem = "mend the lines marked ✗"
        self._say(problem)

    def _make(self, axes: list[Axis], is_random: bool) -> Sweep:
        if not is_random:
            return make_sweep(self._base, grid=axes)
        draws, seed = self.query_one("#draws", Input).value, self.query_one("#seed", Input).value
        if not draws.isdecimal():
            raise WrongSweep("draws: give a whole number of draws, such as 10")
        if not seed.isdecimal():
            raise WrongSweep("seed: give a whole number, such as 0")
        return make_sweep(self._base, over=axes, num_draws=int(draws), seed=int(seed))

    def _say(self, problem: str) -> None:
        sweep = self.sweep
        button = self.query_one("#yes", Button)
        button.disabled = sweep is None
        num = len(sweep.points) if sweep is not None else 0
        button.label = Content("Queue" if not num else f"Queue {num} run{'' if num == 1 else 's'}")
        if sweep is None:
            size = plain(f"✗ {problem}", 300, "$text-error") if problem else Content.styled(
                "Give a field and its values to see the runs.", FAINT)  # fmt: skip
            points = Content()
        else:
            size = plain(size_words(sweep, self._machine), 200, "bold")
            points = self._runs(sweep)
        self.query_one("#size", Static).update(size)
        self.query_one("#points", Static).update(points)

    def _runs(self, sweep: Sweep) -> Content:
        """What is left out, and the first runs by name; fewer of them on a low terminal."""
        is_low = self.size.height < _LOW
        num, most = len(sweep.points), _SHOWN_LOW if is_low else _SHOWN
        lines = [plain(f"! {left_out_words(sweep)}", 100 if is_low else 300, "$text-warning")]
        lines = lines if sweep.left_out else []
        lines += [plain(f"  {point.name}", 110, FAINT) for point in sweep.points[:most]]
        if num > most:
            lines.append(Content.styled(f"  … and {num - most} more", FAINT))
        return Content("\n").join(lines)


def whole_name(text: str) -> str:
    """The path of the only field that such a name begins; else the text as it is."""
    begun = text.strip().lower()
    if not begun or begun in _NAMES:
        return text
    found = {spec.path for spec in _SPECS for name in (spec.path, spec.name, spec.label) if name.startswith(begun)}
    return found.pop() if len(found) == 1 else text


class _FieldLine(Vertical):
    """A field and its values, and under them what they mean or what is wrong."""

    def __init__(self, index: int, path: str) -> None:
        super().__init__(classes="field")
        self.index = index
        self._field = LineInput(path, placeholder="field", id=f"field-{index}", max_length=60)
        self._field.add_class("path")
        self._field.suggester = SuggestFromList(_NAMES, case_sensitive=False)
        self._values = LineInput(placeholder="values", id=f"values-{index}", max_length=400)
        self._note = Static("", classes="note")

    def compose(self) -> ComposeResult:
        yield Horizontal(self._field, self._values)
        yield self._note

    @property
    def is_filled(self) -> bool:
        """Something stands in it."""
        return bool(self._field.value.strip() or self._values.value.strip())

    def judge(self, base: RunConfig, is_random: bool) -> tuple[Axis | None, bool]:
        """The axis, if there is one, and whether what stands there is wrong; a field without values is neither."""
        path, values = self._field.value.strip(), self._values.value.strip()
        if not path and not values:
            self._note.update(Content())
            return None, False
        try:
            if not path:
                raise WrongSweep("say on the left which field these are values of")
            spec = sweepable(path)
            bounds = ", ".join(filter(None, (spec.label, spec.bounds(), spec.unit)))
            about = f"{bounds}; now {format_value(get_value(base, spec.path))}"
            if not values:
                self._note.update(plain(about, 200, FAINT))
                return None, False
            axis = make_axis(path, values)
            num = 0 if is_random else len(axis.grid())
            told = "drawn from these" if is_random else f"{num} value{'' if num == 1 else 's'}"
            if is_random and not axis.values:
                told = "drawn evenly" + (" in the logarithm" if axis.log else "")
        except WrongSweep as error:
            self._note.update(plain(safe_text(f"✗ {error}"), 250, "$text-error"))
            return None, True
        self._note.update(plain(f"{about}; {told}", 200, FAINT))
        return axis, False
