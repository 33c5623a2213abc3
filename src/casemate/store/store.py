"""The store: every change of state and the audit event that tells of it are one transaction."""

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from casemate.audit import GENESIS, ChainFault, NewAuditEvent, Seal, export_chain
from casemate.core.alert import Lease
from casemate.core.audit import AuditEvent
from casemate.core.case import Case, State
from casemate.core.cost import Cost
from casemate.core.digest import Digest, digest_bytes
from casemate.core.draft import Draft
from casemate.core.errors import StoreFailed, WrongUsage
from casemate.core.feature import Feature
from casemate.core.marking import Marking
from casemate.policy import Baseline, Limits
from casemate.store import chain
from casemate.store.cases import CaseLine, count_cases, edition_of_case, get_case, list_cases, put_case, put_review
from casemate.store.cleared import Cleared
from casemate.store.cursors import Cursors
from casemate.store.database import Database
from casemate.store.drafts import get_drafts, put_draft
from casemate.store.features import StoredFeatures
from casemate.store.held import Held
from casemate.store.identities import Identities
from casemate.store.ledger import Ledger, open_seal
from casemate.store.model_uses import put_use
from casemate.store.people import People
from casemate.store.pushes import Pushes
from casemate.store.queue import Queue, show_case
from casemate.store.readings import get_original, get_reading, put_original, put_reading
from casemate.store.receiving import LastDelivery
from casemate.store.runs import Run, begin_run, get_run, mark_ended
from casemate.store.shelf import Shelf
from casemate.store.text_writer import TextWriter, clear_if_abandoned
from casemate.store.texts import StoredTexts
from casemate.store.trials import end_trial, enter_trial, has_looked, hide_words, put_look, withheld_title
from casemate.store.verify import CASE_CONTENT, DRAFT_CONTENT, verify_store


class Store:
    """One database of cases with its audit chain; safe to use from several processes at once."""

    def __init__(self, database: Database, seal: Seal, limits: Limits, now: Callable[[], datetime]) -> None:
        self._database = database
        self._seal = seal
        self._limits = limits
        self._now = now
        self._ledger = Ledger(database, seal, database.kind.chain, now)
        if not database.read_only:
            self._ledger.catch_up()
        self._handout = database.kind.make_handout(limits.lease_seconds)
        self._shelf = Shelf()
        self._last_delivery = LastDelivery()
        self._cleared = False

    @classmethod
    def open(
        cls,
        url: str,
        audit: Path | None = None,
        limits: Limits | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> "Store":
        """Open a database and its audit folder; a file `sqlite:///PATH`, and any tables, are made on first use.

        `audit` holds the signing key and the checkpoints; by default the folder `audit` beside the file, and of
        `postgresql://USER@HOST/DATABASE` the one in the data folder. Raises `WrongUsage` for another kind of URL,
        `StoreFailed` for what cannot be opened, `NotTrusted` for a key that is lost or not the one of this database.
        """
        bounds = limits or Limits()
        database = Database(url, bounds.store_wait_seconds)
        return cls(database, open_seal(database, audit or database.kind.audit), bounds, now)

    @classmethod
    def open_to_read(cls, url: str, audit: Path | None = None, limits: Limits | None = None) -> "Store | None":
        """Open a database that is there already and let nothing be written to it; None when there is none.

        `StoreFailed` when its layout is older than this program's: reading must not change it.
        """
        bounds = limits or Limits()
        database = Database.open_to_read(url, bounds.store_wait_seconds)
        if database is None:
            return None
        seal = open_seal(database, audit or database.kind.audit)
        return cls(database, seal, bounds, lambda: datetime.now(UTC))

    def close(self) -> None:
        """Let go of the database."""
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # Copies

    @property
    def chain_name(self) -> str:
        """What the audit chain is called in checkpoints: the name of the file, or of the database."""
        return self._ledger.chain_name

    @property
    def audit_folder(self) -> Path:
        """Where the signing key and the checkpoints are."""
        return self._seal.folder

    def copy_to(self, target: Path) -> None:
        """Copy the database as it is at one moment into a new file, while others go on; `WrongUsage` on a server."""
        self._database.copy_to(target)

    def head(self) -> tuple[int, str]:
        """Give the number and the digest of the last audit event, 0 and zeros where there is none."""
        with self._database.reading() as connection:
            head = chain.head_of(connection)
        return (0, GENESIS) if head is None else (head[0], str(head[1]))

    def digest_of_event(self, number: int) -> str:
        """Give the digest of one audit event, empty when there is none of that number."""
        return next((str(event.digest) for event in self.audit_events() if event.number == number), "")

    # Texts and what was read

    def write_texts(self, reading: str, edition: str = "") -> TextWriter:
        """Take the chunks of one reading, as a context manager.

        `edition` names everything that decides how bytes become text (program version, policy digest): the same bytes
        may have one text an edition, and the first one of an edition stays.
        """
        self._clear_once()
        return TextWriter(self._database, reading, edition)

    def texts(self, edition: str = "") -> StoredTexts:
        """Give the texts as citations need them, those of `edition` first."""
        return StoredTexts(self._database, edition)

    def texts_of(self, case_id: str) -> StoredTexts:
        """Give the texts that a stored case cites, as they were when it was made."""
        with self._database.reading() as connection:
            return StoredTexts(self._database, edition_of_case(connection, case_id))

    def reading(self, key: str) -> bytes | None:
        """Return what an earlier reading under this key came to, if there was one."""
        with self._database.reading() as connection:
            return get_reading(connection, key)

    def save_reading(self, key: str, data: bytes, event: NewAuditEvent, run: str = "", source: str = "") -> bool:
        """Keep what reading one source came to; false (and no event) when the key is there already: the first stays.

        With `run`, the input `source` of that run is done, in the same transaction.
        """
        with self._ledger.changing() as change:
            return put_reading(change, key, data, event, run, source)

    def put_blob(self, data: bytes) -> Digest | None:
        """Keep an original as it was received; None when it is larger than `limits.original_bytes`."""
        if len(data) > self._limits.original_bytes:
            return None
        digest = digest_bytes(data)
        with self._database.writing() as connection:
            put_original(connection, digest, data)
        return digest

    def blob(self, digest: Digest) -> bytes | None:
        """Return an original, None when it was not kept; `RecordFailed` when it is not what it was."""
        with self._database.reading() as connection:
            return get_original(connection, digest)

    def hold(self, edition: Digest) -> Held:
        """Begin to hold what a run comes to, to be stored with its case; its texts are of this edition."""
        self._clear_once()
        return Held(self._ledger, self._limits.original_bytes, edition)

    def _clear_once(self) -> None:
        # What a killed process left is cleared by the next one that writes texts, and by every text too large to hold.
        if not self._cleared:
            clear_if_abandoned(self._database)
            self._cleared = True

    # Runs

    def begin_run(self, key: str, inputs: Sequence[str], event: NewAuditEvent) -> Run:
        """Begin a run, or find how far the same run came before it was stopped."""
        with self._ledger.changing() as change:
            begin_run(change, key, inputs, event)
            known = get_run(change.connection, key)
        assert known is not None
        return known

    def run(self, key: str) -> Run | None:
        """Read how far a run is."""
        with self._database.reading() as connection:
            return get_run(connection, key)

    # Cases

    def save_case(
        self,
        case: Case,
        event: NewAuditEvent,
        features: Sequence[Feature] = (),
        run: str = "",
        edition: str = "",
        lease: Lease | None = None,
        baseline: Baseline | None = None,
        held: Held | None = None,
    ) -> bool:
        """Keep a case that the machine made, its features and the end of its run, in one transaction.

        `edition` is that of the texts its citations were made from; `texts_of` reads those again.
        An earlier draft of the same id is replaced. False (and no event) when the case there stays: because it is the
        same, or because a person has decided something on it. With `lease` the job ends in the same transaction, and
        `LeaseLost` stores nothing when the job is another worker's by now. With `baseline` a case of a job may be drawn
        to be shown without its proposals. What is `held` of the run is stored before, in the same transaction.
        """
        if case.reviews or case.state is not State.DRAFT:
            raise WrongUsage(f"case {case.id} was decided on", way_out="use add_review for a person's decision")
        with self._ledger.changing() as change:
            if held is not None:
                held.write(change)
            digest = put_case(change.connection, case, features, edition)
            if run:
                mark_ended(change.connection, run, case.id, self._now())
            if digest is not None:
                told = change.tell(dataclasses.replace(event, subject=case.id), CASE_CONTENT, digest)
                if lease is not None and baseline is not None:
                    enter_trial(change.connection, case, lease.job, baseline)
            title = withheld_title(change.connection, case.id)
            if digest is not None and title is not None:
                hide_words(change.connection, case, title)
            if lease is not None:
                self.queue().settle(change, lease, case, title)
            elif digest is not None:
                show_case(change, case, told.number, title)
        if held is not None:
            held.forget()
        return digest is not None

    def case(self, case_id: str) -> Case | None:
        """Read a case."""
        found = self.case_at(case_id)
        return None if found is None else found[0]

    def case_at(self, case_id: str) -> tuple[Case, int] | None:
        """Read a case together with its revision, which `add_review` asks for."""
        with self._database.reading() as connection:
            return get_case(connection, case_id)

    def cases(self, limit: int = 50, offset: int = 0, state: State | None = None) -> tuple[CaseLine, ...]:
        """List cases, the newest first."""
        with self._database.reading() as connection:
            return list_cases(connection, limit, offset, state)

    def count_cases(self, state: State | None = None) -> int:
        """Count cases."""
        with self._database.reading() as connection:
            return count_cases(connection, state)

    def add_review(self, decided: Case, revision: int, event: NewAuditEvent) -> int:
        """Keep a case that a person has just decided on and return its new revision.

        `decided` ends with the new review; `revision` is that of the case it was made from. `WrongUsage` when somebody
        else changed the case meanwhile: of two reviewers the second is told, and nobody's decision is overwritten.
        """
        with self._ledger.changing() as change:
            digest = put_review(change.connection, decided, revision)
            told = change.tell(dataclasses.replace(event, subject=decided.id), CASE_CONTENT, digest)
            end_trial(change.connection, decided, decided.reviews[-1])
            show_case(change, decided, told.number, withheld_title(change.connection, decided.id))
        return revision + 1

    def look(self, case_id: str, person: str) -> None:
        """Keep when a person first opened a case; a later look changes nothing.

        No audit event tells of it: it is a time that is measured, not something that was decided.
        """
        with self._database.reading() as connection:
            if has_looked(connection, case_id, person):
                return
        with self._database.writing() as connection:
            put_look(connection, case_id, person, self._now())

    # The service

    @property
    def name(self) -> str:
        """What messages call the database: never with a password."""
        return self._database.kind.name

    def check(self) -> None:
        """Read something; `StoreFailed` when that cannot be done."""
        with self._database.reading() as connection:
            chain.head_of(connection)

    def unwritten(self) -> StoreFailed | None:
        """Say why the file of checkpoints lacks the last one, after another try to write it; None when it has it.

        Nothing is lost meanwhile: every checkpoint is in the database too. A store that was opened to read looks only.
        """
        if self._database.read_only:
            self._ledger.look_behind()
        elif self._ledger.behind is not None:
            self._ledger.catch_up()
        return self._ledger.behind

    def cleared(self, clearance: Marking) -> Cleared:
        """Give what a clearance can see; whoever answers a person reads through this and nothing else."""
        return Cleared(self._database, clearance, self._shelf)

    def queue(self) -> Queue:
        """Give what came in and what is to be done."""
        return Queue(self._ledger, self._handout, self._limits, self._last_delivery)

    def cursors(self) -> Cursors:
        """Give how far connectors have read."""
        return Cursors(self._ledger)

    def pushes(self) -> Pushes:
        """Give what connectors have pushed, and what is to be pushed."""
        return Pushes(self._ledger)

    def people(self) -> People:
        """Give the accounts, sessions and tokens."""
        return People(self._ledger)

    def identities(self) -> Identities:
        """Give the sign-ins by an outside issuer, and the accounts that belong to its subjects."""
        return Identities(self._ledger)

    # Drafts

    def save_draft(self, draft: Draft, event: NewAuditEvent) -> Digest:
        """Keep what a task wrote about a case, with its audit event, and return the digest of its JSON.

        `WrongUsage` when there is no such case. Earlier drafts stay.
        """
        with self._ledger.changing() as change:
            digest = put_draft(change.connection, draft)
            change.tell(dataclasses.replace(event, subject=draft.case), DRAFT_CONTENT, digest)
        return digest

    def drafts(self, case_id: str, *, every: bool = False) -> tuple[Draft, ...]:
        """Read the drafts of a case, oldest first: the last of each task and purpose, or with `every` all of them."""
        with self._database.reading() as connection:
            return get_drafts(connection, case_id, every=every)

    def features(self) -> StoredFeatures:
        """Give the index of features that related cases are found by."""
        return StoredFeatures(self._database)

    # Audit

    def record(self, event: NewAuditEvent) -> AuditEvent:
        """Record something that changed no other state, such as an export."""
        with self._ledger.changing() as change:
            return change.tell(event)

    def record_use(self, event: NewAuditEvent, model: str, task: str, cost: Cost) -> AuditEvent:
        """Record what one request to a language model took; the event's subject is the case."""
        with self._ledger.changing() as change:
            told = change.tell(event)
            put_use(change.connection, told, model, task, cost)
        return told

    def history(self, subject: str) -> tuple[AuditEvent, ...]:
        """Return what was recorded about one thing, oldest first."""
        with self._database.reading() as connection:
            return tuple(chain.stored_events(connection, subject))

    def events_since(self, time: datetime, after: int = 0) -> tuple[AuditEvent, ...]:
        """Return the events numbered above `after` that are not older than `time`, the newest first."""
        with self._database.reading() as connection:
            return tuple(chain.events_since(connection, time, after))

    def audit_events(self) -> Iterator[AuditEvent]:
        """Read the whole chain in order; `NotTrusted` at a row that is no event any more."""
        with self._database.reading() as connection:
            yield from chain.stored_events(connection)

    def export_audit(self, out: BinaryIO) -> int:
        """Write chain and checkpoints for an auditor and return how many events; `audit.verify_export` checks it."""
        with self._database.reading() as connection:
            checkpoints = chain.stored_checkpoints(connection, [])
            return export_chain(chain.stored_events(connection), checkpoints, out)

    @property
    def public_key(self) -> bytes:
        """The public key of the checkpoints, in PEM."""
        return self._seal.public_key

    def verify_audit(self, public_key: bytes | None = None) -> tuple[ChainFault, ...]:
        """Check the chain, the checkpoints in and outside the database, and that every case is as it was last audited.

        `public_key` is the one the auditor holds, by default the installation's own. None found means: no edit,
        deletion, insertion, reordering or truncation.
        """
        with self._database.reading() as connection:
            return verify_store(connection, self._seal, self._ledger.chain_name, public_key)
