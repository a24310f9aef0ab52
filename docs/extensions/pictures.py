"""The directive ``picture``: a picture of the page, where the tests of the page have made it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.util.docutils import SphinxDirective

if TYPE_CHECKING:
    from sphinx.application import Sphinx

#: Where ``tests/browser/test_pictures.py`` puts them, below the documentation.
DIRECTORY = "_pictures"


class Picture(SphinxDirective):
    """Shows ``NAME.png``, or says in its place how it is made.

    A page of a browser has colours of its own, so a picture may have a second one for readers who
    prefer the dark; it is ``NAME-dark.png`` and is taken by itself where it is there.
    """

    required_arguments = 1
    option_spec: ClassVar = {"alt": directives.unchanged_required, "width": directives.unchanged}

    def run(self) -> list[nodes.Node]:
        """Return the picture, or a sentence."""
        name = self.arguments[0]
        says = self.options.get("alt", name)
        pictures = Path(self.env.srcdir) / DIRECTORY
        found = [
            (f"{name}{suffix}.png", kind)
            for suffix, kind in (("", "only-light"), ("-dark", "only-dark"))
            if (pictures / f"{name}{suffix}.png").exists()
        ]
        if not found:
            self.env.note_dependency(str(pictures / f"{name}.png"))
            return self.parse_text_to_nodes(
                f"*{says}: a run of the tests of the page makes this picture.*"
            )
        return [self._image(path, says, kind if len(found) > 1 else "") for path, kind in found]

    def _image(self, path: str, says: str, kind: str) -> nodes.Node:
        image = nodes.image(uri=f"/{DIRECTORY}/{path}", alt=says, classes=["picture"])
        if kind:
            image["classes"].append(kind)
        if "width" in self.options:
            image["width"] = self.options["width"]
        self.set_source_info(image)
        return image


def setup(app: Sphinx) -> dict[str, object]:
    """Register the directive."""
    app.add_directive("picture", Picture)
    return {"version": "1", "parallel_read_safe": True}
