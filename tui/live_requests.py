"""What a screen asks a training run for, with the small dialogs it takes, and the engine's answers."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

from textual.screen import Screen

from presets.probe_text import read_probes
from runs import launch
from runs.control import MAX_RATE, Verb, read_rate, read_steps
from runs.events import ControlAnswered
from runs.probe_texts import probes_now
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
        now, config = snapshot.learning_rate, snapshot.config
        share = config.optim.warmup_ratio if config is not None else 0.0
        left = warmup_left(share, snapshot.step, snapshot.total_steps)
        standing = f"The last recorded rate is {now:.3g}. " if now else ""
        caption = f"{standing}Type a rate such as 3e-4, or a factor such as x0.5."
        dialog = ValueDialog("Learning rate", caption, value, partial(rate_meaning, now, left=left))
        self._screen.app.push_screen(dialog, lambda typed: self.ask(run, "lr", typed) if typed else None)

    def change_steps(self, run: RunChoice, snapshot: RunSnapshot) -> None:
        """Ask for the number of steps; what ends the run at once is asked twice."""
        step, total = snapshot.step, snapshot.total_steps

        def typed(value: str | None) -> None:
            if not value:
                return
            if not total or new_total(value, total) > step:
                self.ask(run, "steps", value)
                return
            body = f"{run.name} has made {step:,} steps. With none left it saves a checkpoint and is finished."
            dialog = ConfirmDialog("End this run now?", body, confirm="End it", danger=True)
            self._screen.app.push_screen(dialog, lambda sure: self.ask(run, "steps", value) if sure else None)

        standing = f"{step:,} of {total:,} steps are recorded." if total else "The length is not known yet."
        usual = total + 1000 if total else 5000
        caption = f"{standing} Type a number such as {usual}, or a change such as +1000 or -500."
        meaning = partial(steps_meaning, step, total)
        self._screen.app.push_screen(ValueDialog("Number of steps", caption, "+1000", meaning), typed)

    def change_probes(self, run: RunChoice, snapshot: RunSnapshot) -> None:
        """Let the probes that hold now be edited, and ask for what comes of it."""
        config = snapshot.config
        if config is None:
            self._notify("its settings cannot be read, so its probes cannot be edited here", is_bad=True)
            return
        from tui.screens.probes_dialog import ProbesDialog  # a text area takes a while to import

        now = probes_now(config, snapshot.controls)
        dialog = ProbesDialog(now, config)
        self._screen.app.push_screen(
            dialog,
            lambda typed: self.ask(run, "probes", typed) if typed and read_probes(typed) != now else None,
        )

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


@dataclass(frozen=True)
class WarmupLeft:
    """How far the schedule still rises, in proportion. None: not known, since the length is not.

    from_next: its highest rate over that of the next update. from_last: over that of the last one.
    """

    from_next: float | None = 1.0
    from_last: float | None = 1.0


def warmup_left(share: float, step: int, total: int) -> WarmupLeft:
    """What is left of the warm-up after `step` updates, as in the engine's schedule: linear to its last step."""
    if not total:
        return WarmupLeft(None, None) if share else WarmupLeft()
    warmup = round(share * total)
    if step >= warmup:
        return WarmupLeft()
    return WarmupLeft(warmup / (step + 1), warmup / step if step else None)


def rate_meaning(now: float | None, text: str, left: WarmupLeft = WarmupLeft()) -> str:
    """What a typed rate would do. now: the last recorded rate. Raises ValueError with a sentence."""
    rate = read_rate(text)
    after = "from the next step on; the schedule goes on in proportion"
    if not rate.is_factor:
        rise = _rise(rate.number, left.from_next)
        factor = f" (×{rate.number / now:.3g})" if now else ""
        return f"{rate}{factor} {after}{rise}"
    if not now:
        return f"×{rate.number_text} {after}"
    rise = _rise(now * rate.number, left.from_last)
    return f"×{rate.number_text} (about {now * rate.number:.3g}) {after}{rise}"


def _rise(number: float, growth: float | None) -> str:
    """That a warm-up takes the rate higher. Raises ValueError where that is above what the engine allows."""
    highest = number * (growth or 1.0)
    if highest > MAX_RATE:
        where = " at the end of warm-up" if highest > number else ""
        raise ValueError(f"learning rate: {highest:.3g} would be above the limit {MAX_RATE:g}{where}")
    if growth is None:
        return "; warm-up goes on from there"
    return f"; warm-up goes on, to about {number * growth:.3g}" if growth > 1 else ""


def new_total(text: str, total: int) -> int:
    """Steps of the run after a change. Raises ValueError with a sentence."""
    steps = read_steps(text)
    return total + steps.count if steps.is_difference else steps.count


def steps_meaning(step: int, total: int, text: str) -> str:
    """What a typed number of steps would do. Raises ValueError with a sentence."""
    new = new_total(text, total)
    if not total:
        steps = read_steps(text)
        if not steps.is_difference:
            return f"{new:,} steps in all, whatever its length is now, which is not known yet"
        more = "more" if steps.count > 0 else "fewer"
        return f"{abs(steps.count):,} steps {more} than it is to make, which is not known yet"
    if new <= step:
        return f"{step:,} steps are done already, so the run would end at once"
    return (
        f"it ends at step {new:,}, {new - step:,} from now; the schedule of the learning rate spans the new length"
    )
