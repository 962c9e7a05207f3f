import json

import numpy as np
import pytest

from tamperscope.errors import DatasetLayoutError
from tamperscope.evaluation import real_sets
from tamperscope.evaluation.real_sets import BenchMeasurement
from tamperscope.images import write_png
from tests.evaluation.drawn import texture


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """One copy-move in each natural set, and one blot."""
    root = tmp_path_factory.mktemp("bench")
    pixels = texture(8, 200, 240)
    pixels[120:180, 150:220] = pixels[20:80, 30:100]
    pasted, copied = np.zeros((2, 200, 240), dtype=bool)
    pasted[120:180, 150:220] = True
    copied[20:80, 30:100] = True
    files = {
        "casia_v1/tampered/Sp_S_x.png": pixels,
        "casia_v1/tampered/Sp_D_x.png": pixels,
        "casia_v1/masks/Sp_S_x.png": pasted,
        "coverage/tampered/004.png": pixels,
        "coverage/tampered/048.png": pixels,
        "coverage/mask_forged/004.png": pasted,
        "coverage/mask_copy/004.png": copied,
        "western_blots/automatic/images/b.png": pixels,
        "western_blots/automatic/masks/b.png": pasted,
    }
    for name, array in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        write_png(root / name, array)
    return root


def test_sets_are_read_as_drawn(root):
    found = {picture.key: picture for picture in real_sets.index_bench(root)}
    assert sorted(found) == [
        "casia_v1/Sp_S_x.png",  # splices are no copy-moves
        "coverage/004.png",  # 048 has a mask of another size
        "western_blots/automatic/b.png",
    ]
    assert len(found["coverage/004.png"].masks) == 2
    assert found["western_blots/automatic/b.png"].kind == "blot"


def test_a_perfect_copy_move_mask_gets_two_thirds_where_the_truth_is_the_paste(root):
    pictures = {p.key: p for p in real_sets.index_bench(root)}
    measure = BenchMeasurement(pictures, ("keypoints",))
    scores = {s["set"]: s for s in real_sets.summarise([measure(key) for key in pictures])}
    assert scores["casia_v1"]["f1_mean"] == pytest.approx(2 / 3, abs=0.08)
    assert scores["coverage"]["f1_mean"] > 0.85
    assert scores["coverage"]["f1_pooled"] == pytest.approx(scores["coverage"]["f1_mean"])
    json.dumps(scores)
    assert "coverage" in real_sets.as_text(list(scores.values()))


def test_a_missing_mask_is_an_error(root, tmp_path):
    (tmp_path / "casia_v1" / "tampered").mkdir(parents=True)
    write_png(tmp_path / "casia_v1" / "tampered" / "Sp_S_y.png", texture(1, 70, 70))
    with pytest.raises(DatasetLayoutError, match=r"Sp_S_y\.png is missing"):
        real_sets.index_bench(tmp_path)
    with pytest.raises(DatasetLayoutError, match="none of"):
        real_sets.index_bench(root / "coverage")


def test_a_limit_spreads_over_every_set(root):
    (one,) = {p for p in real_sets.index_bench(root) if p.set == "coverage"}
    many = [real_sets.Tampered("s", one.image / str(i), (), "photo") for i in range(10)]
    chosen = real_sets.evenly([*many, one], 4)
    assert [p.image.name for p in chosen] == ["0", "2", "5", "7", "004.png"]
