"""What every source of histories keeps; a test class inherits it and supplies the fixtures."""

import pytest

from mile_rl.workflows.edits import ChangeClass
from traces.digest import TraceDigest
from traces.errors import TraceError
from traces.mine import mine
from traces.reader import Traces
from traces.sources.base import Tally


class TraceSourceContract:
    """Supply ``source`` (of at least two iterations), ``broken`` (a callable that makes a source of a place
    that is not what it claims, and reads it) and ``names`` (names of people in the source)."""

    @pytest.fixture
    def source(self):
        raise NotImplementedError

    @pytest.fixture
    def broken(self):
        raise NotImplementedError

    @pytest.fixture
    def names(self):
        return ()

    def test_it_gives_histories_of_its_own_name_with_unique_ids(self, source):
        histories = list(source.histories(Tally()))
        assert histories
        assert {history.source for history in histories} == {source.name}
        assert len({history.id for history in histories}) == len(histories)

    def test_the_first_iteration_is_a_start_and_others_follow_earlier_ones(self, source):
        for history in source.histories(Tally()):
            assert [iteration.index for iteration in history.iterations] == list(range(len(history)))
            assert history.iterations[0].change is ChangeClass.START
            for iteration in history.iterations:
                assert (iteration.parent is None) == (iteration.change is ChangeClass.START)
                assert iteration.parent is None or iteration.parent < iteration.index

    def test_a_version_run_again_has_no_edits_and_a_return_names_where_it_was_seen(self, source):
        for history in source.histories(Tally()):
            for iteration in history.iterations:
                if iteration.parent is not None:
                    if iteration.version == history.iterations[iteration.parent].version:
                        assert iteration.edits == ()
                    assert (iteration.edits == ()) == (iteration.change is ChangeClass.NOTHING)
                assert (iteration.returns_to is not None) == (iteration.change is ChangeClass.RETURN)
                if iteration.returns_to is not None:
                    assert history.iterations[iteration.returns_to].version == iteration.version

    def test_iterations_are_in_order_of_time(self, source):
        for history in source.histories(Tally()):
            starts = [each.start_ms for each in history.iterations if each.start_ms is not None]
            assert starts == sorted(starts)

    def test_parents_of_components_stand_before_them(self, source):
        for history in source.histories(Tally()):
            for iteration in history.iterations:
                known = set()
                for component in iteration.components:
                    assert component.name not in known
                    assert known.issuperset(component.parents)
                    known.add(component.name)

    def test_reading_twice_gives_the_same_histories(self, source):
        digests = []
        for _ in range(2):
            digest = TraceDigest()
            for history in source.histories(Tally()):
                digest.add(history)
            digests.append(digest.hexdigest())
        assert digests[0] == digests[1]

    def test_it_counts_what_it_reads_and_reports_progress(self, source):
        tally, seen = Tally(), []
        iterations = sum(
            len(history)
            for history in source.histories(tally, lambda done, total, note: seen.append((done, total, note)))
        )
        assert tally.read >= iterations
        assert all(done >= 0 and note for done, total, note in seen)

    def test_mined_and_read_back_nothing_is_lost_and_nobody_is_named(self, source, names, tmp_path):
        mine([source], tmp_path / "out")
        traces = Traces(tmp_path / "out")
        assert list(traces) == list(source.histories(Tally()))
        everything = (
            b"".join(repr(history).encode() for history in traces)
            + (tmp_path / "out" / "manifest.json").read_bytes()
        )
        for name in names:
            assert name.encode() not in everything

    def test_a_place_that_is_not_what_it_claims_is_one_clear_error(self, broken):
        with pytest.raises(TraceError) as error:
            broken()
        assert len(str(error.value)) > 20
