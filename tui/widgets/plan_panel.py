"""Shows the plan: figures on the right edge, then data, problems, changes, the command, and the bases."""

from __future__ import annotations

from rich.cells import cell_len
from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import Static

from presets import config as configs
from presets.estimate import Figure
from presets.memory_fit import Level
from runs.memory_check import PastChecks
from tui.figures import count, duration, num_bytes
from tui.plan import Plan, dataset_sentence
from tui.safe_text import FAINT, MUTED, safe_lines, safe_text

_UNKNOWN = "unknown"
FIT_STYLES: dict[Level, str] = {
    "green": "$text-success", "amber": "$text-warning", "red": "$text-error", "unknown": FAINT,
}  # fmt: skip


class PlanPanel(VerticalScroll):
    """A scrolling text, rebuilt when the plan or the width changes."""

    DEFAULT_CSS = """
    PlanPanel { scrollbar-size-vertical: 1; }
    PlanPanel:focus { background-tint: $foreground 3%; }
    PlanPanel > Static { width: 1fr; height: auto; }
    """

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._plan: Plan | None = None
        self._shown: tuple[Plan, int] | None = None
        self._text = Static()  # held, since a resize may come before it is mounted and after it is gone

    def compose(self) -> ComposeResult:
        yield self._text

    def show(self, plan: Plan) -> None:
        """Take a new plan."""
        self._plan = plan
        self._rebuild()

    def on_resize(self) -> None:
        self._rebuild()
        # a layout asked for within one may be lost, and the former text's height would stay
        self.call_after_refresh(self._text.refresh, layout=True)

    def _rebuild(self) -> None:
        width = self.scrollable_content_region.width
        if self._plan is not None and width and self._shown != (self._plan, width):
            self._shown = (self._plan, width)
            self._text.update(plan_content(self._plan, width))


def plan_content(plan: Plan, width: int) -> Content:
    """The whole plan as text of that width."""
    blocks = [_figures(plan, width), _notes(plan), _changes(plan), _command(plan), _bases(plan)]
    return Content("\n\n").join(block for block in blocks if block)


def _figures(plan: Plan, width: int) -> Content:
    figures = plan.estimate
    memory = "memory/device" if plan.config.launch.num_processes > 1 and figures.on_gpu else "memory"
    style, fit = FIT_STYLES[plan.fit.level], plan.fit
    needed = f"~{num_bytes(fit.needed_bytes)}  {fit.sign} {fit.word}"
    is_narrow = len(memory) + 1 + len(needed) > width  # then the word stands a line lower
    if is_narrow:
        needed = f"~{num_bytes(fit.needed_bytes)}  {fit.sign}"
    rows = [
        ("parameters", count(figures.parameters.total), "bold"),
        ("sequences", _approximate(figures.rows, count), "bold"),
        ("steps", _plainly(figures.steps), "bold"),
        ("tokens", _approximate(figures.tokens, count), "bold"),
        (memory, needed, f"bold {style}"),
        ("", fit.word if is_narrow else "", f"bold {style}"),
        ("", _of_what(plan, width), style if fit.level in ("amber", "red") else FAINT),
        ("", past_words(plan.past, width), FAINT),
        ("time", _approximate(figures.time_s, duration), "bold"),
        ("", _range(figures.time_s), FAINT),
        ("device", safe_text(figures.device, 60), "bold"),
    ]
    lines = [
        Content.assemble(
            (label, MUTED), " " * max(width - cell_len(label) - cell_len(value), 1), (safe_text(value), style)
        )
        if label
        else Content.styled(safe_text(value.rjust(width)), style)
        for label, value, style in rows
        if value
    ]
    return Content("\n").join(lines)


def _of_what(plan: Plan, width: int) -> str:
    """What the memory is compared with; the shorter sentence where the panel is narrow."""
    fit = plan.fit
    if fit.level == "unknown":
        return "" if plan.machine.num_gpus is None else "the device's memory is unknown"
    free = f"{num_bytes(fit.free_bytes)} of {num_bytes(fit.total_bytes)} free"
    whole = f"at most {num_bytes(fit.high_bytes)}, {free}"
    return whole if len(whole) <= width else free


def past_words(past: PastChecks, width: int) -> str:
    """How this estimate compares with what runs here measured; empty without any that did."""
    if past.same is not None:
        check = past.same.check
        measured = f"measured {num_bytes(check.measured_bytes)}"
        whole = f"{measured} in {safe_text(past.same.name, 20)}, as large"
        return whole if cell_len(whole) <= width else f"{measured} before"
    if not past.num:
        return ""
    runs = "1 run" if past.num == 1 else f"{past.num} runs"
    share = f"{past.low:.0%}" if past.low == past.high else f"{past.low:.0%} … {past.high:.0%}"
    whole = f"{runs} here took {share} of it"
    return whole if len(whole) <= width else f"took {share} before"


def _approximate(figure: Figure, write: object) -> str:
    if figure.value is None:
        return _UNKNOWN
    return f"~{safe_text(write(figure.value))}"  # type: ignore[operator]


def _plainly(figure: Figure) -> str:
    return _UNKNOWN if figure.value is None else f"{figure.value:,.0f}"


def _range(figure: Figure) -> str:
    if figure.low is None or figure.high is None:
        return ""
    return f"{duration(figure.low)} … {duration(figure.high)}"


def _notes(plan: Plan) -> Content:
    lines: list[Content] = []
    for problem in plan.problems:
        text = f"✗ {', '.join(problem.paths)}: {problem.message}" if problem.paths else f"✗ {problem.message}"
        lines.append(Content.styled(safe_text(text, 400), "$text-error"))
    lines += [Content.styled(f"! {safe_text(text, 400)}", "$text-warning") for text in plan.warnings]
    lines.append(_data_line(plan))
    if plan.machine.num_gpus is None:
        lines.append(Content.styled("… looking for GPUs", MUTED))
    return Content("\n").join(lines)


def _data_line(plan: Plan) -> Content:
    data = safe_text(dataset_sentence(plan.config), 200)
    if plan.config.data.source == "embedded":
        return Content.styled(f"✓ {data}", MUTED)
    if plan.hub is None:
        return Content.styled(f"… {data}. Needs the Hugging Face hub; asking it.", MUTED)
    good = plan.hub.reachable or plan.hub.cached
    sentence = safe_text(plan.hub.sentence, 400)
    return Content.styled(f"{'✓' if good else '!'} {sentence}.", MUTED if good else "$text-warning")


def _changes(plan: Plan) -> Content:
    if not plan.changes:
        return Content()
    head = Content.styled(f"changed from {safe_text(plan.preset_name, 60)}", "$text-primary")
    lines = [Content(f"  {safe_text(configs.describe(change), 160)}") for change in plan.changes]
    return Content("\n").join([head, *lines])


def _command(plan: Plan) -> Content:
    lines = []
    if plan.command and not plan.problems:
        lines.append(Content.assemble(("from a shell", "$text-primary"), ("  y copies it", FAINT)))
        lines.append(Content(safe_text(plan.command, 4000)))
        lines.append(Content())
    lines.append(Content.styled("command", "$text-primary"))
    return Content("\n").join([*lines, Content(safe_lines(plan.launch.command(), 2000))])


def _bases(plan: Plan) -> Content:
    figures = plan.estimate
    head = Content.styled("what the figures rest on", "$text-primary")
    each = (figures.rows, figures.steps, figures.tokens, figures.flops, figures.memory_bytes, figures.time_s)
    sentences = [figures.parameters_basis, *(figure.basis for figure in each)]
    return Content("\n").join([head, *(Content.styled(safe_text(text), FAINT) for text in sentences)])
