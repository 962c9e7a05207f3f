import pytest
import torch


@pytest.fixture(scope="package", autouse=True)
def _one_thread():
    """Two spinning threads on a busy machine are slower than one."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
