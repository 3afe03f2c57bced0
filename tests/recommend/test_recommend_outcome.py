"""The outcome model: what ships, and what conditioning on scores does."""

import io
import math
from importlib.resources import files

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mile_rl.recommend import evidence
from mile_rl.recommend.belief import Gaussian, expected_gain, from_scale, to_scale
from mile_rl.recommend.errors import RecommendError
from mile_rl.recommend.outcome import OutcomeModel, Seen, Size, shipped

COUNT = len(shipped().configurations)

scores = st.lists(
    st.builds(
        Seen,
        configuration=st.integers(0, COUNT - 1),
        error=st.floats(0, 1),
        seconds=st.none() | st.floats(1e-3, 1e4),
        doubt=st.floats(0, 0.5),
    ),
    max_size=8,
)
sizes = st.none() | st.builds(Size, rows=st.integers(1, 10**7), columns=st.integers(1, 10**5))


@settings(max_examples=60, deadline=None)
@given(seen=scores, size=sizes, at=st.integers(0, COUNT - 1), doubt=st.sampled_from([0.0, 0.25]))
def test_whatever_was_seen_intervals_are_ordered_and_chances_are_chances(seen, size, at, doubt):
    belief = shipped().belief(seen, size, level_doubt=doubt)
    median, low, high = belief.error(at)
    assert 0 <= low <= median <= high <= 1
    chances = [belief.below(at, error) for error in (0.0, 0.1, 0.5, 1.0)]
    assert all(0 < chance < 1 for chance in chances)
    assert chances == sorted(chances)
    assert np.isfinite(belief.value()).all()
    assert belief.kind_weights().sum() == pytest.approx(1)


@given(error=st.floats(0, 1))
def test_the_scale_goes_there_and_back(error):
    assert from_scale(to_scale(np.array([error])))[0] == pytest.approx(error, abs=1e-9)


def test_conditioning_is_exact():
    """Against the textbook's formula, block by block."""
    rng = np.random.default_rng(0)
    factors, noise = rng.normal(size=(6, 2)), np.full(6, 0.3)
    before = Gaussian.of(np.arange(6.0), factors, noise)
    at, values, doubts = np.array([1, 4]), np.array([3.0, 2.0]), np.array([0.1, 0.2])
    after = before.given(at, values, doubts)
    covariance = factors @ factors.T + np.diag(noise)
    inverse = np.linalg.inv(covariance[np.ix_(at, at)] + np.diag(doubts))
    gain = covariance[:, at] @ inverse
    np.testing.assert_allclose(after.mean, np.arange(6.0) + gain @ (values - [1, 4]), rtol=1e-4)
    np.testing.assert_allclose(after.covariance, covariance - gain @ covariance[at], atol=1e-4)


def test_a_surprise_widens_all_intervals_and_an_expected_score_narrows_them():
    model = shipped()
    expected = float(from_scale(model.belief().errors.mean[:1])[0])
    usual = model.belief([Seen(configuration=0, error=expected)])
    odd = model.belief([Seen(configuration=0, error=0.99)])
    assert odd.errors.drift > 1 > usual.errors.drift


def test_a_score_teaches_most_about_its_own_configuration_and_something_about_the_family():
    model = shipped()
    families = [one.family for one in model.configurations]
    forests = [at for at, family in enumerate(families) if family == "RF"]
    before = model.belief([Seen(configuration=forests[0], error=0.3)])
    after = model.belief([Seen(configuration=forests[0], error=0.1)])
    assert after.error(forests[0])[0] == pytest.approx(0.1, abs=0.01)
    assert after.error(forests[1])[0] < before.error(forests[1])[0] - 0.1


def test_doubt_about_the_level_leaves_differences_between_configurations():
    """A score says less about how hard the data are; two of them still say which is better."""
    model = shipped()
    seen = [Seen(configuration=0, error=0.02)]
    sure, doubtful = model.belief(seen), model.belief(seen, level_doubt=4.0)
    moved = doubtful.errors.mean - model.belief().errors.mean
    assert np.ptp(moved) < np.ptp(sure.errors.mean - model.belief().errors.mean)


def test_waiting_counts_against_gain():
    model = shipped()
    belief = model.belief([Seen(configuration=0, error=0.3)])
    slow = type(belief)(
        **{name: getattr(belief, name) for name in belief.__slots__} | {"log_seconds": belief.log_seconds + 5}
    )
    assert (slow.value() < belief.value()).all()


def test_a_draw_is_steady_for_a_seed_and_spreads_as_believed():
    belief = shipped().belief([Seen(configuration=0, error=0.3)])
    one, same = (belief.draw(np.random.default_rng(7)) for _ in range(2))
    np.testing.assert_array_equal(one, same)
    many = np.array([belief.draw(np.random.default_rng(seed)) for seed in range(300)])
    np.testing.assert_allclose(
        many.std(axis=0).mean() / belief.stretch, belief.errors.deviation.mean(), rtol=0.1
    )


@pytest.mark.parametrize(
    ("mean", "deviation", "best"), [(0.0, 1.0, 0.0), (1.0, 0.5, 0.2), (-1.0, 2.0, 0.5), (5.0, 0.1, 0.0)]
)
def test_expected_gain_is_the_mean_of_what_is_gained(mean, deviation, best):
    drawn = np.random.default_rng(1).normal(mean, deviation, 400_000)
    gain = expected_gain(np.array([mean]), np.array([deviation]), best)[0]
    assert gain == pytest.approx(np.maximum(best - drawn, 0).mean(), abs=5e-3)
    assert gain >= 0


def test_what_ships_is_small_and_needs_no_pickle():
    for name in ("outcome.npz", "evidence.npz"):
        content = (files("mile_rl.recommend") / name).read_bytes()
        assert len(content) < 1_000_000
        with np.load(io.BytesIO(content), allow_pickle=False) as file:
            assert all(not file[key].dtype.hasobject for key in file)


def test_the_model_goes_to_bytes_and_back():
    model = shipped()
    again = OutcomeModel.from_bytes(model.to_bytes())
    assert again.configurations == model.configurations
    assert again.ranking == model.ranking
    np.testing.assert_array_equal(again.kind_scores, model.kind_scores)
    assert again.facts["datasets"] == len(again.facts["data_ids"])


def test_another_format_is_refused_with_the_remedy(monkeypatch):
    monkeypatch.setattr("mile_rl.recommend.outcome.FORMAT", 99)
    content = shipped().to_bytes()
    monkeypatch.undo()
    with pytest.raises(RecommendError, match=r"experiments\.outcome fit"):
        OutcomeModel.from_bytes(content)


def test_evidence_counts_add_up():
    told = evidence.shipped()
    ties = told.datasets[:, None, None] - told.wins - told.wins.transpose(0, 2, 1)
    assert (ties >= 0).all()
    np.testing.assert_array_equal(np.einsum("kii->ki", told.wins), 0)
    small, large = told.told(0, 5, Size(rows=100, columns=3)), told.told(0, 5, Size(rows=9_000, columns=3))
    whole = told.told(0, 5, None)
    assert whole.datasets == int(told.datasets.sum()) > small.datasets + large.datasets
    assert 0 <= whole.better <= whole.datasets
    assert math.isfinite(whole.median_gain)
