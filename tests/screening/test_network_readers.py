import pytest

pytest.importorskip("torch")

from tamperscope import shipped
from tamperscope.errors import WeightsError
from tamperscope.models import create_model
from tamperscope.models.weights import WeightsCard, config_of, save_weights
from tamperscope.screening.network_readers import (
    load_reader,
    load_readers,
    reader_for,
)
from tests.screening.drawn_network import write_network


def test_given_weights_are_asked_everything_and_ours_what_they_learned(tmp_path, monkeypatch):
    own = write_network(tmp_path / "biotampernet_small_seams.safetensors")
    (loaded,) = load_readers(own, ("pairs", "seams"), "cpu")
    assert loaded.tasks == ("pairs", "seams")
    monkeypatch.setattr(shipped, "FOLDER", tmp_path)
    (loaded,) = load_readers(None, ("pairs", "seams"), "cpu")
    assert loaded.tasks == ("seams",)
    assert reader_for("seams", [loaded]) is loaded.reader
    with pytest.raises(WeightsError, match="no weights for the task 'pairs'"):
        reader_for("pairs", [loaded])
    with pytest.raises(WeightsError, match="no weights of biotampernet_small_pairs come with"):
        load_readers(None, ("pairs",), "cpu")


def test_weights_are_loaded_with_what_the_record_says(tmp_path):
    loaded = load_reader(write_network(tmp_path / "w.safetensors"), "cpu")
    assert loaded.facts["model"] == "biotampernet_test"
    assert loaded.facts["file"] == "w.safetensors"
    assert len(loaded.facts["sha256"]) == 64


def test_missing_and_unfit_weights_are_refused(tmp_path):
    with pytest.raises(WeightsError, match="is not there"):
        load_reader(tmp_path / "none.safetensors")
    loma = create_model("loma_test")
    save_weights(
        tmp_path / "loma.safetensors",
        loma,
        WeightsCard("loma_test", config_of(loma), "nothing", "Apache-2.0"),
    )
    with pytest.raises(WeightsError, match="loma_test, which is not asked about pairs"):
        load_reader(tmp_path / "loma.safetensors", tasks=("pairs",))
