"""Text to LaTeX and back: special characters, braces that keep capitals, accents."""

from __future__ import annotations

import re
import unicodedata

SPECIAL = {
    "\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
    "{": r"\{", "}": r"\}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_",
}  # fmt: skip
ACCENTS = {
    "`": "\u0300", "'": "\u0301", "^": "\u0302", "~": "\u0303", "=": "\u0304", "u": "\u0306",
    ".": "\u0307", '"': "\u0308", "r": "\u030a", "H": "\u030b", "v": "\u030c", "d": "\u0323",
    "c": "\u0327", "k": "\u0328", "b": "\u0331",
}  # fmt: skip
LETTERS = {
    "ss": "ß", "o": "ø", "O": "Ø", "l": "ł", "L": "Ł", "ae": "æ", "AE": "Æ", "oe": "œ", "OE": "Œ",
    "aa": "å", "AA": "Å", "i": "ı", "j": "ȷ", "dh": "ð", "th": "þ", "textbackslash": "\\",
    "textasciitilde": "~", "textasciicircum": "^", "textendash": "–", "textemdash": "—",
    "textquoteright": "’", "textquotesingle": "'",
}  # fmt: skip
CAPITALS = re.compile(r"\w*[A-Z]\w*[A-Z]\w*|\w+[A-Z]\w*|\b[A-Z](?=-)")
ACCENT = re.compile(r"""\\([`'^~="."]|[uvHcdbrk](?![a-zA-Z]))\s*(?:\{\s*(\\?\w)?\s*\}|(\\?\w))""")
COMMAND = re.compile(r"\\([a-zA-Z]+)(?:\{\}|\s+|(?![a-zA-Z]))")


def escape(text: str) -> str:
    r"""Text with LaTeX's special characters escaped; accents stay as they are (UTF-8).

    >>> escape("R&D 50%")
    'R\\&D 50\\%'
    """
    return "".join(SPECIAL.get(letter, letter) for letter in text)


def protect(text: str) -> str:
    """Escaped text in which words with inner capitals stand in braces.

    >>> protect("GLoRIA for X-ray images")
    '{GLoRIA} for {X}-ray images'
    """
    return "".join(
        escape(part) if place % 2 == 0 else "{" + escape(part) + "}"
        for place, part in enumerate(re.split(f"({CAPITALS.pattern})", text))
    )


def accented(match: re.Match[str]) -> str:
    """The letter of an accent command."""
    letter = (match.group(2) or match.group(3) or "").lstrip("\\")
    return unicodedata.normalize("NFC", letter + ACCENTS[match.group(1)]) if letter else ""


def unescape(text: str) -> str:
    r"""Plain text of LaTeX: accents composed, commands named, braces dropped.

    >>> unescape(r"M{\"u}ller, Fran\c{c}ois: {GLoRIA} -- R\&D")
    'Müller, François: GLoRIA – R&D'
    """
    text = re.sub(r"\{\s*(\\[a-zA-Z]+)\s*\}", r"\1{}", text)
    text = ACCENT.sub(accented, text)
    kept: dict[str, str] = {}

    def hold(match: re.Match[str]) -> str:
        mark = chr(0xE000 + len(kept))
        kept[mark] = match.group(1)
        return mark

    text = COMMAND.sub(lambda m: LETTERS.get(m.group(1), m.group(0)), text)
    text = re.sub(r"\\([&%$#_{}])", hold, text)
    text = re.sub(r"(?<!\\)~", " ", text) if "~" in text and "\\" not in text else text
    text = text.replace("---", "—").replace("--", "–")
    text = text.replace("{", "").replace("}", "")
    for mark, letter in kept.items():
        text = text.replace(mark, letter)
    return " ".join(text.split())
