import json

import pytest

from tamperscope.errors import OutputError
from tamperscope.training.folder import Journal, only_here, open_folder

DECIDES = {"model": "abc", "training data": ["x"]}


def test_a_folder_is_begun_and_taken_up_again(tmp_path):
    out = tmp_path / "deep" / "run"
    open_folder(out, "text", DECIDES)
    assert (out / "recipe.toml").read_text() == "text"
    (out / "best.safetensors.part").write_bytes(b"half")
    open_folder(out, "text", DECIDES)
    assert not (out / "best.safetensors.part").exists()


def test_another_run_is_refused_by_what_differs(tmp_path):
    open_folder(tmp_path / "run", "text", DECIDES)
    with pytest.raises(OutputError, match=r"differs in training data; its recipe is"):
        open_folder(tmp_path / "run", "text", {**DECIDES, "training data": ["y"]})


def test_a_folder_with_something_else_is_refused(tmp_path):
    (tmp_path / "thesis.doc").write_text("mine")
    with pytest.raises(OutputError, match="holds no training"):
        open_folder(tmp_path, "text", DECIDES)


def test_a_folder_that_cannot_be_made_is_an_error(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(OutputError, match="this is a file"):
        open_folder(tmp_path / "file", "text", DECIDES)
    with pytest.raises(OutputError, match="cannot be written to"):
        open_folder(tmp_path / "file" / "run", "text", DECIDES)


def test_two_processes_do_not_train_in_one_folder(tmp_path):
    """A lock is its holder's; one handle keeps another out, in one process as in two."""
    with only_here(tmp_path / "run"):
        with (
            pytest.raises(OutputError, match="another process is training there"),
            only_here(tmp_path / "run"),
        ):
            pytest.fail("the second came in")
        open_folder(tmp_path / "run", "text", DECIDES)
    with only_here(tmp_path / "run"):
        open_folder(tmp_path / "run", "text", DECIDES)


def test_the_journal_takes_back_what_the_checkpoint_does_not_know(tmp_path):
    journal = Journal(tmp_path, 0)
    journal.write(step=1)
    size = journal.size
    journal.write(step=2)
    journal.close()
    journal = Journal(tmp_path, size)
    journal.write(step=3)
    journal.close()
    lines = [json.loads(line)["step"] for line in journal.path.read_text().splitlines()]
    assert lines == [1, 3]
