import numpy as np

from tamperscope.training.augmenting import augment_photograph, disturbed, shrunk


def photograph(seed=0):
    rng = np.random.default_rng(seed)
    pixels = np.clip(rng.normal(128, 30, (80, 100, 3)), 0, 255).astype(np.uint8)
    mask = np.zeros((80, 100), bool)
    mask[20:60, 30:70] = True
    return pixels, mask


def test_the_mask_keeps_its_share_and_its_size_is_the_pictures():
    pixels, mask = photograph()
    sizes, changed = set(), 0
    for seed in range(80):
        seen, marked = augment_photograph(pixels, mask, np.random.default_rng(seed))
        assert seen.shape[:2] == marked.shape
        assert seen.dtype == np.uint8
        assert abs(marked.mean() - mask.mean()) < 0.03
        sizes.add(marked.shape)
        changed += seen is not pixels
    assert len(sizes) > 20
    assert all(40 <= height <= 80 and 50 <= width <= 100 for height, width in sizes)
    assert 0.6 < changed / 80 < 0.85


def test_the_same_random_numbers_give_the_same_picture():
    one, two = (augment_photograph(*photograph(), np.random.default_rng(7)) for _ in range(2))
    np.testing.assert_array_equal(one[0], two[0])


def test_every_disturbance_changes_a_little_and_leaves_the_input_alone():
    pixels, _ = photograph()
    before, seen, same = pixels.copy(), set(), 0
    for seed in range(40):
        changed = disturbed(pixels, np.random.default_rng(seed))
        assert changed.shape == pixels.shape
        assert np.abs(changed.astype(int) - pixels).mean() < 60
        same += np.array_equal(changed, pixels)
        seen.add(int(np.random.default_rng(seed).integers(5)))
    assert seen == set(range(5))
    assert same < 3  # a gamma next to 1
    np.testing.assert_array_equal(pixels, before)


def test_shrinking_scales_the_mask_with_the_picture():
    small, mask = shrunk(*photograph(), 0.5)
    assert small.shape == (40, 50, 3)
    expected = np.zeros((40, 50), bool)
    expected[10:30, 15:35] = True
    assert (mask == expected).mean() > 0.97
