"""Presets: the shipped ones, a person's own, and files that cannot be read."""

from __future__ import annotations

from pathlib import Path

import pytest

from presets import catalog
from presets.config import with_values
from presets.schema import RunConfig


def test_the_shipped_presets_are_those_that_were_promised() -> None:
    presets = {preset.name: preset for preset in catalog.shipped_presets()}
    assert list(presets) == ["quickstart", "v1-imdb-small", "v2-hf-medium", "v3-8xh200"]
    sizes = {
        name: (p.config.model.num_layers, p.config.model.num_heads, p.config.model.hidden_size)
        for name, p in presets.items()
    }
    assert sizes == {
        "quickstart": (2, 2, 128),
        "v1-imdb-small": (2, 2, 4),
        "v2-hf-medium": (4, 4, 8),
        "v3-8xh200": (6, 8, 16),
    }
    assert presets["v3-8xh200"].config.launch.num_processes == 8


def test_published_learning_rates_stand_beside_ours() -> None:
    published = {preset.name: preset.published.get("optim.lr") for preset in catalog.shipped_presets()}
    assert published == {"quickstart": None, "v1-imdb-small": 5e-5, "v2-hf-medium": 3e-5, "v3-8xh200": 3e-5}


def test_a_saved_preset_is_found_again_with_every_value() -> None:
    config = with_values(RunConfig(), {"optim.lr": 0.003, "model.num_layers": 4})
    path = catalog.save_preset("bert-wide", config, "wider")
    found = catalog.find_preset("bert-wide")
    assert found.config == config
    assert (found.summary, found.shipped) == ("wider", False)
    assert path.parent.stat().st_mode & 0o077 == 0


def test_a_preset_is_not_replaced_unless_that_was_asked_for() -> None:
    catalog.save_preset("mine", RunConfig())
    changed = with_values(RunConfig(), {"optim.lr": 0.5})
    with pytest.raises(FileExistsError, match="already a preset mine"):
        catalog.save_preset("mine", changed)
    assert catalog.find_preset("mine").config == RunConfig()
    catalog.save_preset("mine", changed, replace=True)
    assert catalog.find_preset("mine").config == changed


@pytest.mark.parametrize("name", ["", "../x", "a/b", "A", ".hidden", "x" * 65, "a\n", "a\x1b[2J"])
def test_a_name_that_is_no_plain_file_name_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="a preset's name has"):
        catalog.save_preset(name, RunConfig())


def test_a_shipped_presets_name_is_refused() -> None:
    with pytest.raises(ValueError, match="is a shipped preset"):
        catalog.save_preset("quickstart", RunConfig())


def test_files_that_cannot_be_read_are_named_and_hide_nothing() -> None:
    catalog.save_preset("good", RunConfig())
    folder = catalog.user_presets_dir()
    (folder / "torn.toml").write_text("[optim\n")
    (folder / "wrong.toml").write_text("[optim]\nlr = 3\n")
    (folder / "bytes.toml").write_bytes(b"\xff\xfe\x00")
    presets, problems = catalog.own_presets()
    assert [preset.name for preset in presets] == ["good"]
    assert sorted(Path(problem.paths[0]).name for problem in problems) == ["bytes.toml", "torn.toml", "wrong.toml"]


@pytest.mark.parametrize(
    "text",
    ["[preset]\norder = 'first'\n", "[preset]\norder = [1]\n", "preset = 1\n", "[preset]\npublished = 3\n"],
)
def test_a_presets_own_table_may_be_wrong_without_a_crash(text: str) -> None:
    folder = catalog.user_presets_dir()
    folder.mkdir(parents=True)
    (folder / "odd.toml").write_text(text)
    presets, problems = catalog.own_presets()
    assert (presets, len(problems)) == ((), 1)


def test_an_unknown_preset_is_answered_with_the_names_there_are() -> None:
    with pytest.raises(KeyError, match="quickstart"):
        catalog.find_preset("quickstrat")
