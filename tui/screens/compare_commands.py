"""The commands of Compare."""

from __future__ import annotations

from tui.commands import Command

COMMANDS = (
    Command("choose", "c", "Choose runs", "Choose which runs are compared: add some, take some out.", "choose"),
    Command("metric", "g", "Metric", "Choose which metric the curves show.", "metric"),
    Command("next_metric", "full_stop", "Next metric", "Show the curves of the next metric.", "next_metric(1)",
            show=False, key_display="."),
    Command("last_metric", "comma", "Metric before", "Show the curves of the metric before.", "next_metric(-1)",
            show=False, key_display=","),
    Command("everything", "A", "All settings", "Show all settings, or only those in which the runs differ.",
            "everything"),
    Command("filter", "slash", "Find setting", "Show only the settings whose names hold what is typed.", "filter",
            show=False, key_display="/"),
    Command("mark", "space", "Show/hide", "Hide the curve of the run under the cursor, or show it again.",
            "hide", show=False),
    Command("remove", "backspace,delete", "Take out", "Take the run under the cursor out of the comparison; the "
            "run itself stays.", "remove", show=False),
    Command("open", "enter", "Open", "Watch the run under the cursor.", "open", show=False),
    Command("playground", "", "Open in Playground", "Try the run under the cursor in the Playground.",
            "playground"),
    Command("sweep", "S", "Sweep table", "The runs of the sweep that the run under the cursor belongs to.",
            "sweep_table", show=False),
    Command("report", "W", "Report", "Write an HTML report of the run under the cursor.", "report", show=False),
    Command("copy", "y", "Copy", "Copy the table with the focus, with tabs between its columns.", "copy",
            show=False),
    Command("zoom", "z", "Zoom", "Give the pane with the focus the whole screen, or the room back.", "zoom"),
)  # fmt: skip
