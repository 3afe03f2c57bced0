"""Trying a recommendation without making it."""

import linecache
import subprocess
import sys

import pytest

from mile_rl.engine.history import log
from mile_rl.errors import OperatorFailed
from mile_rl.recommend.advise import advise
from mile_rl.recommend.errors import RecommendError
from mile_rl.recommend.trial import attempt


def number_of(advice, wanted):
    return next(number for number, one in enumerate(advice.recommendations, start=1) if wanted(one.change))


def test_the_file_and_the_persons_history_stay_as_they_are(moon):
    moon.run()
    text, flow, project = moon.file.read_text(), moon.flow(), moon.project()
    advice = advise(flow)
    trial = attempt(flow, advice, number_of(advice, lambda change: change.replacements), project=project)
    assert moon.file.read_text() == text
    assert sys.modules["moon"].moon is flow
    assert str(moon.file) not in linecache.cache or linecache.cache[str(moon.file)][1] is not None
    assert [one.record.workflow for one in log(project)] == ["moon.py:moon (what-if)", "moon"]
    assert trial.after is not None
    assert moon.run().report.edits == ()


def test_making_the_change_afterwards_computes_nothing(moon):
    """What was tried is what the printed code does: the same signatures, so everything is there already."""
    moon.run()
    flow, project = moon.flow(), moon.project()
    advice = advise(flow)
    trial = attempt(flow, advice, number_of(advice, lambda change: change.replacements), project=project)
    assert trial.code.startswith("--- moon.py\n+++ moon.py\n")
    subprocess.run(
        ["patch", "-p0"], input=trial.code, text=True, cwd=moon.folder, check=True, capture_output=True
    )
    done = moon.run()
    assert done.report.metrics["accuracy"] == trial.after
    assert done.report.edits != ()
    tried = {node.name: node.signature for node in trial.done.report.nodes}
    assert {node.name: node.signature for node in done.report.nodes} == tried


def test_an_argument_is_tried_and_told_as_a_command(moon):
    moon.run()
    flow, project = moon.flow(), moon.project()
    advice = advise(flow)
    number = number_of(advice, lambda change: "C" in change.arguments)
    trial = attempt(flow, advice, number, project=project)
    value = advice.recommendations[number - 1].change.arguments["C"]
    assert (trial.code, trial.command) == ("", f"mile run moon.py C={value}")
    assert moon.run(C=value).report.metrics["accuracy"] == trial.after


def test_what_was_tried_is_not_recommended_again_and_teaches(moon):
    moon.run()
    flow, project = moon.flow(), moon.project()
    seen = set()
    for _ in range(4):
        advice = advise(flow)
        number = number_of(advice, lambda change: change.replacements)
        key = advice.recommendations[number - 1].change.key
        assert key not in seen
        seen.add(key)
        attempt(flow, advice, number, project=project)
    told = advise(flow, n=12).recommendations
    assert not seen & {one.change.key for one in told}
    assert any("scores of yours" in one.evidence for one in told)


def test_a_trial_that_raises_is_named_and_not_recommended_again(moon):
    moon.edit(
        "    return LogisticRegression(C=C).fit(table, labels)", "    return made(C).fit(table, labels)"
    )
    moon.edit(
        '@op(stage="learn")',
        "def made(C):\n    model = LogisticRegression(C=1.0)\n    assert model.C == 1.0\n    return model\n\n\n"
        '@op(stage="learn")',
    )
    moon.run()
    flow, project = moon.flow(), moon.project()
    advice = advise(flow, n=12)
    number = number_of(
        advice, lambda change: any("Forest" in one.new or "Trees" in one.new for one in change.replacements)
    )
    with pytest.raises(OperatorFailed):
        attempt(flow, advice, number, project=project)
    key = advice.recommendations[number - 1].change.key
    assert key not in {one.change.key for one in advise(flow, n=12).recommendations}
    assert sys.modules["moon"].moon is flow


def test_a_file_that_was_edited_meanwhile_is_not_guessed_at(moon):
    moon.run()
    flow, project = moon.flow(), moon.project()
    advice = advise(flow)
    moon.edit("noise=0.25", "noise=0.3")
    with pytest.raises(RecommendError, match="mile recommend"):
        attempt(flow, advice, number_of(advice, lambda change: change.replacements), project=project)


def test_what_is_up_to_the_person_cannot_be_tried(own):
    own.run()
    flow, project = own.flow(), own.project()
    advice = advise(flow, n=10)
    number = number_of(advice, lambda change: not change.applicable)
    with pytest.raises(RecommendError, match="up to you"):
        attempt(flow, advice, number, project=project)
    with pytest.raises(RecommendError, match="no recommendation 99"):
        attempt(flow, advice, 99, project=project)


def test_scaling_is_added_where_a_learner_needs_it_and_once_only(moon):
    moon.run()
    flow, project = moon.flow(), moon.project()
    advice = advise(flow, stage="preprocess", n=10)
    number = number_of(advice, lambda change: change.words.startswith("standardise"))
    trial = attempt(flow, advice, number, project=project)
    assert "make_pipeline(StandardScaler(), LogisticRegression(C=C))" in trial.code
    assert trial.after is not None
    words = [one.change.words for one in advise(flow, stage="preprocess", n=10).recommendations]
    assert not any(one.startswith("standardise") for one in words)


def test_a_step_of_a_pipeline_can_be_taken_away(moon):
    moon.edit("LogisticRegression(C=C)", "make_pipeline(StandardScaler(), PCA(2), LogisticRegression(C=C))")
    moon.edit(
        "from mile_rl import op",
        "from sklearn.decomposition import PCA\nfrom sklearn.pipeline import make_pipeline\n"
        "from sklearn.preprocessing import StandardScaler\n\nfrom mile_rl import op",
    )
    moon.run()
    flow, project = moon.flow(), moon.project()
    advice = advise(flow, stage="preprocess", n=10)
    number = number_of(advice, lambda change: change.words.startswith("remove PCA"))
    trial = attempt(flow, advice, number, project=project)
    assert "+    return make_pipeline(StandardScaler(), LogisticRegression(C=C))" in trial.code
    assert trial.after is not None
    words = [one.change.words for one in advise(flow, stage="preprocess", n=10).recommendations]
    assert not any(one.startswith("remove PCA") for one in words)
    assert any(one.startswith("remove StandardScaler") for one in words)
