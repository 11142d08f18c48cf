"""The benchmarks measure nothing that skips what a token owes, and say what their samples say."""

import dataclasses
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import compare
import durability
import ground
import page
import pytest
from measuring import RESULTS, Figure, met, ratio

from keyfob.jose import keys

STUB = "int fsync(int f) { return 0; } int fdatasync(int f) { return 0; }\n"


@pytest.fixture
def home(new_operator, free_port_of, monkeypatch):
    """On the disk of the checkout: in memory nothing is ever flushed."""
    operator = new_operator()
    info = operator.client("measured")
    monkeypatch.setattr(durability, "PORT", free_port_of())
    monkeypatch.setattr(durability, "BODY", b"grant_type=client_credentials&scope=studies:read")
    ground.PLACE.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=ground.PLACE) as folder:
        copied = Path(shutil.copytree(operator.home, Path(folder) / "operator"))
        environ = {**os.environ, **ground.BOUNDLESS}
        yield ground.Ground(copied, copied / "tls" / "ca.pem", info, "", keys.generate(), environ)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="no /proc, where a server is seen in fsync")
def test_nothing_is_reported_unless_records_reach_the_disk(home, tmp_path, capsys):
    """Each token's record is read back after a kill; with fsync stubbed out there is no figure."""
    assert durability.judge(home, 200) >= 200
    (tmp_path / "stub.c").write_text(STUB)
    command = ["cc", "-shared", "-fPIC", "-o", str(tmp_path / "stub.so"), str(tmp_path / "stub.c")]
    subprocess.run(command, check=True)
    stubbed = dataclasses.replace(home, environ={**home.environ, "LD_PRELOAD": str(tmp_path / "stub.so")})
    with pytest.raises(SystemExit) as refused:
        durability.judge(stubbed, 200)
    assert refused.value.code == 1
    said = capsys.readouterr().err
    assert "fsync" in said and "nothing is reported" in said


def test_a_token_without_a_record_is_found(home, monkeypatch, capsys):
    monkeypatch.setattr(durability, "_recorded", lambda _home: set())
    with pytest.raises(SystemExit):
        durability.judge(home, 5)
    assert "left without a record" in capsys.readouterr().err


def test_a_bound_is_of_the_median_or_of_what_it_stands_beside():
    floor = Figure("floor", "CPU s/1,000", (1.0, 2.0, 4.0))
    known = {"floor": floor}
    assert met(Figure("a", "ms", (1.0, 2.0, 9.0), bound=2.0), known) is True
    assert met(Figure("a", "ms", (1.0, 2.1, 9.0), bound=2.0), known) is False
    assert met(Figure("a", "requests/s", (2.0,), bound=2.1, is_rate=True), known) is False
    twice = Figure("a", "CPU s/1,000", (2.0, 4.0, 8.0), bound=2.0, against="floor")
    assert ratio(twice, floor) == 2.0 and met(twice, known) is True
    assert met(Figure("a", "CPU s/1,000", (4.1,), bound=2.0, against="floor", plus=0.1), known) is True
    assert met(Figure("a", "CPU s/1,000", (4.2,), bound=2.0, against="floor", plus=0.1), known) is False
    assert met(Figure("a", "CPU s/1,000", (4.1,), bound=2.0, against="who was not there"), known) is None


def test_what_costs_over_15_percent_more_than_its_floor_is_shown(tmp_path):
    def written(name: str, token: float, floor: float) -> Path:
        figures = [
            {"name": "floor", "unit": "CPU s/1,000", "samples": [floor]},
            {"name": "token", "unit": "CPU s/1,000", "samples": [token], "floor": "floor"},
        ]
        path = tmp_path / name / "tokens.json"
        path.parent.mkdir()
        path.write_text(json.dumps({"figures": figures}))
        return path

    before = written("before", 10.0, 1.0)
    assert compare.regressions(before, written("slower-machine", 11.4, 1.1)) == []
    (line,) = compare.regressions(before, written("worse", 11.6, 1.0))
    assert "token: +16%" in line


def test_the_page_says_what_the_samples_say():
    assert page.PAGE.read_text(encoding="utf-8") == page.render(RESULTS), "bench/page.py writes it anew"
