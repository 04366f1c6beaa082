"""New runs out of old ones: a fork goes on from a checkpoint, a clone begins anew with the same settings."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from textual.screen import Screen

from tui.safe_text import safe_text
from tui.screens.start_questions import StartWay, begin, is_trusted_run, way_to_start

if TYPE_CHECKING:
    from tui.run_actions import RunChoice
    from tui.screens.fork_dialog import ForkWish


def clone(screen: Screen[Any], run: RunChoice) -> None:
    """Open a copy of the run's settings in Launch, where a field can be changed."""

    async def work() -> None:
        from presets.catalog import Preset

        try:
            if not await is_trusted_run(screen.app, run.folder):
                return
            config = await asyncio.to_thread(run.folder.config)
        except (OSError, ValueError) as error:
            _complain(screen, str(error))
            return
        summary = f"the settings of {run.folder.id}"
        preset = Preset(
            name=f"copy of {run.about.name}", title=f"Copy of {run.about.name}", summary=summary, config=config,
            shipped=False,
        )  # fmt: skip
        await screen.app.open_launch(preset)  # type: ignore[attr-defined]

    screen.run_worker(work(), group="lineage", exit_on_error=True)


def fork(screen: Screen[Any], run: RunChoice) -> None:
    """Ask for checkpoint, name and changes, then make the run and start or queue it."""

    async def work() -> None:
        from tui.screens.fork_dialog import ForkDialog

        try:
            from runs.fork import checkpoint_facts

            facts = await asyncio.to_thread(checkpoint_facts, run.folder)
            if not facts:
                screen.notify(f"{run.name} has saved no checkpoint to go on from.", markup=False, timeout=5)
                return
            if not await is_trusted_run(screen.app, run.folder):
                return
            config = await asyncio.to_thread(run.folder.config)
            wish = await screen.app.push_screen_wait(ForkDialog(run.name, facts, config))
            if wish is None:
                return
            way = await way_to_start(screen.app, wish.config, run.folder.path.parent)
            if way is not None:
                await _make(screen, run, wish, way)
        except (OSError, ValueError, RuntimeError) as error:
            _complain(screen, str(error))

    screen.run_worker(work(), group="lineage", exit_on_error=True)


async def _make(screen: Screen[Any], run: RunChoice, wish: ForkWish, way: StartWay) -> None:
    from runs.fork import fork as make_fork

    new = await asyncio.to_thread(make_fork, run.folder, wish.checkpoint, wish.config, wish.name)
    await begin(new, way, "last")
    name = safe_text(new.about().name, 60)
    what = "waits in the queue" if way.to_queue else "has started"
    screen.notify(f"{name}, forked from {run.name}, {what}", markup=False, timeout=5)
    if not way.to_queue:
        await screen.app.open_run(new)  # type: ignore[attr-defined]


def _complain(screen: Screen[Any], words: str) -> None:
    screen.notify(safe_text(words, 500), severity="error", markup=False, timeout=10)
