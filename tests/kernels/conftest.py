import pytest


@pytest.fixture
def nan_filled_memory():
    """Fresh tensors hold NaN, so that a result nobody wrote cannot pass for a number."""
    import torch  # the dense-field tests beside this file run without

    before = torch.are_deterministic_algorithms_enabled()
    torch.use_deterministic_algorithms(True)
    assert torch.empty(7).isnan().all()
    yield
    torch.use_deterministic_algorithms(before)
