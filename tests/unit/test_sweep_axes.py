"""What a sweep varies: lists, ranges, draws, what is wrong with them, and what cannot run."""

from __future__ import annotations

import pytest

from presets.catalog import find_preset
from presets.schema import RunConfig
from presets.sweep_axes import MOST_RUNS, Sweep, WrongSweep, make_sweep, parse_axis


@pytest.fixture(scope="module")
def base() -> RunConfig:
    return find_preset("quickstart").config


def grid(base: RunConfig, *axes: str) -> Sweep:
    return make_sweep(base, [parse_axis(axis) for axis in axes])


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("optim.lr=1e-4, 3e-4,1e-3", (1e-4, 3e-4, 1e-3)),
        ("learning rate=1e-5..1e-2:log:4", (1e-5, 1e-4, 1e-3, 1e-2)),
        ("model.dropout=0..0.4:3", (0.0, 0.2, 0.4)),
        ("model.num_layers=1..4", (1, 2, 3, 4)),
        ("train.batch_size=8..64:log:4", (8, 16, 32, 64)),
        ("optim.algorithm=adamw,lion", ("adamw", "lion")),
        ("train.activation_checkpointing=*", (False, True)),
        ("model.num_layers=1..3:9", (1, 2, 3)),
    ],
)
def test_a_list_or_a_range_gives_the_values_that_a_person_would_write(
    text: str, values: tuple[object, ...]
) -> None:
    is_float = isinstance(values[0], float)
    assert parse_axis(text).grid() == (pytest.approx(values) if is_float else values)
    assert all(type(ours) is type(theirs) for ours, theirs in zip(parse_axis(text).grid(), values, strict=True))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("optim.lr", "write FIELD=VALUES"),
        ("optim.lr=", "give values, such as 1e-4,3e-4"),
        ("optim.rl=1", "did you mean optim.lr"),
        ("hidden=1", "did you mean model.hidden_size"),
        ("seed=1", "say which field, train.seed or probes.seed"),
        ("optim.lr=7", "above the limit 1"),
        ("optim.lr=1e-2..1e-4", "does not go up"),
        ("model.dropout=0..0.5:log", "begins above 0"),
        ("optim.lr=1e-4..1e-2:cubic", "neither log, linear nor a number"),
        ("optim.lr=*", "this field has numbers"),
        ("optim.algorithm=adamw..lion", "list the choices"),
        ("optim.algorithm=sgd", "not one of"),
        ("probes.texts=a", "only fields with numbers or choices"),
        ("start_from=run:last", "model.start_from: only fields with numbers or choices"),
    ],
)
def test_what_is_wrong_is_said_with_what_would_be_right(text: str, words: str) -> None:
    with pytest.raises(WrongSweep, match=words):
        parse_axis(text)


def test_a_grid_has_every_combination_and_changes_nothing_else(base: RunConfig) -> None:
    sweep = grid(base, "optim.lr=1e-4,1e-3", "train.batch_size=16,32")
    pairs = [(point.config.optim.lr, point.config.train.batch_size) for point in sweep.points]
    assert pairs == [(1e-4, 16), (1e-4, 32), (1e-3, 16), (1e-3, 32)]
    assert {point.config.model for point in sweep.points} == {base.model}
    assert sweep.points[0].name == "lr=0.0001,batch_size=16"


def test_a_combination_that_breaks_a_rule_is_left_out_with_the_reason(base: RunConfig) -> None:
    sweep = grid(base, "model.num_heads=2,3,4")
    assert [point.config.model.num_heads for point in sweep.points] == [2, 4]
    ((name, reason),) = sweep.left_out
    assert name == "num_heads=3" and "does not divide" in reason
    with pytest.raises(WrongSweep, match="none of the combinations can run; num_heads=3"):
        grid(base, "model.num_heads=3,5")


def test_draws_are_the_same_for_a_seed_within_the_range_and_never_alike(base: RunConfig) -> None:
    over = [parse_axis("optim.lr=1e-5..1e-2:log"), parse_axis("model.hidden_size=32,64,128")]

    def draw(seed: int) -> list[str]:
        return [point.name for point in make_sweep(base, over=over, num_draws=12, seed=seed).points]

    assert draw(3) == draw(3) != draw(4)
    assert len(set(draw(3))) == 12
    rates = [point.config.optim.lr for point in make_sweep(base, over=over, num_draws=40).points]
    assert all(1e-5 <= rate <= 1e-2 for rate in rates)
    assert (
        10 <= sum(rate < 3.2e-4 for rate in rates) <= 30
    )  # even in the logarithm: half of them are below its middle


def test_a_grid_and_draws_together_try_every_draw_at_every_point(base: RunConfig) -> None:
    sweep = make_sweep(base, [parse_axis("train.seed=1,2")], [parse_axis("optim.lr=1e-4..1e-2:log")], num_draws=3)
    assert len(sweep.points) == 6
    rates = [point.config.optim.lr for point in sweep.points]
    assert rates[:3] == rates[3:]


def test_hardly_as_many_values_as_draws_gives_each_once(base: RunConfig) -> None:
    sweep = make_sweep(base, over=[parse_axis("model.num_layers=1..3")], num_draws=20)
    assert sorted(point.config.model.num_layers for point in sweep.points) == [1, 2, 3]


@pytest.mark.parametrize(
    ("axes", "draws", "words"),
    [
        ((), 0, "at least one field"),
        (("optim.lr=1e-4", "optim.lr=1e-3"), 0, "swept twice"),
        (("train.seed=0..10", "probes.seed=0..10"), 0, f"121 runs; a sweep has at most {MOST_RUNS}"),
        (("optim.lr=1e-5..1e-2",), 0, "how many values a grid takes"),
        ((), 5, "at least one field"),
        (("optim.lr=1e-4",), 5, "which fields to draw"),
    ],
)
def test_a_sweep_that_cannot_be_made_says_why(
    base: RunConfig, axes: tuple[str, ...], draws: int, words: str
) -> None:
    with pytest.raises(WrongSweep, match=words):
        make_sweep(base, [parse_axis(axis) for axis in axes], num_draws=draws)
