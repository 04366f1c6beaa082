"""What a configuration names is found again from any folder, and later on."""

from __future__ import annotations

from pathlib import Path

import pytest

from presets.config import with_values
from presets.schema import RunConfig
from runs.folder import create_run
from runs.references import MissingReference, with_lasting_references


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
