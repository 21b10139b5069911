import json
from dataclasses import asdict, replace

import pandas as pd
import pytest
from known import little

from colorkit.base.errors import KitError
from colorkit.claims import verdicts as claims
from colorkit.claims.archive import load, publish
from colorkit.claims.gathering import newest, published
from colorkit.claims.ledger import scope


def judged(archive) -> list[dict]:
    return [json.loads(json.dumps(asdict(found))) for found in claims.verdicts([archive])]


def test_what_is_published_gives_the_same_verdicts(tmp_path):
    archive = little()
    publish(archive, tmp_path / "results" / "protocol-2026-01-01")
    back = load(newest(tmp_path / "results"))
    assert back.runs == archive.runs
    assert back.protocol.sha256 == archive.protocol.sha256
    pd.testing.assert_frame_equal(back.scores, archive.scores, rtol=1e-5, check_dtype=False)
    again = tmp_path / "again"
    publish(back, again)
    assert str(judged(load(again))) == str(judged(back))  # as text: NaN is no NaN's equal


def test_published_runs_of_two_versions_are_refused(tmp_path):
    runs = {
        f"tables/fold-{n}/x": {"versions": {"colorkit": f"0.{n}"}, "device": "cpu"} for n in (1, 2)
    }
    publish(replace(little(), runs=runs), tmp_path)
    with pytest.raises(KitError, match=r"runs by colorkit 0.1 and 0.2: they are never mixed"):
        load(tmp_path)


@pytest.mark.parametrize("name", ["scores.csv", "paintings.csv", "archive.json", "protocol.yaml"])
def test_a_published_file_that_is_missing_or_damaged_is_named(tmp_path, name):
    publish(little(), tmp_path)
    (tmp_path / name).write_text("nothing\n")
    with pytest.raises(KitError, match=r"not a published protocol|must be a list of names"):
        load(tmp_path)
    (tmp_path / name).unlink()
    with pytest.raises(KitError, match=name):
        load(tmp_path)


def test_an_edit_of_the_published_protocol_shows(tmp_path):
    archive = little()
    run = {"sha256": archive.protocol.sha256, "rules": claims.rules_sha256(), "results": 0}
    history = [run | {"used_from": "2026-11-24", "fixed": "2026-11-24"}]
    publish(replace(archive, history=history), tmp_path)
    assert not any("EDITED" in line for line in scope(load(tmp_path)))
    path = tmp_path / "protocol.yaml"
    path.write_text(path.read_text().replace("margin: 0.1", "margin: 0.2"))
    assert any("EDITED" in line for line in scope(load(tmp_path)))


def test_published_again_on_the_same_day_nothing_old_is_left(tmp_path):
    run = {"versions": {"colorkit": "0.3.0"}, "device": "cpu"}
    archive = little()
    publish(replace(archive, runs={"tables/fold-1/x": run, "tables/fold-1/y": run}), tmp_path)
    publish(replace(archive, runs={"tables/fold-1/x": run}), tmp_path)
    assert set(load(tmp_path).runs) == {"tables/fold-1/x"}


def test_all_that_is_published_is_read_the_newest_first(tmp_path):
    for name in ("b-2026-01-01", "a-2026-02-01", "c-2026-02-01"):
        publish(little(), tmp_path / name)
    assert newest(tmp_path).name == "c-2026-02-01"
    assert len(published(tmp_path)) == 3


def test_without_a_published_protocol_it_says_how_to_get_one(tmp_path):
    with pytest.raises(KitError, match="no published protocol; run"):
        newest(tmp_path)
