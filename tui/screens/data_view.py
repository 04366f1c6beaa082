"""What the Data screen shows: datasets and token caches in a list, and what is known of one of them."""

from __future__ import annotations

from pathlib import Path

from textual import on
from textual.app import ComposeResult
from textual.containers import Container
from textual.widgets import Static

from runs.cache_listing import CacheInfo, DiskUsage
from runs.cache_verification import Verification
from runs.data_inspection import Failure, Inspection
from tui.data_catalogue import Dataset, settled
from tui.data_entries import Entry, entry_id, matching
from tui.data_feed import DataFeed, DataListed, Job
from tui.figures import num_bytes, plural
from tui.safe_text import safe_text
from tui.screens.fed_screen import FedScreen
from tui.widgets.data_detail import DataDetail
from tui.widgets.data_list import DataList
from tui.widgets.footer import KeyFooter
from tui.widgets.line_input import LineInput

_SECTION = "data"
_NO_MATCH = "Nothing here holds those words. esc clears the filter."
_LONGEST = 400  # of a filter


class DataView(FedScreen):
    """Left what there is, right what is known of the entry under the cursor, below what goes on.

    found, verified: what was learned of entries, by their ids. job: what goes on, about one of them.
    """

    CSS_PATH = "data.tcss"
    FEED_FAILED = "a defect of ours"

    def __init__(self) -> None:
        super().__init__()
        self.datasets: tuple[Dataset, ...] = ()
        self.caches: tuple[CacheInfo, ...] = ()
        self.usage: DiskUsage | None = None
        self.entry: Entry | None = None
        self.job: Job | None = None
        self.found: dict[str, Inspection | Failure] = {}
        self.verified: dict[str, Verification | Failure] = {}
        self._feed: DataFeed | None = None
        # held, not asked for: answers come while the app takes the screen apart
        self.choices = DataList(id="list")
        self._detail = DataDetail(id="detail")
        self._filter = LineInput(placeholder="words that a name, origin or state holds", id="filter")
        self._status = Static(id="status")

    def compose(self) -> ComposeResult:
        yield self._filter
        with Container(id="panes"):
            yield self.choices
            yield self._detail
        yield self._status
        yield KeyFooter()

    def on_mount(self) -> None:
        """Begin to list."""
        self._status.display = False
        self.choices.border_title = "Data"
        self._recall()
        self._detail.show_nothing("Looking at datasets and caches …")
        self._feed = DataFeed(self._runs, self)
        self._feed.start()
        self.choices.options.focus()

    @property
    def _runs(self) -> Path:
        runs: Path = self.app.runs  # type: ignore[attr-defined]
        return runs

    @on(DataListed)
    def _take_list(self, message: DataListed) -> None:
        self.datasets, self.caches, self.usage = message.datasets, message.caches, message.usage
        if self.is_attached:
            self._show_list()

    def _show_list(self) -> None:
        words = self._filter.value.lower().split()
        datasets, caches = matching(self.datasets, words), matching(self.caches, words)
        self.choices.show(datasets, caches)
        shown = f"{len(datasets) + len(caches)} of " if words else ""
        self.choices.border_title = f"Data · {shown}{len(self.datasets) + len(self.caches)}"
        if self.usage is not None:
            size = f"{plural(len(self.caches), 'cache')}, {num_bytes(self.usage.cache_bytes)}"
            free = f"{num_bytes(self.usage.free_bytes)} free"
            self.choices.border_subtitle = f"{size if self.caches else 'no token caches yet'} · {free}"
        self._entry_changed(self.choices.entry)

    @on(DataList.Chosen)
    def _chosen(self, message: DataList.Chosen) -> None:
        if self.is_attached:
            self._entry_changed(message.entry)

    def _recall(self) -> None:
        """The entry and the filter as they were left; anything may have been written there."""
        kept = self.app.remembered.get(_SECTION)  # type: ignore[attr-defined]
        words, id = kept.get("filter"), kept.get("entry")
        with self.prevent(LineInput.Changed):
            self._filter.value = words[:_LONGEST] if isinstance(words, str) else ""
        self._filter.display = bool(self._filter.value)
        self.choices.choose(id if isinstance(id, str) else "")

    def _remember(self) -> None:
        if self.entry is not None:
            values = {"entry": entry_id(self.entry), "filter": self._filter.value}
            self.app.remembered.put(_SECTION, values)  # type: ignore[attr-defined]

    def _entry_changed(self, entry: Entry | None) -> None:
        self.entry = entry
        self._remember()
        self._show_detail()
        self.refresh_bindings()

    def _show_detail(self) -> None:
        entry = self.entry
        if entry is None:
            self._detail.show_nothing(_NO_MATCH if self._filter.value else "Nothing is chosen.")
        elif isinstance(entry, CacheInfo):
            id = entry_id(entry)
            self._detail.show_cache(entry, self.verified.get(id), self.found.get(id), self._hint(id))
        else:
            id = entry_id(entry)
            dataset = settled(entry, self.caches)
            self._detail.show_dataset(dataset, self.caches, self.found.get(id), self._hint(id))

    def _hint(self, id: str) -> str:
        found = self.found.get(id)
        if self.job is not None and self.job.kind == "inspect" and self.job.subject == id:
            return "reading …"
        if isinstance(found, Failure):
            return "enter tries again."
        if found is None:
            return "enter reads real rows and shows what they are like."
        return "t learns a tokenizer from these rows, to see what it does." if found.tokenizer is None else ""

    def action_filter(self) -> None:
        """Type a filter."""
        self._filter.display = True
        self._filter.focus()

    @on(LineInput.Changed, "#filter")
    def _typed(self) -> None:
        if self.is_attached:
            self._show_list()

    @on(LineInput.Submitted, "#filter")
    def _entered(self) -> None:
        self.choices.options.focus()
        self._filter.display = bool(self._filter.value)

    def action_refresh(self) -> None:
        """Look at the disk again."""
        if self._feed is not None:
            self._feed.look_now()

    def _say(self, words: str, is_bad: bool = False) -> None:
        if is_bad:
            self.notify(safe_text(words, 500), severity="error", markup=False, timeout=10)
        else:
            self.notify(safe_text(words, 500), markup=False, timeout=4)
