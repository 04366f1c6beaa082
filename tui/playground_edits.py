"""Changes of the Playground's text: words filled in and hidden, taken back, and texts from the history."""

from __future__ import annotations

from collections.abc import Callable

from presets.schema import MASK_TOKEN
from runs.playground import Token
from tui.first_text import FirstText
from tui.mask_text import appended, filled, hidden, word_at
from tui.playground_state import PlaygroundState
from tui.widgets.line_input import LineInput

Say = Callable[[str, bool], None]


class TextEdits:
    """Works on the input; what it holds then comes back to the screen as a change of the text."""

    def __init__(self, state: PlaygroundState, text: LineInput, say: Say) -> None:
        """say: takes a sentence for the person, and whether it is an error."""
        self._state = state
        self._text = text
        self._say = say
        self._before: list[str] = []
        self._recalled = 0  # how far back in the history the text is; 0: one's own
        self._own_text = ""

    def change(self, text: str) -> None:
        """Another text, that can be taken back."""
        self._before.append(self._text.value)
        self.put(text)

    def begin(self, begins: FirstText) -> None:
        """Let the text fit the objective of a run that was chosen: its first probe, unless somebody has typed.

        A text of one's own stays but for masks that a causal model knows nothing of; ctrl+z brings it back.
        """
        state = self._state
        if self._text.value != state.text:
            return  # somebody is typing
        if not state.is_own:
            state.text = begins.text
            self.put(begins.text)
            return
        text = begins.instead_of(state.text)
        if text != state.text:
            state.keep()
            self.change(text)
            state.text = text
            self._say(
                f"this model goes on from a beginning, so the text ends before its {MASK_TOKEN} (ctrl+z)", False
            )

    def fill_in(self, place: int, token: str) -> bool:
        """Put a word in the place of mask number `place`, or at a causal model's end; whether it could be."""
        answer = self._state.first.answer
        if answer is None or answer.objective == "classification":
            return False
        if answer.objective == "clm":
            text, problem = appended(self._text.value, token)
        else:
            text, problem = filled(self._text.value, place, token)
        if problem:
            self._say(problem, True)
            return False
        self.change(text)
        return True

    def hide_token(self, token: Token) -> None:
        """Put [MASK] in the place of a token; where no mask is read, end the text before it or take it out."""
        text, answer = self._text.value, self._state.first.answer
        kind = answer.objective if answer is not None else ""
        if kind == "clm":
            self.change(text[: token.start].rstrip())
        elif kind == "classification":
            self.change((text[: token.start].rstrip() + text[token.end :]).strip())
        elif not token.is_mask:
            self.change(hidden(text, token.start, token.end))

    def hide_word(self) -> None:
        """Put [MASK] in the place of the word at the cursor."""
        value = self._text.value
        start, end = word_at(value, self._text.cursor_position)
        if value[start:end] == MASK_TOKEN:
            return
        self.change(hidden(value, start, end))
        place = self._text.value.find(MASK_TOKEN, max(0, start - 1))
        self._text.cursor_position = place + len(MASK_TOKEN)

    def undo(self) -> None:
        """Take back the last word that was filled in or hidden."""
        if self._before:
            self.put(self._before.pop())
        else:
            self._say("there is nothing to take back", False)

    def recall(self, by: int) -> bool:
        """Go back or forth in what was tried; False past one's own text."""
        place = self._recalled + by
        if place < 0:
            return False
        if place <= len(self._state.tried):
            if self._recalled == 0:
                self._own_text = self._text.value
            self._recalled = place
            self.put(self._state.tried[place - 1].text if place else self._own_text)
        return True

    def is_left(self) -> None:
        """The text is one's own from here on."""
        self._recalled = 0

    def put(self, text: str) -> None:
        """Another text, as if it had been there."""
        self._text.value = text
        self._text.cursor_position = len(self._text.value)
