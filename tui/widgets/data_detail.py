"""What is known of the dataset or cache under the cursor: figures, histograms, real rows, their tokens."""

from __future__ import annotations

import textwrap

from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import Static

from runs.cache_listing import CacheInfo
from runs.cache_verification import Verification
from runs.data_inspection import Failure, Inspection, SampleRow
from tui.data_catalogue import Dataset, caches_of, settings_words
from tui.data_words import (
    Pairs,
    cache_facts,
    head_words,
    histogram_lines,
    inspection_facts,
    longest_words,
    tokenizer_facts,
)
from tui.safe_text import FAINT, plain, safe_text

_LABEL = 15
_FIRST_ROWS = 2
_ROWS = 10
_ROW_LINES = 4
_TOKEN_LINES = 3
_BAR_WIDTH = 64


class DataDetail(VerticalScroll):
    """A pane that scrolls; it is drawn anew when what it shows changes, or its width."""

    DEFAULT_CSS = """
    DataDetail { scrollbar-size-vertical: 1; }
    DataDetail > Static { height: auto; }
    """

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id, classes="pane")
        self._text = Static()
        self._subject: tuple[object, ...] = ()
        self._drawn: object = None

    def compose(self) -> ComposeResult:
        yield self._text

    def show_nothing(self, words: str) -> None:
        """Say why there is nothing, and what to do."""
        self._show("Data", (words,))

    def show_dataset(
        self, dataset: Dataset, caches: tuple[CacheInfo, ...], found: Inspection | Failure | None, hint: str
    ) -> None:
        """hint: what to press, or what goes on, while nothing was found yet."""
        self._show(dataset.name, (dataset, caches_of(dataset, caches), found, hint))

    def show_cache(
        self,
        info: CacheInfo,
        verified: Verification | Failure | None,
        found: Inspection | Failure | None,
        hint: str,
    ) -> None:
        """verified: what came of the last verification. found: of the last preview."""
        self._show(f"token cache {info.key}", (info, verified, found, hint))

    def on_resize(self) -> None:
        """Bars and rows are as wide as the pane."""
        self._draw()

    def _show(self, title: str, subject: tuple[object, ...]) -> None:
        if str(self.border_title or "") != safe_text(title, 60):
            self.border_title = plain(title, 60)
            self.scroll_home(animate=False)
        self._subject = subject
        self._draw()

    def _draw(self) -> None:
        width = max(24, self.size.width - 3)  # padding and scrollbar
        if (self._subject, width) == self._drawn:
            return
        self._drawn = (self._subject, width)
        lines: list[Content] = []
        match self._subject:
            case (Dataset() as dataset, tuple() as caches, found, str() as hint):
                lines = _dataset_lines(dataset, caches, found, hint, width)
            case (CacheInfo() as info, verified, found, str() as hint):
                lines = _cache_lines(info, verified, found, hint, width)
            case (str() as words,):
                lines = [plain(line, style=FAINT) for line in textwrap.wrap(words, width)]
        self._text.update(Content("\n").join(lines))


def _dataset_lines(
    dataset: Dataset, caches: tuple[CacheInfo, ...], found: object, hint: str, width: int
) -> list[Content]:
    cached = ", ".join(f"{safe_text(info.key)} ({info.state})" for info in caches) or "none yet; b builds one"
    facts = [("about", safe_text(dataset.about, 500))] if dataset.about else []
    facts += [("from", _origin_words(dataset))]
    facts += [("size", safe_text(dataset.size))] if dataset.size else []
    facts += [("settings", safe_text(settings_words(dataset.data), 300)), ("token caches", cached)]
    lines = _pairs(tuple(facts), width)
    if isinstance(found, Failure):
        lines += ["", *_wrapped(f"✗ {found.error}", width, "$text-error")]
        lines += _wrapped(hint, width, FAINT)
    elif isinstance(found, Inspection):
        lines += ["", *_pairs(inspection_facts(found), width)]
        lines += _inspection_lines(found, width)
        lines += ["", *_wrapped(hint, width, FAINT)] if hint else []
    else:
        lines += ["", *_wrapped(hint, width, FAINT)]
    return [Content(line) if isinstance(line, str) else line for line in lines]


def _inspection_lines(found: Inspection, width: int) -> list[Content | str]:
    lines = _rows_lines("real rows", found.rows[:_FIRST_ROWS], width)
    lines += ["", _heading("length of the documents")]
    lines += histogram_lines(found.lengths, "words", min(width, _BAR_WIDTH))
    if found.tokenizer is not None:
        lines += ["", _heading("tokenizer"), *_pairs(tokenizer_facts(found.tokenizer), width)]
        lines += ["", _heading("most frequent"), *_wrapped(head_words(found.tokenizer.head), width)]
    return lines + _rows_lines("more rows", found.rows[_FIRST_ROWS:_ROWS], width)


def _rows_lines(heading: str, rows: tuple[SampleRow, ...], width: int) -> list[Content | str]:
    lines: list[Content | str] = ["", _heading(heading)] if rows else []
    for row in rows:
        lines += _row_lines(row, width)
    return lines


def _row_lines(row: SampleRow, width: int) -> list[Content | str]:
    start = f"{row.words:,} words  "
    text = _cut_lines(start + safe_text(row.text, _ROW_LINES * width + 80), width, _ROW_LINES)
    lines: list[Content | str] = [
        Content.assemble((text[0][: len(start)], FAINT), text[0][len(start) :]),
        *text[1:],
    ]
    if row.tokens:
        tokens = "→ " + " ".join(safe_text(token, 60) for token in row.tokens)
        lines += [Content.styled(line, "$text-accent") for line in _cut_lines(tokens, width, _TOKEN_LINES)]
    return lines


def _cache_lines(info: CacheInfo, verified: object, found: object, hint: str, width: int) -> list[Content]:
    lines: list[Content | str] = [*_pairs(cache_facts(info), width)]
    if isinstance(verified, Verification):
        style = "$text-success" if verified.is_intact else "$text-error"
        sign = "✓" if verified.is_intact else "✗"
        lines += ["", *_wrapped(f"{sign} {verified.sentence()}", width, style)]
    elif isinstance(verified, Failure):
        lines += ["", *_wrapped(f"✗ {verified.error}", width, "$text-error")]
    if info.statistics is not None:
        lines += ["", _heading("length of the training documents")]
        lines += histogram_lines(info.statistics.lengths, "tokens", min(width, _BAR_WIDTH))
        lines += ["", _heading("most frequent"), *_wrapped(head_words(info.statistics.head), width)]
        lines += ["", _heading("longest documents")]
        lines += [safe_text(line, width) for line in longest_words(info.statistics)]
    if isinstance(found, Inspection):
        lines += _rows_lines("real rows", found.rows[:_ROWS], width)
    elif isinstance(found, Failure):
        lines += ["", *_wrapped(f"✗ {found.error}", width, "$text-error")]
    if info.data is not None and hint:
        lines += ["", *_wrapped(hint, width, FAINT)]
    return [Content(line) if isinstance(line, str) else line for line in lines]


def _origin_words(dataset: Dataset) -> str:
    data = dataset.data
    if data.source == "hub":
        parts = [data.dataset, data.dataset_config, f"split {data.split}", f"column {data.text_column}"]
        return "the Hugging Face hub: " + safe_text(", ".join(part for part in parts if part), 300)
    if data.source == "files":
        return f"files: {safe_text(data.dataset, 300)}"
    if data.source == "synthetic":
        return "a grammar, made here; its exact entropy is known"
    return "shipped with the program"


def _pairs(facts: Pairs, width: int) -> list[Content | str]:
    lines: list[Content | str] = []
    for name, words in facts:
        first, *rest = textwrap.wrap(words, max(12, width - _LABEL)) or [""]
        lines.append(Content.assemble((f"{name:<{_LABEL}}", FAINT), first))
        lines += [" " * _LABEL + line for line in rest]
    return lines


def _heading(words: str) -> Content:
    return Content.styled(words, "$text-primary")


def _wrapped(words: str, width: int, style: str = "") -> list[Content | str]:
    return [Content.styled(line, style) for line in textwrap.wrap(safe_text(words, 4000), width)]


def _cut_lines(words: str, width: int, most: int) -> list[str]:
    lines = textwrap.wrap(words, width, max_lines=most, placeholder=" …")
    return lines or [""]
