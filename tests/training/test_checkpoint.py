import sys

import pytest
import torch

from tamperscope.errors import OutputError, TrainingError
from tamperscope.training.checkpoint import (
    NAME,
    check_room,
    load_checkpoint,
    load_optimiser,
    optimiser_tensors,
    save_checkpoint,
    seed_step,
    write_whole,
)


def test_what_was_saved_is_loaded(tmp_path):
    assert load_checkpoint(tmp_path) is None
    save_checkpoint(tmp_path, {"a": torch.arange(3)}, {"step": 4, "best": None})
    tensors, state = load_checkpoint(tmp_path)
    assert torch.equal(tensors["a"], torch.arange(3))
    assert state == {"step": 4, "best": None}


def test_a_write_that_fails_leaves_the_old_file(tmp_path):
    path = tmp_path / "file"
    path.write_text("old")

    def full(part):
        part.write_text("half of the n")
        raise OSError(28, "No space left on device")

    with pytest.raises(OutputError, match=r"No space left.*there as it was before"):
        write_whole(path, full)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.skipif(sys.platform == "win32", reason="needs a limit on the size of files")
def test_a_disk_that_takes_no_more_keeps_the_old_checkpoint(tmp_path):
    import resource

    save_checkpoint(tmp_path, {"a": torch.zeros(100)}, {"step": 1})
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, before[1]))
    try:
        with pytest.raises(OutputError, match="as it was before"):
            save_checkpoint(tmp_path, {"a": torch.zeros(100_000)}, {"step": 2})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    tensors, state = load_checkpoint(tmp_path)
    assert (state, tensors["a"].shape) == ({"step": 1}, (100,))
    assert [path.name for path in tmp_path.iterdir()] == [NAME]


def test_a_checkpoint_that_would_not_fit_is_foreseen(tmp_path, monkeypatch):
    save_checkpoint(tmp_path, {"a": torch.zeros(1000)}, {})
    check_room(tmp_path, "step 3")
    usage = type("Usage", (), {"free": 4000})
    monkeypatch.setattr("shutil.disk_usage", lambda folder: usage)
    with pytest.raises(OutputError, match="step 3 is saved"):
        check_room(tmp_path, "step 3")


def test_a_broken_checkpoint_is_named(tmp_path):
    (tmp_path / NAME).write_bytes(b"not safetensors")
    with pytest.raises(TrainingError, match="cannot be read"):
        load_checkpoint(tmp_path)


def test_an_optimiser_goes_on_where_it_was():
    def made():
        torch.manual_seed(0)
        weights = [torch.nn.Parameter(torch.randn(3)) for _ in range(3)]
        return weights, torch.optim.AdamW(weights, lr=0.1)

    def step(weights, optimiser, number):
        for place, weight in enumerate(weights[:2]):  # the third never has a gradient
            weight.grad = torch.full((3,), float(number + place))
        optimiser.step()

    expected, first = made()
    for number in range(4):
        step(expected, first, number)
    weights, before = made()
    for number in range(2):
        step(weights, before, number)
    kept = {key: value.clone() for key, value in optimiser_tensors(before).items()}
    _, after = made()
    resumed = after.param_groups[0]["params"]
    with torch.no_grad():
        for new, old in zip(resumed, weights, strict=True):
            new.copy_(old)
    load_optimiser(after, kept)
    for number in range(2, 4):
        step(resumed, after, number)
    for new, old in zip(resumed, expected, strict=True):
        assert torch.equal(new, old)


def test_random_numbers_follow_from_seed_step_and_process():
    drawn = {}
    for key in [(0, 0, 0), (0, 1, 0), (0, 0, 1), (1, 0, 0)]:
        with torch.random.fork_rng():
            seed_step(*key)
            drawn[key] = torch.rand(4)
            seed_step(*key)
            assert torch.equal(torch.rand(4), drawn[key])
    assert len({tuple(values.tolist()) for values in drawn.values()}) == 4
