"""Words of the command line -> values; each refusal says what must hold and what was got.

Only the standard library is imported, so that `asclip --help` stays fast.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from asclip.errors import AsclipError, nearest

ROLE = re.compile(r"^[A-Za-z][\w:. -]*=.")
BOOLEANS = ("true", "false", "yes", "no", "on", "off", "1", "0")


def spread(words: Sequence[str]) -> list[str]:
    """The same words with several values after one option turned into repeated options.

    `--map` takes words of the form role=column; `--prompts` of `evaluate` takes names and files,
    and stops at a folder, which can only be the run or the data.

    >>> spread(["ingest", "t.csv", "--map", "image=path", "text=report", "--out", "d"])
    ['ingest', 't.csv', '--map', 'image=path', '--map', 'text=report', '--out', 'd']
    """
    result: list[str] = []
    option = ""
    after_first = False
    evaluating = bool(words) and words[0] == "evaluate"
    for word in words:
        if word in ("--map", "--prompts"):
            option = word if word == "--map" or evaluating else ""
            after_first = False
        elif word.startswith("-"):
            option = ""
        elif option and after_first:
            if ROLE.match(word) if option == "--map" else not Path(word).is_dir():
                result.append(option)
            else:
                option = ""
        elif option:
            after_first = True
        result.append(word)
    return result


def mapping(words: Sequence[str]) -> dict[str, str]:
    """Role -> column, from words `role=column`.

    >>> mapping(["image=file name", "label:effusion=Pleural Effusion"])
    {'image': 'file name', 'label:effusion': 'Pleural Effusion'}

    Raises:
        AsclipError: a word without "=", or a role that is given twice.
    """
    result: dict[str, str] = {}
    for word in words:
        role, sign, column = (part.strip() for part in word.partition("="))
        if not (role and sign and column):
            raise AsclipError(
                f"--map takes role=column, got {word!r}; "
                "for instance --map image=path text=report patient=id"
            )
        if role in result:
            raise AsclipError(
                f"--map gives the role {role!r} twice ({result[role]!r} and {column!r}); "
                "several columns of one role go with commas, such as text=findings,impression"
            )
        result[role] = column
    return result


def window(word: str) -> str | tuple[float, float]:
    """The intensity window: "file", "full", "percentile", or (low, high) in the file's units.

    >>> window("-160:240")
    (-160.0, 240.0)

    Raises:
        AsclipError: another word, or low >= high.
    """
    if word in ("file", "full", "percentile"):
        return word
    try:
        low, high = (float(part) for part in word.split(":"))
    except ValueError:
        low, high = 0.0, 0.0
    if not low < high:
        raise AsclipError(
            f"--window takes file, full, percentile or LOW:HIGH with LOW < HIGH, got {word!r}; "
            "for instance --window -160:240 for soft tissue in HU"
        )
    return low, high


def size(word: str) -> tuple[int, ...]:
    """The size in pixels: "224" -> (224, 224); "256x192" rows x columns; "32x96x96" a volume.

    Raises:
        AsclipError: not one to three whole numbers of at least 8.
    """
    parts = word.lower().split("x")
    if not 1 <= len(parts) <= 3 or not all(p.isascii() and p.isdigit() for p in parts):
        parts = ["0"]
    numbers = tuple(int(part) for part in parts)
    if min(numbers) < 8:
        raise AsclipError(
            f"--size takes pixels such as 224, 256x192 (rows x columns) or 32x96x96 "
            f"(slices x rows x columns), each at least 8, got {word!r}"
        )
    return numbers * 2 if len(numbers) == 1 else numbers


def spacing(word: str | None) -> tuple[float, ...] | None:
    """Millimetres along each axis: "9x6x6" -> (9.0, 6.0, 6.0); None where none is asked for.

    Raises:
        AsclipError: not two or three positive numbers.
    """
    if word is None:
        return None
    try:
        numbers = tuple(float(part) for part in word.lower().split("x"))
    except ValueError:
        numbers = ()
    if len(numbers) not in (2, 3) or not all(0 < number < math.inf for number in numbers):
        raise AsclipError(
            "--spacing takes mm along each axis of --size, such as 0.5x0.5 (rows x columns) or "
            f"9x6x6 (slices x rows x columns), got {word!r}"
        )
    return numbers


def signal(word: str) -> tuple[int, int, float]:
    """Leads, samples and Hz of signals: "12x1000@100" -> (12, 1000, 100.0).

    Raises:
        AsclipError: something else.
    """
    found = re.fullmatch(r"([1-9]\d*)x([1-9]\d*)@(\d+(?:\.\d+)?)", word.strip().lower())
    if not found or not float(found[3]) > 0:
        raise AsclipError(
            f"--signal takes leads x samples @ Hz such as 12x1000@100 (10 s of 12 leads), "
            f"got {word!r}"
        )
    return int(found[1]), int(found[2]), float(found[3])


def fractions(word: str) -> tuple[float, ...]:
    """Shares of the patients: "0.7,0.1,0.2" -> (0.7, 0.1, 0.2); `data.splits` checks their sum.

    Raises:
        AsclipError: not three finite numbers.
    """
    try:
        numbers = tuple(float(part) for part in word.split(","))
    except ValueError:
        numbers = ()
    if len(numbers) != 3 or not all(math.isfinite(number) for number in numbers):
        raise AsclipError(
            "--fractions takes the shares of train, val and test, such as 0.7,0.1,0.2, "
            f"got {word!r}"
        )
    return numbers


def whole_numbers(name: str, word: str) -> tuple[int, ...]:
    """Different whole numbers >= 0 in their order: "0,1,2" -> (0, 1, 2).

    Raises:
        AsclipError: none, or something else.
    """
    parts = [part.strip() for part in word.split(",")]
    if not all(part.isdecimal() for part in parts):
        raise AsclipError(f"--{name} takes whole numbers such as 0,1,2, got {word!r}")
    return tuple(dict.fromkeys(int(part) for part in parts))


def split_options(
    words: Sequence[str], known: Mapping[str, type]
) -> tuple[list[str], dict[str, str]]:
    """(positional words, recipe parameters as texts); the recipe gives them their types.

    `--name value` or `--name=value`, with dashes or underscores; a bool also as `--name` and
    `--no-name`.

    >>> split_options(["chest", "--batch", "64", "--no-local"], {"batch": int, "local": bool})
    (['chest'], {'batch': '64', 'local': 'false'})

    Raises:
        AsclipError: an unknown option (the near ones are named), or one without its value.
    """
    positional: list[str] = []
    given: dict[str, str] = {}
    rest = list(words)
    while rest:
        word = rest.pop(0)
        if not word.startswith("--"):
            positional.append(word)
            continue
        spelled, sign, value = word[2:].partition("=")
        name = spelled.replace("-", "_")
        if name not in known and known.get(name.removeprefix("no_")) is bool:
            given[name.removeprefix("no_")] = "false"
            continue
        if name not in known:
            options = [one.replace("_", "-") for one in known]
            hint = nearest(spelled, options)
            raise AsclipError(
                f"pretrain has no option and the recipe no parameter --{spelled}; {hint}"
            )
        if not sign and known[name] is bool and not (rest and rest[0].lower() in BOOLEANS):
            value = "true"
        elif not sign:
            if not rest or rest[0].startswith("--"):
                kind = known[name].__name__
                raise AsclipError(f"--{spelled} must be followed by its value ({kind}), got none")
            value = rest.pop(0)
        given[name] = value
    return positional, given
