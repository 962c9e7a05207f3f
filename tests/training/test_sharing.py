import pytest
import torch
import torch.distributed as dist
from torch import nn

from tamperscope.models import create_model
from tamperscope.models.layers import BatchNorm
from tamperscope.training.sharing import SharedBatchNorm, SharedMapNorm, share_statistics


@pytest.fixture
def one_process():
    dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)
    yield
    dist.destroy_process_group()


@pytest.mark.parametrize(
    ("kind", "shape"),
    [(nn.BatchNorm2d, (3, 4, 5, 6)), (BatchNorm, (3, 5, 6, 4)), (nn.BatchNorm1d, (7, 4))],
)
def test_in_one_process_it_is_torchs_own(one_process, kind, shape):
    """What several processes do is tested in test_processes.py."""
    torch.manual_seed(0)
    theirs = nn.Sequential(kind(4, momentum=0.2))
    with torch.no_grad():
        theirs[0].weight.uniform_(0.5, 2)
        theirs[0].bias.uniform_(-1, 1)
    ours = nn.Sequential(kind(4, momentum=0.2))
    ours.load_state_dict(theirs.state_dict())
    share_statistics(ours)
    assert isinstance(ours[0], SharedBatchNorm)
    for _ in range(3):
        x = torch.randn(shape, requires_grad=True)
        y = x.detach().clone().requires_grad_()
        toward = torch.randn(shape)
        (theirs(x) * toward).sum().backward()
        (ours(y) * toward).sum().backward()
        torch.testing.assert_close(ours(y), theirs(x), rtol=1e-5, atol=1e-5)
        torch.testing.assert_close(y.grad, x.grad, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(ours[0].weight.grad, theirs[0].weight.grad, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(ours.state_dict(), theirs.state_dict())
    torch.testing.assert_close(ours.eval()(x), theirs.eval()(x))


def test_a_network_keeps_its_tensors_under_their_names():
    network = create_model("biotampernet_test")
    before = {key: value.data_ptr() for key, value in network.state_dict().items()}
    share_statistics(network)
    assert {key: value.data_ptr() for key, value in network.state_dict().items()} == before
    kinds = {type(module) for module in network.modules()}
    assert SharedMapNorm in kinds
    assert not kinds & {BatchNorm, nn.BatchNorm2d, nn.BatchNorm1d}
