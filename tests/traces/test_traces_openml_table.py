"""The CC0 table of OpenML workflows: its cells, its histories, its classes beside ours."""

import subprocess
import sys
import threading
import zipfile
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from trace_source_contract import TraceSourceContract

from traces.cli import main
from traces.errors import BadRow, NotWhatItClaims, TraceError
from traces.made_table import write_made_table
from traces.people import Pseudonyms
from traces.sources.base import Tally
from traces.sources.openml_table import OpenmlTable
from traces.table_cells import CellReader, read_names, read_pairs

PSEUDONYMS = Pseudonyms(b"s" * 32)
HEADER = (
    "rid,user_id,task_id,auc,dist_from_mean_auc,model,model_params,ppr,ppr_params,iter,change_type,delta_auc,"
    "start_time,time_delta_in_mins"
)
# Hand-made in the table's format; the first three follow the runs that its paper prints.
ROWS = r"""
10228615,8323,146825,0.968236,0.1,{'HistGradientBoostingClassifier'},"{('l2_regularization', '0.0'), ('max_iter', '100')}",{'sklearn.impute._base.SimpleImputer'},"{('strategy', '""mean""')}",1,S,,2019-12-01 10:00:00,
10228912,8323,146825,0.499516,-0.3,{'LinearSVC'},"{('C', '1.0')}","{'sklearn.impute._base.SimpleImputer', 'fastfood.Fastfood'}","{('strategy', '""mean""')}",2,C,-0.46872,2019-12-01 11:00:00,60.0
10229745,8323,146825,0.931338,0.1,{'HistGradientBoostingClassifier'},"{('l2_regularization', '1e-10'), ('max_iter', '100')}",set(),set(),3,C,0.431822,2019-12-01 12:30:00,90.0
10229746,8323,146825,0.94,0.1,{'HistGradientBoostingClassifier'},"{('l2_regularization', '1e-08'), ('max_iter', '100')}",set(),set(),4,H,0.008662,2019-12-01 12:40:00,10.0
10229747,8323,146825,0.94,0.1,{'HistGradientBoostingClassifier'},"{('max_iter', '100'), ('l2_regularization', '1e-08')}",set(),set(),5,N,0.0,2019-12-01 12:41:00,1.0
10229748,8323,146825,0.95,0.1,{'HistGradientBoostingClassifier'},"{('l2_regularization', '1e-08'), ('max_iter', '100')}",{'sklearn.preprocessing.data.StandardScaler'},"{('with_mean', 'true')}",6,P,0.01,2019-12-01 13:00:00,19.0
10229749,8323,146825,0.95,0.1,{'HistGradientBoostingClassifier'},"{('l2_regularization', '1e-08'), ('max_iter', '100')}",{'sklearn.preprocessing.data.StandardScaler'},"{('with_mean', 'false')}",7,R,0.0,2019-12-01 13:05:00,5.0
10229750,8323,146825,0.9,0.1,{'RandomForestClassifier'},"{('max_depth', 'null')}",{'sklearn.preprocessing.data.StandardScaler'},"{('with_mean', 'false')}",8,M,-0.05,2019-12-01 13:06:00,1.0
7,1,31,0.7,0,{'SVC'},set(),set(),set(),1,S,,2018-01-01 00:00:00,
""".strip()  # noqa: E501
LETTERS = ["S", "C", "C", "H", "N", "P", "R", "M"]


def write_zip(path, text, name="openml_sklearn_workflows.csv"):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(name, text)
    return path


def table(path, **options):
    return OpenmlTable(str(path), PSEUDONYMS, **options)


@pytest.fixture
def path(tmp_path):
    return write_zip(tmp_path / "table.csv.zip", f"{HEADER}\n{ROWS}\n")


class TestOpenmlTable(TraceSourceContract):
    @pytest.fixture
    def source(self, path):
        return table(path)

    @pytest.fixture
    def names(self):
        return ("8323",)

    @pytest.fixture
    def broken(self, tmp_path):
        path = write_zip(tmp_path / "other.zip", "a,b\n1,2\n")
        return lambda: list(table(path).histories(Tally()))


def test_our_classes_are_those_of_the_table(path):
    source = table(path)
    first = max(source.histories(Tally()), key=len)
    assert source.agreement.share == 1.0
    assert len(first) == len(LETTERS)
    assert source.agreement.pairs["C", "C"] == 2


def test_a_disagreement_is_counted_as_such(tmp_path):
    wrong = ROWS.replace(",4,H,", ",4,P,")
    source = table(write_zip(tmp_path / "t.zip", f"{HEADER}\n{wrong}\n"))
    list(source.histories(Tally()))
    tally = Tally()
    list(source.histories(tally))
    noted = tally.notes["agreement with change_type"]
    assert (noted["rows"], noted["theirs -> ours"]) == (9, {"P -> H": 1})
    assert source.agreement.pairs["P", "H"] == 1
    assert source.agreement.share == pytest.approx(8 / 9)


def test_times_scores_and_edits_are_those_of_the_rows(path):
    first = max(table(path).histories(Tally()), key=len)
    assert first.task == "146825"
    assert first.iterations[2].think_ms == 90 * 60_000
    assert first.iterations[0].score == 0.968236
    (edit,) = first.iterations[3].edits
    assert (edit.parameter, edit.old, edit.new, round(edit.magnitude, 6)) == (
        "l2_regularization",
        1e-10,
        1e-8,
        2.0,
    )
    assert first.iterations[1].components[-1].parents == ("Fastfood", "SimpleImputer")


def test_rows_may_stand_in_any_order(tmp_path, path):
    rows = ROWS.splitlines()
    mixed = write_zip(tmp_path / "mixed.zip", "\n".join([HEADER, *rows[::-1]]))
    in_order = sorted(table(path).histories(Tally()), key=len)
    assert sorted(table(mixed).histories(Tally()), key=len) == in_order


def test_bad_rows_are_counted_by_cause_and_the_rest_is_read(tmp_path):
    bad = [
        "x,1,31,0.7,0,{'SVC'},set(),set(),set(),1,S,,2018-01-01 00:00:00,",
        "8,,31,0.7,0,{'SVC'},set(),set(),set(),1,S,,2018-01-01 00:00:00,",
        "9,1,31,0.7,0,__import__('os').system('false'),set(),set(),set(),2,S,,2018-01-01 00:00:00,",
        "10,1,31,0.7,0,set(),set(),set(),set(),3,S,,2018-01-01 00:00:00,",
        "11,1,31,zero,0,{'SVC'},set(),set(),set(),4,S,,2018-01-01 00:00:00,",
        "12,1,31",
    ]
    tally = Tally()
    histories = list(table(write_zip(tmp_path / "t.zip", "\n".join([HEADER, ROWS, *bad]))).histories(tally))
    assert sum(map(len, histories)) == 9
    assert tally.read == 15
    assert tally.bad == {
        "the run id is no number": 1,
        "no user or no task": 1,
        "the cell is no Python literal": 1,
        "no model": 1,
        "a number is expected": 1,
        "another number of cells than columns": 1,
    }


def test_a_truncated_zip_and_two_csv_files_are_refused(tmp_path, path):
    cut = tmp_path / "cut.zip"
    cut.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(NotWhatItClaims, match="fetch it again"):
        list(table(cut).histories(Tally()))
    two = write_zip(tmp_path / "two.zip", "a")
    with zipfile.ZipFile(two, "a") as archive:
        archive.writestr("b.csv", "b")
    with pytest.raises(NotWhatItClaims, match="2 CSV"):
        list(table(two).histories(Tally()))
    with pytest.raises(TraceError, match="cannot be opened"):
        list(table(tmp_path / "nowhere.zip").histories(Tally()))


def test_the_table_is_read_from_a_url_and_a_missing_one_is_an_error(path):
    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(path.parent)))
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        url = f"http://127.0.0.1:{server.server_address[1]}/"
        assert list(table(f"{url}{path.name}").histories(Tally())) == list(table(path).histories(Tally()))
        with pytest.raises(TraceError, match="cannot be fetched"):
            list(table(f"{url}missing.zip").histories(Tally()))
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_a_made_table_is_read_without_a_bad_row_and_with_its_own_letters(tmp_path):
    write_made_table(tmp_path / "made.zip", rows=3_000, rng=np.random.default_rng(7))
    source, tally = table(tmp_path / "made.zip", synthetic=True), Tally()
    histories = list(source.histories(tally))
    assert sum(map(len, histories)) == tally.read == 3_000
    assert not tally.bad
    assert source.agreement.share == 1.0
    assert set("SMPHRCN") == {theirs for theirs, _ in source.agreement.pairs}
    assert all(history.synthetic for history in histories)


def test_the_same_seed_makes_the_same_table(tmp_path):
    texts = []
    for name in ("a", "b"):
        write_made_table(tmp_path / name, rows=200, rng=np.random.default_rng(1))
        with zipfile.ZipFile(tmp_path / name) as archive:
            texts.append(archive.read("openml_sklearn_workflows.csv"))
    assert texts[0] == texts[1]


TEXTS = st.text(min_size=1, max_size=8)


@given(st.sets(st.tuples(TEXTS, TEXTS), max_size=5))
def test_pairs_are_read_as_python_wrote_them(pairs):
    assert set(read_pairs(str(pairs))) == pairs


@given(st.sets(TEXTS, max_size=5))
def test_names_are_read_as_python_wrote_them(names):
    assert set(read_names(str(names))) == names


@pytest.mark.parametrize("text", ["{", "{1, 2}", "f()", "{('a', 'b', 'c')}", "[].__class__", "9" * 9])
def test_what_is_no_set_of_pairs_is_a_bad_row(text):
    with pytest.raises(BadRow):
        read_pairs(text)


def test_a_parameter_goes_to_the_class_that_has_it_and_else_to_none():
    steps = "{'sklearn.impute._base.SimpleImputer', 'sklearn.preprocessing.data.StandardScaler'}"
    cells = "{('strategy', '\"mean\"'), ('with_mean', 'true'), ('copy', 'true')}"
    imputer, scaler, _ = CellReader().components("{'SVC'}", "set()", steps, cells)
    assert imputer.parameters == {"strategy": "mean", "?.copy": True}
    assert scaler.parameters == {"with_mean": True}


def test_a_table_said_to_be_made_up_is_reported_as_such(tmp_path, capsys):
    write_made_table(tmp_path / "made.zip", rows=500, rng=np.random.default_rng(3))
    out, salt = str(tmp_path / "out"), str(tmp_path / "salt")
    assert main(["mine", str(tmp_path / "made.zip"), "--synthetic", "--out", out, "--salt-file", salt]) == 0
    assert '"share": 1.0, "rows": 500' in capsys.readouterr().out
    assert main(["describe", out]) == 0
    assert "openml-table (synthetic)" in (tmp_path / "out" / "report.md").read_text()


@pytest.mark.slow
def test_a_table_of_the_published_size_is_mined_in_a_minute_and_two_gigabytes(tmp_path):
    write_made_table(tmp_path / "made.zip", rng=np.random.default_rng(0))
    program = (
        "import sys, time\n"
        "from traces.cli import main\n"
        "code = main(sys.argv[1:])\n"
        # Not ru_maxrss: that of a child begins with what its parent, pytest with all its imports, held.
        "peak = next(line.split()[1] for line in open('/proc/self/status') if line.startswith('VmHWM'))\n"
        "print(code, time.process_time(), peak)\n"
    )
    arguments = ["mine", str(tmp_path / "made.zip"), "--out", str(tmp_path / "out")]
    salt = ["--salt-file", str(tmp_path / "salt")]
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments, *salt],
        cwd=Path(__file__).resolve().parents[2],
        capture_output=True,
        text=True,
        check=True,
    )
    code, cpu_s, most_kb = done.stdout.split()[-3:]
    assert "475297 iterations from 475297 read" in done.stdout
    # Processor time, so that waiting does not count; a minute is what an idle machine takes, and one whose cores
    # are shared with others takes up to twice that.
    assert (code, float(cpu_s) <= 120, int(most_kb) <= 2_000_000) == ("0", True, True), (cpu_s, most_kb)
