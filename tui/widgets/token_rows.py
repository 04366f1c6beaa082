"""The text token by token: what the tokenizer did, what each token costs, what would have been there instead."""

from __future__ import annotations

from collections.abc import Sequence

from textual.content import Content

from runs.playground import Answer, Token
from tui.safe_text import FAINT, plain, safe_text
from tui.widgets.likely_words import bar, percent
from tui.widgets.lines_pane import LinesPane, fitted, note

_MOST_LOSS = 12.0
_COSTS = {
    "masked": "loss in nats, each token hidden in its turn",
    "next": "loss in nats, each token after those before it",
    "label": "loss in nats of the label it gives the whole text, with the token hidden",
    "": "",
}

_ENTER = {"clm": "enter ends the text there", "classification": "enter takes a token out"}


class TokenRows(LinesPane):
    """enter hides the token under the cursor; without masks, it ends the text before it or takes it out."""

    def __init__(self, id: str) -> None:
        super().__init__("Tokens", id)
        self.tokens: tuple[Token, ...] = ()

    def show_tokens(self, answer: Answer | None, second: Answer | None, why_not: str) -> None:
        """The first model's tokens, with the second's losses beside them where it has the same tokens.

        why_not: said where there are no losses.
        """
        self.tokens = answer.tokens if answer is not None else ()
        if answer is None or not self.tokens:
            self.show([note(why_not)], ())
            return
        others = second.tokens if second is not None else ()
        is_same = [token.id for token in others] == [token.id for token in self.tokens]
        words = why_not or _COSTS[answer.loss_of]
        if second is not None and not is_same:
            words = "the second model cuts the text into other tokens, so that its losses are not comparable"

        def titles(width: int) -> Content:
            losses = "  loss │   loss" if is_same else "  loss"
            bars = " " * 12 if _has_bars(width) else "  "
            return Content.styled(f"  {'token':<15} {'id':>6}  {'is':<8}{losses}{bars}would say"[:width], FAINT)

        rows = [
            lambda width, token=token, other=others[at] if is_same else None: _row(token, other, width)
            for at, token in enumerate(self.tokens)
        ]
        self.show([note(words), titles], rows)
        total = [token.loss for token in self.tokens if token.loss is not None]
        mean = f"mean loss {sum(total) / len(total):.3f} nats · " if total else ""
        self.border_subtitle = plain(mean + _ENTER.get(answer.objective, "enter hides a token"), 80)


def _row(token: Token, other: Token | None, width: int) -> Content:
    """`states  142  word  0.31 ███  states 88.1%`."""
    parts: list[tuple[str, str]] = [
        (fitted(token.token, 15) + " ", "$text-warning" if token.is_unknown else ""),
        (f"{token.id:>6}  ", FAINT),
        (f"{_kind(token):<8}", "$text-warning" if token.is_unknown else FAINT),
    ]
    parts.append((_loss(token), ""))
    if other is not None:
        parts.append((f" │ {_loss(other)}", ""))
    parts.append((" " + (_loss_bar(token, 10) if _has_bars(width) else "") + " ", "$text-primary"))
    if token.is_unknown and token.piece:
        parts.append((f"“{token.piece.strip()}” ", "$text-warning"))
    if token.guesses:
        parts.append((_guesses(token, max(0, width - sum(len(text) for text, _ in parts))), FAINT))
    safe = [(safe_text(text, 400), style) for text, style in parts]
    return _cut(Content.assemble(*safe), width)


def _has_bars(width: int) -> bool:
    return width >= 76


def _kind(token: Token) -> str:
    if token.is_mask:
        return "mask"
    if token.is_unknown:
        return "unknown"
    return {True: "word", False: "part", None: ""}[token.begins_word]


def _loss(token: Token) -> str:
    return f"{token.loss:6.2f}" if token.loss is not None else "     -"


def _loss_bar(token: Token, width: int) -> str:
    return bar((token.loss or 0.0) / _MOST_LOSS, width)


def _guesses(token: Token, width: int) -> str:
    """As many guesses as fit whole."""
    words = ""
    for guess in token.guesses:
        more = f"{safe_text(guess.token, 16)} {percent(guess.probability).strip()}"
        longer = f"{words}, {more}" if words else more
        if len(longer) > width:
            break
        words = longer
    return words


def _cut(line: Content, width: int) -> Content:
    return line if line.cell_length <= width else line.truncate(width, ellipsis=True)


def unknown_words(tokens: Sequence[Token]) -> str:
    """The words that the vocabulary does not know, for a sentence: `“zyzzyva”, “qat”`."""
    pieces = [token.piece.strip() for token in tokens if token.is_unknown and token.piece.strip()]
    names = [f"“{safe_text(piece, 20)}”" for piece in dict.fromkeys(pieces)]
    return ", ".join(names[:4]) + (" …" if len(names) > 4 else "")
