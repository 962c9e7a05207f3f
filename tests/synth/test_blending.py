import numpy as np
import pytest
from scipy import sparse
from scipy.sparse.linalg import spsolve

from tamperscope.synth.blending import WAYS, Blending, blend, membrane, soft_edge
from tamperscope.synth.geometry import Box
from tamperscope.synth.shapes import outline

BOX = Box(9, 14, 40, 30)


def drawn(seed):
    rng = np.random.default_rng(seed)
    canvas, patch = (rng.integers(60, 190, (64, 80, 3), dtype=np.uint8) for _ in range(2))
    mask = np.pad(outline("free", BOX.height - 2, BOX.width - 2, rng), 1)
    return canvas, patch[: BOX.height, : BOX.width], mask


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("seed", range(5))
def test_nothing_outside_the_mask_changes(way, seed):
    canvas, patch, mask = drawn(seed)
    before = canvas.copy()
    made = blend(canvas, patch, mask, BOX, (way, 1.5))
    np.testing.assert_array_equal(canvas, before, err_msg="the input was written to")
    inside = np.zeros(canvas.shape[:2], dtype=bool)
    inside[BOX.slices] = mask
    np.testing.assert_array_equal(made[~inside], canvas[~inside])
    assert (made[inside] != canvas[inside]).mean() > 0.8


def test_a_hard_edge_shows_the_patch_and_a_soft_one_between_both():
    canvas, patch, mask = drawn(0)
    hard = blend(canvas, patch, mask, BOX, ("hard", 0.0))[BOX.slices]
    np.testing.assert_array_equal(hard[mask], patch[mask])
    soft = blend(canvas, patch, mask, BOX, ("feather", 2.0))[BOX.slices].astype(int)
    under = canvas[BOX.slices].astype(int)
    low, high = np.minimum(under, patch), np.maximum(under, patch)
    assert ((soft >= low - 1) & (soft <= high + 1)).all()
    opacity = soft_edge(np.ones((21, 41), dtype=bool), 2.0)
    assert (np.diff(opacity[10, :20].astype(int)) >= 0).all()
    assert opacity[10, 0] < 128 < opacity[10, 4]
    assert opacity[10, 20] == 255


def test_poisson_takes_away_a_constant_difference():
    """The same picture, darker: with its gradients kept and the levels around it, it is itself."""
    canvas, _, mask = drawn(1)
    patch = canvas[BOX.slices] - 40
    made = blend(canvas, patch.astype(np.uint8), mask, BOX, ("poisson", 0.0))
    np.testing.assert_array_equal(made, canvas)


@pytest.mark.parametrize("seed", range(3))
def test_the_membrane_is_the_solution_of_laplaces_equation(seed):
    """Against a sparse solve of the same equation."""
    rng = np.random.default_rng(seed)
    height, width = 40, 48
    free = np.zeros((height, width), dtype=bool)
    free[5:35, 6:42] = outline("free", 30, 36, rng)
    y, x = np.mgrid[:height, :width] / 10.0
    values = (np.sin(x) * 40 + y * y + 3 * x)[..., None].astype(np.float32)
    number = -np.ones(free.shape, dtype=int)
    number[free] = np.arange(free.sum())
    system, right = sparse.lil_matrix((free.sum(), free.sum())), np.zeros(free.sum())
    for row, column in zip(*np.nonzero(free), strict=True):
        here = number[row, column]
        system[here, here] = 4
        for i, j in ((row - 1, column), (row + 1, column), (row, column - 1), (row, column + 1)):
            if free[i, j]:
                system[here, number[i, j]] = -1
            else:
                right[here] += values[i, j, 0]
    exact = spsolve(system.tocsr(), right)
    error = np.abs(membrane(values, free)[free][:, 0] - exact)
    assert error.max() < 1.8  # levels, of a membrane that spans about 60; worst of 3 was 1.29
    np.testing.assert_array_equal(membrane(values, free)[~free], values[~free])


def test_ways_are_drawn_by_their_weights():
    rng = np.random.default_rng(0)
    blending = Blending(hard=1, feather=0, poisson=3)
    ways = [blending.draw(rng)[0] for _ in range(400)]
    assert set(ways) == {"hard", "poisson"}
    assert 260 < ways.count("poisson") < 340  # 300 expected; 3 deviations are 26
