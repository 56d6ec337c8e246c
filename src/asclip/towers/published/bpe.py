"""CLIP's tokenizer from its own vocabulary file, `bpe_simple_vocab_16e6.txt.gz`.

Lower case, byte-pair merges, <|startoftext|> before and <|endoftext|> behind every text (Radford et
al. 2021, arXiv:2103.00020). The file has a title and then one merge a line; ids are those of the
256 bytes, of the 256 bytes at a word's end, of the merges, of the two special tokens.
"""

from __future__ import annotations

import gzip
from pathlib import Path

from asclip.errors import ModelError
from asclip.towers.tokenizer import Tokenizer

MERGES = 49152 - 256 - 2  # that CLIP uses of its file, which has more
START, END, LAST = "<|startoftext|>", "<|endoftext|>", "</w>"
WORDS = r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"


def clip_tokenizer(path: Path) -> Tokenizer:
    """The tokenizer of a vocabulary file (.txt, .txt.gz); ModelError when it is none."""
    from tokenizers import Regex, decoders, models, normalizers, pre_tokenizers, processors
    from tokenizers import Tokenizer as Core

    merges = _merges(path)
    letters = _bytes()
    pieces = [*letters, *(letter + LAST for letter in letters), *map("".join, merges), START, END]
    vocabulary = {piece: number for number, piece in enumerate(pieces)}
    core = Core(
        models.BPE(vocabulary, merges, end_of_word_suffix=LAST, unk_token=END)  # pyright: ignore
    )
    core.normalizer = normalizers.Sequence(  # pyright: ignore
        [normalizers.NFC(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Lowercase()]
    )
    core.pre_tokenizer = pre_tokenizers.Sequence(  # pyright: ignore
        [
            pre_tokenizers.Split(Regex(WORDS), behavior="removed", invert=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True),
        ]
    )
    core.decoder = decoders.ByteLevel()  # pyright: ignore
    ends = [(name, vocabulary[name]) for name in (START, END)]
    core.post_processor = processors.TemplateProcessing(  # pyright: ignore
        single=f"{START} $A {END}", special_tokens=ends
    )
    return Tokenizer(core)


def _merges(path: Path) -> list[tuple[str, str]]:
    try:
        data = path.read_bytes()
        text = (gzip.decompress(data) if path.suffix == ".gz" else data).decode("utf-8")
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise ModelError(f"{path.name} is not a readable vocabulary of CLIP ({error})") from None
    lines = [line.split() for line in text.split("\n")[1 : MERGES + 1] if line]
    if not lines or any(len(line) != 2 for line in lines):
        raise ModelError(
            f"{path.name} must hold two pieces a line, as bpe_simple_vocab_16e6.txt.gz does; give "
            "that file, or a folder with tokenizer.json"
        )
    return [(first, second) for first, second in lines]


def _bytes() -> list[str]:
    """The 256 bytes as printable characters, in the order of CLIP's ids.

    Visible ones stand for themselves, the others for characters from 256 on.
    """
    visible = [*range(33, 127), *range(161, 173), *range(174, 256)]
    hidden = [number for number in range(256) if number not in visible]
    return [chr(number) for number in visible] + [chr(256 + k) for k in range(len(hidden))]
