"""Losses under a fixed seed: the same as they were, to the last bit where the machine is the same."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from runs.folder import RunFolder
from tests.golden import recipes
from tests.golden.recipes import RECIPES, losses_of, machine, read
from tests.tiny import train


@pytest.mark.parametrize("name", RECIPES)
def test_losses_are_those_that_were_written_down(name: str, runs_path: Path) -> None:
    kept, losses = read(name), losses_of(name, runs_path)
    assert len(losses["loss"]) == 12 and len(losses["val_loss"]) == 4
    for metric, values in losses.items():
        if kept["machine"] == machine():
            assert values == kept[metric], f"{metric}: a number changed; if that was meant: python -m tests.golden"
        else:  # other kernels add in another order
            assert values == pytest.approx(kept[metric], rel=1e-4), metric


def test_threads_of_the_process_change_no_loss_and_stay_as_they_were(runs_path: Path) -> None:
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        assert machine()["threads"] == "1"
        seen: list[int] = []

        def train_and_look(run: RunFolder) -> None:
            seen.append(torch.get_num_threads())
            train(run)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(recipes, "train", train_and_look)
            losses_of("mlm", runs_path)
        assert seen == [1]
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def test_the_same_seed_gives_the_same_losses_twice_on_any_machine(runs_path: Path) -> None:
    assert losses_of("mlm", runs_path) == losses_of("mlm", runs_path)
