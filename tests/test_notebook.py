import types
import warnings

import pytest

from colorkit import notebook as environment
from colorkit.base.errors import KitError


@pytest.mark.parametrize(
    ("injected", "refused"),
    [("# Parameters\nseed = 1", False), ("# Parameters\nsed = 1", True), ("sed = 1", False)],
    ids=["known", "unknown", "a student's own cell"],
)
def test_only_papermills_cell_is_looked_at(monkeypatch, injected, refused):
    cells = ["seed: int = 0  # a seed", injected, "colorkit.refuse_unknown_parameters()"]
    shell = types.SimpleNamespace(user_ns={"In": cells})
    monkeypatch.setattr("IPython.get_ipython", lambda: shell)
    if refused:
        with pytest.raises(KitError, match="'sed': unknown"):
            environment.refuse_unknown_parameters()
    else:
        assert environment.refuse_unknown_parameters() is None


def test_setup_prints_one_line(capsys):
    with warnings.catch_warnings():
        environment.setup()
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("colorkit ")
    assert " torch " in lines[0]
