"""Room on the disk: what is said of it, the reserve for last words, and logs that never fail."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from engine import console as console_module
from engine.console import UnfailingFile
from runs import disk, reserve
from runs.disk import is_full, require_room, room
from runs.folder import Attempt
from runs.reserve import RESERVE_BYTES, Reserve, clear_reserves, write_last_words


def test_sizes_are_told_in_units_of_disks() -> None:
    assert [room(size) for size in (0, 999, 1000, 92_400_000, 1_400_000_000, 3 * 10**13)] == [
        "0 bytes", "999 bytes", "1.0 kB", "92 MB", "1.4 GB", "30 TB",
    ]  # fmt: skip


def test_what_would_not_fit_with_its_margin_is_refused_with_the_figures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(disk, "free_bytes", lambda path: 2_000_000)
    require_room(tmp_path, 900_000, 2.2)
    with pytest.raises(OSError, match=r"takes 1.0 MB and needs 2.2 times that free, and 2.0 MB are") as caught:
        require_room(tmp_path, 1_000_000, 2.2)
    assert is_full(caught.value)
    monkeypatch.setattr(disk, "free_bytes", lambda path: None)
    require_room(tmp_path, 10**18, 2.2)


def test_the_reserve_is_real_room_and_can_be_given_up_once(tmp_path: Path) -> None:
    own = Reserve(Attempt(tmp_path))
    assert own.take() and own.take()
    assert own.path.stat().st_blocks * 512 >= RESERVE_BYTES
    assert own.path.stat().st_mode & 0o777 == 0o600
    assert own.give_up()
    assert not own.give_up()
    assert list(tmp_path.iterdir()) == []


def test_a_reserve_for_which_there_is_no_room_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int) -> None:
        os.write(descriptor, b"some of it")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(reserve, "_allocate", full)
    assert not Reserve(Attempt(tmp_path)).take()
    assert list(tmp_path.iterdir()) == []


def test_last_words_find_room_in_the_reserve(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    attempt = Attempt(tmp_path)
    real = reserve.write_atomically

    def write_atomically(path: Path, content: bytes) -> None:
        if Reserve(attempt).path.exists():
            raise OSError(errno.ENOSPC, "No space left on device")
        real(path, content)

    monkeypatch.setattr(reserve, "write_atomically", write_atomically)
    Reserve(attempt).take()
    write_last_words(attempt, tmp_path / "error.json", b"{}")
    assert (tmp_path / "error.json").read_bytes() == b"{}"
    with pytest.raises(FileNotFoundError):  # another error is not for lack of room
        write_last_words(attempt, tmp_path / "none" / "error.json", b"{}")


def test_reserves_of_earlier_attempts_are_freed(tmp_path: Path) -> None:
    attempts = [Attempt(tmp_path / "attempts" / f"{number:04d}") for number in (1, 2)]
    for attempt in attempts:
        attempt.path.mkdir(parents=True)
        Reserve(attempt).take()
    clear_reserves(attempts[1])
    assert [Reserve(attempt).path.exists() for attempt in attempts] == [False, True]


def test_printing_never_fails(tmp_path: Path) -> None:
    full = os.open("/dev/full", os.O_WRONLY)
    assert UnfailingFile(full).write(b"lost") == 4
    os.close(full)
    reader, writer = os.pipe()
    os.close(reader)
    assert UnfailingFile(writer).write(b"to nobody") == 9
    os.close(writer)


def test_a_log_ends_at_its_cap_with_a_sentence_and_last_words_still_come_through(tmp_path: Path) -> None:
    log = os.open(tmp_path / "console.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    file = UnfailingFile(log, most_bytes=2 << 20)
    for _ in range(3000):
        assert file.write(b"x" * 1023 + b"\n") == 1024
    content = (tmp_path / "console.log").read_bytes()
    assert len(content) < (2 << 20) + 2048
    assert content.count(b"(this log has 2 MB, and nothing more goes into it until the end)") == 1
    file.allow_last_words()
    file.write(b"Traceback\n")
    assert (tmp_path / "console.log").read_bytes().endswith(b"Traceback\n")
    os.close(log)


def test_a_surrogate_does_not_stop_a_line(capfd: pytest.CaptureFixture[str]) -> None:
    console_module.say("a \udc9b b")
    assert capfd.readouterr().out == "a \\udc9b b\n"
