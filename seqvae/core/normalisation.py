"""The posterior means of a batch, normalised so that their KL has a floor."""

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn
from torch.nn import functional as F

MOMENTUM = 0.05  # of a batch in the running statistics: batches of one length each differ, so many are averaged
EPSILON = 1e-8  # added to the variance; a larger one would let a shrinking encoder slip under the floor


class NormalisedMean(nn.Module):
    """The layer that gives posterior means: scale * (W h - mean) / deviation + shift, of each unit over the batch.

    The scale is fixed and the shift is learned, so the squared means of a batch average scale^2 + shift^2, and its KL
    is at least Z * scale^2 / 2 nats an example, whatever the weights (Zhu et al. 2020, BN-VAE, section 3). So it is in
    training; elsewhere a unit's mean and deviation are running ones over the batches of training, so that an item has
    the same code alone and in any batch. A batch of one example has no deviation, and takes the running ones as well.
    Of batches that are accumulated for one step each is normalised by itself.
    """

    running_mean: Float[Tensor, " Z"]
    running_variance: Float[Tensor, " Z"]
    updates: Int64[Tensor, ""]

    def __init__(self, layer: nn.Linear, scale: float) -> None:
        """With the weight of `layer`; a bias before the normalisation would change nothing."""
        super().__init__()
        self.weight = layer.weight
        self.scale = scale
        self.shift = nn.Parameter(torch.zeros_like(layer.bias))
        self.register_buffer("running_mean", torch.zeros_like(layer.bias, requires_grad=False))
        self.register_buffer("running_variance", torch.ones_like(layer.bias, requires_grad=False))
        self.register_buffer("updates", torch.zeros((), dtype=torch.int64))

    def forward(self, h: Float[Tensor, "B H"], by_batch: bool = False) -> Float[Tensor, "B Z"]:
        """The means of each example, by the statistics of the batch or the running ones, in at least single precision.

        Passes by the batch move the running statistics, unless no gradient is taken: a second look at the same batch.
        """
        with torch.autocast(h.device.type, enabled=False):  # 16 bits would round the differences of like examples away
            x = F.linear(h.to(self.weight.dtype), self.weight)
        if not by_batch or len(x) == 1:
            return self._scaled(x, self.running_mean, self.running_variance)
        mean, variance = x.mean(0), x.var(0, correction=0)
        if torch.is_grad_enabled():
            self._follow(mean.detach(), variance.detach() * len(x) / (len(x) - 1))
        return self._scaled(x, mean, variance)

    def _scaled(
        self, x: Float[Tensor, "B Z"], mean: Float[Tensor, " Z"], variance: Float[Tensor, " Z"]
    ) -> Float[Tensor, "B Z"]:
        return (x - mean) * (variance + EPSILON).rsqrt() * self.scale + self.shift

    @torch.no_grad()
    def _follow(self, mean: Float[Tensor, " Z"], variance: Float[Tensor, " Z"]) -> None:
        """Move the running statistics; they are plain averages of the first batches."""
        self.updates += 1
        share = (1.0 / self.updates).clamp(min=MOMENTUM)
        self.running_mean += share * (mean - self.running_mean)
        self.running_variance += share * (variance - self.running_variance)
