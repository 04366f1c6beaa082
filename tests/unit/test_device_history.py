"""Rows of devices with their last minutes, and whose processes are on them."""

from __future__ import annotations

import os
import pwd

import msgspec

from runs.hardware_history import BUCKET_S, NUM_BUCKETS, HardwareHistory, HistoryKeeper
from runs.nvml import name_and_user
from runs.readings import DeviceProcess, DeviceReading, HardwareReading, HostReading
from tui.widgets.device_rows import Row, device_rows, history_words, host_rows, process_rows

HOST = HostReading("box", "cpu", 50.0, (50.0, 50.0), 4_000_000_000, 8_000_000_000, (1.0, 1.0, 1.0))
OURS = DeviceProcess(11, 30_000_000_000, "run.1.0", "python", "ada")
OTHER = DeviceProcess(22, 5_000_000_000, "", "ollama", "bob")
HIDDEN = DeviceProcess(33, None, None)


def device(index: int, busy: float | None, *processes: DeviceProcess) -> DeviceReading:
    return DeviceReading(
        index, "NVIDIA H200", busy, 70_500_000_000, 141_000_000_000, 54.0, 412.0, 700.0, processes
    )


def reading(time: float, busy: float | None = 50.0, cpu: float = 50.0) -> HardwareReading:
    host = msgspec.structs.replace(HOST, cpu_percent=cpu)
    return HardwareReading(time, host, (device(0, busy), device(1, 100.0)), "")


def text(row: Row) -> str:
    return "".join(words for words, _ in row)


def test_history_is_means_of_a_few_seconds_of_the_last_minutes() -> None:
    keeper = HistoryKeeper()
    for second in range(2 * BUCKET_S):
        history = keeper.add(reading(1000.0 + second, busy=20.0 if second < BUCKET_S else 80.0))
    assert history.utilisation[0] == (0.2, 0.8) and history.utilisation[1] == (1.0, 1.0)
    assert history.memory[0] == (0.5, 0.5) and history.cpu == (0.5, 0.5) and history.host_memory == (0.5, 0.5)
    for bucket in range(2 * NUM_BUCKETS):
        history = keeper.add(reading(2000.0 + bucket * BUCKET_S))
    assert len(history.cpu) == NUM_BUCKETS and history_words(history) == "last 5 min"


def test_what_was_not_read_is_a_gap_and_a_clock_set_back_begins_anew() -> None:
    keeper = HistoryKeeper()
    keeper.add(reading(1000.0, busy=None))
    history = keeper.add(reading(1000.0 + 3 * BUCKET_S))
    assert history.utilisation[0] == (None, None, None, 0.5)
    assert keeper.add(reading(10.0)).cpu == (0.5,)


def test_a_row_shows_its_last_minutes_beside_the_figures_of_now() -> None:
    history = HardwareHistory(utilisation={0: (0.0, 0.5, 1.0)}, memory={0: (0.5, 0.5, 0.5)})
    row = text(*device_rows((device(0, 70.0, OURS, OTHER),), 96, "run.", history))
    assert "▁▅█  70%  70.5/141 GB" in row
    assert row.endswith("54°C  412 W  run 30.0 GB  others 5.0 GB")
    assert "▁▅█" in text(*device_rows((device(0, 70.0),), 160, "run.", history))
    assert text(*device_rows((device(0, 70.0),), 160, "run.", history)).count("▅▅▅") == 1, (
        "memory has a line of its own"
    )


def test_in_a_narrow_row_whose_memory_it_is_comes_before_heat_and_power() -> None:
    row = text(*device_rows((device(0, 70.0, OURS),), 44, "run."))
    assert "run 30.0 GB" in row and "°C" not in row and len(row) <= 44


def test_figures_stand_below_each_other_though_only_some_devices_hold_the_run() -> None:
    devices = (
        device(0, 5.0, OURS),
        device(1, 100.0),
        device(2, 70.0, OTHER),
        DeviceReading(3, "H200", problem="x"),
    )
    rows = [text(row) for row in device_rows(devices, 100, "run.")]
    assert len({row.index("%") for row in rows[:3]}) == 1 and len({row.index("GB") for row in rows[:3]}) == 1
    assert "run" not in rows[1] and "others" not in rows[1], "nobody holds any of it"
    assert rows[2].index("others") > rows[0].index("run") and rows[3].endswith("✗ x")
    for width in range(20, 130):
        assert all(len(text(row)) <= max(width, 32) for row in device_rows(devices[:3], width, "run."))


def test_the_host_stands_in_line_with_the_devices() -> None:
    for width in (36, 44, 60, 120):
        rows = device_rows((device(0, 70.0, OURS),), width, "run.")
        host = host_rows(reading(0.0), width, below=rows[0])
        assert len({text(row).index("%") for row in (*rows, *host[:2])}) == 1


def test_the_host_has_its_history_too() -> None:
    rows = host_rows(reading(0.0), 60, HardwareHistory(cpu=(0.0, 1.0), host_memory=(0.5, 0.5)))
    assert "▁█" in text(rows[0]) and "50%" in text(rows[0])
    assert "▅▅" in text(rows[1]) and "4.0/8.0 GB" in text(rows[1])
    assert all(part.isascii() for row in host_rows(reading(0.0), 60, only_ascii=True) for part, _ in row)


def test_the_runs_processes_are_told_from_others_and_come_first() -> None:
    rows = [text(row) for row in process_rows((device(0, 1.0, OTHER, HIDDEN, OURS),), "run.", 100, 9)]
    assert "pid 11 " in rows[0] and "● this run  python of ada" in rows[0] and "30.0 GB" in rows[0]
    assert "pid 22 " in rows[1] and "○ other  ollama of bob" in rows[1]
    assert "pid 33 " in rows[2] and "n/a" in rows[2] and "not seen from here" in rows[2]
    assert [text(row) for row in process_rows((device(0, 1.0, OTHER, HIDDEN, OURS),), "run.", 100, 2)][1] == (
        "… 2 more processes"
    )
    assert text(process_rows((device(0, 1.0),), "run.", 100, 3)[0]) == "no process is on any of them"
    silent = msgspec.structs.replace(device(0, 1.0), processes=None)
    assert "the driver does not tell" in text(process_rows((silent,), "run.", 100, 3)[0])


def test_a_process_has_a_name_and_a_user_as_long_as_it_is_there() -> None:
    name, user = name_and_user(os.getpid())
    assert name and user == pwd.getpwuid(os.getuid()).pw_name
    assert name_and_user(999_999_999) == ("", "")
