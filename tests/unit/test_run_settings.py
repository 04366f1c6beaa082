"""What differs from the defaults is the same, whether or not the defaults' own entries are parsed."""

from __future__ import annotations

from pathlib import Path

import pytest

from presets.catalog import Preset, shipped_presets
from presets.config import diff, from_toml, to_toml, with_values
from presets.schema import RunConfig
from runs import run_settings
from runs.folder import RunFolder
from runs.run_settings import settings_of


def folder_with(runs: Path, text: str) -> RunFolder:
    folder = RunFolder(runs / "20260101-000000-quickstart-aaaa")
    folder.path.mkdir(exist_ok=True)
    folder.config_file.write_text(text, encoding="utf-8")
    return folder


def as_parsed(text: str) -> list[tuple[str, object]]:
    return [(change.path, change.after) for change in diff(RunConfig(), from_toml(text))]


@pytest.mark.parametrize("preset", shipped_presets(), ids=lambda preset: preset.name)
def test_every_preset_differs_in_the_same_fields(tmp_path: Path, preset: Preset) -> None:
    text = to_toml(preset.config)
    assert list(settings_of(folder_with(tmp_path, text)).items()) == as_parsed(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "# mine\n[optim]\nlr=1e-4\n\n[train]\n  max_steps = 300 # short\n",
        "optim.lr = 0.5\n[model]\nhidden_size = 64",
        "[optim]\r\nlr = 0.0005\r\n[train]\r\nmax_steps = 7\r\n",
        '[probes]\ntexts = [\n    "a [MASK] of it",\n    "lr = 3",\n]\n[optim]\nlr = 0.0005\n',
        '[data]\ntext_column = """\nshuffle = true\n"""\n',
        "optim = { lr = 0.0005 }\n[train]\nmax_steps = 9\n",
    ],
)
def test_what_a_person_wrote_is_understood_too(tmp_path: Path, text: str) -> None:
    try:
        expected = as_parsed(text)
    except ValueError:
        expected = []
    assert list(settings_of(folder_with(tmp_path, text)).items()) == expected


def test_nothing_that_is_the_default_is_parsed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    parsed: list[str] = []
    original = run_settings.read_tree
    monkeypatch.setattr(run_settings, "read_tree", lambda text: (parsed.append(text), original(text))[1])
    config = with_values(RunConfig(), {"optim.lr": 3e-4, "train.seed": 7})
    assert settings_of(folder_with(tmp_path, to_toml(config))) == {"optim.lr": 3e-4, "train.seed": 7}
    entries = [line for line in parsed[0].splitlines() if line and not line.startswith("[")]
    assert sorted(entries) == ["lr = 0.0003", "seed = 7"]


def test_a_damaged_or_missing_file_has_no_settings(tmp_path: Path) -> None:
    assert settings_of(folder_with(tmp_path, "[optim]\nlr = lots\n")) == {}
    assert settings_of(folder_with(tmp_path, "[optim]\nlr = 5.0\nbeta1 = 0.5\n")) == {}
    assert settings_of(RunFolder(tmp_path / "gone")) == {}
