"""Pictures of every kind through ``localize``, with drawn weights of a small network."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from tamperscope.errors import (
    DeviceError,
    ModelNameError,
    OutputError,
    WeightsError,
)
from tamperscope.images import read_pixels
from tamperscope.models import create_model
from tamperscope.models.checkpoints import sha256
from tamperscope.models.noise import noiseprintpp
from tamperscope.models.pair_reading import PairReader
from tamperscope.models.weights import (
    WeightsCard,
    config_of,
    load_weights,
    read_card,
    save_weights,
)
from tamperscope.screening.localize import FORMAT, Options, load_localizer, localize
from tamperscope.screening.localize_files import Stems, draw_overlay
from tamperscope.shipped import FOLDER
from tamperscope.synth.drawn_source import DrawnSource


@pytest.fixture(scope="module", autouse=True)
def _one_thread():
    """Two spinning threads on a busy machine are slower than one."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def save(path, network, builder, untrained=()):
    card = WeightsCard(builder, config_of(network), "drawn", "Apache-2.0", untrained=untrained)
    save_weights(path, network, card)
    return path


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "forma.safetensors"
    return save(path, create_model("forma_test", seed=5), "forma_test")


@pytest.fixture(scope="module")
def localizer(weights):
    return load_localizer(Options("forma_test", weights, tile=128))


def drawn(height, width, seed=0):
    return np.random.default_rng([seed]).integers(0, 256, (height, width, 3), dtype=np.uint8)


def run(localizer, inputs, out):
    out.mkdir()
    done = localize(inputs, out, localizer, lambda *at: None)
    return done, json.loads((out / "localize.json").read_text(encoding="utf-8"))


def test_pictures_and_record_say_what_the_network_says(localizer, weights, tmp_path):
    pixels = drawn(40, 56)
    Image.fromarray(pixels).save(tmp_path / "photo.png")
    _, record = run(localizer, [tmp_path / "photo.png"], tmp_path / "out")

    network = create_model("forma_test", seed=5).eval()
    image = torch.from_numpy(pixels).permute(2, 0, 1)[None].float() / 255
    with torch.no_grad():
        expected = network.heatmap(image)[0].numpy()
    heat = read_pixels(tmp_path / "out" / "photo.heatmap.png")[..., 0]
    mask = read_pixels(tmp_path / "out" / "photo.mask.png")[..., 0]
    assert np.abs(heat - 255 * expected).max() <= 0.51
    sure = np.abs(expected - 0.5) > 1e-5
    np.testing.assert_array_equal(mask[sure], 255 * (expected > 0.5)[sure])
    assert 0 < mask.mean() < 255, "the drawn network has to mark some pixels and not others"
    [image_record] = record["images"]
    assert image_record["score"] == pytest.approx(expected.max(), abs=1e-5)
    assert image_record["marked"] == pytest.approx((mask > 0).mean(), abs=1e-9)
    assert (image_record["height"], image_record["width"]) == (40, 56)
    assert image_record["tiles"] == 1
    assert image_record["page"] is None
    assert (image_record["chance"], image_record["chance_null"]) == (None, None)  # other weights
    assert record["format"] == FORMAT == "tamperscope-localize/2"
    [network] = record["networks"]
    assert image_record["network"] == network["weights"]["file"] == weights.name
    assert network["weights"]["sha256"] == sha256(weights)
    assert network["weights"]["card"]["licence"] == "Apache-2.0"
    facts = (network["threshold"], network["device"], network["precision"])
    assert facts == (0.5, "cpu", "float32")
    assert network["scan"] in ("native", "chunked")
    assert record["runtime"]["versions"]["torch"]


def test_the_threshold_moves_the_mask_and_nothing_else(weights, tmp_path):
    Image.fromarray(drawn(40, 56)).save(tmp_path / "a.png")
    marked = []
    for threshold in (0.0, 0.5, 1.0):
        localizer = load_localizer(Options("forma_test", weights, threshold=threshold))
        _, record = run(localizer, [tmp_path / "a.png"], tmp_path / f"out{threshold}")
        marked.append(record["images"][0]["marked"])
    assert marked[0] == 1 > marked[1] > marked[2] == 0
    heats = [(tmp_path / f"out{t}" / "a.heatmap.png").read_bytes() for t in (0.0, 1.0)]
    assert heats[0] == heats[1]


SHAPES = {
    "one_pixel": drawn(1, 1),
    "thin": drawn(1, 5000),
    "tall": drawn(300, 1),
    "grey": drawn(20, 30)[..., 0],
    "alpha": np.dstack([drawn(20, 30), np.repeat([[0], [255]], 10, axis=0).repeat(30, axis=1)]),
    "deep": drawn(20, 30)[..., 0].astype(np.uint16) * 257,
    "tiles": drawn(150, 190),
}


@pytest.mark.parametrize("kind", SHAPES)
def test_every_shape_and_depth_gets_maps_of_its_size(kind, localizer, tmp_path):
    array = SHAPES[kind].astype(np.uint16 if kind == "deep" else np.uint8)
    Image.fromarray(array).save(tmp_path / f"{kind}.png")
    _, record = run(localizer, [tmp_path / f"{kind}.png"], tmp_path / "out")
    [image] = record["images"]
    assert record["unread"] == []
    for part in ("heatmap", "mask"):
        with Image.open(tmp_path / "out" / image["files"][part]) as picture:
            assert picture.mode == "L"
            assert picture.size == (image["width"], image["height"]) == array.shape[1::-1]
    assert set(np.unique(read_pixels(tmp_path / "out" / image["files"]["mask"]))) <= {0, 255}
    overlay = read_pixels(tmp_path / "out" / image["files"]["overlay"])
    assert max(overlay.shape) == min(max(*array.shape[:2], 3), 1600)
    assert 0 <= image["score"] <= 1
    if kind == "thin":
        assert image["tiles"] == 52
    if kind == "tiles":
        assert image["tiles"] == 4
    if kind == "alpha":
        assert "transparent" in image["note"]


def test_broken_files_are_recorded_and_the_rest_goes_on(localizer, tmp_path):
    folder = tmp_path / "photos"
    (folder / "inner").mkdir(parents=True)
    Image.fromarray(drawn(20, 30)).save(folder / "inner" / "good.png")
    whole = (folder / "inner" / "good.png").read_bytes()
    (folder / "cut.png").write_bytes(whole[:40])
    (folder / "half.png").write_bytes(whole[: len(whole) // 2])
    (folder / "empty.jpg").write_bytes(b"")
    (folder / "notes.txt").write_text("no picture", encoding="utf-8")
    done, record = run(localizer, [folder, tmp_path / "gone.png"], tmp_path / "out")
    assert [Path(image["source"]).name for image in record["images"]] == ["half.png", "good.png"]
    assert len(done.images) == 2
    reasons = {Path(item["what"]).name: item["why"] for item in record["unread"]}
    assert set(reasons) == {"cut.png", "half.png", "empty.jpg", "notes.txt", "gone.png"}
    assert "empty" in reasons["empty.jpg"]


def test_pages_get_a_suffix_and_equal_stems_do_not_overwrite_each_other(localizer, tmp_path):
    for name in ("x", "y"):
        (tmp_path / name).mkdir()
        Image.fromarray(drawn(8, 8, seed=ord(name))).save(tmp_path / name / "scan.png")
    pages = [Image.fromarray(drawn(8, 9, seed)) for seed in (1, 2)]
    pages[0].save(tmp_path / "scan.tif", save_all=True, append_images=pages[1:])
    inputs = [tmp_path / "x", tmp_path / "y", tmp_path / "scan.tif"]
    _, record = run(localizer, inputs, tmp_path / "out")
    names = [image["files"]["mask"] for image in record["images"]]
    assert names == ["scan.mask.png", "scan-2.mask.png", "scan-p01.mask.png", "scan-p02.mask.png"]
    assert [image["page"] for image in record["images"]] == [None, None, 1, 2]
    assert len({(tmp_path / "out" / name.replace("mask", "heatmap")).read_bytes()
                for name in names}) == 4  # fmt: skip


def test_stems_are_safe_names_and_never_given_twice():
    stems = Stems()
    assert stems.fresh("a/b/Photo 1.JPG", None) == "Photo 1"
    assert stems.fresh("c/photo 1.png", None) == "photo 1-2"
    assert stems.fresh("in.zip/..\\..\\evil:name?.png", None) == "evil_name_"
    assert stems.fresh("...", 7) == "image-p07"
    assert len(stems.fresh("x" * 300 + ".png", None)) <= 100
    assert stems.fresh("photo 1-2.png", None) == "photo 1-2-2"


def test_the_overlay_is_red_where_hot_and_outlined_around_the_mask():
    pixels = np.full((40, 40, 3), 100, np.uint8)
    heat, mask = np.zeros((40, 40), np.uint8), np.zeros((40, 40), bool)
    heat[10:20, 10:20], mask[10:20, 10:20] = 255, True
    overlay = draw_overlay(pixels, heat, mask)
    np.testing.assert_array_equal(overlay[30, 30], [100, 100, 100])
    np.testing.assert_array_equal(overlay[15, 15], [193, 59, 59])  # 0.4 x 100 + 0.6 x tint
    np.testing.assert_array_equal(overlay[9, 15], [255, 224, 0])
    outline = (overlay == [255, 224, 0]).all(axis=2)
    assert outline.sum() == 12 * 12 - 10 * 10


def test_ctrl_c_keeps_what_was_done(localizer, tmp_path):
    for name in "abc":
        Image.fromarray(drawn(8, 8)).save(tmp_path / f"{name}.png")

    def stop(name, done, total):
        if name.endswith("b.png"):
            raise KeyboardInterrupt

    out = tmp_path / "out"
    out.mkdir()
    inputs = [tmp_path / f"{name}.png" for name in "abc"]
    assert localize(inputs, out, localizer, stop).interrupted
    record = json.loads((out / "localize.json").read_text(encoding="utf-8"))
    assert record["interrupted"]
    assert [Path(image["source"]).name for image in record["images"]] == ["a.png"]


def refused(error, match, path, model="forma_test", **options):
    with pytest.raises(error, match=match):
        load_localizer(Options(model, path, **options))


def test_a_network_of_panels_reads_each_picture_as_one(tmp_path):
    path = save(
        tmp_path / "panels.safetensors", create_model("biotampernet_test", seed=3),
        "biotampernet_test",
    )  # fmt: skip
    pixels = drawn(70, 150)
    Image.fromarray(pixels).save(tmp_path / "blot.png")
    reader = PairReader(load_weights(path))
    expected = reader.in_tiles(pixels).heatmap
    middle = float(np.median(expected))  # drawn weights mark little: half of it, then
    for model in ("biotampernet_test", None):  # None: what the weights are of
        out = tmp_path / f"out-{model}"
        localizer = load_localizer(Options(model, path, threshold=middle))
        _, record = run(localizer, [tmp_path / "blot.png"], out)
        heat = read_pixels(out / "blot.heatmap.png")[..., 0]
        assert np.abs(heat - 255 * expected).max() <= 0.5
        mask = read_pixels(out / "blot.mask.png")[..., 0] > 0
        np.testing.assert_array_equal(mask, expected > middle)
        assert 0.3 < mask.mean() < 0.7
        [image] = record["images"]
        [network] = record["networks"]
        assert (network["model"], network["tile"]) == ("biotampernet_test", 64)
        assert image["tiles"] == 2 * 4  # of 64 pixels, on a grid of 32


def test_what_is_for_photographs_is_refused_for_panels(tmp_path):
    path = save(tmp_path / "p.safetensors", create_model("biotampernet_test"), "biotampernet_test")
    refused(WeightsError, "--tile is for networks of photographs", path, None, tile=512)
    refused(WeightsError, "--precision bfloat16 is for", path, None, precision="bfloat16")


def test_weights_that_come_with_the_program_go_by_their_name():
    card = read_card(FOLDER / "biotampernet_small_pairs.safetensors")
    named = load_localizer(Options("biotampernet_small_pairs"))
    assert named.facts["weights"]["card"]["data"] == card.data


def test_without_a_name_each_picture_goes_to_the_network_for_its_kind(tmp_path):
    source = DrawnSource()
    for number, kind in enumerate(("blot", "microscopy")):
        pixels = source.draw(np.random.default_rng([number]), (160, 192), kind).pixels
        Image.fromarray(pixels).save(tmp_path / f"{kind}.png")
    both = load_localizer(Options(tile=128))
    assert both.others.tile == 128 != both.blots.reader.tile
    _, record = run(both, [tmp_path / "blot.png", tmp_path / "microscopy.png"], tmp_path / "out")
    asked = {image["source"]: image["network"] for image in record["images"]}
    assert {Path(source).name: name for source, name in asked.items()} == {
        "blot.png": "biotampernet_small_seams.safetensors",
        "microscopy.png": "forma_small.safetensors",
    }
    for image in record["images"]:  # both come with nulls of their own
        assert image["kind"] == Path(image["source"]).stem
        assert 0 < image["chance"] <= 1
        assert image["chance_null"].endswith("pristine panels")
    builders = [network["weights"]["card"]["builder"] for network in record["networks"]]
    assert builders == ["biotampernet_small", "forma_small"]


def test_weights_that_do_not_serve_are_refused_by_name(weights, tmp_path):
    refused(ModelNameError, "Did you mean 'forma_test'", weights, model="forma_tset")
    refused(WeightsError, "holds weights of forma_test, not of loma_test", weights, "loma_test")
    refused(WeightsError, "is not there", tmp_path / "none.safetensors")
    cut = tmp_path / "cut.safetensors"
    cut.write_bytes(weights.read_bytes()[:-1000])
    refused(WeightsError, "not a whole safetensors file", cut)
    foreign = tmp_path / "foreign.safetensors"
    from safetensors.torch import save_file

    save_file({"a": torch.zeros(1)}, foreign)
    refused(WeightsError, "no tamperscope-weights/1 card", foreign)
    part = save(tmp_path / "part.safetensors", noiseprintpp(), "noiseprintpp")
    refused(WeightsError, "a part of a network", part)
    network = create_model("forma_test")
    start = save(
        tmp_path / "start.safetensors", network, "forma_test", untrained=("decoder.predict.bias",)
    )
    refused(WeightsError, "a start for training", start)


def test_nan_weights_are_refused(weights, tmp_path):
    from safetensors import safe_open
    from safetensors.torch import save_file

    with safe_open(weights, framework="pt") as file:
        header, tensors = file.metadata(), {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    tensors["decoder.predict.bias"][0] = torch.nan
    save_file(tensors, tmp_path / "nan.safetensors", metadata=header)
    refused(WeightsError, "NaN or infinity in 1 tensors", tmp_path / "nan.safetensors")


def test_answers_that_overflow_are_an_error_and_what_was_done_is_recorded(tmp_path):
    network = create_model("forma_test", seed=5)
    with torch.no_grad():
        network.decoder.predict.bias[:] = torch.tensor([-3e38, 3e38])
    path = save(tmp_path / "huge.safetensors", network, "forma_test")
    Image.fromarray(drawn(8, 8)).save(tmp_path / "a.png")
    localizer = load_localizer(Options("forma_test", path))
    out = tmp_path / "out"
    out.mkdir()
    with pytest.raises(WeightsError, match="answered with NaN or infinity"):
        localize([tmp_path / "a.png"], out, localizer, lambda *at: None)
    assert json.loads((out / "localize.json").read_text(encoding="utf-8"))["images"] == []


def test_a_folder_that_takes_no_files_is_named(localizer, tmp_path):
    Image.fromarray(drawn(8, 8)).save(tmp_path / "a.png")
    with pytest.raises(OutputError, match="cannot be written to"):
        localize([tmp_path / "a.png"], tmp_path / "gone", localizer, lambda *at: None)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_a_device_that_is_not_there_is_an_error(weights):
    refused(DeviceError, "finds no CUDA device", weights, device="cuda")


@pytest.mark.parametrize("options", [{"threshold": 1.5}, {"threshold": -0.1}, {"tile": 63}])
def test_settings_out_of_range_are_refused(options):
    with pytest.raises(ValueError, match="must"):
        Options("forma_test", Path("x"), **options)
