"""Data lists datasets and caches, looks into them in a child process, and clears only what it may."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from textual.events import Mount
from textual.pilot import Pilot

import tui.app
from presets.config import with_values
from presets.schema import DataConfig, RunConfig
from runs.cache_listing import CacheInfo, list_caches
from runs.cache_management import clear
from runs.data_inspection import Inspection
from runs.folder import create_run
from tests.cache_writer import hold_build_lock, write_cache, write_older_cache
from tests.conftest import pids_with
from tests.tui.pilots import shown_text, until
from tui.app import TinyTrainApp
from tui.data_entries import entry_id
from tui.screens.data import DataScreen
from tui.screens.dialogs import ConfirmDialog, TypedConfirmDialog

SIZES = [(60, 20), (80, 24), (120, 40), (200, 60)]
HOSTILE = "\x1b]52;c;eA==\x07[red]x[/]"


class DataApp(TinyTrainApp):
    """The dashboard, with the Data screen shown first: Launch needs a second that these tests can do without."""

    CSS_PATH = Path(tui.app.__file__).with_name("app.tcss")

    def on_mount(self, event: Mount | None = None) -> None:
        assert event is not None
        event.prevent_default()
        self.push_screen("data")


async def opened(pilot: Pilot[Any]) -> DataScreen:
    """The Data screen with its list filled."""
    screen = await until(pilot, lambda: pilot.app.screen if isinstance(pilot.app.screen, DataScreen) else None)
    await until(pilot, lambda: screen.datasets and screen.entry is not None)
    assert isinstance(screen, DataScreen)
    return screen


async def move_to(pilot: Pilot[Any], screen: DataScreen, wanted: str) -> None:
    """Put the cursor on the entry whose key, or name, is wanted."""
    entries = (*screen.datasets, *screen.caches)
    entry = next(e for e in entries if wanted == (e.key if isinstance(e, CacheInfo) else e.name))
    options = screen.choices.options
    options.highlighted = options.get_option_index(entry_id(entry))
    await until(pilot, lambda: screen.entry is not None and entry_id(screen.entry) == entry_id(entry))


@pytest.mark.parametrize("size", SIZES)
async def test_datasets_and_caches_are_listed_with_what_is_known_of_them(
    runs_path: Path, size: tuple[int, int]
) -> None:
    key = write_cache().name
    create_run(runs_path, RunConfig(), name="warm-otter")
    async with DataApp(runs_path).run_test(size=size) as pilot:
        screen = await opened(pilot)
        await until(pilot, lambda: "addresses" in shown_text(pilot.app))
        assert "cached" in shown_text(pilot.app)
        await move_to(pilot, screen, key)
        await until(pilot, lambda: f"token cache {key}"[: size[0] - 8] in shown_text(pilot.app))
        await until(pilot, lambda: "warm-otter" in shown_text(pilot.app))
        if size[0] >= 120:
            for words in ("900 of 4,000 entries occur", "≤ 64 tokens", "the 40", "fellow citizens"):
                await until(pilot, lambda words=words: words in shown_text(pilot.app))


async def test_without_caches_it_says_what_to_do(runs_path: Path) -> None:
    async with DataApp(runs_path).run_test(size=(80, 24)) as pilot:
        await opened(pilot)
        await until(pilot, lambda: "none yet; b builds one" in shown_text(pilot.app))
        assert "no token caches yet" in shown_text(pilot.app)


async def test_text_from_outside_cannot_act_on_the_terminal(runs_path: Path) -> None:
    create_run(
        runs_path, with_values(RunConfig(), {"data.source": "files", "data.dataset": HOSTILE}), name=HOSTILE
    )
    key = write_cache(text_start=HOSTILE).name
    create_run(runs_path, RunConfig(), name=HOSTILE)
    async with DataApp(runs_path).run_test(size=(120, 50)) as pilot:
        screen = await opened(pilot)
        await move_to(pilot, screen, key)
        await until(pilot, lambda: "tokens  ␛]52" in shown_text(pilot.app))
        assert "\x1b" not in shown_text(pilot.app) and "[red]" in shown_text(pilot.app)


async def test_the_filter_narrows_and_esc_brings_all_back(runs_path: Path) -> None:
    write_older_cache()
    async with DataApp(runs_path).run_test(size=(120, 40)) as pilot:
        screen = await opened(pilot)
        await pilot.press("slash", *"older")
        await until(pilot, lambda: isinstance(screen.entry, CacheInfo))
        assert "1 of" in str(screen.choices.border_title)
        await pilot.press(*"zzz")
        await until(pilot, lambda: "Nothing here holds those words" in shown_text(pilot.app))
        assert screen.entry is None
        await pilot.press("escape")
        await until(pilot, lambda: screen.entry is not None)
        assert screen.choices.options.has_focus


async def test_a_cache_is_cleared_after_a_yes_and_not_before(runs_path: Path) -> None:
    key = write_cache().name
    async with DataApp(runs_path).run_test(size=(120, 40)) as pilot:
        screen = await opened(pilot)
        await move_to(pilot, screen, key)
        await pilot.press("d")
        await until(pilot, lambda: isinstance(pilot.app.screen, ConfirmDialog))
        await pilot.press("enter")  # Cancel has the focus
        await until(pilot, lambda: pilot.app.screen is screen)
        assert len(list_caches()) == 1
        await pilot.press("d")
        await until(pilot, lambda: isinstance(pilot.app.screen, ConfirmDialog))
        await pilot.press("y")
        await until(pilot, lambda: not list_caches())
        await until(pilot, lambda: not screen.caches)


async def test_clearing_all_wants_a_typed_word_and_names_what_stays(runs_path: Path) -> None:
    building = write_cache(DataConfig(vocab_size=999), complete=False).name
    write_cache()
    lock = hold_build_lock(building)
    try:
        async with DataApp(runs_path).run_test(size=(120, 40), notifications=True) as pilot:
            screen = await opened(pilot)
            await until(pilot, lambda: len(screen.caches) == 2)
            await pilot.press("D")
            await until(pilot, lambda: isinstance(pilot.app.screen, TypedConfirmDialog))
            await pilot.press(*"clear", "enter")
            await until(pilot, lambda: [info.key for info in list_caches()] == [building])
            await until(pilot, lambda: "1 cache stayed" in shown_text(pilot.app))
            await until(pilot, lambda: [info.state for info in screen.caches] == ["building"])
    finally:
        os.close(lock)


async def test_verifying_shows_which_file_was_altered(runs_path: Path) -> None:
    folder = write_cache()
    tokens = folder / "shard-00000" / "train.tokens"
    tokens.write_bytes(b"\x08" + tokens.read_bytes()[1:])
    async with DataApp(runs_path).run_test(size=(120, 60)) as pilot:
        screen = await opened(pilot)
        await move_to(pilot, screen, folder.name)
        await pilot.press("v")
        await until(pilot, lambda: screen.verified)
        await until(pilot, lambda: "shard-00000/train.tokens was" in shown_text(pilot.app))
        assert "is damaged" in shown_text(pilot.app) and screen.job is None


async def test_enter_reads_real_rows_and_t_shows_what_a_tokenizer_does(runs_path: Path, tmp_path: Path) -> None:
    file = tmp_path / "mine.txt"
    file.write_text("".join(f"the quick brown fox number {n} jumps over the lazy dog\n" for n in range(50)))
    config = with_values(RunConfig(), {"data.source": "files", "data.dataset": str(file), "data.vocab_size": 64})
    create_run(runs_path, config, name="mine")
    async with DataApp(runs_path).run_test(size=(120, 50)) as pilot:
        screen = await opened(pilot)
        await move_to(pilot, screen, str(file))
        await pilot.press("enter")
        await until(pilot, lambda: any(isinstance(found, Inspection) for found in screen.found.values()), 30)
        await until(pilot, lambda: "the quick brown fox number 0 jumps" in shown_text(pilot.app))
        await until(pilot, lambda: "≤ 16 words" in shown_text(pilot.app))
        await pilot.press("t")
        await until(pilot, lambda: "learned from it alone" in shown_text(pilot.app), 30)
        await until(pilot, lambda: "→ " in shown_text(pilot.app))


async def test_a_dataset_that_cannot_be_had_says_why(runs_path: Path) -> None:
    async with DataApp(runs_path).run_test(size=(120, 40)) as pilot:
        screen = await opened(pilot)
        await move_to(pilot, screen, "imdb")
        await pilot.press("enter")
        await until(pilot, lambda: "enter tries again" in shown_text(pilot.app), 60)
        assert "✗" in shown_text(pilot.app)


async def test_a_build_shows_its_progress_and_leaves_a_cache(runs_path: Path) -> None:
    async with DataApp(runs_path).run_test(size=(120, 40), notifications=True) as pilot:
        screen = await opened(pilot)
        await move_to(pilot, screen, "arithmetic")
        await pilot.press("b")
        await until(pilot, lambda: isinstance(pilot.app.screen, ConfirmDialog))
        await pilot.press("enter")
        await until(pilot, lambda: "building arithmetic: " in shown_text(pilot.app))
        await until(pilot, lambda: [info.state for info in screen.caches] == ["complete"], 60)
        await until(pilot, lambda: screen.job is None)
        assert list_caches()[0].label.startswith("arithmetic")


async def test_esc_cancels_a_build_and_its_process_is_gone(runs_path: Path) -> None:
    async with DataApp(runs_path).run_test(size=(120, 40)) as pilot:
        screen = await opened(pilot)
        await move_to(pilot, screen, "addresses")
        await pilot.press("b")
        await until(pilot, lambda: isinstance(pilot.app.screen, ConfirmDialog))
        await pilot.press("enter")
        await until(pilot, lambda: pids_with("TINYTRAIN_RUNS", os.environ["TINYTRAIN_RUNS"]))
        await pilot.press("escape")
        assert screen.job is None
        await until(pilot, lambda: not pids_with("TINYTRAIN_RUNS", os.environ["TINYTRAIN_RUNS"]))


async def test_leaving_in_the_middle_of_a_look_leaves_nothing_behind(runs_path: Path) -> None:
    async with TinyTrainApp(runs_path).run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: pilot.app.screen_stack)
        await pilot.press("6")
        screen = await opened(pilot)
        await pilot.press("enter", "1")
        await until(pilot, lambda: pilot.app.screen is not screen)
        await pilot.press("6", "r")
        await until(pilot, lambda: pilot.app.screen is screen)
    assert not pids_with("TINYTRAIN_RUNS", os.environ["TINYTRAIN_RUNS"])


async def test_a_cache_that_vanishes_under_the_cursor_takes_nothing_else_with_it(runs_path: Path) -> None:
    key = write_cache().name
    write_cache(DataConfig(vocab_size=999))
    async with DataApp(runs_path).run_test(size=(120, 40)) as pilot:
        screen = await opened(pilot)
        await move_to(pilot, screen, key)
        clear(key)
        await pilot.press("r")
        await until(pilot, lambda: len(screen.caches) == 1 and screen.entry is not None)
        assert not isinstance(screen.entry, CacheInfo) or screen.entry.key != key


async def test_the_next_dashboard_has_the_cursor_and_the_filter_where_they_were(runs_path: Path) -> None:
    write_cache()
    app = DataApp(runs_path)
    async with app.run_test(size=(120, 40)) as pilot:
        screen = await opened(pilot)
        await pilot.press("slash", *"imdb", "enter")
        await until(pilot, lambda: screen.entry is not None and "imdb" in entry_id(screen.entry))
        await pilot.press("end")
        chosen = screen.entry
        assert chosen is not None
    again = DataApp(runs_path)
    async with again.run_test(size=(120, 40)) as pilot:
        screen = await opened(pilot)
        assert screen.entry is not None and entry_id(screen.entry) == entry_id(chosen)
        await until(pilot, lambda: "imdb" in shown_text(again).splitlines()[0])
        await pilot.press("escape")
        await until(pilot, lambda: screen.choices.options.option_count > 10)
        assert entry_id(screen.entry) == entry_id(chosen)


@pytest.mark.parametrize("kept", [{"entry": 3, "filter": ["x"]}, {"entry": "cache gone"}, {"filter": None}])
async def test_whatever_was_remembered_the_list_comes(runs_path: Path, kept: dict[str, Any]) -> None:
    app = DataApp(runs_path)
    app.remembered.put("data", kept)
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await opened(pilot)
        assert screen.entry == screen.datasets[0]
