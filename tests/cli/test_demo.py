"""The demo: where the examples are, what is played, told and drawn."""

import json
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from cli_waiting import wait_for

from mile_rl.cli.demo import examples, picture, telling
from mile_rl.cli.demo.play import Plainly, Played, play
from mile_rl.cli.session import Replacement, Session, Step
from mile_rl.errors import MileError
from mile_rl.workflows.edits import Edit

EDIT = Edit(kind="parameter", node="fit", stage="learn", operator="fit", parameter="C", old=1, new=10)


def run(number, waited_ns, everything_ns, **more):
    return Played(
        step=Step(number=number, say=f"Thought {number} & <more>."),
        command="mile run a.py",
        edits=(EDIT,) if number > 1 else (),
        returned_to=None,
        states=(2, 1, 0),
        waited_ns=waited_ns,
        everything_ns=everything_ns,
        process_ns=waited_ns + 10**9,
        metrics={"accuracy": 0.98765},
        **more,
    )


RUNS = [run(1, 4 * 10**9, 4 * 10**9), run(2, 10**9, 4 * 10**9), run(3, 10**9, 4 * 10**9)]


class TestExamples:
    def test_they_lie_in_an_installed_package_or_beside_it(self, tmp_path):
        assert (examples.folder() / "digits.session.json").is_file()
        inside = tmp_path / "site-packages" / "mile_rl"
        (inside / "examples").mkdir(parents=True)
        (inside / "examples" / "make_data.py").touch()
        assert examples.folder(inside) == inside / "examples"
        with pytest.raises(MileError, match="install mile-rl again"):
            examples.folder(tmp_path / "elsewhere" / "mile_rl")

    def test_the_playground_has_all_it_needs_and_is_gone_afterwards(self):
        with examples.playground("digits", size=60) as place:
            names = {path.name for path in place.iterdir()}
            assert {"digits.py", "digits.session.json", "digits.npz", ".mile"} <= names
        assert not place.exists()

    def test_settings_of_other_projects_do_not_matter(self, tmp_path):
        environ = examples.environment(tmp_path, {"MILE_POLICY": "none", "MILE_HOME": "/x", "A": "b"})
        assert "MILE_POLICY" not in environ
        assert environ["MILE_HOME"] == str(tmp_path / ".mile")
        assert environ["A"] == "b"


def session(*steps):
    return Session(name="small", steps=steps)


class TestPlay:
    def test_it_edits_the_file_and_runs_it_in_fresh_processes(self, mile):
        steps = (
            Step(number=1, say="Start."),
            Step(number=2, say="More.", arguments={"C": 10}),
            Step(number=3, say="Else.", edit=(Replacement(old="FACTOR = 2", new="FACTOR = 3"),)),
            Step(number=4, say="Back.", edit=(Replacement(old="FACTOR = 3", new="FACTOR = 2"),)),
        )
        heard = []
        runs = list(
            play(
                session(*steps), mile.folder, verify=True, on_step=lambda step, command: heard.append(command)
            )
        )
        assert heard[:2] == ["mile run small.py", "mile run small.py C=10"]
        assert [one.metrics["accuracy"] for one in runs] == [1200.0, 12000.0, 1800.0, 1200.0]
        assert all(one.plainly.same for one in runs)
        assert all(one.plainly.elapsed_ns > 150_000_000 for one in runs)
        assert [one.returned_to for one in runs] == [None, None, None, 1]
        assert runs[1].waited_ns < runs[1].plainly.elapsed_ns
        assert runs[1].edits[0].words() == "fit: C 1.0 -> 10.0"
        assert sum(runs[0].states) == 4
        assert all(one.process_ns > one.waited_ns for one in runs)
        json.dumps([one.to_json() for one in runs], allow_nan=False)

    def test_a_result_that_differs_from_the_plain_run_is_noticed(self, mile):
        # It tells in which kind of process it runs, so no two runs agree.
        mile.edit("    return model / 10", "    import sys\n    return ' '.join(sys.argv)")
        (one,) = play(session(Step(number=1, say="Start.")), mile.folder, verify=True)
        assert not one.plainly.same

    def test_a_run_that_fails_ends_the_demo_with_what_it_said(self, mile):
        step = Step(number=1, say="Start.", arguments={"D": 1})
        with pytest.raises(MileError, match=r"mile run small.py D=1 failed with exit code 1:\nerror: .*'D'"):
            list(play(session(step), mile.folder))


class TestTelling:
    def test_a_step_in_words(self):
        text = telling.step_text(RUNS[1])
        assert "fit: C 1 -> 10" in text
        assert "2 computed, 1 loaded, 0 not needed" in text
        assert "accuracy = 0.9877" in text
        assert "waited 1.0 s; everything would have taken 4.0 s" in text

    def test_the_summary_adds_up_fits_and_says_that_it_is_an_estimate(self):
        text = telling.summary(RUNS, columns=80)
        assert "waited 6.0 s in 3 runs" in text
        assert "12 s, 2.0 times as long" in text
        assert "estimate" in text
        table = text.split("\n\n")[0].splitlines()
        assert all(len(line) <= 80 for line in table)

    def test_measured_times_take_the_place_of_estimates(self):
        plainly = Plainly(elapsed_ns=3 * 10**9, process_ns=4 * 10**9, same=True)
        text = telling.summary([replace(one, plainly=plainly) for one in RUNS], columns=80)
        assert "run plainly they took 9.0 s, 1.5 times as long" in text
        assert "estimate" not in text
        assert "3 of 3 runs returned exactly" in text

    def test_slower_than_plain_is_not_called_faster(self):
        text = telling.summary([run(1, 2 * 10**9, 10**9)], columns=80)
        assert "times as long" not in text

    def test_a_difference_cannot_be_overlooked(self):
        plainly = Plainly(elapsed_ns=1, process_ns=2, same=False)
        assert "DIFFER" in telling.step_text(replace(RUNS[0], plainly=plainly))


class TestPicture:
    def test_the_page_is_well_formed_escaped_and_stands_alone(self, tmp_path):
        picture.write_html(tmp_path / "a.html", "digits", RUNS)
        page = (tmp_path / "a.html").read_text()
        seen = []

        class Parser(HTMLParser):
            def handle_starttag(self, tag, attributes):
                seen.append(tag)
                assert not {"src", "href"} & {name for name, _ in attributes}

        Parser().feed(page)
        assert seen.count("svg") == 1
        assert seen.count("polyline") == 2
        assert seen.count("tr") == len(RUNS) + 1
        assert "Thought 2 &amp; &lt;more&gt;." in page

    def test_the_curves_are_drawn_to_scale(self):
        import xml.etree.ElementTree as ElementTree

        root = ElementTree.fromstring(picture.svg(RUNS))
        curves = [one for one in root if one.tag.endswith("polyline")]
        everything, waited = (
            [float(point.split(",")[1]) for point in curve.get("points").split()] for curve in curves
        )
        bottom = picture._HEIGHT - picture._BOTTOM
        assert (bottom - everything[-1]) / (bottom - waited[-1]) == pytest.approx(12 / 6, rel=0.01)
        assert everything[0] == waited[0]

    def test_one_run_that_took_no_time_can_be_drawn(self):
        assert "polyline" in picture.svg([run(1, 0, 0)])

    def test_the_png_is_one(self, tmp_path):
        pytest.importorskip("matplotlib")
        picture.write_png(tmp_path / "a.png", "digits", RUNS)
        assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")

    def test_without_matplotlib_the_remedy_is_told(self, monkeypatch):
        monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
        with pytest.raises(MileError, match=r"mile-rl\[plot\].*--html"):
            picture.require_matplotlib()

    def test_a_place_that_cannot_be_written_is_an_error(self, tmp_path):
        with pytest.raises(MileError, match="cannot be written"):
            picture.write_html(tmp_path / "no" / "a.html", "digits", RUNS)


@pytest.fixture
def short_digits(mile, tmp_path, monkeypatch):
    """Cut the session of the digits example to its first steps: each starts a process or two."""

    def cut(count):
        short = tmp_path / "examples"
        ignored = shutil.ignore_patterns("*.npz", "__pycache__", ".mile")
        shutil.copytree(examples.folder(), short, ignore=ignored)
        steps = json.loads((short / "digits.session.json").read_text())[:count]
        (short / "digits.session.json").write_text(json.dumps(steps))
        monkeypatch.setattr(examples, "folder", lambda: short)
        return mile

    return cut


@pytest.mark.slow
class TestDemo:
    def test_runs_return_exactly_what_plain_runs_return_and_reuse(self, short_digits):
        result = short_digits(5)("demo", "digits", "--size", "150", "--verify", "--json")
        assert result.exit_code == 0, result.output
        runs = json.loads(result.stdout)["runs"]
        assert len(runs) == 5
        assert all(one["plain"]["same"] for one in runs)
        assert sum(one["loaded"] for one in runs[1:]) > 0
        # The last step goes back to the third.
        assert runs[-1]["returned_to"] == 3

    def test_a_result_that_differs_is_exit_code_1(self, short_digits, monkeypatch):
        monkeypatch.setattr(
            "mile_rl.cli.demo.play._plainly", lambda *rest: Plainly(elapsed_ns=1, process_ns=2, same=False)
        )
        result = short_digits(2)("demo", "digits", "--size", "60", "--verify")
        assert result.exit_code == 1
        assert "runs 1, 2 returned something else" in result.stderr
        assert "DIFFER" in result.stdout

    def test_it_tells_as_it_goes_and_draws_on_request(self, short_digits, tmp_path):
        result = short_digits(2)("demo", "--size", "60", "--policy", "lru", "--html", "a.html")
        assert result.exit_code == 0, result.output
        assert "$ mile run digits.py C=10 --policy lru" in result.stdout
        assert result.stdout.count("waited ") == 2 + 1 + 1  # a run each, the table, the sum
        assert "fit_logistic: C 1.0 -> 10.0" in result.stdout
        assert "waiting so far: █ with MILE-RL, ░ everything" in result.stdout
        assert (tmp_path / "a.html").is_file()

    def test_ctrl_c_leaves_nothing_behind(self, mile):
        mine = mile.folder / "tmp"
        mine.mkdir()
        process = subprocess.Popen(
            [sys.executable, "-m", "mile_rl.cli", "demo", "digits", "--size", "100"],
            cwd=mile.folder,
            env=mile.environment() | {"TMPDIR": str(mine)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        wait_for(lambda: list(mine.glob("*/.mile/catalog.db")))
        os.killpg(process.pid, signal.SIGINT)
        _, err = process.communicate(timeout=60)
        assert process.returncode == 130
        assert err.splitlines()[-1].startswith("interrupted")
        assert list(mine.iterdir()) == []
