"""What a screen asks a training run for, with the small dialogs it takes, and the engine's answers."""

from __future__ import annotations

from functools import partial
from typing import Any

from textual.screen import Screen

from runs import launch
from runs.control import MAX_RATE, Verb, read_rate, read_steps
from runs.events import ControlAnswered
from runs.reader import RunSnapshot
from tui import run_actions
from tui.run_actions import RunChoice
from tui.safe_text import safe_text
from tui.screens.dialogs import ConfirmDialog
from tui.screens.value_dialog import ValueDialog

_GIVE_UP_S = 2.0


class LiveRequests:
    """Remembers what was asked for until it is answered, and shows the answer as a notification."""

    def __init__(self, screen: Screen[Any]) -> None:
        self._screen = screen
        self._asked: dict[str, Verb] = {}
        self._snapshot: RunSnapshot | None = None

    def ask(self, run: RunChoice, verb: Verb, value: str = "") -> None:
        """Write the request; what is wrong with it is said."""

        def write() -> None:
            request = launch.ask(run.folder, verb, value)
            self._asked[request.id] = verb

        when = "at its first step" if run.status.state in ("queued", "starting") else "at its next step"
        run_actions.act(self._screen, write, f"asked; {run.name} answers {when}", self._look)

    def change_rate(self, run: RunChoice, snapshot: RunSnapshot, value: str) -> None:
        """Ask which rate or factor, beginning with `value`."""
        now = snapshot.learning_rate
        standing = f"The last recorded rate is {now:.3g}. " if now else ""
        caption = f"{standing}Type a rate such as 3e-4, or a factor such as x0.5."
        dialog = ValueDialog("Learning rate", caption, value, partial(rate_meaning, now))
        self._screen.app.push_screen(dialog, lambda typed: self.ask(run, "lr", typed) if typed else None)

    def change_steps(self, run: RunChoice, snapshot: RunSnapshot) -> None:
        """Ask for the number of steps; what ends the run at once is asked twice."""
        step, total = snapshot.step, snapshot.total_steps

        def typed(value: str | None) -> None:
            if not value:
                return
            if new_total(value, total) > step:
                self.ask(run, "steps", value)
                return
            body = f"{run.name} has made {step:,} steps. With none left it saves a checkpoint and is finished."
            dialog = ConfirmDialog("End this run now?", body, confirm="End it", danger=True)
            self._screen.app.push_screen(dialog, lambda sure: self.ask(run, "steps", value) if sure else None)

        caption = (
            f"{step:,} of {total:,} steps are recorded. Type a number such as {total + 1000}, or a change such as "
            "+1000 or -500."
        )
        meaning = partial(steps_meaning, step, total)
        self._screen.app.push_screen(ValueDialog("Number of steps", caption, "+1000", meaning), typed)

    def take(self, snapshot: RunSnapshot) -> None:
        """Show the answers that have come."""
        was_live = self._snapshot is None or self._snapshot.status.is_live
        self._snapshot = snapshot
        self._look()
        if was_live and not snapshot.status.is_live and self._asked:
            # the last events may have been written after they were looked for
            self._screen.set_timer(_GIVE_UP_S, self._give_up)

    def _look(self) -> None:
        if not self._asked or self._snapshot is None:
            return
        for event in self._snapshot.events:
            if isinstance(event, ControlAnswered) and event.request in self._asked:
                del self._asked[event.request]
                words = event.message if event.accepted else f"{event.verb} was refused: {event.message}"
                self._notify(words, is_bad=not event.accepted)

    def _give_up(self) -> None:
        for verb in self._asked.values():
            self._notify(f"the run ended before it answered: {verb}", is_bad=True)
        self._asked.clear()

    def _notify(self, words: str, *, is_bad: bool) -> None:
        text = safe_text(words, 300)
        if is_bad:
            self._screen.notify(text, severity="error", markup=False, timeout=10)
        else:
            self._screen.notify(text, markup=False, timeout=6)


def rate_meaning(now: float | None, text: str) -> str:
    """What a typed rate would do. now: the last recorded rate. Raises ValueError with a sentence."""
    rate = read_rate(text)
    after = "from the next step on; the schedule goes on in proportion"
    if not rate.is_factor:
        factor = f" (×{rate.number / now:.3g})" if now else ""
        return f"{rate.number:.3g}{factor} {after}"
    if now and now * rate.number > MAX_RATE:
        raise ValueError(f"learning rate: {now * rate.number:.3g} would be above the limit {MAX_RATE:g}")
    about = f" (about {now * rate.number:.3g})" if now else ""
    return f"×{rate.number:g}{about} {after}"


def new_total(text: str, total: int) -> int:
    """Steps of the run after a change. Raises ValueError with a sentence."""
    steps = read_steps(text)
    return total + steps.count if steps.is_difference else steps.count


def steps_meaning(step: int, total: int, text: str) -> str:
    """What a typed number of steps would do. Raises ValueError with a sentence."""
    new = new_total(text, total)
    if new <= step:
        return f"{step:,} steps are done already, so the run would end at once"
    return (
        f"it ends at step {new:,}, {new - step:,} from now; the schedule of the learning rate spans the new length"
    )
