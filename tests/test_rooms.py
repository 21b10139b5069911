"""The house has a core and rooms, and nobody looks the wrong way."""

import ast
import json
import re
import shutil
from pathlib import Path

import pytest
from processes import python

import colorkit

PACKAGE = Path(colorkit.__file__).parent
CORE = sorted(p.stem for p in PACKAGE.glob("*.py") if p.stem not in ("__init__", "__main__", "cli"))
MAY_SEE = {
    "base": {"base"},
    "": {"base", ""},
    "replication": {"base", "", "replication"},
    "claims": {"base", "", "replication", "claims"},
    "pictures": {"base", "", "pictures"},
    "making": {"base", "", "pictures", "making"},  # pictures: the network it trains
    "course": {"base", "", "course"},
    "lost": {"base", "", "pictures", "lost"},  # pictures: colours onto a full-size lightness
}


def imported(path: Path) -> set[str]:
    """List the kit's modules that a file imports when it runs, such as "base.errors"."""
    package = ["colorkit", *path.relative_to(PACKAGE).parent.parts]
    found = set()
    tree = ast.parse(path.read_text(encoding="utf-8"))
    types = {n for i in tree.body if isinstance(i, ast.If) for n in i.body}  # if TYPE_CHECKING
    for node in set(ast.walk(tree)) - types:
        if isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            base += [node.module] if node.module else []
            found |= {".".join(base)} | {".".join([*base, alias.name]) for alias in node.names}
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return {name.removeprefix("colorkit.") for name in found}


def room(module: str) -> str:
    if module == "color":  # it stands on nothing but torch, and base reads pictures with it
        return "base"
    return module.rpartition(".")[0] if module.rpartition(".")[0] in MAY_SEE else ""


ARROWS = {
    ".".join(path.relative_to(PACKAGE).with_suffix("").parts): imported(path)
    for path in PACKAGE.rglob("*.py")
    if path.stem not in ("__init__", "__main__") and path != PACKAGE / "cli.py"
}


@pytest.mark.parametrize("module", ARROWS)
def test_a_room_sees_only_what_it_may(module):
    seen = {room(target) for target in ARROWS[module] if target in ARROWS}
    assert seen <= MAY_SEE[room(module)]


def test_there_is_no_circle():
    left = {module: {t for t in targets if t in ARROWS} for module, targets in ARROWS.items()}
    while ready := {module for module, targets in left.items() if not targets & set(left)}:
        left = {module: targets for module, targets in left.items() if module not in ready}
    assert not left


def test_every_way_to_import_is_seen(tmp_path, monkeypatch):
    monkeypatch.setitem(globals(), "PACKAGE", tmp_path)
    file = tmp_path / "making" / "train.py"
    file.parent.mkdir()
    file.write_text(
        "from ..lost import hints\nfrom ..claims.rules import judge\nfrom . import crops\n"
        "import colorkit.course.answers\nfrom colorkit.replication import grid"
    )
    assert imported(file) >= {
        *("lost.hints", "claims.rules", "making.crops", "course.answers", "replication.grid")
    }


def test_the_core_needs_no_room():
    rooms = [f"colorkit.{room}" for room in MAY_SEE if room not in ("", "base")]
    code = f"import importlib, sys\nsys.modules |= dict.fromkeys({rooms})\n"
    code += f"for name in {CORE}: importlib.import_module('colorkit.' + name)"
    done = python("-c", code)
    assert done.returncode == 0, done.stderr


def test_no_file_of_the_core_is_over_250_lines():
    core = PACKAGE.glob("*.py")
    assert max(len(path.read_text(encoding="utf-8").splitlines()) for path in core) <= 250


@pytest.mark.parametrize("number", range(1, 6))
def test_the_first_notebooks_need_no_room(number):
    (path,) = (PACKAGE.parent / "notebooks").glob(f"{number:02}_*.ipynb")
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    code = "\n".join("".join(c["source"]) for c in cells if c["cell_type"] == "code")
    rooms = "|".join(room for room in MAY_SEE if room not in ("", "base"))
    assert not re.search(rf"colorkit(\.| import .*\b)({rooms})\b", code)


@pytest.mark.parametrize(
    ("deleted", "gone", "there"),
    [
        (["pictures", "course"], ["colorize", "hint", "make", "course"], ["reproduce", "ledger"]),
        (["replication"], ["reproduce", "bench", "ledger"], ["colorize", "hint", "course"]),
    ],
)
def test_a_room_that_is_deleted_is_not_offered_nor_what_stands_on_it(
    tmp_path, deleted, gone, there
):
    copy = shutil.copytree(PACKAGE, tmp_path / "colorkit")
    for name in deleted:
        shutil.rmtree(copy / name, ignore_errors=True)
    code = "import sys, colorkit; from colorkit.cli import app; print('torch' in sys.modules); "
    code += "colorkit.check('2.3'); app(['--help'])"
    shown = python("-P", "-c", code, PYTHONPATH=str(tmp_path)).stdout
    assert shown.startswith("False")  # the help comes at once
    offered = set(re.findall(r"(?m)^│ (\w+) ", shown))
    assert {*there, "doctor"} <= offered
    assert not offered & {*gone}
    said = "exercises are not checked here"  # and the notebook goes on
    assert (said in shown) == ("course" in deleted)
    done = python("-P", "-c", "import colorkit; colorkit.colorize", PYTHONPATH=str(tmp_path))
    lacks = "colorkit.colorize: colorkit/pictures is not there"
    assert (lacks in done.stderr) == ("pictures" in deleted)


def test_no_name_lives_in_two_modules():
    homes = {}
    for path in PACKAGE.rglob("*.py"):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            made = [one for one in ast.walk(node) if isinstance(one, ast.Name)]
            assigned = isinstance(node, ast.Assign | ast.AnnAssign)
            names = {one.id for one in made if assigned and isinstance(one.ctx, ast.Store)}
            for name in names | {getattr(node, "name", "")}:
                homes.setdefault(name, set()).add(path)
    shared = {name for name, paths in homes.items() if len(paths) > 1}
    assert shared <= {"", "app"}  # each room's commands are an app
