"""Every command on the real engine, in this process."""

import json

import pytest


def told(result):
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def states(report):
    return {node["name"]: node["state"] for node in report["nodes"]}


class TestRun:
    def test_it_prints_version_nodes_outputs_and_times(self, mile):
        result = mile("run", "small.py")
        assert result.exit_code == 0
        assert result.stdout.startswith("small  version ")
        assert "first iteration" in result.stdout
        assert "accuracy = 1200.0" in result.stdout
        assert "waited" in result.stdout
        assert result.stderr == ""

    def test_an_argument_is_read_by_the_default_and_only_the_rest_is_computed(self, mile):
        mile.edit("time.sleep(0.15)", "time.sleep(1)")  # longer than anything else, on a busy machine too
        assert told(mile("run", "small.py", "--json"))["outputs"] == {"accuracy": 1200.0}
        report = told(mile("run", "small.py", "C=10", "--json"))
        assert report["outputs"] == {"accuracy": 12000.0}
        assert states(report) == {
            "read": "prune",
            "features": "load",
            "fit": "compute",
            "accuracy": "compute",
        }
        assert [edit["words"] for edit in report["edits"]] == ["fit: C 1.0 -> 10.0"]
        assert report["waited_ns"] < report["everything_ns"]

    def test_an_edited_helper_is_seen(self, mile):
        told(mile("run", "small.py", "--json"))
        mile.edit("FACTOR = 2", "FACTOR = 3")
        report = told(mile("run", "small.py", "--json"))
        assert report["outputs"] == {"accuracy": 1800.0}
        assert states(report)["features"] == "compute"

    def test_what_operators_print_does_not_get_into_the_json(self, mile):
        mile.edit("    return sum(rows) * C", "    print('printed')\n    return sum(rows) * C")
        result = mile("run", "small.py", "--json")
        assert told(result)["outputs"] == {"accuracy": 1200.0}
        assert result.stderr == "printed\n"
        assert "printed\n" in mile("run", "small.py", "C=2").stdout

    def test_a_plot_has_a_bar_a_node_that_ran(self, mile):
        lines = mile("run", "small.py", "--plot").stdout.splitlines()
        last = [line for line in lines if line.endswith("  compute")][-4:]
        assert [line.split()[0] for line in last] == ["read", "features", "fit", "accuracy"]
        assert "█" in last[1]

    def test_flags_are_settings(self, mile):
        report = told(mile("run", "small.py", "--policy", "none", "--json"))
        assert report["policy"] == "none"
        assert not any(output["kept"] for node in report["nodes"] for output in node["outputs"])
        told(mile("run", "small.py", "--store", "elsewhere", "--budget", "1MB", "--jobs", "2", "--json"))
        assert (mile.folder / "elsewhere").is_dir()

    def test_one_of_several_workflows_is_named(self, mile):
        with mile.file.open("a") as file:
            file.write("\n\n@workflow\ndef other():\n    return fit([1.0])\n")
        result = mile("run", "small.py")
        assert result.exit_code == 1
        assert "name one, as in small.py:small" in result.stderr
        assert told(mile("run", "small.py:other", "--json"))["outputs"] == 1.0


class TestErrors:
    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (["run", "smal.py"], "there is no file 'smal.py'"),
            (["run", "small.py:big"], "no workflow 'big'"),
            (["run", "small.py", "c=1"], "no parameter 'c'. It has: path, C."),
            (["run", "small.py", "C"], "write name=value"),
            (["run", "small.py", "C=much"], "'much' is no float"),
            (["run", "small.py", "path=none.txt"], "none.txt"),
            (["run", "small.py", "--policy", "gdfs"], "did you mean 'gdsf'"),
            (["run", "small.py", "--budget", "lots"], "'lots' is no number of bytes"),
            (["run", "small.py", "--jobs", "0"], "must be at least 1"),
            (["plan", "rows.txt"], "is no Python file"),
            (["log"], "nothing was run here yet"),
            (["diff", "1", "2"], "nothing was run here yet"),
            (["store", "ls"], "nothing was run here yet"),
            (["explain", "fit"], "nothing was run here yet"),
        ],
    )
    def test_what_cannot_be_done_is_a_clear_line_and_exit_code_1(self, mile, arguments, message):
        result = mile(*arguments)
        assert result.exit_code == 1
        assert message in result.stderr
        assert result.stderr.startswith("error: ")
        assert "Traceback" not in result.stderr
        assert len(result.stderr.splitlines()) <= 2
        assert result.stdout == ""

    @pytest.mark.parametrize("arguments", [["runn"], ["run"], ["run", "small.py", "--fast"], ["diff", "1"]])
    def test_wrong_usage_is_exit_code_2(self, mile, arguments):
        assert mile(*arguments).exit_code == 2

    def test_a_handle_used_as_a_value_is_shown_where(self, mile):
        mile.edit("    return {", "    if read(path):\n        pass\n    return {")
        result = mile("run", "small.py")
        assert result.exit_code == 1
        assert "if read(path):" in result.stderr
        assert "Traceback" not in result.stderr


class TestPlan:
    def test_it_tells_and_does_nothing(self, mile):
        report = told(mile("plan", "small.py", "--json"))
        assert report["status"] == "planned"
        assert set(states(report).values()) == {"compute"}
        assert mile("log").stdout.strip() == "run  version  age  waited  everything  what changed"

    def test_it_expects_what_was_measured(self, mile):
        mile.edit("time.sleep(0.15)", "time.sleep(1)")
        told(mile("run", "small.py", "--json"))
        result = mile("plan", "small.py", "C=3", "--plot")
        assert "would take" in result.stdout
        report = told(mile("plan", "small.py", "C=3", "--json"))
        assert states(report)["features"] == "load"
        assert report["everything_ns"] > 1_000_000_000 > report["waited_ns"]


class TestHistory:
    @pytest.fixture
    def ran(self, mile):
        told(mile("run", "small.py", "--json"))
        told(mile("run", "small.py", "C=10", "--json"))
        return mile

    def test_the_log_has_the_latest_first(self, ran):
        lines = ran("log").stdout.splitlines()
        assert lines[0].split()[:2] == ["run", "version"]
        assert lines[1].startswith("2 ")
        assert lines[1].endswith("fit: C 1.0 -> 10.0")
        assert lines[2].endswith("first iteration")
        assert [row["iteration"] for row in told(ran("log", "--json"))] == [2, 1]
        assert [row["iteration"] for row in told(ran("log", "-n", "1", "--json"))] == [2]

    def test_the_log_draws_the_waiting(self, ran):
        assert "░" in ran("log", "--plot").stdout

    def test_the_log_of_an_unknown_workflow_names_the_known(self, ran):
        result = ran("log", "-w", "other")
        assert (result.exit_code, "small" in result.stderr) == (1, True)

    def test_diff_tells_edits_and_metrics(self, ran):
        result = ran("diff", "1", "2")
        assert "fit: C 1.0 -> 10.0" in result.stdout
        assert "accuracy: 1200 -> 12000" in result.stdout
        assert told(ran("diff", "2", "1", "--json"))["metrics"] == {"accuracy": [12000.0, 1200.0]}

    def test_explain_names_the_helper_of_the_workflow_run_last(self, ran):
        ran.edit("FACTOR = 2", "FACTOR = 3")
        result = ran("explain", "features")
        assert result.stdout.startswith("features: compute\n")
        assert "FACTOR" in result.stdout
        explained = told(ran("explain", "fit", "--workflow", "small.py", "--json"))
        assert explained["causes"].keys() == {"features"}

    def test_explain_suggests_the_node_that_was_meant(self, ran):
        assert "Did you mean 'features'?" in ran("explain", "feature").stderr


class TestStore:
    @pytest.fixture
    def kept(self, mile):
        told(mile("run", "small.py", "--json"))
        return mile

    def test_ls_lists_what_is_kept(self, kept):
        artifacts = told(kept("store", "ls", "--json"))
        assert "features" in {one["meta"]["node"] for one in artifacts}
        text = kept("store", "ls").stdout
        assert all(one["signature"][:10] in text for one in artifacts)
        assert told(kept("store", "ls", "--workflow", "other", "--json")) == []

    def test_info_adds_up(self, kept):
        info = told(kept("store", "info", "--json"))
        artifacts = told(kept("store", "ls", "--json"))
        assert info["artifacts"] == len(artifacts)
        assert info["used_bytes"] == sum({one["content"]: one["size_bytes"] for one in artifacts}.values())
        assert ".mile" in kept("store", "info").stdout

    def test_evicting_a_node_makes_it_computed_again(self, kept):
        assert "freed" in kept("store", "evict", "features").stdout
        assert "features" not in {one["meta"]["node"] for one in told(kept("store", "ls", "--json"))}
        report = told(kept("run", "small.py", "C=10", "--json"))
        assert states(report)["features"] == "compute"
        assert report["outputs"] == {"accuracy": 12000.0}

    def test_evicting_what_is_not_there_suggests_what_is(self, kept):
        result = kept("store", "evict", "feature")
        assert (result.exit_code, "Did you mean 'features'?" in result.stderr) == (1, True)

    def test_evicting_by_signature(self, kept):
        signature = told(kept("store", "ls", "--json"))[0]["signature"]
        assert told(kept("store", "evict", signature[:12], "--json"))["evicted"] == [signature]

    def test_clear_needs_a_word(self, kept):
        refused = kept("store", "clear")
        assert refused.exit_code == 1
        assert "--yes" in refused.stderr
        assert told(kept("store", "ls", "--json"))
        assert told(kept("store", "clear", "--yes", "--json"))["evicted"] > 0
        assert kept("store", "ls").stdout == "nothing is kept\n"
        assert told(kept("log", "--json"))

    @pytest.mark.parametrize(("answer", "left"), [("n\n", True), ("y\n", False)])
    def test_clear_asks_on_a_terminal(self, kept, monkeypatch, answer, left):
        monkeypatch.setattr("mile_rl.cli.store.is_asking_possible", lambda: True)
        result = kept("store", "clear", input=answer)
        assert result.exit_code == 0
        assert bool(told(kept("store", "ls", "--json"))) == left

    def test_verify_notices_a_damaged_artifact_and_repairs(self, kept):
        assert kept("store", "verify").stdout.endswith("clean\n")
        victim = max((kept.folder / ".mile" / "store").rglob("*.*"), key=lambda path: path.stat().st_size)
        victim.chmod(0o600)
        victim.write_bytes(b"x" + victim.read_bytes()[1:])
        result = kept("store", "verify")
        assert result.exit_code == 1
        assert "damaged: " in result.stdout
        assert told(kept("store", "verify", "--repair", "--json"))["repaired"]
        assert told(kept("store", "verify", "--json"))["clean"]
        assert told(kept("run", "small.py", "--json"))["outputs"] == {"accuracy": 1200.0}


def test_policies_are_listed_with_a_line_each(mile):
    policies = told(mile("policies", "--json"))
    assert {"none", "all", "helix", "lru", "gdsf", "density"} <= {one["name"] for one in policies}
    assert [one["name"] for one in policies if one["default"]] == ["expected"]
    assert all(one["keeps"].endswith(".") for one in policies)
    assert "expected (default)" in mile("policies").stdout


def test_the_version_is_told(mile):
    import mile_rl

    assert mile("--version").stdout == f"mile {mile_rl.__version__}\n"
