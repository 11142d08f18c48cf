"""A limit of all nodes together: what another let through is taken from here; what is hardly anything is not told."""

from keyfob.server.shared_limits import SharedBucket, SharedLimits


def take(bucket, key, count, now):
    return sum(bucket.take(key, now) == 0 for _ in range(count))


def test_what_another_let_through_is_gone_here_and_comes_back_with_time():
    here, there = SharedBucket(600, 60), SharedBucket(600, 60)
    assert take(there, "cl_1", 700, 0) == 600
    news = SharedLimits({"tokens": there}).news()
    assert news == {"tokens cl_1": 600}
    SharedLimits({"tokens": here}).hear(news, 0)
    assert take(here, "cl_1", 10, 0) == 0
    assert take(here, "cl_2", 10, 0) == 10
    assert take(here, "cl_1", 100, 2) == 20


def test_what_was_told_is_not_told_again_and_what_is_refused_never():
    bucket = SharedBucket(5, 60)
    limits = SharedLimits({"failures": bucket})
    assert take(bucket, "192.0.2.1", 9, 0) == 5
    assert limits.news() == {"failures 192.0.2.1": 5}
    assert take(bucket, "192.0.2.1", 9, 0) == 0
    assert limits.news() == {}


def test_a_client_that_takes_an_eighth_of_its_share_is_not_worth_a_row():
    bucket = SharedBucket(600, 60)  # ten a second
    limits = SharedLimits({"tokens": bucket})
    take(bucket, "cl_1", 1, 0)
    take(bucket, "cl_2", 2, 0)
    assert limits.news() == {"tokens cl_2": 2}


def test_what_a_newer_node_shares_and_this_one_does_not_know_is_passed_over():
    SharedLimits({}).hear({"cells cl_1": 5}, 0)
