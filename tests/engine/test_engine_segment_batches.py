"""Jobs in batches: complete, in an order that works, and how long they take."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from segment_designs import designs, simulated

from qbench.planning.segments import Job, Phase, Segment, Tree, batches, makespan


@given(designs, st.booleans())
def test_every_segment_and_every_run_is_in_exactly_one_job(runs, share):
    tree = Tree(runs, None if share else [str(number) for number in range(len(runs))])
    jobs = [job for batch in batches(tree) for job in batch]
    done = [segment.id for job in jobs for segment in job.segments]
    assert sorted(done) == sorted(segment.id for segment in tree.segments)
    assert sorted(run for job in jobs for run in job.runs) == list(range(len(runs)))
    assert all(job.segments or job.runs for job in jobs)
    assert all(batches(tree))


@given(designs)
def test_what_a_job_needs_is_made_in_an_earlier_batch(runs):
    tree = Tree(runs)
    made: set[str] = set()
    for batch in batches(tree):
        for job in batch:
            for before, segment in zip(job.segments, job.segments[1:], strict=False):
                assert segment.parent is before
            if job.segments and job.segments[0].parent:
                assert job.segments[0].parent.id in made
            for run in job.runs:
                at = job.segments[-1] if job.segments else tree.last[run]
                assert at is tree.last[run]
                assert job.segments or at.id in made
        made |= {segment.id for job in batch for segment in job.segments}


@given(designs)
def test_what_several_runs_share_is_a_trunk_and_the_rest_goes_with_its_run(runs):
    for batch in batches(Tree(runs)):
        steps = [job.steps for job in batch]
        assert steps == sorted(steps, reverse=True)
        for job in batch:
            assert len(job.runs) <= 1
            assert all((segment.uses > 1) == (not job.runs) for segment in job.segments)


@given(designs, st.integers(1, 5))
def test_makespan_is_that_of_a_simulation_and_within_its_bounds(runs, workers):
    tree = Tree(runs)
    jobs = batches(tree)
    length = makespan(jobs, workers)
    assert length == simulated(jobs, workers)
    assert length >= tree.critical_path
    assert length * workers >= tree.steps_shared
    assert length <= tree.steps_shared
    assert makespan(jobs, 1) == tree.steps_shared


def test_makespan_by_hand():
    def job(steps):
        return Job([Segment("x", None, "float", 0, steps)], [])

    jobs = [[job(10)], [job(6), job(5), job(4), job(3)]]
    assert [makespan(jobs, workers) for workers in (1, 2, 3, 4)] == [28, 19, 17, 16]
    assert makespan([], 3) == 0


def test_the_papers_sweep_with_enough_workers_is_two_batches():
    runs = [(Phase("float", "f", 8), Phase("quantized", str(k), 10)) for k in range(9)]
    runs += [(Phase("float", "f", k), Phase("quantized", "0", 10)) for k in (4, 5, 6, 7, 9)]
    runs += [
        (Phase("float", "f", 10),),
        (Phase("float", "g", 8), Phase("quantized", "0", 10)),
    ]
    jobs = batches(Tree(runs))
    assert [len(batch) for batch in jobs] == [2, 15]
    assert makespan(jobs, 100) == 10 + 6


def test_a_trunk_below_a_trunk_of_another_phase_is_a_batch_later():
    runs = [(Phase("float", "f", 4), Phase("quantized", which, 8)) for which in "aabb"]
    (trunk,), shared, ends = batches(Tree(runs))
    assert [(part.first, part.end) for part in trunk.segments] == [(0, 4)]
    assert [(job.steps, job.runs) for job in shared] == [(4, []), (4, [])]
    assert [(job.steps, job.runs) for job in ends] == [(0, [number]) for number in range(4)]


@pytest.fixture(scope="module")
def deep():
    """5,000 runs, each with a delay of its own."""
    count = 5_000
    runs = [
        (Phase("float", "f", k), Phase("quantized", "q", count + 1)) for k in range(1, count + 1)
    ]
    return Tree(runs), count


def test_thousands_of_delays_make_a_deep_tree(deep):
    tree, count = deep
    assert tree.steps_shared == count + sum(range(1, count + 1))
    assert tree.segments[0].uses == count
    assert len(tree.last[count - 1].path) == count + 1


def test_a_deep_tree_is_cut_into_jobs(deep):
    tree, count = deep
    jobs = batches(tree)
    assert sum(len(batch) for batch in jobs) == count + 1
    assert makespan(jobs, 1) == tree.steps_shared


def test_the_users_of_a_deep_trees_root_can_be_listed(deep):
    tree, count = deep
    assert sorted(tree.users(tree.segments[0])) == list(range(count))
