"""Bytes of a table -> text, and the delimiter of its cells."""

from __future__ import annotations

from collections import Counter

from asclip.errors import DataError

DELIMITERS = (",", ";", "\t", "|")


def decode(data: bytes, name: str) -> tuple[str, list[str]]:
    r"""(text, notes) of a table's bytes: UTF-8, UTF-16, else Windows-1252, else Latin-1.

    >>> decode(b"\xef\xbb\xbfimage", "t.csv")
    ('image', [])
    >>> decode("âge".encode("cp1252"), "t.csv")[0]
    'âge'

    Raises:
        DataError: bytes that are no text.
    """
    notes: list[str] = []
    encoding = _encoding(data)
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError:
        raise DataError(
            f"{name}: the table must be text, got bytes that are not {encoding}; save it as UTF-8"
        ) from None
    if encoding != "utf-8-sig":
        notes.append(f"the table is not UTF-8; it was read as {encoding}: check accented letters")
    if "\0" in text:
        notes.append(f"{text.count(chr(0))} NUL bytes were removed from the table")
        text = text.replace("\0", "")
    if not text.strip():
        raise DataError(f"{name}: the table must have a header and rows, got an empty file")
    return text, notes


def _encoding(data: bytes) -> str:
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return "utf-16"
    head = data[:4096]
    if head.count(0) > len(head) // 4:
        return "utf-16-le" if head[1::2].count(0) > head[::2].count(0) else "utf-16-be"
    for encoding in ("utf-8-sig", "cp1252"):
        try:
            data.decode(encoding)
        except UnicodeDecodeError:
            continue
        return encoding
    return "latin-1"


def sniff(text: str) -> str:
    r"""The delimiter of a table: the one that is most often outside quotes in the first line.

    >>> sniff('image;"a, b, c";text\nx;y;z')
    ';'
    """
    counts: Counter[str] = Counter()
    quoted = False
    for letter in text[:100_000]:
        if letter == '"':
            quoted = not quoted
        elif letter in "\r\n" and not quoted and counts:
            break
        elif letter in DELIMITERS and not quoted:
            counts[letter] += 1
        elif letter in "\r\n" and not quoted:
            break
    return counts.most_common(1)[0][0] if counts else ","
