"""What is shipped: licence, metadata, the wheel and the source distribution."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from email import message_from_string
from pathlib import Path

import pytest

import cyme
from cyme.api.page_files import page_files
from tests.house.checkout import ROOT

pytestmark = pytest.mark.timeout(300)  # a busy machine takes its time to build

NOT_SHIPPED = shutil.ignore_patterns(
    ".*", "__pycache__", "*.egg-info", "_build", "_pictures", "build", "dist"
)

#: What branches that were started in the checkout leave behind.
INSTANCES = "instances"


def not_shipped(directory: str, names: list[str]) -> set[str]:
    """Return what of a directory of the checkout is no part of the source."""
    at_top = {INSTANCES} if Path(directory) == ROOT else set()
    return NOT_SHIPPED(directory, names) | at_top


@pytest.fixture(scope="module")
def distributions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the source distribution, and the wheel from it, from a clean copy."""
    base = tmp_path_factory.mktemp("distributions")
    shutil.copytree(ROOT, base / "source", ignore=not_shipped)
    subprocess.run(
        [sys.executable, "-m", "build", "--no-isolation", "--outdir", base / "dist"],
        cwd=base / "source",
        check=True,
        capture_output=True,
    )
    return base / "dist"


def test_the_licence_is_bsd_with_its_holder() -> None:
    text = (ROOT / "LICENSE").read_text()
    assert text.startswith("BSD 3-Clause License\n")
    assert "The Cyme developers" in text
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["license"] == "BSD-3-Clause"


def test_the_changes_tell_of_this_version() -> None:
    assert f"\n{cyme.__version__}\n=" in (ROOT / "CHANGES.rst").read_text()


@pytest.mark.slow
def test_the_wheel_holds_the_package_and_nothing_else(distributions: Path) -> None:
    (wheel,) = distributions.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        metadata = message_from_string(_only(archive, names, "/METADATA"))
        entry_points = _only(archive, names, "/entry_points.txt")
    modules = {str(path.relative_to(ROOT)) for path in (ROOT / "cyme").rglob("*.py")}
    assert modules <= set(names)
    assert {"cyme/tasks/__init__.py", "cyme/py.typed"} <= set(names)
    page = {f"cyme/admin/{path}" for path in page_files()}
    assert "cyme/admin/index.html" in page
    assert page <= set(names)
    assert {name.split("/")[0].split("-")[0] for name in names} == {"cyme"}
    assert any(name.endswith("/LICENSE") for name in names)
    assert metadata["License-Expression"] == "BSD-3-Clause"
    assert metadata["Description-Content-Type"] == "text/x-rst"
    assert "cyme-branch = cyme.programs.branch:main" in entry_points
    assert "cyme = cyme.cli.main:main" in entry_points


@pytest.mark.slow
def test_the_source_distribution_can_be_tested_and_documented(distributions: Path) -> None:
    (source,) = distributions.glob("*.tar.gz")
    with tarfile.open(source) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    wanted = {
        "CHANGES.rst",
        "LICENSE",
        "README.rst",
        "bin/cyme",
        "bin/cyme-branch",
        "bin/demo",
        "bin/test",
        "docs/conf.py",
        "docs/index.rst",
        "setup.py",
        "tests/conftest.py",
        "tox.ini",
    }
    assert wanted <= names


def _only(archive: zipfile.ZipFile, names: list[str], suffix: str) -> str:
    (name,) = [name for name in names if name.endswith(suffix)]
    return archive.read(name).decode()
