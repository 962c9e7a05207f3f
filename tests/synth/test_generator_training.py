import numpy as np
import pytest
import torch

from benchmarks.generator_measures import (
    convolved,
    copying,
    frechet,
    grid_peaks,
    nearest,
    spectrum,
    told_apart,
)
from tamperscope.errors import WeightsError
from tamperscope.images import write_png
from tamperscope.synth.drawn_source import DrawnSource
from tamperscope.synth.generators import NetworkGenerator
from tamperscope.synth.tone import content
from tools import train_generators
from tools.generator_patches import MODALITIES, draw_patches, gather_panels, stocked
from tools.generator_steps import TRAINERS, average
from tools.train_generators import Progress, begun, keep, rate_at, resumed

FAMILIES = sorted(TRAINERS)
BATCHES = ((64, 8, 0.7), (128, 4, 0.3))


@pytest.fixture(scope="module")
def stock():
    found = [gather_panels(DrawnSource(), kind, 3, 5) for kind in MODALITIES]
    labels = [label for label, own in enumerate(found) for _ in own]
    return stocked([panel for own in found for panel in own], labels)


@pytest.fixture(autouse=True)
def short(monkeypatch):
    monkeypatch.setattr(train_generators, "BATCHES", dict.fromkeys(FAMILIES, BATCHES))
    monkeypatch.setattr(train_generators, "MEASURED", 12)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_training_that_was_stopped_goes_on_as_if_it_had_not(family, stock, tmp_path):
    name = f"patch_{family}_test"
    images = torch.rand(4, 3, 64, 64, generator=torch.Generator().manual_seed(1)) * 2 - 1
    labels = torch.arange(4)

    def steps(trainer, numbers):
        for number in numbers:
            torch.manual_seed(number)
            trainer.step(images, labels, number, 1.0)
            average(trainer.averaged, trainer.modules["generator"], 4, 100 * (number + 1))

    whole = begun(family, name, stock, 0)
    steps(whole, range(4))
    first = begun(family, name, stock, 0)
    steps(first, range(2))
    keep(first, Progress(2, 8, 1.5), tmp_path / name)
    second = begun(family, name, stock, 9)
    assert resumed(second, tmp_path / name) == Progress(2, 8, 1.5)
    steps(second, range(2, 4))
    for key, module in whole.modules.items():
        for (name_of, wanted), got in zip(
            module.state_dict().items(), second.modules[key].state_dict().values(), strict=True
        ):
            assert torch.equal(wanted, got), (key, name_of)


def test_a_checkpoint_of_another_network_is_refused(stock, tmp_path):
    keep(begun("gan", "patch_gan_test", stock, 0), Progress(), tmp_path / "same")
    with pytest.raises(WeightsError, match="is of another network"):
        resumed(begun("diffusion", "patch_diffusion_test", stock, 0), tmp_path / "same")


def test_diffusion_learns_a_batch_by_heart_and_the_rate_falls_at_the_end(stock):
    trainer = begun("diffusion", "patch_diffusion_test", stock, 0)
    patches, labels, _ = draw_patches(stock, 4, 64, np.random.default_rng(3))
    images, losses = train_generators.as_images(patches), []
    for _ in range(25):
        torch.manual_seed(1)
        losses.append(trainer.step(images, torch.from_numpy(labels), 1000, 2.0)["v"])
    assert losses[-1] < 0.85 * losses[0]
    assert [rate_at(done) for done in (0, 0.6, 0.8, 1)] == pytest.approx([1, 1, 0.55, 0.1])


def test_the_critic_of_a_gan_learns_to_tell_patches_that_do_not_change(stock):
    trainer = begun("gan", "patch_gan_test", stock, 0)
    trainer.optimizers["generator"].step = lambda: None
    images = train_generators.as_images(draw_patches(stock, 8, 64, np.random.default_rng(1))[0])
    for number in range(1, 13):
        torch.manual_seed(number)
        told = trainer.step(images, torch.zeros(8, dtype=torch.int64), number, 1.0)
    assert told["real"] > told["fake"] + 0.2


def test_the_command_trains_exports_and_goes_on(tmp_path, capsys):
    corpus = tmp_path / "corpus"
    rng = np.random.default_rng(0)
    lines = ["file,source_repo,source_path,use,licence"]
    for kind in MODALITIES:
        for number in range(4):
            name = f"{kind}/{number}.png"
            (corpus / kind).mkdir(parents=True, exist_ok=True)
            pixels = gather_panels(DrawnSource(), kind, 1, int(rng.integers(99)))[0][0]
            write_png(corpus / name, pixels)
            lines.append(f"{name},owner{number}/r,{number},redistribute,CC0-1.0")
    (corpus / "manifest.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    arguments = ["--family", "gan", "--size", "test", "--corpus", str(corpus), "--panels", "0.001"]
    for minutes in ("0.004", "0.008"):
        train_generators.main([*arguments, "--out", str(tmp_path / "out"), "--minutes", minutes])
    generator = NetworkGenerator(tmp_path / "out" / "patch_gan_test.safetensors")
    assert generator.generate(np.random.default_rng(1), (64, 64), "blot").std() > 1
    log = (tmp_path / "out" / "patch_gan_test.log.jsonl").read_text(encoding="utf-8").splitlines()
    assert len(log) == 2
    assert "parameters" in capsys.readouterr().out


def test_patches_have_content_and_the_labels_of_their_panels(stock):
    patches, labels, numbers = draw_patches(stock, 40, 64, np.random.default_rng(2))
    assert patches.shape == (40, 64, 64, 3)
    np.testing.assert_array_equal(labels, stock.labels[numbers])
    assert set(labels.tolist()) == set(range(len(MODALITIES)))
    assert np.mean([content(patch, 4.0) >= 0.15 for patch in patches]) > 0.8
    only = draw_patches(stock, 5, 128, np.random.default_rng(2), "facs")[1]
    assert set(only.tolist()) == {MODALITIES.index("facs")}


def test_the_frechet_distance_of_normal_numbers_is_the_closed_form():
    rng = np.random.default_rng(1)
    first = rng.normal(0, 1, (60_000, 2))
    second = rng.normal(0, 1, (60_000, 2)) * [3, 1] + [1, 0]
    assert frechet(first, first, first) == pytest.approx(0, abs=1e-3)
    assert frechet(first, second, first) == pytest.approx(1 + (3 - 1) ** 2, rel=0.03)


def test_the_nearest_row_and_what_counts_as_a_copy():
    rng = np.random.default_rng(2)
    among, queries = rng.normal(size=(50, 7)), rng.normal(size=(20, 7))
    brute = [min(np.sqrt(((q - a) ** 2).mean()) for a in among) for q in queries]
    np.testing.assert_allclose(nearest(queries, among), brute)
    found = copying({"copier": among[:20] + 1e-3}, queries, among + 0.01, among)
    key = "nearer than 5 % of other originals"
    assert found["copier"][key] == 1
    assert found["other originals"][key] <= 0.05


def test_a_grid_and_a_slope_show_in_the_spectra():
    rng = np.random.default_rng(3)
    plain = rng.integers(90, 160, (30, 64, 64, 3)).astype(np.uint8)
    grid = plain.copy()
    grid[:, ::4] += 20
    assert abs(grid_peaks(plain)["period 4"]) < 3
    assert grid_peaks(grid)["period 4"] > 6
    smooth = (plain // 2 + np.roll(plain, 1, axis=2) // 2).astype(np.uint8)
    assert (spectrum(smooth) - spectrum(plain))[-4:].mean() < -2


def test_trees_know_what_they_have_seen_and_features_tell_patches_apart():
    rng = np.random.default_rng(4)
    noise = rng.integers(0, 60, (2, 24, 64, 64, 3))
    features = [convolved((noise[i] + low).astype(np.uint8)) for i, low in enumerate((10, 180))]
    assert features[0].shape == (24, 80)
    halves = [(rows[::2], rows[1::2]) for rows in features]
    found = told_apart(halves[0], {"bright": halves[1]})["learned from bright"]
    assert (found["real"], found["bright"]) == (0, 1)
