"""The fit and the comparison of the outcome model, on made outcomes whose truth is known."""

import json

import numpy as np
import pytest

from experiments.outcome.__main__ import main
from experiments.outcome.calibration import calibrate, coverage
from experiments.outcome.data import FOLDS, Outcomes, read
from experiments.outcome.evaluate import compared, judge, table
from experiments.outcome.evidence import evidence
from experiments.outcome.fitting import FitSettings, fit
from experiments.outcome.rows import OURS, ROWS, best_ranked, greedy_portfolio, outcome_model, random
from experiments.outcome.sessions import Played, play, weak_starts
from mile_rl.errors import MileError
from mile_rl.recommend.belief import from_scale
from mile_rl.recommend.outcome import Configuration, Seen, Size

SETTINGS = {"width": 0.8, "gaussian_share": 0.6, "waiting_power": 0.2}


def made(datasets=60, seed=0, noise=0.1):
    """Outcomes of a factor model: two kinds of learners, each good on one half of the datasets."""
    rng = np.random.default_rng(seed)
    configurations = tuple(
        Configuration(family=family, parameters={"C": 2.0**power})
        for family in ("kSVM", "RF")
        for power in range(8)
    )
    kind = rng.integers(2, size=datasets)
    level = rng.normal(-1.0, 0.7, size=datasets)
    best = rng.normal(3.5, 1.0, size=datasets)
    powers = np.tile(np.arange(8), 2)
    family = np.repeat([0, 1], 8)
    scores = level[:, None] + 1.5 * (family != kind[:, None]) + 0.05 * (powers - best[:, None]) ** 2
    scores += rng.normal(0, noise, size=scores.shape)
    sizes = np.column_stack([rng.integers(100, 9000, size=datasets), rng.integers(2, 90, size=datasets)])
    seconds = np.exp(0.5 * np.log(sizes[:, :1] / 100) + 2.0 * family + rng.normal(0, 0.1, size=scores.shape))
    return Outcomes(
        names=tuple(str(name) for name in range(datasets)),
        configurations=configurations,
        errors=from_scale(scores),
        seconds=seconds,
        sizes=sizes,
        digest="made",
    )


def test_the_model_finds_the_kind_of_data_from_one_score():
    outcomes = made(120)
    model = fit(outcomes.only(np.arange(100)), FitSettings(factors=4, time_factors=2, kind_factors=6))
    right = 0
    for at in range(100, 120):
        errors = outcomes.errors[at]
        belief = model.belief([Seen(configuration=3, error=float(errors[3]))])
        right += int(np.argmin(belief.errors.mean) // 8 == np.argmin(errors) // 8)
    assert right >= 14


def test_intervals_cover_as_much_as_they_say():
    outcomes = made(200, noise=0.3)
    train, test = outcomes.only(np.arange(120)), outcomes.only(np.arange(120, 200))
    settings = FitSettings(factors=4, time_factors=2, kind_factors=6)
    stretch, sureness = calibrate(lambda some: fit(some, settings), train)
    model = fit(
        train,
        FitSettings(factors=4, time_factors=2, kind_factors=6, stretch=stretch, sureness=sureness),
    )
    shares = [row["all"] for row in coverage(model, test)]
    assert 0.72 <= np.mean(shares) <= 0.88


def test_the_model_beats_what_ignores_the_scores():
    outcomes = made(150)
    train, test = outcomes.only(np.arange(100)), outcomes.only(np.arange(100, 150))
    regret = {
        row.__name__: play(test, row(train, SETTINGS), starts=3).regrets[:, 3].mean()
        for row in (random, best_ranked, outcome_model)
    }
    assert regret["outcome_model"] < 0.7 * min(regret["random"], regret["best_ranked"])


def test_sessions_start_weak_try_nothing_twice_and_can_be_derived_again():
    outcomes = made(10)
    choose = outcome_model(outcomes, SETTINGS)
    one, again = (play(outcomes, choose, starts=2) for _ in range(2))
    assert one.actions == again.actions
    np.testing.assert_array_equal(one.regrets, again.regrets)
    for at, name in enumerate(outcomes.names):
        starts = weak_starts(outcomes.errors[at], name, 2)
        for order, start in zip(one.actions[name], starts):
            assert order[0] == start
            assert len(set(order)) == len(order)
            errors = outcomes.errors[at]
            assert (errors < errors[start]).mean() >= 0.65
    assert (one.regrets[:, 0] == 1).all()
    assert (np.diff(one.regrets, axis=1) <= 1e-12).all()


def test_the_greedy_portfolio_takes_what_adds_most():
    """By hand: 0 is best on average; then 2 repairs what 0 leaves, though 1 is the better one alone."""
    errors = np.array([[0.0, 0.1, 1.0], [0.0, 0.1, 1.0], [0.9, 1.0, 0.0]])
    outcomes = Outcomes(
        names=("a", "b", "c"),
        configurations=tuple(Configuration(family="RF") for _ in range(3)),
        errors=errors,
        seconds=np.ones((3, 3)),
        sizes=np.array([[10, 2], [20, 2], [30, 2]]),
        digest="",
    )
    values = greedy_portfolio(outcomes, {})([], Size(rows=1, columns=1), np.random.default_rng(0))
    assert list(np.argsort(-values)) == [0, 2, 1]


def test_regret_and_waiting_are_those_computed_by_hand():
    outcomes = made(1)
    outcomes.errors[0, :] = 0.5
    outcomes.errors[0, :3] = [0.2, 0.1, 0.3]
    outcomes.seconds[0, :] = 1.0
    outcomes.seconds[0, :3] = [2.0, 4.0, 8.0]
    order = [2, 0, 1, *range(3, 16)]
    played = play(
        outcomes,
        lambda tried, size, rng: -np.argsort(order).astype(float),
        starts=1,
    )
    assert played.regrets[0, :4] == pytest.approx([1.0, 0.5, 0.25, 0.0])
    assert played.seconds[0] == pytest.approx(8.0 + 2.0 + 4.0)


def test_datasets_of_one_shape_stay_on_one_side():
    outcomes = made(40)
    outcomes.sizes[20:] = outcomes.sizes[:20]
    folds = outcomes.folds()
    np.testing.assert_array_equal(folds[:20], folds[20:])
    assert set(folds) <= set(range(FOLDS))


def test_a_paired_interval_excludes_zero_where_one_row_is_better_everywhere():
    rng = np.random.default_rng(0)
    worse = rng.uniform(0.4, 0.6, size=(50, 11))
    rows = {
        "random": Played(regrets=worse, seconds=np.full(50, 10.0), actions={}),
        OURS: Played(regrets=worse - 0.1, seconds=np.full(50, 5.0), actions={}),
    }
    beside = compared(rows, [str(at) for at in range(50)])["rows"]["random"]["ours_beside"]
    assert beside["regret_5_difference"] == pytest.approx([-0.1] * 3)
    assert beside["seconds_ratio"] == pytest.approx([0.5] * 3)


def test_evidence_counts_wins_by_size():
    outcomes = made(30)
    told = evidence(outcomes)
    assert told.datasets.sum() == 30
    wins = sum(outcomes.errors[at, 5] < outcomes.errors[at, 2] for at in range(30))
    assert told.told(2, 5, None).better == wins


def write(outcomes, folder, rows):
    import pandas as pd

    columns = [
        str({"algorithm": one.family, "hyperparameters": dict(one.parameters)})
        for one in outcomes.configurations
    ]
    index = [f"{int(outcomes.names[row]):05d}" for row in rows]
    folder.mkdir()
    pd.DataFrame(outcomes.errors[rows], index, columns).to_csv(folder / "oboe_error_matrix.csv.gz")
    pd.DataFrame(outcomes.seconds[rows], index, columns).to_csv(folder / "oboe_runtime_matrix.csv.gz")
    pd.DataFrame(outcomes.sizes[rows], [int(name) for name in index]).to_csv(
        folder / "oboe_dataset_sizes.csv"
    )


def test_tables_are_read_judged_and_fitted_from_the_command_line(tmp_path, monkeypatch, capsys):
    outcomes = made(60)
    write(outcomes, tmp_path / "seen", list(range(40)))
    write(outcomes, tmp_path / "all", list(range(60)))
    again = read(tmp_path / "seen")
    np.testing.assert_allclose(again.errors, outcomes.errors[:40])
    assert again.configurations == outcomes.configurations[:]
    small = {name: ROWS[name] for name in ("random", "greedy portfolio")}
    monkeypatch.setattr("experiments.outcome.evaluate.ROWS", {**small, OURS: (outcome_model, (SETTINGS,))})
    held = ["--held-out", str(tmp_path / "all"), "--starts", "1", "--rows", "random", OURS]
    assert main(["evaluate", str(tmp_path / "seen"), "--out", str(tmp_path / "report"), *held]) == 0
    report = json.loads((tmp_path / "report" / "report.json").read_text())
    assert report["datasets"] == 20
    assert capsys.readouterr().out == table(report)
    assert (tmp_path / "report" / "regret.png").stat().st_size > 5_000
    monkeypatch.setitem(ROWS, OURS, (outcome_model, (SETTINGS,)))  # type: ignore[arg-type]
    (tmp_path / "out").mkdir()
    assert main(["fit", str(tmp_path / "seen"), "--out", str(tmp_path / "out")]) == 0
    first = (tmp_path / "out" / "outcome.npz").read_bytes()
    assert main(["fit", str(tmp_path / "seen"), "--out", str(tmp_path / "out")]) == 0
    assert (tmp_path / "out" / "outcome.npz").read_bytes() == first


def test_every_fold_is_judged_by_fits_that_never_saw_it(monkeypatch):
    outcomes = made(40)
    learned = []

    def spy(train, settings):
        learned.append(set(train.names))
        return random(train, settings)

    monkeypatch.setattr("experiments.outcome.evaluate.ROWS", {"random": (spy, ({},))})
    report = judge(outcomes, starts=1, only=("random",))
    assert report["datasets"] == 40
    folds = outcomes.folds()
    for fold, names in enumerate(learned):
        assert names == {outcomes.names[at] for at in np.flatnonzero(folds != fold)}


def test_a_folder_without_tables_is_one_clear_line(tmp_path, capsys):
    assert main(["fit", str(tmp_path)]) == 1
    assert capsys.readouterr().err.startswith("error: ")
    with pytest.raises(MileError, match="lacks a table"):
        read(tmp_path)
