from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from tamperscope.records import to_dict
from tamperscope.screening import pipeline
from tamperscope.screening.pipeline import Options, screen


def micrograph(seed: int, height: int = 260, width: int = 320) -> np.ndarray:
    """Bright soft cells of many sizes on a grainy background: nothing in it repeats."""
    rng = np.random.default_rng([seed, 77])
    image = np.full((height, width), 40.0)
    for _ in range(70):
        y, x = rng.uniform(0, height), rng.uniform(0, width)
        axes = rng.uniform(4, 17, 2)
        cell = np.zeros_like(image, dtype=np.uint8)
        cv2.ellipse(
            cell, (int(x), int(y)), (int(axes[0]), int(axes[1])), rng.uniform(0, 180), 0, 360, 1, -1
        )
        image += cell * rng.uniform(20, 110)
    image += 18 * cv2.GaussianBlur(rng.standard_normal(image.shape), (0, 0), 1.5) * 3
    image = cv2.GaussianBlur(image, (0, 0), 0.8) + rng.normal(0, 3, image.shape)
    return np.repeat(np.clip(image, 0, 255).astype(np.uint8)[..., None], 3, axis=2)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three pictures: the third is a quarter turn of a part of the first, enlarged."""
    inputs = tmp_path / "in put's"
    inputs.mkdir()
    first, second = micrograph(1), micrograph(2)
    third = cv2.resize(np.rot90(first[20:240, 40:300]), None, fx=1.2, fy=1.2)
    for name, pixels in (("a", first), ("b", second), ("c", third)):
        Image.fromarray(np.ascontiguousarray(pixels)).save(inputs / f"{name}.png")
    return inputs


def without_times(screening) -> dict:
    data = to_dict(screening)
    data["run"].pop("seconds")
    data["run"].pop("commit")  # of a checkout that may be edited meanwhile
    return data


def test_a_turned_and_enlarged_part_is_found_and_nothing_else(folder, tmp_path):
    screened = screen([folder], tmp_path / "out", Options(jobs=1))
    findings = screened.screening.findings
    assert [finding.kind for finding in findings] == ["duplicate"]
    first, second = findings[0].regions
    names = {f.id: Path(f.document).name for f in screened.screening.figures}
    assert [names[first.figure], names[second.figure]] == ["a.png", "c.png"]
    assert "turned by 90° counter-clockwise, scaled 1.2" in findings[0].reason
    matrix = np.array(findings[0].transform)
    # The middle of the part lands in the middle of the third picture.
    landed = matrix @ [170, 130, 1]
    third = next(f for f in screened.screening.figures if names[f.id] == "c.png")
    assert landed[:2] / landed[2] == pytest.approx([third.width / 2, third.height / 2], abs=2)
    evidence = findings[0].evidence
    assert evidence.control is not None
    assert evidence.control[0] == 0
    assert len(evidence.stability) == 4
    assert all(mask.dtype == bool for mask in screened.masks.values())


def test_the_number_of_processes_changes_nothing(folder, tmp_path):
    one = screen([folder], tmp_path / "one", Options(jobs=1)).screening
    two = screen([folder], tmp_path / "two", Options(jobs=2)).screening
    assert without_times(one) == without_times(two)


def test_ctrl_c_keeps_what_was_found(folder, tmp_path, monkeypatch):
    def interrupted(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr(pipeline, "shortlist", interrupted)
    screening = screen([folder], tmp_path / "out", Options(jobs=1)).screening
    assert screening.run.interrupted
    assert len(screening.figures) == 3
    assert screening.findings == ()


def test_a_broken_file_is_listed_and_the_rest_is_screened(folder, tmp_path):
    (folder / "broken.png").write_bytes((folder / "a.png").read_bytes()[:300])
    screening = screen([folder], tmp_path / "out", Options(jobs=1)).screening
    assert [finding.kind for finding in screening.findings] == ["duplicate"]
    assert any("broken.png" in unread.what for unread in screening.unread)


def test_progress_reaches_its_end_in_every_stage(folder, tmp_path):
    last: dict[str, tuple[int, int | None]] = {}
    screen([folder], tmp_path / "out", Options(jobs=1), lambda s, d, t: last.update({s: (d, t)}))
    assert last.pop("Reading figures") == (3, None)
    assert last
    assert all(done == total for done, total in last.values())
