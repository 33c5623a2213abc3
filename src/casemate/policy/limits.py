"""Every limit of the product, in one place."""

from dataclasses import dataclass

MIB = 1024 * 1024
GIB = 1024 * MIB


@dataclass(frozen=True, slots=True)
class Limits:
    """Sizes in bytes unless the name says otherwise, ratios as unpacked / packed, times in seconds; all above zero."""

    __pydantic_config__ = {"extra": "forbid"}  # noqa: RUF012 - read by pydantic, never changed

    # reading
    chunk_chars: int = 1 * MIB  # normalised text handed on at a time
    source_bytes: int = 64 * GIB  # one input
    unpacked_bytes: int = 16 * GIB  # everything that comes out of one compressed input
    unpack_ratio: int = 200  # checked once more than `unpack_ratio_floor` has come out
    unpack_ratio_floor: int = 64 * MIB  # what may come out before the ratio is looked at
    unpack_depth: int = 6  # archive in attachment in archive ...
    archive_members: int = 20_000  # members of one archive
    spool_bytes: int = 16 * MIB  # kept in memory before a temporary file is used
    json_depth: int = 200  # nesting of one JSON value
    json_document_bytes: int = 256 * MIB  # one JSON document that is not in lines
    record_bytes: int = 16 * MIB  # one record (a JSON line, a CSV row) read as an event; a longer one stays text
    html_bytes: int = 64 * MIB  # one HTML page
    pdf_bytes: int = 256 * MIB  # one PDF
    pdf_pages: int = 5_000  # pages of one PDF
    pdf_seconds: float = 120.0  # for one PDF
    email_bytes: int = 128 * MIB  # one message with its attachments
    email_parts: int = 500  # MIME parts of one message
    evtx_bytes: int = 8 * GIB  # one Windows event log
    case_inputs: int = 20_000  # files of one case; more are several cases
    directory_files: int = 1_000_000  # files found under one folder that was named
    template_lines: int = 200_000  # lines of one source turned into templates, to relate cases
    log_templates: int = 20_000  # templates of the lines that `casemate logs` reads; the lines of more are one group
    observables_per_case: int = 200_000  # distinct ones
    spans_per_observable: int = 20  # places kept of each; all are counted
    payload_depth: int = 8  # encodings inside each other
    payload_bytes: int = 4 * MIB  # one decoded layer
    payload_total_bytes: int = 64 * MIB  # all layers of one source
    payloads_per_source: int = 2_000  # decoded payloads of one source
    timeline_entries: int = 2_000  # groups of like events
    findings: int = 300  # of one case
    citations_per_finding: int = 5  # places a finding leads to
    passages: int = 40  # reference passages of one case
    related_cases: int = 10  # earlier cases shown
    shared_per_related_case: int = 50  # of what two cases share, the rarest
    quote_chars: int = 400  # of one citation; a longer span is cited by its beginning
    original_bytes: int = 16 * MIB  # one original kept as it was received
    store_wait_seconds: float = 30.0  # for another process that is writing
    # the service
    request_bytes: int = 1 * MIB  # a request that hands in no evidence
    upload_bytes: int = 256 * MIB  # one file handed in; records in lines are bounded one by one
    batch_alerts: int = 1_000  # alerts stored in one transaction
    group_alerts: int = 500  # alerts of one group that its case looks at; all are kept and counted
    queue_jobs: int = 100_000  # waiting jobs; more evidence is refused for a while
    lease_seconds: float = 60.0  # a worker that is silent for so long has lost its job
    job_attempts: int = 3  # then the job is a dead letter
    evidence_lines: int = 2_000  # lines of evidence in one answer
    line_chars: int = 4_000  # of one line in such an answer
    # bulk runs
    bulk_items: int = 16  # inputs of one part of a bulk run; a part that was begun is begun again
    bulk_bytes: int = 64 * MIB  # after so much evidence a part is complete
    bulk_object_store_bytes: int = 128 * MIB  # Ray's object store, through which receipts pass and no evidence
    bulk_start_seconds: float = 120.0  # for each of three tries to start a Ray of our own
    # an agent that asks over MCP
    agent_text_chars: int = 200_000  # text that one call of an agent brings
    agent_answer_chars: int = 200_000  # JSON of one answer to an agent; rows beyond it are counted, not given
    agent_calls: int = 16  # calls of an agent waiting for an answer; one more is refused
    # connectors
    connector_seconds: float = 30.0  # one request to another program, from the first byte to the last
    connector_answer_bytes: int = 64 * MIB  # one answer of another program
    connector_pause_seconds: float = 600.0  # the longest pause after failures; they double from one second
    connector_files: int = 100_000  # files looked at in one watched folder; what stands behind them waits
    push_attempts: int = 12  # then the push is given up and told; `casemate connect push` tries again
    syslog_message_bytes: int = 64 * 1024  # one message; a longer one is cut, as RFC 5424 section 6.1 allows
    syslog_connections: int = 256  # TCP and TLS connections at once
    syslog_per_second: int = 10_000  # messages from one sender; over TCP the sender waits, over UDP they are dropped
    syslog_waiting: int = 20_000  # messages received and not yet stored
    syslog_idle_seconds: float = 600.0  # a connection that says nothing for so long is closed
    # sign-in by an OpenID Connect issuer
    sign_in_seconds: float = 600.0  # from leaving for the issuer to coming back
    issuer_seconds: float = 10.0  # everything that one sign-in asks the issuer
    issuer_answer_bytes: int = 1 * MIB  # one answer of the issuer
    clock_skew_seconds: float = 60.0  # by which the issuer's clock may be off
    # language model
    model_file_bytes: int = 64 * GIB  # one GGUF
    model_header_bytes: int = 64 * MIB  # its header
    bundle_files: int = 1_000  # files of one signed bundle; together at most `model_file_bytes`
    bundle_manifest_bytes: int = 1 * MIB  # its list of files, or its signature
    prompt_tokens: int = 600  # estimated; what the model reads, instruction included
    answer_tokens: int = 360  # what it may write
    draft_requests: int = 4  # parts of the evidence that a task reads with a model, and one request more to choose
    explain_chars: int = 16 * MIB  # characters that `casemate explain` holds in memory
    answer_seconds: float = 60.0  # one request to a model
    engine_start_seconds: float = 120.0  # loading a model
    report_evidence_chars: int = 200_000  # of evidence text in one HTML report
    report_rows: int = 200  # of one table shown to a person; the data formats carry them all
