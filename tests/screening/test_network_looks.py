from dataclasses import replace

import numpy as np
import pytest
import torch

from tamperscope import shipped
from tamperscope.errors import WeightsError
from tamperscope.images import write_png
from tamperscope.matching.chance import Null
from tamperscope.models import create_model
from tamperscope.models.pair_reading import PairReader
from tamperscope.models.weights import WeightsCard, config_of, save_weights
from tamperscope.records import Box
from tamperscope.screening import network_looks
from tamperscope.screening.network_chance import NetworkNull
from tamperscope.screening.network_looks import NetworkLook, merged, notes
from tamperscope.screening.network_marks import PAIR_DETECTOR, Spliced, untold
from tamperscope.screening.network_readers import (
    LoadedReader,
    load_reader,
    load_readers,
    reader_for,
)
from tamperscope.screening.tasks import Between, Proven, look_between
from tamperscope.screening.workers import PanelCache, PanelSource
from tests.screening.drawn_network import linking_network, one_thread, scene, write_network  # noqa: F401 (a fixture)

SHIFT = 48  # pixels: three of the encoder's coarsest cells


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    """Panels: two that overlap, one unrelated, a blank one, a copy of the first, a doubled one."""
    folder = tmp_path_factory.mktemp("panels")
    wide = scene(224, 224 + SHIFT)
    doubled = scene(192, 384, seed=5)
    doubled[:, 192:] = doubled[:, :192]
    page = scene(224, 224, seed=9)
    page[:, :60] = 255
    pictures = {
        "page": page,
        "left": wide[:, :224],
        "right": wide[:, SHIFT:],
        "other": scene(224, 224, seed=9),
        "blank": np.full((96, 96, 3), 255, np.uint8),
        "tiny": scene(8, 8),
        "again": wide[:, :224],
        "doubled": doubled,
    }
    sources = []
    for name, pixels in pictures.items():
        path = folder / f"{name}.png"
        write_png(path, np.ascontiguousarray(pixels))
        box = Box(0, 0, pixels.shape[1], pixels.shape[0])
        sources.append(PanelSource(name, path, box, "microscopy"))
    return PanelCache(sources)


def asking(reader, cache, null=None, tasks=tuple(shipped.PANEL_TASKS)):
    return NetworkLook(LoadedReader(reader, {"model": "biotampernet_test"}, null, tasks), cache)


@pytest.fixture
def look(cache):
    return asking(PairReader(linking_network()), cache)


def test_what_two_panels_share_is_aligned_exactly(look):
    (found,) = look.between("left", "right")
    assert (found.first, found.second, found.match.detector) == ("left", "right", PAIR_DETECTOR)
    expected = np.array([[1, 0, -SHIFT], [0, 1, 0], [0, 0, 1.0]])
    assert np.abs(found.match.transform - expected).max() < 0.5
    assert found.held
    assert dict(found.measures)["network_score"] > 0.9
    assert found.match.source_mask[:, SHIFT:].mean() > 0.8


def test_what_no_alignment_confirms_is_counted_and_not_reported(look):
    assert look.between("left", "other") == []
    assert look.unverified == 1
    (note,) = notes(look, {})
    assert note.startswith("The network marked 1 further pairs")


def test_a_network_that_marks_nothing_finds_nothing(cache):
    quiet = asking(PairReader(linking_network(marks=False)), cache)
    assert quiet.between("left", "right") == []
    assert quiet.within("doubled") == []
    assert quiet.unverified == 0


def test_identical_panels_are_said_to_be_identical_whatever_the_network_marks(cache):
    quiet = asking(PairReader(linking_network(marks=False)), cache)
    (found,) = quiet.between("left", "again")
    np.testing.assert_allclose(found.match.transform, np.eye(3), atol=0.01)
    assert dict(found.measures)["identical"] == 1.0
    told = notes(quiet, {"left": "figure 1", "again": "figure 2"})
    assert told == ["Figure 1 and figure 2 are identical, pixel for pixel."]


@pytest.mark.parametrize(
    ("first", "second"), [("blank", "left"), ("blank", "blank"), ("tiny", "left"), ("tiny", "tiny")]
)
def test_blank_and_tiny_panels_find_nothing_and_do_no_harm(look, first, second):
    assert look.between(first, second) == []
    assert all(isinstance(found, Spliced) for found in look.within(first))
    assert look.identical == ([(first, second)] if first == second else [])


def test_what_one_panel_holds_twice_is_found_once(look):
    found = [one for one in look.within("doubled") if isinstance(one, Proven)]
    assert len(found) == 1
    shift = abs(found[0].match.transform[0, 2])
    assert shift == pytest.approx(192, abs=0.5)
    assert found[0].second is None


def test_marks_without_a_second_place_are_regions_of_their_own(look):
    (found,) = look.within("other")
    assert isinstance(found, Spliced)
    assert found.mask[8:-8, 8:-8].all()
    assert found.score > 0.9


def test_marks_where_a_panel_begins_are_not_told(look):
    (found,) = look.within("page")
    assert not found.mask[:, :64].any()
    assert found.mask[8:-8, 72:-8].mean() > 0.95


def test_a_mark_that_pristine_panels_show_as_well_is_left_out(cache):
    reader = PairReader(linking_network())
    often = NetworkNull({"microscopy": Null(99, (20.0, 20.0))})
    assert asking(reader, cache, often).within("other") == []
    seldom = NetworkNull({"microscopy": Null(199, ())})
    (found,) = asking(reader, cache, seldom).within("other")
    assert found.chance <= 1 / 200
    assert found.null == "micrographs, 199 pristine panels"


def test_modalities_that_the_null_does_not_hold_are_not_asked_for_marks(cache):
    null = NetworkNull({"blot": Null(199, ())})
    assert asking(PairReader(linking_network()), cache, null).within("other") == []


def test_a_network_is_asked_its_own_tasks_only(cache):
    reader = PairReader(linking_network())
    seams = asking(reader, cache, tasks=("seams",))
    assert seams.between("left", "right") == []
    assert all(isinstance(one, Spliced) for one in seams.within("doubled"))
    patches = asking(reader, cache, tasks=("patches",)).within("other")
    assert [type(one) for one in patches] == [Spliced]
    copies = asking(reader, cache, tasks=("copies",))
    assert [type(one) for one in copies.within("doubled")] == [Proven]
    assert asking(reader, cache, tasks=("pairs",)).within("doubled") == []


def test_a_network_of_photographs_marks_and_is_named(cache, tmp_path):
    """Every cell is marked: the bias of the last layer says so, whatever is shown."""
    network = create_model("forma_test")
    with torch.no_grad():
        network.decoder.predict.weight.zero_()
        network.decoder.predict.bias[:] = torch.tensor([-3.0, 3.0])
    card = WeightsCard("forma_test", config_of(network), "drawn", "Apache-2.0")
    save_weights(tmp_path / "forma.safetensors", network, card)
    (loaded,) = load_readers(tmp_path / "forma.safetensors", tuple(shipped.PANEL_TASKS), "cpu")
    assert loaded.tasks == ("splices",)
    look = NetworkLook(loaded, cache)
    assert look.between("left", "right") == []
    (found,) = look.within("other")
    assert found.mask[8:-8, 8:-8].all()
    assert found.detector == "forma"
    with pytest.raises(WeightsError, match="forma_test, which is not asked about pairs"):
        load_reader(tmp_path / "forma.safetensors", "cpu", tasks=("pairs",))
    with pytest.raises(WeightsError, match="no weights for the task 'splices'"):
        reader_for("splices", [loaded])


def test_a_mark_on_what_a_panel_holds_twice_says_nothing_new(cache):
    (proven, *_) = asking(PairReader(linking_network()), cache, tasks=("copies",)).within("doubled")
    marks = [Spliced("doubled", proven.match.target_mask, 0.9)]
    assert untold(marks, [proven]) == []
    shared = replace(proven, second="left")
    assert untold(marks, [shared]) == marks


def test_panels_are_encoded_once(cache, monkeypatch):
    look = asking(PairReader(linking_network(marks=False)), cache)
    encoded = []
    encode = look.reader.network.encode
    monkeypatch.setattr(
        look.reader.network, "encode", lambda image: encoded.append(1) or encode(image)
    )
    for second in ("right", "other", "blank"):
        look.between("left", second)
    look.within("left")
    assert len(encoded) == 4


def test_two_tasks_inside_a_panel_share_one_answer(cache, monkeypatch):
    look = asking(PairReader(linking_network()), cache)
    answered = []
    alone = look.reader.alone
    monkeypatch.setattr(look.reader, "alone", lambda panel: answered.append(1) or alone(panel))
    look.within("left")
    assert len(answered) == 1
    look.within("right")
    assert len(answered) == 2


def test_panels_longest_unused_are_let_go(look, monkeypatch):
    monkeypatch.setattr(network_looks, "KEPT_PANELS", 2)
    first = look.read("left")
    look.read("blank")
    assert look.read("left") is first
    look.read("tiny")  # lets "blank" go
    assert look.read("left") is first
    look.read("blank")
    look.read("tiny")
    assert look.read("left") is not first


def test_a_match_that_is_known_already_gets_one_more_name(look, cache):
    classical = look_between(cache, Between("left", "right", ("keypoints",)))
    assert len(classical) == 1
    assert merged(classical, look.between("left", "right")) == []
    assert classical[0].match.also == (PAIR_DETECTOR,)
    assert "network_score" in dict(classical[0].measures)
    assert len(merged([], look.between("left", "right"))) == 1


def test_a_network_without_affinity_only_marks(cache):
    blind = asking(PairReader(linking_network(affinity=False)), cache)
    assert blind.between("left", "right") == []
    assert isinstance(blind.within("doubled")[0], Spliced)


def test_damaged_answers_are_an_error(cache):
    network = linking_network()
    with torch.no_grad():
        network.fuse.weight.fill_(torch.nan)
    with pytest.raises(WeightsError, match="NaN"):
        asking(PairReader(network), cache).within("left")
