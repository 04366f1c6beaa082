"""Data: datasets and token caches; look into them, build, verify and clear."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container
from textual.screen import Screen
from textual.widgets import Static

from runs.cache_listing import CacheInfo, DiskUsage
from runs.cache_verification import Verification
from runs.data_inspection import Built, Failure, Inspection, Progress, Request
from tui.cache_actions import ask_build, ask_clear, ask_clear_all
from tui.commands import bindings_of
from tui.data_catalogue import Dataset, settled
from tui.data_entries import COMMANDS, Entry, bytes_words, data_of, entry_id, matching, name_of
from tui.data_feed import DataFeed, DataListed, Job, JobEnded, JobProgressed
from tui.data_words import plural
from tui.feeds import FeedFailed
from tui.figures import duration, num_bytes
from tui.progress_words import progress_words
from tui.safe_text import plain, safe_text
from tui.widgets.data_detail import DataDetail
from tui.widgets.data_list import DataList
from tui.widgets.footer import KeyFooter
from tui.widgets.line_input import LineInput

_NO_MATCH = "Nothing here holds those words. esc clears the filter."
_ROWS = 20


class DataScreen(Screen[None]):
    """Left what there is, right what is known of the entry under the cursor; one job at a time below."""

    CSS_PATH = "data.tcss"
    SCREEN_COMMANDS = COMMANDS
    HELP_TITLE = "Data"
    HELP = (
        "Datasets that have a name here, and below them the token caches: datasets that are tokenised and ready. "
        "A preview reads the first documents and nothing else; a dataset of the hub is streamed for it. "
        "A build that is cancelled, or left by quitting, keeps what is finished and goes on there the next time. "
        "Clearing a cache loses no run: what is needed again is built again."
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        *bindings_of(COMMANDS),
        Binding("escape", "back", "Back", show=False),
    ]

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
        self._filter.display = False
        self._status.display = False
        self.choices.border_title = "Data"
        self._detail.show_nothing("Looking at datasets and caches …")
        self._feed = DataFeed(self._runs, self)
        self._feed.start()
        self.choices.options.focus()

    def on_unmount(self) -> None:
        """End the feed, and what was asked for: nobody would see its answer."""
        if self.job is not None:
            self.job.close()
        if self._feed is not None:
            self._feed.stop()

    def on_screen_suspend(self) -> None:
        """Rest when another screen is shown; a build goes on."""
        if self._feed is not None and self not in self.app.screen_stack:
            self._feed.pause(True)

    def on_screen_resume(self) -> None:
        """Go on listing."""
        if self._feed is not None:
            self._feed.pause(False)

    @property
    def _runs(self) -> Path:
        runs: Path = self.app.runs  # type: ignore[attr-defined]
        return runs

    # what comes from the threads

    @on(DataListed)
    def _take_list(self, message: DataListed) -> None:
        self.datasets, self.caches, self.usage = message.datasets, message.caches, message.usage
        if self.is_attached:
            self._show_list()

    @on(JobProgressed)
    def _take_progress(self, message: JobProgressed) -> None:
        if message.job is self.job and self.is_attached:
            self._show_progress(message.progress)

    @on(JobEnded)
    def _take_answer(self, message: JobEnded) -> None:
        job, answer = message.job, message.answer
        if job is not self.job or not self.is_attached:
            return
        self.job = None
        self._status.display = False
        if job.kind == "build":
            self._say_built(job, answer)
        elif job.kind == "verify" and isinstance(answer, Verification | Failure):
            self.verified[job.subject] = answer
            if isinstance(answer, Verification):
                self._say(answer.sentence(), is_bad=not answer.is_intact)
        elif isinstance(answer, Inspection | Failure):
            self.found[job.subject] = answer
        self._show_detail()
        self.refresh_bindings()
        self.action_refresh()

    @on(FeedFailed)
    def _feed_failed(self, message: FeedFailed) -> None:
        message.stop()
        self.log.error(message.report)
        self._say(f"a defect of ours: {message.report.strip().splitlines()[-1]}", is_bad=True)

    def _say_built(self, job: Job, answer: object) -> None:
        if isinstance(answer, Built):
            done = "was there already" if answer.was_there else f"is built, in {duration(answer.elapsed_s)}"
            self._say(f"token cache {answer.key} {done}")
            self.found.pop(job.subject, None)  # the next preview shows what its tokenizer does
        elif isinstance(answer, Failure):
            self._say(f"the build ended: {answer.error}", is_bad=True)

    # what is shown

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

    def _entry_changed(self, entry: Entry | None) -> None:
        self.entry = entry
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

    def _show_progress(self, progress: Progress) -> None:
        job = self.job
        if job is not None:
            words = progress_words(progress)
            if progress.unit == "bytes":
                words = bytes_words(progress)
            self._status.display = True
            self._status.update(plain(f"{job.words}: {words}  (esc cancels)", 400))

    # what can be done

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer what the entry under the cursor allows."""
        entry = self.entry
        if action == "verify":
            return isinstance(entry, CacheInfo) and entry.state not in ("building", "older format")
        if action == "clear":
            return isinstance(entry, CacheInfo)
        if action in ("build", "preview"):
            return data_of(entry) is not None
        if action == "clear_all":
            return bool(self.caches)
        return entry is not None if action == "copy" else True

    @on(DataList.Opened)
    def _opened(self) -> None:
        self.action_preview()

    def action_preview(self, tokenize: bool = False) -> None:
        """Read real rows of what is under the cursor."""
        entry = self.entry
        data = data_of(entry)
        if entry is None or data is None:
            return
        if isinstance(entry, CacheInfo):
            labelled = bool(entry.labels)
        else:
            chosen = settled(entry, self.caches)
            data, labelled = chosen.data, chosen.labelled
        if (job := self._begin(f"reading {name_of(entry)}", "inspect", entry)) is not None:
            job.ask(Request(data, rows=_ROWS, tokenize=tokenize, labelled=labelled))

    def action_build(self) -> None:
        """Build the token cache of what is under the cursor."""
        entry = self.entry
        data = data_of(entry)
        if entry is None or data is None:
            return
        if isinstance(entry, CacheInfo) and entry.state in ("complete", "building"):
            self._say("it is complete" if entry.state == "complete" else "it is being built already")
            return

        def begin() -> None:
            if (job := self._begin(f"building {name_of(entry)}", "build", entry)) is not None:
                labelled = bool(entry.labels) if isinstance(entry, CacheInfo) else entry.labelled
                job.ask(Request(data, build=True, labelled=labelled))

        ask_build(self, name_of(entry), data, begin)

    def action_verify(self) -> None:
        """Read the whole cache under the cursor and compare."""
        entry = self.entry
        if isinstance(entry, CacheInfo):
            job = self._begin(f"verifying {entry.key}", "verify", entry)
            if job is not None:
                job.verify(entry.key)

    def _begin(self, words: str, kind: str, entry: Entry) -> Job | None:
        """Make the one job there is; a look gives way, other work does not."""
        if self.job is not None:
            if self.job.kind != "inspect":
                self._say(f"{self.job.words} is still going on; esc cancels it", is_bad=True)
                return None
            self.job.cancel()
        self.job = Job(kind, entry_id(entry), words, self)
        self._show_progress(Progress("starting", 0, 0, ""))
        self._show_detail()
        return self.job

    def action_clear(self) -> None:
        """Delete the cache under the cursor."""
        if isinstance(self.entry, CacheInfo):
            ask_clear(self, self.entry, self._runs, self.action_refresh)

    def action_clear_all(self) -> None:
        """Delete every cache that no live run uses and nobody builds."""
        if self.caches:
            ask_clear_all(self, self.caches, self._runs, self._say, self.action_refresh)

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

    def action_back(self) -> None:
        """Clear the filter, else cancel what goes on."""
        if self._filter.display:
            self._filter.value = ""
            self._filter.display = False
            self.choices.options.focus()
        elif self.job is not None:
            self.job.cancel()
            self._say(f"{self.job.words} was cancelled")
            self.job = None
            self._status.display = False
            self._show_detail()
            self.action_refresh()

    def action_copy(self) -> None:
        """Put the key or the name on the clipboard of the terminal."""
        if self.entry is not None:
            words = self.entry.key if isinstance(self.entry, CacheInfo) else self.entry.name
            self.app.copy_to_clipboard(words)
            self._say(f"copied {words}")

    def action_refresh(self) -> None:
        """Look at the disk again."""
        if self._feed is not None:
            self._feed.look_now()

    def _say(self, words: str, is_bad: bool = False) -> None:
        if is_bad:
            self.notify(safe_text(words, 500), severity="error", markup=False, timeout=10)
        else:
            self.notify(safe_text(words, 500), markup=False, timeout=4)
