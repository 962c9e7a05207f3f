import json
import os
import shutil
import subprocess
import sys
import time

import numpy as np
import pytest

from tamperscope.data.catalog import find_dataset
from tamperscope.data.check import check_dataset
from tamperscope.data.forged import index_forged
from tamperscope.data.masks import read_mask
from tamperscope.data.samples import PairSample
from tamperscope.errors import DatasetLayoutError, OutputError
from tamperscope.images import read_pixels, write_png
from tamperscope.synth.forge import make_sample
from tamperscope.synth.recipe import read_recipe
from tamperscope.synth.sources import PictureSource
from tamperscope.synth.writing import Task, write_set
from tests.synth.panels import textured

COUNT = 10
TEXT = 'format = "tamperscope-recipe/1"\nsize = [72, 80]\n' + "".join(
    f"[operations.{name}]\n"
    for name in ("copy-move", "paste", "whole", "unrelated", "pristine", "lane-removed")
)
RECIPE = read_recipe(TEXT, "small")


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """A folder of blots: five that can serve, one constant, one broken."""
    root = tmp_path_factory.mktemp("pictures") / "blot"
    root.mkdir()
    for number in range(5):
        write_png(root / f"{number}.png", textured(np.random.default_rng(number), (150, 180)))
    write_png(root / "constant.png", np.full((90, 90, 3), 7, np.uint8))
    (root / "broken.png").write_bytes((root / "0.png").read_bytes()[:300])
    return root


def task_to(out, pictures, seed=0):
    return Task(RECIPE, PictureSource.from_folder(pictures), out, seed, split="all")


def content(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.fixture(scope="module")
def whole(pictures, tmp_path_factory):
    """The set as one process writes it in one go."""
    out = tmp_path_factory.mktemp("whole") / "set"
    done = write_set(task_to(out, pictures), COUNT)
    assert (done.made, done.there, done.given_up) == (COUNT, 0, {})
    assert set(done.skipped) == {"broken.png", "constant.png"}
    assert "constant" in done.skipped["constant.png"]
    assert "unreadable" in done.skipped["broken.png"]
    return out


def test_two_processes_write_the_same_bytes(whole, pictures, tmp_path):
    done = write_set(task_to(tmp_path / "set", pictures), COUNT, jobs=2)
    assert done.made == COUNT
    assert set(done.skipped) == {"broken.png", "constant.png"}
    assert content(tmp_path / "set") == content(whole)


@pytest.mark.parametrize("kept", [0, 1, 4])
def test_a_run_that_was_stopped_goes_on_to_the_same_bytes(whole, pictures, tmp_path, kept):
    """Stopped in the middle of a line, with files of later samples half there."""
    out = tmp_path / "set"
    shutil.copytree(whole, out)
    lines = (out / "manifest.jsonl").read_bytes().splitlines(keepends=True)
    (out / "manifest.jsonl").write_bytes(b"".join(lines[: 1 + kept]) + lines[1 + kept][:40])
    images = sorted((out / "images").iterdir())
    for path in images[kept + 2 :]:
        path.unlink()
    (out / "images" / "000009.png.part").write_bytes(b"half")
    done = write_set(task_to(out, pictures), COUNT)
    assert (done.there, done.made) == (kept, COUNT - kept)
    assert content(out) == content(whole)


def test_a_file_that_was_lost_is_made_again_and_nothing_else(whole, pictures, tmp_path):
    out = tmp_path / "set"
    shutil.copytree(whole, out)
    lost = sorted((out / "masks").iterdir())[2]
    lost.unlink()
    before = {path: path.stat().st_mtime_ns for path in (out / "images").iterdir()}
    done = write_set(task_to(out, pictures), COUNT)
    assert (done.there, done.made) == (COUNT, 0)
    assert content(out) == content(whole)
    changed = [path for path, at in before.items() if path.stat().st_mtime_ns != at]
    assert {path.name[:6] for path in changed} == {lost.name[:6]}


def test_a_larger_count_adds_and_a_smaller_one_is_refused(whole, pictures, tmp_path):
    out = tmp_path / "set"
    write_set(task_to(out, pictures), 3)
    write_set(task_to(out, pictures), COUNT)
    assert content(out) == content(whole)
    with pytest.raises(OutputError, match="10 samples already, more than the 3"):
        write_set(task_to(out, pictures), 3)


def test_a_set_made_otherwise_is_not_added_to(whole, pictures, tmp_path):
    with pytest.raises(OutputError, match="differs in seed"):
        write_set(task_to(whole, pictures, seed=1), COUNT)
    begun = tmp_path / "begun"  # stopped before there was a manifest
    (begun / "images").mkdir(parents=True)
    (begun / "manifest.jsonl.part").write_text("{")
    assert write_set(task_to(begun, pictures), 1).made == 1
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(OutputError, match="not empty and holds no set"):
        write_set(task_to(tmp_path, pictures), COUNT)
    with pytest.raises(OutputError, match="is a file"):
        write_set(task_to(tmp_path / "notes.txt", pictures), COUNT)


def test_a_line_that_is_not_json_is_named(whole, pictures, tmp_path):
    out = tmp_path / "set"
    shutil.copytree(whole, out)
    lines = (out / "manifest.jsonl").read_text().splitlines()
    lines[4] = lines[4][:30]
    (out / "manifest.jsonl").write_text("\n".join(lines) + "\n")
    with pytest.raises(OutputError, match=r"manifest.jsonl, line 5 is not JSON"):
        write_set(task_to(out, pictures), COUNT)
    with pytest.raises(DatasetLayoutError, match=r"manifest.jsonl, line 5 is not JSON"):
        index_forged(out)
    del lines[4]
    (out / "manifest.jsonl").write_text("\n".join(lines) + "\n")
    with pytest.raises(OutputError, match="line 5 should be sample 3"):
        write_set(task_to(out, pictures), COUNT)


def test_what_was_written_is_what_was_made(whole, pictures):
    source = PictureSource.from_folder(pictures)
    lines = [json.loads(line) for line in (whole / "manifest.jsonl").read_text().splitlines()]
    for line in lines[1:]:
        sample = make_sample(RECIPE, source, 0, 0, line["index"])
        for i, name in enumerate(line["panels"]):
            np.testing.assert_array_equal(read_pixels(whole / name), sample.panels[i])
            for names, masks in (
                (line["sources"], sample.sources),
                (line["targets"], sample.targets),
            ):
                if names[i] is None:
                    assert not masks[i].any()
                else:
                    drawn = read_pixels(whole / names[i])[..., 0]
                    np.testing.assert_array_equal(drawn, masks[i] * np.uint8(255))
        for told, link in zip(line["links"], sample.links, strict=True):
            np.testing.assert_allclose(told["matrix"], link.matrix, atol=1e-6)


def test_the_reader_gives_the_truth_and_the_check_finds_nothing_wrong(whole, pictures):
    samples = index_forged(whole)
    assert len(samples) == COUNT
    sample = next(s for s in samples if isinstance(s, PairSample) and s.related)
    index = int(sample.a.image.name[:6])
    expected = make_sample(RECIPE, PictureSource.from_folder(pictures), 0, 0, index)
    np.testing.assert_array_equal(read_mask(sample.a), expected.sources[0])
    np.testing.assert_array_equal(read_mask(sample.b), expected.targets[1])
    checked = check_dataset(find_dataset("forged"), whole)
    assert checked.problems == ()
    assert checked.tampered + checked.pristine == COUNT


def test_the_check_sees_a_mask_that_does_not_fit(whole, tmp_path):
    out = tmp_path / "set"
    shutil.copytree(whole, out)
    mask = next(path for path in sorted((out / "masks").iterdir()) if "_a_" not in path.name)
    write_png(mask, np.zeros((9, 9), dtype=bool))
    problems = check_dataset(find_dataset("forged"), out).problems
    assert any("is 9 x 9" in text for text in problems)


def test_the_bytes_do_not_depend_on_the_processors_instructions(whole, pictures, tmp_path):
    """OpenCV and NumPy without what they choose by processor (x86; elsewhere it says little)."""
    recipe = tmp_path / "small.toml"
    recipe.write_text(TEXT, encoding="utf-8")
    plain = {
        "OPENCV_CPU_DISABLE": "AVX512_SKX,AVX2,FP16,AVX,FMA3,SSE4.2,SSE4.1,SSSE3",
        "OPENCV_IPP": "disabled",
        "NPY_DISABLE_CPU_FEATURES": "X86_V3 X86_V4 AVX512_ICL AVX512_SPR AVX2 FMA3 AVX512F",
    }
    done = subprocess.run(
        [
            sys.executable, "-c", "from tamperscope.cli import main; main()", "synth",
            "--recipe", str(recipe), "--count", str(COUNT), "--out", str(tmp_path / "set"),
            "--sources", str(pictures), "--jobs", "1",
        ],
        env={**os.environ, **plain}, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert content(tmp_path / "set") == content(whole)


@pytest.mark.slow
def test_a_run_that_was_killed_goes_on_to_the_same_bytes(pictures, tmp_path):
    recipe = tmp_path / "small.toml"
    recipe.write_text(TEXT, encoding="utf-8")

    def command(out):
        return [
            sys.executable, "-c", "from tamperscope.cli import main; main()", "synth",
            "--recipe", str(recipe), "--count", "300", "--out", str(out),
            "--sources", str(pictures), "--jobs", "2",
        ]  # fmt: skip

    process = subprocess.Popen(command(tmp_path / "killed"), stderr=subprocess.DEVNULL)
    manifest = tmp_path / "killed" / "manifest.jsonl"
    while not manifest.exists() or manifest.read_bytes().count(b"\n") < 40:
        assert process.poll() is None
        time.sleep(0.01)
    process.kill()
    process.wait()
    assert manifest.read_bytes().count(b"\n") < 301
    for out in ("killed", "whole"):
        subprocess.run(command(tmp_path / out), check=True, capture_output=True)
    assert content(tmp_path / "killed") == content(tmp_path / "whole")
