"""What Monitor and Runs have in common: there is one run in view, and keys that act on it."""

from __future__ import annotations

from textual.screen import Screen

from tui import run_actions
from tui.commands import Command
from tui.run_actions import RunChoice, Where
from tui.safe_text import safe_text

QUEUE_COMMANDS = (
    Command("later_turn", "J", "Later", "Move a queued run down, behind the next one.", "queue_move('down')",
            show=False),
    Command("sooner", "K", "Sooner", "Move a queued run up, before the one above it.", "queue_move('up')"),
    Command("to_front", "", "To the front of the queue", "Let a queued run be the next.", "queue_move('first')"),
    Command("to_back", "", "To the back of the queue", "Let a queued run be the last.", "queue_move('last')"),
)  # fmt: skip


class RunScreen(Screen[None]):
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
        return run_actions.offers(self.choice if self.is_mounted else None, action)

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

    def action_copy(self) -> None:
        """Put the folder's path on the clipboard of the terminal."""
        if (run := self.choice) is not None:
            path = safe_text(str(run.folder.path), 4000)
            self.app.copy_to_clipboard(path)
            self.notify(f"copied {safe_text(path, 300)}", markup=False, timeout=3)
