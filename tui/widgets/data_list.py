"""The datasets and token caches to choose from, with what stands beside each; the cursor stays on its entry."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.message import Message
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from runs.cache_listing import CacheInfo
from tui.data_catalogue import Dataset, caches_of
from tui.data_entries import Entry, entry_id
from tui.data_words import CACHE_SIGNS, age_words, users_words
from tui.figures import num_bytes
from tui.safe_text import FAINT, safe_text

_ONE_LINE = 72
_STATE_STYLES = {"complete": "$text-success", "building": "$text-primary", "damaged": "$text-error"}


class _Options(OptionList):
    KEYS_SCOPE = "data_list"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "select", "Preview", id="preview"),
        Binding("j", "cursor_down", show=False),
        Binding("k", "cursor_up", show=False),
    ]


class DataList(Vertical):
    """Posts Chosen when the cursor comes to an entry, Opened on enter."""

    DEFAULT_CSS = """
    DataList > _Options {
        height: 1fr; border: none; background: transparent; padding: 0; scrollbar-size-vertical: 1;
    }
    DataList > _Options:focus { border: none; background: transparent; }
    DataList > _Options > .option-list--option { padding: 0; }
    """

    @dataclass
    class Chosen(Message):
        """The cursor is on this entry now; None when there is none."""

        entry: Entry | None

    @dataclass
    class Opened(Message):
        """Enter was pressed on this entry."""

        entry: Entry

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id, classes="pane")
        self.options = _Options(markup=False)
        self._entries: dict[str, Entry] = {}
        self._datasets: tuple[Dataset, ...] = ()
        self._caches: tuple[CacheInfo, ...] = ()
        self._drawn: object = None
        self._wanted: str | None = None

    def compose(self) -> ComposeResult:
        yield self.options

    @property
    def entry(self) -> Entry | None:
        """What the cursor is on."""
        index = self.options.highlighted
        if index is None or index >= self.options.option_count:
            return None
        return self._entries.get(self.options.get_option_at_index(index).id or "")

    def choose(self, id: str) -> None:
        """Put the cursor on the entry of that id when the list first comes."""
        self._wanted = id

    def show(self, datasets: tuple[Dataset, ...], caches: tuple[CacheInfo, ...]) -> None:
        """Take the entries that are to stand there; lines that stay as they are are not drawn again."""
        self._datasets, self._caches = datasets, caches
        entries: tuple[Entry, ...] = (*datasets, *caches)
        self._entries = {entry_id(entry): entry for entry in entries}
        width = max(20, self.options.size.width - 1)
        data_lines = [(entry_id(one), _dataset_line(one, caches, width)) for one in datasets]
        cache_lines = [(entry_id(one), _cache_line(one, width)) for one in caches]
        if (data_lines, cache_lines) == self._drawn:
            return
        self._drawn = (data_lines, cache_lines)
        before = self.options.highlighted
        at = self.options.get_option_at_index(before).id if before is not None else self._wanted
        options = [Option(Content.styled("datasets", "$text-primary"), disabled=True)] if data_lines else []
        options += [Option(line, id=id) for id, line in data_lines]
        if cache_lines:
            options.append(Option(Content.styled("token caches", "$text-primary"), disabled=True))
        options += [Option(line, id=id) for id, line in cache_lines]
        offset = self.options.scroll_y
        with self.prevent(OptionList.OptionHighlighted):
            self.options.clear_options()
            self.options.add_options(options)
        ids = [option.id for option in options]
        first = next((index for index, id in enumerate(ids) if id is not None), None)
        place = ids.index(at) if at in ids and at is not None else min(before or 0, len(ids) - 1)
        self.options.highlighted = place if ids and ids[place] is not None else first
        self.options.scroll_to(y=offset, animate=False)
        if first is None:
            self.post_message(self.Chosen(None))

    def on_resize(self) -> None:
        """Lines are as wide as the pane."""
        self.show(self._datasets, self._caches)

    @on(OptionList.OptionHighlighted)
    def _moved(self, event: OptionList.OptionHighlighted) -> None:
        event.stop()
        self.post_message(self.Chosen(self.entry))

    @on(OptionList.OptionSelected)
    def _opened(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        if (entry := self.entry) is not None:
            self.post_message(self.Opened(entry))


def _dataset_line(dataset: Dataset, caches: tuple[CacheInfo, ...], width: int) -> Content:
    states = [info.state for info in caches_of(dataset, caches)]
    cached = "building" if "building" in states else "cached" if "complete" in states else ""
    right = f"{safe_text(dataset.origin, 24)} {cached:>8}"
    room = max(8, width - len(right) - 1)
    return Content.assemble(f"{safe_text(dataset.name, room):<{room}} ", (right, FAINT))


def _cache_line(info: CacheInfo, width: int) -> Content:
    sign = (CACHE_SIGNS[info.state], _STATE_STYLES.get(info.state, "$text-warning"))
    size, age, users = num_bytes(info.num_bytes), age_words(info.last_used), users_words(info)
    if width >= _ONE_LINE:
        room = width - 46
        name = f" {safe_text(info.label, room):<{room}} "
        return Content.assemble(
            sign, name, (f"{info.state:<12} {size:>7} {age:>8}  {safe_text(users, 12)}", FAINT)
        )
    room = max(8, width - len(size) - 3)
    words = " · ".join((*(() if info.state == "complete" else (info.state,)), age, users))
    below = f"\n  {safe_text(words, max(8, width - 2))}"
    return Content.assemble(sign, f" {safe_text(info.label, room):<{room}} ", (size + below, FAINT))
