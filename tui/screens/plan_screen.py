"""The plan's part of Launch: worked out anew when the form or what is known changes, and shown beside it."""

from __future__ import annotations

from pathlib import Path

from textual import on
from textual.content import Content
from textual.timer import Timer
from textual.widgets import Button

from runs.memory_check import PastRun
from tui.messages import DataLookedUp, DraftChanged, GpusCounted, PastRunsRead
from tui.plan import Plan, command_of, data_key, make_plan, this_machine
from tui.safe_text import plain, safe_text
from tui.screens.launch_questions import Questions
from tui.screens.preset_screen import PresetScreen
from tui.widgets.fitted_text import FittedText
from tui.widgets.form_model import FormModel
from tui.widgets.plan_panel import PlanPanel
from tui.widgets.preset_list import PresetList

_PLAN_DELAY_S = 0.15
_LOOK_UP_DELAY_S = 0.5


class PlanScreen(PresetScreen):
    """plan: of what stands in the form; None before it was there."""

    def __init__(self) -> None:
        super().__init__(this_machine())
        self.plan: Plan | None = None
        self._questions = Questions(self)
        self._data: dict[str, DataLookedUp] = {}
        self._past: tuple[PastRun, ...] = ()
        self._has_asked = False
        self._plan_timer: Timer | None = None
        self._data_timer: Timer | None = None

    @property
    def _runs(self) -> Path:
        runs: Path = self.app.runs  # type: ignore[attr-defined]
        return runs

    def _ask(self) -> None:
        """What takes a thread or a process is asked when the screen stands there, which it would hold up."""
        if self._is_whole and self in self.app.screen_stack:
            self._has_asked = True
            self._questions.count_gpus()
            self._questions.read_past(self._runs)

    def _ask_again(self) -> None:
        """Runs have ended meanwhile, and others hold memory."""
        self._machine = this_machine(self._machine.num_gpus, self._machine.gpus)
        if self._machine.num_gpus or not self._has_asked:
            self._questions.count_gpus(again=True)
        self._has_asked = True
        self._load_presets()
        self._make_plan()
        self._questions.read_past(self._runs)

    def on_unmount(self) -> None:
        """Nobody is here for an answer any more."""
        self._questions.close()

    @on(DraftChanged)
    def _draft_changed(self) -> None:
        if self._plan_timer is not None:
            self._plan_timer.stop()
        self._plan_timer = self.set_timer(_PLAN_DELAY_S, self._make_plan)

    def _make_plan(self) -> None:
        """Work out the plan and show it in the panel, under the fields, and on the button."""
        if not self._is_whole:
            return
        model = self.form.model
        found = self._data.get(data_key(model.to_config()))
        hub, counts = (found.hub, found.counts) if found else (None, None)
        self.plan = plan = make_plan(
            model, self._machine, hub, counts, past=self._past, command=self._command(model)
        )
        self.query_one(PlanPanel).show(plan)
        self.form.show_problems(plan.problems)
        for button in ("#launch", "#queue"):
            self.query_one(button, Button).disabled = not plan.can_launch
        self._say_verdict(plan)
        self._remember()
        if found is None and plan.can_launch:
            if self._data_timer is not None:
                self._data_timer.stop()
            self._data_timer = self.set_timer(_LOOK_UP_DELAY_S, self._look_up_data)

    def _command(self, model: FormModel) -> str:
        """What one types into a shell to start the run that stands in the form."""
        known = (*self._shipped, *self.presets.own)
        return command_of(model.to_config(), known, model.preset.name, model.name.strip(), self._runs)

    def action_copy(self) -> None:
        """Copy the command; the terminal takes it by OSC 52, where it allows that."""
        if self.plan is None or self.plan.problems:
            self._tell("Mend the form first; there is no command for what stands in it.")
            return
        self.app.copy_to_clipboard(safe_text(self.plan.command, 100_000))
        self._tell("The command is copied, if this terminal lets programs do that (OSC 52).")

    def _say_verdict(self, plan: Plan) -> None:
        if plan.problems:
            first, more = str(plan.problems[0]), len(plan.problems) - 1
            verdict = plain(f"✗ {first}{f' (and {more} more)' if more else ''}", 300, "$text-error")
        elif plan.hub is not None and plan.hub.is_in_the_way:
            verdict = Content.styled("! the data cannot be had now; Launch offers a choice", "$text-warning")
        elif plan.fit.level == "red":
            verdict = Content.styled("! ready to launch, but too large for the memory", "$text-warning")
        else:
            verdict = Content.styled("✓ ready to launch", "$text-success")
        self.query_one("#verdict", FittedText).fit(verdict)

    def _say_doing(self, words: str) -> None:
        """In place of the verdict, until the next plan."""
        for verdict in self.query("#verdict").results(FittedText):
            verdict.fit(plain(words, 100))

    def _look_up_data(self) -> None:
        if not self._is_whole:
            return
        config = self.form.model.to_config()
        self._questions.look_up_data(data_key(config), config)

    @on(GpusCounted)
    def _gpus_counted(self, event: GpusCounted) -> None:
        self._machine = this_machine(event.num_gpus, event.memory)
        if not self._is_whole:
            return
        self.query_one(PresetList).see_machine(self._machine)
        self._load_presets()
        self._make_plan()

    @on(PastRunsRead)
    def _past_runs_read(self, event: PastRunsRead) -> None:
        if event.runs != self._past:
            self._past = event.runs
            self._make_plan()

    @on(DataLookedUp)
    def _data_looked_up(self, event: DataLookedUp) -> None:
        self._data[event.key] = event
        self._make_plan()
