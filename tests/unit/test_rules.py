"""Rules across fields: each names the fields it blames, and a shipped preset breaks none."""

from __future__ import annotations

from typing import Any

import pytest

from presets import config as configs
from presets.catalog import shipped_presets
from presets.rules import broken_rules
from presets.schema import RunConfig


@pytest.mark.parametrize(
    ("values", "paths", "words"),
    [
        ({"model.num_heads": 3}, ("model.num_heads",), "does not divide hidden size 128; try 2 or 4"),
        (
            {"model.positions": "rotary", "model.hidden_size": 6, "model.num_heads": 2},
            ("model.positions", "model.num_heads"),
            "even head size",
        ),
        ({"data.dataset": "bible"}, ("data.dataset",), "not an embedded corpus"),
        ({"data.source": "hub", "data.dataset": "a/b/c"}, ("data.dataset",), "not the name of a hub dataset"),
        ({"data.text_column": " "}, ("data.text_column",), "name the column"),
        (
            {"optim.schedule": "wsd", "optim.warmup_ratio": 0.6, "optim.decay_ratio": 0.6},
            ("optim.warmup_ratio", "optim.decay_ratio"),
            "longer than the run",
        ),
        (
            {"objective.mask_token_share": 0.8, "objective.random_token_share": 0.3},
            ("objective.mask_token_share", "objective.random_token_share"),
            "more than 1",
        ),
        ({"probes.texts": ["a [MASK]", "nothing hidden"]}, ("probes.texts",), "sentence 2 has no"),
    ],
)
def test_a_broken_rule_names_the_fields_it_blames(
    values: dict[str, Any], paths: tuple[str, ...], words: str
) -> None:
    (problem,) = broken_rules(configs.with_values(RunConfig(), values))
    assert problem.paths == paths
    assert words in problem.message


@pytest.mark.parametrize("preset", shipped_presets(), ids=lambda preset: preset.name)
def test_shipped_presets_and_the_defaults_break_no_rule(preset: Any) -> None:
    assert configs.check(preset.config) == ()
    assert configs.check(RunConfig()) == ()


def test_a_head_count_that_is_advised_does_divide_the_size() -> None:
    (problem,) = broken_rules(configs.with_values(RunConfig(), {"model.hidden_size": 90, "model.num_heads": 4}))
    advised = [int(word) for word in problem.message.split("try ")[1].split(" or ")]
    assert advised and all(90 % number == 0 for number in advised)
