"""What a person does in the Playground: the actions behind its keys, and what enter does in each pane."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

from textual import on
from textual.binding import ActiveBinding, Binding, BindingType
from textual.screen import Screen

from presets.schema import MASK_TOKEN
from runs.folder import RunFolder
from tui.playground_conversation import Conversation
from tui.playground_edits import TextEdits
from tui.playground_panes import PlaygroundPanes, beside_words
from tui.playground_state import SHOWN, PlaygroundState, Side
from tui.safe_text import safe_text
from tui.widgets.attention_map import AttentionPane
from tui.widgets.likely_words import LikelyWords
from tui.widgets.line_input import LineInput
from tui.widgets.lines_pane import LinesPane


class SentenceInput(LineInput):
    """The text; ↑ and ↓ bring back what was tried."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "screen.recall(1)", show=False),
        Binding("down", "screen.recall(-1)", show=False),
        Binding("escape", "screen.to_words", show=False),
    ]


class PlaygroundKeys(Screen[None]):
    """The screen's other half makes the parts, asks, and shows what comes back."""

    state: PlaygroundState
    panes: PlaygroundPanes
    edits: TextEdits
    text: SentenceInput
    _talk: Conversation
    _is_zoomed: bool

    @property
    def is_roomy(self) -> bool:
        """Whether two panes stand side by side."""
        raise NotImplementedError

    @property
    def runs(self) -> Path:
        """The folder in which all runs are."""
        raise NotImplementedError

    def ask(self, *sides: Side) -> None:
        """Ask all sides, or these, for what is in sight."""
        raise NotImplementedError

    def show_answers(self) -> None:
        """Bring everything up to the answers."""
        raise NotImplementedError

    def lay_out(self) -> None:
        """Choose the panes that are in sight."""
        raise NotImplementedError

    def remember(self) -> None:
        """Keep for the next start what is on the screen."""
        raise NotImplementedError

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """The key that leads to the text is a letter in it."""
        return not (action == "text" and self.text.has_focus)

    @property
    def active_bindings(self) -> dict[str, ActiveBinding]:
        """The footer names no key that the models have no use for; pressed, it says why."""
        kind, kinds = self.state.first.kind, {side.kind for side in self.state.sides}
        unfit = {"hide_word"} if kind in ("clm", "classification") else set()
        unfit |= {"write", "sampling"} if "clm" not in kinds else set()
        return {
            key: one._replace(binding=replace(one.binding, show=False)) if one.binding.action in unfit else one
            for key, one in super().active_bindings.items()
        }

    def take(self, side: Side, folder: RunFolder | None, name: str, checkpoint: str) -> None:
        """Let that side have another checkpoint."""
        raise NotImplementedError

    def say(self, words: str, is_bad: bool = False) -> None:
        """A notification; an error stays longer."""
        severity: Any = "error" if is_bad else "information"
        self.notify(safe_text(words, 500), severity=severity, markup=False, timeout=10 if is_bad else 4)

    def action_choose(self, which: str) -> None:
        """Choose a run and one of its checkpoints."""
        from tui.screens.playground_dialogs import ask_checkpoint

        ask_checkpoint(self, self.state, which, self.runs, self.take)

    @on(LinesPane.Picked)
    def _picked(self, message: LinesPane.Picked) -> None:
        """Fill in, hide, look up, take over: what enter and a click do in each pane."""
        pane, panes = message.pane, self.panes
        if pane is panes.words and panes.words.chosen is not None:
            token = panes.words.chosen.token
            text = self.state.text
            if self.edits.fill_in(panes.words.place, token):
                self.state.keep(token, text)
        elif pane is panes.tokens and pane.row < len(panes.tokens.tokens):
            self.edits.hide_token(panes.tokens.tokens[pane.row])
        elif pane is panes.nearest and panes.nearest.chosen:
            self._look_up(panes.nearest.chosen)
        elif pane is panes.writing and self.state.first.written and not self.state.first.is_writing:
            self.edits.change(self.state.text + self.state.first.written)

    def action_undo(self) -> None:
        """Take back the last word that was filled in or hidden."""
        self.edits.undo()

    def action_hide_word(self) -> None:
        """Put [MASK] in the place of the word at the cursor."""
        if self.state.first.kind in ("clm", "classification"):
            self.say(f"this model reads no {MASK_TOKEN}: its objective is {self.state.first.kind}")
        else:
            self.edits.hide_word()

    def action_recall(self, by: int) -> None:
        """Go back or forth in what was tried; forth from one's own text to the words."""
        if not self.edits.recall(by):
            self.action_to_words()

    def action_text(self) -> None:
        """Type in the text."""
        self.set_focus(self.text)  # at once: over a slow connection what is typed next comes with the key

    action_to_text = action_text

    def action_to_words(self) -> None:
        """From the text to what the models make of it."""
        self.edits.is_left()
        self.panes.first(self.state).focus()

    def action_view(self, shown: str) -> None:
        """Show this view beside the words, or alone."""
        if shown in SHOWN and shown != self.state.shown:
            had_focus = self.text.has_focus
            self.state.shown = shown
            self.lay_out()
            self.show_answers()
            self.ask()
            if not had_focus:
                self.panes.of(self.state.shown).focus()

    def action_next_view(self) -> None:
        """The next view."""
        kinds = self.panes.offered(self.state, self.is_roomy)
        shown = beside_words(self.state.shown, self.is_roomy)
        at = kinds.index(shown) if shown in kinds else -1
        self.action_view(kinds[(at + 1) % len(kinds)])

    @on(AttentionPane.HeadChosen)
    def _head_chosen(self, message: AttentionPane.HeadChosen) -> None:
        self.state.layer, self.state.head = message.layer, message.head
        self.ask()

    @on(LinesPane.Moved)
    def _moved(self, message: LinesPane.Moved) -> None:
        is_words = isinstance(message.pane, LikelyWords)
        if is_words and self.state.shown == "neighbours" and not self.state.word:
            self.ask()

    def _look_up(self, word: str) -> None:
        self.state.word = word
        if self.state.shown != "neighbours":
            self.action_view("neighbours")
        else:
            self.ask()

    def action_word(self) -> None:
        """Name the word whose neighbours are shown; none: the one under the cursor."""
        from tui.screens.playground_dialogs import ask_word

        ask_word(self, self.state, self._look_up)

    def action_write(self) -> None:
        """Let causal models go on from the text, or stop them."""
        writers = [side for side in self.state.sides if side.answer is not None and side.answer.objective == "clm"]
        if not writers:
            self.say("only a causal model goes on from a text; this one fills masks or names labels")
            return
        self.action_view("writing")
        self._talk.write(writers)
        self.panes.show_writing(self.state)

    def action_sampling(self) -> None:
        """How a causal model draws."""
        from tui.playground_state import Sampling
        from tui.screens.playground_dialogs import ask_sampling

        def take(sampling: Sampling) -> None:
            self.state.sampling = sampling
            self.remember()
            self.panes.show_writing(self.state)

        ask_sampling(self, self.state, take)

    def action_history(self) -> None:
        """What was tried before."""
        from tui.screens.playground_dialogs import ask_tried

        ask_tried(self, self.state, self.edits.change)

    def action_zoom(self) -> None:
        """Give the pane with the focus all the room, or share it again."""
        self._is_zoomed = not self._is_zoomed
        self.lay_out()

    def action_copy(self) -> None:
        """Put the text and the likeliest words on the clipboard of the terminal."""
        self.app.copy_to_clipboard(safe_text(self.panes.summary(self.state), 4000))
        self.say("copied the text and its likeliest words")
