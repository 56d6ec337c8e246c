"""Small models with the official key names and a plain forward pass, written for the tests.

Each gives `image(pixels)` and `text(ids, mask)`, not normalised, as its publishers' code does.
"""

from __future__ import annotations

import torch
from torch import nn


def seeded(make, seed=0):
    """A module in evaluation mode whose every tensor, also norms and statistics, is random."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        module = make()
        with torch.no_grad():
            for name, tensor in module.state_dict().items():
                if name.endswith("running_var"):
                    tensor.uniform_(0.5, 2.0)
                elif tensor.is_floating_point() and tensor.ndim < 2:
                    tensor.add_(0.3 * torch.randn_like(tensor))
                elif tensor.is_floating_point():
                    tensor.add_(0.05 * torch.randn_like(tensor))
    return module.eval()


class QuickGelu(nn.Module):
    def forward(self, x):
        return x * torch.sigmoid(1.702 * x)


class Block(nn.Module):
    """A residual block of CLIP."""

    def __init__(self, width, activation):
        super().__init__()
        self.attn = nn.MultiheadAttention(width, width // 64, batch_first=True)
        self.ln_1, self.ln_2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.mlp = nn.Sequential()
        self.mlp.add_module("c_fc", nn.Linear(width, 3 * width))
        self.mlp.add_module("gelu", activation())
        self.mlp.add_module("c_proj", nn.Linear(3 * width, width))

    def forward(self, x, mask=None):
        y = self.ln_1(x)
        x = x + self.attn(y, y, y, need_weights=False, attn_mask=mask)[0]
        return x + self.mlp(self.ln_2(x))


class Transformer(nn.Module):
    def __init__(self, width, layers, activation):
        super().__init__()
        self.resblocks = nn.ModuleList(Block(width, activation) for _ in range(layers))

    def forward(self, x, mask=None):
        for block in self.resblocks:
            x = block(x, mask)
        return x


class ClipVision(nn.Module):
    def __init__(self, width, patch, side, out, activation):
        super().__init__()
        self.class_embedding = nn.Parameter(torch.randn(width))
        self.positional_embedding = nn.Parameter(torch.randn(side * side + 1, width))
        self.conv1 = nn.Conv2d(3, width, patch, patch, bias=False)
        self.ln_pre, self.ln_post = nn.LayerNorm(width), nn.LayerNorm(width)
        self.transformer = Transformer(width, 2, activation)
        self.proj = nn.Parameter(0.1 * torch.randn(width, out))

    def forward(self, x):
        x = self.conv1(x).flatten(2).transpose(1, 2)
        first = self.class_embedding.expand(len(x), 1, -1)
        x = self.ln_pre(torch.cat([first, x], 1) + self.positional_embedding)
        return self.ln_post(self.transformer(x)[:, 0]) @ self.proj


class Clip(nn.Module):
    """OpenAI's CLIP and open_clip's."""

    def __init__(self, vocabulary, activation=QuickGelu, patch=8, side=4, width=128, out=48):
        super().__init__()
        self.visual = ClipVision(width, patch, side, out, activation)
        self.token_embedding = nn.Embedding(vocabulary, 64)
        self.positional_embedding = nn.Parameter(torch.randn(12, 64))
        self.transformer = Transformer(64, 3, activation)
        self.ln_final = nn.LayerNorm(64)
        self.text_projection = nn.Parameter(0.1 * torch.randn(64, out))
        self.logit_scale = nn.Parameter(torch.tensor(3.0))

    def image(self, pixels):
        return self.visual(pixels)

    def text(self, ids, mask):
        count = ids.shape[1]
        causal = torch.full((count, count), -torch.inf).triu(1)
        x = self.token_embedding(ids) + self.positional_embedding[:count]
        x = self.ln_final(self.transformer(x, causal))
        return x[torch.arange(len(x)), ids.argmax(1)] @ self.text_projection


class TimmAttention(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.heads = width // 64
        self.qkv, self.proj = nn.Linear(width, 3 * width), nn.Linear(width, width)

    def forward(self, x):
        q, k, v = self.qkv(x).unflatten(2, (3, self.heads, 64)).permute(2, 0, 3, 1, 4)
        weights = (q @ k.transpose(2, 3) / 8).softmax(-1)
        return self.proj((weights @ v).transpose(1, 2).flatten(2))


class TimmBlock(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width, eps=1e-6), nn.LayerNorm(width, eps=1e-6)
        self.attn, self.mlp = TimmAttention(width), nn.Module()
        self.mlp.fc1, self.mlp.fc2 = nn.Linear(width, 2 * width), nn.Linear(2 * width, width)

    def forward(self, x):
        x = x + self.attn(self.norm1(x))
        return x + self.mlp.fc2(nn.functional.gelu(self.mlp.fc1(self.norm2(x))))


class TimmVit(nn.Module):
    """timm's vision transformer, pooled at its class token."""

    def __init__(self, width=128, patch=8, side=4):
        super().__init__()
        self.cls_token = nn.Parameter(torch.randn(1, 1, width))
        self.pos_embed = nn.Parameter(torch.randn(1, side * side + 1, width))
        self.patch_embed = nn.Module()
        self.patch_embed.proj = nn.Conv2d(3, width, patch, patch)
        self.blocks = nn.Sequential(*(TimmBlock(width) for _ in range(2)))
        self.norm = nn.LayerNorm(width, eps=1e-6)

    def forward(self, x):
        x = self.patch_embed.proj(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.cls_token.expand(len(x), 1, -1), x], 1) + self.pos_embed
        return self.norm(self.blocks(x))[:, 0]


class Bottleneck(nn.Module):
    """torchvision's; with `deep` false its basic block."""

    def __init__(self, into, out, stride, deep):
        super().__init__()
        self.deep, inner = deep, out // 4 if deep else out
        sizes = (1, 3, 1) if deep else (3, 3)
        strides = (1, stride, 1) if deep else (stride, 1)
        wide = (into, inner, inner, out) if deep else (into, out, out)
        for k, (size, step) in enumerate(zip(sizes, strides, strict=True)):
            convolution = nn.Conv2d(wide[k], wide[k + 1], size, step, size // 2, bias=False)
            setattr(self, f"conv{k + 1}", convolution)
            setattr(self, f"bn{k + 1}", nn.BatchNorm2d(wide[k + 1]))
        if stride != 1 or into != out:
            short = nn.Conv2d(into, out, 1, stride, bias=False)
            self.downsample = nn.Sequential(short, nn.BatchNorm2d(out))

    def forward(self, x):
        y = torch.relu(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(y))
        if self.deep:
            y = self.bn3(self.conv3(torch.relu(y)))
        return torch.relu(y + (self.downsample(x) if hasattr(self, "downsample") else x))


class ResNet(nn.Module):
    """torchvision's residual network, averaged, without classifier."""

    def __init__(self, widths=(16, 32, 64, 128), depths=(1, 2, 1, 1), deep=True):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 8, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(8)
        into = 8
        for s, (out, blocks) in enumerate(zip(widths, depths, strict=True)):
            stage = []
            for b in range(blocks):
                stage.append(Bottleneck(into, out, 2 if b == 0 and s else 1, deep))
                into = out
            setattr(self, f"layer{s + 1}", nn.Sequential(*stage))

    def forward(self, x):
        x = torch.relu(self.bn1(self.conv1(x)))
        x = nn.functional.max_pool2d(x, 3, 2, 1)
        for s in range(4):
            x = getattr(self, f"layer{s + 1}")(x)
        return x.mean((2, 3))
