"""Write all golden losses anew: `OMP_NUM_THREADS=1 python -m tests.golden`."""

import json
import os
import tempfile
from pathlib import Path

from tests.golden.recipes import RECIPES, golden_file, losses_of, machine

if __name__ == "__main__":
    for name in RECIPES:
        with tempfile.TemporaryDirectory() as folder:
            os.environ["TINYTRAIN_RUNS"] = f"{folder}/runs"
            os.environ["TINYTRAIN_CACHE"] = f"{folder}/cache"
            kept = {"machine": machine(), **losses_of(name, Path(folder) / "runs")}
        golden_file(name).write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")
