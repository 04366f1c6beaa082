"""Presets of one's own: duplicate, rename, delete and bring back, export and import; and the command of a run."""

from __future__ import annotations

import argparse
import errno
import shlex
from pathlib import Path

import msgspec
import pytest

from presets import catalog, keeping, known
from presets.command_line import train_command
from presets.config import ConfigError, diff, with_values
from presets.schema import RunConfig
from runs.folder import create_run
from runs.trust import changes_of_preset
from tui.cli import main
from tui.cli_train import read
from tui.screens.save_preset import save_from_form
from tui.verbs import make_parser
from tui.widgets.form_model import FormModel


def own(name: str) -> catalog.Preset:
    return next(preset for preset in catalog.own_presets()[0] if preset.name == name)


def test_a_duplicate_keeps_configuration_summary_source_and_published_values() -> None:
    original = catalog.find_preset("v1-imdb-small")
    keeping.duplicate(original, "mine")
    copy = own("mine")
    assert copy.config == original.config
    assert (copy.summary, copy.source, copy.published) == (original.summary, original.source, original.published)
    with pytest.raises(FileExistsError):
        keeping.duplicate(original, "mine")
    with pytest.raises(ValueError, match="is a shipped preset"):
        keeping.duplicate(original, "quickstart")


def test_a_copy_and_what_was_renamed_stand_in_the_list_by_their_names() -> None:
    keeping.duplicate(catalog.find_preset("v1-imdb-small"), "mine")
    assert own("mine").title == "mine"
    titled = msgspec.structs.replace(own("mine"), title="Long words")
    catalog.write_preset(titled, replace=True)
    keeping.edit(own("mine"), "mine", "other words")
    assert own("mine").title == "Long words"
    keeping.edit(own("mine"), "ours", "other words")
    assert own("ours").title == "ours"


def test_a_rename_leaves_one_file_under_the_new_name() -> None:
    catalog.save_preset("wide", with_values(RunConfig(), {"optim.lr": 0.125}), "for a test")
    keeping.edit(own("wide"), "wider", "for another")
    assert [(preset.name, preset.summary) for preset in catalog.own_presets()[0]] == [("wider", "for another")]
    assert own("wider").config.optim.lr == 0.125 and own("wider").title == "wider"
    keeping.edit(own("wider"), "wider", "only other words")
    assert own("wider").summary == "only other words"
    catalog.save_preset("taken", RunConfig())
    with pytest.raises(FileExistsError):
        keeping.edit(own("wider"), "taken", "")
    assert {preset.name for preset in catalog.own_presets()[0]} == {"wider", "taken"}


def test_a_deleted_preset_comes_back_as_it_was_and_not_over_another() -> None:
    path = catalog.save_preset("wide", with_values(RunConfig(), {"optim.lr": 0.125}))
    text = path.read_text()
    keeping.delete(own("wide"))
    assert catalog.own_presets() == ((), ())
    (deleted,) = keeping.deleted_presets()
    assert deleted.name == "wide"
    catalog.save_preset("wide", RunConfig())
    with pytest.raises(FileExistsError, match="there is a preset wide again"):
        keeping.undelete(deleted)
    keeping.delete(own("wide"))
    newest, oldest = keeping.deleted_presets()
    assert newest.deleted > oldest.deleted
    assert keeping.undelete(oldest).read_text() == text
    assert [one.name for one in keeping.deleted_presets()] == ["wide"]


def test_the_trash_keeps_the_newest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("presets.keeping._MOST_IN_TRASH", 2)
    for name in ("one", "two", "three"):
        catalog.save_preset(name, RunConfig())
        keeping.delete(own(name))
    assert [one.name for one in keeping.deleted_presets()] == ["three", "two"]


def test_a_file_that_cannot_be_written_leaves_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = keeping.export(catalog.find_preset("quickstart"), tmp_path / "mine.toml")
    before = path.read_text()

    def full(file: Path, text: str, encoding: str) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(OSError, match="No space"):
        keeping.export(catalog.find_preset("v1-imdb-small"), path, replace=True)
    assert path.read_text() == before and list(tmp_path.iterdir()) == [path]


def test_a_shipped_preset_is_neither_renamed_nor_deleted() -> None:
    shipped = catalog.find_preset("quickstart")
    for act in (lambda: keeping.delete(shipped), lambda: keeping.edit(shipped, "mine", "")):
        with pytest.raises(ValueError, match="ships with the program"):
            act()


def test_what_is_exported_can_be_imported_under_any_name(tmp_path: Path) -> None:
    original = catalog.find_preset("v1-imdb-small")
    path = keeping.export(original, tmp_path)
    assert path == tmp_path / "v1-imdb-small.toml"
    with pytest.raises(FileExistsError, match="already a file"):
        keeping.export(original, tmp_path)
    looked_at = keeping.look_at(path, (), "from-a-friend")
    assert looked_at.replaced is None and looked_at.changes == diff(RunConfig(), original.config)
    assert catalog.own_presets()[0] == ()
    keeping.take(looked_at)
    assert own("from-a-friend").config == original.config
    with pytest.raises(ValueError, match="is a shipped preset"):
        keeping.look_at(path, ())


def test_an_import_over_a_preset_says_in_what_it_differs(tmp_path: Path) -> None:
    catalog.save_preset("wide", with_values(RunConfig(), {"optim.lr": 0.125, "train.batch_size": 4}))
    path = keeping.export(msgspec.structs.replace(own("wide"), config=RunConfig()), tmp_path / "wide.toml")
    looked_at = keeping.look_at(path, catalog.own_presets()[0])
    assert looked_at.replaced == own("wide")
    assert {change.path for change in looked_at.differences} == {"optim.lr", "train.batch_size"}
    keeping.take(looked_at)
    assert own("wide").config == RunConfig()


def test_an_import_over_what_nobody_has_looked_at_is_shown_whole(tmp_path: Path) -> None:
    folder = catalog.user_presets_dir()
    folder.mkdir(parents=True)
    strange = '[data]\ntokenizer_from = "/etc/passwd"\ntokenizer = "existing"\n'
    (folder / "strange.toml").write_text(strange)
    (tmp_path / "strange.toml").write_text(strange + "[optim]\nlr = 0.5\n")
    looked_at = keeping.look_at(tmp_path / "strange.toml", catalog.own_presets()[0])
    assert looked_at.replaced is not None and not looked_at.is_compared
    known.remember(strange)
    assert keeping.look_at(tmp_path / "strange.toml", catalog.own_presets()[0]).is_compared


def test_a_file_that_is_no_preset_is_refused_with_the_field(tmp_path: Path) -> None:
    (tmp_path / "bad.toml").write_text("[optim]\nlr = 3\n")
    with pytest.raises(ConfigError, match=r"optim\.lr"):
        keeping.look_at(tmp_path / "bad.toml", ())


def test_giving_a_strangers_preset_another_name_does_not_make_it_known() -> None:
    folder = catalog.user_presets_dir()
    folder.mkdir(parents=True)
    (folder / "strange.toml").write_text('[data]\ntokenizer_from = "/etc/passwd"\ntokenizer = "existing"\n')
    keeping.duplicate(own("strange"), "copied")
    keeping.edit(own("strange"), "renamed", "harmless")
    assert changes_of_preset(own("copied")) and changes_of_preset(own("renamed"))
    keeping.take(keeping.look_at(folder / "copied.toml", (), "agreed"))
    assert known.is_known(own("agreed").text)


def train_options(words: tuple[str, ...]) -> argparse.Namespace:
    return make_parser().parse_args(shlex.split(shlex.join(words))[1:])


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"optim.lr": 1.25e-4, "data.dataset": "it's; $(a) file"},
        {"probes.texts": ("a [MASK] b", "two\twords [MASK]"), "train.max_steps": 7},
        {"train.activation_checkpointing": True, "optim.schedule": "cosine"},
    ],
)
def test_the_command_makes_exactly_the_configuration(values: dict[str, object]) -> None:
    config = with_values(catalog.find_preset("v2-hf-medium").config, values)  # type: ignore[arg-type]
    words = train_command(config, catalog.all_presets(), name="-a name", runs_dir="/some where")
    options = train_options(words)
    assert read(options.preset).name == "v2-hf-medium"
    from presets.config import with_overrides

    assert with_overrides(read(options.preset).config, tuple(options.set)) == config
    assert (options.name, str(options.runs_dir)) == ("-a name", "/some where")


def test_the_command_of_a_copy_begins_at_the_nearest_preset() -> None:
    config = with_values(catalog.find_preset("markov").config, {"optim.lr": 0.5})
    words = train_command(config, catalog.shipped_presets(), preferred="copy of warm-otter")
    assert words[1:3] == ("train", "markov") and words[3:] == ("--set", "optim.lr=0.5")


def test_the_command_means_the_preset_that_the_command_line_finds() -> None:
    """Of two of one name, as when a file was put there by hand, that is one's own."""
    shipped = catalog.find_preset("quickstart")
    config = with_values(shipped.config, {"optim.lr": 0.5})
    own_one = msgspec.structs.replace(shipped, shipped=False, config=config)
    words = train_command(own_one.config, (shipped, own_one), preferred="quickstart")
    assert words[1:] == ("train", "quickstart")
    words = train_command(shipped.config, (shipped, own_one), preferred="quickstart")
    assert words[1:] == ("train", "quickstart", "--set", "optim.lr=0.003")


def test_saving_a_strangers_preset_from_the_form_does_not_make_it_known() -> None:
    folder = catalog.user_presets_dir()
    folder.mkdir(parents=True)
    (folder / "strange.toml").write_text('[data]\ntokenizer_from = "/etc/passwd"\ntokenizer = "existing"\n')
    model = FormModel(own("strange"))
    model.set_text("optim.lr", "0.5")
    save_from_form(model, {"name": "mine", "summary": ""}, False)
    assert own("mine").config.optim.lr == 0.5
    assert "data.tokenizer_from" in {change.path for change in changes_of_preset(own("mine"))}
    save_from_form(FormModel(catalog.find_preset("quickstart")), {"name": "quick", "summary": ""}, False)
    assert changes_of_preset(own("quick")) == ()


def test_a_run_is_saved_as_a_preset_and_a_strangers_only_after_a_look(
    runs_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = create_run(runs_path, with_values(RunConfig(), {"optim.lr": 0.125}), name="warm-otter")
    assert main(["presets", "save", "warm", "warm-otter"]) == 0
    assert own("warm").config.optim.lr == 0.125
    known.known_file().unlink()  # as if the run had come from another machine
    assert main(["presets", "save", "other", "warm-otter"]) == 2
    assert "optim.lr" in capsys.readouterr().err and "other" not in {p.name for p in catalog.own_presets()[0]}
    assert main(["presets", "save", "other", folder.id, "--yes"]) == 0


def test_the_verbs_keep_presets(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def presets(*words: str) -> int:
        return main(["presets", *words])

    assert presets("save", "wide", "quickstart", "--set", "optim.lr=0.125", "--summary", "wide") == 0
    assert own("wide").config.optim.lr == 0.125
    assert presets("duplicate", "wide", "copy") == 0
    assert presets("duplicate", "wide", "copy") == 2
    assert "--replace replaces it" in capsys.readouterr().err
    assert presets("rename", "copy", "other") == 0
    assert presets("delete", "wide") == 0
    assert presets("delete", "quickstart") == 2
    assert presets("undelete") == 0
    assert presets("export", "wide", str(tmp_path / "w.toml")) == 0
    capsys.readouterr()
    assert presets("import", str(tmp_path / "w.toml")) == 2
    shown = capsys.readouterr().err
    assert "optim.lr = 0.125" in shown and "give --yes to take it" in shown
    assert presets("import", str(tmp_path / "w.toml"), "--yes") == 0
    assert {preset.name for preset in catalog.own_presets()[0]} == {"wide", "other", "w"}
    assert presets("delete") == 2
    assert "presets delete NAME" in capsys.readouterr().err
