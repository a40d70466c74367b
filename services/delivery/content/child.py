"""A process that renders and reads authors' templates, and may die of it: it reaches nothing.

It is started without this service's settings in its environment. Once everything is imported it
gives up opening files and sockets for good, takes a bounded amount of memory, and ends when it has
computed too long. Requests come pickled from the service that started it; answers go back as JSON.
"""

from __future__ import annotations

import pickle
import resource
import sys
from collections.abc import Callable
from dataclasses import asdict
from typing import Any, BinaryIO, Final

import orjson

from services.delivery.content.styles import InlineError, inlined
from services.delivery.domain.content import Source
from services.delivery.domain.content_checks import Shown, warnings_of
from services.delivery.rendering import BadTemplate, TakesTooMuch, prepare, render, render_target

MEMORY_BYTES: Final = 1 << 30
CPU_SECONDS: Final = 10
"""More than any request may take, should the service that would kill this process be gone."""
LENGTH_BYTES: Final = 4
READY: Final = b""
"""What a child says before it takes requests."""
SAMPLE: Final = {
    "contact": {
        "first_name": "Ada",
        "last_name": "Example",
        "email": "ada@example.org",
        "language": "en",
        "direct_line": "",
        "mobile": "",
    },
    "site": {"name": "Example", "town": "Lyon"},
    "campaign": {"number": "C-1", "label": "Example"},
    "ctx": {},
    "unsubscribe_url": "https://example.org/u/x",
    "mirror_url": "https://example.org/m/x",
    "links": {},
}


def prepared(source: Source) -> dict[str, Any]:
    """Return the content of a source, tried on a sample recipient.

    Raises:
        BadTemplate: it cannot be used, or cannot be rendered at all.
    """
    content = prepare(source)
    try:
        if content.inline_css:
            inlined(content.html)
        render(content, SAMPLE)
    except BadTemplate as problem:
        # What the sample lacks, recipients may have; what takes too much, takes it for them too.
        if isinstance(problem, TakesTooMuch) or "gets longer" in problem.reason:
            raise
    except InlineError:
        # As a template it may be no style yet.
        pass
    return {
        "html": content.html,
        "text": content.text,
        "inline_css": content.inline_css,
        "links": [asdict(link) for link in content.links],
    }


_WORK: Final[dict[str, Callable[..., Any]]] = {
    "prepare": prepared,
    "render": lambda content, variables: asdict(render(content, variables)),
    "target": render_target,
    "check": lambda shown: [one.model_dump() for one in warnings_of(shown)],
}


def main() -> None:
    """Answer requests until there are no more."""
    # Everything that is loaded when it is first used has to be, before files are closed to it.
    for mjml, body in ((True, "<mjml><mj-body></mj-body></mjml>"), (False, "<style>p{}</style>")):
        for text in ("{{ lipsum(n=1) }}{{ 1|pprint }}{{ 'a'|urlize }}", "{{ 1 // 0 }}"):
            prepared(Source("en", "x", body, mjml, text, "", "a@b.example"))
    link = '<a href="https://é.example">x</a>'
    warnings_of(Shown(subject="x", html=link, text="x", written=(link,)))
    _give_up_everything()
    _write(sys.stdout.buffer, READY)
    while (request := _read(sys.stdin.buffer)) is not None:
        used = resource.getrusage(resource.RUSAGE_SELF)
        spent = int(used.ru_utime + used.ru_stime)
        resource.setrlimit(resource.RLIMIT_CPU, (spent + CPU_SECONDS, resource.RLIM_INFINITY))
        _write(sys.stdout.buffer, orjson.dumps(_answer(request)))


def _give_up_everything() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    # No descriptor beyond the three there are: neither a file nor a socket can be opened any more.
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, 3))


def _answer(request: bytes) -> dict[str, Any]:
    work, arguments = pickle.loads(request)  # noqa: S301 - written by the service itself
    try:
        return {"made": _WORK[work](*arguments)}
    except TakesTooMuch as problem:
        return {"field": problem.field, "reason": ""}
    except BadTemplate as problem:
        return {"field": problem.field, "reason": problem.reason}
    except MemoryError:
        return {"field": "body", "reason": ""}


def _read(stream: BinaryIO) -> bytes | None:
    head = stream.read(LENGTH_BYTES)
    return stream.read(int.from_bytes(head)) if len(head) == LENGTH_BYTES else None


def _write(stream: BinaryIO, answer: bytes) -> None:
    stream.write(len(answer).to_bytes(LENGTH_BYTES) + answer)
    stream.flush()


if __name__ == "__main__":
    main()
