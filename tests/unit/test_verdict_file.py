"""The kept verdict: found again while the run is as it was, and judged anew when it is not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from runs import verdict_file
from runs.folder import RunFolder
from runs.verdict_file import current_verdict, read_verdict
from tests.run_writer import AttemptWriter, finished_run, new_run
from tui.cli import main


@pytest.fixture
def folder(runs_path: Path) -> RunFolder:
    return finished_run(runs_path, steps=1000)


def test_analyse_keeps_the_verdict_where_a_screen_finds_it(
    folder: RunFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    assert read_verdict(folder) is None
    assert main(["analyse", folder.id, "--kind", "verdict"]) == 0
    stored = read_verdict(folder)
    assert stored is not None and stored.step == 1000
    assert stored.verdict.num_evaluations == 10
    assert stored.verdict.sentence in capsys.readouterr().out
    kept = json.loads((folder.cache_dir / "analysis" / "verdict.json").read_text())
    assert kept["verdict"]["kind"] == stored.verdict.kind


def test_a_kept_verdict_is_not_judged_again(folder: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    first = current_verdict(folder)
    monkeypatch.setattr(verdict_file, "RunReader", None)
    assert current_verdict(folder) == first


def test_a_run_that_went_on_makes_it_stale(runs_path: Path) -> None:
    folder = new_run(runs_path)
    writer = AttemptWriter(folder)
    writer.start(total_steps=400)
    assert current_verdict(folder).verdict.kind == "too early"
    writer.run_to(400)
    assert read_verdict(folder) is None
    assert current_verdict(folder).step == 400
    second = AttemptWriter(folder, 2)
    assert read_verdict(folder) is None, "another attempt has begun"
    writer.close()
    second.close()


@pytest.mark.parametrize("damage", [b"", b"{", b'{"verdict": 3}', b"\xff" * 50])
def test_a_damaged_file_is_judged_anew(folder: RunFolder, damage: bytes) -> None:
    first = current_verdict(folder)
    verdict_file.verdict_file(folder).write_bytes(damage)
    assert read_verdict(folder) is None
    assert current_verdict(folder) == first == read_verdict(folder)


def test_where_nothing_can_be_written_the_answer_is_given_all_the_same(folder: RunFolder) -> None:
    (folder.cache_dir / "analysis").write_text("in the way")
    assert current_verdict(folder).verdict.num_evaluations == 10
    assert read_verdict(folder) is None
