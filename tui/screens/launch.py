"""Launch: choose a preset, change it in the form, read the plan, start the run."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.timer import Timer
from textual.widgets import Button, Static

from presets.schema import RunConfig
from runs.memory_check import PastRun
from tui.commands import bindings_of
from tui.messages import DataLookedUp, DraftChanged, GpusCounted, PastRunsRead, PresetChosen
from tui.plan import Plan, command_of, data_key, make_plan, this_machine
from tui.safe_text import plain, safe_text
from tui.screens.launch_commands import COMMANDS, HELP
from tui.screens.launch_questions import Questions
from tui.screens.preset_screen import PresetScreen
from tui.widgets.footer import KeyFooter
from tui.widgets.form import ConfigForm
from tui.widgets.form_model import FormModel
from tui.widgets.plan_panel import PlanPanel
from tui.widgets.preset_list import PresetList

_PLAN_DELAY_S = 0.15
_LOOK_UP_DELAY_S = 0.5
_ASK_DELAY_S = 0.1  # after the screen is drawn

_PARTS = frozenset(
    {"search", "counts", "nothing", "help", "summary", "verdict", "launch", "queue", "_Options", "PlanPanel"}
)  # by id, else by kind


class LaunchScreen(PresetScreen):
    """Three panes: presets, the form, and the plan of what stands in it."""

    CSS_PATH = "launch.tcss"
    SCREEN_COMMANDS = COMMANDS
    HELP_TITLE = "Launch"
    HELP = HELP
    BINDINGS: ClassVar[list[BindingType]] = [
        *bindings_of(COMMANDS),
        Binding("escape", "back", "Back", show=False),
    ]

    def __init__(self) -> None:
        super().__init__(this_machine())
        self._data: dict[str, DataLookedUp] = {}
        self._questions = Questions(self)
        self._plan_timer: Timer | None = None
        self._data_timer: Timer | None = None
        self._past: tuple[PastRun, ...] = ()
        self.plan: Plan | None = None
        self._is_composed = self._is_new = False

    def compose(self) -> ComposeResult:
        presets = PresetList(self._machine, id="presets")
        presets.add_class("pane")
        presets.border_title = "Presets"
        presets.border_subtitle = "space, c: compare"
        form = ConfigForm(self._draft(self._shipped[0]), id="form")
        form.add_class("pane")
        plan = Vertical(id="plan", classes="pane")
        plan.border_title = "Plan"
        with Horizontal(id="panes"):
            yield presets
            yield form
            with plan:
                yield PlanPanel()
                yield Static(id="verdict")
                with Horizontal(id="buttons"):
                    yield Button("Launch", id="launch", variant="primary", compact=True)
                    yield Button("Queue", id="queue", compact=True)
                    yield Button("Save", id="save", compact=True)
        yield KeyFooter()

    def on_mount(self) -> None:
        self._is_composed = self._is_new = True
        self._restore()
        self._load_presets()
        self.query_one(PresetList).options.focus()
        self._make_plan()
        self.call_after_refresh(self.set_timer, _ASK_DELAY_S, self._ask)

    def _ask(self) -> None:
        """What takes a thread or a process is asked when the screen stands there, which it would hold up."""
        if self._is_whole:
            self._questions.count_gpus()
            self._questions.read_past(self.app.runs)  # type: ignore[attr-defined]

    def on_unmount(self) -> None:
        """Nobody is here for an answer any more."""
        self._is_composed = False
        self._questions.close()

    def on_screen_resume(self) -> None:
        """Another program may have saved a preset meanwhile, runs have ended, and others hold memory."""
        is_new, self._is_new = self._is_new, False
        if self._is_whole and not is_new:
            self._machine = this_machine(self._machine.num_gpus, self._machine.gpus)
            if self._machine.num_gpus:
                self._questions.count_gpus(again=True)
            self._load_presets()
            self._make_plan()
            self._questions.read_past(self.app.runs)  # type: ignore[attr-defined]

    @property
    def _is_whole(self) -> bool:
        """All parts are there. Answers and timers come before that too, and after: an app that ends takes its
        screens apart from the inside, message by message.
        """
        if not (self._is_composed and self.is_attached):
            return False
        return {one.id or type(one).__name__ for one in self.walk_children()} >= _PARTS

    @on(PresetChosen)
    def _preset_chosen(self, event: PresetChosen) -> None:
        if event.preset is None or not self._is_whole:
            return
        draft = self._draft(event.preset)
        self.form.border_title = plain(event.preset.title, 60)
        if draft is not self.form.model:
            self.form.load(draft)

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
        runs: Path = self.app.runs  # type: ignore[attr-defined]
        return command_of(model.to_config(), known, model.preset.name, model.name.strip(), runs)

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
        else:
            verdict = Content.styled("✓ ready to launch", "$text-success")
        self.query_one("#verdict", Static).update(verdict)

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

    @on(Button.Pressed, "#launch")
    async def _launch_pressed(self) -> None:
        await self.action_launch()

    @on(Button.Pressed, "#queue")
    async def _queue_pressed(self) -> None:
        await self.action_launch(True)

    async def action_launch(self, to_queue: bool = False) -> None:
        """Start the run or queue it, or go to the first field that stands against it."""
        self._make_plan()
        plan = self.plan
        if plan is None:
            return
        if plan.problems:
            first = plan.problems[0]
            self.notify(safe_text(str(first), 300), title="Not launched", severity="warning", markup=False)
            if first.paths:
                await self.form.go_to(first.paths[0])
            return
        self._start_run(plan.config, self.form.model, to_queue)

    @work(exclusive=True, group="launch")
    async def _start_run(self, config: RunConfig, model: FormModel, to_queue: bool) -> None:
        from tui.screens.launch_start import launch_run

        for button in ("#launch", "#queue"):
            self.query_one(button, Button).disabled = True
        self._say_doing("◌ looking at data and devices …")

        def begins(is_queued: bool) -> None:
            self._say_doing("◌ queueing …" if is_queued else "◌ starting …")

        folder = await launch_run(
            self.app, config, name=model.name, preset=model.preset, to_queue=to_queue, begins=begins
        )
        self._make_plan()
        if folder is not None:
            model.name = ""  # the next run is another one
            self.form.load(model)
            await self.app.open_run(folder)  # type: ignore[attr-defined]

    @work(exclusive=True, group="launch")
    async def action_sweep(self) -> None:
        """Choose fields to vary, queue the runs, and show the table of what comes of them."""
        from tui.screens.sweep_dialog import SweepDialog

        model = self.form.model
        if model.problems():
            self._tell(f"Mend the form first: {model.problems()[0]}")
            return
        dialog = SweepDialog(model.preset.title, model.to_config(), self._machine, self.form.focused_path)
        sweep = await self.app.push_screen_wait(dialog)
        if sweep is None or not self._is_whole:
            return
        from tui.screens.sweep_results import show_sweep
        from tui.screens.sweep_start import queue_sweep

        def begun(number: int) -> None:
            self._say_doing(f"◌ queueing the sweep: {number} of {len(sweep.points)} …")

        self._say_doing("◌ looking at data and devices …")
        id = await queue_sweep(
            self.app, sweep, preset=model.preset, begun=begun, is_wanted=lambda: self.is_attached
        )
        self._make_plan()
        if id:
            show_sweep(self.app, id)

    @work(exclusive=True, group="recent")
    async def action_sweeps(self) -> None:
        """Show the table of a sweep that was started before."""
        from tui.screens.sweep_results import choose_sweep, show_sweep

        id = await choose_sweep(self.app)
        if id is not None:
            show_sweep(self.app, id)

    @work(exclusive=True, group="recent")
    async def action_recent(self) -> None:
        """Choose among the configurations launched before."""
        from tui.screens.recent_configs import RecentDialog

        known = (*self._shipped, *self.presets.own)
        copy = await self.app.push_screen_wait(RecentDialog(self.app.runs, known))  # type: ignore[attr-defined]
        if copy is not None:
            await self.edit(copy)

    def _say_doing(self, words: str) -> None:
        for verdict in self.query("#verdict").results(Static):
            verdict.update(plain(words, 100))

    def action_search(self) -> None:
        """Go to the search line."""
        self.form.focus_search()

    def action_reset(self) -> None:
        """Reset the field under the cursor."""
        self.form.reset_focused()

    def action_reset_all(self) -> None:
        """Reset every field."""
        self.form.reset_all()

    def action_advanced(self) -> None:
        """Show or hide advanced fields."""
        self.form.toggle_advanced()

    def action_back(self) -> None:
        """End a search, else go back to the presets."""
        if not self.form.clear_search():
            self.query_one(PresetList).options.focus()
