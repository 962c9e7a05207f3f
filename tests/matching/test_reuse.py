import numpy as np
import pytest

from tamperscope.matching import reuse
from tests.matching.pictures import misplacement, panel, texture, turned, warped

KEYPOINTS = ("keypoints",)


def test_a_turned_mirrored_scaled_panel_is_found_within_a_pixel():
    pixels = texture(10)
    truth = turned(25.0, 1.3, mirrored=True, size=pixels.shape[:2])
    matches = reuse.match_between(panel(pixels), panel(warped(pixels, truth, 220, 240)), KEYPOINTS)
    assert len(matches) == 1
    match = matches[0]
    assert misplacement(match.transform, truth, match.source_mask) < 1.0
    assert match.correlation > 0.95
    assert match.source_mask.mean() > 0.3
    assert 0 < match.chance <= 0.005
    assert not match.inverted


def test_the_negative_is_found_and_called_inverted():
    pixels = texture(11)
    match = reuse.match_between(panel(pixels), panel(255 - pixels[:, 20:]), KEYPOINTS)[0]
    assert match.inverted
    assert match.correlation < -0.95
    assert match.correlation_tone > 0.95


def test_a_change_of_tone_is_removed_before_the_second_correlation():
    pixels = texture(12)
    bent = (255 * (pixels / 255.0) ** 3).astype(np.uint8)
    match = reuse.match_between(panel(pixels), panel(bent), KEYPOINTS)[0]
    assert match.correlation_tone > match.correlation
    assert match.correlation_tone > 0.98


def test_swapping_the_panels_swaps_the_match():
    pixels = texture(13)
    truth = turned(140.0, 0.7, mirrored=False, size=pixels.shape[:2])
    a, b = panel(pixels), panel(warped(pixels, truth, 220, 240))
    there, back = (reuse.match_between(*pair, KEYPOINTS)[0] for pair in ((a, b), (b, a)))
    assert misplacement(np.linalg.inv(back.transform), there.transform, there.source_mask) < 1.0
    overlap = np.count_nonzero(there.source_mask & back.target_mask)
    assert overlap > 0.9 * np.count_nonzero(there.source_mask | back.target_mask)


def two_regions() -> tuple[np.ndarray, np.ndarray]:
    """A panel, and another one that holds two regions of it, moved in different ways."""
    pixels, other = texture(14), texture(15)
    other[10:100, 10:110] = pixels[100:190, 120:220]
    other[110:210, 120:220] = np.rot90(pixels[5:105, 5:105])
    return pixels, other


def test_two_regions_moved_differently_are_two_matches():
    pixels, other = two_regions()
    matches = reuse.match_between(panel(pixels), panel(other), KEYPOINTS)
    assert len(matches) == 2
    truths = [np.zeros(pixels.shape[:2], bool) for _ in range(2)]
    truths[0][100:190, 120:220] = True
    truths[1][5:105, 5:105] = True
    for truth in truths:
        shares = [(truth & m.source_mask).sum() / (truth | m.source_mask).sum() for m in matches]
        assert max(shares) > 0.75


def test_a_copy_inside_a_panel_is_found_with_its_masks():
    pixels = texture(16)
    pixels[130:210, 140:230] = pixels[15:95, 10:100]
    matches = reuse.match_within(panel(pixels), KEYPOINTS)
    assert len(matches) == 1
    truth = np.zeros(pixels.shape[:2], bool)
    truth[130:210, 140:230] = truth[15:95, 10:100] = True
    marked = matches[0].source_mask | matches[0].target_mask
    assert (truth & marked).sum() > 0.75 * (truth | marked).sum()
    assert not (matches[0].source_mask & matches[0].target_mask).any()


def test_annotations_do_not_match():
    ignore = np.zeros((220, 240), bool)
    ignore[60:160, 40:200] = True
    label = texture(17)[:100, :160]
    panels = []
    for seed in (18, 19):
        pixels = texture(seed)
        pixels[60:160, 40:200] = label
        panels.append(reuse.PreparedPanel(panel(pixels).gray, ~ignore, "microscopy"))
    assert reuse.match_between(*panels, KEYPOINTS) == []


@pytest.mark.parametrize("seed", [20, 21, 22])
def test_unrelated_textures_do_not_match(seed):
    a, b = panel(texture(seed)), panel(texture(seed + 50))
    assert reuse.match_between(a, b, KEYPOINTS) == []
    assert reuse.match_within(a, KEYPOINTS) == []


def test_a_periodic_texture_gives_nothing():
    x, y = np.meshgrid(np.arange(240), np.arange(220))
    grid = 128 + 25 * np.sin(2 * np.pi * x / 12) * np.sin(2 * np.pi * y / 15)
    noisy = grid + np.random.default_rng(1).normal(0, 3, grid.shape)
    pixels = np.repeat(np.clip(noisy, 0, 255).astype(np.uint8)[..., None], 3, axis=2)
    assert reuse.match_within(panel(pixels), KEYPOINTS) == []


def test_the_same_input_gives_the_same_bytes():
    pixels, other = two_regions()
    first, second = (reuse.match_between(panel(pixels), panel(other), KEYPOINTS) for _ in range(2))
    for a, b in zip(first, second, strict=True):
        assert a.transform.tobytes() == b.transform.tobytes()
        assert a.source_mask.tobytes() == b.source_mask.tobytes()
        assert (a.score, a.chance, a.inliers) == (b.score, b.chance, b.inliers)


def test_an_unknown_detector_is_refused():
    with pytest.raises(ValueError, match="detectors"):
        reuse.match_within(panel(texture(1)), ("surf",))
