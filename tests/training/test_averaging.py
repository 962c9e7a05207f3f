import torch
from torch import nn

from tamperscope.training.averaging import averaged


def test_the_average_follows_its_rule():
    network = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    average = averaged(network, 0.5)
    weight, expected = network[0].weight, None
    for n in range(6):
        with torch.no_grad():
            weight.add_(n + 1.0)
            network[1].running_mean.fill_(float(n))
            network[1].num_batches_tracked.fill_(n)
        average.update_parameters(network)
        if n == 0:
            expected, mean = weight.detach().clone(), 0.0  # the first one is copied
        else:
            keep = min(0.5, (1 + n) / (10 + n))
            expected = keep * expected + (1 - keep) * weight.detach()
            mean = keep * mean + (1 - keep) * n
    torch.testing.assert_close(average.module[0].weight, expected)
    torch.testing.assert_close(average.module[1].running_mean, torch.full((2,), mean))
    assert average.module[1].num_batches_tracked == 5
