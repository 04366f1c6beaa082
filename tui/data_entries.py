"""The entries of the Data screen, and the commands that work on them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

from presets.schema import DataConfig
from runs.cache_listing import CacheInfo
from runs.data_inspection import Progress
from tui.commands import Command
from tui.data_catalogue import Dataset
from tui.figures import duration, num_bytes
from tui.safe_text import safe_text

Entry = Dataset | CacheInfo
E = TypeVar("E", Dataset, CacheInfo)

COMMANDS = (
    Command("preview", "enter", "Preview", "Read real rows of it, and say what they are like.", "preview"),
    Command("tokenize", "t", "Tokenize", "Preview, and learn a tokenizer from the rows when there is no cache.",
            "preview(True)", show=False),
    Command("build", "b", "Build", "Build the token cache ahead, or go on with a half-built one.", "build"),
    Command("verify", "v", "Verify", "Compare every byte of the cache with its checksums.", "verify"),
    Command("clear", "d,delete", "Clear", "Delete the cache under the cursor; asks first.", "clear"),
    Command("clear_all", "D", "Clear all", "Delete all token caches; a word has to be typed.", "clear_all",
            show=False),
    Command("filter", "slash", "Filter", "Show only datasets and caches that hold a word.", "filter",
            key_display="/"),
    Command("copy", "y", "Copy key", "Copy the cache's key, or the dataset's name.", "copy", show=False),
    Command("refresh", "r", "Refresh", "Look at the disk again now.", "refresh", show=False),
)  # fmt: skip


def entry_id(entry: Entry) -> str:
    """Names an entry for as long as it is there."""
    return f"cache {entry.key}" if isinstance(entry, CacheInfo) else "data " + "\n".join(entry.identity)


def data_of(entry: Entry | None) -> DataConfig | None:
    """The settings an entry stands for; None for a cache that does not say them."""
    return entry.data if entry is not None else None


def name_of(entry: Entry) -> str:
    """What a person calls it, safe to show."""
    return safe_text(entry.label if isinstance(entry, CacheInfo) else entry.name, 60)


def text_of(entry: Entry) -> str:
    """What a filter looks through, in lower case."""
    if isinstance(entry, CacheInfo):
        users = " ".join(user.name for user in entry.used_by)
        return f"{entry.key} {entry.label} {entry.state} {users}".lower()
    return f"{entry.name} {entry.origin} {entry.about}".lower()


def matching(entries: Iterable[E], words: list[str]) -> tuple[E, ...]:
    """Those that hold every word; words: in lower case."""
    return tuple(entry for entry in entries if all(word in text_of(entry) for word in words))


def bytes_words(progress: Progress) -> str:
    """How far a job is that counts bytes."""
    rate = f" · {num_bytes(progress.rate)}/s" if progress.rate else ""
    eta = f" · ETA {duration(progress.eta_s)}" if progress.eta_s else ""
    return f"{num_bytes(progress.done)} of {num_bytes(progress.total)}{rate}{eta}"
