from keyfob import ambient


def test_entropy_is_as_long_as_asked_and_never_the_same():
    assert len(ambient.system_entropy(32)) == 32
    assert ambient.system_entropy(32) != ambient.system_entropy(32)


def test_the_clock_counts_whole_seconds_of_utc():
    before = ambient.system_clock_precise()
    assert int(before) <= ambient.system_clock() <= ambient.system_clock_precise()
