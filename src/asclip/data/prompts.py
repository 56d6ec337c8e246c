"""Named, versioned prompt sets: the sentences that stand for a class in zero-shot tasks.

A set is one JSON file, shipped with the package or the user's own:

    {"name": "modality", "version": "1", "source": "who wrote it", "seed": 0,
     "kind": "single-label", "column": "modality",
     "aliases": {"MRI": "MR"},
     "classes": {"MR": {"positive": ["T2 weighted MRI"], "negative": []}}}

"multi-label": each class is a yes-no question, answered against its negatives where it has any;
the truth comes from the label columns. "single-label": one class per study, the truth comes from
the column `column`. `aliases` map names in data to classes; names are compared without case, and
with spaces, "_" and "-" alike. "beside": "prior" asks of an image beside the patient's study before
it ("The effusion has increased"), where the model compares images.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from asclip.errors import DataError, nearest

KINDS = ("multi-label", "single-label")
BESIDE = ("", "prior")
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")  # it becomes part of file names


@dataclass(frozen=True, slots=True)
class ClassPrompts:
    """The sentences of one class; `negative` says that the class is absent, and may be empty."""

    positive: tuple[str, ...]
    negative: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PromptSet:
    """A checked prompt set; see the module for the meaning of its fields."""

    name: str
    version: str
    kind: str
    classes: Mapping[str, ClassPrompts]
    column: str = ""
    aliases: Mapping[str, str] = field(default_factory=dict)
    source: str = ""
    seed: int = 0
    beside: str = ""

    def __post_init__(self) -> None:
        for field_name in ("name", "version"):
            if not NAME.fullmatch(getattr(self, field_name)):
                raise DataError(
                    f"a prompt set's {field_name} must be 1 to 64 letters, digits, '.', '_' or '-' "
                    f"and begin with a letter or digit, got {getattr(self, field_name)[:40]!r}"
                )
        if self.kind not in KINDS:
            raise DataError(
                f"prompt set {self.name}: kind must be 'multi-label' or 'single-label', got "
                f"{self.kind!r}"
            )
        if self.beside not in BESIDE:
            raise DataError(
                f"prompt set {self.name}: beside must be 'prior' or left out, got {self.beside!r}"
            )
        if not self.classes:
            raise DataError(f"prompt set {self.name}: must have at least one class, got none")
        for label, prompts in self.classes.items():
            _check_class(f"prompt set {self.name}, class {label!r}", prompts)
        for alias, label in self.aliases.items():
            if label not in self.classes:
                hint = nearest(label, list(self.classes))
                raise DataError(
                    f"prompt set {self.name}: alias {alias!r} points to {label!r}, which is no "
                    f"class; {hint}"
                )
        self._by_name()

    @property
    def labels(self) -> tuple[str, ...]:
        """The class names, in the order of the file."""
        return tuple(self.classes)

    @property
    def single_label(self) -> bool:
        """True when each study has one class of this set."""
        return self.kind == "single-label"

    @property
    def digest(self) -> str:
        """12 hex digits of all that can change a score: kind, column, classes, aliases, beside."""
        content = {
            "kind": self.kind,
            "column": self.column,
            "classes": [[k, list(p.positive), list(p.negative)] for k, p in self.classes.items()],
            "aliases": sorted(self.aliases.items()),
            **self._beside,
        }
        text = json.dumps(content, ensure_ascii=False, sort_keys=True)
        return hashlib.sha256(text.encode("utf-8")).hexdigest()[:12]

    @property
    def id(self) -> str:
        """Name, version and digest, as score records carry it: "modality@1:0123456789ab"."""
        return f"{self.name}@{self.version}:{self.digest}"

    def to_json(self) -> dict[str, Any]:
        """What a prompt set's file holds."""
        return {
            "name": self.name,
            "version": self.version,
            "source": self.source,
            "seed": self.seed,
            "kind": self.kind,
            "column": self.column,
            **self._beside,
            "aliases": dict(self.aliases),
            "classes": {
                label: {"positive": list(part.positive), "negative": list(part.negative)}
                for label, part in self.classes.items()
            },
        }

    def resolve(self, name: str) -> str | None:
        """The class that a name found in data means, or None.

        >>> load_prompt_set("modality").resolve("mri")
        'MR'
        """
        return self._by_name().get(_key(name))

    def only(self, *labels: str) -> PromptSet:
        """This set with these classes alone; its digest differs, its name stays.

        Raises:
            DataError: a label is no class of this set.
        """
        for label in labels:
            if label not in self.classes:
                hint = nearest(label, list(self.classes))
                raise DataError(f"prompt set {self.name} has no class {label!r}; {hint}")
        aliases = {alias: label for alias, label in self.aliases.items() if label in labels}
        classes = {label: self.classes[label] for label in labels}
        return replace(self, classes=classes, aliases=aliases)

    @property
    def _beside(self) -> dict[str, str]:
        """Where it says nothing it is left out, so that the digests of such sets stay."""
        return {"beside": self.beside} if self.beside else {}

    def _by_name(self) -> dict[str, str]:
        found: dict[str, str] = {}
        pairs = [(label, label) for label in self.classes] + list(self.aliases.items())
        for name, label in pairs:
            if found.setdefault(_key(name), label) != label:
                raise DataError(
                    f"prompt set {self.name}: {name!r} must mean one class, but means "
                    f"{found[_key(name)]!r} and {label!r}; rename one of them"
                )
        return found


def _key(name: str) -> str:
    return re.sub(r"[\s_\-]+", " ", str(name)).strip().casefold()


def _check_class(where: str, prompts: ClassPrompts) -> None:
    if not prompts.positive:
        raise DataError(f"{where}: must have at least one positive prompt, got none")
    for prompt in (*prompts.positive, *prompts.negative):
        if not prompt.strip():
            raise DataError(f"{where}: a prompt is empty; write a sentence or remove it")
    both = set(prompts.positive) & set(prompts.negative)
    if both:
        raise DataError(f"{where}: {min(both)!r} is positive and negative; keep one of them")
    for part in (prompts.positive, prompts.negative):
        if len(set(part)) < len(part):
            raise DataError(f"{where}: the same prompt stands twice; remove one")


def _folder() -> Path:
    return Path(__file__).parent / "prompt_sets"


def list_prompt_sets() -> list[str]:
    """Names of the prompt sets that come with the package, sorted."""
    return sorted(path.stem for path in _folder().glob("*.json"))


def load_prompt_set(name: str | Path) -> PromptSet:
    """The prompt set of this name, or of this JSON file (a path ends in ".json").

    Raises:
        DataError: no such set or file, or a file that breaks the format; the message says where.

    >>> load_prompt_set("plane").labels
    ('Axial', 'Sagittal', 'Coronal')
    """
    path = Path(name)
    if path.suffix.lower() != ".json":
        if str(name) not in list_prompt_sets():
            hint = nearest(str(name), list_prompt_sets())
            raise DataError(
                f"there is no prompt set {str(name)!r}; {hint} (or give the path of a .json file)"
            )
        path = _folder() / f"{name}.json"
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"), object_pairs_hook=_once)
    except FileNotFoundError:
        raise DataError(f"prompt set file {path} does not exist; check the path") from None
    except OSError as error:
        raise DataError(f"prompt set file {path} cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise DataError(f"prompt set file {path} must be JSON in UTF-8; {error}") from None
    return _parse(content, path.name)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object; ValueError for a key that stands twice, the first of which would be lost."""
    keys = [key for key, _ in pairs]
    if twice := next((key for key in keys if keys.count(key) > 1), ""):
        raise ValueError(f"{twice!r} stands twice; remove or rename one")
    return dict(pairs)


def _parse(content: Any, where: str) -> PromptSet:
    if not isinstance(content, dict):
        raise DataError(f"{where}: must hold a JSON object, got {type(content).__name__}")
    missing = [key for key in ("name", "version", "kind", "classes") if key not in content]
    if missing:
        raise DataError(f"{where}: must have the keys {', '.join(missing)}; add them")
    for key in ("name", "version", "kind"):
        if not isinstance(content[key], str | int | float):
            raise DataError(f"{where}: {key} must be text, got {type(content[key]).__name__}")
    classes, aliases = content["classes"], content.get("aliases") or {}
    if not isinstance(classes, dict) or not isinstance(aliases, dict):
        raise DataError(f"{where}: classes and aliases must be JSON objects")
    seed = content.get("seed", 0)
    return PromptSet(
        name=str(content["name"]),
        version=str(content["version"]),
        kind=str(content["kind"]),
        classes={
            str(label): _parse_class(part, f"{where}, {label!r}") for label, part in classes.items()
        },
        column=str(content.get("column") or ""),
        aliases={str(alias): str(label) for alias, label in aliases.items()},
        source=str(content.get("source") or ""),
        seed=seed if isinstance(seed, int) else 0,
        beside=str(content.get("beside") or ""),
    )


def _parse_class(part: Any, where: str) -> ClassPrompts:
    if not isinstance(part, dict) or set(part) - {"positive", "negative"}:
        raise DataError(f'{where}: a class must be {{"positive": [...], "negative": [...]}}')
    for key, prompts in part.items():
        if not isinstance(prompts, list) or not all(isinstance(text, str) for text in prompts):
            raise DataError(f"{where}: {key} must be a list of sentences, got {prompts!r:.60}")
    return ClassPrompts(tuple(part.get("positive", ())), tuple(part.get("negative", ())))
