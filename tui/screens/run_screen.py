"""What Monitor and Runs have in common: there is one run in view, and keys that act on it."""

from __future__ import annotations

from textual.binding import Binding

from tui import lineage, run_actions
from tui.commands import Command
from tui.run_actions import RunChoice, Where
from tui.safe_text import safe_text
from tui.screens.fed_screen import FedScreen

QUEUE_COMMANDS = (
    Command("later_turn", "J", "Down", "Move a queued run down, behind the next one.", "queue_move('down')"),
    Command("sooner", "K", "Up", "Move a queued run up, before the one above it.", "queue_move('up')"),
    Command("to_front", "", "To the front of the queue", "Let a queued run be the next.", "queue_move('first')"),
    Command("to_back", "", "To the back of the queue", "Let a queued run be the last.", "queue_move('last')"),
)  # fmt: skip

LINEAGE_COMMANDS = (
    Command("fork", "F", "Fork", "A new run that goes on from a checkpoint of this one, settings changed.", "fork",
            show=False),
    Command("clone", "N", "Clone", "Open a copy of this run's settings in Launch, to change a field.", "clone",
            show=False),
    Command("sweep", "S", "Sweep table", "The runs of the sweep that this one belongs to, the best first.",
            "sweep_table", show=False),
)  # fmt: skip

LEFT_KEYS = (Binding("X", "kill_now", "Kill"), Binding("r", "resume_only", "Resume"))
"""Before a screen's own keys: what the footer shows while a run stops, and of an ended one without R."""

REFUSED_KEYS = (
    Binding("x", "refuse('stop')", show=False),
    Binding("X", "refuse('kill')", show=False),
    Binding("p", "refuse('pause')", show=False),
    Binding("r", "refuse('resume')", show=False),
    Binding("R", "refuse('relaunch')", show=False),
    Binding("e", "refuse('edit')", show=False),
    Binding("d", "refuse('delete')", show=False),
    Binding("J,K", "refuse('queue_move')", show=False),
)
"""After a screen's own keys: a key that the run does not allow says why."""


class RunScreen(FedScreen):
    """A screen says which run is meant, and is told to look again after something was done to it."""

    @property
    def choice(self) -> RunChoice | None:
        """The run that the keys are about now."""
        raise NotImplementedError

    def look_now(self) -> None:
        """Something was done to the run: read it again at once."""
        raise NotImplementedError

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer what the run allows; nothing that changes it when it is not ours."""
        run = self.choice if self.is_mounted else None
        if action == "queue_move":
            return any(run_actions.can_move(run, where) for where in parameters or ("up", "down"))  # type: ignore[arg-type]
        return run_actions.offers(run, action)

    def withdraw_question(self) -> None:
        """Close a question over this screen that its run has outrun."""
        if (run := self.choice) is not None:
            run_actions.withdraw(self, run)

    def action_refuse(self, action: str) -> None:
        """Say why the key does nothing."""
        if (run := self.choice) is not None:
            run_actions.refuses(self, run, action)

    def action_resume_only(self) -> None:
        """Go on from a checkpoint, where that is the only way on."""
        self.action_resume()

    def action_kill_now(self) -> None:
        """Kill a run that is stopping."""
        self.action_kill()

    def action_stop(self) -> None:
        """Stop with a checkpoint, or take out of the queue."""
        if (run := self.choice) is not None:
            run_actions.stop(self, run)

    def action_kill(self) -> None:
        """Kill without saving."""
        if (run := self.choice) is not None:
            run_actions.kill(self, run)

    def action_pause(self) -> None:
        """Save, and free the device."""
        if (run := self.choice) is not None:
            run_actions.pause(self, run)

    def action_resume(self) -> None:
        """Go on from a checkpoint."""
        if (run := self.choice) is not None:
            run_actions.resume(self, run, self.look_now)

    def action_relaunch(self) -> None:
        """Go on from the last checkpoint at once."""
        if (run := self.choice) is not None:
            run_actions.relaunch(self, run, self.look_now)

    def action_queue_move(self, where: Where) -> None:
        """Give a queued run another place."""
        if (run := self.choice) is not None:
            run_actions.move_in_queue(self, run, where, self.look_now)

    def action_edit(self) -> None:
        """Change name, tags and note."""
        if (run := self.choice) is not None:
            run_actions.edit(self, run, self.look_now)

    def action_fork(self) -> None:
        """Make a run that goes on from a checkpoint of this one."""
        if (run := self.choice) is not None:
            lineage.fork(self, run)

    def action_clone(self) -> None:
        """Open this run's settings in Launch."""
        if (run := self.choice) is not None:
            lineage.clone(self, run)

    def action_sweep_table(self) -> None:
        """Show what came of the sweep that the run belongs to."""
        if (run := self.choice) is not None:
            from tui.screens.sweep_results import show_sweep_of  # few runs belong to one

            show_sweep_of(self.app, run.about)

    def action_report(self) -> None:
        """Write the run as an HTML file."""
        if (run := self.choice) is not None:
            from tui.report.action import write_for  # most sessions write none

            write_for(self, run.folder)

    def action_copy(self) -> None:
        """Put the folder's path on the clipboard of the terminal."""
        if (run := self.choice) is not None:
            path = safe_text(str(run.folder.path), 4000)
            self.app.copy_to_clipboard(path)
            self.notify(f"copied {safe_text(path, 300)}", markup=False, timeout=3)
