"""The site (`make site`): Sphinx reads the repository as it lies, and executes nothing.

A page is where its file is, so that links between files hold on the site as on GitHub. One that
leads to a file without a page goes to the repository; one that leads nowhere stops the build.
"""

import os
import shutil
import tomllib
from pathlib import Path

import nbformat
from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx

from colorkit.course.build import for_the_site

ROOT = Path(__file__).resolve().parents[1]
FACTS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
REPOSITORY = FACTS["urls"]["Repository"]
HOME, GALLERY = "docs/index", "docs/gallery"

project = "colorkit"
author = FACTS["authors"][0]["name"]
version = release = FACTS["version"]
html_title = "colorkit"

extensions = ["myst_nb", "sphinx.ext.autodoc"]
root_doc = HOME
include_patterns = [
    "docs/**.md",
    "instructor/*.md",
    "notebooks/*.ipynb",
    "results/*/README.md",
]
nb_execution_mode = "off"
nb_merge_streams = True
nb_ipywidgets_js = {}  # a slider without a kernel does nothing, and its script is another server's
nb_mime_priority_overrides = [("html", "application/vnd.jupyter.widget-view+json", None)]
myst_heading_anchors = 3
default_role = "literal"  # `names` in docstrings, as in Markdown
autodoc_typehints_format = "short"
autodoc_member_order = "bysource"

html_theme = "sphinx_book_theme"
html_static_path = ["site.css"]
html_css_files = ["site.css"]
html_theme_options = {
    "repository_url": REPOSITORY,
    "use_repository_button": True,
    "use_download_button": False,
    "show_navbar_depth": 1,
    "navbar_persistent": [],  # the search is in the sidebar
}


def read_notebook(_: Sphinx, name: str, source: list[str]) -> None:
    """Show a notebook's solutions, folded; its badges open the one to fill in."""
    if name.startswith("notebooks/"):
        book = for_the_site(nbformat.reads(source[0], as_version=4))
        source[0] = nbformat.writes(book)


def lead_out(app: Sphinx, tree: nodes.document) -> None:
    """Lead links to files and folders without a page to the repository."""
    here = Path(app.env.doc2path(app.env.docname)).parent
    for link in [*tree.findall(addnodes.download_reference), *tree.findall(addnodes.pending_xref)]:
        is_page = link.get("refdomain") == "doc"  # by its name, which has no suffix
        wanted = f"/{link['reftarget']}.md" if is_page else link["reftarget"].partition("#")[0]
        target = Path(app.srcdir, wanted[1:]) if is_page else here / wanted
        path = Path(os.path.relpath(target, app.srcdir)).as_posix()
        if link["reftarget"] in app.env.found_docs or not target.exists():
            continue
        if f"{path}/README" in app.env.found_docs:
            link.attributes |= {"refdomain": "doc", "reftarget": f"{path}/README"}
            link["reftargetid"] = None
        else:
            address = wanted if path.startswith(GALLERY) else f"{REPOSITORY}/blob/main/{path}"
            link.replace_self(nodes.reference("", "", *link.children, refuri=address))


def add_what_is_made(app: Sphinx, error: Exception | None) -> None:
    """Put the gallery, which is a page already, in its place, and a door at the top."""
    if not error:
        shutil.copytree(ROOT / GALLERY, app.outdir / GALLERY, dirs_exist_ok=True)
        door = f'<!doctype html><meta http-equiv="refresh" content="0; url={HOME}.html">\n'
        (app.outdir / "index.html").write_text(door, encoding="utf-8")


def setup(app: Sphinx) -> None:
    app.connect("source-read", read_notebook)
    app.connect("doctree-read", lead_out, priority=100)  # before files are kept for download
    app.connect("build-finished", add_what_is_made)
