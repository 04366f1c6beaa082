"""Who may know whom: each package in a fresh interpreter, and what it brought with it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
HEAVY = ("torch", "transformers", "datasets", "tokenizers", "numpy", "pandas", "peft")


def modules_after(statement: str) -> set[str]:
    """Top-level names and our own modules that are loaded after a statement in a new interpreter."""
    code = f"import sys\n{statement}\nprint(*sys.modules)"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd="/", env=environment)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


def modules_of(package: str) -> list[str]:
    """Every module of a package, by its files."""
    paths = sorted((ROOT / package).rglob("*.py"))
    names = [".".join(path.relative_to(ROOT).with_suffix("").parts) for path in paths]
    return [name.removesuffix(".__init__") for name in names if not name.endswith("__main__")]


def import_all(package: str) -> str:
    return "\n".join(f"import {name}" for name in modules_of(package))


@pytest.mark.parametrize(
    ("package", "forbidden"),
    [
        ("presets", ("runs", "engine", "tui", "textual", "rich", *HEAVY)),
        ("runs", ("engine", "tui", "textual", "rich", *HEAVY)),
        ("tui", ("engine", *HEAVY)),
    ],
)
def test_a_package_brings_nothing_that_it_may_not_know(package: str, forbidden: tuple[str, ...]) -> None:
    loaded = modules_after(import_all(package))
    assert package in loaded
    assert not loaded & set(forbidden)


def test_the_check_would_see_a_forbidden_module() -> None:
    assert "numpy" in modules_after("import numpy")


def test_the_first_screen_loads_neither_charts_nor_what_the_network_needs() -> None:
    loaded = modules_after("import tui.app, tui.screens.launch")
    assert not loaded & {*HEAVY, "tui.screens.monitor", "tui.screens.browse"}


def test_the_app_alone_loads_no_screen() -> None:
    loaded = modules_after("import tui.app")
    assert not {name for name in loaded if name.startswith("tui.screens.")}
