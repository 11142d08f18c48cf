"""Another key-encryption key for what a vault holds. The secret is in clear in memory alone, and never on a disk.

Every credential is opened first, so that one which does not open changes nothing. Then each is put under the new key,
opened once more, and written in the old one's place; a kill leaves each of them under the one key or the other. The old
key goes last, when nothing here opens with it any more.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from keyfob import home
from keyfob.envelope.format import EnvelopeError, Wrapper
from keyfob.envelope.os_keyring import KeyringWrapper
from keyfob.envelope.wrappers import KeyFileWrapper
from keyfob.oauth.client_information import ClientInformation
from keyfob.partner.vault.entries import Entry, Keeping
from keyfob.partner.vault.keeping import Keeper, Prepared
from keyfob.partner.vault.keys import successor_of, told_as_the_vaults
from keyfob.partner.vault.vault import Vault
from keyfob.problem import Misuse, Problem


@dataclass(frozen=True, slots=True)
class Rewrapped:
    """`entries` as they are now; `left`: messages, which no key of ours opens; `unused`: key files left over."""

    entries: tuple[Entry, ...]
    left: tuple[Entry, ...]
    unused: tuple[str, ...]


def rewrap(vault: Vault, opener: Keeper, sealer: Keeper, keeping: Keeping, *, client: str | None) -> Rewrapped:
    """All credentials, or those of `client`, under the key that `sealer` names. Raises Problem."""
    if keeping is Keeping.MESSAGE:
        raise Misuse(
            "not-a-message",
            "no credential can be made the operator's message again",
            hint="receive the message: keyfob receive FILE --key message",
        )
    with vault.rotating():
        with vault.locked():
            everything = vault.all_entries()
            chosen = [entry for entry in everything if client is None or entry.client_id == client]
            if not chosen:
                vault.choose(client=client, url=None)  # it says what there is instead
            staying = [entry for entry in everything if entry not in chosen]
            prepared = sealer.prepare(keeping, others=staying)
            moved = _put_under(vault, opener, [(entry, prepared) for entry in chosen])
        return Rewrapped(moved, (), _drop_unused(vault, everything))


def rotate_key(vault: Vault, opener: Keeper) -> Rewrapped:
    """Everything under a new key of the kind that it is under. Raises Problem; then all opens as before.

    Where the key lives in a service, which rotates it there: under the newest version of it, with a new data key.
    """
    with vault.rotating():
        with vault.locked():
            everything = vault.all_entries()
            left = tuple(entry for entry in everything if entry.keeping is Keeping.MESSAGE)
            chosen = [entry for entry in everything if entry.keeping is not Keeping.MESSAGE]
            if not chosen:
                raise Misuse(
                    "nothing-to-rotate",
                    f"nothing in {vault.where} is under a key of yours",
                    hint="keyfob vault rewrap --key KEY puts it there; keyfob rotate gets a new secret",
                )
            key_file = _exclusive_key_file(opener, chosen)
            prepare = _successors(opener, key_file)
            moved = _put_under(vault, opener, [(entry, prepare(entry)) for entry in chosen])
        unused = _drop_unused(vault, everything)
        if key_file is not None:
            _finish_key_file(vault, opener, key_file)
        return Rewrapped(moved, left, unused)


def _exclusive_key_file(opener: Keeper, entries: Iterable[Entry]) -> Path | None:
    """The key file beside the vault, where something is under it. Raises Misuse for another: others may use that."""
    files = {opener.keys.key_file_of(entry) for entry in entries if entry.keeping is Keeping.FILE}
    usual = opener.keys.usual_key_file
    for file in files:
        if usual is None or file.absolute() != usual.absolute():
            raise Misuse(
                "shared-key-file",
                f"the key file {file} may serve other vaults, too",
                hint="keyfob vault rewrap --key file --new-key-file FILE puts this vault under another",
            )
    return files.pop() if files else None


def _successors(opener: Keeper, key_file: Path | None) -> Callable[[Entry], Prepared]:
    """Gives what takes the place of an entry's key: one for all that share it, made when it is first asked for."""
    made: dict[tuple[Keeping, str | None], Prepared] = {}

    def prepare(entry: Entry) -> Prepared:
        known = (entry.keeping, entry.opened_with)
        if known not in made:
            if entry.keeping is Keeping.FILE:
                assert key_file is not None
                following = successor_of(key_file)
                # One that is there already is of a change that was broken off: some entries may be under it.
                wrapper = KeyFileWrapper.load(following) if following.exists() else KeyFileWrapper.create(following)
                made[known] = Prepared(Keeping.FILE, wrapper, str(key_file.absolute()))
            else:
                is_service = entry.keeping in (Keeping.AWS_KMS, Keeping.VAULT)
                named = replace(opener, key_name=entry.opened_with if is_service else None)
                made[known] = named.prepare(entry.keeping, stale=True)
        return made[known]

    return prepare


def _put_under(vault: Vault, opener: Keeper, wanted: list[tuple[Entry, Prepared]]) -> tuple[Entry, ...]:
    wrappers: dict[tuple[Keeping, str | None], Wrapper] = {}
    opened = [(entry, prepared, _open(opener, entry, prepared, wrappers)) for entry, prepared in wanted]
    moved = [opener.under(prepared, entry, information) for entry, prepared, information in opened]
    for entry, (_, prepared, information) in zip(moved, opened, strict=True):
        # Before anything depends on it: a key that may wrap and not unwrap would lose everything.
        assert opener.open(entry, wrapper=prepared.wrapper) == information
    for entry in moved:
        vault.put(entry)
    return tuple(moved)


def _open(
    opener: Keeper, entry: Entry, prepared: Prepared, wrappers: dict[tuple[Keeping, str | None], Wrapper]
) -> ClientInformation:
    """A passphrase is asked for once. What a change that was broken off has put under the new key opens with that."""
    if entry.keeping is Keeping.MESSAGE:
        return opener.open(entry)
    known = (entry.keeping, entry.opened_with)
    if known not in wrappers:
        with told_as_the_vaults():
            wrappers[known] = opener.keys.find(entry)
    try:
        return opener.open(entry, wrapper=wrappers[known])
    except EnvelopeError as refused:
        if refused.code != "envelope-other-key" or prepared.keeping is not entry.keeping:
            raise
        return opener.open(entry, wrapper=prepared.wrapper)


def _drop_unused(vault: Vault, before: Iterable[Entry]) -> tuple[str, ...]:
    """Keys of the keyring that nothing here opens with any more are deleted; files are told, others may use them."""
    with vault.locked():
        after = {(entry.keeping, entry.opened_with) for entry in vault.all_entries()}
        gone = {(entry.keeping, entry.opened_with) for entry in before} - after
        with told_as_the_vaults():
            for keeping, name in gone:
                if keeping is Keeping.KEYRING:
                    KeyringWrapper.load(name or "").delete()
    return tuple(sorted(name or "" for keeping, name in gone if keeping is Keeping.FILE))


def _finish_key_file(vault: Vault, opener: Keeper, key_file: Path) -> None:
    """The new key takes the old one's place, unless something was stored meanwhile that is not under it yet."""
    with vault.locked():
        following = KeyFileWrapper.load(successor_of(key_file))
        for entry in vault.all_entries():
            if entry.keeping is Keeping.FILE:
                try:
                    opener.open(entry, wrapper=following)
                except EnvelopeError:
                    said = f"something was stored in {vault.where} meanwhile, under the key before"
                    raise Problem("vault-changed", said, hint="run it again: until then both keys open") from None
        successor_of(key_file).replace(key_file)
        home.sync_folder(key_file.parent)
