"""Explanation maps: where in an image a model's answer to a phrase comes from, and how well.

Contract of this folder: a method is `(model, images, phrases) -> maps`. `images` are cached items
[B, H, W] or [B, H, W, 3] uint8 as the model's preprocessing makes them, `phrases` one text for each
of them, `maps` [B, h, w] float32 on the grid of the model's regions (of volumes [B, d, h, w]):
higher means more of the answer. No method is believed because its pictures please: each one is
scored, beside maps that know nothing.

    similarity   the phrase's cosine with each region; the model's own score of each region
    gradients    Grad-CAM
    bottleneck   M2IB: what of a layer can be replaced by noise
    attention    attention rollout, for transformers
    baseline     maps that know nothing: random, and the middle of the image
    boxes        where findings truly are, as a data set says it
    scores       pointing game, contrast to noise, overlap, insertion and deletion
    sanity       does a map change when the model's weights are lost?
    asked        images and phrases as tensors, and the score with a gradient
    layer        the layer of an image tower whose map is read or replaced
"""

from __future__ import annotations
