"""Runs verbs of the command line one after the other: argument lists as JSON on stdin, what each said on stdout.
`python verb_driver.py on|off`: with the sanitiser, or without it.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile


def main() -> None:
    """See the module's text."""
    calls: list[list[str]] = json.loads(sys.stdin.read())
    if sys.argv[1] == "off":
        from tui import safe_text

        for table in (safe_text._ONE_LINE, safe_text._MANY_LINES, safe_text._IN_JSON):
            table.clear()
    from tui.cli import main as tinytrain

    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    stdout, stderr = os.dup(1), os.dup(2)
    said: list[tuple[object, str]] = []
    for call in calls:
        with tempfile.TemporaryFile() as output:
            os.dup2(output.fileno(), 1)
            os.dup2(output.fileno(), 2)
            status: object
            try:
                status = tinytrain(call)
            except SystemExit as end:  # `--help` and the like
                status = end.code
            except BaseException as error:
                status = type(error).__name__
                sys.excepthook(type(error), error, error.__traceback__)
            sys.stdout.flush()
            sys.stderr.flush()
            os.dup2(stdout, 1)
            os.dup2(stderr, 2)
            output.seek(0)
            said.append((status, output.read().decode("utf-8", "surrogateescape")))
    print(json.dumps(said))


if __name__ == "__main__":
    main()
