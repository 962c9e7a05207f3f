import numpy as np
import pytest

from tamperscope.data.samples import Boxes, Sample
from tamperscope.errors import RecipeError
from tamperscope.images import write_png
from tamperscope.synth.drawn_source import DrawnSource
from tamperscope.synth.recipe import find_recipe
from tamperscope.synth.sources import MixedSource
from tamperscope.synth.writing import Task, write_set
from tamperscope.training import opening
from tamperscope.training.opening import Wanted, dataset_pictures, open_streams
from tamperscope.training.recipe import Stream
from tests.synth.panels import TexturedSource, textured
from tests.training.small import FORGE, OPERATIONS

WANTED = Wanted(pairs=True, seed=0)


@pytest.fixture
def corpus(tmp_path):
    """A folder of twelve blots, each of an origin of its own, and a forge recipe for them."""
    rng = np.random.default_rng(0)
    for number in range(12):
        path = tmp_path / "pictures" / f"lab{number}" / "blot" / f"{number}.png"
        path.parent.mkdir(parents=True)
        write_png(path, textured(rng, (150, 150)))
    (tmp_path / "singles.toml").write_text(FORGE + OPERATIONS["singles"])
    return tmp_path


def stream(folder, **keys):
    return Stream(forge=str(folder / "singles.toml"), **{"sources": ("own",), **keys})


def opened(folder, *streams, wanted=WANTED, **roots):
    return open_streams(streams, {"own": str(folder / "pictures"), **roots}, wanted, "data")


def test_sides_of_a_split_share_no_picture(corpus):
    ((train,), (valid,)) = opened(
        corpus, stream(corpus, split="train"), stream(corpus, split="valid")
    )
    names = [{p.name for p in one.source.pictures} for one in (train, valid)]
    assert not names[0] & names[1]
    assert len(names[0] | names[1]) == 12
    assert train.identity != valid.identity


def test_a_source_that_two_streams_name_is_opened_once(corpus):
    ((one,), (two,), (three,)) = opened(
        corpus, stream(corpus), stream(corpus), stream(corpus, sources=("own", "drawn"))
    )
    assert one.source is two.source
    assert isinstance(three.source, MixedSource)
    assert three.source.sources[0] is one.source
    assert isinstance(three.source.sources[1], DrawnSource)


def test_a_source_without_a_folder_is_an_error(corpus):
    with pytest.raises(RecipeError, match="--root onw=DIR"):
        opened(corpus, stream(corpus, sources=("onw",)))


def test_pristine_pictures_of_a_dataset_are_sources(tmp_path, monkeypatch):
    samples = [
        Sample(tmp_path / f"{n}.png", Boxes(((0, 0, 2, 2),)) if n == 3 else None, "biofors_train",
               group=f"doi{n // 2}", kind="blot" if n != 5 else None)
        for n in range(20)
    ]  # fmt: skip
    for sample in samples:
        sample.image.write_bytes(b"")
    monkeypatch.setattr(opening, "read_dataset", lambda name, root: samples)
    everything = {p.name for p in dataset_pictures("biofors_train", tmp_path, "all")}
    assert everything == {f"{n}.png" for n in range(20)} - {"3.png", "5.png"}
    sides = [dataset_pictures("biofors_train", tmp_path, side) for side in ("train", "valid")]
    assert {p.name for side in sides for p in side} == everything
    groups = [{p.group for p in side} for side in sides]
    assert all(groups)
    assert not groups[0] & groups[1]


def test_a_written_set_is_shown_as_the_forge_made_it(tmp_path):
    recipe = find_recipe("idd")
    recipe = type(recipe)(**{**vars(recipe), "size": (64, 64)})
    write_set(Task(recipe, TexturedSource(), tmp_path / "set"), 6)
    (streams,) = open_streams(
        [Stream(dataset="forged", root="set", size=(64, 64), samples=6)],
        {"set": str(tmp_path / "set")}, Wanted(True, 0, held_out=True), "data",
    )  # fmt: skip
    (one,) = streams
    examples = [one.example(number) for number in range(6)]
    assert one.form == 1
    assert any(example.masks[0].any() for example in examples)


def test_a_loss_that_needs_links_cannot_use_a_set_on_disk(tmp_path):
    wanted = Wanted(True, 0, extra=("partners",))
    with pytest.raises(RecipeError, match="only the forge knows"):
        open_streams([Stream(dataset="forged", size=(64, 64))], {}, wanted, "data")


def test_splits_that_a_dataset_does_not_have_are_refused(tmp_path, monkeypatch):
    samples = [Sample(tmp_path / "1.png", None, "x", split="train")]
    monkeypatch.setattr(opening, "read_dataset", lambda name, root: samples)
    with pytest.raises(RecipeError, match="has the splits train"):
        opening.dataset_samples(
            Stream(dataset="tampcoco", size=(64, 64), split="valid"), {"tampcoco": "x"}
        )
    samples[0] = Sample(tmp_path / "1.png", None, "x")
    with pytest.raises(RecipeError, match="no split of its own"):
        opening.dataset_samples(
            Stream(dataset="tampcoco", size=(64, 64), split="valid"), {"tampcoco": "x"}
        )
