"""The verbs that find, edit, delete, bring back and copy runs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from runs.folder import RunFolder, all_runs
from tests.run_writer import Supervision, finished_run, new_run
from tui.cli import main


@pytest.fixture
def two(runs_path: Path) -> dict[str, RunFolder]:
    """Two ended runs."""
    return {name: finished_run(runs_path, name, steps) for name, steps in (("ant", 100), ("bee", 300))}


def printed(capsys: pytest.CaptureFixture[str]) -> str:
    return capsys.readouterr().out


def test_the_list_takes_the_filter_the_order_and_the_columns(
    two: dict[str, RunFolder], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["runs", "step>200", "NOT", "name:cat", "--json"]) == 0
    (row,) = json.loads(printed(capsys))
    assert (row["name"], row["settings"]["train.max_steps"]) == ("bee", 300) and row["num_bytes"] > 1000
    assert main(["runs", "--sort", "best", "--columns", "name,train.max_steps,metric.loss"]) == 0
    head, first, second = printed(capsys).splitlines()
    assert head.split() == ["name", "train.max_steps", "metric.loss"]
    assert first.split()[:2] == ["bee", "300"] and second.split()[:2] == ["ant", "100"]
    assert main(["runs", "--sort", "best", "--reverse", "--limit", "1", "--columns", "name"]) == 0
    assert printed(capsys).split() == ["name", "ant"]
    assert main(["runs", "--columns", "?"]) == 0 and "optim.lr" in printed(capsys)


def test_a_wrong_filter_or_field_is_a_wrong_request(
    two: dict[str, RunFolder], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["runs", "lss<3"]) == 2
    assert "at character 1: there is no field 'lss'; did you mean loss?" in capsys.readouterr().err
    assert main(["runs", "--sort", "nothing"]) == main(["runs", "--columns", "nothing"]) == 2


def test_what_one_says_of_a_run_is_changed_and_the_rest_stays(
    two: dict[str, RunFolder], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["edit", "ant", "--name", "wasp", "--tag", "keep,paper", "--note", "stings", "--pin"]) == 0
    assert main(["edit", "wasp", "bee", "--tag", "both", "--untag", "paper", "--group", "insects"]) == 0
    about = two["ant"].about()
    assert (about.name, about.tags, about.note) == ("wasp", ("keep", "both"), "stings")
    assert about.pinned and about.group == two["bee"].about().group == "insects"
    assert main(["edit", "wasp", "--archive", "--unpin", "--note", ""]) == 0
    about = two["ant"].about()
    assert about.archived and not about.pinned and about.note == ""
    printed(capsys)
    assert main(["runs", "--columns", "name"]) == 0 and printed(capsys).split() == ["name", "bee"]
    assert main(["runs", "--archived", "--columns", "name"]) == 0 and "wasp" in printed(capsys)
    assert main(["edit", "wasp"]) == main(["edit", "wasp", "bee", "--name", "x"]) == 2


def test_a_deleted_run_is_listed_and_comes_back(
    two: dict[str, RunFolder], runs_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["delete", "ant", "bee"]) == 0 and all_runs(runs_path) == ()
    printed(capsys)
    assert main(["undelete", "--json"]) == 0
    assert {one["name"] for one in json.loads(printed(capsys))} == {"ant", "bee"}
    assert main(["undelete", "ant"]) == 0 and all_runs(runs_path) == (two["ant"],)
    assert main(["undelete", "ant"]) == 2 and main(["undelete", "last"]) == 0
    assert len(all_runs(runs_path)) == 2


def test_a_live_run_is_not_deleted(runs_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = new_run(runs_path, "busy")
    supervision = Supervision(folder)
    supervision.state("running")
    assert main(["delete", "busy"]) == 2 and "stop it first" in capsys.readouterr().err
    assert folder.path.is_dir()
    supervision.close()


def test_a_clone_has_the_settings_with_the_change(
    two: dict[str, RunFolder], runs_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    changes = ["--set", "optim.lr=2e-4", "--set", "train.seed=7"]
    assert main(["clone", "bee", *changes, "--name", "hornet", "--no-start", "--json"]) == 0
    made = RunFolder(Path(json.loads(printed(capsys))["path"]))
    config = made.config()
    assert (config.optim.lr, config.train.seed, config.train.max_steps) == (2e-4, 7, 300)
    assert made.about().name == "hornet" and made in all_runs(runs_path)
    assert main(["clone", "bee", "--set", "optim.lr=nine", "--no-start"]) == 2
    assert main(["fork", "bee", "--no-start"]) == 2
    assert "has no last checkpoint" in capsys.readouterr().err
