"""Data: look into datasets, build, verify and clear token caches; `data_view` shows them."""

from __future__ import annotations

from typing import ClassVar

from textual import on
from textual.binding import Binding, BindingType

from runs.cache_listing import CacheInfo
from runs.cache_verification import Verification
from runs.data_inspection import Built, Failure, Inspection, Progress, Request
from tui.cache_actions import ask_build, ask_clear, ask_clear_all
from tui.commands import bindings_of
from tui.data_catalogue import settled
from tui.data_entries import COMMANDS, Entry, bytes_words, data_of, entry_id, name_of
from tui.data_feed import Job, JobEnded, JobProgressed
from tui.figures import duration
from tui.progress_words import progress_words
from tui.safe_text import plain
from tui.screens.data_view import DataView
from tui.widgets.data_list import DataList

_ROWS = 20


class DataScreen(DataView):
    """What a person can do with the entry under the cursor; one job at a time."""

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

    def on_unmount(self) -> None:
        """End what was asked for: nobody would see its answer."""
        if self.job is not None:
            self.job.close()

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

    def _say_built(self, job: Job, answer: object) -> None:
        if isinstance(answer, Built):
            done = "was there already" if answer.was_there else f"is built, in {duration(answer.elapsed_s)}"
            self._say(f"token cache {answer.key} {done}")
            self.found.pop(job.subject, None)  # the next preview shows what its tokenizer does
        elif isinstance(answer, Failure):
            self._say(f"the build ended: {answer.error}", is_bad=True)

    def _show_progress(self, progress: Progress) -> None:
        job = self.job
        if job is not None:
            words = progress_words(progress)
            if progress.unit == "bytes":
                words = bytes_words(progress)
            self._status.display = True
            self._status.update(plain(f"{job.words}: {words}  (esc cancels)", 400))

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
