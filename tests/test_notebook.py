import os
import sys
import types
import warnings

import pytest

from colorkit import notebook as environment
from colorkit.base.errors import KitError


@pytest.mark.parametrize(
    ("injected", "refused"),
    [
        ("# Parameters\nseed = 1", ""),
        ("# Parameters\nsed = 1", "'sed': unknown"),
        ("# Parameters\nseed = [1]", r"seed=\[1\]: is list, must be int"),
        ("sed = 1", ""),
    ],
    ids=["known", "unknown", "another type", "a student's own cell"],
)
def test_only_papermills_cell_is_looked_at(monkeypatch, injected, refused):
    cells = ["seed: int = 0  # a seed", injected, "colorkit.refuse_unknown_parameters()"]
    shell = types.SimpleNamespace(user_ns={"In": cells})
    monkeypatch.setattr("IPython.get_ipython", lambda: shell)
    if refused:
        with pytest.raises(KitError, match=refused):
            environment.refuse_unknown_parameters()
    else:
        assert environment.refuse_unknown_parameters() is None


@pytest.mark.parametrize("service", ["", *environment.GPU_MENUS])
def test_setup_prints_one_line_and_where_a_gpu_can_be_chosen_how(monkeypatch, capsys, service):
    if service:
        monkeypatch.setenv(service, "1")
    with warnings.catch_warnings():
        environment.setup()
    first, *more = capsys.readouterr().out.splitlines()
    assert first.startswith("colorkit ")
    assert " torch " in first
    assert len(more) == bool(service)
    assert not more or environment.GPU_MENUS[service] in more[0]


def test_drive_is_colabs(monkeypatch):
    with pytest.raises(KitError, match="on Colab only; elsewhere set COLORKIT_BACKUP"):
        environment.mount_drive()
    drive, mounted = types.ModuleType("google.colab.drive"), []
    drive.mount = mounted.append
    for name in ("google", "google.colab"):
        monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
    sys.modules["google.colab"].drive = drive
    environment.mount_drive()
    assert mounted == ["/content/drive"]
    assert os.environ.pop("COLORKIT_BACKUP").startswith("/content/drive/")
