import hashlib
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tamperscope import report
from tamperscope.errors import OutputError
from tamperscope.images import read_pixels
from tamperscope.report import read_findings
from tamperscope.report.evidence import PREVIEW_SIDE, places_of, write_evidence


def digests(out: Path) -> dict[str, str]:
    return {
        str(file.relative_to(out)): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in sorted(out.rglob("*"))
        if file.is_file()
    }


def test_every_picture_that_findings_name_is_there(written):
    screening = read_findings(written)
    named = [path for f in screening.findings for _, path in f.evidence.pictures]
    named += [region.mask for f in screening.findings for region in f.regions]
    assert len(named) == 4 + 2 + 2 + 4
    for path in named:
        assert (written / path).is_file(), path


def test_masks_are_0_and_255_and_have_the_size_of_their_panel(written, example):
    screening = read_findings(written)
    for finding in screening.findings:
        for index, region in enumerate(finding.regions):
            stored = read_pixels(written / region.mask)
            expected = np.where(example.masks[finding.id, index], 255, 0)
            np.testing.assert_array_equal(stored, np.repeat(expected[..., None], 3, axis=2))


def test_crops_hold_the_pixels_as_screened(written, example):
    finding = read_findings(written).findings[0]
    pictures = dict(finding.evidence.pictures)
    places = places_of(finding, example.screening)
    for role, place in zip(("source", "target"), places, strict=True):
        panel = example.panels[place.panel.id]
        shown = read_pixels(written / pictures[role])
        np.testing.assert_array_equal(shown, panel[place.window.slices])
        outside = place.window.area - place.region.box.area
        assert 0 < outside < place.window.area


def test_the_second_place_is_laid_exactly_onto_the_first(written, example):
    finding = read_findings(written).findings[0]
    first = places_of(finding, example.screening)[0]
    mask = example.masks["F1", 0][first.window.slices]
    aligned = read_pixels(written / dict(finding.evidence.pictures)["aligned"]).astype(float)
    source = example.panels["f001p01"][first.window.slices] * 0.8 + 20  # as the example was made
    inner = mask & np.roll(mask, 2, 0) & np.roll(mask, -2, 0) & np.roll(mask, 2, 1)
    inner &= np.roll(mask, -2, 1)
    assert np.abs(aligned - source)[inner].max() <= 1.5
    assert np.abs(aligned - source)[~mask].mean() > 10
    difference = read_pixels(written / dict(finding.evidence.pictures)["difference"])
    assert difference[inner].min() > 240
    assert difference[~mask].mean() < 200


def test_the_same_screening_gives_the_same_bytes(example, tmp_path):
    example.write(tmp_path / "one")
    example.write(tmp_path / "two")
    example.write(tmp_path / "two")  # over an existing report
    assert digests(tmp_path / "one") == digests(tmp_path / "two")
    assert len(digests(tmp_path / "one")) == 12 + 2 + 2  # evidence, previews, findings, page


def test_a_region_without_mask_keeps_none_and_its_polygon_serves(example, tmp_path):
    given = {key: mask for key, mask in example.masks.items() if key != ("F1", 0)}
    made = write_evidence(example.screening, example.figures.__getitem__, given, tmp_path)
    assert made.findings[0].regions[0].mask is None
    assert made.findings[0].regions[1].mask == "evidence/F1-mask-B.png"
    difference = read_pixels(tmp_path / dict(made.findings[0].evidence.pictures)["difference"])
    assert difference[40:100, 40:100].min() > 230


def test_a_mask_of_another_size_is_refused(example, tmp_path):
    wrong = {**example.masks, ("F2", 0): np.zeros((300, 90), bool)}
    with pytest.raises(ValueError, match=re.escape("(300, 90)")):
        write_evidence(example.screening, example.figures.__getitem__, wrong, tmp_path)


def test_large_figures_get_a_small_view(example, tmp_path):
    figure = replace(example.screening.figures[1], width=4000, height=500)
    screening = replace(example.screening, figures=(figure,), findings=())
    pixels = np.zeros((500, 4000, 3), np.uint8)
    report.write_report(screening, {"f002": pixels}.__getitem__, {}, tmp_path)
    view = read_pixels(tmp_path / "evidence/previews/f002.jpg")
    assert view.shape == (PREVIEW_SIDE // 8, PREVIEW_SIDE, 3)


def test_a_folder_that_cannot_be_made_is_an_error_that_names_it(example, tmp_path):
    (tmp_path / "evidence").write_text("a file stands in the way")
    with pytest.raises(OutputError, match="evidence cannot be made"):
        example.write(tmp_path)


def test_a_picture_that_cannot_be_written_is_an_error_that_names_it(example, tmp_path):
    (tmp_path / "evidence" / "F1-source.png").mkdir(parents=True)
    with pytest.raises(OutputError, match=r"F1-source\.png cannot be written"):
        example.write(tmp_path)
