"""Negation: is a text nearer to its paraphrase than to its contrary, which differs by one word?

    a_i, d_i   wording i of a finding that is affirmed, denied
    right      cos(a_i, a_j) > cos(a_i, d_i)  and  cos(d_i, d_j) > cos(d_i, a_i),  j != i
    twins      an image, its report with one finding stated again, and stated in the contrary

Source   the question of CXR-Align, arXiv:2505.22079, whose reports are real ones
Gives    paraphrase_before_contrary (chance .5; a tie counts half), the mean distance 1 - cos of
         contraries and of paraphrases; image_report_before_contrary over patients
Differs  the twins' sentences are both generated, so that their style tells nothing; other
         sentences on the finding, and those that call all normal, are left out of both
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from asclip.clinical.assertions import ABSENT, PRESENT
from asclip.clinical.bank import lineage
from asclip.clinical.extract import mentions
from asclip.clinical.sentence import NORMAL
from asclip.files.report import sentences
from asclip.tasks.provenance import provenance, who
from asclip.tasks.similarity import take
from asclip.tasks.textual.generated import NOTHING, WORDINGS, Said, reports_of, spoken_of, version
from asclip.tasks.textual.rows import both, mean_score
from asclip.types import Score

TASK = "negation"
BATCH = 64


def negation(model: Any, data: Any, *, seed: int = 0, resamples: int = 1000) -> list[Score]:
    """The scores of sentence pairs, for the model and for a bag of words."""
    facts = provenance(TASK, model, data, seed=seed, prompts=version())
    names = spoken_of(reports_of(data))
    names = names if len(names) > 1 else ()
    texts = [
        Said(name, present, wording).text
        for name in names
        for present in (True, False)
        for wording in range(WORDINGS)
    ]
    scores = []
    for end, vectors in both(model, texts).items():
        right, contrary, alike = compare(vectors.reshape(len(names), 2, WORDINGS, vectors.shape[1]))
        for metric, values, chance in (
            ("paraphrase_before_contrary", right, 0.5),
            ("contrary_distance", contrary, None),
            ("paraphrase_distance", alike, None),
        ):
            findings = np.repeat(np.arange(len(names)), values.shape[1])
            scores.append(
                mean_score(
                    facts, metric, values.reshape(-1), findings, resamples=resamples, end=end,
                    chance=chance, why=NOTHING,
                )
            )  # fmt: skip
    return scores


def compare(vectors: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Right [F, 2W(W-1)], distances of contraries [F, W] and of paraphrases [F, 2W(W-1)].

    `vectors` [F, 2, W, D] are of unit length: W wordings that affirm a finding, W that deny it.
    """
    count, _, wordings, _ = vectors.shape
    among = vectors @ vectors.swapaxes(2, 3)  # [F, 2, W, W]
    across = (vectors[:, 0] * vectors[:, 1]).sum(-1)  # [F, W]
    other = ~np.eye(wordings, dtype=bool)
    alike = among[:, :, other].reshape(count, 2, wordings, wordings - 1)
    margin = alike - across[:, None, :, None]
    # Rounding must not make a tie of equal vectors a win or a loss.
    right = np.where(np.abs(margin) < 1e-9, 0.5, (margin > 0).astype(float))
    pairs = (count, 2 * wordings * (wordings - 1))
    return right.reshape(pairs), 1 - across, (1 - alike).reshape(pairs)


def twins(text: str, rng: np.random.Generator) -> tuple[str, str, bool] | None:
    """A report with one finding stated again, with its contrary, and whether it is affirmed.

    None where no finding fits: its sentences must speak of nothing else but its parents, and no
    other one of its kinds.

    >>> twins("Bones intact. Right nodule.", np.random.default_rng(0))
    ('Bones intact. The image shows nodule.', 'Bones intact. The image shows no nodule.', True)
    """
    parts = sentences(text)
    said = [mentions(part) for part in parts]
    options = []
    for name in dict.fromkeys(m.finding for found in said for m in found if m.finding != NORMAL):
        own = [k for k, found in enumerate(said) if any(m.finding == name for m in found)]
        stated = {m.assertion for k in own for m in said[k] if m.finding == name}
        alone = {name, *lineage(name)}
        fits = all(m.finding in alone for k in own for m in said[k])
        fits &= not any(name in lineage(m.finding) for found in said for m in found)
        if fits and stated in ({PRESENT}, {ABSENT}):
            options.append((name, own, stated == {PRESENT}))
    if not options:
        return None
    name, own, present = options[int(rng.integers(len(options)))]
    one = Said(name, present, int(rng.integers(WORDINGS)))
    normal = {k for k, found in enumerate(said) if any(m.finding == NORMAL for m in found)}

    def told(statement: Said) -> str:
        return " ".join(
            statement.text if k == own[0] else part
            for k, part in enumerate(parts)
            if k == own[0] or k not in {*own, *normal}
        )

    return told(one), told(replace(one, present=not present)), present


def image_twins(model: Any, data: Any, *, seed: int = 0, resamples: int = 1000) -> Score:
    """Share of images that are nearer to their report than to its contrary in one finding.

    The mean of the shares of affirmed and of denied findings: a model that prefers denials
    whatever the image shows reaches .5.
    """
    facts = provenance(TASK, model, data, seed=seed, prompts=version())
    rng = np.random.default_rng(seed)
    pairs = [twins(text, rng) if text else None for text in reports_of(data)]
    images = model.encode_images(data)
    seen = ~np.isnan(images.pooled.numpy()).any(axis=1)
    rows = np.array([k for k, pair in enumerate(pairs) if pair and seen[k]], dtype=np.int64)
    kept = [pair for k in rows if (pair := pairs[k])]
    right = _nearer(model, take(images, rows), kept)
    present = np.array([pair[2] for pair in kept], dtype=bool)
    values = np.where(np.stack([present, ~present], axis=1), right[:, None], np.nan)
    return mean_score(
        facts, "image_report_before_contrary", values, who(data)["patient"][rows],
        resamples=resamples, chance=0.5,
        why="no study has an image and a report with a sentence on one finding alone",
    )  # fmt: skip


def _nearer(model: Any, images: Any, pairs: Sequence[tuple[str, str, bool]]) -> np.ndarray:
    """[n] 1 where the first text of a pair is nearer to its image, 0 the second, .5 a tie."""
    values = np.full(len(pairs), np.nan)
    for start in range(0, len(pairs), BATCH):
        rows = slice(start, start + BATCH)
        true, false = (
            model.score(take(images, rows), model.encode_texts([p[side] for p in pairs[rows]]))
            .diagonal()
            .numpy()
            for side in (0, 1)
        )
        values[rows] = np.where(true == false, 0.5, true > false)
    return values
