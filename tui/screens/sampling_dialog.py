"""How a causal model draws its next token."""

from __future__ import annotations

from pathlib import PurePath
from typing import Any, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.screen import ModalScreen
from textual.widgets import Label, Static

from presets.config import ConfigError, with_values
from presets.fields import Value
from presets.schema import RunConfig
from tui.playground_state import Sampling
from tui.safe_text import plain
from tui.widgets.line_input import LineInput

_FIELDS: tuple[tuple[str, str, type, str], ...] = (
    ("temperature", "temperature", float, "0 always takes the likeliest"),
    ("sample_top_k", "draw from", int, "of the likeliest; 0 for all"),
    ("top_p", "nucleus (top-p)", float, "above 0, at most 1"),
    ("new_tokens", "new tokens", int, "1 to 4,096"),
    ("seed", "seed", int, "the same seed draws the same"),
)


class SamplingDialog(ModalScreen[Sampling | None]):
    """Dismissed with the settings; empty fields are as in the run. None on esc."""

    CSS_PATH: ClassVar[list[str | PurePath]] = ["dialogs.tcss", "pick_checkpoint.tcss"]
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "cancel", "Cancel", show=False),
        Binding("down", "app.focus_next", show=False),
        Binding("up", "app.focus_previous", show=False),
    ]

    def __init__(self, sampling: Sampling) -> None:
        super().__init__()
        self._sampling = sampling
        self._inputs: dict[str, LineInput] = {}
        self._problem = Static(id="problem")

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog") as frame:
            frame.border_title = "How it draws"
            yield Static("Empty: as in the run's settings.", classes="caption")
            for name, label, _, hint in _FIELDS:
                value = getattr(self._sampling, name)
                field = LineInput("" if value is None else f"{value:g}", id=name, max_length=12)
                self._inputs[name] = field
                with Horizontal(classes="setting"):
                    yield Label(label)
                    yield field
                    yield Static(hint)
            yield self._problem
            yield Static("enter takes them, esc cancels", classes="hint foot")

    def on_mount(self) -> None:
        self.query(LineInput).first().focus()

    @on(LineInput.Changed)
    def _judge(self) -> Sampling | None:
        """The settings as they stand, or None with what is wrong said below."""
        try:
            sampling = parsed({name: field.value for name, field in self._inputs.items()})
        except ValueError as error:
            self._problem.update(plain(f"✗ {error}", 300))
            return None
        self._problem.update("")
        return sampling

    @on(LineInput.Submitted)
    def _submitted(self) -> None:
        if (sampling := self._judge()) is not None:
            self.dismiss(sampling)

    def action_cancel(self) -> None:
        """Close without a change."""
        self.dismiss(None)


def parsed(texts: dict[str, str]) -> Sampling:
    """What was typed, by the schema's own bounds. Raises ValueError with a sentence."""
    values: dict[str, Any] = {}
    for name, label, kind, _ in _FIELDS:
        text = texts.get(name, "").strip()
        if not text:
            continue
        try:
            values[name] = kind(text)
        except ValueError:
            raise ValueError(f"{label}: {text!r} is no {'whole ' if kind is int else ''}number") from None
    settings: dict[str, Value] = {f"probes.{name}": value for name, value in values.items()}
    try:
        with_values(RunConfig(), settings)
    except ConfigError as error:
        raise ValueError(str(error).replace("probes.", "")) from None
    return Sampling(**values)
