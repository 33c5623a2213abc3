-- The tables of layout 1 (release 0.1.0), with nothing in them but the version and the head of the chain.
CREATE TABLE audit (
    number BIGINT NOT NULL,
    subject TEXT NOT NULL,
    line TEXT NOT NULL,
    PRIMARY KEY (number)
);

CREATE INDEX ix_audit_subject ON audit (subject);

CREATE TABLE audit_checkpoints (
    number BIGINT NOT NULL,
    line TEXT NOT NULL,
    PRIMARY KEY (number)
);

CREATE TABLE audit_head (
    id INTEGER NOT NULL,
    number BIGINT NOT NULL,
    digest VARCHAR(64) NOT NULL,
    PRIMARY KEY (id)
);

CREATE TABLE blobs (
    digest VARCHAR(64) NOT NULL,
    size BIGINT NOT NULL,
    data BLOB NOT NULL,
    PRIMARY KEY (digest)
);

CREATE TABLE cases (
    number INTEGER NOT NULL,
    id TEXT NOT NULL,
    revision INTEGER NOT NULL,
    created VARCHAR(27) NOT NULL,
    title TEXT NOT NULL,
    state VARCHAR(20) NOT NULL,
    marking VARCHAR(20) NOT NULL,
    disposition VARCHAR(30) NOT NULL,
    priority INTEGER NOT NULL,
    edition TEXT NOT NULL,
    digest VARCHAR(64) NOT NULL,
    data BLOB NOT NULL,
    PRIMARY KEY (number),
    UNIQUE (id)
);

CREATE INDEX ix_cases_created ON cases (created);

CREATE INDEX ix_cases_state ON cases (state);

CREATE TABLE readings (
    "key" TEXT NOT NULL,
    time VARCHAR(27) NOT NULL,
    data BLOB NOT NULL,
    PRIMARY KEY ("key")
);

CREATE TABLE runs (
    "key" TEXT NOT NULL,
    begun VARCHAR(27) NOT NULL,
    ended VARCHAR(27),
    "case" TEXT,
    PRIMARY KEY ("key")
);

CREATE TABLE schema_version (
    version INTEGER NOT NULL,
    PRIMARY KEY (version)
);

CREATE TABLE texts (
    id INTEGER NOT NULL,
    reading TEXT NOT NULL,
    host TEXT NOT NULL,
    process INTEGER NOT NULL,
    begun VARCHAR(27) NOT NULL,
    digest VARCHAR(64),
    PRIMARY KEY (id)
);

CREATE TABLE chunks (
    text INTEGER NOT NULL,
    start BIGINT NOT NULL,
    length INTEGER NOT NULL,
    line INTEGER NOT NULL,
    body BLOB NOT NULL,
    pieces BLOB NOT NULL,
    PRIMARY KEY (text, start),
    FOREIGN KEY(text) REFERENCES texts (id)
);

CREATE TABLE features (
    "key" BLOB NOT NULL,
    "case" INTEGER NOT NULL,
    PRIMARY KEY ("key", "case"),
    FOREIGN KEY("case") REFERENCES cases (number)
)
 WITHOUT ROWID;

CREATE INDEX features_of_case ON features ("case");

CREATE TABLE reviews (
    "case" INTEGER NOT NULL,
    number INTEGER NOT NULL,
    reviewer TEXT NOT NULL,
    role TEXT NOT NULL,
    time VARCHAR(27) NOT NULL,
    disposition VARCHAR(30),
    decisions INTEGER NOT NULL,
    reason TEXT NOT NULL,
    PRIMARY KEY ("case", number),
    FOREIGN KEY("case") REFERENCES cases (number)
);

CREATE INDEX ix_reviews_reviewer ON reviews (reviewer);

CREATE TABLE run_inputs (
    run TEXT NOT NULL,
    position INTEGER NOT NULL,
    name TEXT NOT NULL,
    reading TEXT,
    PRIMARY KEY (run, position),
    UNIQUE (run, name),
    FOREIGN KEY(run) REFERENCES runs ("key")
);

CREATE TABLE text_names (
    evidence VARCHAR(64) NOT NULL,
    edition TEXT NOT NULL,
    text INTEGER NOT NULL,
    PRIMARY KEY (evidence, edition),
    FOREIGN KEY(text) REFERENCES texts (id)
);

CREATE INDEX ix_text_names_text ON text_names (text);

INSERT INTO schema_version VALUES (1);
INSERT INTO audit_head (id, number, digest) VALUES (1, 0, '0000000000000000000000000000000000000000000000000000000000000000');
