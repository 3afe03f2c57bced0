from experiments.bench import environment


def test_the_bench_of_the_environments_measures_decisions_and_holds_a_bar():
    rows = environment.bench(repeats=1, sessions=4, steps=3)
    decisions = [row for row in rows if row.bar is not None]
    assert [row.bar for row in decisions] == [20.0, 20.0]
    assert all(0 < row.value < 1e6 for row in rows)
