"""Several runs beside one another: the settings in which they differ, their final figures, what they answered."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

from presets import config as configs
from presets.fields import Value
from presets.schema import FIELDS, RunConfig
from runs.compared_figures import FigureRow, figure_rows
from runs.disk import bytes_under
from runs.events import Candidate, Expected, Probed, ProbeResult
from runs.folder import RunFolder, all_runs
from runs.reader import RunReader, RunSnapshot
from runs.status import State

MOST_RUNS = 12
"""More curves than these nobody can tell apart."""

_NEWEST = 200  # among thousands of runs, those that may be looked at to find some to begin with

# what may differ between runs whose validation losses still measure the same: how rows are read and shuffled
_READING = frozenset(
    f"data.{name}"
    for name in ("access", "shuffle", "shuffle_buffer", "shard_tokens", "stream_patience", "label_column")
)
_TOKENIZING = frozenset({"data.tokenizer", "data.tokenizer_from", "data.vocab_size"})
_MEASURED = frozenset(
    {
        "objective.kind", "objective.mask_rate", "objective.whole_words", "objective.mask_token_share",
        "objective.random_token_share", "train.eval_rows",
    }
)  # fmt: skip


class ComparedRun(msgspec.Struct, frozen=True):
    """One column. reason: why it ended so, or what it waits for. dataset: what was really read."""

    id: str
    name: str
    preset: str
    state: State
    reason: str
    step: int
    total_steps: int
    dataset: str
    path: str


class SettingRow(msgspec.Struct, frozen=True):
    """A field of the configuration; values: one a run, None where its configuration cannot be read."""

    path: str
    label: str
    unit: str
    section: str
    values: tuple[Value | None, ...]
    differs: bool


class ProbeCell(msgspec.Struct, frozen=True):
    """What one run answered. step: when it was asked. generated: how a causal model went on.

    expected: how near it came to the word that belongs there, where the probe names one.
    """

    step: int
    candidates: tuple[Candidate, ...]
    generated: str = ""
    expected: Expected | None = None


class ProbeRow(msgspec.Struct, frozen=True):
    """A mask of a sentence (or a text that goes on); cells: one a run, None where it was never asked that."""

    text: str
    mask: int
    cells: tuple[ProbeCell | None, ...]


class Comparison(msgspec.Struct, frozen=True):
    """settings: every field. notes: sentences on what cannot be compared, and why."""

    runs: tuple[ComparedRun, ...]
    settings: tuple[SettingRow, ...]
    figures: tuple[FigureRow, ...]
    probes: tuple[ProbeRow, ...]
    notes: tuple[str, ...]

    @property
    def differing(self) -> tuple[SettingRow, ...]:
        """The settings in which the runs are not all alike, in the schema's order."""
        return tuple(row for row in self.settings if row.differs)


def runs_to_begin_with(runs: Path, first: RunFolder | None = None, most: int = 3) -> tuple[RunFolder, ...]:
    """What to compare when nobody chose anything: the newest runs that began, of one preset where there are such.

    first: the run that is in view, which comes first; the others are then of its preset. Archived ones stay out.
    """
    began: list[tuple[RunFolder, str]] = []
    for folder in all_runs(runs)[:_NEWEST]:
        about = folder.about()
        if folder == first or (folder.attempts() and not about.archived):
            began.append((folder, about.preset))
    began.sort(key=lambda pair: pair[0] != first)
    if not began:
        return ()
    alike = [folder for folder, preset in began if preset == began[0][1]]
    return tuple(alike if len(alike) > 1 else [folder for folder, _ in began])[:most]


def compare(folders: Sequence[RunFolder]) -> Comparison:
    """Read the runs to their ends and lay them side by side, in their order."""
    snapshots = [read_whole(folder) for folder in folders]
    return comparison_of(snapshots, [bytes_under(folder.path) for folder in folders])


def read_whole(folder: RunFolder) -> RunSnapshot:
    """The run as it stands, with all that it recorded until now."""
    reader = RunReader(folder)
    snapshot = reader.poll()
    while snapshot.is_behind:
        snapshot = reader.poll()
    while reader.keep_cache():
        pass  # a long run is there at once the next time
    return snapshot


def comparison_of(
    snapshots: Sequence[RunSnapshot], sizes: Sequence[int | None] = (), at_step: int | None = None
) -> Comparison:
    """The same of snapshots that were read already; call it in the thread that polls them.

    sizes: bytes of the runs on disk, where they were counted. at_step: as for `probes_at`.
    """
    settings = _settings([snapshot.config for snapshot in snapshots])
    in_nats, in_bits, notes = _comparable(snapshots, settings)
    figures = figure_rows(snapshots, sizes or [None] * len(snapshots), in_nats=in_nats, in_bits=in_bits)
    return Comparison(
        runs=tuple(_run(snapshot) for snapshot in snapshots),
        settings=settings,
        figures=figures,
        probes=probes_at([snapshot.probes for snapshot in snapshots], at_step),
        notes=notes,
    )


def probe_steps(probes: Sequence[Sequence[Probed]]) -> tuple[int, ...]:
    """Every step at which some run was probed, ascending."""
    return tuple(sorted({probed.step for of_run in probes for probed in of_run}))


def probes_at(probes: Sequence[Sequence[Probed]], step: int | None = None) -> tuple[ProbeRow, ...]:
    """What each run answered at that step or last before it; the newest answers without a step.

    probes: of each run, oldest first. Sentences stand in the order in which the runs bring them up.
    """
    chosen = [_newest(of_run, step) for of_run in probes]
    answers = [{result.text: result for result in probed.probes} if probed else {} for probed in chosen]
    rows: list[ProbeRow] = []
    for text in dict.fromkeys(text for of_run in answers for text in of_run):
        results = [of_run.get(text) for of_run in answers]
        num_masks = max((len(result.masks) for result in results if result), default=0)
        for mask in range(max(1, num_masks)):
            pairs = zip(results, chosen, strict=True)
            cells = (_cell(result, mask, probed.step if probed else 0) for result, probed in pairs)
            rows.append(ProbeRow(text, mask, tuple(cells)))
    return tuple(rows)


def _newest(probes: Sequence[Probed], step: int | None) -> Probed | None:
    return next((probed for probed in reversed(probes) if step is None or probed.step <= step), None)


def _cell(result: ProbeResult | None, mask: int, step: int) -> ProbeCell | None:
    if result is None:
        return None
    candidates = result.masks[mask] if mask < len(result.masks) else ()
    expected = result.expected[mask] if mask < len(result.expected) else None
    return ProbeCell(step, candidates, result.generated, expected)


def _run(snapshot: RunSnapshot) -> ComparedRun:
    about, status = snapshot.about, snapshot.status
    return ComparedRun(
        id=snapshot.folder.id,
        name=about.name,
        preset=about.preset,
        state=status.state,
        reason=status.reason,
        step=snapshot.step,
        total_steps=snapshot.total_steps,
        dataset=snapshot.started.dataset if snapshot.started else "",
        path=str(snapshot.folder.path),
    )


def _settings(found: Sequence[RunConfig | None]) -> tuple[SettingRow, ...]:
    rows: list[SettingRow] = []
    for spec in FIELDS:
        values = tuple(None if config is None else configs.get_value(config, spec.path) for config in found)
        known = [value for value in values if value is not None]
        differs = any(value != known[0] for value in known)
        rows.append(SettingRow(spec.path, spec.label, spec.unit, spec.section, values, differs))
    return tuple(rows)


def _comparable(
    snapshots: Sequence[RunSnapshot], settings: Sequence[SettingRow]
) -> tuple[bool, bool, tuple[str, ...]]:
    """Whether losses in nats, and bits per byte, measure the same in all runs; and sentences on what does not."""
    notes = [
        f"{snapshot.about.name}: its configuration cannot be read, so its settings are left out"
        for snapshot in snapshots
        if snapshot.config is None
    ]
    changed = [row.path for row in settings if row.differs and _changes_the_measure(row.path)]
    read = {snapshot.started.dataset for snapshot in snapshots if snapshot.started is not None}
    if not changed and len(read) < 2:
        return True, True, tuple(notes)
    in_bits = len(read) < 2 and all(path in _TOKENIZING for path in changed)
    shown = changed[:4] or ["the data that were read"]
    more = f" and {len(changed) - 4} more" if len(changed) > 4 else ""
    verb = "differs" if len(shown) == 1 and not more else "differ"
    words = "validation losses measure different things, so none is best"
    words += ", but bits per byte compare" if in_bits else ""
    return False, in_bits, (*notes, f"{words}: {', '.join(shown)}{more} {verb}")


def _changes_the_measure(path: str) -> bool:
    return path in _MEASURED or (path.startswith("data.") and path not in _READING)
