"""The keys of the Playground, and what its help says."""

from __future__ import annotations

from tui.commands import Command

HELP = (
    "Any checkpoint of any run reads a text here, on the CPU, so that a run that trains is not disturbed. The "
    "answer comes as one types. enter in the text goes to the words; there enter, or a click, fills the word in "
    "for the mask, and ← → choose the mask. Of a causal model the words are those that could come next. "
    "In the tokens enter hides one; in the attention ← → is the head and [ ] the layer. "
    "A checkpoint called last or best is the newest one of that name, also while the run goes on."
)

COMMANDS = (
    Command(
        "text", "e", "Text", "Type in the text; ↑ and ↓ there bring back what was tried.", "text", priority=True
    ),
    Command("view", "w", "Next view", "Tokens, attention, neighbours, how it goes on.", "next_view"),
    Command("model", "m", "Checkpoint", "Choose a run and one of its checkpoints.", "choose('first')"),
    Command("against", "c", "Against", "Lay a second checkpoint beside the first.", "choose('second')"),
    Command("hide", "ctrl+o", "Hide word", "Put [MASK] in the place of the word at the cursor.", "hide_word"),
    Command("undo", "ctrl+z", "Undo", "Take back the last word that was filled in or hidden.", "undo", show=False),
    Command("write", "g", "Go on", "Let a causal model go on from the text; once more stops it.", "write"),
    Command(
        "sampling", "G", "Drawing", "How a causal model draws: temperature, nucleus, length, seed.", "sampling"
    ),
    Command("word", "slash", "Word", "Name the word whose neighbours are shown.", "word", show=False),
    Command("history", "h", "History", "What was tried before.", "history"),
    Command("zoom", "z", "Zoom", "Give the pane the whole screen, or back.", "zoom", show=False),
    Command("copy", "y", "Copy", "Copy the text and the likeliest words.", "copy", show=False),
)
