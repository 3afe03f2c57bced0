"""A trained policy: its file is checked, its network computed alike both ways, its answer weighs."""

import contextlib
import json
import subprocess
import sys
from dataclasses import asdict, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from outlooks import outlook_of
from policy_contract import PolicyContract, artifact, candidate
from test_expected import SEEDS, S, chain, expecting, situation

from mile_rl.errors import SettingsError
from mile_rl.policies import Budget, make_policy, onnx_file
from mile_rl.policies.appraisal import UNTUNED, ExpectedSettings
from mile_rl.policies.errors import PolicyRefused
from mile_rl.policies.guard import COLD_NS
from mile_rl.policies.learned import Learned
from mile_rl.policies.network import Network, _Session
from mile_rl.policies.observation import SIZE
from mile_rl.policies.outlook import EDIT, NOTHING

MS = 1_000_000

policy_files = pytest.importorskip("policy_files", reason="onnx is not installed")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("policies")
    rng = np.random.default_rng(0)
    (folder / "random.onnx").write_bytes(policy_files.dense(rng, scale=0.3))
    (folder / "neutral.onnx").write_bytes(policy_files.constant(0.0))
    (folder / "eager.onnx").write_bytes(policy_files.constant(1.0))
    (folder / "shy.onnx").write_bytes(policy_files.constant(-7.0))
    (folder / "squashed.onnx").write_bytes(policy_files.squashed(rng))
    return folder


class TestLearned(PolicyContract):
    @pytest.fixture(autouse=True)
    def _file(self, folder):
        type(self).path = folder / "random.onnx"
        type(self).name = f"learned:{self.path}"

    def make(self):
        return Learned(self.path)


def foreseeing(path, outlook):
    policy = Learned(path)
    policy.on_iteration(3, {}, ())
    policy.on_outlook(outlook)
    return policy


class TestAnswers:
    @settings(max_examples=60, deadline=None)
    @given(seed=SEEDS)
    def test_a_network_that_says_one_is_the_expected_saving(self, folder, seed):
        outlook, new, kept, budget = situation(seed)
        learned = foreseeing(folder / "neutral.onnx", outlook).admit(new, kept, budget)
        assert learned == expecting(outlook).admit(new, kept, budget)

    def test_a_network_that_likes_it_has_it_kept_and_one_that_does_not_has_not(self, folder):
        outlook = chain((EDIT, (2,), 1.0))
        clean = candidate("o1", recreation_ns=15 * S, load_ns=MS, write_ns=20 * S)  # worth 15 s and a bit
        eager = foreseeing(folder / "eager.onnx", outlook)
        decision = eager.admit(clean, (), Budget(total_bytes=1_000, used_bytes=0))
        assert decision.keep
        assert "the network takes that for 4.5 times" in decision.reason
        assert eager.multiplier == pytest.approx(np.exp(1.5))
        assert eager.observation.shape == (SIZE,)
        cheap = replace(clean, write_ns=4 * S)
        shy = foreseeing(folder / "shy.onnx", outlook)
        assert not shy.admit(cheap, (), Budget(total_bytes=1_000, used_bytes=0)).keep
        assert shy.multiplier == pytest.approx(np.exp(-1.5))  # an action beyond -1 counts as -1

    def test_its_answer_goes_on_protecting_what_was_kept_in_a_later_process_too(self, folder):
        outlook = outlook_of(
            [[], []],
            compute_ns=[10 * S, 20 * S],
            scenarios=((NOTHING, (), 1.0),),
            requested=[0, 1],
            stop=0.5,
        )
        half = Budget(total_bytes=100, used_bytes=0)
        first = candidate("o0", recreation_ns=10 * S, write_ns=MS)
        eager = foreseeing(folder / "eager.onnx", outlook)
        assert eager.admit(first, (), half).keep
        kept = [artifact("o0", recreation_ns=10 * S, last_used=3, kept_at=3)]
        full = Budget(total_bytes=100, used_bytes=100)
        second = candidate("o1", recreation_ns=20 * S, write_ns=MS)
        assert expecting(outlook).admit(second, kept, full).evict == ("o0",)
        # The first counts 4.5 times; a network that answers 1 for the second has it stay.
        later = Learned(folder / "neutral.onnx")
        later.restore(json.loads(json.dumps(eager.state())))
        later.on_iteration(3, {}, kept)
        later.on_outlook(outlook)
        assert not later.admit(second, kept, full).keep

    def test_what_is_gone_is_forgotten(self, folder):
        policy = Learned(folder / "eager.onnx")
        policy.restore({"multipliers": {"a": 2.0, "b": 3.0}})
        policy.on_iteration(4, {}, [artifact("b")])
        assert policy.state() == {"multipliers": {"b": 3.0}}


class TestNetworks:
    @pytest.mark.parametrize("transposed", [False, True])
    @pytest.mark.parametrize("seed", range(3))
    def test_numpy_answers_what_onnxruntime_answers(self, tmp_path, transposed, seed):
        pytest.importorskip("onnxruntime")
        rng = np.random.default_rng(seed)
        path = tmp_path / "policy.onnx"
        path.write_bytes(policy_files.dense(rng, transposed=transposed, scale=0.2))
        network, session = Network(path), _Session(path.read_bytes())
        assert network.in_numpy
        for _ in range(20):
            features = rng.normal(size=SIZE).astype(np.float32)
            expected = np.exp(network.scale * float(session(features[None])[0, 0]))
            assert network.multiplier(features) == pytest.approx(expected, rel=1e-5)

    def test_any_other_network_goes_to_onnxruntime(self, folder):
        pytest.importorskip("onnxruntime")
        network = Network(folder / "squashed.onnx")
        assert not network.in_numpy
        assert network.multiplier(np.zeros(SIZE, dtype=np.float32)) == 1.0
        assert network.multiplier(np.ones(SIZE, dtype=np.float32)) != 1.0

    def test_without_onnxruntime_the_remedy_is_told_and_dense_chains_work(self, folder, monkeypatch):
        monkeypatch.setitem(sys.modules, "onnxruntime", None)
        monkeypatch.setattr("mile_rl.policies.network.find_spec", lambda name: None)
        assert Network(folder / "random.onnx").in_numpy
        with pytest.raises(PolicyRefused, match=r"pip install 'mile-rl\[learned\]'"):
            Network(folder / "squashed.onnx")

    def test_a_network_of_another_width_is_named(self, tmp_path):
        path = tmp_path / "narrow.onnx"
        path.write_bytes(policy_files.dense(np.random.default_rng(0), width=7))
        with pytest.raises(PolicyRefused, match="cannot be computed"):
            Network(path).multiplier(np.zeros(SIZE, dtype=np.float32))

    def test_an_answer_that_is_no_number_is_refused(self, tmp_path):
        path = tmp_path / "nan.onnx"
        path.write_bytes(policy_files.constant(float("nan")))
        with pytest.raises(PolicyRefused, match="not one number"):
            Network(path).multiplier(np.zeros(SIZE, dtype=np.float32))


class TestRefusals:
    @pytest.mark.parametrize(
        ("changed", "reason"),
        [
            ({"mile_rl.observation_schema": "999"}, "observation schema '999'"),
            ({"mile_rl.observation_features": "feed"}, "list of features"),
            ({"mile_rl.action_form": "keep-or-skip"}, "action form 'keep-or-skip'"),
            ({"mile_rl.format": "0"}, "format '0'"),
            ({"mile_rl.training_digest": ""}, "training digest"),
            ({"mile_rl.training_digest": "by hand"}, "training digest"),
            ({"mile_rl.action_scale": "nan"}, "action scale"),
            ({"mile_rl.action_scale": "much"}, "action scale"),
            ({"mile_rl.expected_settings": '{"discount": 7}'}, "discount"),
            ({"mile_rl.expected_settings": "[]"}, "constants"),
        ],
    )
    def test_a_file_of_another_making_is_refused_with_the_reason(self, tmp_path, changed, reason):
        path = tmp_path / "policy.onnx"
        path.write_bytes(policy_files.constant(0.0, policy_files.good_metadata() | changed))
        with pytest.raises(PolicyRefused, match=reason) as refusal:
            Learned(path)
        assert str(path) in str(refusal.value)

    def test_a_file_without_metadata_is_refused(self, tmp_path):
        path = tmp_path / "policy.onnx"
        path.write_bytes(policy_files.constant(0.0, {}))
        with pytest.raises(PolicyRefused, match="says nothing of its format"):
            make_policy(f"learned:{path}")

    def test_a_missing_file_is_named(self, tmp_path):
        with pytest.raises(PolicyRefused, match="cannot be read"):
            make_policy(f"learned:{tmp_path / 'nowhere.onnx'}")

    def test_a_policy_of_almost_that_name_is_suggested(self):
        with pytest.raises(SettingsError, match="expected"):
            make_policy("expectd")

    @settings(max_examples=200, deadline=None)
    @given(content=st.binary(max_size=200))
    def test_whatever_the_bytes_are_nothing_but_that_is_raised(self, content):
        for read in (onnx_file.metadata, onnx_file.graph):
            with contextlib.suppress(onnx_file.NotOnnx):
                read(content)  # a few bytes may happen to be a model; nothing else is raised

    @settings(max_examples=60, deadline=None)
    @given(data=st.data())
    def test_a_file_cut_short_never_becomes_another_policy(self, folder, data):
        whole = (folder / "random.onnx").read_bytes()
        part = whole[: data.draw(st.integers(0, len(whole) - 1))]
        path = folder / "part.onnx"
        path.write_bytes(part)
        with pytest.raises(PolicyRefused):
            Network(path)


def test_the_constants_travel_with_the_file(tmp_path):
    constants = ExpectedSettings(discount=0.9, background=0.1)
    path = tmp_path / "policy.onnx"
    path.write_bytes(policy_files.constant(0.0, policy_files.good_metadata(settings=constants)))
    assert asdict(Learned(path).settings) == asdict(constants)
    assert asdict(constants) != asdict(UNTUNED)


class TestTheShippedFile:
    def test_it_is_read_when_it_is_first_asked_and_a_named_one_at_once(self, monkeypatch, tmp_path):
        missing = tmp_path / "gone.onnx"
        monkeypatch.setattr("mile_rl.policies.learned.SHIPPED", missing)
        policy = Learned()
        assert policy.on_iteration(1, {}, ()) == ()
        with pytest.raises(PolicyRefused, match=r"gone\.onnx cannot be read"):
            policy.admit(candidate(), (), Budget(total_bytes=10**9, used_bytes=0))
        with pytest.raises(PolicyRefused, match=r"gone\.onnx cannot be read"):
            Learned(missing)

    def test_a_new_process_settles_as_much_as_under_expected(self):
        asks = """
from mile_rl.policies.guard import settled_ns
from mile_rl.policies.registry import make_policy
policy = make_policy("learned")
policy.restore({"multipliers": {"a": 2.0}})
policy.on_iteration(1, {}, ())
policy.state()
print(settled_ns())
"""
        said = subprocess.run([sys.executable, "-c", asks], capture_output=True, text=True, check=True)
        assert int(said.stdout) == COLD_NS
