from pathlib import Path

import pytest

from tamperscope import shipped
from tamperscope.errors import WeightsError


def test_given_weights_go_before_those_that_come_with_the_program():
    assert shipped.weights_of("forma_base", Path("mine.safetensors")) == Path("mine.safetensors")


def test_what_does_not_come_with_the_program_is_an_error_that_says_what_does(monkeypatch, tmp_path):
    monkeypatch.setattr(shipped, "FOLDER", tmp_path)
    with pytest.raises(WeightsError, match="no weights of forma_base come with this package, and"):
        shipped.weights_of("forma_base", None)
    (tmp_path / "loma_small.safetensors").touch()
    assert shipped.shipped_names() == ["loma_small"]
    assert shipped.weights_of("loma_small", None) == tmp_path / "loma_small.safetensors"
    with pytest.raises(WeightsError, match="there are loma_small"):
        shipped.weights_of("forma_base", None)


def test_tasks_are_those_whose_weights_are_there(monkeypatch, tmp_path):
    monkeypatch.setattr(shipped, "FOLDER", tmp_path)
    assert shipped.shipped_tasks() == ()
    (tmp_path / "biotampernet_small_seams.safetensors").touch()
    (tmp_path / "biotampernet_small_pairs.safetensors").touch()
    assert shipped.shipped_tasks() == ("pairs", "seams")
    assert shipped.shipped_tasks(("copies", "seams")) == ("seams",)
