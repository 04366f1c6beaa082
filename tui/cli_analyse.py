"""`analyse`: what a checkpoint has learned, by way of the engine's analysis process; and what its curves say."""

from __future__ import annotations

import argparse
from typing import Any, Literal

from presets.config import ConfigError
from runs.analysis import (
    BOUNDS,
    KINDS,
    OF_A_SENTENCE,
    Attention,
    Calibration,
    Kind,
    Neighbours,
    Question,
    Result,
    SentenceLosses,
    TokenLosses,
)
from runs.analysis_process import Progress, Refused, Stored, start_analysis
from runs.folder import RunFolder
from runs.verdict import Verdict
from runs.verdict_file import current_verdict
from tui.analysis_lines import (
    attention_lines,
    calibration_lines,
    neighbour_lines,
    sentence_lines,
    token_lines,
    verdict_lines,
)
from tui.cli_output import DONE, FAILED, WrongRequest, say, say_json, warn
from tui.cli_reference import checkpoint_name, the_run
from tui.cli_status_line import StatusLine
from tui.progress_words import progress_words

VERDICT = "verdict"
CHOICES = (VERDICT, *KINDS)
_ROWS: dict[Kind, Literal["neighbours", "most"]] = {"neighbours": "neighbours", "token-losses": "most"}


def analyse(options: argparse.Namespace) -> int:
    """Print, or give as JSON, every analysis that was asked for."""
    folder = the_run(options)
    kinds = _kinds(options)
    _require_rows(kinds, options)
    _require_part(folder, kinds, options)
    verdict = current_verdict(folder).verdict if VERDICT in (options.kind or CHOICES) else None
    results: list[Result] = []
    refusals: list[Refused] = []
    if kinds:
        results, refusals = _ask(folder, kinds, options)
    if options.json:
        say_json(_document(verdict, results, refusals))
    else:
        _say_all(verdict, results, refusals, options)
    return FAILED if refusals else DONE


def _kinds(options: argparse.Namespace) -> tuple[Kind, ...]:
    """What the engine is to answer: what was named, or all that can be told without or with a sentence."""
    if options.kind:
        return tuple(kind for kind in KINDS if kind in options.kind)
    has_sentence = bool(options.sentence.strip())
    return tuple(kind for kind in KINDS if has_sentence or kind not in OF_A_SENTENCE)


def _ask(
    folder: RunFolder, kinds: tuple[Kind, ...], options: argparse.Namespace
) -> tuple[list[Result], list[Refused]]:
    """Have them made, and read them. Raises WrongRequest for what cannot be asked at all."""
    rows = {_ROWS[kind]: options.top for kind in kinds if kind in _ROWS}
    question = Question(sentence=options.sentence, words=tuple(options.word), **rows)
    results: list[Result] = []
    refusals: list[Refused] = []
    line = StatusLine(quiet=options.json)
    try:
        process = start_analysis(folder, checkpoint_name(options.checkpoint), kinds, question)
    except ValueError as error:
        raise WrongRequest(str(error)) from None
    with process:
        for said in process.answers():
            if isinstance(said, Progress):
                line.show(progress_words(said), said.phase)
            elif isinstance(said, Stored):
                result = said.read()
                if result is None:
                    refusals.append(Refused("its file was removed before it could be read", said.kind))
                else:
                    results.append(result)
            elif not said.kind and not said.report:
                line.clear()
                raise WrongRequest(said.error)
            else:
                refusals.append(said)
    line.clear()
    return results, refusals


def _require_rows(kinds: tuple[Kind, ...], options: argparse.Namespace) -> None:
    """Raises WrongRequest for a number of rows that a table cannot have."""
    bounds = [BOUNDS[_ROWS[kind]] for kind in kinds if kind in _ROWS]
    most = min((high for _, high in bounds), default=options.top)
    if bounds and not 1 <= options.top <= most:
        raise WrongRequest(f"--top {options.top}: a table has 1 to {most:,} rows")


def _require_part(folder: RunFolder, kinds: tuple[Kind, ...], options: argparse.Namespace) -> None:
    """Say that a layer or head goes unused. Raises WrongRequest for one that the model has not."""
    if not options.layer and not options.head:
        return
    if "attention" not in kinds:
        given = "--layer" if options.layer else "--head"
        warn(f"{given} is not used: no attention was asked for, which takes a --sentence")
        return
    try:
        model = folder.config().model
    except (OSError, ConfigError) as error:
        raise WrongRequest(f"the settings of {folder.about().name} cannot be read: {error}") from None
    for name, wanted, there in (
        ("layer", options.layer, model.num_layers),
        ("head", options.head, model.num_heads),
    ):
        if not 0 <= wanted <= there:
            raise WrongRequest(f"--{name} {wanted}: the model has {name}s 1 to {there}")


def _document(verdict: Verdict | None, results: list[Result], refusals: list[Refused]) -> dict[str, Any]:
    document: dict[str, Any] = {}
    if verdict is not None:
        document[VERDICT] = verdict
    for result in results:
        document["checkpoint"], document["step"] = result.checkpoint, result.step
        document[str(result.__struct_config__.tag)] = result
    document["refused"] = {refused.kind: refused.error for refused in refusals}
    return document


def _say_all(
    verdict: Verdict | None, results: list[Result], refusals: list[Refused], options: argparse.Namespace
) -> None:
    blocks: list[list[str]] = []
    if verdict is not None:
        blocks.append(verdict_lines(verdict))
    for result in results:
        blocks.append([*_lines(result, options), *(f"  ! {note}" for note in result.notes)])
    for number, block in enumerate(blocks):
        if number:
            say()
        for words in block:
            say(words)
    for refused in refusals:
        warn(f"{refused.kind}: {refused.error}" if refused.kind else refused.error)
        for words in refused.report.splitlines():
            warn(f"  {words}")


def _lines(result: Result, options: argparse.Namespace) -> list[str]:
    match result:
        case Attention():
            return attention_lines(result, options.layer, options.head)
        case Neighbours():
            return neighbour_lines(result)
        case TokenLosses():
            return token_lines(result)
        case SentenceLosses():
            return sentence_lines(result)
        case Calibration():
            return calibration_lines(result)
