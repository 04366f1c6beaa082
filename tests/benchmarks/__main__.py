"""`make bench`: every measurement, one after the other."""

from __future__ import annotations

import runpy
from pathlib import Path

for path in sorted(Path(__file__).parent.glob("bench_*.py")):
    print(f"== {path.stem}", flush=True)
    runpy.run_path(str(path), run_name="__main__")
