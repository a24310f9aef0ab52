"""Sphinx settings of Cyme's documentation."""

import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent), str(HERE / "extensions")]

import cyme

project = "Cyme"
author = "The Cyme developers"
copyright = "The Cyme developers"
version = release = cyme.__version__

extensions = ["command_reference", "settings_table", "route_table", "metrics_table", "pictures"]
exclude_patterns = ["_build"]
nitpicky = True

html_theme = "furo"
html_title = f"Cyme {release}"
html_theme_options = {"navigation_with_keys": True}
# Terminals print straight quotes and double dashes; so do these pages.
smartquotes = False
