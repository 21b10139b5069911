import errno
import os

import pytest

from colorkit.base import files as paths
from colorkit.base.errors import KitError


def test_written_whole_with_parents(tmp_path):
    paths.write_atomic(tmp_path / "a" / "b.txt", "Dürer")
    assert (tmp_path / "a" / "b.txt").read_text(encoding="utf-8") == "Dürer"
    assert [p.name for p in (tmp_path / "a").iterdir()] == ["b.txt"]


@pytest.mark.parametrize(
    ("number", "says"),
    [
        (errno.ENOSPC, "the disk is full.*run the same command again"),
        (errno.EIO, "cannot be written"),
    ],
)
def test_a_failed_write_keeps_the_old_file_and_leaves_no_part(tmp_path, monkeypatch, number, says):
    target = tmp_path / "x.json"
    target.write_text("old")

    def fail(descriptor):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(KitError, match=says):
        paths.write_atomic(target, "new")
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_what_cannot_be_put_in_its_place_leaves_no_part(tmp_path):
    (tmp_path / "x.json").mkdir()
    with pytest.raises(KitError, match="cannot be written"):
        paths.write_atomic(tmp_path / "x.json", "new")
    assert [path.name for path in tmp_path.iterdir()] == ["x.json"]


@pytest.mark.skipif(os.name != "posix", reason="no modes to look at")
@pytest.mark.parametrize(("umask", "mode"), [(0o077, 0o600), (0o002, 0o664), (0o022, 0o644)])
def test_the_users_umask_decides_who_may_read_and_no_chmod_is_needed(
    tmp_path, monkeypatch, umask, mode
):
    def refuse(*_, **__):  # as a network share or another user's disk does
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "chmod", refuse)
    before = os.umask(umask)
    try:
        paths.write_atomic(tmp_path / "a.txt", "text")
    finally:
        os.umask(before)
    assert (tmp_path / "a.txt").stat().st_mode & 0o777 == mode
