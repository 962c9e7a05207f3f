import csv
import pickle
from pathlib import Path

import numpy as np
import pytest

from tamperscope.errors import DatasetLayoutError
from tamperscope.images import write_png
from tamperscope.synth.opening import open_sources
from tamperscope.synth.pictures import Picture, list_pictures, valid_origins
from tamperscope.synth.sample import UnfitError
from tamperscope.synth.sources import MixedSource, PictureSource, cut, draw_sharp, draw_window
from tests.synth.panels import TexturedSource, textured

CORPUS = Path(__file__).parents[3] / "shared" / "corpus"


def put(path, seed=0, size=(120, 140)):
    path.parent.mkdir(parents=True, exist_ok=True)
    write_png(path, textured(np.random.default_rng(seed), size))


def corpus(root, rows):
    with (root / "manifest.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, ["file", "source_repo", "source_path", "use"])
        writer.writeheader()
        for name, repo, use in rows:
            put(root / name)
            writer.writerow({"file": name, "source_repo": repo, "source_path": name, "use": use})


def test_a_corpus_gives_what_may_be_used(tmp_path):
    rows = [("blot/a.png", "one/p", "redistribute"), ("natural/x_b.png", "two/q", "internal")]
    corpus(tmp_path, rows)
    assert [p.name for p in list_pictures(tmp_path)] == ["blot/a.png"]
    both = list_pictures(tmp_path, uses=("redistribute", "internal"))
    assert [(p.modality, p.origin) for p in both] == [("blot", "one"), ("photo", "two")]
    with pytest.raises(DatasetLayoutError, match="no pictures that can be used"):
        list_pictures(tmp_path, uses=("nothing",))
    (tmp_path / "blot" / "a.png").unlink()
    with pytest.raises(DatasetLayoutError, match=r"lists blot/a.png, which is not there"):
        list_pictures(tmp_path)
    (tmp_path / "manifest.csv").write_text("file,who\na,b\n")
    with pytest.raises(DatasetLayoutError, match="needs the columns"):
        list_pictures(tmp_path)


def test_no_origin_is_on_both_sides_of_a_split(tmp_path):
    rng = np.random.default_rng(0)
    pictures = [
        Picture(tmp_path / f"{i}", f"{i}", kind, f"g{i}", f"{kind}{int(rng.integers(8))}")
        for i, kind in enumerate(["blot", "photo", "facs"] * 30)
    ]
    valid = valid_origins(pictures)
    for kind in ("blot", "photo", "facs"):
        own = [p for p in pictures if p.modality == kind]
        share = sum(p.origin in valid for p in own) / len(own)
        assert 0.05 < share <= 0.4
    assert valid_origins(reversed(pictures)) == valid


ALL = ("redistribute", "unverified", "internal")


@pytest.mark.skipif(not CORPUS.is_dir(), reason="no ../shared/corpus")
@pytest.mark.parametrize("uses", [("redistribute",), ALL])
def test_no_repository_and_no_picture_of_the_corpus_is_on_both_sides(uses):
    train, valid = (list_pictures(CORPUS, split=side, uses=uses) for side in ("train", "valid"))
    assert not {p.origin for p in train} & {p.origin for p in valid}
    assert not {p.group for p in train} & {p.group for p in valid}
    assert not {p.group.partition(":")[0] for p in train} & {
        p.group.partition(":")[0] for p in valid
    }
    assert len(train) + len(valid) == len(list_pictures(CORPUS, uses=uses))
    kinds = {"blot", "microscopy", "facs", "macroscopy", "photo"}
    assert {p.modality for p in train} == {p.modality for p in valid} == kinds
    assert 0.1 < len(valid) / (len(train) + len(valid)) < 0.35


@pytest.mark.skipif(not CORPUS.is_dir(), reason="no ../shared/corpus")
def test_what_trains_weights_that_ship_never_validates_them():
    train = list_pictures(CORPUS, split="train")
    valid = list_pictures(CORPUS, split="valid", uses=ALL)
    assert not {p.origin for p in train} & {p.origin for p in valid}


def test_a_folder_tells_modality_and_origin_by_its_names(tmp_path):
    for name in ("gel/p1/a.png", "gel/p1/b.png", "photos/c.png"):
        put(tmp_path / name)
    found = {p.name: (p.modality, p.origin) for p in list_pictures(tmp_path)}
    assert found == {
        "gel/p1/a.png": ("blot", "p1"),
        "gel/p1/b.png": ("blot", "p1"),
        "photos/c.png": ("photo", "photos/c.png"),
    }
    assert [p.modality for p in list_pictures(tmp_path / "gel")] == ["blot", "blot"]
    put(tmp_path / "d.png")
    with pytest.raises(DatasetLayoutError, match="cannot tell what it shows"):
        list_pictures(tmp_path)
    assert {p.modality for p in list_pictures(tmp_path, modality="facs")} == {"facs"}
    with pytest.raises(DatasetLayoutError, match="not a folder"):
        list_pictures(tmp_path / "nowhere")


def test_one_origin_cannot_be_split(tmp_path):
    put(tmp_path / "blot" / "p1" / "a.png")
    with pytest.raises(DatasetLayoutError, match="one origin only"):
        list_pictures(tmp_path, split="valid")


@pytest.mark.parametrize("size", [(64, 64), (90, 50), (40, 130)], ids=str)
@pytest.mark.parametrize("seed", range(20))
def test_a_panel_is_a_part_of_its_picture(seed, size):
    rng = np.random.default_rng(seed)
    picture = (int(rng.integers(70, 300)), int(rng.integers(70, 300)))
    window = draw_window(picture, size, rng)
    if window is None:
        assert min(p / s for p, s in zip(picture, size, strict=True)) < 0.5
        return
    x0, y0, x1, y1 = window
    assert 0 <= x0 < x1 <= picture[1]
    assert 0 <= y0 < y1 <= picture[0]
    rows, columns = (y1 - y0) / size[0], (x1 - x0) / size[1]
    assert min(rows, columns) > 0.48  # enlarged at most twice, but for rounding
    assert max(rows / columns, columns / rows) < 2.6
    pixels = rng.integers(0, 256, (*picture, 3), dtype=np.uint8)
    panel = cut(pixels, window, size)
    assert panel.shape == (*size, 3)
    if (y1 - y0, x1 - x0) == size:
        np.testing.assert_array_equal(panel, pixels[y0:y1, x0:x1])


@pytest.mark.parametrize("seed", range(30))
def test_a_sharp_panel_is_neither_enlarged_nor_stretched(seed):
    rng = np.random.default_rng(seed)
    picture, size = (int(rng.integers(70, 400)), int(rng.integers(70, 400))), (96, 128)
    window = draw_sharp(picture, size, rng)
    if window is None:
        assert picture[0] < size[0] or picture[1] < size[1]
        return
    x0, y0, x1, y1 = window
    assert 0 <= x0 < x1 <= picture[1]
    assert 0 <= y0 < y1 <= picture[0]
    rows, columns = (y1 - y0) / size[0], (x1 - x0) / size[1]
    assert min(rows, columns) >= 1
    assert abs(rows - columns) <= 1 / size[0]


def test_sharp_panels_show_a_pictures_own_pixels_often_and_on_its_grid():
    rng = np.random.default_rng(0)
    windows = [draw_sharp((300, 400), (96, 128), rng) for _ in range(400)]
    own = [(x0, y0) for x0, y0, x1, y1 in windows if (y1 - y0, x1 - x0) == (96, 128)]
    assert 0.4 < len(own) / 400 < 0.6
    assert 0.4 < np.mean([x % 8 == 0 and y % 8 == 0 for x, y in own]) < 0.65


def test_pictures_smaller_than_the_panel_are_unfit(tmp_path):
    put(tmp_path / "blot" / "small.png", size=(60, 60))
    source = PictureSource.from_folder(tmp_path)
    assert source.draw(np.random.default_rng(0), (64, 64), "blot").name == "blot/small.png"
    with pytest.raises(UnfitError, match="too small for a panel of 64 x 64"):
        source.draw(np.random.default_rng(0), (64, 64), "blot", sharp=True)
    with pytest.raises(UnfitError, match="too small for a panel of 256 x 256"):
        source.draw(np.random.default_rng(0), (256, 256), "blot")
    with pytest.raises(UnfitError, match="no photo pictures"):
        source.draw(np.random.default_rng(0), (64, 64), "photo")


def test_a_small_cache_and_a_pickled_source_draw_the_same(tmp_path):
    for number in range(4):
        put(tmp_path / "blot" / f"{number}.png", number)
    roomy = PictureSource.from_folder(tmp_path)
    roomy.preload()
    tight = PictureSource.from_folder(tmp_path, cache_bytes=1)
    sent = pickle.loads(pickle.dumps(roomy))
    for seed in range(12):
        drawn = [s.draw(np.random.default_rng(seed), (64, 64), None) for s in (roomy, tight, sent)]
        assert len({panel.pixels.tobytes() for panel in drawn}) == 1
    assert roomy.identity == tight.identity


def test_mixed_sources_give_what_any_of_them_has():
    mixed = MixedSource(
        (TexturedSource(modalities=("blot",)), TexturedSource(modalities=("facs",)))
    )
    assert mixed.modalities == ("blot", "facs")
    assert mixed.draw(np.random.default_rng(0), (64, 64), "facs").modality == "facs"
    with pytest.raises(UnfitError, match="no source has photo"):
        mixed.draw(np.random.default_rng(0), (64, 64), "photo")


def test_drawn_panels_need_no_data():
    source = open_sources(["drawn"])
    assert "blot" in source.modalities
    panel = source.draw(np.random.default_rng(0), (64, 80), "blot")
    assert panel.pixels.shape == (64, 80, 3)
    assert panel.group != source.draw(np.random.default_rng(1), (64, 80), "blot").group
    with pytest.raises(UnfitError, match="cannot be drawn"):
        source.draw(np.random.default_rng(0), (64, 64), "photo")
