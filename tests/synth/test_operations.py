from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage

from tamperscope.synth.operations import OPERATIONS
from tamperscope.synth.sample import KINDS, MODALITIES, UnfitError
from tamperscope.synth.settings import Settings
from tamperscope.synth.shapes import Shapes
from tests.synth.panels import (
    NO_TONE,
    PLAIN,
    SIZE,
    STILL,
    Noise,
    NumberedSource,
    TexturedSource,
    error_of,
    made,
    resampled,
    work,
)  # fmt: skip

COPIES = ("copy-move", "paste", "overlap", "whole", "lane-inserted")
SEEDS = range(8)


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("seed", SEEDS)
def test_only_masked_pixels_differ_before_post_processing(operation, seed):
    forgery = made(operation, seed, Settings(copies=(1, 3)))
    assert forgery.kind == OPERATIONS[operation].kind
    assert len(forgery.panels) == OPERATIONS[operation].panels
    for panel, before, target in zip(forgery.panels, forgery.before, forgery.targets, strict=True):
        assert panel.shape == (*SIZE, 3)
        if before is not None:
            np.testing.assert_array_equal(panel[~target], before[~target])
            assert (panel[target] != before[target]).any() == target.any()
    marked = any(target.any() for target in forgery.targets)
    assert marked == (forgery.kind != "pristine")


def test_the_list_names_every_kind_and_only_known_modalities():
    assert {operation.kind for operation in OPERATIONS.values()} == set(KINDS)
    for operation in OPERATIONS.values():
        assert set(operation.modalities) <= set(MODALITIES)
        assert operation.title.endswith(".")


@pytest.mark.parametrize("operation", COPIES)
@pytest.mark.parametrize("seed", SEEDS)
def test_the_source_lands_on_the_target(operation, seed):
    forgery = made(operation, seed, PLAIN)
    for link in forgery.links:
        error = error_of(link, forgery.panels)
        assert error < 1.2  # levels; the worst of 211 was 0.73: cubic weights, 1/32 pixel
        moved = link.matrix.copy()
        moved[:2, 2] += 2
        assert error_of(link, forgery.panels, moved) > 10 * error


@pytest.mark.parametrize("operation", COPIES)
@pytest.mark.parametrize("seed", SEEDS)
def test_masks_follow_the_transform(operation, seed):
    for link in made(operation, seed, PLAIN).links:
        solid = np.repeat(link.source[..., None], 3, axis=2) * 255.0
        drawn = resampled(solid, link.matrix, link.target.shape, beyond="grid-constant")[..., 0]
        sure = np.abs(drawn - 127.5) > 126  # away from the outline
        here = ndimage.binary_dilation(link.target, iterations=2)
        np.testing.assert_array_equal((drawn > 127)[sure & here], link.target[sure & here])


@pytest.mark.parametrize("seed", SEEDS)
def test_flips_and_right_angles_copy_pixels_as_they_are(seed):
    turned = replace(PLAIN, copies=(1, 1), geometry=replace(STILL, flip=0.5, right_angle=0.7))
    forgery = made("copy-move", seed, turned)
    (link,) = forgery.links
    y, x = np.nonzero(link.target)
    back = np.rint(np.linalg.inv(link.matrix)).astype(int)
    columns = back[0, 0] * x + back[0, 1] * y + back[0, 2]
    rows = back[1, 0] * x + back[1, 1] * y + back[1, 2]
    np.testing.assert_array_equal(forgery.panels[0][y, x], forgery.before[0][rows, columns])


@pytest.mark.parametrize("seed", SEEDS)
def test_copies_lie_neither_on_their_source_nor_on_each_other(seed):
    forgery = made("copy-move", seed, replace(PLAIN, copies=(3, 3)))
    taken = forgery.links[0].source.copy()
    for link in forgery.links:
        assert not (taken & link.target).any()
        taken |= link.target


class HalvedSource(TexturedSource):
    """The left half is darker by 90 levels."""

    def draw(self, rng, size, modality, *, sharp=False):
        panel = super().draw(rng, size, modality)
        pixels = panel.pixels // 2 + 90
        pixels[:, : size[1] // 2] -= 90
        return replace(panel, pixels=pixels)


def unlike_around(forgery, width=6):
    """How far what lies around the copy is from what lay around its source, in levels."""
    link, panel = forgery.links[0], forgery.panels[0].astype(float)
    around = ndimage.binary_dilation(link.target, np.ones((2 * width + 1,) * 2)) & ~link.target
    there = resampled(panel, link.matrix, panel.shape)
    return np.abs(there - panel)[around].mean()


def test_copies_that_fit_lie_where_it_looks_like_around_their_source():
    small = replace(PLAIN.shapes, side=(0.15, 0.25), objects=0)
    still = replace(PLAIN, copies=(1, 1), geometry=STILL, shapes=small)
    anywhere, fitting = (
        [
            unlike_around(made("copy-move", seed, settings, source=HalvedSource()))
            for seed in range(20)
        ]
        for settings in (still, replace(still, fit=1.0))
    )
    assert np.mean(fitting) < 0.6 * np.mean(anywhere)


@pytest.mark.parametrize("seed", SEEDS)
def test_another_history_leaves_what_is_to_be_seen(seed):
    """Coarsely the region is what it was; a copy-move of the same panel is not."""
    settings = replace(PLAIN, shapes=Shapes(side=(0.4, 0.6), objects=0))

    def changed(operation, sigma):
        forgery = made(operation, seed, settings)
        before, after = (
            ndimage.gaussian_filter(pixels.astype(float), (sigma, sigma, 0))
            for pixels in (forgery.before[0], forgery.panels[0])
        )
        return np.abs(after - before)[forgery.targets[0]].mean()

    assert changed("reprocess", 5) < 0.5 * changed("copy-move", 5)
    assert changed("reprocess", 0.5) >= 0.3


@pytest.mark.parametrize("seed", SEEDS)
def test_neighbours_share_no_pixel(seed):
    settings = replace(PLAIN, geometry=STILL)
    first, second = made("neighbours", seed, settings, source=NumberedSource()).panels
    colours = [set(map(tuple, panel.reshape(-1, 3).tolist())) for panel in (first, second)]
    assert len(colours[0]) == first.shape[0] * first.shape[1]
    assert not colours[0] & colours[1]


@pytest.mark.parametrize("operation", ["unrelated", "annotated-pair", "paste"])
@pytest.mark.parametrize("seed", SEEDS)
def test_strangers_are_of_different_groups(operation, seed):
    groups = made(operation, seed).groups
    assert groups[0] != groups[1]


@pytest.mark.parametrize("seed", SEEDS)
def test_a_lane_is_cut_out_whole_and_the_band_lies_on_the_seam(seed):
    """Numbered pixels tell what was cut: within a row they rise by one but at the seam."""
    settings = replace(PLAIN, tone=NO_TONE)
    forgery = made("lane-removed", seed, settings, source=NumberedSource())
    panel, band = forgery.panels[0].astype(np.int64), forgery.targets[0]
    if forgery.parameters["horizontal"]:
        panel, band = panel.swapaxes(0, 1), band.T
    (place,) = forgery.parameters["places"]
    assert list(np.flatnonzero(band.any(axis=0))) == list(range(place - 3, place + 3))
    assert band[:, place - 3 : place + 3].all()
    for part in (panel[:, : place - 1], panel[:, place + 1 :]):  # beside what was softened
        assert len(np.unique(np.diff(part, axis=1) @ [1, 256, 65536])) == 1
    assert (np.diff(panel, axis=1) @ [1, 256, 65536])[:, place - 2 : place + 1].max() > 1


def test_a_panel_too_small_for_a_region_is_unfit():
    with pytest.raises(UnfitError, match="too small"):
        OPERATIONS["copy-move"].make(work(0, size=(10, 10), source=NumberedSource()))


class Constant(NumberedSource):
    def draw(self, rng, size, modality, *, sharp=False):
        panel = super().draw(rng, size, modality)
        return replace(panel, pixels=np.full_like(panel.pixels, 90))


@pytest.mark.parametrize("operation", ["copy-move", "paste", "splice", "erase", "retouch"])
def test_a_constant_panel_is_unfit(operation):
    with pytest.raises(UnfitError):
        OPERATIONS[operation].make(work(0, source=Constant()))


class Wrong(Noise):
    def generate(self, rng, size, modality, like=None):
        return np.zeros((size[0] + 1, size[1], 3), np.uint8)


def test_a_generators_patch_is_what_lies_in_the_region():
    forgery = made("generated-patch", 0, PLAIN)
    assert {patch["generator"] for patch in forgery.parameters["patches"]} == {"noise"}
    (target,), (panel,) = forgery.targets, forgery.panels
    assert panel[target].std() > 60  # noise over all levels; the texture's is about 25
    with pytest.raises(ValueError, match="was asked for"):
        OPERATIONS["generated-patch"].make(work(0, settings=PLAIN, generators=(Wrong(),)))
    task = work(0, settings=PLAIN, modality="facs", generators=(Noise(),))
    with pytest.raises(UnfitError, match="no generator makes facs"):
        OPERATIONS["generated-patch"].make(task)
