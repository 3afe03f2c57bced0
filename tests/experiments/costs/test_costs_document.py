"""The document tells the figures that the shipped table and model have."""

from __future__ import annotations

from pathlib import Path

import pytest

from envs.costs import CostError, CostModel
from envs.costs.model import TABLE
from experiments.costs.document import FIGURES, OBOE, draw, figures, replace_block
from experiments.costs.table import read_table

DOCUMENT = Path(__file__).resolve().parents[3] / "docs" / "costs.md"


def test_the_figures_are_current():
    text = DOCUMENT.read_text()
    assert figures(CostModel.load(), read_table(TABLE)) in text, (
        "run: python -m experiments.calibrate_costs report"
    )


def test_it_names_every_operator_with_its_errors():
    text = figures(CostModel.load(), read_table(TABLE))
    for name, info in CostModel.load().operators.items():
        assert f"| {name} | {info.family} | " in text


def test_the_comparison_with_public_runtimes_is_in_it():
    block = DOCUMENT.read_text().partition(OBOE[0])[2].partition(OBOE[1])[0]
    assert "| pooled |" in block


def test_a_block_takes_the_place_of_the_one_before(tmp_path):
    path = tmp_path / "d.md"
    path.write_text(f"before {FIGURES[0]} old {FIGURES[1]} after")
    replace_block(path, FIGURES, "new")
    assert path.read_text() == f"before {FIGURES[0]}\n\nnew\n\n{FIGURES[1]} after"


def test_a_document_without_the_place_is_refused(tmp_path):
    path = tmp_path / "d.md"
    path.write_text("nothing here")
    with pytest.raises(CostError, match="no place"):
        replace_block(path, FIGURES, "new")


def test_the_plot_is_drawn(tmp_path):
    draw(CostModel.load(), read_table(TABLE)[::20], tmp_path / "costs.png")
    assert (tmp_path / "costs.png").stat().st_size > 10_000
