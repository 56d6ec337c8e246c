"""An ontology as pairs of texts that speak of one concept, and batches of them; no images.

    synonym            | name               concept: that of both
    name or synonym    | definition         concept: that of both
    tail               | head and relation  "pneumonia may cause" | "pleural effusion"
    head               | relation and tail  "pneumonia" | "may cause pleural effusion"

The last row only where one head has that relation to the tail: of several, each would be a negative
to the others' sentence.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch

from asclip.clinical.bank import anatomies, findings
from asclip.clinical.ontology import CATALOGUE, Ontology, built_in, load
from asclip.data.concepts import concepts
from asclip.errors import DataError
from asclip.types import Batch, Facts, Tokens

HELD_OUT = 5  # every fifth synonym, of concepts that are defined, is kept for validation
SPOKEN = {"is_a": "is a kind of", "located_in": "lies in", "sign_of": "is a sign of"}


@dataclass(frozen=True)
class ConceptPairs:
    """Pairs (text, second text, concept), and synonyms with their definitions that are held out.

    `definitions` maps the number of a concept to its definition; `hash` is of all of this.
    """

    name: str
    names: tuple[str, ...]
    pairs: tuple[tuple[str, str, int], ...]
    held_out: tuple[tuple[str, str, int], ...]
    definitions: dict[int, str] = field(default_factory=dict)

    @property
    def hash(self) -> str:
        """16 hex digits of all pairs."""
        content = json.dumps([self.names, self.pairs, self.held_out], ensure_ascii=False)
        return hashlib.sha256(content.encode()).hexdigest()[:16]

    @property
    def texts(self) -> list[str]:
        """Every text, each once."""
        every = (text for one, two, _ in (*self.pairs, *self.held_out) for text in (one, two))
        return list(dict.fromkeys(every))


def concept_pairs(source: Path, own: str = "") -> ConceptPairs:
    """The pairs of the packaged ontology (`catalogue`) or of a user's graph (`ontology.load`).

    Definitions are those of the JSON file `own` (name -> definition) and, of names that it lacks,
    the catalogue's.

    Raises:
        DataError: no such file, something else in it, or fewer than two pairs.
    """
    if source.is_dir():
        raise DataError(
            f"this recipe learns an ontology, not images: {source.name}/ is a folder; give "
            f"`{CATALOGUE}` or a CSV or JSON file of nodes and edges in place of the data set"
        )
    graph = built_in() if str(source) == CATALOGUE else load(source)
    known = {name: entry.definition for name, entry in (anatomies() | findings()).items()}
    known |= concepts(own) if own else {}
    names = tuple(dict.fromkeys([*graph.nodes, *(concepts(own) if own else ())]))
    pairs: list[tuple[str, str, int]] = []
    held: list[tuple[str, str, int]] = []
    definitions = {number: known[name] for number, name in enumerate(names) if name in known}
    synonyms = 0
    for number, name in enumerate(names):
        defined = [definitions[number]] if number in definitions else []
        pairs += [(name, text, number) for text in defined]
        for word in graph.nodes.get(name, ()):
            synonyms += 1
            if defined and synonyms % HELD_OUT == 0:
                held.append((word, defined[0], number))
            else:
                pairs += [(word, text, number) for text in (name, *defined)]
    pairs += _relations(graph, {name: number for number, name in enumerate(names)})
    shown = {text for one, two, _ in pairs for text in (one, two)}
    pairs += [row for row in held if row[0] in shown]  # another concept has the same word
    held = [row for row in held if row[0] not in shown]
    if len(pairs) < 2:
        raise DataError(
            f"{source.name} must give at least two pairs of texts, got {len(pairs)}; add synonyms, "
            "relations, or definitions with --knowledge FILE"
        )
    return ConceptPairs(source.name, names, tuple(pairs), tuple(held), definitions)


def _relations(graph: Ontology, number: dict[str, int]) -> list[tuple[str, str, int]]:
    heads = Counter((relation, tail) for _, relation, tail in graph.edges)
    found = []
    for head, relation, tail in graph.edges:
        spoken = SPOKEN.get(relation, relation.replace("_", " "))
        found.append((tail, f"{head} {spoken}", number[tail]))
        if heads[relation, tail] == 1:
            found.append((head, f"{spoken} {tail}", number[head]))
    return found


class ConceptBatches:
    """Batches of pairs as a pure function of (seed, step), as `data.batches.Batches` of studies.

    A row of a batch is a pair; `facts.text` is the number of its concept. `share` is (rank, ranks)
    of this process.
    """

    def __init__(
        self,
        dataset: ConceptPairs,
        pairs: Sequence[tuple[str, str, int]],
        encode: Callable[[Sequence[str]], Tokens],
        *,
        size: int,
        seed: int,
        share: tuple[int, int] = (0, 1),
    ) -> None:
        self.dataset, self.seed, self.share = dataset, seed, share
        self.pairs, self.encode = list(pairs), encode
        self.rows = np.arange(len(self.pairs))
        self.size = min(size, len(self.pairs))

    @property
    def per_epoch(self) -> int:
        """Steps in an epoch; the incomplete last batch is dropped, other rows each time."""
        return len(self.rows) // self.size

    def at(self, step: int) -> Batch:
        """The batch of a step: this process's share of it."""
        epoch, place = divmod(step, self.per_epoch)
        order = np.random.default_rng([self.seed, 1, epoch]).permutation(self.rows)
        rows = order[place * self.size : (place + 1) * self.size]
        rank, ranks = self.share
        rows = rows[len(rows) * rank // ranks : len(rows) * (rank + 1) // ranks]
        one, two, concept = zip(*(self.pairs[row] for row in rows), strict=True)
        number = torch.from_numpy(rows)
        facts = {
            "study": number,
            "owner": number,
            "text": torch.tensor(concept),
            "has_second": torch.ones(len(rows), dtype=torch.bool),
        }
        texts = {"text": self.encode(one), "second": self.encode(two)}
        return Batch({}, texts, Facts(number, targets=facts))
