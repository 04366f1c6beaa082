"""What a run's folder says of it beside its records: name, tags and settings, read again when they change."""

from __future__ import annotations

from presets.config import ConfigError
from presets.schema import RunConfig
from runs.folder import About, RunFolder


class RunDescription:
    """Of one reader. config: None while there is none that can be read."""

    def __init__(self, folder: RunFolder) -> None:
        self.about = About(name=folder.id)
        self.config: RunConfig | None = None
        self._folder = folder
        self._stamps: dict[str, int] = {}

    def poll(self) -> bool:
        """Read what was written since the last look; whether anything was."""
        is_other = self._changed("about.json")
        if is_other:
            self.about = self._folder.about()
        if self._changed("config.toml"):
            is_other = True
            try:
                self.config = self._folder.config()
            except (OSError, ConfigError):
                self.config = None  # a damaged config hides no curve
        return is_other

    def _changed(self, name: str) -> bool:
        try:
            stamp = (self._folder.path / name).stat().st_mtime_ns
        except OSError:
            stamp = 0
        before = self._stamps.get(name, -1)
        self._stamps[name] = stamp
        return stamp != before and bool(stamp or before < 0)  # of a file that is gone, what it said still holds
