"""Folders in which every text is hostile: runs, presets and caches as a stranger would hand them over."""

from __future__ import annotations

import contextlib
import itertools
import os
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from presets import config as configs
from presets.fields import Value
from presets.schema import RunConfig
from runs.events import (
    Candidate,
    CheckpointFellBack,
    CheckpointSaved,
    ControlAnswered,
    DiskNoticed,
    Evaluated,
    HealthNoticed,
    Notice,
    Probed,
    ProbeResult,
    Progress,
)
from runs.folder import RunFolder, create_run, write_atomically
from runs.processes import this_process
from runs.queue_entry import QueueEntry, owner_of, write_entry
from runs.status import ErrorReport, StateRecord, tag_prefix
from tests.faults.payloads import writable
from tests.run_writer import AttemptWriter

ROOT = Path(__file__).resolve().parents[2]


class HostileFolder:
    """Takes the payloads in turn, so that each of them comes to many places. `num_placed` counts."""

    def __init__(self, folder: Path, payloads: Sequence[str]) -> None:
        self.folder = folder
        self.runs, self.presets, self.cache = folder / "runs", folder / "presets", folder / "cache"
        for path in (self.runs, self.presets, self.cache):
            path.mkdir(parents=True, mode=0o700)
        self._payloads: Iterator[str] = itertools.cycle(writable(payload) for payload in payloads)
        self.num_placed = 0
        self._sweep = self.next(60)

    def next(self, most: int = 4000) -> str:
        """The next payload."""
        self.num_placed += 1
        return next(self._payloads)[:most]

    @property
    def environment(self) -> dict[str, str]:
        """Of a program that is to see all this, with a GPU of a hostile name."""
        return {
            **os.environ,
            "TINYTRAIN_RUNS": str(self.runs),
            "TINYTRAIN_PRESETS": str(self.presets),
            "TINYTRAIN_CACHE": str(self.cache),
            "XDG_STATE_HOME": str(self.folder / "state"),  # or it begins where the dashboard before it was left
            "HF_HOME": str(self.folder / "hub"),
            "HF_ENDPOINT": "http://127.0.0.1:9",
            "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "tests" / "fakes")]),
            "FAKE_NVML": "1",
            "FAKE_NVML_NAME": "NVIDIA \x1b]0;Qqgpu\x07\x9b66mH200",
        }

    def config(self) -> RunConfig:
        """Settings whose texts are hostile, as far as a file with them is read at all."""
        values: dict[str, Value] = {
            "data.dataset": self.next(300),
            "data.text_column": self.next(60),
            "train.max_steps": 1200,
        }
        config = configs.with_values(RunConfig(), values)
        probes = tuple(f"{self.next(200)} [MASK]" for _ in range(4))
        return msgspec.structs.replace(config, probes=msgspec.structs.replace(config.probes, texts=probes))

    def small_run(self) -> RunFolder:
        """A run that was never started, for the list: name, preset, tags and note."""
        return self._make()

    def run(self, ending: str = "failed", step: int = 300) -> RunFolder:
        """A run of a sweep, with an attempt of every kind of record. ending: its state; empty while it is live."""
        folder = self._make()
        folder.write_about(msgspec.structs.replace(folder.about(), sweep=self._sweep))
        writer = AttemptWriter(folder)
        writer.start(step=0)
        writer.run_to(step)
        self._say_everything(writer)
        for _ in range(40):
            print(self.next(), file=writer.console)
        if ending == "failed":
            report = ErrorReport(
                0,
                self.next(),
                self.next(),
                f"Traceback\n{self.next()}\n{self.next()}",
                writer.clock,
                1,
                step,
                self.next(),
            )
            write_atomically(writer.attempt.error_file, msgspec.json.encode(report))
        if ending:
            writer.end(ending, self.next())
        for pointer in ("last", "best"):
            folder.checkpoints_dir.mkdir(parents=True, exist_ok=True)
            (folder.checkpoints_dir / pointer).write_text(self.next(200), encoding="utf-8")
        return folder

    def checkpoint(self, folder: RunFolder) -> Path:
        """One that a run has on disk, whose contents are no model."""
        path = folder.checkpoints_dir / "step-00000200"
        path.mkdir(parents=True)
        (path / "model.safetensors").write_text(self.next(), encoding="utf-8")
        return path

    def foreign_run(self) -> RunFolder:
        """One that another machine, of a hostile name, started."""
        folder = self._make()
        AttemptWriter(folder).close()
        elsewhere = msgspec.structs.replace(this_process(), host=self.next(200), boot_id="elsewhere")
        record = StateRecord("running", 1, tag_prefix(folder) + "1", elsewhere, message=self.next())
        write_atomically(folder.state_file, msgspec.json.encode(record))
        return folder

    def waiting_run(self) -> RunFolder:
        """One that waits for the devices of another machine, of a hostile name."""
        folder = self._make()
        write_entry(folder, QueueEntry(1.0, time.time(), self.next(200), owner=owner_of(folder)))
        return folder

    def preset(self, number: int) -> None:
        """A preset of one's own with hostile texts; one that cannot be read; and one with a hostile name."""
        summary, title = _toml(self.next()), _toml(self.next(200))
        source, dataset = _toml(self.next()), _toml(self.next(200))
        text = f"summary = {summary}\ntitle = {title}\nsource = {source}\n[data]\ndataset = {dataset}\n"
        (self.presets / f"own-{number}.toml").write_text(text, encoding="utf-8")
        (self.presets / f"broken-{number}.toml").write_text(
            f"x = {_toml(self.next())}\n[model]\n{_toml(self.next())} = 1\n"
        )
        name = self.next(60).replace("/", "_").replace("\0", "_").encode("utf-8", "surrogateescape")[:200]
        with contextlib.suppress(OSError):
            Path(os.fsdecode(os.fsencode(self.presets) + b"/" + name + b"\xff.toml")).write_text(
                text, encoding="utf-8"
            )

    def stray_names(self) -> None:
        """Folders and files whose names are hostile, where runs and caches are looked for."""
        for parent in (self.runs, self.cache, self.cache / "tokens"):
            parent.mkdir(exist_ok=True)
            for _ in range(5):
                name = self.next(60).replace("/", "_").replace("\0", "_")
                with contextlib.suppress(OSError):
                    (parent / name).mkdir()

    def _make(self) -> RunFolder:
        name = self.next(400)
        folder = create_run(self.runs, self.config(), name=name, preset=self.next(200))
        about = msgspec.structs.replace(
            folder.about(), name=name, tags=(self.next(100), self.next(100)), note=self.next(500)
        )
        folder.write_about(about)
        return folder

    def _say_everything(self, writer: AttemptWriter) -> None:
        """Every event there is, with a hostile text in each of its fields that takes one."""
        step, say, text = writer.step, writer.say, self.next
        say(Progress(step=step, phase=text(), done=3, total=9, unit=text(100)))
        say(CheckpointSaved(step=step, name=text(), is_best=True, num_bytes=9, elapsed_s=0.1))
        say(CheckpointFellBack(step=step, wanted=text(), used=text(), reason=text()))
        for verb in ("lr", "steps", text()):
            say(ControlAnswered(step=step, request=text(), verb=verb, accepted=True, message=text(), value=text()))
            say(
                ControlAnswered(step=step, request=text(), verb=verb, accepted=False, message=text(), value=text())
            )
        say(HealthNoticed(step=step, symptom="spike", message=text()))
        say(DiskNoticed(step=step, is_full=False, message=text()))
        say(DiskNoticed(step=step, is_full=True, message=text()))
        writer.events.write({"kind": text(), "step": step, "time": writer.clock})
        labels = (text(60), text(60))
        say(
            Evaluated(
                step=step,
                loss=5.0,
                perplexity=9.0,
                accuracy=0.2,
                accuracy_known=0.2,
                is_best=False,
                figures={text(40): 0.5},
                confusion=((1, 2), (3, 4)),
                labels=labels,
            )
        )
        masks = (tuple(Candidate(text(200), 0.2) for _ in range(5)),)
        probes = tuple(ProbeResult(f"{text(200)} [MASK]", masks, generated=text()) for _ in range(4))
        say(Probed(step=step, probes=probes))
        writer.metrics.write(
            {"step": step, "time": writer.clock, "elapsed_s": 1.0, "loss": 5.0, text(40): 1.0, "x": text(40)}
        )
        for level in ("info", "warning", "error"):
            say(Notice(step=step, level=level, message=text()))


def command(sanitiser: bool = True) -> list[str]:
    """The program as it is, or a broken build of it whose sanitiser lets everything through."""
    if sanitiser:
        return [sys.executable, "-m", "tui"]
    broken = (
        "import tui.safe_text as s\n"
        "for table in (s._ONE_LINE, s._MANY_LINES, s._IN_JSON): table.clear()\n"
        "import sys; from tui.cli import main; sys.exit(main())"
    )
    return [sys.executable, "-c", broken]


def _toml(text: str) -> str:
    """As a TOML string: JSON's escapes are TOML's, but for what only JSON allows raw."""
    encoded = msgspec.json.encode(text).decode()
    return "".join(f"\\u{ord(c):04x}" if 0x7F <= ord(c) < 0xA0 else c for c in encoded)
