"""The commands of `keyfob-cdms` that serve nothing: parse, call, print."""

import contextlib
from pathlib import Path

import click

from keyfob import command, configuration, database_url
from keyfob import home as homes
from keyfob.cdms import installation, loading, relocation, settings
from keyfob.cdms.auditing import check_study
from keyfob.cdms.installation import Plan
from keyfob.cdms.odm.model import Site
from keyfob.cdms.options import PATH, Ground, home_option, open_home
from keyfob.cdms.segments import is_segment
from keyfob.cdms.storage.records import Actor
from keyfob.command import Result, progress, shows_result
from keyfob.home import HomeKind
from keyfob.problem import Misuse

_MAX_FILE_BYTES = 256 * 1024 * 1024


@click.command("check-config", short_help="Say every mistake in the settings, and what each comes to.")
@home_option
@click.pass_obj
@shows_result
def check_config(ground: Ground, *, home: Path) -> Result:
    """Read keyfob.toml and the environment, and say every mistake with its line or variable. Nothing is changed.

    \b
    Example:
      keyfob-cdms check-config --home ./cdms
    """
    homes.check(home, HomeKind.CDMS)
    found = settings.survey(home, ground.environ)
    faults = (*found.faults, *configuration.missing_files(found, home))
    return configuration.report(found, faults, unknown=installation.unknown_variables(ground.environ), secrets={})


@click.command(short_help="Make a new API's home.")
@home_option
@click.option("--issuer", required=True, metavar="URL", help="The authorization server whose tokens are taken.")
@click.option("--resource", required=True, metavar="URL", help="The API's own https URL: the audience of its tokens.")
@click.option("--ca", type=PATH, metavar="FILE", help="The authority of the issuer's TLS certificate, PEM.")
@click.option(
    "--database",
    metavar="URL",
    help=f"sqlite:///PATH or postgresql://USER@HOST/NAME, without a password (see {database_url.VARIABLE}). "
    "Default: a file in DIR.",
)
@click.option("--tls-cert", type=PATH, metavar="FILE", help="The API's certificate chain, PEM.")
@click.option("--tls-key", type=PATH, metavar="FILE", help="Its private key, PEM.")
@click.pass_obj
@shows_result
def init(
    ground: Ground, *, home: Path, issuer: str, resource: str, ca: Path | None, database: str | None,
    tls_cert: Path | None, tls_key: Path | None,
) -> Result:  # fmt: skip
    """Make a new API's home, and DIR/resource.json for the authorization server's operator to register.

    A loopback API takes its TLS certificate from the throw-away CA whose key lies beside --ca; any other needs its
    own TLS files.

    \b
    Example:
      keyfob-cdms init --home ./cdms --issuer https://localhost:8443 --resource https://localhost:9443 \\
        --ca ./operator/tls/ca.pem
    """
    plan = Plan(issuer, resource, ca, tls_cert, tls_key, database_url.choose_new(database, ground.environ))
    installation.create(home, plan, now=ground.clock(), entropy=ground.entropy, environ=ground.environ)
    described = home / "resource.json"
    lines = [
        f"made {home}",
        f"  resource  {resource}",
        f"  issuer    {issuer}",
        f"next: keyfob-server resource add {described} --home OPERATOR-HOME",
        f"then: keyfob-cdms load --home {home} DESIGN.xml",
    ]
    document = {"home": str(home), "resource": resource, "issuer": issuer, "resource_json": str(described)}
    return Result(document, "\n".join(lines))


@click.command(short_help="Load study designs and clinical data.")
@click.argument("files", type=PATH, nargs=-1, required=True, metavar="FILE...")
@home_option
@click.option("--study-key", metavar="KEY", help="The study's name in URLs, where its OID cannot stand in one.")
@click.option("--draft", is_flag=True, help="Do not make the design live yet.")
@click.pass_obj
@shows_result
def load(ground: Ground, *, files: tuple[Path, ...], home: Path, study_key: str | None, draft: bool) -> Result:
    """Load ODM study designs and clinical data; each file is stored whole or not at all.

    Subjects that are not known are registered. The same bytes twice are "unchanged". A running server sees it at once.

    \b
    Example:
      keyfob-cdms load --home ./cdms design.xml data.xml
    """
    loaded = []
    with contextlib.closing(open_home(home, ground)) as found:
        for path in files:
            body = command.read_file(path, max_bytes=_MAX_FILE_BYTES)
            loaded.append(
                loading.load(
                    found.store, path, body, study_key=study_key, draft=draft, now=ground.clock(),
                    entropy=ground.entropy, operator=command.system_user(),
                )
            )  # fmt: skip
            if len(files) > 1:
                click.echo(f"loaded {path} ({len(loaded)} of {len(files)})", err=True)
    return Result({"loaded": [one.document for one in loaded]}, "\n".join(_loaded_text(one) for one in loaded))


def _loaded_text(loaded: loading.Loaded) -> str:
    lines = [f"{loaded.path}"]
    lines += [f"  study {one['study']} version {one['version']}: {one['state']}" for one in loaded.designs]
    for one in loaded.data:
        lines.append(
            f"  study {one['study']}: {one['stored']} values stored, {one['unchanged']} unchanged, "
            f"{one['subjects_registered']} subjects registered"
        )
    if loaded.warnings:
        lines.append(f"  {loaded.warnings} warnings")
    return "\n".join(lines)


@click.group()
def site() -> None:
    """The sites of a study."""


@site.command("add")
@click.argument("study")
@click.argument("oid", metavar="ID")
@click.argument("name")
@home_option
@click.pass_obj
@shows_result
def add_site(ground: Ground, *, study: str, oid: str, name: str, home: Path) -> Result:
    """Add a site to a study, or give it another NAME.

    STUDY is the study's OID.

    \b
    Example:
      keyfob-cdms site add S.1 701 "University hospital" --home ./cdms
    """
    if len(oid) > 64 or not is_segment(oid) or not name.strip() or not name.isprintable():
        message = "a site has an ID of 1 to 64 printable characters without a slash, and a NAME"
        raise Misuse("bad-site", message, hint="see --help")
    actor = Actor(None, None, command.system_user())
    with (
        contextlib.closing(open_home(home, ground)) as found,
        found.store.writing(actor=actor, now=ground.clock()) as writing,
    ):
        check_study(writing.reading, study)
        writing.take(study)
        is_new = writing.put_site(study, Site(oid, name))
    done = "added" if is_new else "known"
    return Result({"study": study, "site": oid, "name": name, "state": done}, f"{done}: site {oid} of {study}")


def _closing(name: str, *, closes: bool, text: str) -> None:
    @site.command(name, help=text)
    @click.argument("study")
    @click.argument("oid", metavar="ID")
    @home_option
    @click.option("--reason", required=True, metavar="TEXT", help="Why: it stands in the audit trail.")
    @click.pass_obj
    @shows_result
    def close(ground: Ground, *, study: str, oid: str, home: Path, reason: str) -> Result:
        if not reason.strip():
            raise Misuse("reason-required", f"to {name} a site needs a reason", hint="give it with --reason")
        actor = Actor(None, None, command.system_user())
        with (
            contextlib.closing(open_home(home, ground)) as found,
            found.store.writing(actor=actor, now=ground.clock()) as writing,
        ):
            check_study(writing.reading, study)
            writing.take(study)
            if oid not in (known := [one.oid for one in writing.reading.sites(study)]):
                raise Misuse("unknown-site", f"{study} has no site {oid}", hint=f"sites: {', '.join(known) or 'none'}")
            changes = writing.close_site(study, oid, closes=closes, reason=reason.strip())
        state = "closed" if closes else "open"
        said = f"{state}{'' if changes else ' already'}: site {oid} of {study}"
        return Result({"study": study, "site": oid, "status": state, "changed": changes}, said)


_closing(
    "close",
    closes=True,
    text="""Take no more data for the subjects of a site.

    ID is the site's, STUDY its study's OID. All that there is can be read as before.

    \b
    Example:
      keyfob-cdms site close S.1 701 --reason "closed out" --home ./cdms
    """,
)
_closing(
    "open",
    closes=False,
    text="""Take data again for the subjects of a site.

    \b
    Example:
      keyfob-cdms site open S.1 701 --reason "a query has to be answered" --home ./cdms
    """,
)


@click.command("move-store", short_help="Move the clinical data to another database.")
@home_option
@click.option(
    "--to",
    "url",
    required=True,
    metavar="URL",
    help="sqlite:///PATH or postgresql://USER@HOST/NAME, without a password.",
)
@click.pass_obj
@shows_result
def move_store(ground: Ground, *, home: Path, url: str) -> Result:
    """Move the clinical data to another database, SQLite or PostgreSQL, while no server runs on it.

    Every row is copied, counted and compared, each study's audit trail is verified in its new place, and only then
    keyfob.toml is pointed there. Whatever goes wrong before, the old database stays in force; it is never changed. The
    new one must be empty. A password comes from a pass file (PGPASSFILE, or passfile= in the URL).

    \b
    Example:
      keyfob-cdms move-store --home ./cdms --to postgresql://cdms@db.example/cdms
    """
    target = database_url.choose(url, where="--to")
    homes.check(home, HomeKind.CDMS)
    with (
        homes.in_use(home, alone=True),
        contextlib.closing(open_home(home, ground)) as found,
        progress("moving the store"),
    ):
        moved, heads = relocation.move(found, target, environ=ground.environ)
    told = [f"audit head of {study}: {head}" for study, head in heads.items()]
    return Result(moved.document(audit_heads=heads), moved.lines(*told, environ=ground.environ))
