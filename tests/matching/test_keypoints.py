import cv2
import numpy as np
import pytest

from tamperscope.matching import geometry, keypoints
from tests.matching.pictures import misplacement, panel, texture, turned, warped


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("negative", [False, True])
def test_reordered_descriptors_are_those_of_the_changed_picture(mirrored, negative):
    picture = texture(1)[..., 0]
    changed = picture[:, ::-1] if mirrored else picture
    changed = np.ascontiguousarray(255 - changed if negative else changed)
    sift = cv2.SIFT_create(enable_precise_upscale=True)
    plain, described = sift.detectAndCompute(picture, None)
    others, expected = sift.detectAndCompute(changed, None)
    reordered = keypoints.reorder(described, mirrored=mirrored, negative=negative)
    width = picture.shape[1]
    places = np.array([(width - 1 - k.pt[0] if mirrored else k.pt[0], k.pt[1]) for k in plain])
    agreeing = 0
    for key, row in zip(others, expected, strict=True):
        near = np.flatnonzero(np.linalg.norm(places - key.pt, axis=1) < 0.5)
        best = min((np.linalg.norm(reordered[i] - row) for i in near), default=np.inf)
        agreeing += best < 0.25 * np.linalg.norm(row)
    assert agreeing > 0.9 * len(others)


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("negative", [False, True])
@pytest.mark.parametrize(("angle", "scale"), [(37.0, 1.0), (180.0, 0.5), (95.0, 2.0)])
def test_the_transform_between_two_panels_is_proposed(angle, scale, mirrored, negative):
    pixels = texture(2)
    truth = turned(angle, scale, mirrored=mirrored, size=pixels.shape[:2])
    other = warped(pixels, truth, 240, 240)
    other = 255 - other if negative else other
    best = keypoints.propose_between(panel(pixels), panel(other))[0]
    inner = np.zeros(pixels.shape[:2], bool)
    inner[90:130, 100:140] = True
    assert misplacement(best.transform, truth, inner) < 2.0
    assert (np.linalg.det(best.transform[:2, :2]) < 0) == mirrored


def test_unrelated_textures_give_at_most_weak_proposals():
    found = keypoints.propose_between(panel(texture(3)), panel(texture(4)))
    assert all(len(proposal.source) < 8 for proposal in found)


def test_key_points_keep_off_what_is_not_usable():
    pixels = texture(5)
    pixels[:, :120] = 128
    points = keypoints.features_of(panel(pixels)).points
    assert len(points) > 20
    assert points[:, 0].min() > 110


def test_a_panel_without_content_gives_nothing():
    empty = panel(np.full((80, 80, 3), 200, np.uint8))
    assert keypoints.propose_within(empty) == []
    assert keypoints.propose_between(empty, panel(texture(1))) == []


def test_proposed_pairs_follow_their_transform_and_do_not_point_to_themselves():
    pixels = texture(6)
    pixels[140:210, 150:230] = pixels[20:90, 10:90]
    for proposal in keypoints.propose_within(panel(pixels)):
        mapped = geometry.apply(proposal.transform, proposal.source)
        assert np.linalg.norm(mapped - proposal.target, axis=1).max() < 8
        assert np.linalg.norm(proposal.source - proposal.target, axis=1).min() > 15
