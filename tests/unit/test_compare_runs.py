"""Several runs side by side: what differs, which figures are the best, and when nobody can say so."""

from __future__ import annotations

import math
from pathlib import Path

import msgspec
import pytest

from presets import config as configs
from presets.schema import RunConfig
from runs.compare import (
    Comparison,
    compare,
    comparison_of,
    probe_steps,
    probes_at,
    read_whole,
    runs_to_begin_with,
)  # fmt: skip
from runs.events import Candidate, Expected, Probed, ProbeResult
from runs.folder import About, RunFolder, create_run
from tests.run_writer import AttemptWriter


def run_of(runs: Path, name: str, losses: dict[int, float], **values: object) -> RunFolder:
    """A finished run with these validation losses by step; values: fields with `__` for the dot."""
    changes = {path.replace("__", "."): value for path, value in values.items()}
    config = configs.with_values(RunConfig(), {"train.max_steps": max(losses), **changes})  # type: ignore[dict-item]
    folder = create_run(runs, config, name=name, preset="quickstart")
    writer = AttemptWriter(folder)
    writer.start(total_steps=max(losses))
    for step, loss in losses.items():
        if step:
            writer.train(step, seconds=step / 10)
        writer.evaluate(loss)
    writer.end("finished", "all steps done")
    return folder


def row(comparison: Comparison, name: str) -> tuple[tuple[float | None, ...], tuple[int, ...]]:
    found = next(one for one in comparison.figures if one.name == name)
    return found.values, found.best


def test_only_the_settings_that_differ_are_named_with_the_value_of_each_run(runs_path: Path) -> None:
    first = run_of(runs_path, "a", {0: 8.0, 100: 6.0}, optim__lr=1e-3)
    second = run_of(runs_path, "b", {0: 8.0, 100: 5.0}, optim__lr=3e-3, model__hidden_size=64)
    third = run_of(runs_path, "c", {0: 8.0, 100: 5.5}, optim__lr=1e-3)
    comparison = compare((first, second, third))
    assert [(one.path, one.values) for one in comparison.differing] == [
        ("model.hidden_size", (128, 64, 128)),
        ("optim.lr", (1e-3, 3e-3, 1e-3)),
    ]
    assert len(comparison.settings) > 50  # all of them can be looked at
    assert [run.name for run in comparison.runs] == ["a", "b", "c"]


def test_the_best_of_a_row_is_marked_by_what_better_means_there(runs_path: Path) -> None:
    first = run_of(runs_path, "a", {0: 8.0, 100: 5.0, 200: 5.25})
    second = run_of(runs_path, "b", {0: 8.0, 100: 5.5, 200: 5.125})
    comparison = compare((first, second))
    assert row(comparison, "val_loss_best") == ((5.0, 5.125), (0,))
    assert row(comparison, "val_loss_last") == ((5.25, 5.125), (1,))
    assert row(comparison, "val_loss_best_step") == ((100, 200), ())
    assert row(comparison, "steps") == ((200, 200), ())
    assert row(comparison, "val_accuracy_best")[1] == ()  # all are equal: nobody is the best


def test_the_way_to_the_same_loss_is_compared_at_the_best_of_the_worst(runs_path: Path) -> None:
    first = run_of(runs_path, "a", {0: 8.0, 100: 5.0, 200: 4.0})
    second = run_of(runs_path, "b", {0: 8.0, 100: 7.0, 200: 5.0})
    values, best = row(compare((first, second)), "tokens_to_loss")
    assert best == (0,)
    assert (
        values[0] is not None and values[1] == 2 * values[0]
    )  # one was there after 100 steps, the other after 200


def test_losses_of_other_data_are_never_called_better(runs_path: Path) -> None:
    first = run_of(runs_path, "a", {0: 8.0, 100: 5.0})
    second = run_of(runs_path, "b", {0: 8.0, 100: 4.0}, data__max_samples=100)
    comparison = compare((first, second))
    assert row(comparison, "val_loss_best") == ((5.0, 4.0), ())
    assert all(one.name != "time_to_loss_s" for one in comparison.figures)
    (note,) = comparison.notes
    assert "data.max_samples differs" in note and "bits per byte" not in note


def test_over_vocabularies_bits_per_byte_still_compare(runs_path: Path) -> None:
    folders = []
    for name, size, bits in (("a", 4000, 2.0), ("b", 2000, 1.5)):
        folder = run_of(runs_path, name, {0: 8.0, 100: 5.0}, data__vocab_size=size)
        attempt = AttemptWriter(folder, number=2)
        attempt.start(step=100, total_steps=200)
        attempt.metrics.write(
            {"step": 100, "time": attempt.clock, "elapsed_s": 1.0, "tokens": 1, "val_loss": 5.0,
             "val_bits_per_byte": bits}
        )  # fmt: skip
        attempt.end("finished")
        folders.append(folder)
    comparison = compare(folders)
    assert row(comparison, "bits_per_byte_best") == ((2.0, 1.5), (1,))
    assert row(comparison, "val_loss_best")[1] == ()
    assert "bits per byte compare" in comparison.notes[0]


def test_figures_that_are_not_finite_are_none_and_never_the_best(runs_path: Path) -> None:
    first = run_of(runs_path, "a", {0: 8.0, 100: math.nan})
    second = run_of(runs_path, "b", {0: 8.0, 100: 7.0})
    comparison = compare((first, second))
    assert row(comparison, "val_loss_last") == ((None, 7.0), ())
    assert row(comparison, "val_loss_best") == ((8.0, 7.0), (1,))


def test_a_configuration_that_cannot_be_read_is_said_and_hides_no_curve(runs_path: Path) -> None:
    first = run_of(runs_path, "a", {0: 8.0, 100: 5.0})
    second = run_of(runs_path, "b", {0: 8.0, 100: 4.0})
    second.config_file.write_text("this is no TOML")
    comparison = compare((first, second))
    assert row(comparison, "val_loss_best")[0] == (5.0, 4.0)
    assert any("b: its configuration cannot be read" in note for note in comparison.notes)
    assert comparison.differing == ()


def test_a_run_that_recorded_nothing_has_empty_places(runs_path: Path) -> None:
    first = run_of(runs_path, "a", {0: 8.0, 100: 5.0})
    empty = create_run(runs_path, RunConfig(), name="new")
    comparison = compare((first, empty))
    assert row(comparison, "val_loss_best") == ((5.0, None), ())
    assert comparison.runs[1].state == "stopped"


def probed(step: int, token: str, text: str = "the [MASK]", rank: int = 3) -> Probed:
    expected = (Expected("states", token, rank, 0.1),)
    return Probed(step=step, probes=(ProbeResult(text, ((Candidate(token, 0.5),),), expected=expected),))


def test_probes_are_those_of_the_step_or_the_last_before_it() -> None:
    first = (probed(0, "a0"), probed(100, "a100"), probed(200, "a200"))
    second = (probed(0, "b0"), probed(150, "b150"))

    def tokens(step: int | None) -> list[str]:
        (found,) = probes_at((first, second), step)
        return [cell.candidates[0].token for cell in found.cells if cell]

    assert tokens(None) == ["a200", "b150"]
    assert tokens(149) == ["a100", "b0"]
    assert tokens(150) == ["a100", "b150"]
    assert probe_steps((first, second)) == (0, 100, 150, 200)
    (found,) = probes_at((first, second))
    assert [cell.expected.rank for cell in found.cells if cell and cell.expected] == [3, 3]


def test_sentences_that_only_one_run_was_asked_stand_beside_an_empty_place() -> None:
    rows = probes_at(((probed(0, "x", "one [MASK]"),), (probed(0, "y", "two [MASK]"),)))
    assert [(found.text, [cell is None for cell in found.cells]) for found in rows] == [
        ("one [MASK]", [False, True]),
        ("two [MASK]", [True, False]),
    ]


def test_a_comparison_is_data_that_goes_through_json(runs_path: Path) -> None:
    first = run_of(runs_path, "a", {0: 8.0, 100: 5.0})
    second = run_of(runs_path, "b", {0: 8.0, 100: 4.0}, optim__lr=1e-4)
    comparison = comparison_of([read_whole(first), read_whole(second)], [10, 20])
    tree = msgspec.json.decode(msgspec.json.encode(comparison))
    assert tree["figures"][0]["values"] == [5.0, 4.0]
    assert row(comparison, "size_bytes") == ((10, 20), (0,))


@pytest.mark.parametrize("path", ["launch.threads", "train.checkpoint_every", "data.shuffle"])
def test_what_does_not_change_the_measure_keeps_losses_comparable(runs_path: Path, path: str) -> None:
    value: object = False if path == "data.shuffle" else 7
    first = run_of(runs_path, "a", {0: 8.0, 100: 5.0})
    second = run_of(runs_path, "b", {0: 8.0, 100: 4.0}, **{path.replace(".", "__"): value})
    comparison = compare((first, second))
    assert [one.path for one in comparison.differing] == [path]
    assert row(comparison, "val_loss_best") == ((5.0, 4.0), (1,)) and comparison.notes == ()


def test_the_gap_is_that_of_the_step_at_which_it_was_evaluated(runs_path: Path) -> None:
    folder = create_run(runs_path, RunConfig(), name="live")
    writer = AttemptWriter(folder)
    writer.start(total_steps=100)
    writer.train(10, 1.0, loss=6.0)
    writer.evaluate(6.5)
    for step in range(20, 51, 10):
        writer.train(step, 1.0, loss=3.0)  # it went on to learn; the next evaluation is to come
    writer.close()
    assert row(compare((folder, folder)), "gap_last")[0][0] == pytest.approx(0.5)


def test_a_run_that_never_began_is_not_the_best_for_taking_no_room(runs_path: Path) -> None:
    first = run_of(runs_path, "a", {0: 8.0, 100: 5.0})
    new = create_run(runs_path, RunConfig(), name="new")
    assert row(compare((first, new)), "size_bytes")[1] == ()


def moved(folder: RunFolder, second: int, preset: str = "quickstart", archived: bool = False) -> RunFolder:
    """The same run as if it had been made at that second."""
    place = folder.path.with_name(f"20260101-0000{second:02d}-quickstart-aaaa")
    folder.path.rename(place)
    RunFolder(place).write_about(About(folder.id, preset, archived=archived))
    return RunFolder(place)


def test_to_begin_with_the_newest_runs_of_one_preset_are_compared(runs_path: Path) -> None:
    assert runs_to_begin_with(runs_path) == ()
    oldest, old, new = (moved(run_of(runs_path, "x", {0: 8.0}), second) for second in (1, 2, 3))
    other = moved(run_of(runs_path, "x", {0: 8.0}), 4, preset="imdb")
    moved(run_of(runs_path, "x", {0: 8.0}), 5, archived=True)
    newest = moved(run_of(runs_path, "x", {0: 8.0}), 6)
    moved(create_run(runs_path, RunConfig(), name="never began"), 7)
    assert runs_to_begin_with(runs_path) == (newest, new, old)
    assert runs_to_begin_with(runs_path, oldest) == (oldest, newest, new)
    assert runs_to_begin_with(runs_path, other) == (other, newest, new)  # none is like it
