"""Every place that a vault may lie in, and every key that it may be under, all of them real."""

import functools
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from keyfob import client_secret
from keyfob.oauth import client_information
from keyfob.oauth.client_information import ClientInformation
from keyfob.openpgp import certificate, keys, seal, sequoia
from keyfob.openpgp.certificate import Certificate
from keyfob.partner import opening
from keyfob.partner.vault import keys as vault_keys
from keyfob.partner.vault.entries import Entry, Keeping
from keyfob.partner.vault.keeping import Keeper
from keyfob.partner.vault.vault import Vault
from keyfob.secret import Secret
from kms import ACCOUNT, REGION

NOW = 1_800_000_000
SECRETS = f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:"


@dataclass(frozen=True)
class Parties:
    operator_key: Secret
    operator: Certificate
    partner_key: Path
    partner: Certificate


@pytest.fixture(scope="session")
def parties(tmp_path_factory: pytest.TempPathFactory) -> Parties:
    """With keys that are made in no time."""
    operator_key, operator = keys.generate_operator_key("Operator")
    partner_key, made = sequoia.generate("Partner <p@partner.example>", lifetime=86400)
    path = tmp_path_factory.mktemp("partner") / "key.asc"
    path.touch(mode=0o600)
    path.write_bytes(partner_key.reveal_bytes())
    partner = certificate.read_signer(made.armored)
    return Parties(operator_key, operator, path, partner)


@dataclass
class Place:
    """`named` as `--vault` takes it; `raw` is all that lies there, in bytes; `reset` empties it."""

    named: str
    raw: Callable[[], bytes]
    kind: str


@pytest.fixture(params=["folder", "sqlite", "postgresql", "aws-secrets"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    return make_place(request.param, request, tmp_path)


def make_place(kind: str, request: pytest.FixtureRequest, folder: Path) -> Place:
    if kind == "folder":
        vault = folder / "vault"
        return Place(str(vault), lambda: b"".join(p.read_bytes() for p in vault.rglob("*") if p.is_file()), kind)
    if kind == "sqlite":
        file = folder / "vault.db"
        return Place(f"sqlite:{file}", lambda: b"".join(p.read_bytes() for p in folder.glob("vault.db*")), kind)
    if kind == "postgresql":
        cluster = request.getfixturevalue("postgresql")
        url = cluster.new_url()
        return Place(url, lambda: cluster.sql("SELECT document FROM keyfob_credential", name_of(url)).encode(), kind)
    manager = request.getfixturevalue("secrets_manager")
    name = f"keyfob/{folder.parent.name}/{folder.name}"
    manager.create_secret(Name=name)
    arn = manager.describe_secret(SecretId=name)["ARN"]
    return Place(f"aws-secrets:{arn}", lambda: read_current(manager, name), kind)


def read_current(manager: object, name: str) -> bytes:
    """moto needs the stage to be named once it was moved."""
    return manager.get_secret_value(SecretId=name, VersionStage="AWSCURRENT")["SecretString"].encode()


def name_of(url: str) -> str:
    return url.partition("?")[0].rpartition("/")[2]


@dataclass
class Way:
    """A kind of key: its `name` where it has one, and how the key is taken away and given back."""

    keeping: Keeping
    name: str | None
    take_away: Callable[[], None]
    give_back: Callable[[], None]


@pytest.fixture(autouse=True)
def cheap_passphrases(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The cost of a passphrase is tested where it is paid."""
    cheap = functools.partial(vault_keys.PassphraseWrapper, log2_n=14)
    monkeypatch.setattr(vault_keys, "PassphraseWrapper", cheap)
    write_private(tmp_path / "passphrase", "correct horse\n")
    monkeypatch.setenv("KEYFOB_PASSPHRASE_FILE", str(tmp_path / "passphrase"))
    monkeypatch.delenv("KEYFOB_VAULT", raising=False)


def write_private(path: Path, text: str) -> None:
    path.touch(mode=0o600)
    path.write_text(text)


@pytest.fixture(params=list(Keeping))
def way(request: pytest.FixtureRequest, tmp_path: Path, parties: Parties) -> Way:
    return make_way(request.param, request, tmp_path, parties)


def make_way(keeping: Keeping, request: pytest.FixtureRequest, folder: Path, parties: Parties) -> Way:
    def swap(path: Path, content: Callable[[], bytes]) -> tuple[Callable[[], None], Callable[[], None]]:
        aside = path.with_name(path.name + ".aside")
        return lambda: (path.rename(aside), write_private(path, content().decode())), lambda: aside.replace(path)

    if keeping is Keeping.MESSAGE:
        key = folder / "key.asc"
        write_private(key, parties.partner_key.read_text())
        other, _ = sequoia.generate("Other <o@other.example>", lifetime=86400)
        return Way(keeping, None, *swap(key, other.reveal_bytes))
    if keeping is Keeping.PASSPHRASE:
        return Way(keeping, None, *swap(folder / "passphrase", lambda: b"wrong horse"))
    if keeping is Keeping.FILE:
        from keyfob.envelope.random_key import RandomKey

        return Way(keeping, None, *swap(folder / "own.key", RandomKey.generate().text().reveal_bytes))
    if keeping is Keeping.KEYRING:
        return keyring_way(request)
    if keeping is Keeping.AWS_KMS:
        cloud = request.getfixturevalue("cloud")
        name = cloud.new_key()
        key_id = name.rpartition("/")[2]
        return Way(
            keeping,
            name,
            lambda: cloud.admin.disable_key(KeyId=key_id),
            lambda: cloud.admin.enable_key(KeyId=key_id),
        )
    patched = request.getfixturevalue("monkeypatch")
    bao = request.getfixturevalue("bao")
    right = bao.environ["VAULT_TOKEN"]
    return Way(
        keeping,
        bao.new_key(),
        lambda: patched.setenv("VAULT_TOKEN", "another"),
        lambda: patched.setenv("VAULT_TOKEN", right),
    )


def keyring_way(request: pytest.FixtureRequest) -> Way:
    import keyring

    from keyfob.envelope.random_key import RandomKey

    request.getfixturevalue("os_keyring")
    taken: dict[str, str] = {}

    def take_away() -> None:
        for name in names(keyring):
            taken[name] = keyring.get_password("keyfob", name)
            keyring.set_password("keyfob", name, RandomKey.generate().text().reveal())

    def give_back() -> None:
        for name, text in taken.items():
            keyring.set_password("keyfob", name, text)

    return Way(Keeping.KEYRING, None, take_away, give_back)


def names(keyring) -> list[str]:
    import secretstorage

    items = secretstorage.search_items(secretstorage.dbus_init(), {"service": "keyfob"})
    return [item.get_attributes()["username"] for item in items]


class Kept:
    """A vault at a place, into which credentials are put as `receive` puts them, under a key."""

    def __init__(self, place: Place, folder: Path, parties: Parties) -> None:
        self.place = place
        self.folder = folder
        self.parties = parties
        self.key_file = "own.key"
        self.vault = Vault.create(place.named, new_id=lambda: "ab" * 16)

    def keeper(self, way: Way | None = None, **options: object) -> Keeper:
        vault = Vault.open(self.place.named)
        settings = {"private_key": self.folder / "key.asc", "key_file": self.folder / self.key_file} | options
        if not settings["private_key"].exists():
            settings["private_key"] = None
        return opening.default_keeper(vault, key_name=None if way is None else way.name, **settings)

    def information(self, number: int, **changes: object) -> ClientInformation:
        name = f"credential{number}"
        return replace(
            ClientInformation(
                client_id=f"cl_{number}",
                client_secret=client_secret.make(name, bytes([number]) * 32),
                client_id_issued_at=NOW,
                client_secret_expires_at=0,
                issuer="https://issuer.example",
                token_endpoint="https://issuer.example/oauth2/token",
                scope=frozenset({"studies:read"}),
                resource=("https://api.example/v1",),
                credential_id=name,
                message_id=f"m{number}",
                issued_at=NOW + number,
                recipient_fingerprint=self.parties.partner.fingerprint,
            ),
            **changes,
        )

    def entry(self, way: Way, number: int = 1, **changes: object) -> tuple[Entry, ClientInformation]:
        information = self.information(number, **changes)
        keeper = self.keeper(way)
        message = b""
        if way.keeping is Keeping.MESSAGE:
            plaintext = client_information.write(information)
            message = seal.seal(plaintext, recipient=self.parties.partner, operator_key=self.parties.operator_key)
        prepared = keeper.prepare(way.keeping, others=self.vault.all_entries())
        ciphertext, opened_with = keeper.keep(prepared, information, message)
        kept = Entry(
            client_id=information.client_id,
            credential_id=information.credential_id,
            issuer=information.issuer,
            token_endpoint=information.token_endpoint,
            scope=information.scope,
            resource=information.resource,
            issued_at=information.issued_at,
            expires_at=0,
            message_id=information.message_id,
            recipient_fingerprint=information.recipient_fingerprint,
            signer_fingerprint=self.parties.operator.fingerprint,
            signer_certificate=self.parties.operator.armored.decode(),
            received=number,
            keeping=way.keeping,
            opened_with=opened_with,
            ciphertext=ciphertext,
        )
        return kept, information

    def put(self, way: Way, number: int = 1, **changes: object) -> ClientInformation:
        kept, information = self.entry(way, number, **changes)
        self.vault.put(kept)
        return information

    def opened(self, number: int = 1) -> ClientInformation:
        """As a program that has just been started does it."""
        return self.keeper().open(Vault.open(self.place.named).current(f"cl_{number}"))

    def store(self, client: str, document: bytes) -> None:
        """Past all that knows what a document is."""
        self.vault.store.write(client, client.replace("cl_", "credential"), document)


@pytest.fixture
def in_folder(request: pytest.FixtureRequest, tmp_path: Path, parties: Parties) -> Kept:
    """Where the key is what matters."""
    return Kept(make_place("folder", request, tmp_path), tmp_path, parties)


@pytest.fixture
def under_file(request: pytest.FixtureRequest, tmp_path: Path, parties: Parties) -> Way:
    """Where the place is what matters."""
    return make_way(Keeping.FILE, request, tmp_path, parties)


@pytest.fixture
def new_way(request: pytest.FixtureRequest, tmp_path: Path, parties: Parties) -> Callable[[Keeping], Way]:
    return lambda keeping: make_way(keeping, request, tmp_path, parties)


@pytest.fixture
def new_kept(request: pytest.FixtureRequest, parties: Parties) -> Callable[[str, Path], tuple[Kept, Way]]:
    """A vault in a folder, under the key file that lies beside it there."""

    def make(kind: str, folder: Path) -> tuple[Kept, Way]:
        made = Kept(make_place(kind, request, folder), folder, parties)
        made.key_file = "vault.db.key" if kind == "sqlite" else "vault.key"
        return made, Way(Keeping.FILE, None, lambda: None, lambda: None)

    return make


@pytest.fixture
def kept(place: Place, tmp_path: Path, parties: Parties) -> Kept:
    return Kept(place, tmp_path, parties)
