"""A polite reader of the web: one request a second to a host, a time limit, a name of its own."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.client import HTTPException
from urllib.error import HTTPError, URLError
from urllib.parse import urlparse
from urllib.request import Request, urlopen

from asclip import __version__

AGENT = f"asclip/{__version__} (literature catalogue; one request a second)"
MOST = 20_000_000  # bytes of an answer that are read


@dataclass(frozen=True)
class Answer:
    """What a host said: `status` is its number, 0 if nobody answered, and then the `problem`."""

    status: int
    text: str = ""
    problem: str = ""


@dataclass
class Web:
    """Requests with `pause` seconds between two to the same host."""

    pause: float = 1.0
    timeout: float = 20.0
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], object] = time.sleep
    last: dict[str, float] = field(default_factory=dict)

    def ask(self, url: str, *, method: str = "GET") -> Answer:
        """The answer of one request, after waiting for the host's turn; it never raises."""
        host = host_of(url)
        if not host or urlparse(url).scheme not in ("http", "https"):
            return Answer(0, problem="not an address of the web")
        if host in self.last:
            self.sleep(max(0.0, self.last[host] + self.pause - self.clock()))
        try:
            request = Request(url, method=method, headers={"User-Agent": AGENT})
            with urlopen(request, timeout=self.timeout) as answer:
                return Answer(answer.status, answer.read(MOST).decode("utf-8", "replace"))
        except HTTPError as error:
            error.close()
            return Answer(error.code, problem=str(error.reason))
        except URLError as error:
            return Answer(0, problem=str(getattr(error.reason, "strerror", "") or error.reason))
        except (OSError, HTTPException, ValueError) as error:
            return Answer(0, problem=str(error) or type(error).__name__)
        finally:
            self.last[host] = self.clock()


def host_of(url: str) -> str:
    """The host of an address.

    >>> host_of("https://arxiv.org/abs/2103.00020")
    'arxiv.org'
    """
    return urlparse(url).netloc.lower()
