import numpy as np
import pytest
import torch

from tamperscope.errors import RecipeError
from tamperscope.models import create_model
from tamperscope.training.losses import dice_focal_loss
from tamperscope.training.objectives import Objective, cell_of, halves
from tamperscope.training.pair_losses import biotampernet_loss
from tamperscope.training.recipe import Loss


def panels_and_masks(count=1, size=64):
    rng = np.random.default_rng(3)
    panels = tuple(
        torch.from_numpy(rng.integers(0, 256, (2, size, size, 3), dtype=np.uint8))
        for _ in range(count)
    )
    masks = tuple(torch.from_numpy(rng.random((2, size, size)) < 0.2) for _ in range(count))
    return panels, masks


def images_of(panels):
    return [panel.permute(0, 3, 1, 2).float() / 255 for panel in panels]


def test_photograph_networks_have_dice_and_focal():
    network = create_model("forma_test").eval()
    panels, masks = panels_and_masks()
    loss = Objective(network, Loss("dice_focal", focal=False)).eval()(panels, masks, {})
    expected = dice_focal_loss(network(images_of(panels)[0]), masks[0], focal=False)
    torch.testing.assert_close(loss, expected)


def test_matches_that_came_with_a_batch_are_not_looked_for_again(monkeypatch):
    network = create_model("forma_test", matches=True).eval()
    panels, masks = panels_and_masks()
    objective = Objective(network, Loss("dice_focal")).eval()
    expected = objective(panels, masks, {})
    found = network.matches_of(images_of(panels)[0])
    monkeypatch.setattr(type(network), "matches_of", lambda *_: pytest.fail("looked for again"))
    torch.testing.assert_close(objective(panels, masks, {}, found), expected)


@pytest.mark.parametrize("count", [1, 2])
def test_pair_networks_have_their_three_terms_for_pairs_and_single_panels(count):
    network = create_model("biotampernet_test", drop_path=0.0).eval()
    panels, masks = panels_and_masks(count)
    loss = Objective(network, Loss("biotampernet", weights=(0.3, 0.2, 0.9)))(panels, masks, {})
    first, second = (images_of(panels) * 2)[:2]
    expected = biotampernet_loss(
        network(first, second, same=count == 1), masks[0], masks[-1], weights=(0.3, 0.2, 0.9)
    )
    torch.testing.assert_close(loss, expected)


def test_the_targets_of_a_loss_reach_it():
    network = create_model("biotampernet_test", roles=True, drop_path=0.0)
    objective = Objective(network, Loss("biotampernet", matching=0.5))
    assert objective.extra == ("copies", "partners")
    panels, masks = panels_and_masks(2)
    rows, columns = network.grid((64, 64))
    nobody = tuple(torch.full((2, 4, 2, rows, columns), torch.nan) for _ in range(2))
    here = tuple(torch.zeros_like(x) for x in nobody)
    with torch.no_grad():
        far, near = (
            objective(panels, masks, {"copies": masks, "partners": places})
            for places in (nobody, here)
        )
    assert far != near


def test_a_single_panel_becomes_halves_where_the_network_reads_it_so():
    image = torch.arange(2 * 3 * 40 * 40.0).reshape(2, 3, 40, 40)
    mask = image[:, 0] > 100
    shapes = set()
    for seed in range(20):
        torch.manual_seed(seed)
        (first, second), (one, two), parts = halves(image, mask, {"copies": (mask,)})
        axis = 2 if first.shape[3] == 40 else 3
        assert torch.equal(torch.cat((first, second), dim=axis), image)
        assert torch.equal(torch.cat((one, two), dim=axis - 1), mask)
        assert torch.equal(parts["copies"][0], one)
        assert 14 <= first.shape[axis] <= 26
        shapes.add(first.shape)
    assert len(shapes) > 6
    network = create_model("biotampernet_test", single="halves")
    panels, masks = panels_and_masks(1)
    assert Objective(network, Loss("biotampernet"))(panels, masks, {}).isfinite()


@pytest.mark.parametrize(
    ("name", "loss", "said"),
    [
        ("loma_test", Loss("biotampernet"), "biotampernet is not for loma_test; use dice_focal"),
        ("biotampernet_test", Loss("dice_focal"), "is not for biotampernet_test"),
        ("loma_test", Loss("dice_focal", dice=False, focal=False), "switch on dice"),
    ],
)
def test_a_loss_that_is_not_the_networks_is_refused(name, loss, said):
    with pytest.raises(RecipeError, match=said):
        Objective(create_model(name), loss)


def test_halves_cannot_be_matched():
    network = create_model("biotampernet_test", single="halves")
    with pytest.raises(RecipeError, match="compare a panel with itself"):
        Objective(network, Loss("biotampernet", matching=0.1))


def test_cells_are_those_of_the_network():
    network = create_model("biotampernet_test")
    assert cell_of(network, (64, 64)) == 64 / network.grid((64, 64))[0]
    with pytest.raises(RecipeError, match="multiples of 32"):
        cell_of(network, (80, 80))
