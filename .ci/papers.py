"""What is said in several places, from pyproject.toml, where it is said once.

`make papers` writes the repository's address and the version into badges, setup cells and
CITATION.cff, and environment.yml; and into the notebooks' headers how long their exercises are and
how long they compute, as measured (data/lessons.json). A test compares. `make release` asks git
whether the version's tag holds what the badges open. A build makes README's links absolute: an
index has no files.
"""

import json
import math
import re
import subprocess
import sys
import tomllib
from pathlib import Path

from hatchling.metadata.plugin.interface import MetadataHookInterface

ROOT = Path(__file__).resolve().parents[1]
CONDA = ("torch", "torchvision", "numpy", "scipy", "pandas", "scikit-image", "pillow", "matplotlib")
CONDA += ("jupyterlab", "ipywidgets")
ENVIRONMENT = """\
# Made from pyproject.toml by `make papers`.
# conda env create -f environment.yml && conda activate colorkit && colorkit reproduce
name: colorkit
channels: [conda-forge, nodefaults]
dependencies:
  - python{python}
{packages}
  - pip
  - pip:
      - -e .[course,repro,hub,onnx,demo,test]
"""


def project() -> dict:
    """Read pyproject.toml's [project]."""
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def papers() -> dict[Path, str]:
    """Return what the files that repeat pyproject.toml must hold, by their paths."""
    facts = project()
    address, version = facts["urls"]["Repository"], facts["version"]
    colab = f"{address.removeprefix('https://github.com/')}/blob/v{version}/"
    stamps = {
        r"(google\.com/github/)[\w./-]+?/blob/v[\w.]+/": rf"\1{colab}",
        r"(welcome\?src=https://github\.com/)[\w./-]+?/blob/v[\w.]+/": rf"\1{colab}",
        r"(\]\(https://github\.com/)[\w./-]+?/blob/v[\w.]+/": rf"\1{colab}",
        r"git\+https://github\.com/[\w./-]+@v[\w.]+\w": f"git+{address}@v{version}",
        r"clone --branch v\S+ https://github\.com/\S+": f"clone --branch v{version} {address}",
        r"(?m)^(version: ).+": rf"\g<1>{version}",
        r"(?m)^(repository-code: ).+": rf"\g<1>{address}",
    }
    found = {ROOT / "environment.yml": environment(facts)}
    guide = ROOT / "colorkit" / "course" / "templates" / "guide.md"
    for path in (ROOT / "README.md", ROOT / "CITATION.cff", guide, *notebooks()):
        text = path.read_text(encoding="utf-8")
        for pattern, stamp in stamps.items():
            text = re.sub(pattern, stamp, text)
        found[path] = with_times(path, text) if path.suffix == ".ipynb" else text
    return found


def with_times(path: Path, text: str) -> str:
    """Write into a notebook's header how long its exercises are, and how long it computes."""
    minutes = map(int, re.findall(r"### Exercise [\w.]+ · [\w ]+, (\d+) minutes", text))
    text = re.sub(r"\d+( for the exercises)", rf"{sum(minutes)}\1", text)
    lessons = json.loads((ROOT / "data" / "lessons.json").read_text(encoding="utf-8"))
    if path.name in lessons:
        seconds = lessons[path.name]["seconds"]
        rounded = (f"{math.ceil(seconds / 10)}0 s", f"{math.ceil(seconds / 60)} minutes")
        told = rf"about {rounded[seconds > 90]}\1"
        text = re.sub(r"about [\w ]+( on one CPU core \(measured\))", told, text)
    return text


def notebooks() -> list[Path]:
    """List the numbered notebooks."""
    return sorted((ROOT / "notebooks").glob("*.ipynb"))


def environment(facts: dict) -> str:
    """Write conda's environment: what conda-forge has, in our ranges; the rest comes by pip."""
    extras = facts["optional-dependencies"]
    wanted = [*facts["dependencies"], *extras["course"]]
    ours = [text for text in wanted if re.match(r"[\w-]+", text)[0] in CONDA]
    lines = [f"  - {re.sub('^torch(?=[<>=])', 'pytorch', text)}" for text in ours]
    return ENVIRONMENT.format(python=facts["requires-python"], packages="\n".join(lines))


def check_tag() -> None:
    """Stop unless the version's tag is there and holds the notebooks as they are here."""
    tag = f"v{project()['version']}"
    names = ["pyproject.toml", "notebooks", "student"]
    done = subprocess.run(
        ["git", "diff", "--name-only", tag, "--", *names], cwd=ROOT, capture_output=True, text=True
    )
    if done.returncode:
        sys.exit(f"{tag}: no such tag; commit, then git tag {tag}")
    if done.stdout:
        sys.exit(f"{tag}: holds other {', '.join(done.stdout.split())}; raise the version")
    print(f"{tag} holds the notebooks that the badges open")


class AbsoluteReadme(MetadataHookInterface):
    """README for an index: pictures and links with the repository's address and the tag."""

    def update(self, metadata: dict) -> None:
        address, tag = metadata["urls"]["Repository"], f"v{metadata['version']}"
        text = Path(self.root, "README.md").read_text(encoding="utf-8")
        text = re.sub(r'(!\[[^]]*\]\(|src=")(?!https:)', rf"\1{address}/raw/{tag}/", text)
        text = re.sub(r"(\]\()(?!https:|#)", rf"\1{address}/blob/{tag}/", text)
        metadata["readme"] = {"content-type": "text/markdown", "text": text}
        metadata["urls"]["Issues"] = f"{address}/issues"
        metadata["urls"]["Changelog"] = f"{address}/blob/{tag}/CHANGELOG.md"


if __name__ == "__main__":
    if sys.argv[1:] == ["--tag"]:
        check_tag()
    else:
        for path, text in papers().items():
            path.write_text(text, encoding="utf-8")
