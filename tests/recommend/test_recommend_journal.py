"""What is noted of the learners of each iteration."""

import json

import mile_rl.recommend.journal as journal


def test_a_run_is_noted_and_an_unchanged_text_is_not_read_again(moon, monkeypatch):
    moon.run()
    monkeypatch.setattr(journal, "_learners", lambda text: 1 / 0)
    moon.run(C=2.0)
    found = journal.read(moon.project())
    assert set(found) == {1, 2}
    assert found[1] == found[2]
    assert {one["class"] for one in found[1]} == {"LogisticRegression"}


def test_a_changed_text_is_read_again(moon):
    moon.run()
    moon.edit("LogisticRegression(C=C)", "LogisticRegression(C=C, max_iter=500)")
    moon.run()
    found = journal.read(moon.project())
    assert [one[0]["given"] for one in found.values()] == [{}, {"max_iter": 500}]


def test_a_broken_journal_costs_neither_a_run_nor_advice(moon):
    path = moon.project().home / journal.FILE
    path.write_text('{"iteration": 1, "learners"\nnot json\n{"iteration": "x"}\n[]\n')
    moon.run()
    assert set(journal.read(moon.project())) == {1}
    assert moon.recommend()


def test_files_that_do_not_mention_scikit_learn_are_not_noted(own):
    own.run()
    assert not (own.project().home / journal.FILE).exists()


def test_the_line_is_plain_json(moon):
    moon.run()
    (line,) = (moon.project().home / journal.FILE).read_text().splitlines()
    assert set(json.loads(line)) == {"iteration", "text", "learners"}
