"""Marks in the list of runs, and what is done to all marked runs at once."""

from __future__ import annotations

from pathlib import Path

from runs.folder import About, RunFolder
from runs.run_summary import RunSummary
from runs.trash import delete_run
from tui import bulk_actions, run_actions
from tui.figures import num_bytes
from tui.run_actions import RunChoice
from tui.safe_text import safe_text
from tui.screens.browse_arranging import ArrangedRuns
from tui.screens.dialogs import TextDialog
from tui.trash_actions import empty_all, look_into


class MarkedRuns(ArrangedRuns):
    """Actions are about the marked runs, and without marks about the run under the cursor."""

    _marked: frozenset[str] = frozenset()
    _trash: tuple[tuple[tuple[Path, str], ...], ...] = ()  # what each deletion of this session put there

    @property
    def selected(self) -> RunSummary | None:
        """The run under the cursor."""
        line = self.table.line
        return line if isinstance(line, RunSummary) else None

    @property
    def choice(self) -> RunChoice | None:
        """The run under the cursor, as one can act on it."""
        row = self.selected
        return self._choice_of(row) if row is not None else None

    @property
    def marked(self) -> tuple[RunChoice, ...]:
        """The marked runs that are listed now, as one can act on them."""
        if not self._marked:
            return ()
        return tuple(self._choice_of(row) for row in self.result.runs if row.id in self._marked)

    @property
    def num_marked(self) -> int:
        """How many of the runs that are listed now are marked."""
        return sum(row.id in self._marked for row in self.result.runs) if self._marked else 0

    @property
    def meant(self) -> tuple[RunChoice, ...]:
        """The marked runs, else the one under the cursor."""
        here = self.choice
        return self.marked or ((here,) if here is not None else ())

    def _choice_of(self, row: RunSummary) -> RunChoice:
        about = About(
            row.name, row.preset, row.tags, row.note, row.created, row.group, row.pinned, row.archived, row.sweep,
            row.forked_from, row.dataset,
        )  # fmt: skip
        place = self._places.get(row.id)
        number = place.number if place is not None else 0
        is_last = number >= max(one.number for one in self._places.values()) if number else not self._places
        return RunChoice(row.folder, about, row.status, read_only=row.read_only, place=number, is_last=is_last)

    def action_mark(self) -> None:
        """Mark the run or no longer, and go to the next; on a heading all of its runs."""
        line = self.table.line
        if line is None:
            return
        ids = {line.id} if isinstance(line, RunSummary) else {row.id for row in line.rows}
        self._marked = self._marked - ids if ids <= self._marked else self._marked | ids
        self.show_list()
        self.table.action_move(1)

    def action_mark_all(self) -> None:
        """Mark all that are shown, or none."""
        ids = frozenset(row.id for row in self.result.runs)
        self._marked = frozenset() if ids <= self._marked else ids
        self.show_list()

    def clear_marks(self) -> bool:
        """Mark nothing any longer; whether anything was."""
        had, self._marked = bool(self._marked), frozenset()
        if had:
            self.show_list()
        return had

    def action_stop(self) -> None:
        """Stop the marked runs, or this one."""
        if marked := self.marked:
            bulk_actions.stop_all(self, marked, self.look_now)
        else:
            super().action_stop()

    def action_resume(self) -> None:
        """Go on with this run; queue the marked ones."""
        if self.num_marked:
            self.action_queue_marked()
        else:
            super().action_resume()

    def action_queue_marked(self) -> None:
        """Let the marked runs go on in turn."""
        if meant := self.meant:
            bulk_actions.queue_all(self, meant, self.look_now)

    def action_pin(self) -> None:
        """Keep at the top, or no longer."""
        if meant := self.meant:
            pin = not all(run.about.pinned for run in meant)
            done = "pinned to the top" if pin else "no longer pinned"
            bulk_actions.change_all(self, meant, done, self.look_now, pinned=pin)

    def action_archive(self) -> None:
        """Out of sight, or back."""
        if meant := self.meant:
            away = not all(run.about.archived for run in meant)
            done = "archived; A shows them, a brings back" if away else "back from the archive"
            bulk_actions.change_all(self, meant, done, self._unmark, archived=away)

    def action_tags(self) -> None:
        """Add and take off tags."""
        meant = tuple(run for run in self.meant if run_actions.offers(run, "edit"))
        if not meant:
            return
        tags = sorted({tag for run in meant for tag in run.about.tags})
        has = f"Now: {' '.join(tags)}. " if tags else ""
        body = f"{has}Words add tags, -word takes one off; several with spaces between."

        def write(words: str | None) -> None:
            if words:
                bulk_actions.tag_all(self, meant, words, self.look_now)

        self.app.push_screen(TextDialog(f"Tags of {bulk_actions.counted(meant)}", body), write)

    async def action_compare(self) -> None:
        """Lay runs over each other."""
        if folders := tuple(run.folder for run in self.meant):
            await self._dashboard.open_compare(folders)

    def action_delete(self) -> None:
        """Move runs into the trash; those that are live stay."""
        meant = tuple(run for run in self.meant if run_actions.offers(run, "delete"))
        if not meant:
            self.notify("Live runs cannot be deleted; stop them first.", markup=False, timeout=4)
            return
        ids = {run.folder.id for run in meant}
        sizes = [row.num_bytes for row in self.result.runs if row.id in ids and row.num_bytes is not None]
        size = f" ({num_bytes(sum(sizes))})" if sizes else ""
        it, goes = ("it", "goes") if len(meant) == 1 else ("them", "go")
        body = f"All of {it}{size}, with curves and checkpoints, {goes} into the trash. ctrl+z takes {it} back. "
        body += "The room on the disk is free once the trash is emptied."
        gone: list[tuple[Path, str]] = []

        def delete(folder: RunFolder) -> None:
            name = safe_text(folder.about().name, 60)
            gone.append((delete_run(folder), name))

        def deleted() -> None:
            self._trash = (*self._trash, tuple(gone)) if gone else self._trash
            self._unmark()

        done = f"in the trash; ctrl+z takes {it} back"
        bulk_actions.ask_and_do(self, meant, "Delete", body, done, delete, deleted, danger=True)

    def action_undo(self) -> None:
        """Take back the last deletion, of however many runs; when this dashboard has made none, show the trash."""
        if not self._trash:
            self.action_trash()
            return
        *others, last = self._trash
        self._trash = tuple(others)
        bulk_actions.bring_back(self, last, self.look_now)

    def action_trash(self) -> None:
        """Look at the deleted runs: bring one back, or delete it or all of them for good."""
        self.run_worker(look_into(self, self._dashboard.runs, self._left_trash, self._left_trash), group="trash")

    def action_empty_trash(self) -> None:
        """Delete all deleted runs for good, once a word has been typed."""
        self.run_worker(empty_all(self, self._dashboard.runs, self._left_trash), group="trash")

    def _left_trash(self, paths: frozenset[Path]) -> None:
        """What is there no longer cannot be taken back."""
        batches = (tuple(one for one in batch if one[0] not in paths) for batch in self._trash)
        self._trash = tuple(batch for batch in batches if batch)
        self.look_now()

    def _unmark(self) -> None:
        self._marked = frozenset()
        self.look_now()
