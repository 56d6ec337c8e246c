"""Links that lead nowhere, asked politely and remembered for a week."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator
from itertools import zip_longest
from pathlib import Path

from asclip.errors import ResourceError
from asclip.literature.entry import Paper
from asclip.literature.lint import Defect, defect
from asclip.literature.web import Answer, Web, host_of

GONE = (404, 410)
NO_HEAD = (403, 405, 501)  # hosts that refuse to answer without a body
WEEK = 7 * 24 * 3600.0
HOSTS = 3  # so many silent hosts, and no other that spoke, mean that there is no network


def links(papers: Iterable[Paper]) -> list[tuple[str, str]]:
    """(link, key of the first paper that has it), papers before code."""
    every = list(papers)
    pairs = [(p.link, p.key) for p in every] + [(p.code, p.key) for p in every]
    found: dict[str, str] = {}
    for link, key in pairs:
        if link:
            found.setdefault(link, key)
    return list(found.items())


def in_turn(pairs: Iterable[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """The same links, hosts taking turns, so that waiting for one is work for the others.

    >>> [link[-3:] for link, _ in in_turn([("http://a/1", ""), ("http://a/2", ""),
    ...                                    ("http://b/3", "")])]
    ['a/1', 'b/3', 'a/2']
    """
    hosts: dict[str, list[tuple[str, str]]] = {}
    for pair in pairs:
        hosts.setdefault(host_of(pair[0]), []).append(pair)
    for row in zip_longest(*hosts.values()):
        yield from (pair for pair in row if pair)


def ask(link: str, web: Web) -> Answer:
    """The answer of a link; the whole page is asked for only where its head is refused."""
    answer = web.ask(link, method="HEAD")
    return web.ask(link) if answer.status in NO_HEAD else answer


def check(papers: Iterable[Paper], web: Web, memory: Path) -> list[Defect]:
    """The links that are dead or did not answer, in the order of the papers.

    `memory` is a JSON file of answers; one younger than a week is not asked for again. Hosts that
    refuse programs (401, 403, 429) or are ill (5xx) say nothing of the link: "link not checked".

    Raises:
        ResourceError: there is no network.
    """
    pairs = links(papers)
    known = recall(memory)
    silent: set[str] = set()
    spoke = False
    need = min(HOSTS, len({host_of(link) for link, _ in pairs if link not in known}))
    try:
        for link, _ in in_turn(pairs):
            if link in known:
                continue
            answer = ask(link, web)
            if answer.status:
                spoke = True
            elif host_of(link):
                silent.add(host_of(link))
            if not spoke and len(silent) >= need:
                raise ResourceError(
                    f"checking links needs a network; {', '.join(sorted(silent))} cannot be "
                    f"reached ({answer.problem}); connect, or leave out --links"
                )
            known[link] = {"status": answer.status, "why": answer.problem, "at": time.time()}
    finally:
        memory.write_text(json.dumps({k: v for k, v in known.items() if v["status"]}, indent=1))
    return [line for link, key in pairs if (line := judged(key, link, known[link]))]


def judged(key: str, link: str, answer: dict) -> Defect | None:
    """The defect of an answer, None for a good one."""
    status, why = answer["status"], answer["why"]
    if 200 <= status < 400:
        return None
    said = f"{status} {why}".strip() if status else f"no answer ({why})"
    dead = status in GONE or not status
    return defect(key, "dead link" if dead else "link not checked", f"{link}: {said}")


def recall(memory: Path) -> dict[str, dict]:
    """Remembered answers younger than a week; a broken file is no memory."""
    try:
        found = json.loads(memory.read_text())
        return {k: v for k, v in found.items() if time.time() - v["at"] < WEEK}
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return {}
