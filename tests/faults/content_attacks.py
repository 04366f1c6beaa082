"""Settings, records and names as a stranger would write them: endless, nested, beyond every number."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from pathlib import Path

from runs.folder import RunFolder
from runs.records import seal
from tests.faults.file_attacks import CHECKPOINT, Attack
from tests.faults.resealing import reseal


def content_attacks() -> list[Attack]:
    """All of them."""
    return [
        Attack(f"{kind}: {name}", kind, act)
        for kind, cases in (("config", _CONFIGS), ("records", _RECORDS), ("names", _NAMES))
        for name, act in cases.items()
    ]


def _config(text: str | bytes) -> Callable[[RunFolder, Path], None]:
    def apply(run: RunFolder, outside: Path) -> None:
        content = text.encode() if isinstance(text, str) else text
        for path in (run.config_file, run.path / CHECKPOINT / "config.toml"):
            path.write_bytes(content.replace(b"OUTSIDE", str(outside).encode()))
        reseal(run.path / CHECKPOINT)

    return apply


_CONFIGS: dict[str, Callable[[RunFolder, Path], None]] = {
    "a million keys": _config("[optim]\n" + "\n".join(f"key{i} = 1" for i in range(1_000_000))),
    "a million sections": _config("\n".join(f"[section{i}]" for i in range(1_000_000))),
    "a key of 30,000 dots": _config(".".join("a" * 30_001) + " = 1"),
    "a table of 100,000 dots": _config("[" + ".".join("a" * 100_000) + "]"),
    "quoted dots": _config('"a".' * 20_000 + '"a" = 1'),
    "dots after a string": _config('x = """\n"""""\n' + ".".join("a" * 30_001) + " = 1"),
    "deep lists": _config("a = " + "[" * 100_000 + "]" * 100_000),
    "a number of 5,000 digits": _config("[train]\nmax_steps = " + "1" * 5000),
    "a hexadecimal number of 100,000 digits": _config("[optim]\nlr = 0x" + "f" * 100_000),
    "a number for a text": _config("[data]\ndataset = 0x" + "f" * 10_000),
    "no UTF-8": _config(b"\xff\xfe\x00\x01"),
    "a terminal's commands": _config("[\x1b]0;evil\x07]\n"),
    "the whole disk as data": _config('[data]\nsource = "files"\ndataset = "/"\n'),
    "a tokenizer from outside": _config('[data]\ntokenizer = "existing"\ntokenizer_from = "OUTSIDE/pipe.json"\n'),
    "starting from itself": _config('[model]\nstart_from = "run:last"\n'),
    "a stranger's machine": _config('[launch]\nnum_nodes = 2\nrendezvous = "evil.example:29500"\n'),
}


def _lines(*lines: bytes, in_events: bool) -> Callable[[RunFolder, Path], None]:
    def apply(run: RunFolder, outside: Path) -> None:
        attempt = run.attempt(1)
        with (attempt.events_file if in_events else attempt.metrics_file).open("ab") as file:
            file.write(b"".join(lines))
        attempt.outcome_file.unlink(missing_ok=True)  # so that everything is read again

    return apply


_ODD: dict[str, bytes] = {
    "a deep record": seal(b'{"loss":' + b"[" * 100_000 + b"]" * 100_000 + b"}"),
    "a number beyond float": seal(b'{"step":20,"loss":' + b"9" * 4000 + b"}"),
    "a number of 100,000 digits": seal(b'{"step":20,"loss":' + b"9" * 100_000 + b"}"),
    "a step beyond float": seal(b'{"step":' + b"9" * 400 + b',"loss":1}'),
    "a step beyond 64 bits": seal(b'{"step":99999999999999999999,"loss":1,"elapsed_s":1e400,"tokens":-1}'),
    "infinite": seal(b'{"step":1e999,"loss":1e999,"time":1e999,"elapsed_s":1e999}'),
    "a negative step": seal(b'{"step":-5,"loss":1,"time":-1e300,"elapsed_s":-1e300}'),
    "texts for numbers": seal(b'{"step":"x","loss":{},"time":[],"elapsed_s":null,"tokens":true}'),
    "no step": seal(b'{"loss":1}'),
    "not an object": seal(b"[1,2,3]"),
    "100,000 metrics": seal(b'{"step":20,' + b",".join(b'"m%d":1' % i for i in range(100_000)) + b"}"),
    "a line of 40 MB": b'"' * (40 << 20) + b"\n",
    "an event from nowhere": seal(b'{"kind":"nobody_knows","step":1}'),
    "an event of a wrong kind": seal(b'{"kind":"attempt_started","step":{},"dataset":[]}'),
    "an event that is no word": seal(b'{"kind":["attempt_started"],"step":1}'),
    "steps backwards": seal(b'{"kind":"control_answered","step":-9,"total_steps":-1,"verb":"steps"}'),
    "a key that is a path": seal(
        b'{"kind":"attempt_started","step":0,"dataset":"x","device":"cpu","precision":"fp32","num_processes":1,'
        b'"num_parameters":1,"total_steps":10,"vocab_size":9,"train_rows":1,"validation_rows":1,"train_tokens":1,'
        b'"tokens_per_step":1,"unknown_rate":0.0,"token_cache":"../../../outside"}'
    ),
    "a huge evaluation": seal(
        b'{"kind":"evaluated","step":'
        + b"9" * 30
        + b',"loss":1e308,"perplexity":1,"accuracy":1,"accuracy_known":1}'
    ),
    "a loss beyond float": seal(
        b'{"kind":"evaluated","step":20,"loss":' + b"9" * 400 + b',"perplexity":1,"accuracy":1,"accuracy_known":1}'
    ),
    "steps beyond 64 bits": seal(b'{"kind":"control_answered","step":1,"total_steps":' + b"9" * 30 + b"}"),
    "a time beyond the calendar": seal(b'{"kind":"notice","step":1,"time":1e300,"message":"x","level":"info"}'),
}
_RECORDS: dict[str, Callable[[RunFolder, Path], None]] = {
    f"{name} in {where}": _lines(line, in_events=where == "events")
    for name, line in _ODD.items()
    for where in ("metrics", "events")
}


def _named(folder: str, *names: str) -> Callable[[RunFolder, Path], None]:
    def apply(run: RunFolder, outside: Path) -> None:
        for name in names:
            with contextlib.suppress(FileExistsError):
                (run.path / folder / name).mkdir()

    return apply


def _times(field: str, value: object) -> Callable[[RunFolder, Path], None]:
    def apply(run: RunFolder, outside: Path) -> None:
        paths = (run.about_file, run.attempt(1).outcome_file, run.state_file)
        for path in paths:
            held = json.loads(path.read_bytes()) if path.exists() else {}
            path.write_text(json.dumps(held | {field: value}))

    return apply


_NAMES: dict[str, Callable[[RunFolder, Path], None]] = {
    "attempts of odd numbers": _named(
        "attempts", "0", "1", "-1", "00001", "٠٠٠٢", "9" * 200, "0002x", " 0003", "0x10"
    ),
    "an attempt of a huge number": _named("attempts", "999999999"),
    "500 attempts": _named("attempts", *(f"{number:04d}" for number in range(2, 502))),
    "checkpoints of odd names": _named(
        "checkpoints",
        "step-",
        "step-0000001x",
        "step-" + "9" * 18,
        "step-" + "9" * 200,
        "step-٠٠٠٠٠٠٢٠",
        "step-00000030",
    ),
    "names of commands": _named("checkpoints", "\x1b[2J", "-rf", "$(touch evil)", "a\nb"),
    "requests that are folders": _named("control", "1.json", "2.json"),
    "a time beyond the calendar": _times("created", 1e300),
    "an end beyond the calendar": _times("ended", 1e300),
    "a state since ever": _times("since", -1e300),
    "endless seconds": _times("elapsed_s", 1e308),
    "steps beyond 64 bits": _times("step", 10**30),
    "a name that is a number": _times("name", 5),
}
