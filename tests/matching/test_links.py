import numpy as np
import pytest

from tamperscope.matching import geometry
from tamperscope.matching.links import propose
from tamperscope.matching.match import Proposal
from tamperscope.matching.prepare import prepare
from tamperscope.matching.verify import verify
from tests.matching.pictures import texture

CELL = 8.0


def similarity(degrees, scale, shift, reflected=False):
    c, s = scale * np.cos(np.radians(degrees)), scale * np.sin(np.radians(degrees))
    matrix = np.array([[c, -s, shift[0]], [s, c, shift[1]], [0, 0, 1]])
    return matrix @ np.diag([-1.0, 1, 1]) if reflected else matrix


def links_of(transform, rng, right=40, wrong=120, size=256):
    """Cells of a part of a panel with noisy partners, among links that lead anywhere."""
    cells = np.stack(np.meshgrid(np.arange(7), np.arange(6)), -1).reshape(-1, 2)[:right]
    source = 60 + CELL * cells
    target = geometry.apply(transform, source) + rng.normal(0, 1.5, source.shape)
    stray = rng.uniform(0, size, (2, wrong, 2))
    weight = rng.uniform(0.2, 0.6, right + wrong)
    return np.concatenate([source, stray[0]]), np.concatenate([target, stray[1]]), weight


@pytest.mark.parametrize(
    "transform",
    [
        similarity(0, 1.0, (30, -20)),
        similarity(90, 1.0, (250, 10)),
        similarity(33, 0.7, (60, 40)),
        similarity(-20, 1.4, (-30, 20)),
        similarity(0, 1.0, (220, 15), reflected=True),
        similarity(140, 1.1, (10, 250), reflected=True),
    ],
    ids=["shift", "turn", "smaller", "larger", "mirror", "mirrored and turned"],
)
def test_a_transform_is_found_among_three_times_as_many_stray_links(transform):
    source, target, weight = links_of(transform, np.random.default_rng(3))
    best, *_ = propose("net", source, target, weight, cell=CELL, within=False)
    assert best.detector == "net"
    part = source[:40]
    off = geometry.apply(best.transform, part) - geometry.apply(transform, part)
    assert np.linalg.norm(off, axis=1).max() < 3
    assert len(best.source) >= 36


def test_two_transforms_are_two_proposals():
    rng = np.random.default_rng(0)
    one = links_of(similarity(0, 1.0, (40, 0)), rng, wrong=0)
    two = links_of(similarity(90, 1.0, (260, 20)), rng, wrong=0)
    source, target, weight = (np.concatenate(pair) for pair in zip(one, two, strict=True))
    found = propose("net", source, target, weight, cell=CELL, within=False)
    assert len(found) == 2
    turned = sorted(abs(proposal.transform[0, 1]) for proposal in found)
    assert turned == pytest.approx([0, 1], abs=0.1)


def test_inside_a_panel_a_link_and_its_reverse_are_one_and_short_ones_none():
    rng = np.random.default_rng(0)
    source, target, weight = links_of(similarity(0, 1.0, (90, 10)), rng, wrong=0)
    both = np.concatenate([source, target]), np.concatenate([target, source])
    found = propose("net", *both, np.tile(weight, 2), cell=CELL, within=True)
    assert len(found) == 1
    near = source + np.array([CELL, 0])
    assert propose("net", source, near, weight, cell=CELL, within=True) == []
    assert len(propose("net", source, near, weight, cell=CELL, within=False)) == 1


def test_stray_links_alone_propose_nothing():
    rng = np.random.default_rng(1)
    source, target = rng.uniform(0, 256, (2, 60, 2))
    assert propose("net", source, target, np.ones(60), cell=CELL, within=False) == []


@pytest.mark.parametrize("count", [0, 1, 5])
def test_few_links_propose_nothing(count):
    source = np.random.default_rng(0).uniform(0, 256, (count, 2))
    assert propose("net", source, source + 50, np.ones(count), cell=CELL, within=False) == []


def test_a_proposal_from_coarse_links_is_made_exact_by_verification():
    scene = texture(0, 200, 320)
    first, second = scene[:, :220], scene[:, 100:]
    transform = similarity(0, 1.0, (-100, 0))
    rng = np.random.default_rng(0)
    cells = np.stack(np.meshgrid(np.arange(13, 26), np.arange(2, 22)), -1).reshape(-1, 2)
    source = CELL * cells.astype(float)
    target = geometry.apply(transform, source) + rng.normal(0, 2.0, source.shape)
    found = propose("net", source, target, np.ones(len(source)), cell=CELL, within=False)
    panels = [prepare(picture, "photo") for picture in (first, second)]
    match = verify(*panels, found[0])
    assert match is not None
    assert np.abs(match.transform - transform).max() < 0.5
    wrong = Proposal("net", similarity(0, 1.0, (-60, 0)), source, source - [60, 0])
    assert verify(*panels, wrong) is None
