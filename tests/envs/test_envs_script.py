from dataclasses import replace

import numpy as np
import pytest
from made_scripts import chain, random_script

from envs.bank import Bank
from envs.errors import ScriptError


def scripts(count=5):
    return [random_script(np.random.default_rng(seed), name=f"s{seed}") for seed in range(count)]


def test_a_bank_gives_back_what_was_saved(tmp_path):
    bank = Bank(scripts(), {"seed": 7})
    bank.save(tmp_path / "bank.npz")
    again = Bank.load(tmp_path / "bank.npz")
    assert again.facts == {"seed": 7}
    assert len(again) == 5
    assert all(left.equals(right) for left, right in zip(bank, again))
    assert [path.name for path in tmp_path.iterdir()] == ["bank.npz"]


def test_an_empty_bank_is_a_bank(tmp_path):
    Bank([]).save(tmp_path / "bank.npz")
    assert len(Bank.load(tmp_path / "bank.npz")) == 0


def test_what_is_no_bank_is_one_clear_error(tmp_path):
    for content in (b"", b"nonsense", b"PK\x03\x04broken"):
        (tmp_path / "bank.npz").write_bytes(content)
        with pytest.raises(ScriptError, match="envs make"):
            Bank.load(tmp_path / "bank.npz")


def test_a_bank_is_cut_like_a_list():
    bank = Bank(scripts())
    assert [script.name for script in bank[1:3]] == ["s1", "s2"]
    assert [script.name for script in bank[[4, 0]]] == ["s4", "s0"]
    assert bank[2].name == "s2"


def test_a_return_names_the_same_rows_again():
    script = chain((1, 1), (1, 1), [(0, 0), (0, 1), (0, 0)])
    np.testing.assert_array_equal(script.version(0), script.version(2))
    assert script.nodes == 3


@pytest.mark.parametrize(
    ("field", "change"),
    [
        ("output_node", lambda a: a[::-1].copy()),
        ("take_output", lambda a: a + 1),
        ("version_node", lambda a: a[::-1].copy()),
        ("scenario_p", lambda a: a * 2),
        ("node_ns", lambda a: -a - 1),
        ("node_stage", lambda a: a + 5),
        ("stop", lambda a: a + 1),
        ("scenario_turn", lambda a: a + 1),
        ("look_node", lambda a: a[:-1]),
        ("node_ns", lambda a: a.astype(np.int32)),
    ],
)
def test_arrays_that_do_not_fit_together_are_refused(field, change):
    script = chain((1, 1), (1, 1), [(0, 0), (0, 1)])
    with pytest.raises(ScriptError, match="does not fit together"):
        replace(script, **{field: change(getattr(script, field))})
