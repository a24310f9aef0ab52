from __future__ import annotations

import pytest

from cyme.cli.text.jsonpath import BadTemplate, compiled

DATA = {
    "kind": "list",
    "items": [
        {"name": "w1", "state": "running", "pids": [1, 2], "max": 4, "labels": {"a.b/c": "x"}},
        {"name": "w2", "state": "stopped", "pids": [], "max": 10, "labels": None},
    ],
}


@pytest.mark.parametrize(
    ("template", "filled"),
    [
        ("{.items[*].name}", "w1 w2"),
        (".items[*].name", "w1 w2"),
        ("{items[0].name}", "w1"),
        ("{$.items[-1].name}", "w2"),
        ("{.items[0:1].name}", "w1"),
        ("{.items[1,0].name}", "w2 w1"),
        ("{.items[0]['labels']['a.b/c']}", "x"),
        ("{..name}", "w1 w2"),
        ("{.items[0].*}", 'w1 running [1,2] 4 {"a.b/c":"x"}'),
        ("{.items[0].pids}", "[1,2]"),
        ("{.items[0].pids[*]}", "1 2"),
        ('{.items[?(@.state=="running")].name}', "w1"),
        ("{.items[?(@.state!='running')].name}", "w2"),
        ("{.items[?(@.max>4)].name}", "w2"),
        ("{.items[?(@.max>=4)].name}", "w1 w2"),
        ("{.items[?(@.name>4)].name}", ""),
        ("{.items[?(@.pids)].name}", "w1"),
        ("{.items[?(@.pids[0]<2)].name}", "w1"),
        ('{range .items[*]}{.name}{"\\t"}{.state}{"\\n"}{end}', "w1\trunning\nw2\tstopped\n"),
        ("{range .items[*]}{$.kind}:{.name} {end}", "list:w1 list:w2 "),
        ("{range .items[*]}{range .pids[*]}{@},{end};{end}", "1,2,;;"),
        ("names: {.items[*].name}!", "names: w1 w2!"),
        ("{.nothing.there}", ""),
        ("{.kind}", "list"),
        ("{@.kind}", "list"),
    ],
)
def test_fills_templates_as_kubectl_does(template: str, filled: str) -> None:
    assert compiled(template)(DATA) == filled


@pytest.mark.parametrize(
    "template",
    ["{.a", ".a}", "{}", "{range .a}", "{end}", "{.a b}", "{.a[x]}", "{.a[?(@.b==c)]}",
     '{"open}', "{.a[1:2:3:4]}", "{.a[::0]}", "{.[}", "x" * 5000],
)  # fmt: skip
def test_refuses_what_it_does_not_understand(template: str) -> None:
    with pytest.raises(BadTemplate):
        compiled(template)
