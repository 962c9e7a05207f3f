import numpy as np
import pytest

torch = pytest.importorskip("torch")

import torch.nn.functional as F  # noqa: E402

from tamperscope.data.samples import PairSample, Sample  # noqa: E402
from tamperscope.evaluation.predictions import (  # noqa: E402
    DetectorPredictor,
    NetworkPredictor,
    PredictionError,
    UnionPredictor,
)
from tamperscope.models import create_model  # noqa: E402
from tests.evaluation.drawn import texture  # noqa: E402


@pytest.fixture(scope="module")
def network():
    return create_model("forma_test").eval()


def test_a_picture_as_it_is_gets_the_networks_own_heatmap(network):
    pixels = texture(1, 70, 90)
    image = torch.from_numpy(pixels).permute(2, 0, 1)[None].float() / 255
    with torch.inference_mode():
        expected = network.heatmap(image)[0].numpy()
    found = NetworkPredictor(network, torch.float32).heatmap(pixels)
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_squeezed_to_the_papers_size_it_is_scored_as_their_test_loop_does(network):
    """Resize, class logits, enlarge them to the mask with aligned corners, softmax."""
    import cv2

    pixels = texture(2, 70, 90)
    small = cv2.resize(pixels, (64, 64), interpolation=cv2.INTER_LINEAR)
    image = torch.from_numpy(small).permute(2, 0, 1)[None].float() / 255
    with torch.inference_mode():
        logits = network.class_logits(image)
        grown = F.interpolate(logits, (70, 90), mode="bilinear", align_corners=True)
        expected = grown.softmax(dim=1)[0, 1].numpy()
    for tile in (1024, 64):
        found = NetworkPredictor(network, torch.float32, tile, (64, 64)).heatmap(pixels)
        np.testing.assert_allclose(found, expected, atol=1e-5)


def test_a_network_and_a_detector_together_mark_what_either_marks(network, tmp_path):
    pixels = texture(3, 128, 160)
    pixels[70:110, 100:150] = pixels[10:50, 20:70]
    sample = Sample(tmp_path / "a.png", None, "here", kind="photo")
    seen = NetworkPredictor(network, torch.float32)
    matched = DetectorPredictor("dense-field-zm")
    found = UnionPredictor(seen, matched).on_picture(sample, pixels)
    copies = matched.on_picture(sample, pixels).heatmap > 0
    assert copies[20:40, 30:60].all()
    assert copies[80:100, 110:140].all()
    assert found.graded
    assert (found.heatmap[copies] == 1).all()
    alone = seen.on_picture(sample, pixels).heatmap
    np.testing.assert_array_equal(found.heatmap[~copies], alone[~copies])


def test_nan_and_pairs_are_refused(network, tmp_path):
    class Broken(type(network)):
        def forward(self, image):
            return super().forward(image) * float("nan")

    broken = Broken(network.config).eval()
    with pytest.raises(PredictionError, match="NaN"):
        NetworkPredictor(broken, torch.float32).heatmap(texture(1, 64, 64))
    side = Sample(tmp_path / "a.png", None, "here")
    pair = PairSample(side, side, related=False, source="here")
    with pytest.raises(PredictionError, match="cannot compare two"):
        NetworkPredictor(network, torch.float32).check([pair])
