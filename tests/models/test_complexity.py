import pytest

from tamperscope.models import create_model
from tamperscope.models.complexity import complexity
from tamperscope.models.weights import empty_network

# fvcore on the authors' code: (builder, size, training): G without the scan, G with it
COUNTED = {
    ("forma_base", 512, True): (42.527, 42.874),
    ("forma_base", 512, False): (42.443, 42.789),
    ("forma_base", 1024, True): (170.110, 171.494),
    ("forma_base", 1024, False): (169.770, 171.154),
    ("loma_base", 512, True): (64.425, 65.794),
    ("loma_base", 512, False): (64.258, 65.627),
    ("loma_base", 1024, True): (257.670, 263.144),
    ("loma_base", 1024, False): (257.003, 262.476),
    ("vmamba_t", 512, True): (25.296, 25.626),
    ("vmamba_t", 224, False): (4.842, 4.906),
    ("efficientvmamba_b", 224, False): (3.735, 3.997),
}


@pytest.mark.parametrize(("builder", "size", "training"), COUNTED, ids=str)
def test_operations_are_those_that_were_counted_in_the_authors_code(builder, size, training):
    count = complexity(empty_network(builder, {}), size, size, training=training)
    plain, with_scan = COUNTED[builder, size, training]
    assert count.operations / 1e9 == pytest.approx(plain, abs=6e-4)
    assert (count.operations + count.scan_operations) / 1e9 == pytest.approx(with_scan, abs=6e-4)


def test_parameters_frozen_ones_too():
    count = complexity(empty_network("forma_base", {}), 64, 64)
    assert (count.parameters, count.trainable) == (37_255_319, 36_698_070)


def test_counting_leaves_the_network_as_it_was():
    network = empty_network("loma_test", {}).eval()
    first = complexity(network, 64, 96)
    assert not any(module.training for module in network.modules())
    assert not network.decoder.join_first
    assert "core" not in vars(network.backbone.stages[0][0].ss2d)
    assert complexity(network, 64, 96) == first


def test_without_the_noise_extractor_forma_costs_what_the_paper_says():
    """About 30 G: the backbone's 26.9 and the decoder's 2.9."""
    count = complexity(empty_network("forma_base", {"noise": "none"}), 512, 512, training=False)
    assert count.operations / 1e9 == pytest.approx(29.8, abs=0.1)


def test_a_network_with_memory_is_refused():
    with pytest.raises(ValueError, match="meta device"):
        complexity(create_model("loma_test"), 64, 64)


@pytest.mark.parametrize("builder", ["forma_small", "loma_small"])
def test_small_networks_are_small(builder):
    count = complexity(empty_network(builder, {}), 256, 256, training=False)
    assert 3e6 < count.parameters < 6e6
    assert count.operations + count.scan_operations < 1.5e9
