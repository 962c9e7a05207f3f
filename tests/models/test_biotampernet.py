import dataclasses

import pytest
import torch

from tamperscope.errors import ModelNameError
from tamperscope.models import PAIR_MODELS, create_model, list_models
from tamperscope.models.complexity import complexity
from tamperscope.models.pair_config import BioTamperNetConfig
from tamperscope.models.pair_network import mask_score
from tamperscope.models.weights import WeightsCard, config_of, empty_network, load_weights
from tamperscope.models.weights import save_weights as save

ABLATIONS = {
    "without affinity": {"affinity": False},
    "scan to CNN": {"context": "cnn", "context_layers": 4},
    "scan to attention": {"context": "attention", "context_layers": 4},
    "no context": {"context": "none"},
    "without self-attention": {"self_attention": False},
    "without cross-attention": {"cross_attention": False},
    "LayerNorm": {"norm": "layer"},
    "global scan": {"global_scan": True},
    "rotary 1-D": {"rotary": "1d"},
    "rotary 2-D": {"rotary": "2d"},
    "untied": {"tied": False},
    "all scales compared": {"match_scales": 0},
    "light descriptor": {"descriptor": "local", "descriptor_width": 16},
    "light descriptor of eight turns": {"descriptor": "turned", "descriptor_width": 8},
    "consensus": {"consensus": True},
    "strips": {"strips": True},
    "no suppression": {"sigma": 0.0},
    "sigma 4": {"sigma": 4.0},
    "alpha 20": {"alpha": 20.0},
    "one block": {"blocks": 1},
    "four scan layers": {"context_layers": 4},
    "fewer affinities": {"top_k": 3},
    "ViT": {"encoder": "vit"},
    "convolutions": {"encoder": "conv"},
    "coarser grid": {"grid": 4},
}


def drawn(*shape, seed=0):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


def stirred(network, seed=1):
    """Give the affinity maps and heads of a fresh network something to say."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in network.parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            parameter += 0.1 * noise * (parameter.abs().mean() + 0.1)
    return network


@pytest.fixture(scope="module")
def network():
    return stirred(create_model("biotampernet_test")).eval()


@pytest.fixture(scope="module")
def reference(network):
    with torch.no_grad():
        return network(drawn(2, 3, 64, 64), drawn(2, 3, 64, 64, seed=1))


def tensors(logits):
    return [
        value
        for branch in (logits.first, logits.second)
        for value in vars(branch).values()
        if isinstance(value, torch.Tensor)
    ]


def differs(logits, others):
    """Whether any answer differs by more than rounding, the cells' own included."""
    one, two = tensors(logits), tensors(others)
    pairs = zip(one, two, strict=False)
    return len(one) != len(two) or any(
        a.shape != b.shape or not torch.allclose(a, b, atol=2e-5) for a, b in pairs
    )


def test_swapped_inputs_give_swapped_outputs(network):
    a, b = drawn(2, 3, 64, 64), drawn(2, 3, 64, 64, seed=1)
    with torch.no_grad():
        there, back = network(a, b), network(b, a)
    for got, want in zip(tensors(there)[3:] + tensors(there)[:3], tensors(back), strict=True):
        torch.testing.assert_close(got, want)
    assert not torch.allclose(there.first.mask, there.second.mask)


def test_swapping_panels_of_different_size_swaps_the_answers_too(network):
    a, b = drawn(1, 3, 40, 72), drawn(1, 3, 96, 33, seed=1)
    with torch.no_grad():
        there, back = network(a, b), network(b, a)
    assert there.first.mask.shape == (1, 1, 40, 72)
    assert there.second.mask.shape == (1, 1, 96, 33)
    torch.testing.assert_close(there.first.mask, back.second.mask)
    torch.testing.assert_close(there.second.mask, back.first.mask)


@pytest.mark.parametrize("changes", ABLATIONS.values(), ids=ABLATIONS)
def test_every_ablation_trains_and_answers_otherwise(changes, reference):
    network = stirred(create_model("biotampernet_test", drop_path=0.0, **changes))
    with torch.no_grad():
        logits = network.eval()(drawn(2, 3, 64, 64), drawn(2, 3, 64, 64, seed=1))
    assert logits.first.mask.shape == reference.first.mask.shape
    assert differs(logits, reference)
    answer = network.train()(drawn(2, 3, 64, 64), drawn(2, 3, 64, 64, seed=1))
    sum(x.square().mean() for x in tensors(answer)).backward()
    idle = [key for key, p in network.named_parameters() if p.grad is None or not p.grad.any()]
    if "affinity" in changes:  # nothing to weigh the tokens by
        idle = [key for key in idle if not key.endswith(".gain")]
    assert idle == []


def test_an_ablation_lacks_what_it_is_named_after():
    def answer(**changes):
        network = create_model("biotampernet_test", **changes).eval()
        with torch.no_grad():
            features = network.encode(drawn(1, 3, 64, 64))
            seen = network.look(features, features)
        return network, features, seen

    network, features, seen = answer(affinity=False)
    assert features.affinity is None
    assert seen.affinity is None
    assert not any("refine" in key or "similarity" in key for key in network.state_dict())
    network, features, seen = answer(self_attention=False)
    assert seen.alone is None
    assert not any(key.startswith("guided") for key in network.state_dict())
    network, features, seen = answer(cross_attention=False)
    assert features.keys is None
    assert seen.crossed is None
    assert seen.affinity is not None  # the map still crosses over
    network, *_ = answer(learn_alpha=False)
    assert not network.cross_similarity.log_alpha.requires_grad


def test_without_cross_attention_and_affinity_the_partner_is_never_seen():
    network = create_model("biotampernet_test", cross_attention=False, affinity=False).eval()
    a = drawn(1, 3, 64, 64)
    with torch.no_grad():
        one, two = (network(a, drawn(1, 3, 64, 64, seed=s)).first.mask for s in (1, 2))
    assert torch.equal(one, two)


def test_roles_are_one_more_logit():
    with torch.no_grad():
        logits = create_model("biotampernet_test", roles=True).eval()(
            drawn(1, 3, 40, 40), drawn(1, 3, 40, 40, seed=1)
        )
    assert logits.first.role.shape == logits.first.mask.shape == (1, 1, 40, 40)
    assert not torch.allclose(logits.first.role, logits.first.mask)


def test_images_of_a_batch_do_not_see_each_other(network):
    a, b = drawn(3, 3, 32, 48), drawn(3, 3, 32, 48, seed=1)
    with torch.no_grad():
        together = network(a, b).first.mask
        alone = torch.cat([network(a[i : i + 1], b[i : i + 1]).first.mask for i in range(3)])
    torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-5)


def test_features_of_a_panel_serve_all_its_pairs(network):
    a, b, c = (drawn(1, 3, 64, 48, seed=seed) for seed in range(3))
    with torch.no_grad():
        one, two, three = (network.encode(image) for image in (a, b, c))
        for partner, image in ((two, b), (three, c)):
            mask = network.draw(one, network.look(one, partner)).mask
            torch.testing.assert_close(mask, network(a, image).first.mask, rtol=1e-4, atol=1e-5)


def test_training_and_prediction_compute_the_same_affinities(network, monkeypatch):
    """Prediction works in blocks of rows; here a block is less than one row of cells."""
    from tamperscope.models import affinity

    a, b = drawn(1, 3, 64, 64), drawn(1, 3, 64, 64, seed=1)
    whole = network(a, b, same=True).first.mask.detach()
    monkeypatch.setattr(affinity, "BLOCK_VALUES", 300)
    with torch.no_grad():
        torch.testing.assert_close(network(a, b, same=True).first.mask, whole, rtol=1e-4, atol=1e-5)


def test_affinities_are_kept_in_training_only(network):
    a, b = drawn(2, 3, 64, 64), drawn(2, 3, 64, 64, seed=1)
    fresh = create_model("biotampernet_test", drop_path=0.0)
    logits = fresh.train()(a, b)
    there, back = (branch.cross_rows.log_affinity for branch in (logits.first, logits.second))
    assert there.shape == (2, 64, 64)
    torch.testing.assert_close(there, back.transpose(1, 2))
    own = logits.first.self_rows.log_affinity
    torch.testing.assert_close(own, own.transpose(1, 2))
    assert not torch.allclose(own, logits.second.self_rows.log_affinity)
    quiet = network(a, b)  # evaluation, gradients recorded
    assert quiet.first.self_rows is quiet.first.cross_rows is quiet.second.cross_rows is None


def test_an_image_with_itself_is_encoded_once_and_answered_alike(network):
    a = drawn(2, 3, 64, 64)
    with torch.no_grad():
        once, twice = network(a, a, same=True), network(a, a.clone(), same=True)
    assert once.first is once.second
    for branch in (twice.first, twice.second):
        torch.testing.assert_close(branch.mask, once.first.mask)


def test_comparing_an_image_with_itself_suppresses_itself(network):
    a = drawn(1, 3, 64, 64)
    with torch.no_grad():
        plain, same = network(a, a), network(a, a, same=True)
    assert differs(plain, same)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (torch.zeros(1, 3, 64, 64), torch.zeros(1, 3, 64, 64)),
        (torch.ones(1, 3, 64, 64), drawn(1, 3, 64, 64)),
        (drawn(1, 3, 8, 8), drawn(1, 3, 8, 8, seed=1)),
        (drawn(1, 3, 1, 1), drawn(1, 3, 1, 500)),
        (drawn(1, 3, 64, 64), drawn(1, 3, 64, 64)),
    ],
    ids=["both blank", "one blank", "8 x 8", "1 x 1 and 1 x 500", "identical"],
)
@pytest.mark.parametrize("same", [False, True])
def test_odd_panels_are_answered(network, first, second, same):
    if same and first.shape != second.shape:
        second = first
    with torch.no_grad():
        logits = network(first, second, same=same)
    for branch, image in ((logits.first, first), (logits.second, second)):
        assert branch.mask.shape[2:] == image.shape[2:]
        assert branch.mask.isfinite().all()
    assert 0 <= logits.score.item() <= 1


def test_what_is_no_pair_is_refused(network):
    good = drawn(1, 3, 8, 8)
    with pytest.raises(ValueError, match="batch, 3"):
        network(good, drawn(1, 1, 8, 8))
    with pytest.raises(TypeError, match="divide 8 bits by 255"):
        network(torch.zeros(1, 3, 8, 8, dtype=torch.uint8), good)
    with pytest.raises(ValueError, match="1 images have 2 partners"):
        network(good, drawn(2, 3, 8, 8))


@pytest.mark.parametrize(
    "wrong",
    [
        {"encoder": "resnet"},
        {"context": "lstm"},
        {"norm": "group"},
        {"single": "thirds"},
        {"descriptor": "sift"},
        {"widths": (8, 16)},
        {"alpha": 0.0},
        {"blocks": 0},
        {"match_scales": 5},
        {"descriptor": "turned", "tied": False},
    ],
    ids=str,
)
def test_a_config_that_describes_no_network_is_refused(wrong):
    with pytest.raises(
        ValueError, match=r"must be (one of|tied)|must pair up|1 at least|there are 4 scales"
    ):
        dataclasses.replace(BioTamperNetConfig(), **wrong)


def test_the_score_is_the_mean_of_the_top_hundredth():
    heat = torch.zeros(1, 10, 30)
    heat[0, 0, :3] = torch.tensor([0.9, 0.6, 0.3])
    assert mask_score(heat).item() == pytest.approx(0.6)
    assert mask_score(torch.full((2, 2, 2), 0.25)).tolist() == [0.25, 0.25]


def test_the_score_of_a_pair_is_that_of_its_lower_panel(network):
    with torch.no_grad():
        logits = network(drawn(1, 3, 64, 64), torch.zeros(1, 3, 64, 64))
    scores = [mask_score(branch.heatmap).item() for branch in (logits.first, logits.second)]
    assert logits.score.item() == pytest.approx(min(scores))


def test_cells_keep_their_size_on_small_images_and_their_number_on_large_ones():
    network = empty_network("biotampernet_base", {})
    assert network.grid((512, 512)) == (40, 40)  # as published
    assert network.grid((1024, 1024)) == (40, 40)
    assert network.grid((256, 256)) == (32, 32)  # 8 pixels a cell
    rows, columns = network.grid((256, 1024))
    assert rows * columns == pytest.approx(1600, rel=0.02)
    assert columns / rows == pytest.approx(4, rel=0.02)
    assert network.grid((32, 32)) == (4, 4)


def test_sizes_are_about_the_published_and_the_promised_ones():
    base = complexity(empty_network("biotampernet_base", {}), 512, 512)
    assert base.parameters / 1e6 == pytest.approx(36.7, rel=0.03)
    assert base.operations / 1e9 == pytest.approx(29.6, rel=0.03)
    small = complexity(empty_network("biotampernet_small", {}), 256, 256)
    assert small.parameters < 8e6
    assert 2 * small.operations < 3.2e9


def test_operations_are_those_of_a_pair_halved():
    network = empty_network("biotampernet_test", {})
    one = complexity(network, 64, 64)
    with_more_blocks = complexity(empty_network("biotampernet_test", {"blocks": 4}), 64, 64)
    # One AGSSM block: 7 width^2 of matrices and the MLP's 4, on 64 cells; two depthwise maps of
    # place, one of the main path and one of the attention; its product of 8 x 8 heads; two norms.
    matrices = 64 * (5 * 16 * 16 + 2 * 2 * 16 * 16)
    depthwise = 64 * 4 * 9 * 16
    attention = 2 * 2 * 64 * 8 * 8 + 64 * 16
    norms = 2 * 5 * 64 * 16
    assert with_more_blocks.operations - one.operations == pytest.approx(
        matrices + depthwise + attention + norms, rel=0.01
    )


def test_weights_survive_the_file_with_any_config(tmp_path, network):
    card = WeightsCard("biotampernet_test", config_of(network), "nothing", "Apache-2.0")
    save(tmp_path / "w.safetensors", network, card)
    loaded = load_weights(tmp_path / "w.safetensors")
    a, b = drawn(1, 3, 48, 64), drawn(1, 3, 48, 64, seed=1)
    with torch.no_grad():
        assert torch.equal(loaded(a, b).first.mask, network(a, b).first.mask)
    vit = create_model("biotampernet_test", encoder="vit")
    card = WeightsCard("biotampernet_test", config_of(vit), "nothing", "Apache-2.0")
    save(tmp_path / "vit.safetensors", vit, card)
    assert load_weights(tmp_path / "vit.safetensors").config == vit.config


def test_pair_networks_are_listed_apart_from_those_of_one_image():
    assert set(PAIR_MODELS) == {"biotampernet_base", "biotampernet_small", "biotampernet_test"}
    assert not set(PAIR_MODELS) & set(list_models())
    assert all(name == build.__name__ for name, build in PAIR_MODELS.items())
    with pytest.raises(ModelNameError, match="Did you mean 'biotampernet_base'"):
        create_model("biotampernetbase")
