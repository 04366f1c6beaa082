"""Configurations: changing, comparing, writing and reading them back."""

from __future__ import annotations

import tomllib

import pytest

from presets import config as configs
from presets.config import ConfigError
from presets.schema import RunConfig


def test_a_whole_configuration_survives_toml() -> None:
    config = configs.with_values(RunConfig(), {"optim.lr": 3e-5, "probes.texts": ["a [MASK]", 'b "[MASK]"']})
    assert configs.from_toml(configs.to_toml(config)) == config


def test_a_partial_one_says_only_what_differs() -> None:
    config = configs.with_values(RunConfig(), {"optim.lr": 0.5})
    assert tomllib.loads(configs.to_toml(config, base=RunConfig())) == {"optim": {"lr": 0.5}}


def test_every_mistake_of_a_file_is_named_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        configs.from_toml('[optim]\nlr = 3\nwarmpu_ratio = 0.1\n[modle]\nx = 1\n[train]\nbatch_size = "many"\n')
    paths = {path for problem in caught.value.problems for path in problem.paths}
    assert paths == {"optim.lr", "optim.warmpu_ratio", "modle", "train.batch_size"}
    assert "did you mean optim.warmup_ratio?" in str(caught.value)
    assert "did you mean model?" in str(caught.value)


def test_text_that_is_not_toml_is_refused_with_the_place() -> None:
    with pytest.raises(ConfigError, match=r"not TOML.*line 1"):
        configs.from_toml("= nonsense")


def test_overrides_are_read_by_the_fields_own_rules() -> None:
    config = configs.with_overrides(RunConfig(), ("optim.lr=3e-3", "train.max_steps=1e3", "data.lowercase=no"))
    assert (config.optim.lr, config.train.max_steps, config.data.lowercase) == (3e-3, 1000, False)


@pytest.mark.parametrize(
    ("assignment", "words"),
    [
        ("optim.lr", "give a value"),
        ("lr=1", "did you mean optim.lr"),
        ("optim.lr=3", "above the limit"),
        ("optim.lrr=1", "did you mean optim.lr"),
    ],
)
def test_a_wrong_override_is_refused_with_advice(assignment: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        configs.with_overrides(RunConfig(), (assignment,))


def test_a_difference_reads_from_before_to_after() -> None:
    changed = configs.with_values(RunConfig(), {"optim.lr": 0.01, "data.lowercase": False})
    lines = [configs.describe(change) for change in configs.diff(RunConfig(), changed)]
    assert lines == ["data.lowercase: true → false", "optim.lr: 0.001 → 0.01"]


def test_a_whole_number_is_taken_where_a_number_is_asked_for() -> None:
    assert configs.from_toml("[optim]\nlr = 1\n").optim.lr == 1.0


def test_a_valid_configuration_passes_and_an_invalid_one_is_stopped() -> None:
    assert configs.require_valid(RunConfig()) == RunConfig()
    with pytest.raises(ConfigError, match="does not divide"):
        configs.require_valid(configs.with_values(RunConfig(), {"model.num_heads": 3}))
