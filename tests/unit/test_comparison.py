"""The model comparison: parameters by part beside published ones, costs, and the settings that differ."""

from __future__ import annotations

import json

import msgspec
import pytest

from presets.catalog import find_preset, save_preset, shipped_presets
from presets.comparison import compare_models, differing_settings, published_count
from presets.config import with_values
from presets.estimate import Machine
from presets.schema import RunConfig
from tui.cli import main
from tui.preset_table import comparison_rows, text_table

MACHINE = Machine(num_cores=2, memory_bytes=16_000_000_000, num_gpus=0)
SIZES = {
    "v1-imdb-small": (41_048, 91_073),
    "v2-hf-medium": (84_640, 174_685),
    "hf-large": (182_112, 352_197),
    "hf-extra-large": (301_632, 551_757),
}


@pytest.mark.parametrize("name", SIZES)
def test_our_count_and_microberts_differ_by_exactly_the_pooler_and_the_head(name: str) -> None:
    """Theirs, counted by hand: a pooler of h·h + h, the head's bias of 10,005, its own matrix of 10,005·h."""
    (row,) = compare_models([find_preset(name)], MACHINE)
    assert row.published is not None
    assert (row.published.stated, row.published.real) == SIZES[name]
    hidden, ours = row.hidden_size, row.estimate.parameters
    pooler = hidden * hidden + hidden
    assert row.published.stated == ours.total - ours.head + pooler
    assert row.published.real == ours.total + 10_005 * hidden + pooler


def test_published_counts_belong_to_the_system_that_published_them() -> None:
    ours = msgspec.structs.replace(find_preset("v1-imdb-small"), source="", name="mine")
    assert published_count(ours) is None
    assert published_count(find_preset("h200_8gpu_standard")) == published_count(find_preset("hf-large"))


def test_rows_stand_in_the_order_that_was_asked_for_with_the_global_batch() -> None:
    names = ["h200_8gpu_fast", "quickstart"]
    first, second = compare_models([find_preset(name) for name in names], MACHINE)
    assert (first.name, second.name) == ("h200_8gpu_fast", "quickstart")
    assert (first.global_batch, second.global_batch) == (512, 32)
    assert first.estimate.on_gpu and not second.estimate.on_gpu


def test_only_settings_that_differ_are_listed_and_each_with_every_value() -> None:
    base = find_preset("quickstart")
    other = msgspec.structs.replace(base, config=with_values(base.config, {"optim.lr": 0.5, "train.seed": 3}))
    found = {one.path: one.values for one in differing_settings([base, other, base])}
    assert found == {"optim.lr": (3e-3, 0.5, 3e-3), "train.seed": (0, 3, 0)}
    assert differing_settings([base]) == () == differing_settings([base, base])


def test_the_table_has_a_cell_for_every_preset_in_every_row() -> None:
    presets = shipped_presets()
    models = compare_models(presets, MACHINE)
    rows = comparison_rows(models, differing_settings(presets))
    assert all(len(row.cells) in (0, len(presets)) for row in rows)
    lines = text_table([preset.name for preset in presets], rows)
    assert len(lines) == len(rows) + 1


def test_what_cannot_be_known_is_a_question_mark(capsys: pytest.CaptureFixture[str]) -> None:
    save_preset("unknown", with_values(RunConfig(), {"data.source": "hub", "data.dataset": "some\u202ebody/x"}))
    assert main(["presets", "compare", "unknown", "quickstart"]) == 0
    printed = capsys.readouterr().out
    cells = {line.split()[0]: line.split()[1:] for line in printed.splitlines() if line.startswith("  ")}
    assert [cells[name][0] for name in ("steps", "tokens", "FLOPs", "time")] == ["?"] * 4
    assert cells["steps"] == ["?", "1,200"]
    assert "\u202e" not in printed


def test_the_command_prints_parts_published_counts_costs_and_what_they_rest_on(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["presets", "compare", "v1-imdb-small", "hf-large"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["v1-imdb-small", "hf-large"]
    cells = {line.split()[0]: line.split()[1:] for line in lines[1:]}
    assert cells["embedding"] == ["40,532", "162,128"]
    assert cells["total"] == ["51,033", "191,845"]
    assert cells["published"] == ["41,048", "182,112"]
    assert cells["model.hidden_size"] == ["4", "16"]
    assert "data.tokenizer" not in cells
    assert any(line.startswith("# FLOPs are steps") for line in lines)
    assert any("pooler that is never used" in line for line in lines)


def test_the_comparison_as_json_has_the_sums_the_bases_and_the_settings(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["presets", "compare", "quickstart", "hf-large", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    quickstart, large = document["models"]
    assert quickstart["estimate"]["parameters"]["total"] == 781_216
    assert quickstart["published"] is None and large["published"]["stated"] == 182_112
    assert large["estimate"]["flops"]["basis"].startswith("FLOPs are")
    settings = {one["path"]: one["values"] for one in document["settings"]}
    assert settings["model.hidden_size"] == [128, 16]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["compare", "quickstart", "hf-lrge"], "there is no preset 'hf-lrge'; did you mean hf-large"),
        (["compare"], "say which presets to compare"),
        (["show", "a", "b"], "say which preset to show"),
        (["show", "v2imdb"], "did you mean v2-imdb"),
    ],
)
def test_a_wrong_request_is_one_line_and_status_2(
    capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    assert main(["presets", *arguments]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert said in captured.err and captured.err.count("\n") == 1


def test_the_list_has_each_presets_model_size_time_and_data(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["presets"]) == 0
    lines = {line.split()[0]: line for line in capsys.readouterr().out.splitlines()}
    assert all(part in lines["hf-large"] for part in ("HF large", "6/8/16", "191,845", "~", "Salesforce/wikitext"))
    assert "8 GPUs" in lines["h200_8gpu_fast"]
