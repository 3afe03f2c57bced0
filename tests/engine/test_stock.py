"""What is promised for an output whose signature changes before it is kept."""

from types import SimpleNamespace

from mile_rl.engine.stock import Stock
from mile_rl.workflows.dag import Output


def test_what_was_decided_under_another_signature_is_not_kept_and_its_bytes_are_freed():
    """It was made again in between, and opened a file that it had not opened before."""
    told = []
    guard = SimpleNamespace(written=lambda signature, ns: told.append((signature, ns)))
    output = Output("made", "result")
    now = {"made": SimpleNamespace(outputs={"result": "new"})}
    stock = Stock(SimpleNamespace(kept={"old": "a promise"}, guard=guard), now)
    stock._reserved, stock._used_bytes = {"old": 30}, 100
    fate = stock.fate(output)
    fate.kept, fate.promised, fate.size_bytes = True, "old", 30

    stock.keep(output, SimpleNamespace())

    assert not fate.kept
    assert fate.reason == "made from other files than it was when that was decided"
    assert (stock.kept, stock._reserved, stock._used_bytes) == ({}, {}, 70)
    assert told == [("old", 0)]
