"""BatchNorm whose statistics are those of the whole batch, where several processes hold parts of it."""

from __future__ import annotations

import torch
from timm.layers.norm_act import BatchNormAct2d, SyncBatchNormAct
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from lead import processes


class WholeBatchNorm(_BatchNorm):
    """What torch's SyncBatchNorm is, which there is for accelerators only. All processes hold parts of one size."""

    def forward(self, input: Tensor) -> Tensor:
        """(B, C, ...) → (B, C, ...)."""
        if not self.training:
            return super().forward(input)
        shape = (1, -1, *[1] * (input.ndim - 2))
        axes = [0, *range(2, input.ndim)]
        x = input.float()
        variances, means = processes.stacked(torch.stack(torch.var_mean(x, axes, correction=0))).unbind(1)  # (W, C)
        mean = means.mean(0)  # (C,)
        variance = variances.mean(0) + (means - mean).square().mean(0)  # within the parts, and between them
        self._remember(mean.detach(), variance.detach(), processes.count() * input.numel() // input.shape[1])
        out = (x - mean.view(shape)) * (variance + self.eps).rsqrt().view(shape)
        if self.affine:
            out = out * self.weight.view(shape) + self.bias.view(shape)
        return out.to(input.dtype)

    def _remember(self, mean: Tensor, variance: Tensor, values: int) -> None:
        """Moves the running statistics; as in torch's, the variance is that without bias."""
        if self.running_mean is None or self.running_var is None or self.num_batches_tracked is None:
            return
        self.num_batches_tracked.add_(1)
        weight = 1 / float(self.num_batches_tracked) if self.momentum is None else self.momentum
        self.running_mean.lerp_(mean, weight)
        self.running_var.lerp_(variance * (values / (values - 1)), weight)


class WholeBatchNormAct(WholeBatchNorm):
    """The same for timm's BatchNorm with an activation behind it."""

    drop: nn.Module
    act: nn.Module

    def forward(self, input: Tensor) -> Tensor:
        """(B, C, H, W) → (B, C, H, W)."""
        out: Tensor = self.act(self.drop(super().forward(input)))
        return out


def normalise_whole_batches(module: nn.Module, device: str) -> None:
    """Makes each BatchNorm that is in training mode one of the whole batch; parameters and their names stay.

    One in evaluation mode looks at no batch. With one process nothing changes.

    Args:
        module: of whose parts this is true.
        device: where it is trained, ``"cpu"`` or ``"cuda"``.
    """
    if processes.count() == 1:
        return
    plain, active = (WholeBatchNorm, WholeBatchNormAct) if device == "cpu" else (nn.SyncBatchNorm, SyncBatchNormAct)
    for part in module.modules():
        if isinstance(part, _BatchNorm) and part.training:
            # Of another class rather than replaced: whoever holds the module keeps it, with all that hangs on it.
            part.__class__ = active if isinstance(part, BatchNormAct2d) else plain
            setattr(part, "process_group", None)  # noqa: B010 - all processes; mypy takes an attribute for a buffer
