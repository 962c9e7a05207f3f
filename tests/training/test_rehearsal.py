import pytest

from tamperscope.errors import ForgeError
from tamperscope.training import rehearsal
from tamperscope.training.engine import Machine
from tamperscope.training.rehearsal import rehearse
from tests.training.small import PAIRS, Quiet, written


@pytest.fixture(autouse=True)
def short(monkeypatch):
    monkeypatch.setattr(rehearsal, "SECONDS", 0.01)
    monkeypatch.setattr(rehearsal, "WARM_UP", 1)
    monkeypatch.setattr(rehearsal, "MEASURED", 2)


def test_a_rehearsal_tells_what_a_training_would_cost_and_writes_nothing(tmp_path):
    recipe = written(tmp_path, PAIRS)
    before = sorted(tmp_path.rglob("*"))
    text = "\n".join(rehearse(recipe, Machine("cpu", workers=0), {}, Quiet()))
    for said in (
        "training: pairs of 64 x 64, share 1, pairs ", "training: single panels of 64 x 64",
        "validation: pairs of 64 x 64, 3 samples", "biotampernet_test: ", "G operations for one",
        "samples a second", "data ", "backward ", "MB of the process", "MB for a checkpoint",
        "8 steps and 2 validations",
    ):  # fmt: skip
        assert said in text, said
    assert sorted(tmp_path.rglob("*")) == before


def test_data_are_checked_before_anything_is_computed(tmp_path, monkeypatch):
    recipe = written(tmp_path, PAIRS)

    def never(*_):
        raise ForgeError("nothing fits")

    monkeypatch.setattr("tamperscope.training.streams.make_sample", never)
    monkeypatch.setattr(rehearsal, "start_engine", lambda *_, **__: pytest.fail("computed"))
    with pytest.raises(ForgeError, match="nothing fits"):
        list(rehearse(recipe, Machine("cpu", workers=0), {}, Quiet()))
