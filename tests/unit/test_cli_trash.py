"""`trash`: what deleted runs take of the disk, and how to get that back."""

from __future__ import annotations

import io
import json
import os
import time
from pathlib import Path

import pytest

from runs.disk import bytes_under
from runs.folder import RunFolder, all_runs
from runs.trash import TRASH, in_trash
from tests.run_writer import finished_run
from tui import doctor
from tui.cli import main
from tui.figures import num_bytes

DAY_S = 86_400


class Terminal(io.StringIO):
    """Somebody types at it."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def three(runs_path: Path) -> dict[str, RunFolder]:
    """Deleted runs, by name: of today, of three days ago, of ten days ago."""
    folders = {}
    for name, days in (("ant", 0), ("bee", 3), ("cat", 10)):
        folders[name] = finished_run(runs_path, name, steps=100)
        assert main(["delete", name]) == 0
        path = runs_path / TRASH / folders[name].id
        os.utime(path, (time.time() - days * DAY_S - 60,) * 2)
        folders[name] = RunFolder(path)
    return folders


def names_left(runs: Path) -> list[str]:
    return sorted(one.folder.about().name for one in in_trash(runs))


def test_the_trash_is_listed_with_sizes_ages_and_the_sum(
    three: dict[str, RunFolder], runs_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    assert main(["trash"]) == 0
    head, *rows, total = capsys.readouterr().out.splitlines()
    assert head.split() == ["name", "size", "age", "deleted", "id"]
    assert [row.split()[0] for row in rows] == ["ant", "bee", "cat"]
    assert "60s ago" in rows[0] and "3d ago" in rows[1] and " kB " in rows[1]
    assert total.startswith("3 runs, ") and "trash empty" in total
    assert main(["trash", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    sizes = [bytes_under(three[name].path) for name in ("ant", "bee", "cat")]
    assert [run["num_bytes"] for run in document["runs"]] == sizes and document["num_bytes"] == sum(sizes)
    assert document["runs"][2]["id"] == three["cat"].id and document["half_deleted"]["num_runs"] == 0


def test_nothing_goes_for_good_unless_somebody_says_so(
    three: dict[str, RunFolder],
    runs_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert main(["trash", "empty"]) == 2
    said = capsys.readouterr().err
    assert "would delete 3 runs (" in said and "--yes" in said
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    for answer, left in (("y\n", 3), ("\n", 3), ("yes\n", 2)):
        monkeypatch.setattr("sys.stdin", Terminal(answer))
        assert main(["trash", "empty", "bee"]) == 0
        assert len(in_trash(runs_path)) == left
    assert "This deletes bee (" in capsys.readouterr().err


def test_the_old_ones_go_or_one_or_all(
    three: dict[str, RunFolder], runs_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    size = bytes_under(three["cat"].path)
    capsys.readouterr()
    assert main(["trash", "empty", "--older-than", "7d", "--yes", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"deleted": 1, "freed_bytes": size, "problems": []}
    assert names_left(runs_path) == ["ant", "bee"] and not three["cat"].path.exists()
    assert main(["trash", "empty", "ant", "--older-than", "2d", "--yes"]) == 0
    assert names_left(runs_path) == ["ant", "bee"]  # one that is named goes only when it is old enough too
    assert main(["trash", "empty", "ant", "--yes"]) == 0 and names_left(runs_path) == ["bee"]
    finished_run(runs_path, "dog", steps=100)
    assert main(["trash", "empty", "--yes"]) == 0 and names_left(runs_path) == []
    assert "1 run deleted for good, " in capsys.readouterr().out
    assert len(all_runs(runs_path)) == 1
    assert main(["trash"]) == 0 and "the trash is empty" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["empty", "dog"], "there is no deleted run 'dog'"),
        (["empty", "--older-than=soon"], "--older-than: 'soon' is no length of time, such as 90s, 2h30m or 2d"),
        (["empty", "--older-than=nan"], "--older-than: 'nan' is no length of time"),
        (["empty", "--older-than=-1"], "--older-than: '-1' is no length of time"),
        (["--older-than=7d"], "--older-than says what to delete"),
        (["bee"], "invalid choice: 'bee'"),
    ],
)
def test_a_wrong_request_deletes_nothing(
    three: dict[str, RunFolder], runs_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:
    assert main(["trash", *words, "--yes"]) == 2
    assert said in capsys.readouterr().err
    assert len(in_trash(runs_path)) == 3


def test_what_is_not_ours_stays_and_a_half_deleted_run_goes_with_the_next_emptying(
    three: dict[str, RunFolder], runs_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    three["ant"].path.chmod(0o500)
    half = runs_path / TRASH / ".purged-20260101-000000-quickstart-aaaa.00000000"
    three["bee"].path.rename(half)
    size = bytes_under(half)
    capsys.readouterr()
    assert main(["trash", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["half_deleted"] == {"num_runs": 1, "num_bytes": size}
    assert [run["name"] for run in document["runs"]] == ["ant", "cat"] and document["runs"][0]["read_only"]
    assert main(["undelete", "bee"]) == 2
    assert main(["trash"]) == 0 and "1 run half deleted for good (" in capsys.readouterr().out
    assert main(["trash", "empty", "ant", "--yes"]) == 2 and half.exists()
    assert main(["trash", "empty", "--yes"]) == 1
    said = capsys.readouterr()
    assert "1 run deleted for good" in said.out and f"still in the trash: {three['ant'].id}: " in said.err
    assert names_left(runs_path) == ["ant"] and not half.exists()
    three["ant"].path.chmod(0o700)


def test_the_doctor_says_what_the_trash_takes(
    three: dict[str, RunFolder], runs_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    size = num_bytes(sum(bytes_under(folder.path) for folder in three.values()))
    assert doctor._runs(runs_path).text == f"0 in all, 0 live; 3 in the trash, {size}"
    monkeypatch.setattr(doctor, "_LOW_DISK_BYTES", 10**18)
    assert "trash empty" in doctor._disk("runs folder", runs_path).hint
