"""Pictures for the tests of this part: textured, drawn from a seed, in folders by modality."""

from pathlib import Path

import cv2
import numpy as np

from tamperscope.images import write_png


def texture(seed: int, height: int, width: int) -> np.ndarray:
    """Smooth noise with blobs, uint8 (height, width, 3)."""
    rng = np.random.default_rng([seed, 77])
    fine = cv2.GaussianBlur(rng.normal(0, 1, (height, width)), (0, 0), 1.5)
    coarse = cv2.GaussianBlur(rng.normal(0, 1, (height, width)), (0, 0), 8)
    gray = 128 + 30 * fine / fine.std() + 25 * coarse / coarse.std()
    return np.repeat(np.clip(gray, 0, 255).astype(np.uint8)[..., None], 3, axis=2)


def write_pictures(root: Path, kinds=("blot", "microscopy"), each: int = 4) -> Path:
    """Write ``each`` pictures per modality from two origins, and two that cannot serve."""
    for k, kind in enumerate(kinds):
        (root / kind).mkdir(parents=True)
        for i in range(each):
            picture = texture(100 * k + i, 170 + 10 * i, 230)
            write_png(root / kind / f"{'ab'[i % 2]}_{i}.png", picture)
    write_png(root / kinds[0] / "a_flat.png", np.full((100, 100, 3), 90, dtype=np.uint8))
    write_png(root / kinds[0] / "a_tiny.png", texture(5, 20, 300))
    return root
