import pytest
import torch
from safetensors.torch import load_file

from tamperscope.errors import RecipeError, WeightsError
from tamperscope.models import create_model
from tamperscope.models.weights import WeightsCard, config_of, save_weights
from tamperscope.training.preparation import build_network, build_optimiser
from tamperscope.training.recipe import Model, Optimiser
from tamperscope.training.running import read_and_prepare
from tests.training.small import PAIRS, SINGLES, written


def kept(path, name, **changes):
    network = create_model(name, seed=9, **changes)
    save_weights(path, network, WeightsCard(name, config_of(network), "test", "none"))
    return network


def test_a_network_starts_from_its_seed_or_from_weights(tmp_path):
    one, two, other = (build_network(Model("loma_test"), seed, "r") for seed in (1, 1, 2))
    key = "decoder.predict.weight"
    assert torch.equal(one.state_dict()[key], two.state_dict()[key])
    assert not torch.equal(one.state_dict()[key], other.state_dict()[key])
    kept(tmp_path / "w.safetensors", "loma_test")
    model = Model("loma_test", start=(str(tmp_path / "w.safetensors"),))
    started = build_network(model, 1, "r").state_dict()
    for name, value in load_file(tmp_path / "w.safetensors").items():
        assert torch.equal(started[name], value)


@pytest.mark.parametrize(
    ("changes", "gone"),
    [
        ({"noise": "encoder", "matches": True}, set()),
        ({"noise": "encoder", "colours": False}, set()),
        ({"noise": "none", "matches": True}, {"noise", "noise_embedding"}),
    ],
    ids=str,
)
def test_a_network_starts_from_one_with_other_inputs(tmp_path, changes, gone):
    path = tmp_path / "w.safetensors"
    kept(path, "forma_test", noise="encoder")
    started = build_network(Model("forma_test", changes, (str(path),)), 1, "r").state_dict()
    stored = load_file(path)
    for name in started.keys() & stored.keys():
        assert torch.equal(started[name], stored[name])
    fresh = {name.split(".")[0] for name in started.keys() - stored.keys()}
    assert fresh == ({"matches"} if changes.get("matches") else set())
    assert {name.split(".")[0] for name in stored.keys() - started.keys()} == gone


def test_inputs_that_were_never_trained_are_refused(tmp_path):
    path = tmp_path / "w.safetensors"
    kept(path, "forma_test", noise="none")
    for noise, key in (("encoder", "noise.extractors"), ("decoder", "decoder.fuse.weight")):
        with pytest.raises(RecipeError, match=rf"trained on other inputs .*{key}"):
            build_network(Model("forma_test", {"noise": noise}, (str(path),)), 1, "r")
    with pytest.raises(RecipeError, match="of another config"):
        build_network(Model("forma_test", {"embedding": 4}, (str(path),)), 1, "r")


def test_weights_of_another_network_are_refused(tmp_path):
    kept(tmp_path / "w.safetensors", "forma_test")
    with pytest.raises(WeightsError, match="does not start from"):
        build_network(Model("loma_test", start=(str(tmp_path / "w.safetensors"),)), 0, "r")
    kept(tmp_path / "v.safetensors", "loma_test", decoder_width=4)
    with pytest.raises(RecipeError, match="of another config"):
        build_network(Model("loma_test", start=(str(tmp_path / "v.safetensors"),)), 0, "r")


@pytest.mark.parametrize(
    ("model", "said"),
    [
        (Model("loma_tst"), "no network is called 'loma_tst'; did you mean 'loma_test'"),
        (Model("loma_test", {"decoder_wdth": 3}), "unknown key 'decoder_wdth'; did you mean"),
        (Model("biotampernet_test", {"single": "none"}), "single must be one of"),
    ],
)
def test_models_that_cannot_be_built_are_named(model, said):
    with pytest.raises(RecipeError) as error:
        build_network(model, 0, "recipe r")
    assert said in str(error.value)
    assert "recipe r" in str(error.value)


def test_decay_can_spare_what_has_one_dimension():
    network = create_model("loma_test")
    count = sum(p.requires_grad for p in network.parameters())
    (everything,) = build_optimiser(network, Optimiser(decay=0.1)).param_groups
    assert len(everything["params"]) == count
    many, few = build_optimiser(network, Optimiser(decay=0.1, decay_all=False)).param_groups
    assert (many["weight_decay"], few["weight_decay"]) == (0.1, 0.0)
    assert all(p.ndim > 1 for p in many["params"])
    assert all(p.ndim == 1 for p in few["params"])
    assert len(many["params"]) + len(few["params"]) == count


def test_what_decides_the_weights_is_told_apart(tmp_path):
    one = read_and_prepare(written(tmp_path), {})
    again = read_and_prepare(written(tmp_path, PAIRS.replace("licence", "# why\nlicence")), {})
    assert again.decides == one.decides
    faster = read_and_prepare(written(tmp_path, rate="2e-3"), {})
    differ = {key for key in one.decides if one.decides[key] != faster.decides[key]}
    assert differ == {"optimiser"}
    recipe = written(tmp_path)
    (tmp_path / "singles.toml").write_text(
        (tmp_path / "singles.toml").read_text().replace("weight = 2", "weight = 3")
    )
    other = read_and_prepare(recipe, {})
    assert {k for k in one.decides if one.decides[k] != other.decides[k]} == {"training data"}


def test_what_was_trained_on_is_said_in_words(tmp_path):
    text = PAIRS.replace("{folder}/pairs.toml", "edd").replace("{folder}/singles.toml", "idd")
    for number in range(3):
        for kind in ("blot", "microscopy", "facs", "macroscopy"):
            path = tmp_path / "own" / f"lab{number}" / kind / "1.png"
            path.parent.mkdir(parents=True)
            path.write_bytes(b"x")
    text = text.replace('["drawn"]', '["own", "drawn"]\nsize = [64, 64]')
    prepared = read_and_prepare(written(tmp_path, text), {"own": str(tmp_path / "own")})
    assert prepared.data == (
        "edd forged from own, drawn (all side, redistribute); "
        "idd forged from own, drawn (all side, redistribute)"
    )


def test_pairs_are_refused_for_a_network_of_single_panels(tmp_path):
    recipe = written(tmp_path, SINGLES.replace("singles.toml", "pairs.toml"))
    with pytest.raises(RecipeError, match=r'data\[0\] makes pairs.*form = "single"'):
        read_and_prepare(recipe, {})


def test_streams_may_differ_in_size(tmp_path):
    text = PAIRS.replace("[loss]", "size = [96, 96]\n[loss]")
    prepared = read_and_prepare(written(tmp_path, text), {})
    assert len({stream.size for stream in prepared.plan.streams}) == 2
    for step in range(6):
        assert len({stream.size for stream in prepared.plan.slots(step)}) == 1
