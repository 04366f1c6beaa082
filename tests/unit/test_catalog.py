"""Presets: the shipped ones, a person's own, and files that cannot be read."""

from __future__ import annotations

from pathlib import Path

import pytest

from presets import catalog
from presets.config import check, get_value, with_values
from presets.schema import RunConfig


def recipe(preset: catalog.Preset, *, published: bool) -> tuple[object, ...]:
    """Layers/heads/width, rows, batch a GPU, GPUs, epochs, learning rate: as we train, or as was published."""

    def value(path: str) -> object:
        ours = get_value(preset.config, path)
        return preset.published.get(path, ours) if published else ours

    model = preset.config.model
    shape = (model.num_layers, model.num_heads, model.hidden_size)
    paths = ("data.max_samples", "train.batch_size", "launch.num_processes", "train.epochs", "optim.lr")
    return shape, *map(value, paths)


# reference/systems.md, 001: what runs, the multi-GPU presets, the model table
MICROBERT = {
    "v1-imdb-small": ((2, 2, 4), 0, 16, 1, 10, 5e-5),
    "v2-imdb": ((2, 2, 4), 0, 16, 1, 3, 5e-5),
    "v2-hf-medium": ((4, 4, 8), 500_000, 16, 1, 5, 3e-5),
    "hf-large": ((6, 8, 16), 500_000, 16, 1, 5, 3e-5),
    "hf-extra-large": ((8, 12, 24), 500_000, 16, 1, 5, 3e-5),
    "v3-8xh200": ((6, 8, 16), 1_000_000, 32, 8, 5, 3e-5),
    "v3-imdb": ((4, 4, 8), 0, 32, 8, 5, 3e-5),
    "h200_8gpu_fast": ((4, 4, 8), 500_000, 64, 8, 3, 5e-5),
    "h200_8gpu_standard": ((6, 8, 16), 1_000_000, 32, 8, 5, 3e-5),
    "h200_8gpu_quality": ((8, 12, 24), 2_000_000, 16, 8, 10, 2e-5),
    "4gpu_standard": ((4, 4, 8), 500_000, 32, 4, 5, 3e-5),
    "2gpu_standard": ((4, 4, 8), 500_000, 32, 2, 5, 3e-5),
    "1gpu_standard": ((4, 4, 8), 250_000, 16, 1, 5, 3e-5),
}
STREAMED = [name for name in MICROBERT if "gpu" in name]


def test_the_presets_of_every_reference_system_are_there_in_a_sensible_order() -> None:
    names = [preset.name for preset in catalog.shipped_presets()]
    assert names[0] == "quickstart"
    assert [name for name in names if name in MICROBERT] == list(MICROBERT)
    assert {"tinybert-stacks", "bert-tiny-day40", "toy-grammar"} <= set(names)


@pytest.mark.parametrize("name", MICROBERT)
def test_microberts_published_recipe_stands_in_full_beside_ours(name: str) -> None:
    preset = catalog.find_preset(name)
    assert recipe(preset, published=True) == MICROBERT[name]
    assert preset.published["model.dropout"] == 0.1
    data, optim, train = preset.config.data, preset.config.optim, preset.config.train
    assert (data.vocab_size, data.sequence_length, data.min_words, data.tokenizer) == (10_005, 128, 5, "word")
    assert (optim.schedule, optim.warmup_ratio, optim.clip_norm, optim.weight_decay) == ("linear", 0.1, 1.0, 0.01)
    assert train.accumulation_steps == 1
    assert preset.source.startswith("henrywoo/microbert")


@pytest.mark.parametrize("name", STREAMED)
def test_streamed_presets_take_as_many_steps_as_the_published_epochs_have(name: str) -> None:
    preset = catalog.find_preset(name)
    _, samples, batch, processes, epochs, _ = MICROBERT[name]
    assert preset.config.data.access == "stream" and preset.published["train.max_steps"] == 0
    nine_tenths = epochs * samples * 9 // 10
    assert preset.config.train.max_steps == -(-nine_tenths // (batch * processes))
    assert preset.config.launch.device == "cuda"


def test_the_other_systems_models_are_theirs() -> None:
    def figures(name: str) -> tuple[int, ...]:
        config = catalog.find_preset(name).config
        model = config.model
        shape = (model.hidden_size, model.num_layers, model.num_heads, model.feed_forward_size)
        return (*shape, config.data.sequence_length, config.train.batch_size)

    assert figures("tinybert-stacks") == (128, 4, 4, 512, 64, 16)
    assert catalog.find_preset("tinybert-stacks").config.data.vocab_size == 1000
    assert figures("bert-tiny-day40") == (128, 2, 2, 256, 64, 8)
    day40 = catalog.find_preset("bert-tiny-day40").config
    assert (day40.optim.schedule, day40.optim.warmup_ratio, day40.train.epochs) == ("cosine", 0.05, 2)
    assert day40.model.dropout == 0.1


def test_a_published_value_is_recorded_only_where_ours_differs() -> None:
    for preset in catalog.shipped_presets():
        same = [path for path, value in preset.published.items() if get_value(preset.config, path) == value]
        assert not same, preset.name


def test_every_shipped_preset_can_be_launched_and_says_what_it_is() -> None:
    for preset in catalog.shipped_presets():
        assert check(preset.config) == (), preset.name
        assert preset.summary.endswith(".") and len(preset.title) <= 16, preset.name
        assert preset.source or preset.name.startswith("quickstart") or preset.config.data.source == "synthetic"


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


def test_an_unknown_preset_is_answered_with_close_names_else_with_all_there_are() -> None:
    with pytest.raises(KeyError, match="did you mean quickstart"):
        catalog.find_preset("quickstrat")
    with pytest.raises(KeyError, match=r"there are quickstart, .*bert-tiny-day40"):
        catalog.find_preset("%")
