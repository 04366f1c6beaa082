"""Settings from elsewhere are shown before they are used, and asked about once."""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path

import pytest

from presets import known
from presets.catalog import find_preset, own_presets, save_preset, shipped_presets, user_presets_dir
from presets.config import ConfigError, to_toml, with_values
from presets.schema import RunConfig
from runs import trust
from runs.folder import RunFolder, create_run
from tests.run_writer import finished_run
from tui.cli import main

STRANGE = '[data]\nsource = "files"\ndataset = "/home/somebody"\n[launch]\nrendezvous = "evil.example:29500"\n'


def test_what_an_unknown_text_changes_is_told_until_somebody_agrees() -> None:
    changes = trust.unknown_changes(STRANGE)
    assert [change.path for change in changes] == ["data.source", "data.dataset", "launch.rendezvous"]
    trust.remember(STRANGE)
    assert trust.is_known(STRANGE) and trust.unknown_changes(STRANGE) == ()
    assert trust.unknown_changes(STRANGE + "\n") != ()  # another text


def test_an_unknown_text_that_changes_nothing_needs_no_question() -> None:
    assert trust.unknown_changes("") == ()
    with pytest.raises(ConfigError):
        trust.unknown_changes("[optim\n")


def test_shipped_presets_and_saved_ones_are_known_and_others_are_not() -> None:
    config = with_values(RunConfig(), {"optim.lr": 0.5})
    save_preset("mine", config)
    (user_presets_dir() / "theirs.toml").write_text(STRANGE)
    presets, problems = own_presets()
    asked = {preset.name: bool(trust.changes_of_preset(preset)) for preset in (*presets, *shipped_presets())}
    assert not problems
    assert [name for name, is_asked in asked.items() if is_asked] == ["theirs"]
    assert find_preset("mine").config == config


def test_a_preset_that_was_changed_after_it_was_saved_is_asked_about() -> None:
    path = save_preset("mine", with_values(RunConfig(), {"optim.lr": 0.5}))
    path.write_text(path.read_text() + STRANGE)
    assert trust.changes_of_preset(find_preset("mine"))


def test_a_run_made_here_is_known_and_one_from_elsewhere_is_not(runs_path: Path) -> None:
    folder = create_run(runs_path, with_values(RunConfig(), {"optim.lr": 0.5}))
    assert trust.changes_of_run(folder) == ()
    known.known_file().unlink()
    assert [change.path for change in trust.changes_of_run(folder)] == ["optim.lr"]
    trust.remember_run(folder)
    assert trust.changes_of_run(folder) == ()


def test_a_list_that_others_could_have_written_counts_for_nothing() -> None:
    trust.remember(STRANGE)
    known.known_file().chmod(0o666)
    assert not trust.is_known(STRANGE)
    known.known_file().chmod(0o600)
    assert trust.is_known(STRANGE)
    moved = known.known_file().rename(known.known_file().with_name("elsewhere"))
    known.known_file().symlink_to(moved)
    assert not trust.is_known(STRANGE)
    trust.remember(STRANGE)  # where it cannot be kept, nothing is raised
    if os.geteuid() == 0:
        known.known_file().unlink()
        moved.rename(known.known_file())
        os.chown(known.known_file(), 65_534, 65_534)
        assert not trust.is_known(STRANGE)


def test_a_line_that_a_full_disk_cut_short_spoils_no_other() -> None:
    trust.remember(STRANGE)
    path = known.known_file()
    path.write_bytes(path.read_bytes()[:-30])
    assert not trust.is_known(STRANGE)
    trust.remember(STRANGE)
    trust.remember("another text")
    assert trust.is_known(STRANGE) and trust.is_known("another text")


@pytest.fixture
def stranger(runs_path: Path) -> RunFolder:
    """A finished run with a checkpoint, as if copied from another machine."""
    folder = finished_run(runs_path)
    folder.config_file.write_text(to_toml(with_values(folder.config(), {"optim.lr": 0.7})))
    (folder.checkpoints_dir / "step-00000400").mkdir()
    return folder


@pytest.mark.parametrize("words", [["resume"], ["curriculum", "--start-twin"]])
def test_a_run_from_elsewhere_is_shown_and_not_started_without_a_yes(
    stranger: RunFolder, capsys: pytest.CaptureFixture[str], words: list[str]
) -> None:
    assert main([words[0], stranger.id, *words[1:]]) == 2
    said = capsys.readouterr().err
    assert "optim.lr: 0.001 → 0.7" in said and "--yes" in said
    assert len(stranger.attempts()) == 1 and not trust.is_known(stranger.config_text())


def test_starting_from_the_weights_of_a_strange_run_asks_too(
    stranger: RunFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["train", "quickstart", "--set", f"model.start_from=run:{stranger.id}"]) == 2
    assert "optim.lr: 0.001 → 0.7" in capsys.readouterr().err


@pytest.mark.parametrize(("answer", "is_agreed"), [("y\n", True), ("\n", False), ("n\n", False), ("", False)])
def test_at_a_terminal_it_asks_and_only_a_yes_goes_on(
    tmp_path: Path, runs_path: Path, monkeypatch: pytest.MonkeyPatch, answer: str, is_agreed: bool
) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    path = tmp_path / "theirs.toml"
    # after the answer the request is refused for another reason, so that nothing is started here
    path.write_text('[data]\nsource = "files"\ndataset = "/nowhere/at/all"\n')
    monkeypatch.setattr(sys, "stdin", Terminal(answer))
    out = Terminal()
    monkeypatch.setattr(sys, "stderr", out)
    assert main(["train", str(path)]) == 2
    assert "data.dataset" in out.getvalue() and "use it? [y/N]" in out.getvalue()
    assert trust.is_known(path.read_text()) == is_agreed
    assert ("nothing was started" in out.getvalue()) != is_agreed
