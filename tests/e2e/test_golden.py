"""Losses under a fixed seed: the same as they were, to the last bit where the machine is the same."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.golden.recipes import RECIPES, losses_of, machine, read


@pytest.mark.parametrize("name", RECIPES)
def test_losses_are_those_that_were_written_down(name: str, runs_path: Path) -> None:
    kept, losses = read(name), losses_of(name, runs_path)
    assert len(losses["loss"]) == 12 and len(losses["val_loss"]) == 4
    for metric, values in losses.items():
        if kept["machine"] == machine():
            assert values == kept[metric], f"{metric}: a number changed; if that was meant: python -m tests.golden"
        else:  # other kernels add in another order
            assert values == pytest.approx(kept[metric], rel=1e-4), metric


def test_the_same_seed_gives_the_same_losses_twice_on_any_machine(runs_path: Path) -> None:
    assert losses_of("mlm", runs_path) == losses_of("mlm", runs_path)
