r"""Templates in kubectl's JSONPath: ``{.items[*].name}``, ``{range .items[*]}{.name}{"\n"}{end}``.

What is understood of it: fields (``.name``, ``['name']``), elements (``[0]``, ``[-1]``, ``[1:3]``,
``[0,2]``), all of them (``[*]``, ``.*``), everything below (``..name``), filters that compare
(``[?(@.state=="running")]``) or ask for a field (``[?(@.pids)]``), ``@`` and ``$``, ``range`` and
``end``, quoted text, and text between the braces. Several results of one pair of braces are
separated by a space. A field that is not there gives nothing.

The grammar is that of https://kubernetes.io/docs/reference/kubectl/jsonpath/.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_PIECES = re.compile(r"""\{((?:[^{}"']|"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*')*)\}""")
_STEP = re.compile(
    r"""
    (?P<deep>\.\.)(?=[\w\[*-])
  | \.?\*                          (?P<all>)
  | \.(?P<field>[\w-]+)
  | \[\s*(?:(?P<quoted>'[^']*'|"[^"]*")|\?\((?P<filter>(?:[^()"']|"[^"]*"|'[^']*')*)\)
      |(?P<index>[-\d\s:,]+|\*))\s*\]
  | (?P<bare>[\w-]+)
    """,
    re.VERBOSE,
)
_COMPARISON = re.compile(r"\s*(@\S*?)\s*(==|!=|<=|>=|<|>)\s*(.+?)\s*\Z")
_TEMPLATE_CHARS_MAX = 4096

Step = Callable[[Any], Iterator[Any]]


class BadTemplate(ValueError):
    """The template cannot be understood."""


@dataclass(frozen=True, slots=True)
class _Text:
    text: str


@dataclass(frozen=True, slots=True)
class _Path:
    steps: Sequence[Step]
    from_root: bool


@dataclass(frozen=True, slots=True)
class _Range:
    path: _Path
    inner: Sequence[_Node]


_Node = _Text | _Path | _Range


def compiled(template: str) -> Callable[[Any], str]:
    """Return the function that fills a template with JSON data.

    Args:
        template: The template; without any braces it is taken for what stands in one pair.

    Raises:
        BadTemplate: It cannot be understood; the message says where.
    """
    if len(template) > _TEMPLATE_CHARS_MAX:
        raise BadTemplate(f"it has more than {_TEMPLATE_CHARS_MAX} characters")
    if "{" not in template:
        template = "{" + template + "}"
    pieces = list(_pieces(template))
    nodes = _nodes(pieces, in_range=False)
    if pieces:
        raise BadTemplate("{end} stands without a {range}")
    return lambda data: "".join(_filled(nodes, data, data))


def _pieces(template: str) -> Iterator[tuple[bool, str]]:
    """Yield the parts of a template, each with whether it stood in braces."""
    at = 0
    for found in _PIECES.finditer(template):
        yield from _outside(template[at : found.start()])
        yield True, found[1].strip()
        at = found.end()
    yield from _outside(template[at:])


def _outside(text: str) -> Iterator[tuple[bool, str]]:
    if "{" in text or "}" in text:
        raise BadTemplate(f"a brace is not closed near {text[:20]!r}")
    if text:
        yield False, text


def _nodes(pieces: list[tuple[bool, str]], *, in_range: bool) -> list[_Node]:
    nodes: list[_Node] = []
    while pieces:
        braced, text = pieces[0]
        if braced and text == "end" and not in_range:
            return nodes
        pieces.pop(0)
        if not braced:
            nodes.append(_Text(text))
        elif text == "end":
            return nodes
        elif text.startswith("range ") or text == "range":
            path = _path(text.removeprefix("range").strip())
            nodes.append(_Range(path, _nodes(pieces, in_range=True)))
        elif text[:1] in {'"', "'"}:
            nodes.append(_Text(_literal(text)))
        else:
            nodes.append(_path(text))
    if in_range:
        raise BadTemplate("a {range} has no {end}")
    return nodes


def _literal(text: str) -> str:
    if text[0] == "'":
        text = '"' + text[1:-1].replace('"', '\\"').replace("\\'", "'") + '"'
    try:
        value = json.loads(text)
    except ValueError:
        raise BadTemplate(f"{text} is no quoted text") from None
    return str(value)


def _path(text: str) -> _Path:
    if not text:
        raise BadTemplate("there is nothing in {}")
    from_root = text[0] == "$"
    rest = text[1:] if text[0] in "$@" else text
    steps: list[Step] = []
    at = 0
    while at < len(rest):
        found = _STEP.match(rest, at)
        if rest[at:] == "." and not steps:
            break
        if found is None or (found["bare"] is not None and at > 0 and not _after_deep(rest, at)):
            raise BadTemplate(f"{rest[at:]!r} is not understood")
        steps.append(_step(found))
        at = found.end()
    return _Path(steps, from_root)


def _after_deep(text: str, at: int) -> bool:
    return text[:at].endswith("..")


def _step(found: re.Match[str]) -> Step:
    if found["deep"]:
        return _everything
    if found["all"] is not None or found["index"] == "*":
        return _all
    if found["filter"] is not None:
        return _filter(found["filter"])
    if found["index"] is not None:
        return _elements(found["index"])
    quoted = found["quoted"]
    return _field(quoted[1:-1] if quoted else found["field"] or found["bare"])


def _field(name: str) -> Step:
    def take(value: Any) -> Iterator[Any]:
        if isinstance(value, Mapping) and name in value:
            yield value[name]

    return take


def _all(value: Any) -> Iterator[Any]:
    if isinstance(value, Mapping):
        yield from value.values()
    elif isinstance(value, list):
        yield from value


def _everything(value: Any) -> Iterator[Any]:
    yield value
    for inner in _all(value):
        yield from _everything(inner)


def _elements(text: str) -> Step:
    try:
        wanted = [_slice(part) for part in text.split(",")]
    except (TypeError, ValueError):
        raise BadTemplate(f"[{text}] is no place in a list") from None

    def take(value: Any) -> Iterator[Any]:
        if isinstance(value, list):
            for each in wanted:
                yield from value[each]

    return take


def _slice(text: str) -> slice:
    if ":" in text:
        found = slice(*(int(part) if part.strip() else None for part in text.split(":")))
        if found.step == 0:
            raise ValueError(text)
        return found
    index = int(text)
    return slice(index, index + 1 or None)


def _filter(text: str) -> Step:
    comparison = _COMPARISON.match(text)
    if comparison is None:
        wanted = _path(text.strip())
        return lambda value: (
            each for each in _all(value) if any(_is_something(got) for got in _found(wanted, each))
        )
    path, operator, literal = _path(comparison[1]), comparison[2], _value(comparison[3])

    def take(value: Any) -> Iterator[Any]:
        for each in _all(value):
            if any(_compare(got, operator, literal) for got in _found(path, each)):
                yield each

    return take


def _value(text: str) -> Any:
    if text[0] == "'":
        return _literal(text)
    try:
        return json.loads(text)
    except ValueError:
        raise BadTemplate(f"{text} is neither a number nor a quoted text") from None


def _is_something(value: Any) -> bool:
    return value not in (None, False, "", [], {})


def _compare(left: Any, operator: str, right: Any) -> bool:
    if operator in {"==", "!="}:
        return bool((left == right) is (operator == "=="))
    try:
        return bool(
            {"<": left < right, ">": left > right, "<=": left <= right, ">=": left >= right}[
                operator
            ]
        )
    except TypeError:
        return False


def _found(path: _Path, value: Any) -> Sequence[Any]:
    values = [value]
    for step in path.steps:
        values = [got for each in values for got in step(each)]
    return values


def _filled(nodes: Sequence[_Node], here: Any, root: Any) -> Iterator[str]:
    for node in nodes:
        match node:
            case _Text(text):
                yield text
            case _Path() as path:
                found = _found(path, root if path.from_root else here)
                yield " ".join(_text(value) for value in found)
            case _Range(path, inner):
                for value in _found(path, root if path.from_root else here):
                    yield from _filled(inner, value, root)


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
