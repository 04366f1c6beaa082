"""`train` and the Launch screen ask for a run's data once it is known what its checkpoint decides of them."""

from __future__ import annotations

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from presets.catalog import Preset
from presets.config import to_toml, with_values
from presets.schema import DataConfig, RunConfig
from runs.folder import RunFolder, create_run
from runs.hub import HubStatus
from tui.cli import main
from tui.screens import launch_start

THEIRS = with_values(RunConfig(), {"model.num_layers": 4, "data.sequence_length": 32})


@pytest.fixture
def base(runs_path: Path) -> RunFolder:
    """A run with one checkpoint."""
    folder = create_run(runs_path, THEIRS, name="warm-otter")
    checkpoint = folder.checkpoints_dir / "step-00000007"
    checkpoint.mkdir()
    (checkpoint / "manifest.json").write_text("{}")
    (checkpoint / "config.toml").write_text(to_toml(THEIRS))
    return folder


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[RunConfig]:
    """The configurations for which a hub that is away was asked."""
    configs: list[RunConfig] = []

    def hub_status(config: RunConfig) -> HubStatus:
        configs.append(config)
        return HubStatus(True, False, False, "", "the hub is away")

    monkeypatch.setattr("runs.hub.hub_status", hub_status)
    return configs


def test_train_tells_what_the_checkpoint_decides_and_asks_for_that_runs_data(
    runs_path: Path, base: RunFolder, asked: list[RunConfig], capsys: pytest.CaptureFixture[str]
) -> None:
    values = ["--set", "model.start_from=run:warm-otter@7", "--set", "model.num_layers=6"]
    assert main(["--runs-dir", str(runs_path), "train", "v1-imdb-small", *values]) == 2
    told, refused = capsys.readouterr().err.splitlines()
    assert "taken from the checkpoint" in told and "model.num_layers: 6 → 4" in told
    assert "data.sequence_length: " in told and "data.tokenizer: " in told and "model.start_from" not in told
    assert "the hub is away" in refused
    assert [config.data.tokenizer_from for config in asked] == [f"run:{base.id}"]


def test_the_launch_screen_asks_for_it_too_and_other_data_keep_the_checkpoints_tokenizer(
    runs_path: Path, base: RunFolder, asked: list[RunConfig], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def choose(_dialog: Any) -> str:
        return "embedded"

    monkeypatch.setattr("runs.launch.start", lambda folder, resume="": None)
    app: Any = SimpleNamespace(runs=runs_path, push_screen_wait=choose)
    values = {"data.source": "hub", "data.dataset": "imdb", "model.start_from": "run:warm-otter"}
    (base.checkpoints_dir / "last").write_text("step-00000007")
    config = with_values(RunConfig(), values)
    folder = asyncio.run(launch_start.launch_run(app, config, name="new", preset=Preset("", "", "", config)))
    assert [config.data.tokenizer_from for config in asked] == [f"run:{base.id}"]
    assert folder is not None
    data = folder.config().data
    assert (data.source, data.dataset) == ("embedded", DataConfig().dataset)
    assert (data.tokenizer_from, data.sequence_length) == (f"run:{base.id}", 32)
