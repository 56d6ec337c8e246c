"""A trained run and one file -> similarity with any sentences, with the training's preprocessing.

python examples/score_one_file.py runs/demo film.dcm "Right pleural effusion." "Clear lungs."
"""

from __future__ import annotations

import sys
from pathlib import Path

from asclip.files import read
from asclip.recipes import load


def main(run: Path, file: Path, sentences: list[str]) -> dict[str, float]:
    model = load(run)
    item = model.preprocessing(read(file))
    image, text = model.encode_pixels(item[None]), model.encode_texts(sentences)
    similarity = model.score(image, text)[0].tolist()
    for sentence, value in zip(sentences, similarity, strict=True):
        print(f"{value:+.3f}  {sentence}")
    return dict(zip(sentences, similarity, strict=True))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:])
