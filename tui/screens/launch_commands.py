"""The keys of the Launch screen, and what its help says."""

from __future__ import annotations

from tui.commands import Command

HELP = (
    "Move through the presets on the left; the form shows each one, and keeps what you changed. "
    "The plan says what the run will cost, whether it fits into memory, what stands against it, and the command, "
    "which y copies. ‹ › fields turn with the arrow keys; • marks a changed field, ✗ a wrong one. "
    "S starts many runs that differ in a few fields; H begins at what was launched before. "
    "Presets of your own are saved, duplicated, renamed, deleted, exported and imported with the keys below; "
    "mark presets with space and press c to lay their models beside one another."
)
COMMANDS = (
    Command("start", "ctrl+l", "Start", "Start the run with what stands in the form.", "launch",
            key_display="^l"),
    Command("queue", "ctrl+g", "Queue", "Let the run wait in the queue for free devices.", "launch(True)",
            key_display="^g"),
    Command("save", "ctrl+s", "Save", "Save the form as a preset of your own.", "save", key_display="^s"),
    Command("search", "slash", "Find", "Show only the fields that match a word.", "search", key_display="/"),
    Command("sweep", "S", "Sweep", "Queue many runs that differ in fields you choose, as a grid or at random.",
            "sweep"),
    Command("recent", "H", "Recent", "Begin at a configuration that was launched before.", "recent"),
    Command("copy", "y", "Copy command", "Copy the command that starts this run from a shell.", "copy",
            show=False),
    Command(
        "reset", "ctrl+r", "Reset", "Give the field one is in the preset's value.", "reset", key_display="^r",
            show=False,
    ),
    Command("mark", "space", "Mark", "Mark the preset under the cursor, to compare it with others.", "mark",
            show=False),
    Command("compare", "c", "Compare", "Lay the models of the marked presets beside one another.", "compare",
            show=False),
    Command("duplicate", "D", "Duplicate", "Save a copy of the preset under the cursor as your own.", "duplicate",
            show=False),
    Command("edit", "e", "Rename", "Change the name of your own preset, or what it is for.", "edit_preset",
            show=False),
    Command("delete", "d", "Delete", "Delete your own preset under the cursor; ctrl+z brings it back.", "delete",
            show=False),
    Command("undo", "ctrl+z", "Undo delete", "Bring back the preset that was deleted last.", "undelete",
            show=False, key_display="^z"),
    Command("export", "E", "Export", "Write the preset under the cursor to a file, for another machine.", "export",
            show=False),
    Command("import", "I", "Import", "Take a preset's file from elsewhere, after a look at what it changes.",
            "import", show=False),
    Command("sweeps", "", "Sweep results", "The table of a sweep: its runs, the best first.", "sweeps"),
    Command("reset_all", "", "Reset all fields", "Give every field the preset's value.", "reset_all"),
    Command("advanced", "a", "Advanced", "Show or hide the fields few people change.", "advanced", show=False),
)  # fmt: skip
