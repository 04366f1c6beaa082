"""Playground: a checkpoint of any run, or two, read a text as one types; one looks into what they make of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container

from runs.checkpoint_listing import SavedCheckpoint
from runs.folder import RunFolder
from tui.commands import bindings_of
from tui.feeds import FeedFailed
from tui.first_text import FirstText
from tui.playground_conversation import Conversation
from tui.playground_edits import TextEdits
from tui.playground_feed import (
    CheckpointsFeed,
    CheckpointsSeen,
    PlaygroundDied,
    PlaygroundFeed,
    PlaygroundSaid,
    RunsSeen,
    see_runs,
)
from tui.playground_panes import PlaygroundPanes, beside_words
from tui.playground_state import PlaygroundState, Shown, Side
from tui.playground_words import about_words, is_called, judgement
from tui.safe_text import plain
from tui.screens.playground_commands import COMMANDS, HELP
from tui.screens.playground_keys import PlaygroundKeys, SentenceInput
from tui.widgets.attention_map import ASCII_SHADES
from tui.widgets.footer import KeyFooter
from tui.widgets.line_input import LineInput
from tui.widgets.still_text import StillText

_PATIENCE_S = 0.3  # an answer that takes longer is announced
_REST_AFTER_S = 300.0
_ROOMY = 110
_SECTION = "playground"


class PlaygroundScreen(PlaygroundKeys):
    """Above the checkpoints and the text; below, side by side where there is room, the words and another view."""

    CSS_PATH = "playground.tcss"
    SCREEN_COMMANDS = COMMANDS
    HELP_TITLE = "Playground"
    HELP = HELP
    BINDINGS: ClassVar[list[BindingType]] = [
        *bindings_of(COMMANDS),
        Binding("escape", "to_text", show=False),
    ]

    def __init__(self) -> None:
        super().__init__()
        self.state = PlaygroundState()
        self.feed = PlaygroundFeed(self)
        self._talk = Conversation(self.state, self.feed)
        self._checkpoints_feed = CheckpointsFeed(self, lambda: self.state.folders)
        self._saved: dict[RunFolder, tuple[SavedCheckpoint, ...]] = {}
        self._is_zoomed = False
        self._was_roomy: bool | None = None
        self._rest: Any = None
        # held, not asked for: answers come while the app takes the screen apart
        self._about = StillText(id="about")
        self.text = SentenceInput(placeholder="a text with [MASK], or a beginning", id="text")
        self._judgement = StillText(id="judgement")
        self._views = StillText(id="views")
        self.panes = PlaygroundPanes()
        self.edits = TextEdits(self.state, self.text, self.say)

    def compose(self) -> ComposeResult:
        yield self._about
        with Container(self.text, id="text-pane", classes="pane") as frame:
            frame.border_title, frame.border_subtitle = "Text", "e types · enter leaves it · ↑ what was tried"
        yield self._judgement
        yield self._views
        yield Container(*self.panes.all, id="panes")
        yield KeyFooter()

    def on_mount(self) -> None:
        """Go on where one left off; the process starts with the first request."""
        settings = getattr(self.app, "settings", None)
        if getattr(settings, "ascii", False):
            self.panes.attention.shades = ASCII_SHADES
        if self.state.first.folder is None:
            self.state.recall(self.app.remembered.get(_SECTION), self.runs)  # type: ignore[attr-defined]
        self.text.select_on_focus = False
        self.edits.put(self.state.text)
        self.feed.start()
        self._checkpoints_feed.start()
        if self.state.first.folder is None:
            see_runs(self.runs, self)
        self.lay_out()
        self.ask()

    def on_unmount(self) -> None:
        """End the threads and the models' process."""
        self.remember()
        self.feed.stop()
        self._checkpoints_feed.stop()

    def on_screen_suspend(self) -> None:
        """Let the models go when nobody comes back for a while."""
        self.remember()
        if self not in self.app.screen_stack:
            self._checkpoints_feed.pause(True)
            self._rest = self.set_timer(_REST_AFTER_S, self.feed.rest)

    def on_screen_resume(self) -> None:
        """Look at the checkpoints again."""
        if self._rest is not None:
            self._rest.stop()
        self._checkpoints_feed.pause(False)

    def on_resize(self, event: events.Resize) -> None:
        """One pane or two, and as much of the names as fits."""
        was_roomy, self._was_roomy = self._was_roomy, self.is_roomy
        self.lay_out()
        if was_roomy is None:
            self.set_focus(self.panes.first(self.state))  # not the text: a number still goes to another screen
        self.show_answers()
        if was_roomy is not None and was_roomy != self.is_roomy:  # another view came into sight
            self.ask()

    # which checkpoints

    @property
    def choice(self) -> Side | None:
        """The first checkpoint's side, whose folder other screens go on with."""
        return self.state.first if self.state.first.folder is not None else None

    @property
    def runs(self) -> Path:
        """The folder in which all runs are."""
        runs: Path = self.app.runs  # type: ignore[attr-defined]
        return runs

    def choose(self, folder: RunFolder, checkpoint: str = "") -> None:
        """Let this checkpoint answer; without a name the last one."""
        self.take(self.state.first, folder, "", checkpoint)

    def take(self, side: Side, folder: RunFolder | None, name: str, checkpoint: str) -> None:
        if side is self.state.first and side.folder not in (None, folder):
            self.state.layer = self.state.head = 1  # another model may have fewer
        side.choose(folder, name, checkpoint)
        if folder is not None:
            self._checkpoints_feed.tell_again(folder)
        if self.is_mounted:
            self.ask()
            self.show_answers()

    @on(RunsSeen)
    def _take_newest(self, message: RunsSeen) -> None:
        if self.state.first.folder is None and message.runs and self.is_attached:
            folder, name = message.runs[0]
            self.take(self.state.first, folder, name, "last")

    @on(CheckpointsSeen)
    def _take_checkpoints(self, message: CheckpointsSeen) -> None:
        """Learn the names and losses; a pointer that moved is asked anew."""
        self._saved[message.folder] = message.checkpoints
        if not self.is_attached:
            return
        for side in self.state.sides:
            if side.folder == message.folder:
                side.name, side.kind = message.name, message.begins.kind
                step = next((s.step for s in message.checkpoints if is_called(s, side.checkpoint)), None)
                # not by the answer alone: one may be on its way that is of the step before
                moved = step not in (None, side.seen_step) and not (side.answer and side.answer.step == step)
                side.seen_step = step
                if side.is_new:
                    self._begin(side, message.begins)
                elif moved:
                    self.ask(side)
        self._show_about()

    def _begin(self, side: Side, begins: FirstText) -> None:
        """Now that it is known what the chosen checkpoint is for, let the text fit it."""
        side.is_new = False
        self.refresh_bindings()
        if side is self.state.first:
            self.edits.begin(begins)
            self.ask()

    # what is asked, and what comes back

    @on(LineInput.Changed, "#text")
    def _typed(self, event: LineInput.Changed) -> None:
        if self.is_attached and event.value == self.text.value and event.value != self.state.text:
            self.state.text, self.state.is_own = event.value, True
            self.ask()

    @on(LineInput.Submitted, "#text")
    def _entered(self) -> None:
        self._keep(self.panes.best(self.state))
        self.action_to_words()

    def ask(self, *sides: Side) -> None:
        """Ask all sides, or these, for what is in sight; nothing while the first text is not known.

        What is asked is remembered at once: a dashboard may be killed while somebody types.
        """
        self.remember()
        if self.state.first.is_new:
            return
        self._talk.ask(self._wanted, self.panes.word(self.state), *sides)
        if self.state.sides:
            self.set_timer(_PATIENCE_S, self._show_about)

    @property
    def is_roomy(self) -> bool:
        """Whether two panes stand side by side."""
        return self.size.width >= _ROOMY

    @property
    def _wanted(self) -> tuple[Shown, ...]:
        """The views in sight; the likely words always, since their answer says what is wrong with a text."""
        return tuple(dict.fromkeys(("words", beside_words(self.state.shown, self.is_roomy))))

    @on(PlaygroundSaid)
    def _take_said(self, message: PlaygroundSaid) -> None:
        if not self.is_attached:
            return
        changed = self._talk.take(message.said)
        if self._talk.report:
            self.log.error(self._talk.report)
        if self._talk.complaint:
            self.say(self._talk.complaint, is_bad=True)
        if changed == "about":
            self._show_about()
        elif changed == "answer":
            self.show_answers()
            if self.panes.wants_other_word(self.state):
                self.ask()
        elif changed:
            if changed == "written":
                self._keep(self.state.first.written.strip())
            self.panes.show_writing(self.state)

    @on(PlaygroundDied)
    def _died(self, message: PlaygroundDied) -> None:
        """Say it, and start the process anew once."""
        if not self.is_attached:
            return
        self.log.error(message.report)
        starts_again = self._talk.died(message.how)
        self.show_answers()
        if starts_again:
            self.ask()

    @on(FeedFailed)
    def _feed_failed(self, message: FeedFailed) -> None:
        message.stop()
        self.log.error(message.report)
        self.say(f"a defect of ours: {message.last_line}", is_bad=True)

    # what is shown

    def lay_out(self) -> None:
        """Two panes where there is room for them, else one; a zoomed one is alone."""
        self.panes.lay_out(self.state.shown, self.is_roomy, self._is_zoomed)
        self._show_views()

    def show_answers(self) -> None:
        self._show_about()
        self._show_views()
        self.panes.show(self.state)

    def _show_about(self) -> None:
        """Who answers, how fast, and what is to be said of the text."""
        if not self.is_attached or not self.size.width:
            return
        self._about.put(about_words(self.state, self._saved, self.size.width, beside=self.is_roomy))
        words, kind = judgement(self.state)
        self._judgement.set_class(kind == "warning", "-warning")
        self._judgement.set_class(kind == "error", "-error")
        self._judgement.put(plain(words, 400))

    def _show_views(self) -> None:
        self._views.put(self.panes.names(self.state, self.size.width, self.is_roomy))

    # what is remembered

    def _keep(self, result: str = "") -> None:
        self.state.keep(result)
        self.edits.is_left()
        self.remember()

    def remember(self) -> None:
        if self.state.first.folder is not None:
            self.app.remembered.put(_SECTION, self.state.to_remember())  # type: ignore[attr-defined]
