"""The presets' part of Launch: the list with a draft for each, and keeping presets of one's own."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import msgspec
from textual import on, work
from textual.screen import Screen
from textual.widgets import Button

from presets import config as configs
from presets import keeping
from presets.catalog import Preset, own_presets, shipped_presets
from presets.estimate import Machine
from presets.keeping import Import
from presets.schema import FIELD_BY_PATH
from tui.safe_text import safe_text
from tui.widgets.form import ConfigForm
from tui.widgets.form_model import FormModel
from tui.widgets.preset_list import PresetList, preset_key

_MOST_DRAFTS = 20
_LONGEST = 20_000  # of a text that was typed into a field


class PresetScreen(Screen[None]):
    """A draft for each preset, so that going through the list loses nothing."""

    def __init__(self, machine: Machine) -> None:
        super().__init__()
        self._machine = machine
        self._shipped = shipped_presets()
        self._copies: dict[str, Preset] = {}
        self._wanted: Preset | None = None  # that the cursor goes to once the list is there
        self._drafts: dict[str, FormModel] = {}

    @property
    def _is_whole(self) -> bool:
        """All parts are there."""
        raise NotImplementedError

    @property
    def form(self) -> ConfigForm:
        """The form in the middle."""
        return self.query_one(ConfigForm)

    @property
    def presets(self) -> PresetList:
        """The list on the left."""
        return self.query_one(PresetList)

    def _remember(self) -> None:
        """Keep for the next start where the cursor is, and what was typed over each preset that is saved."""
        typed = {key: draft.typed() for key, draft in self._drafts.items() if key not in self._copies}
        drafts = {key: texts for key, texts in typed.items() if texts}
        here = self.presets.here
        values = {
            "preset": preset_key(here) if here is not None else "",
            "advanced": self.form.shows_advanced,
            "drafts": dict(list(drafts.items())[-_MOST_DRAFTS:]),
        }
        self.app.remembered.put("launch", values)  # type: ignore[attr-defined]

    def _restore(self) -> None:
        """What `_remember` kept, as far as it still means something."""
        kept: dict[str, Any] = self.app.remembered.get("launch")  # type: ignore[attr-defined]
        drafts = kept.get("drafts")
        known = {preset_key(preset): preset for preset in (*self._shipped, *own_presets()[0])}
        for key, texts in drafts.items() if isinstance(drafts, dict) else ():
            if key in known and isinstance(texts, dict):
                draft = self._draft(known[key])
                for path, text in texts.items():
                    if path in FIELD_BY_PATH and isinstance(text, str):
                        draft.set_text(path, text[:_LONGEST])
        key = kept.get("preset")
        if self._wanted is None and isinstance(key, str) and key in known:
            self._wanted = known[key]
        if kept.get("advanced") is True and not self.form.shows_advanced:
            self.form.toggle_advanced()
        if self.form.model.changed():  # its draft is the first preset's, and was on the screen before this
            self.form.load(self.form.model)

    async def edit(self, preset: Preset) -> None:
        """Show a draft that begins at this preset, which need not be saved: such as a copy of a run."""
        if not preset.shipped and not preset.text:  # what a run from elsewhere says is looked at before it starts
            preset = msgspec.structs.replace(preset, text=configs.to_toml(preset.config))
        if all(preset != known for known in (*self._shipped, *own_presets()[0])):
            self._copies[preset_key(preset)] = preset
        self._drafts.pop(preset_key(preset), None)
        self._wanted = preset
        if self._is_whole:
            self._load_presets()

    def _load_presets(self) -> None:
        own, broken = own_presets()
        copies = {key: copy for key, copy in self._copies.items() if all(copy.name != one.name for one in own)}
        self._copies = copies
        self.presets.load(self._shipped, own, broken, tuple(copies.values()))
        if self._wanted is not None:
            wanted, self._wanted = self._wanted, None
            self.presets.choose(wanted)

    def _choose(self, name: str | None) -> bool:
        """Show the list anew, with the cursor on a preset of one's own; False when there is none of that name."""
        if name is None:
            return False
        self._wanted = next((preset for preset in own_presets()[0] if preset.name == name), None)
        was_found = self._wanted is not None
        if self._is_whole:
            self._load_presets()
        return was_found

    def _draft(self, preset: Preset) -> FormModel:
        """What was typed over this preset; a preset that was saved anew begins anew."""
        draft = self._drafts.get(preset_key(preset))
        if draft is None or draft.preset != preset:
            draft = self._drafts[preset_key(preset)] = FormModel(preset)
        return draft

    def _here(self) -> Preset | None:
        """The preset under the cursor."""
        preset = self.presets.here
        if preset is None:
            self._tell(self.presets.problem_here or "There is no preset under the cursor.")
        return preset

    def _tell(self, sentence: str) -> None:
        self.notify(safe_text(sentence, 300), markup=False)

    @on(Button.Pressed, "#save")
    @work(exclusive=True, group="save")
    async def action_save(self) -> None:
        """Save the form as a preset of one's own, and go to it in the list."""
        from tui.screens.save_preset import SavePresetDialog

        model = self.form.model
        problems = model.problems()
        if problems:
            text = f"mend the form first: {problems[0]}"
            self.notify(safe_text(text, 300), title="Not saved", severity="warning", markup=False)
            return
        is_own = not model.preset.shipped and preset_key(model.preset) not in self._copies
        suggested, summary = (model.preset.name, model.preset.summary) if is_own else ("", "")
        name = await self.app.push_screen_wait(SavePresetDialog(model, suggested, summary))
        if self._choose(name):
            self._tell(f"Saved as {name}.")

    @work(exclusive=True, group="save")
    async def action_duplicate(self) -> None:
        """Save a copy of the preset under the cursor, without what was typed over it."""
        from tui.screens.entry_dialog import Entry, EntryDialog
        from tui.screens.save_preset import NAME_RULE

        preset = self._here()
        if preset is None:
            return

        def copy(lines: dict[str, str], replace: bool) -> str:
            keeping.duplicate(preset, lines["name"], replace)
            return lines["name"]

        suggested = preset.name if preset_key(preset) in self._copies else f"{preset.name}-copy"
        suggested = "-".join(suggested.lower().split())[:64]
        entry = Entry("name", f"name of the copy: {NAME_RULE}", suggested, 64)
        hint = "enter saves the copy, esc cancels; ^s saves what stands in the form"
        name = await self.app.push_screen_wait(EntryDialog("Duplicate the preset", (entry,), hint, copy))
        if self._choose(name):
            self._tell(f"{preset.name} is copied as {name}.")

    @work(exclusive=True, group="save")
    async def action_edit_preset(self) -> None:
        """Change name and summary of a preset of one's own."""
        from tui.screens.entry_dialog import Entry, EntryDialog
        from tui.screens.save_preset import NAME_RULE

        preset = self._own_here("renamed; D makes a copy that is yours")
        if preset is None:
            return

        def edit(lines: dict[str, str], replace: bool) -> str:
            keeping.edit(preset, lines["name"], lines["summary"], replace)
            return lines["name"]

        entries = (
            Entry("name", f"name: {NAME_RULE}", preset.name, 64),
            Entry("summary", "what it is for, for the list", preset.summary),
        )
        dialog = EntryDialog("Rename the preset", entries, "enter saves it, esc cancels", edit)
        self._choose(await self.app.push_screen_wait(dialog))

    @work(exclusive=True, group="save")
    async def action_delete(self) -> None:
        """Move a preset of one's own into the trash; a copy of a run just leaves the list."""
        preset = self._own_here("deleted")
        if preset is None:
            return
        if self._copies.pop(preset_key(preset), None) is None:
            try:
                await asyncio.to_thread(keeping.delete, preset)
            except (OSError, ValueError) as error:
                self._complain(f"{preset.name} cannot be deleted: {error}")
                return
            self._tell(f"{preset.name} is deleted; ctrl+z brings it back.")
        if self._is_whole:
            self._load_presets()

    @work(exclusive=True, group="save")
    async def action_undelete(self) -> None:
        """Bring back what was deleted last, also at an earlier start."""
        deleted = await asyncio.to_thread(keeping.deleted_presets)
        if not deleted:
            self._tell("No preset was deleted.")
            return
        try:
            await asyncio.to_thread(keeping.undelete, deleted[0])
        except (OSError, ValueError) as error:
            self._complain(str(error))
            return
        if self._choose(deleted[0].name):
            self._tell(f"{deleted[0].name} is back.")

    @work(exclusive=True, group="save")
    async def action_export(self) -> None:
        """Write the preset under the cursor to a file."""
        from tui.screens.entry_dialog import Entry, EntryDialog

        preset = self._here()
        if preset is None:
            return

        def write(lines: dict[str, str], replace: bool) -> Path:
            if not lines["file"]:
                raise ValueError("give a file or a folder")
            return keeping.export(preset, Path(lines["file"]), replace)

        file = f"{'-'.join(preset.name.lower().split())}.toml"
        entry = Entry("file", "file, or the folder to put it in", str(Path.cwd() / file), max_length=4000)
        hint = "enter writes it, esc cancels; what was typed over the preset is not in it"
        path = await self.app.push_screen_wait(EntryDialog("Export the preset", (entry,), hint, write))
        if path is not None:
            self._tell(f"Written to {path}; `tinytrain-tui presets import` or I takes it in.")

    @work(exclusive=True, group="save")
    async def action_import(self) -> None:
        """Take a preset's file from elsewhere, once a person has seen what it sets."""
        from tui.screens.changes_dialog import ChangesDialog
        from tui.screens.entry_dialog import Entry, EntryDialog

        def look(lines: dict[str, str], _replace: bool) -> Import:
            return keeping.look_at(Path(lines["file"]), own_presets()[0], lines["name"])

        entries = (
            Entry("file", "file, such as ~/wide.toml", max_length=4000),
            Entry("name", "what to call it here; as the file is called, if empty", max_length=64),
        )
        hint = "enter reads it and shows what it sets; nothing is taken yet. esc cancels"
        looked_at = await self.app.push_screen_wait(EntryDialog("Import a preset", entries, hint, look))
        if looked_at is None:
            return
        replaces = looked_at.is_compared
        changes = looked_at.differences if replaces else looked_at.changes
        confirm = "Import it" if looked_at.replaced is None else "Replace it"
        what = f"the preset {safe_text(looked_at.preset.name, 64)}"
        if not await self.app.push_screen_wait(ChangesDialog(what, changes, replaces=replaces, confirm=confirm)):
            return
        try:
            await asyncio.to_thread(keeping.take, looked_at)
        except (OSError, ValueError) as error:
            self._complain(str(error))
            return
        self._choose(looked_at.preset.name)

    def action_mark(self) -> None:
        """Mark the preset under the cursor, or take its mark away."""
        self.presets.toggle_mark()

    def action_compare(self) -> None:
        """Show the model comparison of what is marked."""
        chosen = self.presets.chosen
        if len(chosen) < 2:
            self.notify("Mark two or more presets with space, then press c.", markup=False)
            return
        from tui.screens.preset_comparison import PresetComparisonScreen

        self.app.push_screen(PresetComparisonScreen(chosen, self._machine))

    def _own_here(self, what: str) -> Preset | None:
        """The preset of one's own under the cursor; what: cannot be done to others."""
        preset = self._here()
        if preset is not None and preset.shipped:
            self._tell(f"{preset.name} ships with the program and cannot be {what}.")
            return None
        return preset

    def _complain(self, sentence: str) -> None:
        self.notify(safe_text(sentence, 400), severity="error", markup=False, timeout=10)
