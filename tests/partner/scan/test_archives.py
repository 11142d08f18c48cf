"""Archives: what is in them is found, whoever made them harms nobody, and what was not looked into is named."""

import bz2
import gzip
import io
import lzma
import tarfile
import zipfile

import pytest

from keyfob.partner.scan import archives
from keyfob.partner.scan.finding import Place, Report


def zipped(members, compression=zipfile.ZIP_DEFLATED):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return file.getvalue()


def tarred(members, mode="w"):
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode=mode) as archive:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return file.getvalue()


def look(body, **options):
    report = Report()
    archives.look_into(io.BytesIO(body), Place("a"), report, **options)
    return report


WAYS = {
    "zip": lambda body: zipped({"x.txt": b"", "d/app.env": body}),
    "zip, stored": lambda body: zipped({"d/app.env": body}, zipfile.ZIP_STORED),
    "tar": lambda body: tarred({"d/app.env": body}),
    "tar.gz": lambda body: tarred({"d/app.env": body}, "w:gz"),
    "tar.bz2": lambda body: tarred({"d/app.env": body}, "w:bz2"),
    "tar.xz": lambda body: tarred({"d/app.env": body}, "w:xz"),
    "gzip": gzip.compress,
    "bzip2": bz2.compress,
    "xz": lzma.compress,
    "zip in tar in zip": lambda body: zipped({"1.tar.gz": tarred({"2.zip": zipped({"d/app.env": body})}, "w:gz")}),
}


@pytest.mark.parametrize("way", WAYS)
def test_what_is_in_an_archive_is_found(way, secret):
    (found,) = look(WAYS[way](b"\nSECRET=" + secret.body)).findings
    assert (found.line, found.column, found.match.fingerprint) == (2, 8, secret.fingerprint)
    assert ("d/app.env" in found.place.members) is ("zip" in way.split() or "tar" in way or "zip," in way)


def test_the_way_into_nested_archives_is_told(secret):
    (found,) = look(WAYS["zip in tar in zip"](secret.body)).findings
    assert str(found.place) == "a!1.tar.gz!2.zip!d/app.env"


@pytest.mark.parametrize("way", ["zip", "tar.gz", "gzip", "bzip2", "xz"])
def test_a_bomb_is_stopped_and_named_and_the_rest_is_still_found(way, secret, tmp_path, scan):
    bomb = WAYS[way](bytes(3 * 1024 * 1024))
    report = look(bomb, max_unpacked=1024 * 1024)
    assert [one.reason for one in report.unread] == ["it unpacks to more than is allowed: the rest was not looked into"]
    (tmp_path / "1-bomb").write_bytes(bomb)
    (tmp_path / "2").write_bytes(secret.body)
    said = scan(tmp_path, "--max-unpacked", "1")
    assert said.found == [("2", 1)]
    assert len(said.not_scanned) == 1


def test_a_header_that_lies_of_its_size_does_not_help_a_bomb():
    """What comes out is counted, not what is promised."""
    body = bytearray(zipped({"x": bytes(3 * 1024 * 1024)}))
    start = body.index(b"PK\x01\x02") + 24
    body[start : start + 4] = (10).to_bytes(4, "little")
    report = look(bytes(body), max_unpacked=1024 * 1024)
    assert report.unread
    assert report.size < 2 * 1024 * 1024


def test_archives_too_deep_in_others_are_named(secret):
    body = secret.body
    for _ in range(8):
        body = zipped({"n.zip": body})
    report = look(body)
    assert report.findings == []
    assert "deep inside others" in report.unread[0].reason


def test_too_many_members_are_named(monkeypatch):
    monkeypatch.setattr(archives._Budget.__init__, "__defaults__", (3,))
    report = look(zipped({str(number): b"" for number in range(5)}))
    assert "members" in report.unread[0].reason


def damaged():
    big = bytes(range(256)) * 400
    yield "cut zip", zipped({"x": big})[:-30]
    body = bytearray(zipped({"x": big}))
    body[80] ^= 255
    yield "changed zip", bytes(body)
    yield "cut gzip", gzip.compress(big)[:-20]
    yield "cut xz", lzma.compress(big)[:-20]
    yield "cut bzip2", bz2.compress(big)[:-20]
    yield "cut tar", tarred({"x": big})[:20_000]
    yield "no gzip", b"\x1f\x8b\x08" + b"nonsense" * 20


@pytest.mark.parametrize(("name", "body"), list(damaged()))
def test_what_is_damaged_is_named_and_looked_through_as_it_is(name, body, secret):
    report = look(body + b"\n" + secret.body)
    assert "damaged" in report.unread[0].reason, name
    assert [one.match.fingerprint for one in report.findings] == [secret.fingerprint]


@pytest.mark.parametrize("magic", [b"\x28\xb5\x2f\xfd", b"7z\xbc\xaf\x27\x1c", b"Rar!\x1a\x07"])
def test_what_cannot_be_unpacked_is_named(magic):
    assert "is not unpacked here" in look(magic + b"x").unread[0].reason


def test_an_encrypted_member_is_named(secret):
    body = bytearray(zipped({"x": b"secret", "y": secret.body}))
    for magic, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        body[body.index(magic) + at] |= 1
    report = look(bytes(body))
    assert [str(one) for one in report.unread] == ["a!x: it is encrypted"]
    assert len(report.findings) == 1


def test_a_name_in_an_archive_cannot_speak_to_the_terminal(secret):
    (found,) = look(zipped({"a\x1b[2Jb\nc": secret.body})).findings
    assert str(found.place) == "a!a?[2Jb?c"
