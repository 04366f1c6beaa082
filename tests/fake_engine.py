"""A stand-in for `python -m engine` without torch: behaves as the scenario in FAKE_ENGINE says.

`install` makes a package `engine` that runs this file; a folder with it goes in front of PYTHONPATH.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

SCENARIO = "FAKE_ENGINE"


def install(directory: Path) -> Path:
    """Write the packages `engine` and `engine.playground` into the directory, and return it."""
    package = directory / "engine"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    line = f"import runpy; runpy.run_path({str(Path(__file__).resolve())!r}, run_name='__%s__')\n"
    (package / "__main__.py").write_text(line % "engine")
    (package / "playground.py").write_text(line % "playground")
    return directory


class FakeEngine:
    """One attempt that learns nothing; rank 0 writes records like the real one."""

    def __init__(self) -> None:
        from runs.folder import RunFolder

        self.scenario = os.environ.get(SCENARIO, "trains")
        self.rank = int(os.environ.get("RANK", "0"))
        self.folder = RunFolder(Path(sys.argv[1]))
        self.attempt = self.folder.attempt(int(sys.argv[sys.argv.index("--attempt") + 1]))
        self.step = 0
        self.num_steps = int(os.environ.get("FAKE_STEPS", "1000000"))
        self.must_stop = False
        self.ending = "stopped"
        self.lr = 0.001
        self.began = time.monotonic()
        if self.rank == 0:
            from runs.records import RecordWriter

            self.metrics = RecordWriter(self.attempt.metrics_file)
            self.events = RecordWriter(self.attempt.events_file)

    def run(self) -> int:
        """Play the scenario; returns the exit code."""
        print("fake engine says hello", flush=True)
        time.sleep(float(os.environ.get("FAKE_START_S", "0")))
        if self.scenario == "never begins":
            time.sleep(3600)
        if self.scenario == "exits with 3":
            print("Traceback: the dog ate the tokenizer", file=sys.stderr, flush=True)
            return 3
        if self.scenario == "runs out of disk":
            print("OSError: [Errno 28] No space left on device: 'x'", file=sys.stderr, flush=True)
            return 1
        self._begin()
        if self.scenario == "kills itself":
            os.kill(os.getpid(), signal.SIGKILL)
        if self.scenario == "raises":
            return self._raise("ValueError", "the loss is not finite")
        if self.scenario in ("ignores requests", "ignores everything", "ignores everything, with a child"):
            ignored = self.scenario != "ignores requests"
            signal.signal(signal.SIGTERM, signal.SIG_IGN if ignored else self._on_signal)
        else:
            signal.signal(signal.SIGTERM, self._on_signal)
        if "child" in self.scenario:
            self._spawn_child()
        if self.scenario == "rank 1 is killed":
            return self._lose_a_rank()
        while self.step < self.num_steps and not self._stops():
            self._make_step()
        return self._end(self.ending if self.must_stop else "finished")

    def _on_signal(self, number: int, frame: object) -> None:
        self.must_stop = True

    def _begin(self) -> None:
        if self.rank:
            return
        from runs.events import AttemptStarted

        resume = sys.argv[sys.argv.index("--resume") + 1] if "--resume" in sys.argv else ""
        if resume:
            self.step = 10
        self._say(
            AttemptStarted(
                step=self.step,
                dataset="addresses (embedded)",
                device="cpu",
                precision="fp32",
                num_processes=int(os.environ.get("WORLD_SIZE", "1")),
                num_parameters=1000,
                total_steps=self.num_steps,
                vocab_size=100,
                train_rows=10,
                validation_rows=2,
                train_tokens=1000,
                tokens_per_step=100,
                unknown_rate=0.0,
                resumed_from=resume,
            )
        )

    def _say(self, event: object) -> None:
        import msgspec

        self.events.write(msgspec.structs.replace(event, time=time.time(), step=self.step))

    def _make_step(self) -> None:
        time.sleep(0.01)
        self.step += 1
        if self.rank or (self.scenario == "falls silent" and self.step > 3):
            return
        from runs.events import Evaluated

        elapsed_s = time.monotonic() - self.began
        loss = 5.0 + 1 / self.step
        self.metrics.write(
            {
                "step": self.step,
                "time": time.time(),
                "elapsed_s": elapsed_s,
                "tokens": self.step * 100,
                "loss": loss,
                "lr": self.lr,
                "tokens_per_second": 10_000.0,
            }
        )
        if self.step % 5 == 0:
            self.metrics.write(
                {
                    "step": self.step,
                    "time": time.time(),
                    "elapsed_s": elapsed_s,
                    "tokens": self.step * 100,
                    "val_loss": loss,
                    "val_perplexity": 150.0,
                    "val_accuracy": 0.1,
                    "val_accuracy_known": 0.1,
                }
            )
            self._say(Evaluated(loss=loss, perplexity=150.0, accuracy=0.1, accuracy_known=0.1, is_best=True))

    def _stops(self) -> bool:
        if self.must_stop:
            return True
        if self.rank:
            return self.attempt.outcome_file.exists()
        if self.scenario.startswith("ignores"):
            return False
        from runs import control
        from runs.events import ControlAnswered

        for request in control.pending(self.folder):
            if request.verb == "kill":
                continue
            accepted, message = self._grant(request.verb, request.value)
            self._say(
                ControlAnswered(
                    request=request.id, verb=request.verb, accepted=accepted, message=message,
                    value=request.value, total_steps=self.num_steps,
                )
            )  # fmt: skip
            control.answer(self.folder, request)
        return self.must_stop

    def _grant(self, verb: str, value: str) -> tuple[bool, str]:
        """Do what is asked for, as the real engine does; returns whether, and the answer."""
        from runs.control import read_rate, read_steps

        if verb in ("stop", "pause"):
            self.must_stop, self.ending = True, "paused" if verb == "pause" else "stopped"
            return True, "saving, then ending"
        if verb == "lr":
            rate = read_rate(value)
            wanted = self.lr * rate.number if rate.is_factor else rate.number
            if wanted > 1:
                return False, f"learning rate: it would rise to {wanted:.3g}, above the limit 1"
            before, self.lr = self.lr, wanted
            return True, f"learning rate {wanted:.3g} from step {self.step + 1:,} on, before {before:.3g}"
        if verb == "steps":
            steps = read_steps(value)
            before, total = self.num_steps, self.num_steps + steps.count if steps.is_difference else steps.count
            self.num_steps = max(total, self.step)
            return True, f"the run ends at step {self.num_steps:,}, before {before:,}"
        if verb == "probe":
            return False, "the run has no probes (probes.texts is empty)"
        return True, f"{verb} done at step {self.step:,}"

    def _end(self, state: str) -> int:
        if self.rank:
            return 0
        import msgspec

        from runs.events import AttemptEnded, CheckpointSaved
        from runs.folder import write_atomically
        from runs.status import Outcome

        time.sleep(float(os.environ.get("FAKE_SAVE_S", "0")))
        name = f"step-{self.step:08d}"
        (self.folder.checkpoints_dir / name).mkdir(exist_ok=True)
        (self.folder.checkpoints_dir / "last").write_text(f"{name}\n")
        self._say(CheckpointSaved(name=name, is_best=True, num_bytes=1, elapsed_s=0.01))
        self._say(AttemptEnded(state=state, reason="as asked"))
        outcome = Outcome(
            state=state,
            reason="as asked",
            step=self.step,
            total_steps=self.num_steps,
            best_loss=5.0,
            best_step=self.step,
            last_loss=5.0,
            elapsed_s=time.monotonic() - self.began,
            ended=time.time(),
            exit_code=0,
        )
        write_atomically(self.attempt.outcome_file, msgspec.json.encode(outcome))
        return 0

    def _raise(self, exception: str, message: str) -> int:
        import msgspec

        from runs.status import ErrorReport

        report = ErrorReport(
            rank=self.rank,
            exception=exception,
            message=message,
            traceback=f"…\n{exception}: {message}",
            time=time.time(),
            monotonic_ns=time.monotonic_ns(),
            step=self.step,
        )
        path = self.attempt.ranks_dir / f"error-{self.rank}.json"
        path.write_bytes(msgspec.json.encode(report))
        return 1

    def _lose_a_rank(self) -> int:
        if self.rank == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        while not self.must_stop:
            time.sleep(0.01)
        return self._raise("RuntimeError", "Connection closed by peer")

    def _spawn_child(self) -> None:
        """A data worker: in a session of its own, deaf to SIGTERM, and for one scenario without our tag."""
        environment = dict(os.environ)
        if self.scenario == "leaves a child without a tag":
            del environment["TINYTRAIN_RUN_TAG"]
        code = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        code += "print('up', flush=True); time.sleep(3600)"
        child = subprocess.Popen(
            [sys.executable, "-c", code], env=environment, start_new_session=True, stdout=subprocess.PIPE
        )
        assert child.stdout is not None
        child.stdout.readline()
        (self.attempt.path / "child.pid").write_text(str(child.pid))


def play() -> None:
    """The playground: one JSON reply a line for every request a line."""
    import json

    for line in sys.stdin:
        request = json.loads(line)
        if request["checkpoint"] == "best":
            reply = {"said": "refusal", "error": "there is no checkpoint best"}
        else:
            words = [{"token": f"word{rank}", "probability": 0.5 / (rank + 1)} for rank in range(request["top_k"])]
            masks = [words] * request["text"].count("[MASK]")
            probe = {"text": request["text"], "masks": masks, "num_unknown": 0}
            reply = {"said": "answer", "probes": [probe], "checkpoint": "step-00000010"}
        print(json.dumps(reply), flush=True)


if __name__ == "__engine__":
    raise SystemExit(FakeEngine().run())
if __name__ == "__playground__":
    play()
