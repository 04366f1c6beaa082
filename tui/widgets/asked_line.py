"""What was asked of a run and is not answered yet, with how long ago; gone as soon as the engine has answered."""

from __future__ import annotations

import time
from collections.abc import Sequence

from textual import events
from textual.content import Content
from textual.widgets import Static

from presets.probe_text import read_probes
from runs.control import ENDING_VERBS, Request
from runs.status import State
from tui.figures import elapsed
from tui.safe_text import plain, safe_text

_SHOWN_AFTER_S = 1.0  # what is answered at once moves nothing on the screen


class AskedLine(Static):
    """Hidden while nothing waits for an answer. Requests of the command line and of other dashboards count too."""

    DEFAULT_CSS = "AskedLine { height: 1; padding: 0 1; }"

    def __init__(self, id: str | None = None) -> None:
        super().__init__("", id=id)
        self._asked: tuple[Request, ...] = ()
        self._state: State = "running"
        self._shown = ""
        self.display = False

    def on_mount(self) -> None:
        """The seconds go on by themselves."""
        self.set_interval(1.0, self._draw)

    def show(self, asked: tuple[Request, ...], state: State) -> None:
        """Take what the inbox holds now."""
        self._asked, self._state = asked, state
        self._draw()

    def on_resize(self, event: events.Resize) -> None:
        """Fit the words into the new width."""
        self._draw()

    def _draw(self) -> None:
        words = asked_words(self._asked, self._state, time.time())
        if words == self._shown:
            return
        self._shown = words
        self.display = bool(words)
        width = self.content_size.width or self.app.size.width - 2
        self.update(Content.assemble(("◌ ", "$text-accent bold"), plain(words, max(8, width - 2))), layout=False)


def asked_words(asked: Sequence[Request], state: State, now: float) -> str:
    """`asked 3s ago: learning rate x0.5; it answers at its next step`.

    Empty when nothing waits for a second or more; of the end that was asked for, the run's card tells.
    """
    asked = [request for request in asked if request.verb not in (*ENDING_VERBS, "kill")]
    oldest = now - asked[0].time if asked else 0.0
    if oldest < _SHOWN_AFTER_S:
        return ""
    wishes = ", ".join(wish_words(request) for request in asked)
    if state in ("queued", "starting"):
        when = "it answers at its first step"
    elif state == "stalled":
        when = "the run is silent; the request stays"
    else:
        when = "it answers at its next step" if oldest < 10 else "it is in a long step, an evaluation or a save"
    return f"asked {elapsed(int(oldest))} ago: {wishes}; {when}"


def wish_words(request: Request) -> str:
    """What is wished for, in a few words."""
    match request.verb:
        case "lr":
            return f"learning rate {safe_text(request.value, 20)}"
        case "steps":
            return f"{safe_text(request.value, 20)} steps"
        case "probes":
            number = len(read_probes(request.value))
            return "1 probe sentence" if number == 1 else f"{number} probe sentences"
        case _:
            return request.verb
