import json

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from PIL import Image

from tamperscope.cli import main
from tamperscope.models import create_model
from tamperscope.models.weights import WeightsCard, config_of, save_weights


@pytest.fixture(scope="module", autouse=True)
def _one_thread():
    """Two spinning threads on a busy machine are slower than one."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def run(*arguments):
    return CliRunner().invoke(main, ["localize", *map(str, arguments)])


@pytest.fixture
def weights(tmp_path):
    network = create_model("loma_test", seed=2)
    path = tmp_path / "loma.safetensors"
    save_weights(path, network, WeightsCard("loma_test", config_of(network), "drawn", "MIT"))
    return path


@pytest.fixture
def photo(tmp_path):
    pixels = np.random.default_rng([1]).integers(0, 256, (30, 80, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "photo.png")
    return tmp_path / "photo.png"


def test_pictures_in_maps_out(weights, photo, tmp_path):
    out = tmp_path / "out"
    done = run(photo, "--model", "loma_test", "--weights", weights, "--out", out, "--tile", 64)
    assert done.exit_code == 0, done.output
    assert "loma.safetensors saw 1 of 1 pictures; localize.json holds its card" in done.output
    assert "could not be read" not in done.output
    assert "photo.png: 2 of 2" in done.output
    assert {path.name for path in out.iterdir()} == {
        "localize.json",
        "photo.heatmap.png",
        "photo.mask.png",
        "photo.overlay.png",
    }
    record = json.loads((out / "localize.json").read_text(encoding="utf-8"))
    assert record["networks"][0]["model"] == "loma_test"
    assert record["images"][0]["tiles"] == 2


def test_with_nothing_named_it_says_which_networks_saw_what_and_what_they_know(photo, tmp_path):
    out = tmp_path / "out"
    done = run(photo, "--out", out)
    assert done.exit_code == 0, done.output
    record = json.loads((out / "localize.json").read_text(encoding="utf-8"))
    [image] = record["images"]
    asked, other = sorted(
        (network["weights"]["file"] for network in record["networks"]),
        key=lambda name: name != image["network"],
    )
    assert f"{asked} saw 1 of 1 pictures; localize.json holds its card" in done.output
    assert other not in done.output
    assert (out / "photo.mask.png").exists()


def test_weights_alone_say_which_network_they_are_of(weights, photo, tmp_path):
    done = run(photo, "--weights", weights, "--out", tmp_path / "out")
    assert done.exit_code == 0, done.output
    record = json.loads((tmp_path / "out" / "localize.json").read_text(encoding="utf-8"))
    assert record["networks"][0]["model"] == "loma_test"


def test_without_weights_the_error_says_how_to_get_some(photo, tmp_path):
    done = run(photo, "--model", "forma_base", "--out", tmp_path / "out")
    assert done.exit_code == 2
    assert "tamperscope weights convert FILE --model forma" in done.output
    assert "Traceback" not in done.output
    assert not (tmp_path / "out").exists()


def test_an_earlier_result_goes_only_with_overwrite_and_nothing_else_goes(weights, photo, tmp_path):
    out = tmp_path / "out"
    settings = ["--model", "loma_test", "--weights", weights, "--out", out]
    assert run(photo, *settings).exit_code == 0
    (out / "mine.mask.png").write_bytes(b"the user's")
    refused = run(photo, *settings)
    assert refused.exit_code == 2
    assert "--overwrite" in refused.output

    other = photo.rename(tmp_path / "other.png")
    assert run(other, *settings, "--overwrite").exit_code == 0
    names = {path.name for path in out.iterdir()}
    assert "other.mask.png" in names
    assert "mine.mask.png" in names
    assert not any(name.startswith("photo") for name in names)


def test_overwrite_removes_nothing_outside_of_the_folder(weights, photo, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    kept = tmp_path / "kept.mask.png"
    kept.write_bytes(b"the user's")
    images = [{"files": {"mask": "../kept.mask.png", "heatmap": 3}}, {"files": [str(kept)]}, 7]
    record = {"format": "tamperscope-localize/1", "images": images}
    (out / "localize.json").write_text(json.dumps(record), encoding="utf-8")
    settings = ["--model", "loma_test", "--weights", weights, "--out", out, "--overwrite"]
    done = run(photo, *settings)
    assert done.exit_code == 0, done.output
    assert kept.read_bytes() == b"the user's"


def test_unfit_weights_leave_an_earlier_result_alone(weights, photo, tmp_path):
    out = tmp_path / "out"
    settings = ["--weights", weights, "--out", out]
    assert run(photo, "--model", "loma_test", *settings).exit_code == 0
    done = run(photo, "--model", "forma_test", *settings, "--overwrite")
    assert done.exit_code == 2
    assert "holds weights of loma_test, not of forma_test" in done.output
    assert (out / "photo.mask.png").exists()


def test_nothing_readable_is_status_3_and_recorded(weights, tmp_path):
    (tmp_path / "a.png").write_bytes(b"no picture")
    out = tmp_path / "out"
    settings = ["--model", "loma_test", "--weights", weights, "--out", out]
    done = run(tmp_path / "a.png", *settings)
    assert done.exit_code == 3
    assert "1 thing could not be read" in done.output
    assert len(json.loads((out / "localize.json").read_text(encoding="utf-8"))["unread"]) == 1


def test_help_keeps_its_lines():
    shown = run("--help").output
    assert "\n  Writes to the folder, for every picture:\n    NAME.heatmap.png  " in shown
    assert "\\b" not in shown
