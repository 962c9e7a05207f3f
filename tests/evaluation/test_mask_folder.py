import numpy as np
import pytest

from tamperscope.data.samples import MaskFiles, PairSample, Sample
from tamperscope.evaluation.mask_folder import MaskFolder, read_prediction
from tamperscope.evaluation.predictions import PredictionError
from tamperscope.images import write_png
from tests.evaluation.drawn_biofors import put

PIXELS = np.zeros((4, 6, 3), np.uint8)


def sample(path):
    return Sample(path, None, "here")


def test_a_picture_is_answered_by_its_path_and_leading_folders_may_be_left_out(tmp_path):
    root, folder = tmp_path / "root", tmp_path / "masks"
    deep = sample(root / "tampered/a.b.jpg")
    put(folder / "a.b.png", np.full((4, 6), 255, np.uint8))
    flat = MaskFolder(folder, root)
    assert flat.find(deep) == folder / "a.b.png"
    flat.check([deep])
    with pytest.raises(PredictionError, match=r"a\.b\.png would answer for .*original.*tampered|"
                       r"a\.b\.png would answer for .*tampered.*original"):  # fmt: skip
        flat.check([deep, sample(root / "original/a.b.jpg")])
    put(folder / "tampered/a.b.heatmap.png", np.full((4, 6), 51, np.uint8))
    whole = MaskFolder(folder, root)
    assert whole.find(deep) == folder / "tampered/a.b.heatmap.png"
    answer = whole.on_picture(deep, PIXELS)
    assert answer.graded
    np.testing.assert_allclose(answer.heatmap, 0.2)


def test_pairs_lie_in_a_folder_named_by_both(tmp_path):
    a, b = (sample(tmp_path / f"root/d/{n}.png") for n in "ab")
    pair = PairSample(a, b, related=False, source="here")
    put(tmp_path / "masks/d/b.png__a.png/a.png", np.zeros((4, 6), np.uint8))
    folder = MaskFolder(tmp_path / "masks", tmp_path / "root")
    assert folder.find(a, pair) == tmp_path / "masks/d/b.png__a.png/a.png"
    assert folder.find(a) is None
    with pytest.raises(PredictionError, match=r"lacks 1 of 2 predictions: none for .*b\.png in a"):
        folder.check([pair])


def test_what_is_missing_is_counted_and_named_before_anything_is_scored(tmp_path):
    samples = [sample(tmp_path / f"root/{n}.jpg") for n in range(9)]
    with pytest.raises(PredictionError, match="there is no such folder"):
        MaskFolder(tmp_path / "masks", tmp_path / "root")
    (tmp_path / "masks").mkdir()
    with pytest.raises(PredictionError, match="is empty"):
        MaskFolder(tmp_path / "masks", tmp_path / "root")
    put(tmp_path / "masks/else.png", np.zeros((4, 6), np.uint8))
    for may_lack in (False, True):  # a folder that answers for nothing is the wrong folder
        folder = MaskFolder(tmp_path / "masks", tmp_path / "root", may_lack)
        with pytest.raises(PredictionError, match=r"lacks 9 of 9 .* and 4 more .*else\.png"):
            folder.check(samples)
    put(tmp_path / "masks/3.png", np.zeros((4, 6), np.uint8))
    MaskFolder(tmp_path / "masks", tmp_path / "root", may_lack=True).check(samples)
    with pytest.raises(PredictionError, match=r"lacks 8 of 9.*--only tampered"):
        MaskFolder(tmp_path / "masks", tmp_path / "root").check(samples)
    samples[0] = Sample(samples[0].image, MaskFiles((tmp_path / "m.png",)), "here")
    with pytest.raises(PredictionError, match=r"lacks 8 of 9 (?!.*--only)"):
        MaskFolder(tmp_path / "masks", tmp_path / "root").check(samples)


def test_values_are_a_mask_or_a_heatmap_and_nothing_else(tmp_path):
    def read(name, array):
        path = tmp_path / name
        if name.endswith(".npy"):
            np.save(path, array)
        else:
            write_png(path, array)
        return read_prediction(path)

    row = np.array([[0, 1, 0]], np.uint8)
    assert read("small.png", row).heatmap.tolist() == [[0, 1, 0]]
    assert not read("mask.png", row * 255).graded
    assert read("heat.png", row * 100).graded
    assert read("heat.npy", row * np.float32(0.25)).heatmap.tolist() == [[0, 0.25, 0]]
    assert read("mask.npy", row.astype(np.int64) * 7).heatmap.tolist() == [[0, 1, 0]]
    planes = read("planes.npy", np.stack([row, 1 - row]))
    assert planes.heatmap.all()
    assert [plane.tolist() for plane in planes.planes] == [[[False, True, False]], [[True, False, True]]]  # fmt: skip  # noqa: E501
    for wrong in (row * 1.5, row * np.nan, -1.0 * row):
        with pytest.raises(PredictionError, match="numbers in"):
            read("wrong.npy", wrong)
    with pytest.raises(PredictionError, match="not a mask"):
        read("text.npy", np.array(["a"]))
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nno")
    with pytest.raises(PredictionError, match=r"broken\.png"):
        read_prediction(tmp_path / "broken.png")


def test_deep_samples_are_refused_because_they_would_be_stretched(tmp_path):
    from PIL import Image

    path = tmp_path / "deep.png"
    Image.fromarray(np.array([[0, 300]], np.uint16)).save(path)
    with pytest.raises(PredictionError, match="8 bit"):
        read_prediction(path)


def test_a_prediction_of_another_size_is_an_error(tmp_path):
    put(tmp_path / "masks/a.png", np.zeros((6, 4), np.uint8))
    folder = MaskFolder(tmp_path / "masks", tmp_path / "root")
    with pytest.raises(PredictionError, match=r"is 4 x 6, its picture .*a\.jpg 6 x 4"):
        folder.on_picture(sample(tmp_path / "root/a.jpg"), PIXELS)


def test_new_files_are_another_measurement(tmp_path):
    put(tmp_path / "masks/a.png", np.zeros((4, 6), np.uint8))
    samples = [Sample(tmp_path / "root/a.jpg", MaskFiles((tmp_path / "m.png",)), "here")]
    before = MaskFolder(tmp_path / "masks", tmp_path / "root").fingerprint(samples)
    assert MaskFolder(tmp_path / "masks", tmp_path / "root").fingerprint(samples) == before
    put(tmp_path / "masks/a.png", np.full((4, 6), 255, np.uint8))
    assert MaskFolder(tmp_path / "masks", tmp_path / "root").fingerprint(samples) != before
