"""A network's first stages alone: what is fine and quick to see, and knows little of what surrounds it."""

from __future__ import annotations

from timm.models import get_notrace_functions, get_notrace_modules
from torch import Tensor, fx, nn
from torchvision.models.feature_extraction import NodePathTracer

from lead.nn.backbone import Backbone
from lead.nn.fpn import SCALE
from lead.nn.hypercolumn import hypercolumn

MAPS = 2
"""Maps that are seen: a third made local looks no better, the first alone made them worse."""


def first_channels(backbone: Backbone) -> int:
    """Channels of what :class:`First` makes of pictures; 0 for a network whose first map is too coarse for that."""
    return sum(backbone.channels[:MAPS]) if backbone.strides[0] <= SCALE else 0


class First(nn.Module):
    """A network's first maps, each of unit length in every cell, at 1/4 scale.

    Args:
        backbone: is shared. Of one that cannot be taken apart, the whole is run: the same, at more expense.
    """

    def __init__(self, backbone: Backbone) -> None:
        super().__init__()
        self.maps = _taken_apart(backbone)

    def forward(self, pictures: Tensor) -> Tensor:
        """(B, 3, H, W) in [0, 1] → (B, :func:`first_channels`, H/4, W/4)."""
        size = pictures.shape[-2] // SCALE, pictures.shape[-1] // SCALE
        return hypercolumn(self.maps(pictures)[:MAPS], size, normalisation="level")


def _taken_apart(backbone: Backbone) -> nn.Module:
    """A network that makes the first maps only, of the same modules; or itself, where that cannot be done."""
    whole = get_notrace_functions(), get_notrace_modules()  # type: ignore[no-untyped-call]
    tracer = NodePathTracer(autowrap_functions=whole[0], leaf_modules=whole[1])
    training = backbone.training
    try:
        graph = tracer.trace(backbone.eval())
    except Exception:  # a tracer meets what networks do; their authors do what they like
        return backbone
    finally:
        backbone.train(training)
    (end,) = (node for node in graph.nodes if node.op == "output")
    maps = end.args[0]
    if not isinstance(maps, list):
        return backbone
    with graph.inserting_before(end):
        graph.output(maps[:MAPS])
    graph.erase_node(end)
    out = fx.GraphModule(backbone, graph)
    out.graph.eliminate_dead_code()
    out.recompile()
    out.delete_all_unused_submodules()
    return out
