import cv2
import numpy as np
import pytest

from tamperscope.errors import MissingKernelError
from tamperscope.kernels import native
from tamperscope.kernels.dense_field import IMAGE_ONE, Search
from tamperscope.matching import dense_field
from tamperscope.matching.dense_field import (
    MASKING,
    MAX_PIXELS,
    DenseFieldSettings,
    detect_mask,
    propose_between,
    propose_within,
    reduced_panel,
    reduction,
)
from tamperscope.matching.field_layers import (
    area_weights,
    patches_inside,
    reduced,
    structure,
)
from tamperscope.matching.field_regions import fitted_similarity, residuals
from tamperscope.matching.match import PreparedPanel, Proposal
from tamperscope.matching.polar_features import FEATURES


def scene(height: int, width: int, seed: int) -> np.ndarray:
    """Blobs of many sizes, in [0, 1]: structured everywhere, repeated nowhere."""
    rng = np.random.default_rng([seed, height, width])
    total = np.zeros((height, width))
    for blur, weight in ((1.2, 0.5), (3.0, 1.0), (8.0, 1.5)):
        layer = cv2.GaussianBlur(rng.normal(size=(height, width)), (0, 0), blur)
        total += weight * layer / layer.std()
    total -= total.min()
    return (total / total.max()).astype(np.float32)


def panel(gray: np.ndarray) -> PreparedPanel:
    return PreparedPanel(gray.astype(np.float32), np.ones(gray.shape, np.bool_), "microscopy")


def similarity(scale: float, degrees: float, mirrored: bool, source, target) -> np.ndarray:
    """The map that turns, scales and mirrors around ``source`` and moves it to ``target``."""
    angle = np.deg2rad(degrees)
    linear = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    if mirrored:
        linear = linear @ np.diag([-1.0, 1.0])
    transform = np.eye(3)
    transform[:2, :2] = linear
    transform[:2, 2] = np.array(target) - linear @ np.array(source)
    return transform


def error_of(proposal: Proposal, truth: np.ndarray, points: np.ndarray) -> float:
    """Mean distance between where the proposal and the truth send ``points``."""
    sent = points @ truth[:2, :2].T + truth[:2, 2]
    return float(residuals(proposal.transform, points, sent).mean())


def disc_points(centre, radius: float) -> np.ndarray:
    angles = np.linspace(0, 2 * np.pi, 16, endpoint=False)
    return np.array(centre) + radius * np.stack([np.cos(angles), np.sin(angles)], axis=-1)


CHANGES = {  # scale, degrees, mirrored
    "copied": (1.0, 0.0, False),
    "flipped": (1.0, 0.0, True),
    "turned by 180": (1.0, 180.0, False),
    "turned and flipped": (1.0, 90.0, True),
    "turned freely": (1.0, 37.0, False),
    "enlarged": (1.5, 0.0, False),
    "reduced": (0.67, 20.0, True),
}


def copy_moved(change: tuple[float, float, bool]):
    """A picture with a disc of radius 26 copied; (gray, transform, source and target mask)."""
    gray = scene(160, 190, 1)
    truth = similarity(*change, (46, 50), (140, 112))
    y, x = np.indices(gray.shape)
    source = np.hypot(x - 46, y - 50) <= 26
    moved = cv2.warpAffine(gray, truth[:2], gray.shape[::-1], flags=cv2.INTER_CUBIC)
    target = np.hypot(x - 140, y - 112) <= 26 * change[0]
    gray[target] = moved[target]
    return gray, truth, source, target


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_copy_inside_a_panel_is_found(change):
    gray, truth, _, _ = copy_moved(change)
    found = propose_within(panel(gray))
    assert found
    best = found[0]
    assert best.detector == "dense-field-zm"
    there, back = disc_points((46, 50), 20), disc_points((140, 112), 20 * change[0])
    errors = error_of(best, truth, there), error_of(best, np.linalg.inv(truth), back)
    assert min(errors) < 1.5
    assert residuals(best.transform, best.source, best.target).mean() < 2


@pytest.mark.parametrize("features", FEATURES)
def test_every_kind_of_features_finds_a_turned_copy(features):
    gray, truth, _, _ = copy_moved((1.0, 37.0, False))
    best = propose_within(panel(gray), features)[0]
    assert best.detector == f"dense-field-{features}"
    there, back = disc_points((46, 50), 20), disc_points((140, 112), 20)
    assert min(error_of(best, truth, there), error_of(best, np.linalg.inv(truth), back)) < 1.5


def test_a_panel_without_a_copy_yields_nothing():
    assert propose_within(panel(scene(160, 190, 2))) == []
    assert propose_between(panel(scene(150, 160, 3)), panel(scene(140, 180, 4))) == []


@pytest.mark.parametrize(
    "gray", [np.full((120, 150), 0.4), np.tile(np.linspace(0, 1, 150), (120, 1))]
)
def test_plain_panels_yield_nothing(gray):
    assert propose_within(panel(gray)) == []
    assert not detect_mask(panel(gray)).any()


@pytest.mark.parametrize("size", [(1, 1), (10, 200), (17, 17), (40, 25)], ids=str)
def test_tiny_panels_yield_nothing(size):
    tiny = panel(scene(*size, 5)) if min(size) > 1 else panel(np.ones(size))
    assert propose_within(tiny) == []
    assert propose_between(tiny, panel(scene(60, 60, 6))) == []
    assert detect_mask(tiny).shape == size


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_shared_part_of_two_panels_is_found(change):
    whole = scene(200, 220, 7)
    truth = similarity(*change, (110, 100), (70, 60))
    other = cv2.warpAffine(whole, truth[:2], (140, 120), flags=cv2.INTER_AREA)
    other = np.clip(0.15 + 0.6 * other, 0, 1)  # another contrast
    best = propose_between(panel(whole), panel(other))[0]
    assert error_of(best, truth, disc_points((110, 100), 30)) < 1.5


def test_an_inverted_and_compressed_part_is_found():
    whole = scene(170, 190, 8)
    truth = similarity(1.0, 0.0, False, (110, 100), (70, 60))
    other = 1 - cv2.warpAffine(whole, truth[:2], (140, 120))
    _, code = cv2.imencode(".jpg", np.rint(other * 255), [cv2.IMWRITE_JPEG_QUALITY, 60])
    other = cv2.imdecode(code, cv2.IMREAD_GRAYSCALE) / 255
    best = propose_between(panel(whole), panel(other))[0]
    assert error_of(best, truth, disc_points((110, 100), 30)) < 1.0


def test_what_is_not_usable_supports_nothing():
    gray, _, source, target = copy_moved(CHANGES["copied"])
    usable = ~(cv2.dilate(target.astype(np.uint8), np.ones((9, 9))) > 0)
    masked = PreparedPanel(gray, usable, "blot")
    assert propose_within(masked) == []
    assert propose_within(PreparedPanel(gray, np.zeros_like(source), "blot")) == []


@pytest.mark.parametrize("change", ["copied", "turned freely", "flipped"])
def test_the_mask_covers_source_and_target(change):
    gray, _, source, target = copy_moved(CHANGES[change])
    mask = detect_mask(panel(gray))
    truth = source | target
    overlap = np.count_nonzero(mask & truth) / np.count_nonzero(mask | truth)
    assert overlap > 0.8


def test_threads_do_not_change_what_is_found():
    gray, _, _, _ = copy_moved(CHANGES["turned freely"])
    one, two = propose_within(panel(gray)), propose_within(panel(gray), threads=2)
    assert len(one) == len(two)
    for a, b in zip(one, two, strict=True):
        np.testing.assert_array_equal(a.transform, b.transform)
        np.testing.assert_array_equal(a.source, b.source)
    np.testing.assert_array_equal(detect_mask(panel(gray)), detect_mask(panel(gray), threads=2))


def test_large_panels_are_reduced_and_mapped_back(monkeypatch):
    gray, truth, _, _ = copy_moved(CHANGES["turned by 180"])
    monkeypatch.setattr(dense_field, "MAX_PIXELS", 18_000)
    best = propose_within(panel(gray))[0]
    there, back = disc_points((46, 50), 20), disc_points((140, 112), 20)
    assert min(error_of(best, truth, there), error_of(best, np.linalg.inv(truth), back)) < 2.5
    assert (best.source % 1 != 0).any()  # nodes between pixels: it was reduced indeed


def test_one_factor_reduces_both_panels():
    assert reduction(MAX_PIXELS, MAX_PIXELS) == 1
    assert reduction(4 * MAX_PIXELS, 4 * MAX_PIXELS) == 2
    assert reduction(10_000, 4 * MAX_PIXELS) == 1
    assert reduction(10_000, 16 * MAX_PIXELS) == 2
    small = reduced_panel(panel(scene(90, 61, 9)), 2.0)
    assert small.gray.shape == small.usable.shape == (45, 30)


def test_reduction_averages_areas():
    image = np.random.default_rng(1).integers(0, IMAGE_ONE + 1, (60, 90)).astype(np.uint16)
    halved = image.reshape(30, 2, 45, 2).mean(axis=(1, 3))
    np.testing.assert_allclose(reduced(image, (30, 45)), halved, atol=0.5)
    np.testing.assert_array_equal(reduced(image, (60, 90)), image)
    assert (area_weights(17, 5).sum(1) == 17).all()
    assert reduced(image, (7, 11)).mean() == pytest.approx(image.mean(), abs=1)


def test_patches_must_lie_inside_and_be_usable():
    usable = np.ones((40, 50), np.bool_)
    usable[:, 30:] = False
    inside = patches_inside(usable, 8)
    expected = np.zeros_like(usable)
    expected[8:32, 8:42] = True
    count = np.array(
        [[usable[y - 8 : y + 9, x - 8 : x + 9].mean() for x in range(8, 42)] for y in range(8, 32)]
    )
    expected[8:32, 8:42] = count >= 0.75
    np.testing.assert_array_equal(inside, expected)


def test_structure_is_what_a_plane_leaves_over():
    image = np.random.default_rng(2).integers(0, IMAGE_ONE + 1, (24, 30)).astype(np.uint16)
    found = structure(image, 4)
    y, x = np.indices((9, 9))
    design = np.stack([np.ones(81), x.ravel(), y.ravel()], axis=-1)
    for row, column in [(4, 4), (12, 20), (19, 25)]:
        patch = image[row - 4 : row + 5, column - 4 : column + 5].ravel() / IMAGE_ONE
        _, rest, _, _ = np.linalg.lstsq(design, patch, rcond=None)
        assert found[row, column] == pytest.approx(np.sqrt(rest[0] / 81), rel=1e-9)
    assert structure(np.tile(np.arange(0, 3000, 100, dtype=np.uint16), (24, 1)), 4).max() < 1e-6


@pytest.mark.parametrize("mirrored", [False, True])
def test_similarities_are_fitted_exactly(mirrored):
    truth = similarity(0.8, 130.0, mirrored, (10, 20), (-5, 8))
    source = np.random.default_rng(3).uniform(0, 100, (12, 2))
    target = source @ truth[:2, :2].T + truth[:2, 2]
    np.testing.assert_allclose(fitted_similarity(source, target), truth, atol=1e-9)


def test_settings_can_be_changed():
    gray, _, source, target = copy_moved(CHANGES["copied"])
    coarse = DenseFieldSettings(search=Search(stride=3), rules=MASKING.rules, scales=(1.0,))
    mask = detect_mask(panel(gray), settings=coarse)
    assert (mask & (source | target)).sum() > 0.7 * (source | target).sum()
    far = DenseFieldSettings(exclusion=1000)
    assert propose_within(panel(gray), settings=far) == []


def test_a_missing_library_is_an_error_that_says_what_to_do(monkeypatch):
    from tamperscope.kernels import dense_field as border

    monkeypatch.setattr(native, "library_path", lambda name: None)
    dense_field.reduced_and_described.cache_clear()
    native.load.cache_clear()
    border._library.cache_clear()
    try:
        with pytest.raises(MissingKernelError, match="compiler"):
            propose_within(panel(scene(60, 60, 1)))
    finally:
        monkeypatch.undo()
        native.load.cache_clear()
        border._library.cache_clear()


def test_unknown_features_are_refused():
    with pytest.raises(ValueError, match="zm, pct, fmt"):
        propose_within(panel(scene(60, 60, 1)), "surf")
