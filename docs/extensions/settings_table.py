"""The directive ``settings-table``: the reference of settings, read from the table itself."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from sphinx.util.docutils import SphinxDirective
from wording import marked_up

from cyme.settings.rows import Section, Setting
from cyme.settings.table import TABLE

if TYPE_CHECKING:
    from docutils import nodes
    from sphinx.application import Sphinx


def settings_lines() -> Iterator[str]:
    """Yield the reference as reStructuredText."""
    for section in Section:
        yield from ("", f".. rubric:: {section}", "")
        for setting in TABLE:
            if setting.section is section:
                yield from _entry(setting)


def _entry(setting: Setting) -> Iterator[str]:
    metavar = f" {setting.kind.metavar}" if setting.kind.metavar else ""
    if setting.key == "address":
        spelled = [setting.flag]
    else:
        short = [f"-{setting.short}{metavar}"] if setting.short else []
        spelled = [*short, f"{setting.flag}{metavar}", *setting.aliases]
    yield ", ".join(f"``{each}``" for each in spelled)
    yield f"    {marked_up(setting.help)}"
    yield ""
    yield f"    In the environment ``{setting.env}``, in the settings file ``{setting.key}``."
    if default := _default(setting):
        yield f"    Default: {default}."
    yield ""


def _default(setting: Setting) -> str:
    """Return the default in words; nothing where it is empty or off."""
    if setting.default_text:
        return marked_up(setting.default_text)
    if setting.default is None or setting.default is False or setting.default == ():
        return ""
    value = setting.default
    return f"``{value:g}``" if isinstance(value, float) else f"``{value}``"


class SettingsTable(SphinxDirective):
    """Writes the reference of settings where it stands."""

    def run(self) -> list[nodes.Node]:
        """Return the reference."""
        return self.parse_text_to_nodes("\n".join(settings_lines()))


def setup(app: Sphinx) -> dict[str, object]:
    """Register the directive."""
    app.add_directive("settings-table", SettingsTable)
    return {"version": "1", "parallel_read_safe": True}
