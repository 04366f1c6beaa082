"""What a person can do on Monitor: keys, words for the footer, sentences for help and palette."""

from __future__ import annotations

from tui.commands import Command
from tui.screens.run_screen import LINEAGE_COMMANDS, QUEUE_COMMANDS

COMMANDS = (
    Command("stop", "x", "Stop", "Stop with a checkpoint, or take out of the queue; asks first.", "stop"),
    Command("kill", "X", "Kill", "Kill the run without saving; its name has to be typed.", "kill", show=False),
    Command("resume", "r,p", "Resume", "Go on from a checkpoint, when the run is not live.", "resume"),
    Command("relaunch", "R", "Relaunch", "Go on from the last checkpoint, or from the beginning, at once.",
            "relaunch"),
    Command("pause", "p", "Pause", "Save a checkpoint and free the device until a resume; asks first.", "pause"),
    Command("faster", "plus,equals_sign", "lr", "Change the learning rate: another one, or a factor.",
            "rate('x2')", key_display="+"),
    Command("slower", "minus", "lower lr", "The same, with a half as the first proposal.", "rate('x0.5')",
            show=False, key_display="-"),
    Command("steps", "s", "Steps", "Train for more or fewer steps.", "steps", show=False),
    Command("evaluate", "v", "Evaluate now", "Score the held-out text at the next step.", "ask('evaluate')",
            show=False),
    Command("checkpoint", "k", "Checkpoint now", "Save a checkpoint at the next step.", "ask('checkpoint')",
            show=False),
    Command("probe", "b", "Probe now", "Let the model fill in the probe sentences at the next step.",
            "ask('probe')", show=False),
    Command("edit_probes", "B", "Edit probes", "Add, change or take away the probe sentences while it trains.",
            "edit_probes", show=False),
    *QUEUE_COMMANDS,
    *LINEAGE_COMMANDS,
    Command("log", "l", "Log", "Show or hide what the processes printed.", "toggle_log"),
    Command("zoom", "z", "Zoom", "Give the whole screen to the pane with the focus, or give it back.", "zoom"),
    Command("more_charts", "pagedown", "More charts", "Charts that do not fit stand on further pages.", "page(1)",
            show=False, key_display="pgdn"),
    Command("charts_before", "pageup", "Charts before", "The page before.", "page(-1)", show=False,
            key_display="pgup"),
    Command("arrange", "g", "Charts", "Choose the charts, their order and their columns.", "arrange"),
    Command("compare", "c", "Compare", "Lay this run over others.", "compare", show=False),
    Command("report", "W", "Report", "Write the run as one HTML file that opens anywhere.", "report", show=False),
    Command("edit", "e", "Edit", "Change the run's name, tags and note.", "edit", show=False),
    Command("copy", "y", "Copy path", "Copy the path of the run's folder.", "copy", show=False),
)  # fmt: skip
