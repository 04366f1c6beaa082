"""What has been typed into the form, apart from any widget: texts, what they mean, what is wrong with them."""

from __future__ import annotations

from presets import config as configs
from presets.catalog import Preset
from presets.fields import FieldSpec, Value, format_value
from presets.rules import Problem
from presets.schema import FIELD_BY_PATH, FIELDS, RunConfig

NAME = FieldSpec(
    path="about.name",
    section="about",
    name="name",
    kind="str",
    label="run name",
    help="What people call the run; two words are made up when it is empty.",
    unit="",
    minimum=None,
    exclusive_minimum=False,
    maximum=None,
    choices=(),
    default="",
    usual="",
    zero="",
    advanced=False,
)


class FormModel:
    """One preset's draft. A text that cannot be read counts as a problem and never as another value."""

    def __init__(self, preset: Preset) -> None:
        self.preset = preset
        self._texts: dict[str, str] = {}
        self._values: dict[str, Value] = {}
        self._errors: dict[str, str] = {}
        self.name = ""

    @classmethod
    def load(cls, preset: Preset, config: RunConfig) -> FormModel:
        """A draft that holds `config`, with the preset as what fields are reset to."""
        model = cls(preset)
        for change in configs.diff(preset.config, config):
            model.set_text(change.path, format_value(change.after))
        return model

    def text(self, path: str) -> str:
        """What the field's control shows."""
        if path == NAME.path:
            return self.name
        return self._texts.get(path, format_value(self.preset_value(path)))

    def set_text(self, path: str, text: str) -> None:
        """Take what was typed."""
        if path == NAME.path:
            self.name = text
            return
        self.reset(path)
        try:
            value = FIELD_BY_PATH[path].parse(text)
        except ValueError as error:
            self._errors[path] = str(error)
            self._texts[path] = text
            return
        if text != format_value(self.preset_value(path)):
            self._texts[path] = text
        if value != self.preset_value(path):
            self._values[path] = value

    def typed(self) -> dict[str, str]:
        """The texts of changed fields by path, to be set again later."""
        return {path: self.text(path) for path in self.changed()}

    def reset(self, path: str) -> None:
        """Back to the preset's value."""
        for typed in (self._texts, self._values, self._errors):
            typed.pop(path, None)

    def reset_all(self) -> None:
        """Every field back to the preset's value; the run's name stays."""
        for typed in (self._texts, self._values, self._errors):
            typed.clear()

    def preset_value(self, path: str) -> Value:
        """The value a reset goes back to."""
        return configs.get_value(self.preset.config, path) if path in FIELD_BY_PATH else ""

    def value(self, path: str) -> Value:
        """The value that holds; the preset's while the text cannot be read."""
        return self._values.get(path, self.preset_value(path))

    def is_changed(self, path: str) -> bool:
        """The field says something else than the preset."""
        return path in self._values or path in self._errors

    def changed(self) -> tuple[str, ...]:
        """Changed fields, in the schema's order."""
        return tuple(spec.path for spec in FIELDS if self.is_changed(spec.path))

    def to_config(self) -> RunConfig:
        """The configuration that was typed; unreadable fields keep the preset's value (see `problems`)."""
        return configs.with_values(self.preset.config, self._values)

    def problems(self) -> tuple[Problem, ...]:
        """All that stands against launching: unreadable texts, else what the rules say."""
        unreadable = tuple(Problem((path,), text) for path, text in self._errors.items())
        broken = configs.check(self.to_config())
        return unreadable + tuple(p for p in broken if not set(p.paths) & set(self._errors))
