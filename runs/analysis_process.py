"""Has a checkpoint analysed: the child process `python -m engine.analysis`, and what it says.

It prints a line for every Progress, Stored and Refused. It ends with its stdin, so it never outlives its reader.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec

from runs.analysis import KINDS, Kind, Question, Result
from runs.analysis_files import read_result
from runs.folder import RunFolder
from runs.line_process import LineProcess
from runs.pace import Pace

REFUSED = 3  # exit status of a child that said of something why it has no answer


class Progress(msgspec.Struct, frozen=True, tag="progress", tag_field="said"):
    """How far an analysis is; the fields are those of `tui.progress_words.Step`."""

    phase: str
    done: int
    total: int
    unit: str
    rate: float | None = None
    eta_s: float | None = None


class Stored(msgspec.Struct, frozen=True, tag="stored", tag_field="said"):
    """An answer is in its file. was_there: it had been made before."""

    kind: Kind
    path: str
    was_there: bool = False

    def read(self) -> Result | None:
        """The answer; None when somebody cleared the cache in between."""
        return read_result(Path(self.path))


class Refused(msgspec.Struct, frozen=True, tag="refused", tag_field="said"):
    """Why there is no answer. kind: empty when it holds for all. report: the traceback of a defect of ours."""

    error: str
    kind: str = ""
    report: str = ""


Said = Progress | Stored | Refused
_decoder: msgspec.json.Decoder[Said] = msgspec.json.Decoder(Said)


def start_analysis(
    folder: RunFolder,
    checkpoint: str = "last",
    kinds: tuple[Kind, ...] = KINDS,
    question: Question | None = None,
) -> AnalysisProcess:
    """Start the child; call it off the event loop. Raises ValueError for what cannot be asked, OSError."""
    question = question or Question()
    problem = question.problem(kinds)
    if problem:
        raise ValueError(problem)
    return AnalysisProcess(folder, checkpoint, kinds, question)


class AnalysisProcess(LineProcess):
    """One child at work; a context manager, which ends it. What it has stored stays."""

    def __init__(self, folder: RunFolder, checkpoint: str, kinds: tuple[Kind, ...], question: Question) -> None:
        super().__init__(
            "engine.analysis",
            *(str(folder.path), "--attached"),
            *(f"--checkpoint={checkpoint}", f"--kinds={','.join(kinds)}", f"--sentence={question.sentence}"),
            *(f"--word={word}" for word in question.words),
            *(f"--neighbours={question.neighbours}", f"--points={question.points}", f"--most={question.most}"),
            *(f"--min-count={question.min_count}", f"--bins={question.bins}"),
            # other runs that the configuration names lie beside this one
            environment={"TINYTRAIN_RUNS": str(folder.path.parent)},
        )

    def answers(self) -> Iterator[Said]:
        """Progress as it comes, a Stored or Refused for each kind; nothing more once it was closed."""
        pace = Pace()
        for line in self.lines():
            try:
                said = _decoder.decode(line)
            except (msgspec.MsgspecError, ValueError):
                continue  # a library printed something of its own
            if isinstance(said, Progress):
                rate, eta_s = pace.measure(said.phase, said.done, said.total)
                said = msgspec.structs.replace(said, rate=rate, eta_s=eta_s)
            yield said
        if not self.is_closed and self.wait() not in (0, REFUSED) and not self.is_closed:
            how, report = self.last_words()
            yield Refused(f"the process that analyses the checkpoint {how}", report=report)
