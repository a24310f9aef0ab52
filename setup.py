"""Everything about the distribution stands in pyproject.toml."""

from setuptools import setup

setup()
