from collections import Counter

import cv2
import numpy as np
import pytest

from tamperscope.data.samples import Boxes, MaskFiles, PairSample, Sample, Unlocated
from tamperscope.errors import DatasetLayoutError, RecipeError
from tamperscope.images import write_png
from tamperscope.training.recipe import Stream
from tamperscope.training.sets import fitted, set_streams

SIZE = (64, 64)


@pytest.fixture
def pictures(tmp_path):
    """Ten pictures whose first level is their number; odd ones are tampered in a corner."""
    samples = []
    for number in range(10):
        path = tmp_path / f"{number}.png"
        write_png(path, np.full((*SIZE, 3), number, np.uint8))
        truth = Boxes(((0, 0, 8, 16),)) if number % 2 else None
        kind = "blot" if number < 4 else "microscopy"
        samples.append(Sample(path, truth, "test", kind=kind))
    return samples


def opened(found, *, both=False, held_out=False, **keys):
    stream = Stream(dataset="forged", size=SIZE, **keys)
    return set_streams(stream, found, 3, both, held_out=held_out)


def number_of(example):
    return int(example.panels[0][0, 0, 0])


def test_every_sample_comes_once_before_any_comes_again(pictures):
    (stream,) = opened(pictures)
    orders = [[number_of(stream.example(10 * epoch + i)) for i in range(10)] for epoch in (0, 1)]
    assert sorted(orders[0]) == sorted(orders[1]) == list(range(10))
    assert orders[0] != orders[1]


def test_validation_shows_every_sample_once_and_as_it_is(pictures):
    (stream,) = opened(pictures, held_out=True, samples=10)
    examples = [stream.example(number) for number in range(10)]
    assert sorted(number_of(example) for example in examples) == list(range(10))
    for example in examples:
        number = number_of(example)
        assert example.masks[0].sum() == (8 * 16 if number % 2 else 0)
        assert example.masks[0][:16, :8].all() == bool(number % 2)


def test_more_validation_samples_than_there_are_is_an_error(pictures):
    with pytest.raises(RecipeError, match="has 10 samples of the form single, fewer"):
        opened(pictures, held_out=True, samples=11)


def test_shares_of_pristine_samples_and_modalities_are_kept(pictures):
    (stream,) = opened(pictures, pristine=0.2, modalities={"blot": 3.0, "microscopy": 1.0})
    numbers = [number_of(stream.example(i)) for i in range(1500)]
    assert np.mean([n % 2 == 0 for n in numbers]) == pytest.approx(0.2, abs=0.03)
    assert np.mean([n < 4 for n in numbers]) == pytest.approx(0.75, abs=0.03)


def test_a_modality_can_be_left_out(pictures):
    (stream,) = opened(pictures, modalities={"microscopy": 1.0})
    counts = Counter(number_of(stream.example(i)) for i in range(300))
    assert set(counts) == set(range(4, 10))


def test_a_picture_that_cannot_be_read_is_replaced_and_counted(pictures):
    pictures[4].image.write_bytes(b"broken")
    (stream,) = opened(pictures)
    examples = [stream.example(i) for i in range(10)]
    assert sum(example.replaced for example in examples) >= 1
    assert all(number_of(example) != 4 for example in examples)


def test_a_set_without_readable_pictures_is_an_error(pictures):
    for sample in pictures:
        sample.image.write_bytes(b"broken")
    (stream,) = opened(pictures)
    with pytest.raises(DatasetLayoutError, match="samples in a row"):
        stream.example(0)


def test_pairs_become_a_stream_of_their_own(tmp_path, pictures):
    marked = [pictures[1], pictures[3]]
    pair = PairSample(*marked, related=True, source="test")
    single, double = opened([*pictures[:3], pair], share=4.0)
    assert (single.form, single.share, double.form, double.share) == (1, 3.0, 2, 1.0)
    seen = {tuple(int(p[0, 0, 0]) for p in double.example(i).panels) for i in range(12)}
    assert seen == {(1, 3), (3, 1)}


def test_a_copy_is_marked_with_its_original_where_both_are_wanted(tmp_path, pictures):
    mask = np.zeros(SIZE, bool)
    mask[40:50, 40:50] = True
    write_png(tmp_path / "source.png", mask)
    source = MaskFiles((tmp_path / "source.png",))
    sample = Sample(pictures[1].image, pictures[1].truth, "test", copied_from=source)
    (one,), (both,) = (opened([sample], both=both, held_out=True) for both in (False, True))
    assert both.example(0).masks[0].sum() - one.example(0).masks[0].sum() == 100


def test_what_is_not_located_is_left_out(pictures):
    vague = Sample(pictures[0].image, Unlocated(), "test")
    (stream,) = opened([vague, pictures[1]])
    assert stream.samples == (pictures[1],)
    with pytest.raises(RecipeError, match="truth is known by pixel"):
        opened([vague])


def test_pictures_are_brought_to_the_size_with_their_masks():
    pixels = np.zeros((30, 100, 3), np.uint8)
    mask = np.zeros((30, 100), bool)
    mask[:15, :50] = True
    seen, marked = fitted(pixels, mask, SIZE)
    assert seen.shape == (*SIZE, 3)
    expected = np.zeros(SIZE, bool)
    expected[:32, :32] = True
    assert (marked == expected).mean() > 0.98
    assert cv2.countNonZero(seen[..., 0]) == 0
