"""Rules for the scanners of others, each made from the one definition."""

import json
from collections.abc import Callable, Mapping

from keyfob.partner.scan.definition import DEFINITIONS

_MADE = "Made by `keyfob scan --rules {}`: make it anew with each new version of keyfob."
_ENTRY, _NAME = "keyfob scan --staged", "no secret or token of Keyfob"


def pre_commit() -> str:
    """For `.pre-commit-config.yaml`, where keyfob is installed."""
    return f"""# {_MADE.format("pre-commit")}
repos:
  - repo: local
    hooks:
      - id: keyfob-scan
        name: {_NAME}
        entry: {_ENTRY}
        language: system
        pass_filenames: false
        always_run: true
"""


def pre_commit_hooks() -> str:
    """`.pre-commit-hooks.yaml`, by which this project's own repository is one for pre-commit."""
    return f"""- id: keyfob-scan
  name: {_NAME}
  entry: {_ENTRY}
  language: python
  pass_filenames: false
  always_run: true
"""


def gitleaks() -> str:
    """For `gitleaks --config`. RE2 knows no checksum: what it finds, `keyfob scan` confirms."""
    lines = [f"# {_MADE.format('gitleaks')}", 'title = "Keyfob"', "", "[extend]", "useDefault = true"]
    for one in DEFINITIONS:
        lines += [
            "",
            "[[rules]]",
            f'id = "{one.kind}"',
            f'description = "Keyfob {one.words}"',
            f"regex = '''{one.pattern}'''",
            # gitleaks compares them in lower case.
            f'keywords = ["{one.keyword.lower()}"]',
        ]
    return "\n".join(lines) + "\n"


def detect_secrets() -> str:
    """A plugin for `detect-secrets scan -p FILE`; it needs nothing of ours."""
    classes = "".join(_PLUGIN.format(name=_class_name(one.kind), words=one.words, pattern=one.pattern,
                                     base="_WithChecksum" if one.has_checksum else "RegexBasedDetector")
                      for one in DEFINITIONS)  # fmt: skip
    return _PLUGIN_HEAD.format(made=_MADE.format("detect-secrets")) + classes


def github() -> str:
    """Custom patterns for secret scanning at GitHub (Hyperscan), as its page asks for them."""
    patterns = [
        {
            "name": f"Keyfob {one.words}",
            "secret_format": one.pattern,
            "before_secret": r"\A|[^0-9A-Za-z_]",
            "after_secret": r"\z|[^0-9A-Za-z_]",
        }
        for one in DEFINITIONS
    ]
    return json.dumps({"patterns": patterns}, indent=2) + "\n"


RULES: Mapping[str, Callable[[], str]] = {
    "pre-commit": pre_commit,
    "gitleaks": gitleaks,
    "detect-secrets": detect_secrets,
    "github": github,
}


def _class_name(kind: str) -> str:
    return "".join(word.capitalize() for word in kind.split("-"))


_PLUGIN_HEAD = '''"""{made}"""

import binascii
import re

from detect_secrets.plugins.base import RegexBasedDetector

_BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def _has_checksum(text):
    """The last six characters are the CRC-32 of what stands before them: no false alarms."""
    body, _, last = text.rpartition("_")
    number, digits = binascii.crc32(body.encode()), ""
    for _ in range(6):
        number, rest = divmod(number, 62)
        digits = _BASE62[rest] + digits
    return digits == last


class _WithChecksum(RegexBasedDetector):
    secret_type = ""
    denylist = ()

    def analyze_string(self, string):
        return (found for found in super().analyze_string(string) if _has_checksum(found))
'''
_PLUGIN = """

class {name}({base}):
    secret_type = "Keyfob {words}"
    denylist = (re.compile(r"{pattern}"),)
"""
