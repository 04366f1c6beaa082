"""What a person can do to token caches from the Data screen: asked first, done in a thread."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from textual.screen import Screen

from presets.schema import DataConfig
from runs.cache_listing import CacheInfo
from runs.cache_management import clear, clear_all
from tui.data_catalogue import settings_words
from tui.figures import num_bytes, plural
from tui.run_actions import act
from tui.safe_text import safe_text
from tui.screens.dialogs import ConfirmDialog, TypedConfirmDialog

CLEAR_WORD = "clear"


def ask_build(screen: Screen[Any], name: str, data: DataConfig, begin: Callable[[], None]) -> None:
    """Say what would be built, and begin when that is wanted."""
    body = (
        f"{name}: {safe_text(settings_words(data), 300)}.\n"
        "Other settings: tinytrain-tui data build NAME --set data.vocab_size=…\n"
        "esc cancels the build; what is finished then stays, and the next build goes on there."
    )

    def answered(is_sure: bool | None) -> None:
        if is_sure:
            begin()

    screen.app.push_screen(ConfirmDialog("Build this token cache?", body, confirm="Build"), answered)


def ask_clear(screen: Screen[Any], info: CacheInfo, runs: Path, then: Callable[[], None]) -> None:
    """Delete one cache; a live run that uses it is named."""
    live = [user.name for user in info.used_by if user.is_live]
    body = (
        f"{safe_text(info.label, 100)}, {num_bytes(info.num_bytes)}. Runs keep their checkpoints; "
        "the next run that needs it builds it again."
    )
    if live:
        names = safe_text(", ".join(live), 100)
        body += f"\n{names} trains from it now: it goes on, and builds it again when it is resumed."

    def answered(is_sure: bool | None) -> None:
        if is_sure:
            said = f"cleared {info.key}, {num_bytes(info.num_bytes)}"
            act(screen, lambda: clear(info.key, force=bool(live), runs=runs), said, then)

    dialog = ConfirmDialog("Clear this token cache?", body, confirm="Clear", danger=True)
    screen.app.push_screen(dialog, answered)


def ask_clear_all(
    screen: Screen[Any],
    caches: tuple[CacheInfo, ...],
    runs: Path,
    said: Callable[[str], None],
    then: Callable[[], None],
) -> None:
    """Delete every cache that no live run uses and nobody builds, once a word has been typed."""
    body = (
        f"{plural(len(caches), 'token cache')}, {num_bytes(sum(info.num_bytes for info in caches))}. "
        "Those that a live run uses, or that are being built, stay. Runs keep their checkpoints; "
        "what is needed again is built again."
    )

    def work() -> None:
        freed, kept = clear_all(runs=runs)
        stays = f"; {plural(len(kept), 'cache')} stayed: {kept[0]}" if kept else ""
        screen.app.call_from_thread(said, f"cleared {num_bytes(freed)}{stays}")

    def answered(is_sure: bool | None) -> None:
        if is_sure:
            act(screen, work, "", then)

    screen.app.push_screen(TypedConfirmDialog("Clear all token caches?", body, word=CLEAR_WORD), answered)
