import numpy as np

from tamperscope.matching import alignment
from tamperscope.matching.match import Proposal
from tamperscope.matching.verify import measure
from tests.matching.pictures import misplacement, panel, texture


def shift(x: float, y: float) -> np.ndarray:
    return np.array([[1, 0, x], [0, 1, y], [0, 0, 1.0]])


def corners(x: float, y: float, side: float) -> np.ndarray:
    return np.array([[x, y], [x + side, y], [x, y + side], [x + side, y + side]], dtype=np.float64)


def test_a_small_copy_settles_among_ground_that_was_not_copied():
    pixels = texture(30, 300, 400)
    pixels[200:248, 300:348] = pixels[40:88, 60:108]
    one = panel(pixels)
    off = shift(242, 157)  # the copy lies at (240, 160)
    settled = alignment.settle(one, one, off, corners(64, 44, 40))
    assert settled is not None
    transform, negative = settled
    assert not negative
    mask = np.zeros((300, 400), bool)
    mask[40:88, 60:108] = True
    assert misplacement(transform, shift(240, 160), mask) < 0.3


def test_what_was_copied_nowhere_does_not_settle():
    one = panel(texture(31, 300, 400))
    assert alignment.settle(one, one, shift(240, 160), corners(64, 44, 40)) is None


def lanes(rng: np.random.Generator) -> np.ndarray:
    """Blurred bands at a regular distance: each lane is much like every other."""
    y, x = np.mgrid[:200, :480].astype(np.float64)
    gray = np.full((200, 480), 200.0)
    for lane in range(12):
        middle = 20 + 40 * lane + rng.uniform(-1.5, 1.5)
        gray -= 110 * np.exp(-(((x - middle) / 12) ** 4) - ((y - 60 - rng.uniform(-2, 2)) / 5) ** 2)
    gray += rng.normal(0, 3, gray.shape)
    return np.repeat(np.clip(gray, 0, 255).astype(np.uint8)[..., None], 3, axis=2)


def test_lanes_that_are_only_alike_do_not_pull_a_copy_of_one_away():
    pixels = lanes(np.random.default_rng(3))
    pixels[120:170, 250:370] = pixels[35:85, 10:130][::-1]  # three lanes, upside down
    one = panel(pixels, "blot")
    true = np.array([[1, 0, 240], [0, -1, 204], [0, 0, 1.0]])
    found = alignment.refine(
        one, one, shift(0.4, -0.3) @ true, corners(20, 45, 30), negative=False, searches=(6, 3)
    )
    mask = np.zeros((200, 480), bool)
    mask[35:85, 10:130] = True
    assert misplacement(found, true, mask) < 0.5


def test_a_copy_turned_by_half_that_touches_its_source_is_told_from_it():
    pixels = texture(32, 260, 260)
    pixels[130:200, 80:180] = pixels[60:130, 80:180][::-1, ::-1]
    one = panel(pixels)
    true = np.array([[-1, 0, 259], [0, -1, 259], [0, 0, 1.0]])
    found = measure(one, None, Proposal("keypoints", true, *turned_points(true)))
    assert found is not None
    source, target = found.source_mask, found.target_mask
    both = np.zeros((260, 260), bool)
    both[60:200, 80:180] = True
    assert (source & target).sum() < 0.05 * source.sum()
    assert ((source | target) & both).sum() > 0.8 * both.sum()


def turned_points(transform: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    source = corners(100, 75, 40)
    return source, (np.column_stack([source, np.ones(4)]) @ transform.T)[:, :2]
