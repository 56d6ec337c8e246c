"""Which weights of a tower a method may move: by depth, for rates and freezing, and by kind."""

from __future__ import annotations

import math
from collections.abc import Iterator

from torch import nn

from asclip.errors import ModelError

LISTS = (nn.ModuleList, nn.Sequential)
LINEAR, CONVOLUTION, ATTENTION = "linear", "convolution", "attention"


def levels(net: nn.Module) -> list[list[str]]:
    """Names of all parameters, block by block, in the order in which the network registers them.

    A block is a module with parts of its own in a list or sequence (a transformer layer, a residual
    block). Single layers go with the block behind them, the last ones with the last block.

    >>> net = nn.Sequential(nn.Linear(2, 2), nn.TransformerEncoderLayer(2, 1), nn.LayerNorm(2))
    >>> len(levels(net)), levels(net)[0][0], levels(net)[0][-1]
    (1, '0.weight', '2.bias')
    """
    found: list[list[str]] = []
    waiting: list[str] = []
    prefix = ""
    while _wraps(net) and not isinstance(net, LISTS):
        ((name, net),) = _trained(net)
        prefix += f"{name}."
    for names, is_block in _units(net, prefix):
        waiting += names
        if is_block:
            found.append(waiting)
            waiting = []
    if waiting:
        found[-1:] = [[*found[-1], *waiting]] if found else [[name] for name in waiting]
    return found


def _units(module: nn.Module, prefix: str) -> Iterator[tuple[list[str], bool]]:
    own = [prefix + name for name, _ in module.named_parameters(recurse=False)]
    if own:
        yield own, False
    for name, child in _trained(module):
        here = f"{prefix}{name}."
        if isinstance(child, LISTS) or _wraps(child):
            yield from _units(child, here)
        else:
            yield [here + key for key, _ in child.named_parameters()], bool(_trained(child))


def _trained(module: nn.Module) -> list[tuple[str, nn.Module]]:
    """The children that have parameters."""
    return [(n, c) for n, c in module.named_children() if next(c.parameters(), None) is not None]


def _wraps(module: nn.Module) -> bool:
    """Whether a module has one other and nothing of its own."""
    return len(_trained(module)) == 1 and next(module.parameters(recurse=False), None) is None


def last(net: nn.Module, blocks: int) -> list[list[str]]:
    """The last `blocks` levels, all of them for 0.

    Raises:
        ModelError: the network has fewer.
    """
    found = levels(net)
    if blocks > len(found):
        raise ModelError(
            f"blocks must not be above {len(found)}, which this tower has, got {blocks}; take fewer"
        )
    return found[-blocks:] if blocks else found


def matrices(net: nn.Module) -> dict[str, str]:
    """Names and kinds of all weights that are one matrix [out, in]: where LoRA can sit.

    Linear maps, the joint projection of queries, keys and values of `nn.MultiheadAttention`, and
    convolutions of one group, whose kernel counts as input. Depthwise ones have no rank to lower.
    """
    found = {}
    for name, module in net.named_modules():
        dot = f"{name}." if name else ""
        if isinstance(module, nn.MultiheadAttention) and module.in_proj_weight is not None:
            found[f"{dot}in_proj_weight"] = ATTENTION
        elif isinstance(module, nn.Linear):
            found[f"{dot}weight"] = LINEAR
        elif isinstance(module, nn.modules.conv._ConvNd) and module.groups == 1:
            found[f"{dot}weight"] = CONVOLUTION
    return found


def sides(shape: tuple[int, ...]) -> tuple[int, int]:
    """Rows and columns of a weight as a matrix.

    >>> sides((8, 4, 3, 3))
    (8, 36)
    """
    return shape[0], math.prod(shape[1:])
