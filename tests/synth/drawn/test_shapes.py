import numpy as np
import pytest

from tamperscope.synth.drawn.fields import cloudy_field, smooth_field
from tamperscope.synth.drawn.shapes import Blob, cover, make_blob, scatter, tiles


def test_a_round_blob_covers_the_area_of_its_circle():
    disc = Blob(40.3, 50.7, 17.0, 1.0, 0.0, ())
    (rows, columns), depth, _ = disc.inside((100, 100))
    assert cover(depth).sum() == pytest.approx(np.pi * 17**2, rel=0.01)
    y, x = np.mgrid[rows, columns]
    expected = 17 - np.hypot(y - 40.3, x - 50.7)
    np.testing.assert_allclose(depth, expected, atol=1e-4)


def test_an_ellipse_has_its_area_whatever_its_angle():
    for angle in (0.0, 0.7, 2.0):
        _, depth, _ = Blob(60, 60, 30.0, 0.5, angle, ()).inside((120, 120))
        assert (depth > 0).sum() == pytest.approx(np.pi * 30 * 15, rel=0.03)


def test_a_blob_outside_the_picture_has_an_empty_window():
    blob = make_blob(np.random.default_rng(0), (-50, 20), 5)
    assert blob.inside((40, 40))[1].size == 0


def test_scattered_points_keep_their_distance():
    points = scatter(np.random.default_rng(1), (200, 300), 300, 12.0)
    assert len(points) > 60
    apart = np.linalg.norm(points[:, None] - points[None], axis=2)
    assert apart[~np.eye(len(points), dtype=bool)].min() >= 12


def test_straight_tiles_belong_to_the_nearest_seed():
    seeds = np.array([[10, 10], [10, 50], [40, 30]], float)
    labels, border = tiles(np.random.default_rng(2), (50, 60), seeds, 0.0, 10)
    y, x = np.mgrid[:50, :60]
    away = np.hypot(y[None] - seeds[:, 0, None, None], x[None] - seeds[:, 1, None, None])
    nearest = away.argmin(axis=0)
    clear = np.abs(np.diff(np.sort(away, axis=0)[:2], axis=0))[0] > 1.5
    names = [labels[int(r), int(c)] for r, c in seeds]
    assert len(set(names)) == 3
    assert all((labels[clear & (nearest == k)] == names[k]).all() for k in range(3))
    assert border.min() == 0
    assert border[10, 10] > 10


@pytest.mark.parametrize("scale", [4.0, 60.0])
def test_fields_vary_over_the_scale_asked_for(scale):
    field = np.stack([smooth_field(np.random.default_rng(k), (256, 256), scale) for k in range(6)])
    assert 0.4 < field.std() < 1.1
    near = np.corrcoef(field[:, :, 1:].ravel(), field[:, :, :-1].ravel())[0, 1]
    far = int(min(3 * scale, 200))
    beyond = np.corrcoef(field[:, :, far:].ravel(), field[:, :, :-far].ravel())[0, 1]
    assert near > 0.8
    assert abs(beyond) < 0.4


def test_clouds_have_unit_spread_on_average():
    spread = [cloudy_field(np.random.default_rng(k), (128, 128), 30).std() for k in range(10)]
    assert 0.7 < np.mean(spread) < 1.3
