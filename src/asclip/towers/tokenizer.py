"""Text -> token ids: a WordPiece vocabulary of the user's own corpus, or one from a folder.

Privacy: a word enters the vocabulary only if at least `min_documents` different texts contain it
(2 by default); others are written with pieces of characters. Recipes give one text a patient, so
that a patient's name is not stored with the model however often the reports repeat it. A name that
two patients share, or that of a physician, can be: de-identify the texts first.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from asclip.errors import DataError, ModelError
from asclip.towers.vocabulary import learn_pieces
from asclip.types import Tokens

if TYPE_CHECKING:
    import tokenizers

PAD, UNKNOWN, EMPTY, MASK = "[PAD]", "[UNK]", "[CLS]", "[MASK]"


class Tokenizer:
    """`tokenizer.encode(texts, max_length=96)` gives `Tokens`, padded to the longest of the texts.

    `vocabulary` is the number of ids; `truncated` counts the texts that were cut so far. Ids of a
    text are remembered, so that a second encoding of the same corpus costs nothing.
    """

    def __init__(self, core: tokenizers.Tokenizer) -> None:
        self.core = core
        core.no_padding()
        core.no_truncation()
        self.truncated = 0
        self._known: dict[str, list[int]] = {}
        pads = [core.token_to_id(token) for token in (PAD, "<pad>")]
        self.pad = next((number for number in pads if number is not None), 0)
        empty = core.token_to_id(EMPTY)
        self.empty = self.pad if empty is None else empty
        masks = [core.token_to_id(token) for token in (MASK, "<mask>", UNKNOWN)]
        self.mask = next((number for number in masks if number is not None), self.pad)
        # [SEP] or </s> of a pretrained tokenizer: it stays at the end of a cut text.
        blank, word = core.encode("").ids, core.encode("a").ids
        self._ends = bool(blank) and blank[-1:] == word[-1:]

    @property
    def vocabulary(self) -> int:
        """Number of token ids."""
        return self.core.get_vocab_size()

    def encode(self, texts: Sequence[str], *, max_length: int = 96) -> Tokens:
        """Ids [B, T] int64 and mask [B, T] bool; T is the longest of these texts.

        A text longer than `max_length` loses its end and is counted in `truncated`; an empty one
        becomes the single token [CLS], so that every row has a real token.
        """
        import torch

        new = [text for text in dict.fromkeys(texts) if text not in self._known]
        for text, coded in zip(new, self.core.encode_batch(new), strict=True):
            self._known[text] = coded.ids or [self.empty]
        rows = [self._known[text] for text in texts]
        self.truncated += sum(len(row) > max_length for row in rows)
        longest = min(max_length, max((len(row) for row in rows), default=1))
        ids = torch.full((len(rows), longest), self.pad, dtype=torch.int64)
        mask = torch.zeros((len(rows), longest), dtype=torch.bool)
        for index, row in enumerate(rows):
            row = self._cut(row, longest)
            ids[index, : len(row)] = torch.as_tensor(row)
            mask[index, : len(row)] = True
        return Tokens(ids, mask)

    def words(self, text: str, *, max_length: int = 96) -> list[str]:
        """The tokens of one text, as strings, in the order of the local vectors."""
        ids = self.encode([text], max_length=max_length).ids[0].tolist()
        return [self.core.id_to_token(number) or UNKNOWN for number in ids]

    def places(self, text: str, *, max_length: int = 96) -> list[tuple[int, int, int]]:
        """(start, end, word) of each token that `encode` gives: its characters, its word's number.

        The word of a special token is -1.
        """
        coded = self.core.encode(text)
        words = [-1 if word is None else word for word in coded.word_ids]
        found = [(a, b, word) for (a, b), word in zip(coded.offsets, words, strict=True)]
        return self._cut(found or [(0, 0, -1)], max_length)

    def _cut(self, row: list[Any], longest: int) -> list[Any]:
        """The first `longest` tokens; the last of them is [SEP] where the row ends with it."""
        if len(row) <= longest:
            return row
        return row[: longest - 1] + row[-1:] if self._ends else row[:longest]

    def save(self, path: str | Path) -> None:
        """Write one tokenizer.json."""
        self.core.save(str(path))

    @classmethod
    def load(cls, path: str | Path) -> Tokenizer:
        """Read a tokenizer.json, or a folder that holds one; ModelError when it cannot be read."""
        import tokenizers

        path = Path(path)
        path = path / "tokenizer.json" if path.is_dir() else path
        if not path.is_file():
            raise ModelError(
                f"{path.name} is not in the folder; a fast tokenizer (tokenizer.json) is needed"
            )
        try:
            return cls(tokenizers.Tokenizer.from_file(str(path)))
        except Exception as error:  # the Rust side raises a bare Exception
            raise ModelError(f"{path.name} is not a readable tokenizer ({error})") from None

    @classmethod
    def from_hub(cls, source: str, *, local_files_only: bool = False) -> Tokenizer:
        """The tokenizer of a hub id or a local folder of `transformers`."""
        if (Path(source) / "tokenizer.json").is_file():
            return cls.load(source)
        from transformers import AutoTokenizer

        try:
            fast = AutoTokenizer.from_pretrained(source, local_files_only=local_files_only)
        except (OSError, ValueError) as error:
            reason = str(error).strip().splitlines()[0].replace(source, Path(source).name)
            raise ModelError(f"no tokenizer at {Path(source).name!r}: {reason}") from None
        if not getattr(fast, "is_fast", False):
            raise ModelError(f"{Path(source).name!r} has no fast tokenizer (tokenizer.json)")
        return cls(fast.backend_tokenizer)

    @classmethod
    def train(
        cls,
        texts: Iterable[str],
        *,
        vocabulary: int = 4096,
        min_documents: int = 2,
        known: Iterable[str] = (),
    ) -> Tokenizer:
        """A lower-case WordPiece vocabulary of at most `vocabulary` ids.

        Words of the texts `known` (definitions, prompts) count as if `min_documents` had them.
        Deterministic: the same texts in any order give the same vocabulary. DataError when no text
        has a word.
        """
        core = _wordpiece({UNKNOWN: 0})
        counts = _document_counts(core, texts)
        for word in _document_counts(core, known):
            counts[word] = max(counts[word], min_documents)
        if not counts:
            raise DataError("the tokenizer needs at least one text that is not empty, got none")
        letters = Counter[str]()
        for word, count in counts.items():
            letters.update(dict.fromkeys(word, count))
        by_count = sorted(letters, key=lambda letter: (-letters[letter], letter))
        kept = {word: count for word, count in counts.items() if count >= min_documents}
        special = [PAD, UNKNOWN, EMPTY, MASK]
        size = vocabulary - len(special)
        pieces = special + learn_pieces(kept, by_count[: size // 4], size)
        return cls(_wordpiece({piece: number for number, piece in enumerate(pieces)}))


def _wordpiece(vocabulary: dict[str, int]) -> tokenizers.Tokenizer:
    from tokenizers import Tokenizer as Core
    from tokenizers import decoders, models, normalizers, pre_tokenizers

    core = Core(models.WordPiece(vocabulary, unk_token=UNKNOWN, max_input_chars_per_word=60))  # pyright: ignore
    core.normalizer = normalizers.BertNormalizer(lowercase=True)  # pyright: ignore
    core.pre_tokenizer = pre_tokenizers.BertPreTokenizer()  # pyright: ignore
    core.decoder = decoders.WordPiece()  # pyright: ignore
    return core


def _document_counts(core: Any, texts: Iterable[str]) -> Counter[str]:
    """In how many different texts each word stands."""
    counts = Counter[str]()
    for text in set(texts):
        normal = core.normalizer.normalize_str(text)
        counts.update({word for word, _ in core.pre_tokenizer.pre_tokenize_str(normal)})
    return counts
