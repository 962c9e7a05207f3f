import numpy as np
import pytest
import torch

from tamperscope.matching.match_maps import match_maps
from tamperscope.models import create_model
from tamperscope.models.inference import for_inference
from tamperscope.models.match_branch import MatchBranch, at_partner
from tamperscope.models.matches import image_matches, panel_matches
from tests.matching.pictures import texture


def copied(seed: int) -> np.ndarray:
    pixels = texture(seed, 128, 192)
    pixels[60:124, 110:186] = pixels[4:68, 6:82]
    return pixels


def as_image(pixels: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(pixels.transpose(2, 0, 1).copy())[None].float() / 255


def awake(network):
    """Give the branch a last layer that lets something through."""
    torch.manual_seed(0)
    torch.nn.init.normal_(network.matches.mixer.final.weight, std=0.5)
    return network


def test_an_image_has_the_matches_of_its_pixels():
    panels = [copied(1), copied(2)]
    found = image_matches(torch.cat([as_image(p) for p in panels]))
    assert found.shape == (2, 5, 32, 48)
    for maps, pixels in zip(found.numpy(), panels, strict=True):
        np.testing.assert_array_equal(maps, match_maps(pixels))
    np.testing.assert_array_equal(found.numpy(), panel_matches(panels))
    assert image_matches(torch.empty(1, 3, 50, 70, device="meta")).shape == (1, 5, 13, 18)


def test_a_place_is_compared_with_its_partner():
    values = torch.arange(24.0).view(1, 2, 3, 4)
    matches = torch.zeros(1, 5, 3, 4)
    matches[0, 3:, 0, 1] = torch.tensor([2.0, -1.0])  # two down, one to the left
    matches[0, 3:, 2, 3] = torch.tensor([5.0, 5.0])  # beyond the rim: its last cell
    matches[0, 3:, 1, 0] = torch.tensor([-1.0, 3.0])
    found = at_partner(values, matches)
    expected = values.clone()
    expected[..., 0, 1] = values[..., 2, 0]
    expected[..., 1, 0] = values[..., 0, 3]
    torch.testing.assert_close(found, expected, rtol=0, atol=0)


def test_the_branch_begins_as_nothing_and_learns():
    branch = MatchBranch(6, (8,), 10).train()
    matches, noise = torch.rand(2, 5, 7, 9), torch.rand(2, 6, 7, 9)
    answer = branch(matches, noise)
    assert answer.shape == (2, 10, 7, 9)
    assert not answer.detach().any()
    answer.sum().backward()
    assert branch.mixer.final.weight.grad.abs().sum() > 0


@pytest.mark.parametrize("changes", [{}, {"noise": "encoder"}, {"noise": "none"}], ids=str)
def test_a_network_with_a_fresh_branch_answers_as_without_it(changes):
    image = as_image(copied(3))
    plain = create_model("forma_test", **changes).eval()
    grown = create_model("forma_test", matches=True, **changes).eval()
    fresh, surplus = grown.load_state_dict(plain.state_dict(), strict=False)
    assert not surplus
    assert {key.split(".")[0] for key in fresh} == {"matches"}
    with torch.no_grad():
        torch.testing.assert_close(grown(image), plain(image), rtol=0, atol=0)


def test_matches_reach_the_answer_given_or_looked_for():
    image = as_image(copied(4))
    network = awake(create_model("forma_test", matches=True, noise="encoder")).eval()
    with torch.no_grad():
        answer = network(image)
        found = image_matches(image)
        torch.testing.assert_close(network(image, found), answer, rtol=0, atol=0)
        torch.testing.assert_close(
            network.heatmap(image, found), network.heatmap(image), rtol=0, atol=0
        )
        assert not torch.allclose(network(image, torch.zeros_like(found)), answer)
        classes = network.class_logits(image)
        torch.testing.assert_close(classes[:, 1:] - classes[:, :1], answer)


def test_sizes_that_are_padded_keep_their_matches_in_place():
    image = as_image(copied(5))[..., :101, :150]
    network = awake(create_model("forma_test", matches=True, noise="none")).eval()
    seen = []
    network.matches.register_forward_hook(lambda _module, given, _answer: seen.append(given[0]))
    with torch.no_grad():
        assert network(image).shape == (1, 1, 26, 38)
    (given,) = seen
    assert given.shape == (1, 5, 32, 40)
    torch.testing.assert_close(given[..., :26, :38], image_matches(image), rtol=0, atol=0)
    assert not given[..., 26:, :].any()
    assert not given[..., 38:].any()


def test_a_prepared_copy_answers_alike():
    image = as_image(copied(6))
    network = awake(create_model("forma_test", matches=True, noise="encoder")).eval()
    with torch.no_grad():
        torch.testing.assert_close(
            for_inference(network)(image), network(image), rtol=1e-4, atol=1e-4
        )


def test_a_network_of_matches_does_not_run_without_them():
    network = create_model("forma_test", matches=True)
    with pytest.raises(ValueError, match="none were given"):
        network.two_class_logits(torch.zeros(1, 3, 64, 64))
