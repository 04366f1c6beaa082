"""Folders in which every text is hostile: runs, presets and caches as a stranger would hand them over."""

from __future__ import annotations

import contextlib
import itertools
import os
import subprocess
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
from runs.trash import delete_run
from tests.faults.payloads import writable
from tests.run_writer import AttemptWriter

QUIET = "[notify]\nbell = false\ndesktop = false\n"
"""Settings that keep what the dashboard itself rings and says apart from what a payload does."""

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
        self._sweeps = itertools.cycle([self.next(60), self.next(60)])
        self.handed_preset = folder / "handed.toml"

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
            "XDG_STATE_HOME": str(self.folder / "state"),
            "TINYTRAIN_CONFIG": str(self.folder / "settings.toml"),
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
        folder.write_about(msgspec.structs.replace(folder.about(), sweep=next(self._sweeps)))
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

    def models(self, *kinds: str) -> None:
        """Runs whose checkpoints answer, in words that are hostile. kinds: of their objectives; takes seconds."""
        names = [f"{self.next(60)}:{kind}".replace("\0", "") for kind in kinds]
        command = [sys.executable, "-m", "tests.faults.hostile_checkpoint", str(self.runs), *names]
        made = subprocess.run(command, env=self.environment, cwd=ROOT, capture_output=True, text=True, check=False)
        assert made.returncode == 0, f"the models were not made: {made.stderr[-2000:]}"

    def deleted_run(self) -> None:
        """One in the trash."""
        delete_run(self._make())

    def settings(self, file: Path) -> None:
        """A person's settings as somebody may have handed them over; what is wrong in them is said for a while."""
        keys = "".join(f"{_toml(self.next(60))} = {_toml(self.next(60))}\n" for _ in range(3))
        text = f"theme = {_toml(self.next(60))}\n{_toml(self.next(60))} = 1\n[keys]\n{keys}{QUIET}"
        file.write_text(text, encoding="utf-8")

    def remembered(self, state: Path) -> None:
        """What the dashboard kept at its last end, in that folder for state, as somebody may have written it."""
        names = [self.next(200) for _ in range(3)]
        tried = [
            {"text": f"{self.next(200)} [MASK]", "run": self.next(60), "result": self.next(60)} for _ in range(5)
        ]
        sections = {
            "app": {"screen": self.next(60), "run": self.next(60), "theme": self.next(60)},
            "monitor": {"charts": ["loss", *names], "x": self.next(60)},
            "runs": {"sort": self.next(60), "columns": ["name", "tags", self.next(60)], "group": self.next(60)},
            "compare": {"runs": [self.next(60)], "metric": self.next(60)},
            "playground": {"word": self.next(60), "tried": tried, "run": [self.next(60), self.next(60)]},
            "launch": {"preset": self.next(60), "drafts": {self.next(60): {"optim.lr": self.next(60)}}},
            "data": {"filter": self.next(60)},
        }
        file = state / "tinytrain-tui" / "dashboard.json"
        file.parent.mkdir(parents=True, mode=0o700)
        file.write_bytes(msgspec.json.encode(sections))

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
        about = f"[preset]\nsummary = {summary}\ntitle = {title}\nsource = {source}\n"
        text = f"{about}[data]\ndataset = {dataset}\n"
        (self.presets / f"own-{number}.toml").write_text(text, encoding="utf-8")
        (self.presets / f"broken-{number}.toml").write_text(
            f"x = {_toml(self.next())}\n[model]\n{_toml(self.next())} = 1\n"
        )
        name = self.next(60).replace("/", "_").replace("\0", "_").encode("utf-8", "surrogateescape")[:200]
        with contextlib.suppress(OSError):
            Path(os.fsdecode(os.fsencode(self.presets) + b"/" + name + b"\xff.toml")).write_text(
                text, encoding="utf-8"
            )

    def preset_to_import(self) -> None:
        """The file of one that somebody sent: all is said of it before it is taken."""
        values = {name: _toml(self.next(200)) for name in ("dataset_config", "text_column", "revision")}
        lines = "".join(f"{name} = {value}\n" for name, value in values.items())
        title, summary = _toml(self.next(60)), _toml(self.next(200))
        text = f"[preset]\ntitle = {title}\nsummary = {summary}\n[data]\n{lines}"
        self.handed_preset.write_text(text, encoding="utf-8")

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
            folder.about(),
            name=name,
            tags=(self.next(100), self.next(100)),
            note=self.next(500),
            group=self.next(60),
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
