import numpy as np
import pytest

from tamperscope.errors import ForgeError, RecipeError
from tamperscope.synth.forge import make_sample
from tamperscope.synth.recipe import find_recipe, read_recipe
from tamperscope.training import streams
from tamperscope.training.recipe import Stream
from tamperscope.training.streams import EPOCH, REPLACEMENTS, adjusted, forged_streams, only_form
from tests.synth.panels import TexturedSource
from tests.training.small import FORGE, OPERATIONS


def opened(name, *, both=True, extra=(), held_out=False, **keys):
    stream = Stream(forge=name, sources=("drawn",), **keys)
    return forged_streams(
        stream, read_recipe(FORGE + OPERATIONS[name], name), TexturedSource(),
        seed=5, both=both, extra=extra, cell=8.0, held_out=held_out,
    )  # fmt: skip


def test_an_example_is_the_forges_sample_of_its_number():
    (stream,) = opened("singles", both=False, symmetries=False)
    example = stream.example(EPOCH + 3)
    sample = make_sample(stream.recipe, stream.source, 5, 1, 3)
    np.testing.assert_array_equal(example.panels[0], sample.panels[0])
    np.testing.assert_array_equal(example.masks[0], sample.targets[0])


def test_pair_networks_are_shown_the_original_as_well():
    (one,), (both,) = (opened("singles", both=both, symmetries=False) for both in (False, True))
    changed = [number for number in range(6) if one.example(number).masks[0].any()]
    assert changed
    for number in changed:
        alone, together = one.example(number).masks[0], both.example(number).masks[0]
        assert together.sum() > alone.sum()
        assert together[alone].all()


def test_symmetries_turn_an_example_as_a_whole():
    (plain,), (turned,) = (opened("pairs", symmetries=on, extra=("copies",)) for on in (0, 1))
    moved = 0
    for number in range(8):
        one, two = plain.example(number), turned.example(number)
        moved += not np.array_equal(one.panels[0], two.panels[0])
        for kind in ("panels", "masks"):
            before = sorted(array.sum() for array in getattr(one, kind))
            assert before == sorted(array.sum() for array in getattr(two, kind))
        copies = [mask.sum() for mask in two.targets["copies"]]
        assert copies in ([x.sum() for x in one.targets["copies"]],
                          [x.sum() for x in one.targets["copies"]][::-1])  # fmt: skip
    assert moved > 4


def test_a_sample_that_cannot_be_made_is_replaced_and_counted(monkeypatch):
    (stream,) = opened("singles")
    real = make_sample

    def sometimes(recipe, source, seed, epoch, index, generators=()):
        if index == 3:
            raise ForgeError("not this one")
        return real(recipe, source, seed, epoch, index)

    monkeypatch.setattr(streams, "make_sample", sometimes)
    example = stream.example(3)
    assert example.replaced == 1
    monkeypatch.undo()
    sample = make_sample(stream.recipe, stream.source, 5, 0, 3 + EPOCH)
    assert sorted(example.panels[0].ravel()) == sorted(sample.panels[0].ravel())


def test_sources_that_never_serve_are_an_error(monkeypatch):
    (stream,) = opened("singles")

    def never(*_):
        raise ForgeError("nothing fits")

    monkeypatch.setattr(streams, "make_sample", never)
    with pytest.raises(ForgeError, match=f"nothing fits - and so {REPLACEMENTS} samples in a row"):
        stream.example(0)


def test_validation_is_of_other_random_numbers():
    (training,), (held,) = (opened("singles", held_out=held) for held in (False, True))
    assert not np.array_equal(training.example(0).panels[0], held.example(0).panels[0])


def test_a_recipe_of_both_forms_becomes_two_streams():
    stream = Stream(forge="mixed", sources=("drawn",), size=(64, 64), share=2.0)
    both = forged_streams(
        stream, find_recipe("mixed"), TexturedSource(modalities=("blot",)), seed=0, both=True,
        extra=(), cell=8.0, held_out=False,
    )  # fmt: skip
    assert [one.form for one in both] == [1, 2]
    assert sum(one.share for one in both) == pytest.approx(2.0)
    assert both[0].size == (64, 64)


def test_the_share_of_pristine_samples_is_set():
    recipe = read_recipe(FORGE + OPERATIONS["singles"], "singles")
    stream = Stream(forge="x", sources=("drawn",), pristine=0.25)
    weights = {name: s.weight for name, s in adjusted(recipe, stream).operations.items()}
    assert weights == {"copy-move": 0.75, "pristine": 0.25}
    only = read_recipe(FORGE + "[operations.copy-move]", "only")
    with pytest.raises(RecipeError, match="makes no pristine samples"):
        adjusted(only, stream)


def test_a_form_that_a_recipe_does_not_make_is_an_error():
    assert not only_form(read_recipe(FORGE + OPERATIONS["singles"], "x"), 2).operations
    with pytest.raises(RecipeError, match="nothing of the form 'pair'"):
        opened("singles", form="pair")
