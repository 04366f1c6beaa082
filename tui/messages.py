"""What the Launch screen's parts tell it, and what any feed tells when it ends, in the past tense."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from textual.message import Message

if TYPE_CHECKING:
    from presets.catalog import Preset
    from presets.estimate import DeviceMemory, TokenCounts
    from runs.hub import HubStatus
    from runs.memory_check import PastRun


@dataclass
class PresetChosen(Message):
    """The cursor came to a preset; None for a file that cannot be read."""

    preset: Preset | None


@dataclass
class FieldEdited(Message):
    """A field's control holds another text."""

    path: str
    text: str


@dataclass
class FieldReset(Message):
    """A field shall have the preset's value again."""

    path: str


@dataclass
class FieldFocused(Message):
    """A field's control has the focus."""

    path: str


@dataclass
class DraftChanged(Message):
    """Something in the form means something else now."""

    def can_replace(self, message: Message) -> bool:
        """A burst of edits needs one new plan."""
        return isinstance(message, DraftChanged)


@dataclass
class DataLookedUp(Message):
    """Whether a data section's text can be had, and its exact size when it is cached; asked in the background."""

    key: str
    hub: HubStatus
    counts: TokenCounts | None


@dataclass
class GpusCounted(Message):
    """The hardware process has looked; problem is why there are none, or empty. memory: of those that tell."""

    num_gpus: int
    problem: str
    memory: tuple[DeviceMemory, ...] = ()


@dataclass
class PastRunsRead(Message):
    """What runs here measured of their memory, newest first."""

    runs: tuple[PastRun, ...]


@dataclass
class FeedFailed(Message):
    """A defect of ours ended a feed; report is the whole traceback."""

    report: str

    @property
    def last_line(self) -> str:
        """What went wrong, without where."""
        return self.report.strip().splitlines()[-1]
