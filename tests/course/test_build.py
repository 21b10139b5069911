"""The builds: what students get, and that what is committed is what is built."""

import nbformat
import papermill
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from colorkit.base.errors import KitError
from colorkit.base.files import kit_file
from colorkit.course import cells
from colorkit.course.build import build, build_notebook, for_the_site

SOLVED = "def one():\n    ### BEGIN SOLUTION\n    return 1\n    ### END SOLUTION\n"
TOP = "n = ...\n### BEGIN SOLUTION\nn = 1\n### END SOLUTION"


def small_book() -> nbformat.NotebookNode:
    badge = "[![x](y)](https://colab.research.google.com/github/a/b/blob/v1/notebooks/01_x.ipynb)"
    shown = [new_output("stream", text="1\n")]
    cells = [
        new_markdown_cell(f"# 1 · Ones\n{badge}"),
        new_code_cell("import x", metadata={"tags": ["plumbing"]}),
        new_markdown_cell("### Exercise 1.1", metadata={"tags": ["exercise"]}),
        new_code_cell(SOLVED, metadata={"tags": ["exercise"]}, outputs=shown),
        new_code_cell(TOP, metadata={"tags": ["exercise"]}),
        new_code_cell("print(one())", metadata={"tags": ["solution"]}),
        new_markdown_cell("Rubric", metadata={"tags": ["instructor"]}),
        new_code_cell("assert one() == 1", metadata={"tags": ["ci"]}),
        new_code_cell('picture: str = ""', metadata={"tags": ["parameters", "shown"]}),
    ]
    return new_notebook(cells=cells)


def test_what_is_committed_is_what_is_built(tmp_path):
    build(tmp_path)
    for kind in ("student", "instructor"):
        committed = {path.name: path.read_text() for path in kit_file(kind).glob("*")}
        built = {path.name: path.read_text() for path in (tmp_path / kind).glob("*")}
        assert committed == built  # else: colorkit course build
    committed = {path.name: path.read_text() for path in kit_file("student").glob("*")}
    assert committed.keys() == {path.name for path in kit_file("notebooks").glob("*.ipynb")}
    assert "BEGIN SOLUTION" not in "".join(committed.values())
    solved = "".join(path.read_text() for path in (tmp_path / "solutions").glob("*"))
    assert "SOLUTION" not in solved
    assert "Rubric" not in solved


def test_students_get_stubs_folded_plumbing_and_their_own_badge():
    book = build_notebook(small_book(), "student")
    sources = [cell.source for cell in book.cells]
    assert "/blob/v1/student/01_x.ipynb" in sources[0]
    assert sources[1] == "# @title Run me: plumbing\nimport x"
    assert book.cells[1].metadata["cellView"] == "form"
    assert sources[3] == "def one():\n    raise NotImplementedError  # your lines here\n"
    assert sources[4] == "n = ...\n# your lines here\n"
    assert sources[5:] == ['picture: str = ""']  # students choose it
    assert not any(cell.get("outputs") for cell in book.cells)


def test_solutions_keep_their_outputs_and_lose_the_fences():
    book = build_notebook(small_book(), "solutions")
    assert book.cells[3].source == "def one():\n    return 1\n"
    assert book.cells[3].outputs
    assert len(book.cells) == 7


def test_a_page_has_answers_and_plumbing_folded_and_opens_the_students():
    book = for_the_site(small_book())
    assert "/blob/v1/student/01_x.ipynb" in book.cells[0].source
    folds = [book.cells[place].metadata["tags"][-1] for place in (1, 3, 5)]
    assert folds == ["hide-input", "hide-input", "hide-cell"]
    assert "SOLUTION" not in book.cells[3].source
    assert book.cells[3].outputs


def test_a_fence_that_is_not_closed_stops_the_build(tmp_path, monkeypatch):
    book = new_notebook(cells=[new_code_cell(SOLVED.replace("END", "The end of"))])
    (tmp_path / "notebooks").mkdir()
    nbformat.write(book, tmp_path / "notebooks" / "01_x.ipynb")
    monkeypatch.setattr(cells, "kit_file", tmp_path.joinpath)
    with pytest.raises(KitError, match=r"01_x.ipynb: a solution is not closed; add ### END"):
        build(tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(path.stem for path in kit_file("student").glob("*.ipynb")))
def test_the_student_build_runs_unfilled_from_top_to_bottom(gallery, tmp_path, name):
    source, made = kit_file("student", f"{name}.ipynb"), tmp_path / "made.ipynb"
    few = {"data": str(gallery)} if name < "07" else {}
    papermill.execute_notebook(source, made, few, cwd=tmp_path, progress_bar=False)  # or raises
    book = nbformat.read(made, as_version=4)
    texts = [out.text for cell in book.cells for out in cell.get("outputs", []) if "text" in out]
    assert not any("✓" in text or "✗" in text for text in texts)
    assert sum(text.startswith("○") for text in texts) >= 5
