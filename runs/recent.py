"""The configurations that were launched last, each once, to begin at again."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

from presets.config import ConfigError
from presets.schema import RunConfig
from runs.folder import About, RunFolder, all_runs
from runs.status import latest_attempt, read_outcome

_MOST_LOOKED_AT = 300


@dataclass(frozen=True)
class RecentConfig:
    """A configuration and its newest run; of a sweep one alone, the best. best_loss: of that run.

    num_runs: of the newest 300 those that have it, or belong to that sweep.
    """

    folder: RunFolder
    about: About
    config: RunConfig
    num_runs: int
    best_loss: float | None


def recent_configs(runs: Path, most: int = 40) -> tuple[RecentConfig, ...]:
    """The newest first, `most` at most. Raises nothing."""
    texts: dict[str, list[RunFolder]] = {}
    for folder in all_runs(runs)[:_MOST_LOOKED_AT]:
        try:
            text = folder.config_text()
        except (OSError, ConfigError):
            continue
        sweep = folder.about().sweep
        key = f"sweep {sweep}" if sweep else text
        if key in texts or len(texts) < most:
            texts.setdefault(key, []).append(folder)
    found = []
    for key, folders in texts.items():
        shown = min(folders, key=_loss) if key.startswith("sweep ") else folders[0]
        try:
            config = shown.config()
        except (OSError, ConfigError):
            continue
        loss = _loss(shown)
        found.append(
            RecentConfig(shown, shown.about(), config, len(folders), loss if math.isfinite(loss) else None)
        )
    return tuple(found)


def _loss(folder: RunFolder) -> float:
    """The best validation loss, infinite without one."""
    attempt = latest_attempt(folder)
    outcome = read_outcome(attempt) if attempt is not None else None
    loss = outcome.best_loss if outcome is not None else None
    return loss if loss is not None and math.isfinite(loss) else math.inf
