"""Saves what stands in the form as a preset of one's own; replacing one is asked first."""

from __future__ import annotations

from functools import partial

from presets import config as configs
from presets import keeping
from presets.catalog import save_preset
from presets.schema import RunConfig
from tui.screens.entry_dialog import Entry, EntryDialog
from tui.widgets.form_model import FormModel

NAME_RULE = "small letters, digits, . _ -"


class SavePresetDialog(EntryDialog[str]):
    """Asks for a name and a sentence; dismissed with the name once the file is written, None on esc."""

    def __init__(self, model: FormModel, name: str = "", summary: str = "") -> None:
        """model: what stands in the form; what began at a preset nobody has looked at stays unknown."""
        num_fields = len(configs.diff(RunConfig(), model.to_config()))
        entries = (
            Entry("name", f"name: {NAME_RULE}", name, 64),
            Entry("summary", "what it is for, for the list", summary),
        )
        hint = f"enter saves it ({num_fields} fields that differ from the defaults), esc cancels"
        super().__init__("Save as a preset of your own", entries, hint, partial(save_from_form, model))


def save_from_form(model: FormModel, lines: dict[str, str], replace: bool) -> str:
    """The name under which what stands in the form was saved. Raises as `catalog.save_preset` does."""
    is_known = keeping.is_known(model.preset)
    save_preset(lines["name"], model.to_config(), lines["summary"], replace, is_known)
    return lines["name"]
