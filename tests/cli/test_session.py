"""Loading and applying recorded sessions."""

import json

import pytest

from mile_rl.cli.session import Replacement, Session, Step, load
from mile_rl.errors import WorkflowError


def written(tmp_path, records):
    path = tmp_path / "some.session.json"
    path.write_text(records if isinstance(records, str) else json.dumps(records))
    return path


def test_steps_edit_one_after_the_other(tmp_path):
    records = [
        {"say": "As it is."},
        {"say": "Both.", "edit": [{"old": "a = 1", "new": "a = 2"}, {"old": "a = 2", "new": "a = 3"}]},
        {"say": "With an argument.", "arguments": {"C": 10}},
    ]
    session = load(written(tmp_path, records))
    assert session.name == "some"
    assert [source for _, source in session.versions("a = 1\n")] == ["a = 1\n", "a = 3\n", "a = 3\n"]
    assert [dict(step.arguments) for step in session.steps] == [{}, {}, {"C": 10}]


@pytest.mark.parametrize("source", ["b = 1", "a = 1; a = 1"])
def test_a_text_that_does_not_occur_exactly_once_names_the_step(source):
    step = Step(number=7, say="Change it.", edit=(Replacement(old="a = 1", new="a = 2"),))
    with pytest.raises(WorkflowError, match=r"step 7 \('Change it.'\).*occurs \d times.*exactly once"):
        step.apply(source)


@pytest.mark.parametrize(
    ("records", "message"),
    [
        ("not json", "cannot be read"),
        ({"say": "x"}, "holds a dict"),
        ([{"edit": []}], 'step 1: a step is an object with at least "say"'),
        ([{"say": "x", "argument": {}}], "step 1: unknown argument"),
        ([{"say": "x", "arguments": [1]}], '"arguments" must be an object'),
        ([{"say": "x"}, {"say": "y", "edit": [{"old": "a"}]}], 'step 2: "edit" must be a list'),
        ([{"say": "x"}, {"say": "y", "edit": [{"old": "a", "new": "a"}]}], "changes nothing"),
        ([{"say": "x", "edit": [{"old": "a", "new": "b"}]}], "without an edit"),
        ([], "without an edit"),
    ],
)
def test_what_is_not_a_session_is_refused_with_the_place(tmp_path, records, message):
    with pytest.raises(WorkflowError, match=message):
        load(written(tmp_path, records))


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(WorkflowError, match="cannot be read"):
        load(tmp_path / "nowhere.session.json")


def test_a_session_can_be_made_by_hand():
    assert Session(name="s", steps=(Step(number=1, say="Start."),)).steps[0].arguments == {}
