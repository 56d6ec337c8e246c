"""Plain formula lines of docstrings -> HTML: indices, exponents, symbols; words stay upright.

    u'_b = u_b + V x_b   ->   <i>u′</i><sub><i>b</i></sub> = ...

The writing of the docstrings is read: `x_i` and `x_{i in P}` are indices, `x^2` and `e^(...)`
exponents, `.` and `*` products; `sum`, Greek names, `>=`, `<-` are their symbols. What is none of
these stays as it is. The page shows the plain lines too.
"""

from __future__ import annotations

import re
from html import escape

GREEK = {
    "alpha": "α", "beta": "β", "gamma": "γ", "delta": "δ", "eps": "ε", "epsilon": "ε",
    "lambda": "λ", "mu": "μ", "rho": "ρ", "sigma": "σ", "tau": "τ", "Theta": "Θ", "phi": "φ",
}  # fmt: skip
SYMBOLS = {
    "<->": "↔", "<-": "←", "->": "→", ">=": "≥", "<=": "≤", "!=": "≠", "~": "∝", "*": "×", "-": "−",
}  # fmt: skip
NAMES = {"sum": "∑", "sqrt": "√", "inf": "∞"}
TOKEN = re.compile(
    r"""(?P<dot>(?<=[\w)\]'])\ ?\.\ ?(?=[\w(\[])(?!\.))
    |(?P<gap>\s{2,})|(?P<space>\s)|(?P<quote>"[^"]*")
    |`(?P<code>[^`]*)`|(?P<word>[A-Za-z][A-Za-z0-9]*(?:'s\b)?'*)|(?P<number>\d+(?:\.\d+)?)
    |(?P<sub>_(?=[\w{]))|(?P<sup>\^(?=[\w({-]))
    |(?P<symbol><->|<-|->|>=|<=|!=|[~*-])|(?P<other>.)""",
    re.VERBOSE,
)
SCRIPT = re.compile(r"[A-Za-z0-9]+(?:,[a-z])*|-?\d+(?:/\d+)?|-?\w+")
SIGN = re.compile(r"[+-](?=[\s,.;:)\]]|$)")
LABEL = re.compile(r"""^(\w+="[^"]*":|[A-Za-z][\w /-]{0,30}:)\s+(?=\S)""")
CLOSE = {"{": "}", "(": ")"}


def typeset(lines: str) -> str:
    """A block of formula lines as HTML, one `div` a line, indented as in the source."""
    html = []
    for line in lines.splitlines():
        depth = len(line) - len(line.lstrip())
        label, rest = "", line.strip()
        if found := LABEL.match(rest):
            label = f'<span class="label">{escape(found.group(1))}</span> '
            rest = rest[found.end() :]
        html.append(f'<div style="margin-left:{depth / 2:g}em">{label}{inline(rest)}</div>')
    return "\n".join(html)


def inline(text: str) -> str:
    """One line as HTML.

    >>> inline("s u_i . v_m")
    '<i>s</i> <i>u</i><sub><i>i</i></sub> · <i>v</i><sub><i>m</i></sub>'
    >>> inline("sum_{p in P(i)} e^z_ip >= w_clip")[:48]
    '∑<sub><i>p</i> ∈ <i>P</i>(<i>i</i>)</sub> <i>e</'
    """
    html, place = [], 0
    while place < len(text):
        found = TOKEN.match(text, place)
        assert found is not None  # `other` matches whatever is left
        kind = found.lastgroup or "other"
        if kind in ("sub", "sup") and (kind == "sup" or is_index(text, place)):
            inner, place = script(text, place + 1, nested=kind == "sup")
            html.append(f"<{kind}>{inner}</{kind}>")
            if kind == "sub" and (sign := SIGN.match(text, place)):
                html.append(f"<sup>{sign.group().replace('-', '−')}</sup>")
                place = sign.end()
            continue
        html.append(token(kind, found.group(), text, place))
        place = found.end() + (found.group() == "sqrt" and text[found.end() :].startswith(" "))
    return "".join(html)


def token(kind: str, said: str, text: str, place: int) -> str:
    """One piece of a line."""
    if kind == "gap":
        return '<span class="gap"></span>'
    if kind == "dot":
        # "what holds. Then" ends a sentence; "u . v" and "w.P" are products
        return " · " if not re.match(r"\w{3,}\.\s", text[max(0, place - 3) :]) else said
    if kind == "symbol":
        joins = said == "-" and re.match(r"[A-Za-z]-[A-Za-z]", text[max(0, place - 1) :])
        return "-" if joins else SYMBOLS[said]
    if kind == "code":
        return f'<span class="code">{escape(said.strip("`"), quote=False)}</span>'
    if kind == "word":
        return word(said, text[:place], text[place + len(said) :])
    return "′" if said == "'" else escape(said, quote=False)


def word(said: str, before: str, after: str) -> str:
    """A name: one letter is a variable, Greek a letter, a known name its symbol.

    >>> word("tau", "", ""), word("softmax", "", ""), word("a", "where there is ", " prior")
    ('<i>τ</i>', 'softmax', 'a')
    >>> word("k's", "", ""), word("x", "{I, J} ", " {S, T}"), word("in", "l, m ", " {0, 1}")
    ('<i>k</i>’s', '×', '∈')
    """
    if said.endswith("'s"):
        return word(said[:-2], before, after) + "’s"
    bare = said.rstrip("'")
    primes = "′" * (len(said) - len(bare))
    if bare in GREEK:
        return f"<i>{GREEK[bare]}{primes}</i>"
    if bare == "sum" and re.match(r"_|\s+[a-zA-Z]\b", after):
        return NAMES["sum"]
    if bare in NAMES and bare != "sum":
        return NAMES[bare]
    if bare == "in" and re.search(r"[\w)]\s$", before) and re.match(r"\s[{(]|\s[A-Z]\b", after):
        return "∈"
    if bare == "x" and re.search(r"[A-Z\d})\]] $", before) and re.match(r" [A-Z\d{(]", after):
        return "×"
    if numbered := re.fullmatch(r"([a-zA-Z])(\d+)", bare):
        return f"<i>{numbered[1]}</i><sub>{numbered[2]}</sub>{primes}"
    article = bare == "a" and re.match(r" [a-z]{3,}(?![a-z_(])", after)
    if len(bare) == 1 and not article:
        return f"<i>{bare}{primes}</i>"
    return bare + (primes if after.startswith("(") else primes.replace("′", "’"))


def is_index(text: str, place: int) -> bool:
    """Whether the underscore at `place` makes an index, and not a name of several words.

    >>> [is_index(t, t.index("_")) for t in ("x_im", "w_clip", "query_f", "image_to_text")]
    [True, True, True, False]
    """
    before = re.search(r"[A-Za-z0-9_']*$", text[:place])
    base = before.group() if before else ""
    if text[place + 1] == "{" or not base or base.endswith("'"):
        return True
    after = SCRIPT.match(text, place + 1)
    longer = bool(after) and text[after.end() : after.end() + 1] == "_" if after else False
    if "_" in base and "^" not in text[max(0, place - len(base) - 1) : place]:
        return False
    name = len(base) > 1 and base not in GREEK and base not in ("sum", "mean", "softmax", "CE")
    return not name or (not longer and bool(after) and len(after.group()) <= 2)  # type: ignore[union-attr]


def script(text: str, place: int, *, nested: bool) -> tuple[str, int]:
    """(HTML of the index or exponent that begins at `place`, where it ends)."""
    if text[place] in CLOSE:
        end = closing(text, place)
        return inline(text[place + 1 : end]), end + 1
    found = SCRIPT.match(text, place)
    if not found:
        return escape(text[place]), place + 1
    said, end = found.group(), found.end()
    if nested and said != "T" and text[end : end + 1] == "_" and end + 1 < len(text):
        inner, end = script(text, end + 1, nested=False)
        return f"<i>{said}</i><sub>{inner}</sub>", end
    if not nested and re.fullmatch(r"[a-zA-Z]{1,2}|[a-z](,[a-z])+", said):
        return f"<i>{said}</i>", end
    return said.replace("-", "−"), end


def closing(text: str, place: int) -> int:
    """Where the bracket that opens at `place` closes; the end of the text if it never does.

    >>> closing("e^(b (z + 1)) + 2", 2)
    12
    """
    start, depth = text[place], 0
    for end in range(place, len(text)):
        depth += (text[end] == start) - (text[end] == CLOSE[start])
        if not depth:
            return end
    return len(text) - 1
