"""The short form of a study grant: `OID` or `OID:SITE,SITE`. All else is said in an authorization-details file."""

from collections.abc import Sequence

from keyfob.oauth import authorization_details
from keyfob.oauth.authorization_details import ALL_STUDIES, CdmsStudy, Details
from keyfob.oauth.errors import OAuthError
from keyfob.problem import Misuse

_FULL_FORM = "say it in a JSON file: --authorization-details FILE.json"


def parse(text: str) -> CdmsStudy:
    """One study, with all of its sites or with those named after the last colon. Raises Misuse."""
    identifier, colon, listed = text.rpartition(":") if ":" in text else (text, "", "")
    if ":" in identifier:
        # `A:B:1` may be study A:B at site 1 or study A at a site B:1; a guess could grant what nobody meant.
        raise _refusal("more than one colon", _FULL_FORM)
    if identifier == ALL_STUDIES:
        raise _refusal("no study is called *", "use --all-studies to grant every study")
    sites = listed.split(",") if colon else []
    for part in (identifier, *sites):
        if not part or part != part.strip() or not part.isprintable():
            raise _refusal("an empty or malformed part", "for example --study S.1 or --study S.1:001,002")
    if len(set(sites)) != len(sites):
        raise _refusal("a site twice", "name each site once")
    return CdmsStudy(identifier, frozenset(sites) if colon else None, None, None)


def details(studies: Sequence[str], *, every: bool = False) -> Details:
    """What `--study ...` or `--all-studies` grants; nothing named is no study at all. Raises Misuse."""
    if every:
        return (CdmsStudy(ALL_STUDIES, None, None, None),)
    parsed = tuple(parse(text) for text in studies)
    names = [study.identifier for study in parsed]
    repeated = next((name for name in names if names.count(name) > 1), None)
    if repeated is not None:
        raise _refusal(f"the study {repeated!r} twice", "name a study once, with all of its sites")
    return check(parsed)


def check(granted: Details) -> Details:
    """`granted`, when it can be written and read again as a request would be. Raises Misuse."""
    if not granted:
        return granted
    try:
        return authorization_details.parse(authorization_details.write(granted))
    except OAuthError as refused:
        raise Misuse("bad-details", f"the study grant cannot be used: {refused.description}", hint=_FULL_FORM) from None


def _refusal(found: str, hint: str) -> Misuse:
    return Misuse("bad-study", f"--study has {found}", hint=hint)
