"""Settings that anybody may have written are read in a moment, or refused with a sentence."""

from __future__ import annotations

import os
import random
import time
import tomllib
from pathlib import Path

import pytest

from presets.config import ConfigError, from_toml, to_toml, with_values
from presets.schema import RunConfig
from presets.toml_text import NotReadable, read_file, read_tree

HOSTILE = {
    "dots": (".".join("a" * 30_001) + " = 1", "line 1 has more than 100 dots"),
    "dots of a table": ("x = 1\n[" + ".".join("a" * 30_000) + "]", "line 2 has more than 100 dots"),
    "dots after a text": ('x = """\n"""""\n' + ".".join("a" * 30_001) + " = 1", "line 3 has more than 100 dots"),
    "depth": ("a = " + "[" * 100_000 + "]" * 100_000, "nested too deeply"),
    "digits": ("a = " + "1" * 5000, "not TOML"),
    "length": ("\n".join(f"key{i} = 1" for i in range(1_000_000)), "no configuration has more than 262,144"),
    "sections": ("\n".join(f"[section{i}]" for i in range(15_000)), "there is no such field"),
    "keys": ("[optim]\n" + "\n".join(f"key{i} = 1" for i in range(15_000)), "there is no such field"),
    "a hexadecimal rate": ("[optim]\nlr = 0x" + "f" * 100_000, "far beyond every limit"),
    "a hexadecimal count": ("[train]\nmax_steps = 0x" + "f" * 400, "far beyond every limit"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_text_is_refused_in_a_moment(name: str) -> None:
    text, why = HOSTILE[name]
    began = time.process_time()
    with pytest.raises(ConfigError, match=why):
        from_toml(text)
    assert time.process_time() - began < 1.0


def test_dots_in_texts_and_comments_are_no_keys() -> None:
    text = "..." * 100
    config = with_values(RunConfig(), {"probes.texts": (text + " [MASK]", "a. " * 90 + "'\"\\ [MASK]")})
    assert from_toml(f"# {text}\n" + to_toml(config)) == config


def test_the_count_of_dots_and_the_parser_agree_on_where_a_text_ends() -> None:
    chance = random.Random(1)
    pieces = ['"', '"""', "'", "'''", "\\", "a", ".", "=", "\n", "#", " ", "[", "]"]
    seen = {True: 0, False: 0}
    quotes = ("", '"""', "'''", '"', "'")
    for _ in range(15_000):
        filling = "".join(chance.choice(pieces) for _ in range(chance.randint(1, 9)))
        text = f"k={chance.choice(quotes)}{filling}\n{'a.' * 101}a=1\n{chance.choice(quotes)}\n"
        try:
            is_key = isinstance(tomllib.loads(text).get("a"), dict)
        except tomllib.TOMLDecodeError:
            continue
        try:
            read_tree(text)
            is_refused = False
        except NotReadable:
            is_refused = True
        assert is_refused == is_key, text
        seen[is_key] += 1
    assert min(seen.values()) > 5


def test_a_file_that_is_none_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.toml")
    with pytest.raises(NotReadable, match="no plain file"):
        read_file(tmp_path / "pipe.toml")
    with (tmp_path / "large.toml").open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(NotReadable, match="no configuration is that large"):
        read_file(tmp_path / "large.toml")
