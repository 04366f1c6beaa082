"""Does a run fit into memory: green, amber, red; and the estimate beside what was measured."""

from __future__ import annotations

from pathlib import Path

import pytest

from presets.catalog import find_preset
from presets.config import with_values
from presets.estimate import DeviceMemory, Machine, estimate
from presets.fields import Value
from presets.memory_fit import MemoryFit, memory_fit
from presets.schema import RunConfig
from runs.folder import create_run
from runs.host_memory import host_memory
from runs.memory_check import check_memory, compare_with_past, memory_shape, past_runs
from runs.reader import RunReader
from tests.run_writer import AttemptWriter
from tui.memory_words import memory_words

GIGABYTE = 1_000_000_000


def fit(config: RunConfig, machine: Machine) -> MemoryFit:
    return memory_fit(config, estimate(config, machine), machine)


def with_free(free: float) -> Machine:
    return Machine(num_cores=2, memory_bytes=16 * GIGABYTE, num_gpus=0, free_memory_bytes=round(free))


def test_the_colour_is_by_the_ends_of_the_estimate_and_has_a_word_and_a_sign() -> None:
    config = find_preset("quickstart").config
    whole = fit(config, with_free(16 * GIGABYTE))
    assert (whole.level, whole.sign, whole.word) == ("green", "✓", "fits")
    assert fit(config, with_free(whole.high_bytes + 1)).level == "green"
    assert fit(config, with_free(whole.high_bytes - 1)).level == "amber"
    assert fit(config, with_free(whole.needed_bytes)).level == "amber"
    red = fit(config, with_free(whole.needed_bytes - 1))
    assert (red.level, red.sign, red.word) == ("red", "✗", "too large")
    assert fit(config, Machine(num_cores=2)).level == "unknown"
    assert fit(config, Machine(2, 16 * GIGABYTE)).level == "unknown"  # a system that tells not what is free


def test_processes_on_one_cpu_share_its_memory_and_gpus_do_not() -> None:
    config = find_preset("quickstart").config
    two = with_values(config, {"launch.num_processes": 2})
    assert fit(two, with_free(GIGABYTE)).needed_bytes == 2 * fit(config, with_free(GIGABYTE)).needed_bytes
    gpus = (DeviceMemory(80 * GIGABYTE, 70 * GIGABYTE), DeviceMemory(80 * GIGABYTE, 100_000_000))
    machine = Machine(num_cores=8, num_gpus=2, gpus=gpus)
    assert fit(config, machine).free_bytes == 70 * GIGABYTE  # one process takes the emptier one
    assert fit(config, machine).level == "green"
    assert (fit(two, machine).free_bytes, fit(two, machine).level) == (100_000_000, "red")


def test_a_containers_limit_counts(tmp_path: Path) -> None:
    meminfo = tmp_path / "meminfo"
    meminfo.write_text("MemTotal:       64000000 kB\nMemAvailable:   32000000 kB\n")
    assert host_memory(meminfo, tmp_path)[1] == 32_000_000 * 1024
    (tmp_path / "memory.max").write_text("max\n")
    assert host_memory(meminfo, tmp_path)[1] == 32_000_000 * 1024
    (tmp_path / "memory.max").write_text("1000000\n")
    (tmp_path / "memory.current").write_text("700000\n")
    (tmp_path / "memory.stat").write_text("anon 1\ninactive_file 200000\n")
    assert host_memory(meminfo, tmp_path) == (1_000_000, 500_000)


@pytest.mark.parametrize(("measured", "words"), [(500e6, "✓ estimated 423 MB, measured 500 MB at most"),
                                                 (3e9, "measured 3.0 GB at most, which is more"),
                                                 (5e7, "measured 50 MB at most, which is less")])  # fmt: skip
def test_a_runs_peak_stands_beside_its_estimate(runs_path: Path, measured: float, words: str) -> None:
    folder = create_run(runs_path, find_preset("quickstart").config, preset="quickstart")
    attempt = AttemptWriter(folder)
    attempt.start()
    for step, share in ((10, 0.5), (20, 1.0), (30, 0.2)):
        attempt.metrics.write({"step": step, "time": 1.0, "elapsed_s": 1.0, "tokens": 1, "loss": 2.0,
                               "memory_peak_bytes": measured * share})  # fmt: skip
    snapshot = RunReader(folder).poll()
    assert snapshot.memory_peak_bytes == measured
    assert words in memory_words(snapshot)


@pytest.mark.parametrize(
    ("preset", "changes", "measured"),
    [
        ("quickstart", {"model.hidden_size": 32, "model.intermediate_size": 64, "train.batch_size": 4,
                        "data.sequence_length": 32}, 296e6),
        ("quickstart", {}, 443e6),
        ("quickstart", {"train.batch_size": 128}, 754e6),
        ("quickstart", {"model.hidden_size": 512, "model.intermediate_size": 2048, "model.num_layers": 4}, 1079e6),
        ("quickstart-clm", {}, 718e6),
        ("quickstart-clm", {"train.batch_size": 8}, 379e6),
    ],
)  # fmt: skip
def test_what_was_measured_on_a_cpu_is_in_the_estimates_range(
    preset: str, changes: dict[str, Value], measured: float
) -> None:
    check = check_memory(with_values(find_preset(preset).config, changes), "cpu", measured)
    assert check is not None and check.is_within and 0.8 < check.ratio < 1.4


def test_runs_here_say_how_good_an_estimate_is(runs_path: Path) -> None:
    config = find_preset("quickstart").config
    folder = create_run(runs_path, with_values(config, {"optim.lr": 0.5}), name="alike")
    attempt = AttemptWriter(folder)
    attempt.start()
    attempt.metrics.write({"step": 1, "time": 1.0, "elapsed_s": 1.0, "tokens": 1, "memory_peak_bytes": 6e8})
    create_run(runs_path, config)  # never started, so that it says nothing
    (past,) = past_runs(runs_path)
    same = compare_with_past(config, False, (past,)).same
    assert same is not None and same.name == "alike" and same.check.measured_bytes == 6e8
    larger = with_values(config, {"model.hidden_size": 256})
    found = compare_with_past(larger, False, (past,))
    assert found.same is None and found.num == 1 and found.low == found.high == past.check.ratio
    assert compare_with_past(config, True, (past,)).num == 0  # a CPU says nothing of a GPU


def test_the_shape_is_what_decides_on_memory() -> None:
    config = find_preset("quickstart").config
    for path, value in (("optim.lr", 0.5), ("train.epochs", 9), ("train.seed", 3), ("train.eval_every", 7)):
        assert memory_shape(with_values(config, {path: value}), False) == memory_shape(config, False), path
    for path, other in (("model.hidden_size", 64), ("train.batch_size", 8), ("optim.algorithm", "lion")):
        assert memory_shape(with_values(config, {path: other}), False) != memory_shape(config, False), path


def test_on_a_gpu_only_what_pytorch_has_allotted_is_compared() -> None:
    config = find_preset("quickstart").config
    cpu, gpu = check_memory(config, "cpu", 1e9), check_memory(config, "cuda:0", 1e9)
    assert cpu is not None and gpu is not None
    assert cpu.estimated_bytes - gpu.estimated_bytes > 300_000_000
    assert check_memory(config, "cpu", None) is None
