"""Monitor: one run, live or past: its curve, what the model says, what the machine does, what happened."""

from __future__ import annotations

from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container, Vertical

from runs.control import Verb
from runs.folder import RunFolder
from runs.hardware_feed import HardwareState
from runs.status import State, tag_prefix
from tui.charts.pane import ChartPane
from tui.commands import bindings_of
from tui.feeds import ConsoleArrived, HardwareArrived, RunFeed, SettingsCompared, SnapshotArrived
from tui.live_requests import LiveRequests
from tui.probe_words import why_no_probes
from tui.run_actions import RunChoice
from tui.run_words import disk_trouble
from tui.screens.monitor_commands import COMMANDS
from tui.screens.monitor_panes import MonitorPanes
from tui.screens.run_screen import LEFT_KEYS, REFUSED_KEYS
from tui.widgets.asked_line import AskedLine
from tui.widgets.banner import Banner
from tui.widgets.chart_grid import ChartGrid
from tui.widgets.event_lines import EventLines
from tui.widgets.failure_panel import FailurePanel
from tui.widgets.footer import KeyFooter
from tui.widgets.gpu_rows import DevicePane, memory_words
from tui.widgets.log_view import LogPane
from tui.widgets.probe_table import ProbeTable
from tui.widgets.run_card import RunCard
from tui.widgets.run_header import RunHeader


class MonitorScreen(MonitorPanes):
    """Shows what its feed posts; reads nothing itself."""

    CSS_PATH = "monitor.tcss"
    SCREEN_COMMANDS = COMMANDS
    HELP_TITLE = "Monitor"
    FEED_FAILED = "reading this run failed; this is a defect of ours"
    HELP = (
        "The thick line is the smoothed training loss, the faint band what was recorded; ◆ are evaluations on "
        "held-out text and ★ the best of them; ▼ is where somebody changed or asked for something. Dotted lines "
        "are what knowing frequency alone (unigram) and knowing nothing (uniform) would score. g chooses the "
        "charts, page down shows more of them. Quitting the dashboard does not touch the run."
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        *LEFT_KEYS,
        *bindings_of(COMMANDS),
        *(binding for binding in REFUSED_KEYS if binding.key != "d"),
        Binding("tab", "next_pane(1)", "Next pane", show=False),
        Binding("shift+tab", "next_pane(-1)", "Pane before", show=False),
        Binding("escape", "back", "Back", show=False),
    ]

    def __init__(self, folder: RunFolder) -> None:
        super().__init__(folder)
        self._hardware: HardwareState | None = None
        self._tag_prefix = ""
        self._read_only = ""
        self._place = 0
        self._requests = LiveRequests(self)

    def compose(self) -> ComposeResult:
        self.recall()
        yield RunHeader(id="header")
        yield Banner(id="banner")
        yield FailurePanel(id="failure")
        yield RunCard(id="card")
        with Container(id="body"):
            yield ChartGrid(self._arrangement, self._charts(), id="curves")
            with Vertical(id="side"):
                yield ProbeTable(id="probes")
                yield DevicePane(id="devices")
        yield LogPane(id="log")
        yield AskedLine(id="asked")
        yield EventLines(id="events")
        yield KeyFooter()

    def on_mount(self) -> None:
        """Begin to read the run."""
        try:
            self._tag_prefix = tag_prefix(self.folder)
        except OSError:
            self._tag_prefix = f"{self.folder.id}."
        self.app.theme_changed_signal.subscribe(self, lambda _: self._tell_sizes())
        if not self._is_whole:
            return
        self._feed = RunFeed(self.folder, self)
        self._arrange()
        self._feed.start()
        self._focus_charts()

    @on(SnapshotArrived)
    def _take_snapshot(self, message: SnapshotArrived) -> None:
        if not self._is_whole:
            return
        before = (self.snapshot.status.state if self.snapshot else None), self._place
        snapshot = self.snapshot = message.snapshot
        self._read_only, self._place = message.read_only, message.place
        state = snapshot.status.state
        is_ours = not message.read_only
        self._requests.take(snapshot)
        with self.app.batch_update():
            self.query_one(RunHeader).show(snapshot)
            self.query_one(Banner).show(disk_trouble(snapshot), message.read_only)
            self.query_one(RunCard).show(snapshot, message.place, is_ours)
            self.query_one(FailurePanel).show(snapshot, is_ours)
            self.set_class(state == "failed", "-failed")
            self.query_one(ProbeTable).show(snapshot.probes, why_no_probes(snapshot))
            self.query_one(EventLines).show(snapshot.events)
            self.query_one(AskedLine).show(message.asked, snapshot.status.state)
            self._show_devices()
        if (state, message.place) != before:
            self.refresh_bindings()
            self.withdraw_question()
        if state != before[0]:
            self._follow_state(before[0], state)
        if (charts := self._charts()) != self._grid.charts:
            self.run_worker(self._grid.set_charts(self._arrangement, charts), group="arrange")

    def _follow_state(self, before: State | None, state: State) -> None:
        """Give the reasons of a failure the focus when it comes, and take it away when they go."""
        self.call_after_refresh(self._tell_sizes)
        focused = self.focused.id if self.focused is not None else "failure"
        is_on_chart = isinstance(self.focused, ChartPane)
        if state == "failed" and (is_on_chart or focused == "failure"):
            # the curve's own focus, which it was given at first, may still be on its way
            self.call_after_refresh(self.query_one(FailurePanel).focus)
        elif before == "failed" and self._zoomed == "failure":
            self._zoom("")
        elif before == "failed" and focused == "failure":
            self._focus_charts()

    @on(HardwareArrived)
    def _take_hardware(self, message: HardwareArrived) -> None:
        self._hardware = message.state
        self._show_devices()

    @on(ConsoleArrived)
    def _take_console(self, message: ConsoleArrived) -> None:
        if not self._is_whole:
            return
        self.query_one(FailurePanel).show_console((*message.lines, *message.unended))
        self.query_one(LogPane).show(message.lines, message.num_read, message.unended)

    @on(SettingsCompared)
    def _take_settings(self, message: SettingsCompared) -> None:
        if self._is_whole:
            self.query_one(FailurePanel).show_settings(message.changed)

    def _show_devices(self) -> None:
        snapshot, pane = self.snapshot, self.query_one(DevicePane)
        if snapshot is None:
            return
        device = snapshot.started.device if snapshot.started else ""
        words = memory_words(snapshot.memory_bytes, device)
        if not snapshot.status.is_live:
            self._hardware = None
            words = f"{words}; readings are taken while it runs" if words else "readings are taken while it runs"
        pane.show(self._hardware, words, self._tag_prefix, on_cpu=device == "cpu")

    async def action_compare(self) -> None:
        """Lay the run over others."""
        await self._dashboard.open_compare((self.folder,))

    def action_report(self) -> None:
        """Write the run as an HTML file."""
        from tui.report.action import write_for

        write_for(self, self.folder)

    def action_toggle_log(self) -> None:
        """Show or hide the log."""
        self._log_shown = not self._log_shown
        if self._zoomed == "log":
            self._zoomed = ""
        self._arrange()
        if self._log_shown:
            self.set_focus(self.query_one(LogPane))  # at once: what is typed next belongs there
        elif self.focused is None or self.focused.id == "log":
            self._focus_charts()

    async def action_back(self) -> None:
        """Give the zoomed room back, close the log, else go to the list of runs."""
        if self._zoomed:
            self._zoom("")
        elif self._grid.drop_cursor():
            return
        elif self._log_shown:
            self.action_toggle_log()
        else:
            await self.run_action("app.show_runs")

    def action_rate(self, value: str) -> None:
        """Change the learning rate; `value` is proposed."""
        if self.snapshot is not None and (run := self.choice) is not None:
            self._requests.change_rate(run, self.snapshot, value)

    def action_steps(self) -> None:
        """Change the number of steps."""
        if self.snapshot is not None and (run := self.choice) is not None:
            self._requests.change_steps(run, self.snapshot)

    def action_edit_probes(self) -> None:
        """Add, change and take away probes; used from the next step on."""
        if self.snapshot is not None and (run := self.choice) is not None:
            self._requests.change_probes(run, self.snapshot)

    def action_ask(self, verb: Verb) -> None:
        """Have something done at the next step."""
        if (run := self.choice) is not None:
            self._requests.ask(run, verb)

    @property
    def choice(self) -> RunChoice | None:
        """The run that is watched."""
        snapshot = self.snapshot
        if snapshot is None:
            return None
        grace = snapshot.config.launch.stop_grace if snapshot.config else 0
        return RunChoice(self.folder, snapshot.about, snapshot.status, grace, self._read_only, self._place)

    def look_now(self) -> None:
        """Read the run again at once."""
        if self._feed is not None:
            self._feed.look_now()
