"""What the Playground says in words: about a checkpoint, about the text, about what cannot be answered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from textual.content import Content

from presets.schema import MASK_TOKEN
from runs.checkpoint_listing import SavedCheckpoint
from runs.folder import RunFolder
from runs.playground import Answer
from tui.mask_text import masks_in
from tui.playground_state import PlaygroundState, Sampling, Side
from tui.safe_text import FAINT, plain, safe_text
from tui.widgets.token_rows import unknown_words

NO_RUNS = "No run has saved a checkpoint yet. Press n to start one, or m to look again."
_HIDE = f"ctrl+o puts {MASK_TOKEN} in the place of the word at the cursor"


def plural(number: int, noun: str) -> str:
    """`1 mask`, `2 masks`."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def checkpoint_words(side: Side, checkpoints: Sequence[SavedCheckpoint], room: int) -> str:
    """`warm-otter · best @600 · loss 5.412`."""
    if side.folder is None:
        return "none"
    name = safe_text(side.name or side.folder.id, max(8, room - 28))
    answer = side.answer
    step = answer.step if answer is not None else None
    saved = next((one for one in checkpoints if one.step == step), None)
    if step is None:
        step = next((one.step for one in checkpoints if _is_meant(one, side.checkpoint)), None)
        saved = next((one for one in checkpoints if one.step == step), None)
    which = f"{side.checkpoint} " if side.checkpoint in ("last", "best") else ""
    words = f"{name} · {which}@{step:,}" if step is not None else f"{name} · {safe_text(side.checkpoint, 20)}"
    return words + (f" · loss {saved.loss:.3f}" if saved is not None and saved.loss is not None else "")


def about_words(
    state: PlaygroundState, saved: Mapping[RunFolder, Sequence[SavedCheckpoint]], width: int, *, beside: bool
) -> Content:
    """The checkpoints, with how fast each answered. beside: on one line."""
    room = (width - 24) // (2 if beside else 1)
    parts = []
    for title, side in (("checkpoint ", state.first), ("against ", state.second)):
        if side.folder is not None:
            words = plain(checkpoint_words(side, saved.get(side.folder, ()), room), 200, "bold")
            parts.append(Content.assemble((title, FAINT), words, (f"  {safe_text(work_words(side))}", FAINT)))
    if not parts:
        return plain("no checkpoint is chosen", style=FAINT)
    return Content("     " if beside else "\n").join(parts)


def work_words(side: Side) -> str:
    """How long the answer took, or what is waited for."""
    if side.folder is None:
        return ""
    if side.answered != side.asked:
        return "reading …" if side.loading else "asking …"
    return f"{1000 * side.took_s:.0f} ms" if side.answer is not None else ""


def judgement(state: PlaygroundState) -> tuple[str, str]:
    """One line on the text, and what it is: `good`, `warning` or `error`."""
    words, kind = _judgement(state.text, state.first)
    second = state.second
    if second.folder is not None and second.problem and kind != "error":
        return f"✗ the second checkpoint: {second.problem}", "error"
    return words, kind


def is_called(checkpoint: SavedCheckpoint, reference: str) -> bool:
    """Whether it is the one that `last` or `best` points at; a step never moves to another checkpoint."""
    return reference in ("last", "best") and _is_meant(checkpoint, reference)


def _judgement(text: str, side: Side) -> tuple[str, str]:
    answer = side.answer
    if side.folder is None:
        return NO_RUNS, "error"
    if side.problem:
        return f"✗ {side.problem}", "error"
    if side.is_new:
        return "looking at the run …", "good"
    if not text.strip():
        empty = {"clm": "empty: type how a text begins", "classification": "empty: type a text to be labelled"}
        return empty.get(side.kind, f"type a text; {_HIDE}"), "warning"
    if answer is None:
        return side.loading or "waiting for the model's first answer …", "good"
    problem = answer.problems.get("likely", "")
    counts = f"{plural(len(answer.tokens), 'token')} of {answer.length}"
    if problem and answer.objective not in ("clm", "classification") and not masks_in(text):
        return f"no {MASK_TOKEN} yet ({counts}): {_HIDE}", "warning"
    if problem:
        return f"✗ {problem}", "error"
    parts = [] if answer.objective in ("clm", "classification") else [plural(masks_in(text), "mask")]
    parts.append(counts)
    if not answer.num_unknown:
        return " · ".join([*parts, "0 unknown"]), "good"
    words = unknown_words(answer.tokens)
    unknown = f"{answer.num_unknown} unknown, which the model reads as [UNK]" + (f": {words}" if words else "")
    return " · ".join([*parts, f"? {unknown}"]), "warning"


def column_titles(answer: Answer) -> list[str]:
    """What each column of likely words is about."""
    if answer.objective == "clm":
        return ["next token"]
    num = len(answer.probes[0].masks) if answer.probes else 0
    if answer.objective == "classification":
        return ["label"] * num
    return [f"mask {place}" if num > 1 else "mask" for place in range(1, num + 1)]


def sampling_words(sampling: Sampling) -> str:
    """The settings that differ from the run's, in a line."""
    words = {
        "temperature": sampling.temperature, "from the likeliest": sampling.sample_top_k,
        "nucleus": sampling.top_p, "new tokens": sampling.new_tokens, "seed": sampling.seed,
    }  # fmt: skip
    given = [f"{name} {value:g}" for name, value in words.items() if value is not None]
    return " · ".join(given) if given else "drawn as in the run's settings"


def _is_meant(checkpoint: SavedCheckpoint, reference: str) -> bool:
    if reference == "last":
        return checkpoint.is_last
    return checkpoint.is_best if reference == "best" else checkpoint.name == reference
