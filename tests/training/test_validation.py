import numpy as np
import pytest
import torch
from sklearn import metrics as theirs

from tamperscope.models import create_model
from tamperscope.training import validation
from tamperscope.training.batches import stacked
from tamperscope.training.recipe import Stream
from tamperscope.training.streams import Example
from tamperscope.training.validation import Answer, Part, answer, named, overall, score_part

CPU = torch.device("cpu")


def batch_of(masks):
    rng = np.random.default_rng(0)
    return stacked(
        [Example((rng.integers(0, 256, (64, 64, 3), dtype=np.uint8),), (mask,)) for mask in masks]
    )


@pytest.fixture
def said(monkeypatch):
    """Four examples, one of them pristine, and invented answers about them."""
    rng = np.random.default_rng(1)
    masks = rng.random((4, 64, 64)) < 0.2
    masks[2] = False
    heat = np.clip(masks * 0.4 + rng.random((4, 64, 64)) * 0.7, 0, 1).astype(np.float32)
    scores = np.array([0.9, 0.4, 0.6, 0.8], np.float32)
    monkeypatch.setattr(validation, "answer", lambda *_: Answer((heat,), scores))
    return Part("x", (batch_of(list(masks)),), "identity"), masks, heat > 0.5, scores


def test_scores_are_those_of_scikit_learn(said):
    part, masks, marked, scores = said
    found = score_part(None, part, CPU, 0.5)
    labels = masks.any(axis=(1, 2))
    flat = masks.ravel(), marked.ravel()
    assert found["pixel_mcc"] == pytest.approx(theirs.matthews_corrcoef(*flat))
    assert found["pixel_f1"] == pytest.approx(theirs.f1_score(*flat))
    assert found["pixel_iou"] == pytest.approx(theirs.jaccard_score(*flat))
    assert found["image_mcc"] == pytest.approx(theirs.matthews_corrcoef(labels, scores > 0.5))
    assert found["image_auc"] == pytest.approx(theirs.roc_auc_score(labels, scores))
    f1 = [theirs.f1_score(masks[i].ravel(), marked[i].ravel()) for i in (0, 1, 3)]
    iou = [theirs.jaccard_score(masks[i].ravel(), marked[i].ravel()) for i in (0, 1, 3)]
    assert found["mean_f1"] == pytest.approx(np.mean(f1))
    assert found["mean_f1_iou"] == pytest.approx((np.mean(f1) + np.mean(iou)) / 2)
    assert found["false_area"] == pytest.approx(marked[2].mean())


def test_a_score_that_does_not_exist_is_none_and_left_out(said):
    _, masks, _, _ = said
    only = Part("y", (batch_of([masks[2]] * 4),), "identity")
    found = score_part(None, only, CPU, 0.5)
    assert found["image_auc"] is None
    assert found["mean_f1"] is None
    assert overall({"x": {"mean_f1": 0.5}, "y": found}, "mean_f1") == 0.5
    assert overall({"y": found}, "mean_f1") is None


@pytest.mark.parametrize("name", ["loma_test", "biotampernet_test"])
def test_a_network_is_asked_as_users_ask_it(name):
    network = create_model(name).eval()
    masks = [np.zeros((64, 64), bool)] * 2
    batch = batch_of(masks)
    answered = answer(network, batch, CPU)
    image = torch.from_numpy(batch.panels[0]).permute(0, 3, 1, 2).float() / 255
    with torch.no_grad():
        if name == "loma_test":
            expected = network.heatmap(image)
        else:
            expected = network(image, image, same=True).first.heatmap
    torch.testing.assert_close(torch.from_numpy(answered.heatmaps[0]), expected)
    top = np.sort(answered.heatmaps[0].reshape(2, -1), axis=1)[:, -41:].mean(axis=1)
    np.testing.assert_allclose(answered.scores, top, rtol=1e-5)


def test_streams_have_names_and_their_samples():
    class Stub:
        def __init__(self, form, share):
            self.form, self.share = form, share

    edd = Stream(forge="edd", sources=("drawn",), samples=10)
    again = Stream(forge="edd", sources=("corpus",), samples=5)
    mixed = Stream(forge="own/mix.toml", sources=("drawn",), samples=30, share=3.0)
    opened = [[Stub(2, 1.0)], [Stub(2, 1.0)], [Stub(1, 1.0), Stub(2, 2.0)]]
    found = [(name, samples) for name, samples, _ in named([edd, again, mixed], opened)]
    assert found == [("edd-0", 10), ("edd-1", 5), ("mix single", 10), ("mix pair", 20)]
