"""The keys and palette entries of Runs."""

from __future__ import annotations

from tui.commands import Command
from tui.screens.run_screen import LINEAGE_COMMANDS, QUEUE_COMMANDS

COMMANDS = (
    Command("open", "enter", "Open", "Watch the run under the cursor.", "open"),
    Command("filter", "slash", "Filter", "Only runs that match: words, state:failed, loss<6, age<2d.", "filter",
            key_display="/"),
    Command("sort", "o", "Sort", "Choose the field to order by; the same again turns it round.", "sort"),
    Command("columns", "C", "Columns", "Choose columns, also settings and metrics, and their order.", "columns",
            show=False),
    Command("group", "g", "Group", "Put the runs under headings: preset, state, day, tag, sweep …", "group",
            show=False),
    Command("mark", "space", "Mark", "Mark it; the next action is about all marked runs.", "mark", show=False),
    Command("mark_all", "ctrl+a", "Mark all", "Mark all runs that are shown, or none.", "mark_all", show=False,
            key_display="^a"),
    Command("resume", "r,p", "Resume", "Go on from a checkpoint, when the run is not live.", "resume",
            show=False),
    Command("relaunch", "R", "Relaunch", "Go on from the last checkpoint, or from the beginning, at once.",
            "relaunch"),
    Command("queue_marked", "", "Queue the marked runs", "Let them go on in turn, each from its last checkpoint.",
            "queue_marked"),
    Command("stop", "x", "Stop", "Stop with a checkpoint, or take out of the queue; asks first.", "stop"),
    *QUEUE_COMMANDS,
    Command("kill", "X", "Kill", "Kill the run without saving; its name has to be typed.", "kill", show=False),
    Command("pause", "p", "Pause", "Save a checkpoint and free the device until a resume; asks first.", "pause",
            show=False),
    Command("compare", "c", "Compare", "Lay the marked runs over each other; without marks, the one here.",
            "compare"),
    *LINEAGE_COMMANDS,
    Command("tags", "t", "Tags", "Add tags, or take them off with a - before them.", "tags", show=False),
    Command("pin", "asterisk", "Pin", "Keep the run at the top of the list, or no longer.", "pin", show=False,
            key_display="*"),
    Command("archive", "a", "Archive", "Out of sight without deleting it, or back.", "archive",
            show=False),
    Command("show_archived", "A", "Archived", "List archived runs too, or not.", "show_archived", show=False),
    Command("edit", "e", "Edit", "Change the run's name, tags, group and note.", "edit", show=False),
    Command("delete", "d", "Delete", "Move the run into the trash; asks first.", "delete"),
    Command("undo", "ctrl+z", "Undo", "Take back the last deletion, even an old one.", "undo", show=False,
            key_display="^z"),
    Command("trash", "", "Look into the trash", "Bring deleted runs back, or delete them for good.", "trash"),
    Command("empty_trash", "", "Empty the trash", "Delete all deleted runs for good; a word has to be typed.",
            "empty_trash"),
    Command("report", "W", "Report", "Write the run as one HTML file that opens anywhere.", "report", show=False),
    Command("copy", "y", "Copy path", "Copy the path of the run's folder.", "copy", show=False),
)  # fmt: skip
HELP = (
    "Every run there is, newest first; live ones move. Losses are validation losses in nats. "
    "Runs that wait for free devices stand first, in their order; J and K move them; pinned runs (★) come next. "
    "space marks runs (◆), and x d t a * c are then about all of them. "
)
