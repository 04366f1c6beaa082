"""Export the README's pictures from the app itself: `python docs/make_pictures.py [RUN]`.

Shows the runs of `$TINYTRAIN_RUNS`; RUN, else the newest, is the one on Monitor.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from runs.folder import find_run, runs_dir
from tui.app import TinyTrainApp

PICTURES = Path(__file__).parent / "pictures"
SIZE = (120, 40)
SETTLE_S = 4.0


async def main(reference: str) -> None:
    """Open each screen at 120 × 40 and write it as SVG."""
    app = TinyTrainApp(runs=runs_dir())
    async with app.run_test(size=SIZE) as pilot:
        for name, key in (("launch", "1"), ("runs", "3"), ("data", "6"), ("monitor", "")):
            if key:
                await pilot.press(key)
                if name == "data":  # read the dataset under the cursor
                    await asyncio.sleep(SETTLE_S)
                    await pilot.press("enter")
                    await asyncio.sleep(2 * SETTLE_S)
            else:
                await app.open_run(find_run(runs_dir(), reference))
            await asyncio.sleep(SETTLE_S)
            svg = app.export_screenshot(title="tinytrain-tui")
            (PICTURES / f"{name}.svg").write_text(svg, encoding="utf-8")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1] if len(sys.argv) > 1 else "last"))
