"""What is asked of the models' process, and what its replies change; no widget is touched here."""

from __future__ import annotations

import time
from typing import Literal

from runs.playground import Answer, Loading, Piece, Ready, Refusal, Said
from tui.figures import num_bytes
from tui.playground_feed import PlaygroundFeed
from tui.playground_state import PlaygroundState, Shown, Side

Changed = Literal["", "about", "answer", "writing", "written"]

_AGAIN_AFTER_S = 30.0


class Conversation:
    """Asks for both sides, and takes replies in; one that is not to the newest request changes nothing.

    complaint: what a person is to be told of the reply that was taken last, or empty. report: of a defect of ours.
    """

    def __init__(self, state: PlaygroundState, feed: PlaygroundFeed) -> None:
        self._state = state
        self._feed = feed
        self._died_at = float("-inf")
        self.complaint = ""
        self.report = ""

    def ask(self, wanted: tuple[Shown, ...], word: str, *sides: Side) -> None:
        """Ask all sides, or these. word: whose neighbours are wanted."""
        for side in sides or self._state.sides:
            self._feed.ask(self._state.request(side, wanted, word))

    def write(self, sides: list[Side]) -> None:
        """Let causal models go on from the text; stop them when they are at it."""
        if any(side.is_writing for side in sides):
            for side in sides:  # of two requests of a slot the newer one counts, and this is answered at once
                side.is_writing = False
                self._feed.ask(self._state.stopping_request(side))
        else:
            for side in sides:
                self._feed.ask(self._state.writing_request(side))

    def take(self, said: Said) -> Changed:
        """What the reply changed."""
        self.complaint = self.report = ""
        if isinstance(said, Ready):
            return ""
        if isinstance(said, Refusal):
            self.report = said.report
        for side in self._state.sides:
            if said.slot == side.slot and said.id == side.asked:
                return self._take_answer(side, said)
            if said.slot == f"{side.slot} writes" and said.id == side.writes:
                return self._take_writing(side, said)
        return ""

    def died(self, how: str) -> bool:
        """The process ended by itself; whether it shall start again at once, which it does not in a circle."""
        starts_again = time.monotonic() - self._died_at > _AGAIN_AFTER_S
        self._died_at = time.monotonic()
        next_step = "it is started anew" if starts_again else "a change of the text starts it anew"
        for side in self._state.sides:
            side.problem = f"the models' process {how}; {next_step}"
            side.answered, side.loading, side.is_writing = side.asked, "", False
        return starts_again

    def _take_answer(self, side: Side, said: Answer | Refusal | Piece | Loading) -> Changed:
        if isinstance(said, Loading):
            side.loading = f"reading {said.checkpoint} ({num_bytes(said.num_bytes)}) …"
            return "about"
        side.took_s = time.monotonic() - side.asked_at
        if side.loading and isinstance(said, Answer):  # how long the reading took is said while it lasts
            side.took_s = said.seconds - said.load_s
        side.loading, side.answered = "", said.id
        if isinstance(said, Refusal):
            side.problem, side.answer = said.error, None
        elif isinstance(said, Answer):
            side.problem = f"an older checkpoint had to do: {said.note}" if said.note else ""
            side.answer = said
        return "answer"

    def _take_writing(self, side: Side, said: Answer | Refusal | Piece | Loading) -> Changed:
        if isinstance(said, Piece):
            side.written = said.generated
        elif isinstance(said, Refusal):
            side.is_writing = False
            self.complaint = said.error
        elif isinstance(said, Answer):
            side.is_writing = False
            side.written = said.probes[0].generated if said.probes else side.written
            self.complaint = said.problems.get("predict", "")
            return "writing" if self.complaint or side is not self._state.first else "written"
        return "writing"
