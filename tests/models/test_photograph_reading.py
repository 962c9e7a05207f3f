import numpy as np
import pytest
import torch

from tamperscope.models import create_model
from tamperscope.models.photograph_reading import PhotographReader
from tamperscope.synth.geometry import blurred


def pixels(height, width):
    """Grain of two sizes: a picture whose noise differs from place to place."""
    rng = np.random.default_rng([height, width])
    fine = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
    coarse = blurred(fine, 2.0)
    return np.where(np.arange(width)[None, :, None] < width // 2, fine, coarse)


@pytest.mark.parametrize("builder", ["forma_test", "loma_test"])
def test_a_panel_is_read_as_the_network_reads_it(builder):
    network = create_model(builder, seed=3).eval()
    panel = pixels(70, 101)
    image = torch.from_numpy(panel).permute(2, 0, 1)[None].float() / 255
    with torch.no_grad():
        expected = network.heatmap(image)[0].numpy()
    reader = PhotographReader(network)
    told = reader.alone(reader.read(panel))
    assert told.heatmap.shape == (70, 101)
    np.testing.assert_allclose(told.heatmap, expected, atol=2e-5)
    largest = np.sort(expected, axis=None)[-round(0.01 * expected.size) :]
    assert told.score == pytest.approx(largest.mean(), abs=1e-5)
    assert told.copy is None


def test_progress_tells_every_tile(monkeypatch):
    monkeypatch.setattr(PhotographReader, "tile", 64)
    seen = []
    PhotographReader(create_model("forma_test").eval()).in_tiles(
        pixels(64, 150), lambda count, total: seen.append((count, total))
    )
    assert seen == [(count, len(seen)) for count in range(1, len(seen) + 1)]
    assert len(seen) > 1
