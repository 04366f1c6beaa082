"""Asks what a fork shall be: from which checkpoint, under which name, with which settings changed."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import PurePath
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from presets.config import ConfigError, describe, diff, require_valid, with_overrides
from presets.schema import RunConfig
from runs.fork import CheckpointFact, require_forkable
from tui.figures import num_bytes
from tui.safe_text import plain, safe_text
from tui.widgets.line_input import LineInput


@dataclass(frozen=True)
class ForkWish:
    """What was asked for. name: empty for one that is made up."""

    checkpoint: str
    name: str
    config: RunConfig


class ForkDialog(ModalScreen[ForkWish | None]):
    """Dismissed with what was wished, or None on esc; what cannot be is said while it is typed."""

    CSS_PATH: ClassVar[list[str | PurePath]] = ["dialogs.tcss", "pick_dialog.tcss"]
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "cancel", "Cancel", show=False)]

    def __init__(self, name: str, facts: tuple[CheckpointFact, ...], config: RunConfig) -> None:
        """name: of the run that is forked. facts: its checkpoints, newest step first. config: its settings."""
        super().__init__()
        self._name = name
        self._facts = facts
        self._config = config

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog") as frame:
            frame.border_title = plain(f"Fork {self._name}", 60)
            yield Static("from the checkpoint", classes="caption")
            yield OptionList(*(Option(plain(_words(fact))) for fact in self._facts), id="checkpoints")
            yield Static("name of the new run", classes="caption")
            yield LineInput(placeholder="made up when empty", id="name", max_length=60)
            yield Static("settings to change", classes="caption")
            changes = LineInput(self._proposal(), placeholder="optim.lr=5e-4 train.max_steps=4000", id="changes")
            changes.select_on_focus = False  # one goes on typing behind what is proposed
            yield changes
            yield Static(id="verdict")
            yield Static("tab next, enter forks and starts it, esc cancels", classes="hint foot")

    def on_mount(self) -> None:
        """The newest checkpoint is meant until another is chosen."""
        if not self.query("#changes"):
            return  # a key closed it before it was composed
        self.query_one(OptionList).highlighted = 0
        self.set_focus(self.query_one("#changes"))  # at once: what is typed next belongs there
        self._judge()

    def action_cancel(self) -> None:
        """Fork nothing."""
        self.dismiss(None)

    @on(LineInput.Changed)
    @on(OptionList.OptionHighlighted)
    def _judge(self) -> ForkWish | None:
        verdict = self.query_one("#verdict", Static)
        try:
            wish = self._wish()
        except ValueError as error:
            verdict.set_classes("error")
            verdict.update(plain(str(error), 300))
            return None
        verdict.set_classes("hint")
        changes = diff(self._config, wish.config)
        lines = [plain(describe(change), 200) for change in changes[:6]] or [plain("the same settings")]
        verdict.update(Content("\n").join(lines))
        return wish

    @on(LineInput.Submitted)
    @on(OptionList.OptionSelected)
    def _entered(self) -> None:
        if (wish := self._judge()) is not None:
            self.dismiss(wish)

    def _wish(self) -> ForkWish:
        """What is typed and chosen. Raises ValueError with a sentence when that cannot be."""
        at = self.query_one(OptionList).highlighted or 0
        fact = self._facts[at]
        try:
            words = tuple(shlex.split(self.query_one("#changes", LineInput).value))
            if strange := next((word for word in words if "=" not in word), ""):
                raise ValueError(f"{strange}: write FIELD=VALUE, such as optim.lr=5e-4")
            config = require_valid(with_overrides(self._config, words))
        except ConfigError as error:
            raise ValueError("; ".join(str(problem) for problem in error.problems)) from None
        require_forkable(self._config, config, fact.step)
        return ForkWish(fact.name, self.query_one("#name", LineInput).value.strip(), config)

    def _proposal(self) -> str:
        """A run that is at its end needs more steps; what is typed goes on behind the space."""
        most, step = self._config.train.max_steps, self._facts[0].step
        return f"train.max_steps={2 * step} " if most and step >= most else ""


def _words(fact: CheckpointFact) -> str:
    parts = [f"step {fact.step:,}"]
    if fact.loss is not None:
        parts.append(f"val loss {fact.loss:.4f}")
    parts.append(num_bytes(fact.num_bytes))
    parts += [name for name, holds in (("last", fact.is_last), ("best", fact.is_best)) if holds]
    return safe_text(" · ".join(parts))
