"""The Playground's panes: which are in sight, and what each shows of the answers."""

from __future__ import annotations

from textual.content import Content
from textual.widget import Widget

from presets.schema import MASK_TOKEN
from runs.events import Candidate
from runs.playground import Answer
from tui.mask_text import masks_in
from tui.playground_state import PlaygroundState, Shown, Side
from tui.playground_words import column_titles, sampling_words
from tui.safe_text import FAINT, safe_text
from tui.widgets.attention_map import AttentionPane
from tui.widgets.likely_words import LikelyWords, merged, percent
from tui.widgets.lines_pane import LinesPane
from tui.widgets.nearest_words import NearestWords
from tui.widgets.token_rows import TokenRows
from tui.widgets.written_text import WrittenText

_NAMES: dict[Shown, str] = {
    "words": "likely words", "tokens": "tokens", "attention": "attention", "neighbours": "neighbours",
    "writing": "goes on",
}  # fmt: skip
_NARROW = 72
_WAITING = "waiting for the model …"
_NO_MASK = f"No {MASK_TOKEN}, so there is nothing to fill in."


class PlaygroundPanes:
    """Holds the panes; a screen puts them into a container."""

    def __init__(self) -> None:
        self.words = LikelyWords("words")
        self.tokens = TokenRows("tokens")
        self.attention = AttentionPane("attention")
        self.nearest = NearestWords("neighbours")
        self.writing = WrittenText("writing")

    @property
    def all(self) -> tuple[Widget, ...]:
        """In the order of the screen."""
        return (self.words, self.tokens, self.attention, self.nearest, self.writing)

    def of(self, shown: Shown) -> LinesPane:
        """The pane of a view."""
        return {
            "words": self.words, "tokens": self.tokens, "attention": self.attention, "neighbours": self.nearest,
            "writing": self.writing,
        }[shown]  # fmt: skip

    def first(self, state: PlaygroundState) -> LinesPane:
        """The pane that one gets to from the text: the words, where they are in sight."""
        return self.words if self.words.display else self.of(state.shown)

    def offered(self, state: PlaygroundState, is_roomy: bool) -> list[Shown]:
        """The views that one can go through: the words alone only where they do not stand beside the others."""
        kinds: list[Shown] = [] if is_roomy else ["words"]
        kinds += ["tokens", "attention", "neighbours"]
        is_causal = any(side.answer is not None and side.answer.objective == "clm" for side in state.sides)
        return [*kinds, "writing"] if is_causal or state.shown == "writing" else kinds

    def lay_out(self, shown: Shown, is_roomy: bool, is_zoomed: bool) -> None:
        """Show the words and another view, or one of them."""
        beside = beside_words(shown, is_roomy)
        in_sight = {self.words, self.of(beside)} if is_roomy else {self.of(shown)}
        focused = next((pane for pane in in_sight if pane.has_focus), None)
        if is_zoomed:
            in_sight = {focused or self.of(shown)}
        for pane in self.all:
            pane.display = pane in in_sight

    def names(self, state: PlaygroundState, width: int, is_roomy: bool) -> Content:
        """The views, the one in sight marked; a click chooses one. width: of the screen, in cells."""
        parts = []
        is_narrow = width < _NARROW
        for kind in self.offered(state, is_roomy):
            is_shown = kind == beside_words(state.shown, is_roomy)
            link = f"[@click=screen.view('{kind}')]{kind if is_narrow and kind == 'words' else _NAMES[kind]}[/]"
            name = Content.from_markup(link)
            parts.append(
                Content.assemble(("▸ ", "bold"), name.stylize("bold")) if is_shown else name.stylize(FAINT)
            )
        if is_narrow:
            return Content("  ").join(parts)
        return Content("   ").join([*parts, Content.styled("w next", FAINT)])

    def word(self, state: PlaygroundState) -> str:
        """Whose neighbours are shown: the word that was named, else the likely one under the cursor.

        Of a classifier it is the token under the cursor.
        """
        if state.word:
            return state.word
        answer = state.first.answer
        if answer is not None and answer.objective == "classification":  # a label is no word of the vocabulary
            return answer.tokens[min(self.tokens.row, len(answer.tokens) - 1)].token if answer.tokens else ""
        chosen = self.words.chosen
        return chosen.token if chosen is not None else ""

    def wants_other_word(self, state: PlaygroundState) -> bool:
        """Whether the neighbours in the answer are of another word than those that are wanted now."""
        answer = state.first.answer
        if state.shown != "neighbours" or answer is None or not (word := self.word(state)):
            return False
        if answer.nearest is not None:
            return answer.nearest.word != word
        return "no word was named" in answer.problems.get("neighbours", "")

    # what they show

    def show(self, state: PlaygroundState) -> None:
        """Bring every pane in sight up to the answers."""
        self._show_words(state)
        if self.tokens.display:
            self._show_tokens(state)
        if self.attention.display:
            maps = tuple(a.attention for a in _answers(state) if a.attention is not None)
            self.attention.show_maps(maps, _note(state.first, "attention"))
        if self.nearest.display:
            nearest = tuple(a.nearest for a in _answers(state) if a.nearest is not None)
            self.nearest.show_neighbours(nearest, _note(state.first, "neighbours"))
        if self.writing.display:
            self.show_writing(state)

    def show_writing(self, state: PlaygroundState) -> None:
        """The models' texts."""
        is_writing = any(side.is_writing for side in state.sides)
        sides = [side for side in state.sides if side.written or side.is_writing]
        texts = tuple((side.name if len(sides) > 1 else "", state.text, side.written) for side in sides)
        note = "g stops it" if is_writing else "g lets it go on from the text, G says how it draws"
        note += ", enter takes it over" if sides and not is_writing else ""
        self.writing.border_title = "Goes on · writing …" if is_writing else "Goes on"
        self.writing.show_texts(sampling_words(state.sampling), texts, note)

    def _show_words(self, state: PlaygroundState) -> None:
        first = state.first.answer
        if first is None:
            self.words.border_subtitle = ""
            self.words.show_words([state.first.problem or state.first.loading or _WAITING])
            return
        ours = _candidates(first)
        if not ours:
            self.words.border_subtitle = ""
            has_none = first.objective != "clm" and not masks_in(state.text)
            self.words.show_words([_NO_MASK if has_none else first.problems.get("likely", _WAITING)])
            return
        second = state.second.answer if state.second.folder is not None else None
        theirs = _candidates(second) if second is not None else []
        is_comparable = second is not None and len(theirs) == len(ours)
        titles = column_titles(first)
        columns = [
            merged(title, words, theirs[at] if is_comparable else None)
            for at, (title, words) in enumerate(zip(titles, ours, strict=False))
        ]
        self.words.show_columns(tuple(columns))
        place = min(self.words.place, len(ours) - 1)
        share = sum(one.probability for one in ours[place])
        if first.objective == "classification":
            self.words.border_title, self.words.border_subtitle = "Labels", ""
            return
        self.words.border_title = "Likely words"
        several = " · ←→ mask" if len(ours) > 1 else ""
        self.words.border_subtitle = (
            f"{len(ours[place])} of {first.vocab_size:,}: {share:.1%} · enter fills in{several}"
        )

    def _show_tokens(self, state: PlaygroundState) -> None:
        second = state.second.answer if state.second.folder is not None else None
        note = (
            "" if state.first.answer is not None and state.first.answer.loss_of else _note(state.first, "losses")
        )
        self.tokens.show_tokens(state.first.answer, second, note)

    def best(self, state: PlaygroundState) -> str:
        """The likeliest word for each mask, with commas, when the answer is to the text as it is."""
        side = state.first
        if side.answered != side.asked:
            return ""
        return ", ".join(words[0].token for words in _candidates(side.answer) if words)

    def summary(self, state: PlaygroundState) -> str:
        """The text, and for each mask its five likeliest words, on a line."""
        parts = [state.text]
        for title, words in zip(self.words.columns, _candidates(state.first.answer), strict=False):
            best = ", ".join(f"{safe_text(one.token, 30)} {percent(one.probability).strip()}" for one in words[:5])
            parts.append(f"{title.title}: {best}")
        return " | ".join(parts)


def beside_words(shown: Shown, is_roomy: bool) -> Shown:
    """The view in sight: where the likely words stand beside every view, the tokens are their own."""
    return "tokens" if is_roomy and shown == "words" else shown


def _answers(state: PlaygroundState) -> list[Answer]:
    return [side.answer for side in state.sides if side.answer is not None]


def _candidates(answer: Answer | None) -> list[tuple[Candidate, ...]]:
    """For each mask; one entry of labels, or of a next token."""
    if answer is None:
        return []
    if answer.next:
        return [answer.next]
    return list(answer.probes[0].masks) if answer.probes else []


def _note(side: Side, view: str) -> str:
    """Why a view has nothing to show."""
    if side.answer is None:
        return side.problem or side.loading or _WAITING
    return side.answer.problems.get(view, _WAITING)
