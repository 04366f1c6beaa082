"""Launch: choose a preset, change it in the form, read the plan, start the run."""

from __future__ import annotations

from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.widgets import Button

from presets.schema import RunConfig
from tui.commands import bindings_of
from tui.messages import PresetChosen
from tui.safe_text import plain, safe_text
from tui.screens.launch_commands import COMMANDS, HELP
from tui.screens.plan_screen import PlanScreen
from tui.widgets.fitted_text import FittedText
from tui.widgets.footer import KeyFooter
from tui.widgets.form import ConfigForm
from tui.widgets.form_model import FormModel
from tui.widgets.plan_panel import PlanPanel
from tui.widgets.preset_list import PresetList

_ASK_DELAY_S = 0.1  # after the screen is drawn

_PARTS = frozenset(
    {"search", "counts", "nothing", "help", "summary", "verdict", "launch", "queue", "_Options", "PlanPanel"}
)  # by id, else by kind


class LaunchScreen(PlanScreen):
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
        super().__init__()
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
                yield FittedText(id="verdict")
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

    def on_unmount(self) -> None:
        """The parts go, one by one."""
        self._is_composed = False

    async def on_screen_resume(self) -> None:
        """Another program may have saved a preset meanwhile, or more."""
        is_new, self._is_new = self._is_new, False
        if self._is_whole and not is_new:
            await self.form.mount_rows()
            self._ask_again()

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
        from tui.screens.choose_sweep import choose_sweep
        from tui.screens.sweep_results import show_sweep

        id = await choose_sweep(self.app)
        if id is not None:
            show_sweep(self.app, id)

    @work(exclusive=True, group="recent")
    async def action_recent(self) -> None:
        """Choose among the configurations launched before."""
        from tui.screens.recent_configs import RecentDialog

        known = (*self._shipped, *self.presets.own)
        copy = await self.app.push_screen_wait(RecentDialog(self._runs, known))
        if copy is not None:
            await self.edit(copy)

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
