"""The arguments of the verbs that ask a checkpoint what it knows."""

from __future__ import annotations

from argparse import ArgumentParser

from tui.arguments import common

# as in runs.analysis and cli_analyse, which take longer to import than a command line may
_KINDS = ("verdict", "attention", "neighbours", "token-losses", "sentence-losses", "calibration")


def probe(verb: ArgumentParser) -> None:
    """`probe RUN TEXT`."""
    common.run(verb)
    verb.add_argument(
        "text",
        metavar="TEXT",
        nargs="?",
        help="with at least one [MASK]; for a causal model, a beginning; to classify, any",
    )
    common.checkpoint(verb, "whose weights")
    verb.add_argument(
        "--top", type=int, metavar="N", help="words shown for each [MASK], or labels of a text (default: 5)"
    )
    for option, kind, help_text in (
        ("--new-tokens", int, "how far a causal model goes on"),
        ("--temperature", float, "of its draws; 0 takes the likeliest"),
        ("--top-p", float, "draw from the likeliest that make up this probability"),
        ("--seed", int, "of its draws"),
    ):
        verb.add_argument(option, type=kind, metavar="X", help=f"{help_text} (default: as the run's settings)")
    verb.add_argument("--against", metavar="RUN[@CHECKPOINT]", help="let a second checkpoint answer, too")
    verb.add_argument("--tokens", action="store_true", help="what the tokenizer did, and what each token costs")
    verb.add_argument("--attention", metavar="LAYER.HEAD", help="what each token looks at; both count from 1")
    verb.add_argument("--neighbours", metavar="WORD", help="the words whose embeddings are nearest to a word's")
    verb.add_argument(
        "--draw-from", dest="sample_top_k", type=int, metavar="N", help="draw from the N likeliest; 0 for all"
    )


def analyse(verb: ArgumentParser) -> None:
    """`analyse RUN [--kind …]`."""
    common.run(verb)
    common.checkpoint(verb, "whose weights")
    verb.add_argument(
        "--kind",
        action="append",
        choices=_KINDS,
        metavar="KIND",
        help=f"{', '.join(_KINDS)}; may be given again (default: all)",
    )
    verb.add_argument("--sentence", default="", help="for attention and sentence-losses")
    verb.add_argument(
        "--word", action="append", default=[], help="whose neighbours are wanted; may be given again"
    )
    verb.add_argument("--top", type=int, default=10, metavar="N", help="rows of each table (default: 10)")
    verb.add_argument("--layer", type=int, default=0, metavar="N", help="attention of this layer alone, from 1")
    verb.add_argument("--head", type=int, default=0, metavar="N", help="attention of this head alone, from 1")
