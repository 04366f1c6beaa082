"""`probe`: ask a checkpoint what it makes of a text, by way of the engine's playground process."""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from typing import Any

import msgspec

from presets.config import ConfigError
from presets.schema import MASK_TOKEN, RunConfig
from runs.events import ProbeResult
from runs.folder import RunFolder, RunNotFound, find_run, runs_dir
from runs.launch import child_environment
from runs.playground import Answer, Refusal, Reply, Request, View, said_decoder
from tui.cli_output import DONE, FAILED, WrongRequest, say, say_json, say_table, warn
from tui.cli_reference import checkpoint_name, the_run

_TIMEOUT_S = 300.0
_USUAL_TOP = 5
_WHOLE = 1_000_000  # characters: more than a model of any length goes on for
_HEAD = re.compile(r"([1-9]\d{0,3})\.([1-9]\d{0,3})", re.ASCII)
_SHADES = " ░▒▓█"
_SAMPLING = {
    "new_tokens": "--new-tokens",
    "temperature": "--temperature",
    "sample_top_k": "--draw-from",
    "top_p": "--top-p",
    "seed": "--seed",
}


def probe(options: argparse.Namespace) -> int:
    """Print the most probable words for each [MASK] of the text, how it goes on, or its labels; or other views."""
    folder = the_run(options)
    views = _views(options)
    if "predict" in views:
        _require_fitting(options, _config(folder))
    places = [(folder, checkpoint_name(options.checkpoint))]
    if options.against:
        places.append(_against(options))
    requests = [_request(options, folder, checkpoint, views) for folder, checkpoint in places]
    replies = _ask(requests)
    if replies is None:
        return FAILED
    answers = [_answer(reply) for reply in replies]
    if options.json:
        documents = [_document(answer) for answer in answers]
        say_json(documents[0] if not options.against else {"answers": documents})
        return DONE
    for (run, _), answer in zip(places, answers, strict=True):
        if options.against:
            say(f"{run.about().name} {answer.checkpoint}")
        _say_answer(answer)
    return DONE


def _views(options: argparse.Namespace) -> tuple[View, ...]:
    """What is asked for: predictions, unless other views are named. Raises WrongRequest."""
    views: list[View] = []
    if options.tokens:
        views.append("losses")
    if options.attention:
        views.append("attention")
    if options.neighbours:
        views.append("neighbours")
    if options.text is None and views != ["neighbours"]:
        raise WrongRequest("a TEXT is needed; without one only --neighbours WORD can be told")
    if len(options.text or "") > _WHOLE:
        raise WrongRequest(f"the text has more than {_WHOLE:,} characters")
    return tuple(views) or ("predict",)


def _request(options: argparse.Namespace, folder: RunFolder, checkpoint: str, views: tuple[View, ...]) -> Request:
    layer, head = _head(options.attention) if options.attention else (1, 1)
    return Request(
        run=str(folder.path),
        checkpoint=checkpoint,
        text=options.text or "",
        top_k=options.top or _USUAL_TOP,
        views=views,
        layer=layer,
        head=head,
        word=options.neighbours or "",
        neighbours=options.top or 10,
        **{name: getattr(options, name) for name in _SAMPLING},
    )


def _head(text: str) -> tuple[int, int]:
    found = _HEAD.fullmatch(text)
    if found is None:
        raise WrongRequest(f"--attention {text}: say LAYER.HEAD, both from 1, such as 2.1")
    return int(found[1]), int(found[2])


def _against(options: argparse.Namespace) -> tuple[RunFolder, str]:
    """The second checkpoint: RUN or RUN@CHECKPOINT."""
    run, _, checkpoint = options.against.partition("@")
    try:
        return find_run(runs_dir(options.runs_dir), run), checkpoint_name(checkpoint or "last")
    except RunNotFound as error:
        raise WrongRequest(f"--against: {error}") from None


def _answer(reply: Reply) -> Answer:
    """The answer; a view that was asked for and is not there is a wrong request. Raises WrongRequest."""
    if isinstance(reply, Refusal):
        for words in reply.report.splitlines():
            warn(words)
        raise WrongRequest(reply.error)
    if reply.problems:
        raise WrongRequest("; ".join(dict.fromkeys(reply.problems.values())))
    return reply


def _document(answer: Answer) -> dict[str, Any]:
    document: dict[str, Any] = msgspec.to_builtins(answer)
    return {name: value for name, value in document.items() if name not in ("said", "id", "slot", "problems")}


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


def _say_answer(answer: Answer) -> None:
    for result in answer.probes:
        _say(result, answer.checkpoint)
    if answer.loss_of:
        _say_tokens(answer)
    if answer.attention is not None:
        _say_attention(answer)
    if answer.nearest is not None:
        for nearest in answer.nearest.nearest:
            say(f"  {nearest.similarity:6.3f}  {nearest.token}")
    if answer.note:
        warn(answer.note)


def _say_tokens(answer: Answer) -> None:
    of = {
        "masked": "hidden in its turn",
        "next": "after those before it",
        "label": "of the text's label, without it",
    }
    rows = [("token", "id", "from", f"loss (nats, {of[answer.loss_of]})", "would say")]
    for token in answer.tokens:
        loss = "-" if token.loss is None else f"{token.loss:.3f}"
        guesses = ", ".join(f"{guess.token} {guess.probability:.1%}" for guess in token.guesses[:3])
        rows.append((token.token, str(token.id), token.piece.strip(), loss, guesses))
    say_table(rows)


def _say_attention(answer: Answer) -> None:
    """A row for each token: shades of what it looks at, and the three that it looks at most."""
    shown = answer.attention
    assert shown is not None
    say(f"layer {shown.layer}, head {shown.head} ({answer.checkpoint})")
    highest = max(max(row) for row in shown.weights) or 1.0
    rows = []
    for token, weights in zip(shown.tokens, shown.weights, strict=True):
        best = sorted(range(len(weights)), key=lambda at: -weights[at])[:3]
        shades = "".join(_SHADES[min(4, int(weight / highest * 5))] for weight in weights[:100])
        rows.append((token, shades, ", ".join(f"{shown.tokens[at]} {weights[at]:.1%}" for at in best)))
    width = max(len(token) for token, _, _ in rows)
    for token, shades, words in rows:
        say(f"  {token:>{width}} {shades}  {words}")


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


def _ask(requests: list[Request]) -> list[Reply] | None:
    """The playground's replies; None, and its last words on stderr, when it died."""
    try:
        done = subprocess.run(
            [sys.executable, "-m", "engine.playground"],
            input=b"".join(msgspec.json.encode(request) + b"\n" for request in requests),
            capture_output=True,
            env=child_environment(),
            timeout=_TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        warn(f"the model did not answer within {_TIMEOUT_S:.0f} s")
        return None
    replies = [reply for line in done.stdout.splitlines() if (reply := _reply(line)) is not None]
    if len(replies) == len(requests):
        return replies
    for words in done.stderr.decode("utf-8", "replace").splitlines()[-20:]:
        warn(words)
    warn(f"the model's process ended with {done.returncode} and gave no answer")
    return None


def _reply(line: bytes) -> Reply | None:
    """What the line answers; None for what else is said there."""
    try:
        said = said_decoder.decode(line)
    except (msgspec.MsgspecError, ValueError):
        return None
    return said if isinstance(said, Answer | Refusal) else None
