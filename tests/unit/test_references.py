"""What a configuration names is found again from any folder, and later on."""

from __future__ import annotations

from pathlib import Path

import pytest

from presets.config import to_toml, with_values
from presets.schema import RunConfig
from runs.folder import create_run
from runs.references import MissingReference, taken_over, with_lasting_references


def test_a_relative_path_becomes_a_whole_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "text.txt").write_text("a line\n")
    monkeypatch.chdir(tmp_path)
    config = with_values(RunConfig(), {"data.source": "files", "data.dataset": "text.txt"})
    assert with_lasting_references(config, tmp_path).data.dataset == str(tmp_path / "text.txt")


def test_a_run_is_named_by_its_id_so_that_last_is_not_the_new_run_itself(runs_path: Path) -> None:
    before = create_run(runs_path, RunConfig(), name="warm-otter")
    config = with_values(RunConfig(), {"data.tokenizer": "existing", "data.tokenizer_from": "run:last"})
    assert with_lasting_references(config, runs_path).data.tokenizer_from == f"run:{before.id}"


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (
            {"data.source": "files", "data.dataset": "/nowhere/at-all"},
            "there is no file or folder /nowhere/at-all",
        ),
        (
            {"data.tokenizer": "existing", "data.tokenizer_from": "none.json"},
            "there is no file or folder",
        ),
        (
            {"data.tokenizer": "existing", "data.tokenizer_from": "run:nobody"},
            "there are no runs",
        ),
    ],
)
def test_what_is_not_there_is_said_before_anything_is_started(
    runs_path: Path, values: dict[str, str], said: str
) -> None:
    with pytest.raises(MissingReference, match=said):
        with_lasting_references(with_values(RunConfig(), values), runs_path)


def test_names_of_the_hub_stay_as_they_are(tmp_path: Path) -> None:
    values = {"data.source": "hub", "data.dataset": "imdb", "data.tokenizer": "existing"}
    config = with_values(RunConfig(), {**values, "data.tokenizer_from": "google-bert/bert-base-uncased"})
    assert with_lasting_references(config, tmp_path) == config


def test_a_checkpoint_is_named_by_its_step_and_by_nothing_else(runs_path: Path) -> None:
    before = create_run(runs_path, RunConfig(), name="warm-otter")
    elsewhere = runs_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "manifest.json").write_text("{}")
    (before.checkpoints_dir / "last").write_text(str(elsewhere))
    for reference, why in (
        ("run:warm-otter", r"no last checkpoint; its file checkpoints/last holds no checkpoint's name"),
        ("run:warm-otter@" + "9" * 5000, r"warm-otter: '.{1,40}' is no checkpoint's name"),
    ):
        config = with_values(RunConfig(), {"model.start_from": reference})
        with pytest.raises(MissingReference, match=why):
            with_lasting_references(config, runs_path)


def test_what_is_taken_from_the_checkpoint_instead_of_what_was_asked_for_is_told(runs_path: Path) -> None:
    theirs = with_values(RunConfig(), {"model.num_layers": 4, "data.sequence_length": 64})
    before = create_run(runs_path, theirs, name="warm-otter")
    checkpoint = before.checkpoints_dir / "step-00000007"
    checkpoint.mkdir(parents=True)
    (checkpoint / "manifest.json").write_text("{}")
    (checkpoint / "config.toml").write_text(to_toml(theirs))
    asked = with_values(RunConfig(), {"model.start_from": "run:warm-otter@7", "objective.kind": "nsp"})
    found = with_lasting_references(asked, runs_path)
    assert found.model.segments == 2, "it need not be set by hand"
    paths = [change.path for change in taken_over(asked, found)]
    assert {"model.num_layers", "data.sequence_length", "data.tokenizer"} <= set(paths)
    assert "model.start_from" not in paths and taken_over(RunConfig(), found) == ()
