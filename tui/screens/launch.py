"""Launch: choose a preset, change it in the form, read the plan, start the run."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.screen import Screen
from textual.timer import Timer
from textual.widgets import Button, Static

from presets.catalog import Preset, own_presets, shipped_presets
from presets.schema import RunConfig
from tui.commands import Command, bindings_of
from tui.messages import DataLookedUp, DraftChanged, GpusCounted, PresetChosen
from tui.plan import Plan, data_key, make_plan, this_machine
from tui.safe_text import plain, safe_text
from tui.screens.launch_questions import Questions
from tui.screens.launch_start import launch_run
from tui.screens.save_preset import SavePresetDialog
from tui.widgets.footer import KeyFooter
from tui.widgets.form import ConfigForm
from tui.widgets.form_model import FormModel
from tui.widgets.plan_panel import PlanPanel
from tui.widgets.preset_list import PresetList, preset_key

if TYPE_CHECKING:
    pass

_PLAN_DELAY_S = 0.15
_LOOK_UP_DELAY_S = 0.5

COMMANDS = (
    Command("start", "ctrl+l", "Start", "Start the run with what stands in the form.", "launch",
            key_display="^l"),
    Command("queue", "ctrl+g", "Queue", "Let the run wait in the queue for free devices.", "launch(True)",
            key_display="^g"),
    Command("save", "ctrl+s", "Save", "Save the form as a preset of your own.", "save", key_display="^s"),
    Command("search", "slash", "Find", "Show only the fields that match a word.", "search", key_display="/"),
    Command(
        "reset", "ctrl+r", "Reset", "Give the field one is in the preset's value.", "reset", key_display="^r",
            show=False,
    ),
    Command("mark", "space", "Mark", "Mark the preset under the cursor, to compare it with others.", "mark",
            show=False),
    Command("compare", "c", "Compare", "Lay the models of the marked presets beside one another.", "compare",
            show=False),
    Command("reset_all", "", "Reset all fields", "Give every field the preset's value.", "reset_all"),
    Command("advanced", "a", "Advanced", "Show or hide the fields few people change.", "advanced", show=False),
)  # fmt: skip

_PARTS = (
    "#search", "#counts", "#nothing", "#help", "#summary", "#verdict", "#launch", "#queue",
    "OptionList", "PlanPanel",
)  # fmt: skip


class LaunchScreen(Screen[None]):
    """Three panes; a draft for each preset, so that going through the list loses nothing."""

    CSS_PATH = "launch.tcss"
    SCREEN_COMMANDS = COMMANDS
    HELP_TITLE = "Launch"
    HELP = (
        "Move through the presets on the left; the form shows each one, and keeps what you changed. "
        "The plan says what the run will cost, what stands against it, and the exact command. "
        "‹ › fields turn with the arrow keys; • marks a changed field, ✗ a wrong one. "
        "Mark presets with space and press c to lay their models beside one another."
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        *bindings_of(COMMANDS),
        Binding("escape", "back", "Back", show=False),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._machine = this_machine()
        self._shipped = shipped_presets()
        self._drafts: dict[str, FormModel] = {}
        self._data: dict[str, DataLookedUp] = {}
        self._questions = Questions(self)
        self._plan_timer: Timer | None = None
        self._data_timer: Timer | None = None
        self.plan: Plan | None = None
        self._is_composed = False

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
        self._is_composed = True
        self._load_presets()
        self.query_one(PresetList).options.focus()
        self._make_plan()
        self.call_after_refresh(self._questions.count_gpus)

    def on_unmount(self) -> None:
        """Nobody is here for an answer any more."""
        self._is_composed = False
        self._questions.close()

    def on_screen_resume(self) -> None:
        """Another program may have saved a preset meanwhile."""
        if self._is_whole:
            self._load_presets()

    @property
    def _is_whole(self) -> bool:
        """All parts are there. Answers and timers come before that too, and after: an app that ends takes its
        screens apart from the inside, message by message.
        """
        return self._is_composed and self.is_attached and all(self.query(part) for part in _PARTS)

    @property
    def form(self) -> ConfigForm:
        """The form in the middle."""
        return self.query_one(ConfigForm)

    def _load_presets(self) -> None:
        own, broken = own_presets()
        self.query_one(PresetList).load(self._shipped, own, broken)

    def _draft(self, preset: Preset) -> FormModel:
        """What was typed over this preset; a preset that was saved anew begins anew."""
        draft = self._drafts.get(preset_key(preset))
        if draft is None or draft.preset != preset:
            draft = self._drafts[preset_key(preset)] = FormModel(preset)
        return draft

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
        self.plan = plan = make_plan(model, self._machine, hub, counts)
        self.query_one(PlanPanel).show(plan)
        self.form.show_problems(plan.problems)
        for button in ("#launch", "#queue"):
            self.query_one(button, Button).disabled = not plan.can_launch
        self._say_verdict(plan)
        if found is None and plan.can_launch:
            if self._data_timer is not None:
                self._data_timer.stop()
            self._data_timer = self.set_timer(_LOOK_UP_DELAY_S, self._look_up_data)

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
        self._machine = this_machine(event.num_gpus)
        if not self._is_whole:
            return
        self.query_one(PresetList).see_machine(self._machine)
        self._load_presets()
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
        for button in ("#launch", "#queue"):
            self.query_one(button, Button).disabled = True
        verdict = self.query_one("#verdict", Static)
        verdict.update(Content("◌ looking at data and devices …"))

        def begins(is_queued: bool) -> None:
            verdict.update(Content("◌ queueing …" if is_queued else "◌ starting …"))

        folder = await launch_run(
            self.app, config, name=model.name, preset=model.preset, to_queue=to_queue, begins=begins
        )
        self._make_plan()
        if folder is not None:
            model.name = ""  # the next run is another one
            self.form.load(model)
            await self.app.open_run(folder)  # type: ignore[attr-defined]

    @on(Button.Pressed, "#save")
    @work(exclusive=True, group="save")
    async def action_save(self) -> None:
        """Save the form as a preset of one's own, and go to it in the list."""
        model = self.form.model
        problems = model.problems()
        if problems:
            text = f"mend the form first: {problems[0]}"
            self.notify(safe_text(text, 300), title="Not saved", severity="warning", markup=False)
            return
        suggested = "" if model.preset.shipped else model.preset.name
        summary = "" if model.preset.shipped else model.preset.summary
        name = await self.app.push_screen_wait(SavePresetDialog(model.to_config(), suggested, summary))
        if name is None:
            return
        self._load_presets()
        saved = next((preset for preset in own_presets()[0] if preset.name == name), None)
        if saved is not None:
            self.query_one(PresetList).choose(saved)
        self.notify(f"Saved as {safe_text(name)}.", markup=False)

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

    def action_mark(self) -> None:
        """Mark the preset under the cursor, or take its mark away."""
        self.query_one(PresetList).toggle_mark()

    def action_compare(self) -> None:
        """Show the model comparison of what is marked."""
        chosen = self.query_one(PresetList).chosen
        if len(chosen) < 2:
            self.notify("Mark two or more presets with space, then press c.", markup=False)
            return
        from tui.screens.preset_comparison import PresetComparisonScreen

        self.app.push_screen(PresetComparisonScreen(chosen, self._machine))

    def action_back(self) -> None:
        """End a search, else go back to the presets."""
        if not self.form.clear_search():
            self.query_one(PresetList).options.focus()
