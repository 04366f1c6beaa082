"""Which devices are free, who has the others, and what a run is given."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import msgspec
import pytest

from presets.config import with_values
from presets.fields import Value
from presets.schema import RunConfig
from runs import devices
from runs import visible_gpus as gpus
from runs.devices import GpuReadings, Pool, choose, claims, free_now, given, pool_for, waits_for
from runs.folder import RunFolder, create_run, write_atomically
from runs.lock import held_lock
from runs.nvml import LOST
from runs.processes import TAG_VARIABLE, identify, this_host, this_process
from runs.queue_entry import QueueEntry, owner_of, write_entry
from runs.readings import DeviceReading, HardwareReading, HostReading
from runs.status import State, StateRecord, tag_prefix
from runs.visible_gpus import may_have_gpus, visible_gpus
from tests.conftest import wait_until

GB = 1_000_000_000
HOST = HostReading("box", "cpu", 0.0, (0.0,), 1, 2, None)
NOBODY: Mapping[str, str] = {}


def config(**values: Value) -> RunConfig:
    return with_values(RunConfig(), {f"launch.{name}": value for name, value in values.items()})


def reading(*used_gb: float, problems: Mapping[int, str] | None = None) -> HardwareReading:
    found = tuple(
        DeviceReading(index, "H200", memory_used_bytes=int(gb * GB), memory_total_bytes=141 * GB,
                      problem=(problems or {}).get(index, ""))
        for index, gb in enumerate(used_gb)
    )  # fmt: skip
    return HardwareReading(0.0, HOST, found, "")


def write_state(folder: RunFolder, names: tuple[str, ...], state: State = "running", tag: str = "") -> None:
    record = StateRecord(state, 1, tag, this_process(), devices=names)
    write_atomically(folder.state_file, msgspec.json.encode(record))


@pytest.fixture
def eight_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "_cores", lambda: tuple(range(8)))


def test_a_run_on_the_cpu_needs_the_threads_of_all_its_processes(eight_cores: None) -> None:
    assert pool_for(config(device="cpu", threads=3, num_processes=2), {}, None).num_wanted == 6
    assert pool_for(config(device="cpu"), {}, None).num_wanted == 8, "without a number it takes all cores"
    assert pool_for(config(device="cpu", threads=100), {}, None).num_wanted == 8, "no more than there are"


def test_free_cores_are_those_that_no_live_run_has(eight_cores: None) -> None:
    pool = pool_for(config(device="cpu", threads=3), {}, None)
    taken = {f"cpu:{number}": "warm-otter" for number in (0, 2, 5, 6)}
    assert choose(pool, taken) == ("cpu:1", "cpu:3", "cpu:4")
    assert choose(pool, {**taken, "cpu:7": "calm-fox", "cpu:1": "calm-fox"}) is None


def test_a_run_that_wants_more_than_there_is_waits_for_all_and_then_begins(eight_cores: None) -> None:
    pool = pool_for(config(device="cpu", threads=64), {}, None)
    assert choose(pool, {"cpu:3": "warm-otter"}) is None
    assert choose(pool, NOBODY) == pool.names
    no_gpu = pool_for(config(device="cuda", num_processes=4), {"CUDA_VISIBLE_DEVICES": ""}, None)
    assert choose(no_gpu, NOBODY) == (), "the engine says best that there is none"


def test_a_gpu_is_free_when_neither_a_run_nor_a_stranger_has_it() -> None:
    pool = pool_for(config(num_processes=2), {}, reading(0.5, 40, 0.5, 14, 15))
    assert pool.names == ("gpu:0", "gpu:1", "gpu:2", "gpu:3", "gpu:4")
    assert pool.strangers == {"gpu:1", "gpu:4"}, "more than a tenth of the memory is more than an idle GPU has"
    assert choose(pool, NOBODY) == ("gpu:0", "gpu:2")
    assert choose(pool, {"gpu:0": "warm-otter"}) == ("gpu:2", "gpu:3")
    assert choose(pool, {"gpu:0": "warm-otter", "gpu:2": "warm-otter"}) is None


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        (None, ("gpu:0", "gpu:1", "gpu:3")),
        ("3,1", ("gpu:3", "gpu:1")),
        ("1, 1,0", ("gpu:1", "gpu:0")),
        ("0,7,1", ("gpu:0",)),
        ("0,-1,1", ("gpu:0",)),
        ("", ()),
        ("GPU-5d3e,MIG-ab/1/2", ("gpu:GPU-5d3e", "gpu:MIG-ab/1/2")),
    ],
)
def test_the_gpus_are_those_that_the_environment_shows(shown: str | None, expected: tuple[str, ...]) -> None:
    environment = {} if shown is None else {"CUDA_VISIBLE_DEVICES": shown}
    of_four = reading(0, 0, 0, 0, problems={2: LOST})
    assert tuple(visible_gpus(environment, of_four)) == expected


def test_a_gpu_has_one_name_however_it_is_asked_for() -> None:
    """Else a run that names it by its UUID and one that takes it by its number would both have it."""
    known = msgspec.structs.replace(
        reading(0.5, 90, 0.5),
        devices=tuple(
            msgspec.structs.replace(device, uuid=f"GPU-{device.index}aa-d72c")
            for device in reading(0.5, 90, 0.5).devices
        ),
    )
    mine = {"CUDA_VISIBLE_DEVICES": "GPU-2aa,GPU-1aa-d72c,GPU-0,MIG-ab"}
    pool = pool_for(config(), mine, known)
    assert pool.names == ("gpu:2", "gpu:1", "gpu:0", "gpu:MIG-ab") and pool.strangers == {"gpu:1"}
    assert choose(pool, {"gpu:2": "warm-otter"}) == ("gpu:0",)
    assert given(pool, ("gpu:2", "gpu:1"), mine).environment == {"CUDA_VISIBLE_DEVICES": "GPU-2aa,GPU-1aa-d72c"}
    assert tuple(visible_gpus({"CUDA_VISIBLE_DEVICES": "GPU-"}, known)) == (), "it could be any of them"
    lost = msgspec.structs.replace(known.devices[2], problem=LOST)
    assert tuple(visible_gpus(mine, msgspec.structs.replace(known, devices=(*known.devices[:2], lost)))) == ()


@pytest.mark.parametrize(
    ("environment", "expected", "shown"),
    [
        ({}, ("gpu:0", "gpu:1", "gpu:2", "gpu:3"), "0,1,2,3"),
        ({"CUDA_VISIBLE_DEVICES": "3,1"}, ("gpu:3", "gpu:1"), "3,1"),
        ({"HIP_VISIBLE_DEVICES": "2", "CUDA_VISIBLE_DEVICES": "0"}, ("gpu:2",), "2"),
        ({"ROCR_VISIBLE_DEVICES": "3,1"}, ("gpu:3", "gpu:1"), "0,1"),
        ({"ROCR_VISIBLE_DEVICES": "3,1", "HIP_VISIBLE_DEVICES": "1"}, ("gpu:1",), "1"),
        ({"ROCR_VISIBLE_DEVICES": "3", "HIP_VISIBLE_DEVICES": "1"}, (), None),
        ({"ROCR_VISIBLE_DEVICES": ""}, (), None),
    ],
)
def test_amds_variables_hide_gpus_too(
    environment: dict[str, str], expected: tuple[str, ...], shown: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gpus, "_num_nvidia", lambda: 0)
    monkeypatch.setattr(gpus, "_num_amd", lambda: 4)
    pool = pool_for(config(device="cuda"), environment, HardwareReading(0.0, HOST, (), "no NVIDIA driver"))
    assert pool.names == expected
    variables = {} if shown is None else {"HIP_VISIBLE_DEVICES": shown}
    assert given(pool, pool.names, environment).environment == variables


def test_gpus_that_no_driver_tells_of_are_counted_by_their_device_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gpus, "_DEV", tmp_path)
    monkeypatch.setattr(gpus, "_KFD_NODES", tmp_path / "nodes")
    assert not may_have_gpus({})
    for number, simds in enumerate((0, 304, 304)):  # the first node is the processor
        node = tmp_path / "nodes" / str(number)
        node.mkdir(parents=True)
        (node / "properties").write_text(f"cpu_cores_count 1\nsimd_count {simds}\n")
    assert tuple(visible_gpus({}, None)) == ("gpu:0", "gpu:1")
    for name in ("nvidia0", "nvidia1", "nvidia2", "nvidiactl", "nvidia-uvm"):
        (tmp_path / name).touch()
    assert may_have_gpus({}) and not may_have_gpus({"CUDA_VISIBLE_DEVICES": "-1"})
    assert tuple(visible_gpus({}, None)) == ("gpu:0", "gpu:1", "gpu:2")
    no_driver = HardwareReading(0.0, HOST, (), "no NVIDIA driver")
    assert tuple(visible_gpus({"CUDA_VISIBLE_DEVICES": "2"}, no_driver)) == ("gpu:2",)


def test_an_engine_sees_the_gpus_it_was_given_and_by_the_drivers_numbers() -> None:
    pool = pool_for(config(), {}, reading(0, 0, 0))
    assert given(pool, ("gpu:1", "gpu:2"), {}).environment == {
        "CUDA_VISIBLE_DEVICES": "1,2", "CUDA_DEVICE_ORDER": "PCI_BUS_ID",
    }  # fmt: skip
    mine = {"CUDA_VISIBLE_DEVICES": "2,1"}  # whoever set this meant CUDA's numbers, or the order they set
    assert given(pool, ("gpu:2",), mine).environment == {"CUDA_VISIBLE_DEVICES": "2"}
    assert given(Pool("cpu", ("cpu:0",), 1), ("cpu:0",), {}).environment == {}


def test_a_sentence_says_who_has_the_devices() -> None:
    pool = pool_for(config(num_processes=2), {}, reading(0.5, 0.5, 40, 0.5))
    assert waits_for(pool, {"gpu:0": "warm-otter"}) == (
        "waits for 2 GPUs; 2 of 4 GPUs are used by warm-otter and another program"
    )
    assert waits_for(pool, dict.fromkeys(pool.names, "warm-otter")) == (
        "waits for 2 GPUs; all 4 GPUs are used by warm-otter"
    )
    one = pool_for(config(), {}, reading(0.5))
    assert waits_for(one, {"gpu:0": "calm-fox"}) == "waits for a GPU; the GPU is used by calm-fox"


def test_a_claim_lasts_as_long_as_the_supervisor(runs_path: Path) -> None:
    folder = create_run(runs_path, RunConfig(), name="warm-otter")
    write_state(folder, ("gpu:0", "gpu:1"))
    assert claims(runs_path) == {}, "nobody holds its lock"
    with held_lock(folder):
        assert claims(runs_path) == {"gpu:0": "warm-otter", "gpu:1": "warm-otter"}
        assert claims(runs_path, apart_from=folder) == {}
        write_state(folder, ("gpu:0",), "finished")
        assert claims(runs_path) == {}, "it is over, and its supervisor about to go"


def test_a_claim_outlives_the_supervisor_in_an_engine_that_goes_on(runs_path: Path) -> None:
    folder = create_run(runs_path, RunConfig(), name="warm-otter")
    tag = f"{tag_prefix(folder)}1.abc"
    write_state(folder, ("gpu:0",), tag=tag)
    copy = RunFolder(folder.path.with_name(folder.id[:-4] + "zzzz"))
    subprocess.run(["cp", "-r", folder.path, copy.path], check=True)
    write_state(copy, ("gpu:5",), tag=tag)
    assert claims(runs_path) == {}
    engine = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE,
                              env={**os.environ, TAG_VARIABLE: tag})  # fmt: skip
    try:
        wait_until(lambda: claims(runs_path) == {"gpu:0": "warm-otter"}, what="the engine's claim, and no copy's")
    finally:
        engine.communicate(b"\n")
    assert identify(engine.pid) is None and claims(runs_path) == {}


def test_an_engine_whose_tag_could_not_be_noted_has_its_devices_all_the_same(runs_path: Path) -> None:
    folder = create_run(runs_path, RunConfig(), name="warm-otter")
    write_state(folder, ("gpu:0",), "starting", tag="")
    engine = subprocess.Popen([sys.executable, "-S", "-c", "input()"], stdin=subprocess.PIPE,
                              env={**os.environ, TAG_VARIABLE: f"{tag_prefix(folder)}1.abc"})  # fmt: skip
    try:
        wait_until(lambda: claims(runs_path) == {"gpu:0": "warm-otter"}, what="the engine's claim")
    finally:
        engine.communicate(b"\n")


def test_devices_are_free_until_somebody_has_them_or_waits_for_them(eight_cores: None, runs_path: Path) -> None:
    wanted = config(device="cpu", threads=6)
    assert free_now(wanted, runs_path) == devices.DeviceAnswer(True, "all 8 CPU cores are free")
    folder = create_run(runs_path, RunConfig(), name="warm-otter")
    write_state(folder, ("cpu:0", "cpu:1"))
    with held_lock(folder):
        assert free_now(wanted, runs_path).sentence == "6 of 8 CPU cores are free"
        write_state(folder, ("cpu:0", "cpu:1", "cpu:2"))
        answer = free_now(wanted, runs_path)
        assert answer == devices.DeviceAnswer(False, "3 of 8 CPU cores are used by warm-otter")
    for host in ("elsewhere", this_host()):
        assert free_now(wanted, runs_path).is_free
        waits = create_run(runs_path, RunConfig())
        write_entry(waits, QueueEntry(1.0, 1.0, host, owner=owner_of(waits)))
    assert free_now(wanted, runs_path) == devices.DeviceAnswer(False, "a run waits in the queue already")


def test_a_driver_that_does_not_answer_is_not_waited_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent.parent / "fakes"))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    monkeypatch.setenv("FAKE_NVML", "8")
    readings = GpuReadings()
    first = readings.read(os.environ)
    assert first is not None and len(first.devices) == 8
    second = readings.read(os.environ)
    assert second is not None and second.time > first.time, "a fresh one each time"
    monkeypatch.setenv("FAKE_NVML", "silent")
    began = time.monotonic()
    assert readings.read(os.environ, timeout_s=0.5) is None
    assert time.monotonic() - began < 2
    assert readings.read({"CUDA_VISIBLE_DEVICES": ""}) is None, "where there is no GPU nobody is asked"
