"""`probe`: ask a checkpoint what it makes of a text, by way of the engine's playground process."""

from __future__ import annotations

import argparse
import subprocess
import sys
from typing import Any

import msgspec

from presets.config import ConfigError
from presets.schema import MASK_TOKEN, RunConfig
from runs.events import ProbeResult
from runs.folder import RunFolder
from runs.launch import child_environment
from tui.cli_output import DONE, FAILED, WrongRequest, say, say_json, warn
from tui.cli_reference import checkpoint_name, the_run

_TIMEOUT_S = 300.0
_USUAL_TOP = 5
_WHOLE = 1_000_000  # characters: more than a model of any length goes on for
_SAMPLING = {
    "new_tokens": "--new-tokens",
    "temperature": "--temperature",
    "sample_top_k": "--draw-from",
    "top_p": "--top-p",
    "seed": "--seed",
}


class _Answer(msgspec.Struct):
    probes: tuple[ProbeResult, ...] = ()
    checkpoint: str = ""
    error: str = ""
    note: str = ""


def probe(options: argparse.Namespace) -> int:
    """Print the most probable words for each [MASK] of the text, how it goes on, or its labels."""
    folder = the_run(options)
    _require_fitting(options, _config(folder))
    request = {
        "run": str(folder.path),
        "checkpoint": checkpoint_name(options.checkpoint),
        "text": options.text,
        "top_k": options.top or _USUAL_TOP,
        **{name: getattr(options, name) for name in _SAMPLING},
    }
    reply = _ask(request)
    if reply is None:
        return FAILED
    answer = msgspec.json.decode(reply, type=_Answer)
    if answer.error:
        raise WrongRequest(answer.error)
    if options.json:
        say_json(msgspec.json.decode(reply))
        return DONE
    for result in answer.probes:
        _say(result, answer.checkpoint)
    if answer.note:
        warn(answer.note)
    return DONE


def _config(folder: RunFolder) -> RunConfig:
    try:
        return folder.config()
    except (OSError, ConfigError) as error:
        raise WrongRequest(f"the settings of {folder.about().name} cannot be read: {error}") from None


def _require_fitting(options: argparse.Namespace, config: RunConfig) -> None:
    """Say what the model cannot do with this text before a process is started for it. Raises WrongRequest."""
    kind = config.objective.kind
    if kind in ("nsp", "sop") and not config.objective.has_masks:
        message = "this model learnt to fill none: the masks have no weight in this run (objective.mlm_weight)"
        raise WrongRequest(f"no {MASK_TOKEN} is filled: {message}")
    if config.objective.has_masks and MASK_TOKEN not in options.text:
        raise WrongRequest(f"the text has no {MASK_TOKEN}: {options.text!r}")
    if kind == "clm" and MASK_TOKEN in options.text:
        message = f"the text has a {MASK_TOKEN}, and this is a causal model: it goes on from a beginning"
        raise WrongRequest(f"{message}: {options.text!r}")
    given = [option for name, option in _SAMPLING.items() if getattr(options, name) is not None]
    if given and kind != "clm":
        raise WrongRequest(f"{given[0]} is for causal models; this one's objective is {kind}")
    if options.top is None:
        return
    if kind == "clm":
        raise WrongRequest("--top is for masks and labels; how a causal model draws is said with --draw-from")
    if options.top < 1:
        raise WrongRequest(f"--top {options.top}: at least 1")


def _say(result: ProbeResult, checkpoint: str) -> None:
    if result.masks:
        say(f"{result.text}  ({checkpoint})", limit=_WHOLE)
    else:
        say(f"{result.text}{result.generated}", limit=_WHOLE)
        say(f"  ({checkpoint})")
    for place, candidates in enumerate(result.masks, 1):
        if len(result.masks) > 1:
            say(f"{MASK_TOKEN} {place}")
        for candidate in candidates:
            say(f"  {100 * candidate.probability:5.1f} %  {candidate.token}")
    if result.num_unknown:
        say(f"  {result.num_unknown} of its words are not in the vocabulary")


def _ask(request: dict[str, Any]) -> bytes | None:
    """The playground's reply line; None, and its last words on stderr, when it died."""
    try:
        done = subprocess.run(
            [sys.executable, "-m", "engine.playground"],
            input=msgspec.json.encode(request) + b"\n",
            capture_output=True,
            env=child_environment(),
            timeout=_TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        warn(f"the model did not answer within {_TIMEOUT_S:.0f} s")
        return None
    for line in reversed(done.stdout.splitlines()):
        if line.startswith(b"{"):
            return line
    for words in done.stderr.decode("utf-8", "replace").splitlines()[-20:]:
        warn(words)
    warn(f"the model's process ended with {done.returncode} and gave no answer")
    return None
