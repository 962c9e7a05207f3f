import numpy as np
import pytest

from tamperscope.data import Unlocated, read_dataset, read_mask
from tamperscope.errors import DatasetLayoutError
from tests.data.drawn import put_image, put_mask, region


def test_western_blots_in_the_authors_folders(tmp_path):
    blot = "google_000004_patch_000"
    put_image(tmp_path / "automatically_tampered/tampered" / f"lf_64x64_{blot}.png", 1)
    put_mask(tmp_path / "automatically_tampered/mask" / f"mask_{blot}.png")
    put_image(tmp_path / "tampered_blots/gimp" / f"{blot}_gimp_cg.png", 2)
    put_mask(tmp_path / "tampered_blots/mask" / f"mask_{blot}_gimp_cg.png")
    samples = read_dataset("western_blots", tmp_path)
    assert [s.source for s in samples] == ["western_blots/automatic", "western_blots/gimp"]
    assert {s.group for s in samples} == {"google_000004"}
    assert all((read_mask(s) == region()).all() for s in samples)


def test_western_blots_sorted_into_parts(tmp_path):
    put_image(tmp_path / "realistic_cleanup/images/img_000003_patch_001_x.png")
    mask = put_mask(tmp_path / "realistic_cleanup/masks/img_000003_patch_001_x.png")
    (sample,) = read_dataset("western_blots", tmp_path)
    assert (sample.source, sample.group) == ("western_blots/cleanup", "img_000003")
    mask.unlink()
    with pytest.raises(DatasetLayoutError, match="img_000003_patch_001_x"):
        read_dataset("western_blots", tmp_path)


def rsiid(root):
    simple = root / "testset/simple/forgery/duplication/copy-move/00001"
    put_image(simple / "figure_forgery.png", 1)
    put_image(simple / "figure_pristine.png", 2)
    put_mask(simple / "figure_forgery_gt.png", colours=(0, 3))
    put_mask(simple / "figure_pristine_gt.png", region()[::-1], colours=(0, 3))
    compound = root / "trainset/compound/forgery/intra/00002"
    for number, name in enumerate(("figure.png", "figure_v1.png")):
        put_image(compound / name, 3 + number)
    put_mask(compound / "figure_forgery_gt.png", colours=(0, 1))
    put_image(root / "testset/simple/pristine/00003/figure.png", 5)


def test_rsiid(tmp_path):
    rsiid(tmp_path)
    samples = {s.image.relative_to(tmp_path).as_posix(): s for s in read_dataset("rsiid", tmp_path)}
    assert len(samples) == 4
    copied = samples["testset/simple/forgery/duplication/copy-move/00001/figure_forgery.png"]
    assert (read_mask(copied) == region()).all()
    assert copied.split == "test"
    assert copied.copied_from.paths[0].name == "figure_pristine_gt.png"
    first, second = (
        samples[f"trainset/compound/forgery/intra/00002/figure{end}.png"] for end in ("", "_v1")
    )
    assert first.group == second.group
    assert (first.split, first.copied_from) == ("train", None)
    assert samples["testset/simple/pristine/00003/figure.png"].truth is None


def test_rsiid_without_truth_is_not_pristine(tmp_path):
    rsiid(tmp_path)
    (tmp_path / "trainset/compound/forgery/intra/00002/figure_forgery_gt.png").unlink()
    with pytest.raises(DatasetLayoutError, match="00002"):
        read_dataset("rsiid", tmp_path)


def test_recodai(tmp_path):
    put_image(tmp_path / "train_images/authentic/10.png", 1)
    put_image(tmp_path / "train_images/forged/10.png", 2)
    (tmp_path / "train_masks").mkdir()
    np.save(tmp_path / "train_masks/10.npy", np.stack([region(), region() & False]).astype("u1"))
    authentic, forged = read_dataset("recodai", tmp_path)
    assert authentic.truth is None
    assert authentic.group == forged.group
    assert (read_mask(forged) == region()).all()


def test_binder_pairs_every_two_images_of_a_folder(tmp_path):
    for number, name in enumerate(("x/1.tif", "x/2.tif", "x/3.tif", "y/1.tif", "y/2.tif")):
        put_image(tmp_path / "test" / name, number)
    pairs = read_dataset("binder", tmp_path)
    assert len(pairs) == 3 + 1
    assert all(p.related and p.a.truth == p.b.truth == Unlocated() for p in pairs)
    assert {p.group for p in pairs} == {"test/x", "test/y"}
    (tmp_path / "test/y/2.tif").unlink()
    with pytest.raises(DatasetLayoutError, match=r"y/1\.tif"):
        read_dataset("binder", tmp_path)
