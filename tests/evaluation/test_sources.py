import pytest

from tamperscope.errors import DatasetLayoutError
from tamperscope.evaluation import sources
from tamperscope.evaluation.sources import Source
from tamperscope.images import write_png
from tests.evaluation.drawn import texture, write_pictures


def test_folders_and_names_say_modality_and_origin(tmp_path):
    write_pictures(tmp_path)
    (tmp_path / "gel" / "lab7").mkdir(parents=True)
    write_png(tmp_path / "gel" / "lab7" / "x_1.png", texture(1, 80, 80))
    found = {s.name: (s.kind, s.origin) for s in sources.index_sources(tmp_path)}
    assert found["microscopy/b_1.png"] == ("microscopy", "b")
    assert found["gel/lab7/x_1.png"] == ("blot", "lab7")


def test_a_manifest_says_what_belongs_together(tmp_path):
    write_pictures(tmp_path)
    (tmp_path / "manifest.csv").write_text("file,source_repo\nblot/a_0.png,some/repo\n")
    found = {s.name: s.origin for s in sources.index_sources(tmp_path)}
    assert found["blot/a_0.png"] == "some/repo"


def test_a_modality_that_cannot_be_told_is_an_error_unless_given(tmp_path):
    write_png(tmp_path / "picture.png", texture(1, 80, 80))
    with pytest.raises(DatasetLayoutError, match="--kind"):
        sources.index_sources(tmp_path)
    assert [s.kind for s in sources.index_sources(tmp_path, "facs")] == ["facs"]


def test_empty_and_missing_folders_are_errors(tmp_path):
    with pytest.raises(DatasetLayoutError, match="holds no pictures"):
        sources.index_sources(tmp_path)
    with pytest.raises(DatasetLayoutError, match="not a folder"):
        sources.index_sources(tmp_path / "absent")


def test_pictures_that_cannot_serve_are_named_with_the_reason(tmp_path):
    write_pictures(tmp_path)
    (tmp_path / "blot" / "a_broken.png").write_bytes(b"\x89PNG\r\n\x1a\nnothing")
    good, skipped = sources.check_sources(sources.index_sources(tmp_path))
    reasons = {name: why.partition(":")[0] for name, why in skipped}
    assert reasons == {
        "blot/a_broken.png": "unreadable",
        "blot/a_flat.png": "constant",
        "blot/a_tiny.png": "too small",
    }
    assert len(good) == 8


def test_no_origin_is_in_both_halves(tmp_path):
    listed = [
        Source(tmp_path, f"{kind}/{origin}{i}", kind, origin)
        for origin, size in (("p", 30), ("q", 20), ("r", 12), ("s", 3))
        for kind in ("blot", "facs")
        for i in range(size)
    ]
    halves = {side: sources.choose_split(listed, side) for side in ("tune", "check")}
    assert not {s.origin for s in halves["tune"]} & {s.origin for s in halves["check"]}
    assert sorted(s.name for half in halves.values() for s in half) == sorted(
        s.name for s in listed
    )
    assert len(halves["tune"]) / len(listed) == pytest.approx(0.5, abs=0.05)
    assert sources.choose_split(listed[::-1], "tune") == halves["tune"][::-1]


def test_other_pictures_have_another_fingerprint(tmp_path):
    listed = sources.index_sources(write_pictures(tmp_path))
    before = sources.fingerprint(listed)
    listed[0].path.write_bytes(listed[0].path.read_bytes() + b"x")
    assert sources.fingerprint(listed) != before
    assert sources.fingerprint(listed[1:]) != before
