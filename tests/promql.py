"""Reads enough of PromQL to tell which metrics a query names, and by which labels."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

#: Words that are no metrics where they stand before a parenthesis or a list of labels.
_AGGREGATIONS = frozenset({"sum", "max", "min", "avg", "count", "topk", "bottomk"})
_FUNCTIONS = frozenset({"rate", "increase", "histogram_quantile"})
_CLAUSES = frozenset({"by", "without"})
_OPERATORS = frozenset({"and", "or", "unless"})
_WORDS = _AGGREGATIONS | _FUNCTIONS | _CLAUSES | _OPERATORS
_RATES = frozenset({("rate", "("), ("increase", "(")})

_TOKEN = re.compile(
    r"""
      (?P<space>\s+)
    | (?P<text>"(?:[^"\\]|\\.)*")
    | (?P<range>\[[^\]]*\])
    | (?P<number>\d+(?:\.\d+)?)
    | (?P<name>[A-Za-z_:][A-Za-z0-9_:]*)
    | (?P<operator>=~|!~|!=|==|>=|<=|[-+*/%^(){},=<>])
    """,
    re.VERBOSE,
)


@dataclass
class Named:
    """What a query names.

    Attributes:
        metrics: Names of samples.
        labels: Names of labels that it groups or selects by.
        is_rate: The samples whose rate it takes.
    """

    metrics: set[str] = field(default_factory=set)
    labels: set[str] = field(default_factory=set)
    rated: set[str] = field(default_factory=set)


def tokens(query: str) -> list[tuple[str, str]]:
    """Return the tokens of a query, without spaces; ValueError where it is none."""
    found, at = [], 0
    while at < len(query):
        token = _TOKEN.match(query, at)
        if token is None:
            raise ValueError(f"no token at {query[at:]!r}")
        at = token.end()
        if token.lastgroup != "space":
            found.append((str(token.lastgroup), token.group()))
    return found


def named(query: str) -> Named:
    """Return what a query names; ValueError where its parentheses do not match."""
    told, stream = Named(), [("", ""), ("", ""), *tokens(query), ("", "")]
    open_in_labels = ""
    for number, (kind, text) in enumerate(stream[2:-1], start=2):
        earlier, before, after = (stream[number + by][1] for by in (-2, -1, 1))
        if open_in_labels:
            told.labels.update({text} if kind == "name" else ())
            open_in_labels = "" if text == open_in_labels else open_in_labels
        elif text == "{" or (before in _CLAUSES and text == "("):
            open_in_labels = "}" if text == "{" else ")"
        elif kind == "name" and text not in _WORDS:
            told.metrics.add(text)
            told.rated.update({text} if (earlier, before) in _RATES else ())
        elif kind == "name" and after != "(" and not {text, after} & (_CLAUSES | _OPERATORS):
            raise ValueError(f"{text} of nothing in {query!r}")
    _check_parentheses(query)
    return told


def _check_parentheses(query: str) -> None:
    depth = 0
    for _, text in tokens(query):
        depth += (text == "(") - (text == ")")
        if depth < 0:
            break
    if depth:
        raise ValueError(f"parentheses do not match in {query!r}")
