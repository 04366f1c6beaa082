"""`python -m engine.analysis RUN --checkpoint best --kinds attention,calibration --sentence "…"`.

Prints what it does and what it has stored as JSON lines (see `runs.analysis_process`). An answer that is there
already, about the same checkpoint and data, is not made again. Returns 0, or 3 when something was refused.
"""

from __future__ import annotations

import argparse
import os
import sys
import threading
import time
import traceback
from pathlib import Path
from typing import get_args

import msgspec

from engine.analysis.attention import analyse_attention
from engine.analysis.calibration import analyse_calibration
from engine.analysis.neighbours import analyse_neighbours
from engine.analysis.predictions import Predictions, read_predictions
from engine.analysis.sentence_losses import analyse_sentence
from engine.analysis.subject import AnalysisError, Judged, Subject, open_judged, open_subject
from engine.analysis.token_losses import analyse_token_losses
from engine.checkpoints import CheckpointError
from engine.data.documents import DataError
from presets.config import ConfigError
from runs.analysis import KINDS, OF_A_SENTENCE, OF_THE_DATA, Kind, Question, Result
from runs.analysis_files import analysis_file, read_result, write_result
from runs.analysis_process import REFUSED, Progress, Refused, Said, Stored
from runs.folder import RunFolder

_REPORT_EVERY_S = 0.2
_MISTAKES = (AnalysisError, CheckpointError, ConfigError, DataError, OSError)


def main(arguments: list[str] | None = None) -> int:
    """Answer what the command line asks."""
    options = _options(arguments)
    if options.attached:
        threading.Thread(target=_end_with_input, daemon=True).start()
    os.umask(0o077)
    os.nice(5)  # a run that trains goes first
    question = Question(
        sentence=options.sentence, words=tuple(options.word), neighbours=options.neighbours, points=options.points,
        most=options.most, min_count=options.min_count, bins=options.bins,
    )  # fmt: skip
    kinds: tuple[Kind, ...] = tuple(dict.fromkeys(kind for kind in options.kinds.split(",") if kind))
    unknown = [kind for kind in kinds if kind not in get_args(Kind)]
    problem = f"{unknown[0]!r} is no analysis; there is {', '.join(KINDS)}" if unknown else question.problem(kinds)
    if problem:
        _say(Refused(problem))
        return REFUSED
    folder = RunFolder(options.run.resolve())
    try:
        subject = open_subject(folder, options.checkpoint)
    except (*_MISTAKES, ValueError) as error:
        _say(Refused(str(error) or type(error).__name__))
        return REFUSED
    analyst = _Analyst(subject, question)
    answered = [analyst.answer(kind) for kind in kinds]  # every one, also after a refusal
    return 0 if all(answered) else REFUSED


class _Analyst:
    """Answers about one checkpoint; the data are opened and read at most once."""

    def __init__(self, subject: Subject, question: Question) -> None:
        self._subject = subject
        self._question = question
        self._judged: Judged | None = None
        self._problem: Exception | None = None
        self._predictions: Predictions | None = None
        self._said = 0.0

    def answer(self, kind: Kind) -> bool:
        """Store one answer, or say why not; whether it is there."""
        subject = self._subject
        path = analysis_file(subject.folder, subject.name, kind, self._question)
        began = time.monotonic()
        try:
            if self._holds(kind, read_result(path)):
                _say(Stored(kind, str(path), was_there=True))
                return True
            result = self._made(kind)
            judged = self._judged if kind in OF_THE_DATA else None
            notes = (*self._notes(kind), *result.notes, *(judged.notes if judged else ()))
            whole = msgspec.structs.replace(
                result,
                question=self._question.of(kind),
                checkpoint=subject.name,
                step=subject.step,
                manifest=subject.manifest,
                data=judged.fingerprint if judged else "",
                notes=notes,
                seconds=round(time.monotonic() - began, 3),
            )
            write_result(path, whole)
        except _MISTAKES as error:
            _say(Refused(str(error) or type(error).__name__, kind))
            return False
        except Exception as error:  # noqa: BLE001 (a defect of ours, told in full; the other kinds go on)
            _say(Refused(f"{type(error).__name__}: {error}", kind, traceback.format_exc()))
            return False
        _say(Stored(kind, str(path)))
        return True

    def _holds(self, kind: Kind, stored: Result | None) -> bool:
        """Whether a stored answer is about this checkpoint as it is, and about the data as they are."""
        if stored is None or stored.manifest != self._subject.manifest or not stored.manifest:
            return False
        if stored.question != self._question.of(kind):
            return False
        if kind not in OF_THE_DATA:
            return True
        judged = self._data(kind)
        return stored.data == (judged.fingerprint if judged else "")

    def _notes(self, kind: Kind) -> tuple[str, ...]:
        """What holds for every answer of this kind."""
        notes: tuple[str, ...] = (self._subject.note,) if self._subject.note else ()
        objective = self._subject.config.objective.kind
        if kind in OF_A_SENTENCE and objective in ("nsp", "sop"):
            notes += ("the model was trained on pairs of texts, and this is one text alone",)
        return notes

    def _made(self, kind: Kind) -> Result:
        _say(Progress(f"{kind} of {self._subject.name}", 0, 0, "sequences"))
        subject, question = self._subject, self._question
        if kind == "attention":
            return analyse_attention(subject, question)
        if kind == "sentence-losses":
            return analyse_sentence(subject, question)
        judged = self._data(kind)
        if kind == "neighbours":
            return analyse_neighbours(subject, question, judged)
        assert judged is not None
        if self._predictions is None:
            self._predictions = read_predictions(subject, judged, self._now_and_then)
        if kind == "token-losses":
            return analyse_token_losses(subject, question, judged, self._predictions)
        return analyse_calibration(subject, question, judged, self._predictions)

    def _data(self, kind: Kind) -> Judged | None:
        """The run's data; None when the cache is gone and this kind can do without. Raises what opening raised."""
        if self._judged is None and self._problem is None:
            try:
                self._judged = open_judged(self._subject)
            except (AnalysisError, DataError) as error:
                self._problem = error
        if self._problem is not None and kind != "neighbours":
            raise self._problem
        return self._judged

    def _now_and_then(self, progress: Progress) -> None:
        now = time.monotonic()
        if progress.done == progress.total or now - self._said >= _REPORT_EVERY_S:
            self._said = now
            _say(progress)


def _options(arguments: list[str] | None) -> argparse.Namespace:
    usual = Question()
    parser = argparse.ArgumentParser(prog="python -m engine.analysis", description=__doc__, allow_abbrev=False)
    parser.add_argument("run", type=Path)
    parser.add_argument("--checkpoint", default="last")
    parser.add_argument("--kinds", default=",".join(OF_THE_DATA))
    parser.add_argument("--sentence", default=usual.sentence)
    parser.add_argument("--word", action="append", default=[])
    parser.add_argument("--neighbours", type=int, default=usual.neighbours)
    parser.add_argument("--points", type=int, default=usual.points)
    parser.add_argument("--most", type=int, default=usual.most)
    parser.add_argument("--min-count", type=int, default=usual.min_count)
    parser.add_argument("--bins", type=int, default=usual.bins)
    parser.add_argument("--attached", action="store_true", help="end when the input ends")
    return parser.parse_args(arguments)


def _say(said: Said) -> None:
    os.write(1, msgspec.json.encode(said) + b"\n")


def _end_with_input() -> None:
    while os.read(0, 4096):
        pass
    os._exit(1)


if __name__ == "__main__":
    status = main()
    sys.stderr.flush()
    os._exit(status)  # the thread that waits for the input's end is not waited for
