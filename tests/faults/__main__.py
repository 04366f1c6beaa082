"""`make faults`: the long form of every fault harness, as a table for docs/log.md.

`python -m tests.faults [--quick] [NAME ...]`, where NAME is a harness's module without `harness_`. Exit status 1
when a promise does not hold, or a deliberately broken build was not caught.
"""

from __future__ import annotations

import argparse
import importlib
import sys
import tempfile
import time
from pathlib import Path

from tests.faults.figures import Figure, Measure, Scale, table

_HARNESSES = sorted(path.stem for path in Path(__file__).parent.glob("harness_*.py"))


def main() -> int:
    """See the module's text."""
    names = [name.removeprefix("harness_") for name in _HARNESSES]
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("names", nargs="*", choices=[*names, []], metavar="NAME", help=", ".join(names))
    parser.add_argument("--quick", action="store_true", help="the form that the test suite runs")
    options = parser.parse_args()
    scale: Scale = "quick" if options.quick else "long"
    figures: list[Figure] = []
    for name in options.names or names:
        module = importlib.import_module(f"tests.faults.harness_{name}")
        measure: Measure = module.measure
        started = time.monotonic()
        with tempfile.TemporaryDirectory(prefix=f"tinytrain-faults-{name}-") as folder:
            found = measure(Path(folder), scale)
        print(f"# {name}: {time.monotonic() - started:.0f} s\n{table(found)}\n", file=sys.stderr, flush=True)
        figures += found
    print(table(figures))
    return 0 if all(figure.is_as_promised for figure in figures) else 1


if __name__ == "__main__":
    raise SystemExit(main())
