-- SPDX-License-Identifier: Apache-2.0
-- The first schema. Portable subset: BIGINT (Unix seconds, numbers, 0/1),
-- TEXT, BYTEA; tools/embed-sql maps the types and adds STRICT for SQLite.
-- Ids are made by core, the only writer, from 1; 0 in a column that names an id
-- or a time: none. States are stored by name; the CHECK lists are compared with
-- the X-macros of fleet/rows.h and store/rows.h by a test.

CREATE TABLE meta ( -- narrow
    key   TEXT PRIMARY KEY,  -- schema, fleet, epoch, node, core_starts
    value TEXT NOT NULL
);

CREATE TABLE authority (
    id            BIGINT PRIMARY KEY,
    name          TEXT NOT NULL UNIQUE,
    state         TEXT NOT NULL CHECK (state IN
        ('staged', 'active', 'retiring', 'retired', 'revoked')),
    is_root       BIGINT NOT NULL,       -- self-signed
    use_server    BIGINT NOT NULL,       -- anchors or issues server certificates
    use_device    BIGINT NOT NULL,       -- anchors or issues client certificates
    parent_id     BIGINT NOT NULL,       -- the authority that signed it, if known
    root_id       BIGINT NOT NULL,       -- top of its chain, itself for a root
    subject       TEXT NOT NULL,         -- RFC 2253
    fingerprint   TEXT NOT NULL UNIQUE,  -- SHA-256 of the DER, hex
    key_digest    TEXT NOT NULL,         -- SHA-256 of the SPKI, hex
    der           BYTEA NOT NULL,
    key_wrapped   BYTEA,                 -- NULL: the key is not held
    cross_der     BYTEA,                 -- NewWithOld, when made (RFC 4210 4.4)
    cross_by      BIGINT NOT NULL,       -- the old authority that signed it
    not_before    BIGINT NOT NULL,
    not_after     BIGINT NOT NULL,
    last_issue_at BIGINT NOT NULL,       -- past it issuing is refused
    imported      BIGINT NOT NULL,
    created_at    BIGINT NOT NULL
);

CREATE TABLE profile (
    id             BIGINT PRIMARY KEY,
    name           TEXT NOT NULL UNIQUE,  -- also the EST label
    issuer_id      BIGINT NOT NULL,       -- authority for first enrolments
    validity_s     BIGINT NOT NULL,
    jitter_s       BIGINT NOT NULL,
    backdate_s     BIGINT NOT NULL,
    renew_before_s BIGINT NOT NULL,       -- length of the renewal window
    use_server     BIGINT NOT NULL,       -- EKU serverAuth
    use_client     BIGINT NOT NULL,       -- EKU clientAuth
    digest         TEXT NOT NULL,         -- over all of the above
    approved_at    BIGINT NOT NULL
);

CREATE TABLE device (
    device_id       TEXT PRIMARY KEY,
    state           TEXT NOT NULL CHECK (state IN
        ('active', 'parked', 'blocked', 'retired')),
    hw_serial       TEXT NOT NULL,
    model           TEXT NOT NULL,
    firmware        TEXT NOT NULL,
    batch           TEXT NOT NULL,
    type            TEXT NOT NULL,
    profile         TEXT NOT NULL,
    labels          TEXT NOT NULL,       -- JSON object
    environment     TEXT NOT NULL CHECK (environment IN ('pilot', 'production')),
    period_s        BIGINT NOT NULL,     -- connectivity class: check-in period
    management      TEXT NOT NULL CHECK (management IN
        ('checkin', 'est', 'none')),
    oob_address     TEXT NOT NULL,
    subject         TEXT NOT NULL,       -- RFC 2253, of its certificates
    subject_der     BYTEA NOT NULL,
    san_der         BYTEA NOT NULL,      -- value of the SAN extension, or empty
    created_at      BIGINT NOT NULL,
    last_seen_at    BIGINT NOT NULL,     -- 0: never
    park_at         BIGINT NOT NULL,     -- silent until then: parked
    last_checkin_at BIGINT NOT NULL,
    last_renewal_at BIGINT NOT NULL,
    clock_off_s     BIGINT NOT NULL,     -- device's clock minus ours, last check-in
    agent           TEXT NOT NULL,
    blocked_case    TEXT NOT NULL
);
CREATE INDEX device_by_state ON device (state, device_id);
CREATE INDEX device_by_park ON device (state, park_at);

-- Certificates of devices, gateways and fronts; DER apart.
CREATE TABLE credential (
    owner_kind    TEXT NOT NULL CHECK (owner_kind IN
        ('device', 'gateway', 'front')),
    owner         TEXT NOT NULL,         -- device id, gateway or front name
    fingerprint   TEXT NOT NULL,
    generation    BIGINT NOT NULL,       -- 1.. per owner
    state         TEXT NOT NULL CHECK (state IN
        ('issued', 'active', 'superseded', 'revoked', 'expired')),
    serial        TEXT NOT NULL,         -- hex
    issuer        TEXT NOT NULL,         -- RFC 2253
    authority_id  BIGINT NOT NULL,       -- issuing authority, if known here
    root          TEXT NOT NULL,         -- fingerprint of its root, '' if unknown
    subject       TEXT NOT NULL,
    key_digest    TEXT NOT NULL,
    not_before    BIGINT NOT NULL,
    not_after     BIGINT NOT NULL,
    issued_at     BIGINT NOT NULL,
    confirmed_at  BIGINT NOT NULL,       -- first check-in under it; 0: not yet
    seen_at       BIGINT NOT NULL,       -- last proven at an edge, to the hour
    sessions      BIGINT NOT NULL,       -- there; counted one by one up to 10
    superseded_at BIGINT NOT NULL,
    hold_until    BIGINT NOT NULL,       -- superseded: accepted until then
    denied_at     BIGINT NOT NULL,       -- edges were told to refuse it
    revoked_at    BIGINT NOT NULL,
    revoke_reason BIGINT NOT NULL,       -- CRLReason (RFC 5280 5.3.1), -1: none
    pinned        BIGINT NOT NULL,       -- self-signed, accepted by fingerprint
    source        TEXT NOT NULL,         -- import, est, init, csr, file
    PRIMARY KEY (owner, fingerprint)
);
CREATE UNIQUE INDEX credential_by_fingerprint ON credential (fingerprint);
CREATE UNIQUE INDEX credential_by_serial ON credential (issuer, serial);
CREATE INDEX credential_by_key ON credential (owner, key_digest, issued_at);
CREATE INDEX credential_by_end ON credential (state, not_after);
CREATE INDEX credential_by_hold ON credential (hold_until)
    WHERE hold_until > 0 AND denied_at = 0;
CREATE INDEX credential_by_root ON credential (root, state);
CREATE INDEX credential_by_authority ON credential (authority_id, state);

CREATE TABLE certificate_der (
    owner       TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    der         BYTEA NOT NULL,
    chain_pem   TEXT NOT NULL,           -- intermediates as imported, or ''
    PRIMARY KEY (owner, fingerprint)
);

-- One public key, one owner, for ever.
CREATE TABLE key_use ( -- narrow
    key_digest TEXT PRIMARY KEY,
    owner_kind TEXT NOT NULL,
    owner      TEXT NOT NULL
);

CREATE TABLE enrol_secret (
    owner_kind TEXT NOT NULL CHECK (owner_kind IN ('device', 'gateway')),
    owner      TEXT NOT NULL,
    hash       TEXT NOT NULL,            -- SHA-256 of the secret, hex
    key_digest TEXT NOT NULL,            -- of the key that used it, '' before
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    used_at    BIGINT NOT NULL,          -- first authentication with the result
    PRIMARY KEY (owner_kind, owner)
);

-- Trust: what devices should hold, hold, and were seen to do.
CREATE TABLE bundle (
    version      BIGINT PRIMARY KEY,
    keys_version BIGINT NOT NULL,
    previous     BIGINT NOT NULL,
    digest       TEXT NOT NULL,          -- of the anchors, as devices confirm it
    anchors      TEXT NOT NULL,          -- JSON: [{fingerprint, priority}]
    envelope     TEXT NOT NULL,          -- the signed line
    issued_at    BIGINT NOT NULL,
    expires_at   BIGINT NOT NULL,
    reason       TEXT NOT NULL
);
CREATE TABLE trust_key (
    keyid   TEXT PRIMARY KEY,
    role    TEXT NOT NULL CHECK (role IN ('root', 'online')),
    spki    BYTEA NOT NULL,
    wrapped BYTEA,                       -- online key only
    state   TEXT NOT NULL CHECK (state IN ('active', 'retired'))
);
CREATE TABLE trust_store ( -- narrow
    digest  TEXT PRIMARY KEY,
    anchors TEXT NOT NULL                -- JSON list of fingerprints, sorted
);
CREATE TABLE trust_state ( -- narrow
    device_id         TEXT PRIMARY KEY,
    bundle_wanted     BIGINT NOT NULL,
    bundle_confirmed  BIGINT NOT NULL,
    digest            TEXT NOT NULL,     -- what it really loaded; '' unknown
    confirmed_at      BIGINT NOT NULL,
    failed            TEXT NOT NULL,     -- last reason, '' none
    key_pin           TEXT NOT NULL      -- how it got its first trust keys
);
CREATE TABLE chain_seen ( -- narrow
    device_id    TEXT NOT NULL,
    root         TEXT NOT NULL,
    form         TEXT NOT NULL CHECK (form IN ('pure', 'cross', 'leaf')),
    accepted     BIGINT NOT NULL,        -- handshakes, by certificate only
    refused      BIGINT NOT NULL,
    first_ok_at  BIGINT NOT NULL,
    last_ok_at   BIGINT NOT NULL,
    last_main_at BIGINT NOT NULL,        -- last ok under the main name
    last_bad_at  BIGINT NOT NULL,
    PRIMARY KEY (device_id, root, form)
);

-- Edges.
CREATE TABLE gateway (
    name         TEXT PRIMARY KEY,
    kind         TEXT NOT NULL CHECK (kind IN ('gateway', 'front')),
    site         TEXT NOT NULL,
    names        TEXT NOT NULL,          -- JSON list of main host names
    next_name    TEXT NOT NULL,
    trial_name   TEXT NOT NULL,
    default_root TEXT NOT NULL,          -- '' until known
    next_root    TEXT NOT NULL,
    forced       BIGINT NOT NULL,
    applied      BIGINT NOT NULL,        -- feed position it works with
    applied_at   BIGINT NOT NULL,
    heard_at     BIGINT NOT NULL,
    batch        BIGINT NOT NULL,        -- last report counted
    clock_off_s  BIGINT NOT NULL,
    sessions     BIGINT NOT NULL,
    version      TEXT NOT NULL,
    created_at   BIGINT NOT NULL
);
CREATE TABLE gateway_credential (
    gateway     TEXT NOT NULL,
    id          TEXT NOT NULL,           -- 'file', or '<order>'
    listener    TEXT NOT NULL,
    slot        TEXT NOT NULL CHECK (slot IN
        ('ordered', 'current', 'next', 'previous', 'recovery', 'gone')),
    generation  BIGINT NOT NULL,
    names       TEXT NOT NULL,           -- JSON list
    authority_id BIGINT NOT NULL,        -- issuing authority asked for
    root        TEXT NOT NULL,           -- '' until issued or unknown
    key_digest  TEXT NOT NULL,           -- '' until the CSR came
    csr         BYTEA,
    chain_pem   TEXT NOT NULL,           -- '' until issued
    fingerprint TEXT NOT NULL,
    not_after   BIGINT NOT NULL,
    rotation_id BIGINT NOT NULL,
    created_at  BIGINT NOT NULL,
    PRIMARY KEY (gateway, id)
);
CREATE TABLE feed (
    kind     TEXT NOT NULL CHECK (kind IN ('anchor', 'device', 'deny',
        'credential', 'csr', 'policy', 'reconnect')),
    key      TEXT NOT NULL,
    gateway  TEXT NOT NULL,              -- '' for every edge
    position BIGINT NOT NULL,
    body     TEXT,                       -- NULL: gone
    PRIMARY KEY (kind, key)
);
CREATE UNIQUE INDEX feed_by_position ON feed (position);

-- Rotations.
CREATE TABLE rotation (
    id           BIGINT PRIMARY KEY,
    kind         TEXT NOT NULL CHECK (kind IN ('server-cert', 'server-ca',
        'device-ca', 'renewal', 'algorithm', 'trust-key')),
    state        TEXT NOT NULL CHECK (state IN ('planned', 'running', 'paused',
        'rolled-back', 'aborted', 'done')),
    phase        TEXT NOT NULL CHECK (phase IN ('planned', 'preflight',
        'overlap', 'pilot', 'waves', 'observe', 'retire', 'done')),
    phase_since  BIGINT NOT NULL,
    phase_elapsed_ms BIGINT NOT NULL,    -- boot time passed in it, as counted
    ticked_at    BIGINT NOT NULL,        -- both clocks at the last count
    ticked_mono_ms BIGINT NOT NULL,
    boot_id      TEXT NOT NULL,
    version      BIGINT NOT NULL,        -- compare-and-set
    from_id      BIGINT NOT NULL,        -- authority
    to_id        BIGINT NOT NULL,
    plan         TEXT NOT NULL,          -- JSON, as planned
    plan_digest  TEXT NOT NULL,
    wave         BIGINT NOT NULL,        -- open wave, 0 none
    switched_at  BIGINT NOT NULL,        -- default root moved; 0 not yet
    position     BIGINT NOT NULL,        -- feed position edges must apply
    bundle       BIGINT NOT NULL,        -- bundle version devices must confirm
    waits_for    TEXT NOT NULL,          -- words for the operator
    last_safe_at BIGINT NOT NULL,        -- its last safe day
    approval_id  BIGINT NOT NULL,
    created_by   TEXT NOT NULL,
    created_at   BIGINT NOT NULL,
    started_at   BIGINT NOT NULL,
    finished_at  BIGINT NOT NULL
);
CREATE TABLE phase ( -- narrow
    rotation_id BIGINT NOT NULL,
    seq         BIGINT NOT NULL,
    name        TEXT NOT NULL,
    entered_at  BIGINT NOT NULL,
    left_at     BIGINT NOT NULL,
    outcome     TEXT NOT NULL,
    PRIMARY KEY (rotation_id, seq)
);
CREATE TABLE assignment ( -- narrow
    device_id   TEXT NOT NULL,
    rotation_id BIGINT NOT NULL,
    wave        BIGINT NOT NULL,
    rank        BIGINT NOT NULL,
    state       TEXT NOT NULL CHECK (state IN ('waiting', 'triggered', 'csr',
        'issued', 'tried', 'switched', 'confirmed', 'failed', 'unreachable',
        'out-of-band', 'escalated', 'excepted', 'parked')),
    state_since BIGINT NOT NULL,
    due_at      BIGINT NOT NULL,         -- 0: no timer
    tries       BIGINT NOT NULL,
    edge_at     BIGINT NOT NULL,         -- first proof at an edge's main name
    fingerprint TEXT NOT NULL,           -- certificate it was issued, or ''
    reason      TEXT NOT NULL,
    PRIMARY KEY (device_id, rotation_id)
);
CREATE INDEX assignment_due ON assignment (due_at) WHERE due_at > 0;
CREATE INDEX assignment_release ON assignment (rotation_id, wave, state, rank);
CREATE TABLE mailbox ( -- narrow
    device_id   TEXT NOT NULL,
    id          TEXT NOT NULL,           -- instruction id, r<rotation>-<action>
    action      TEXT NOT NULL CHECK (action IN ('renew', 'probe')),
    body        TEXT NOT NULL,           -- JSON object of further fields
    rotation_id BIGINT NOT NULL,
    created_at  BIGINT NOT NULL,
    told_at     BIGINT NOT NULL,
    PRIMARY KEY (device_id, id)
);
CREATE TABLE outbox (
    id          BIGINT PRIMARY KEY,
    key         TEXT NOT NULL UNIQUE,    -- rotation/step/object/attempt
    rotation_id BIGINT NOT NULL,
    action      TEXT NOT NULL,
    body        TEXT NOT NULL,           -- JSON
    state       TEXT NOT NULL CHECK (state IN ('queued', 'done', 'failed')),
    tries       BIGINT NOT NULL,
    due_at      BIGINT NOT NULL,
    result      TEXT NOT NULL,
    created_at  BIGINT NOT NULL
);
CREATE INDEX outbox_due ON outbox (state, due_at);
CREATE TABLE tally ( -- narrow
    rotation_id BIGINT NOT NULL,
    wave        BIGINT NOT NULL,
    what        TEXT NOT NULL,           -- assignment state, or ok / failed
    shard       BIGINT NOT NULL,
    n           BIGINT NOT NULL,
    PRIMARY KEY (rotation_id, wave, what, shard)
);
CREATE TABLE device_update (
    device_id   TEXT NOT NULL,
    id          TEXT NOT NULL,           -- certs-<unix time>
    rotation_id BIGINT NOT NULL,         -- 0: none
    version     TEXT NOT NULL,
    target      TEXT NOT NULL,
    started_at  BIGINT NOT NULL,
    finished_at BIGINT NOT NULL,
    outcome     TEXT NOT NULL,
    PRIMARY KEY (device_id, id)
);
CREATE TABLE update_step (
    device_id TEXT NOT NULL,
    id        TEXT NOT NULL,
    seq       BIGINT NOT NULL,
    at        BIGINT NOT NULL,
    step      TEXT NOT NULL,
    target    TEXT NOT NULL,
    outcome   TEXT NOT NULL,
    detail    TEXT NOT NULL,
    PRIMARY KEY (device_id, id, seq)
);

-- Watching.
CREATE TABLE handshake (
    id       BIGINT PRIMARY KEY,
    gateway  TEXT NOT NULL,
    at       BIGINT NOT NULL,
    device   TEXT NOT NULL,              -- '' unknown
    confidence TEXT NOT NULL,            -- how it is known who it was
    outcome  TEXT NOT NULL,
    reason   TEXT NOT NULL,
    root     TEXT NOT NULL,              -- of the chain shown
    body     TEXT NOT NULL               -- the record, JSON
);
CREATE INDEX handshake_by_device ON handshake (device, id);
CREATE INDEX handshake_by_root ON handshake (root, at);
CREATE TABLE handshake_hour ( -- narrow
    device  TEXT NOT NULL,
    hour    BIGINT NOT NULL,             -- Unix seconds / 3600
    gateway TEXT NOT NULL,
    outcome TEXT NOT NULL,
    reason  TEXT NOT NULL,
    root    TEXT NOT NULL,
    n       BIGINT NOT NULL,
    PRIMARY KEY (device, hour, gateway, outcome, reason, root)
);
CREATE TABLE expiry_day ( -- narrow
    day BIGINT NOT NULL,                 -- Unix seconds / 86400
    owner_kind TEXT NOT NULL,
    n   BIGINT NOT NULL,
    PRIMARY KEY (day, owner_kind)
);
CREATE TABLE event (
    id          BIGINT PRIMARY KEY,
    at          BIGINT NOT NULL,
    name        TEXT NOT NULL,           -- CertRotationStarted, ...
    device      TEXT NOT NULL,
    correlation TEXT NOT NULL,
    body        TEXT NOT NULL            -- JSON object
);
CREATE TABLE alert (
    id       BIGINT PRIMARY KEY,
    key      TEXT NOT NULL UNIQUE,       -- one open alert per subject
    severity TEXT NOT NULL,
    name     TEXT NOT NULL,
    detail   TEXT NOT NULL,
    at       BIGINT NOT NULL,
    count    BIGINT NOT NULL,
    acked_by TEXT NOT NULL,
    acked_at BIGINT NOT NULL
);

-- People.
CREATE TABLE token (
    id         BIGINT PRIMARY KEY,
    name       TEXT NOT NULL UNIQUE,
    role       TEXT NOT NULL CHECK (role IN
        ('viewer', 'operator', 'approver', 'admin')),
    hash       TEXT NOT NULL UNIQUE,     -- SHA-256 of the token, hex
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,          -- 0: never
    revoked_at BIGINT NOT NULL
);
CREATE TABLE approval (
    id           BIGINT PRIMARY KEY,
    action       TEXT NOT NULL,          -- rotation.retire, gateway.override ...
    object       TEXT NOT NULL,          -- what it is about, for people
    digest       TEXT NOT NULL,          -- of exactly what would be done
    requested_by TEXT NOT NULL,
    requested_at BIGINT NOT NULL,
    expires_at   BIGINT NOT NULL,
    given_by     TEXT NOT NULL,
    given_at     BIGINT NOT NULL,
    used_at      BIGINT NOT NULL
);
CREATE UNIQUE INDEX approval_by_digest ON approval (action, digest, requested_at);

-- Audit: a hash chain per stream (node, core start).
CREATE TABLE audit_stream (
    stream     TEXT PRIMARY KEY,         -- <node>-<core start>
    node       TEXT NOT NULL,
    start      BIGINT NOT NULL,          -- of core on this node, 1..
    prior      TEXT NOT NULL,            -- head of the stream before, '' for 1
    started_at BIGINT NOT NULL,
    seq        BIGINT NOT NULL,          -- of the last entry
    head       TEXT NOT NULL             -- hash of the last entry, hex; seq 0:
                                         -- of prior, stream, started_at
);
CREATE UNIQUE INDEX audit_stream_by_start ON audit_stream (node, start);
CREATE TABLE audit (
    stream TEXT NOT NULL,
    seq    BIGINT NOT NULL,              -- 1..
    at     BIGINT NOT NULL,
    actor  TEXT NOT NULL,
    action TEXT NOT NULL,
    object TEXT NOT NULL,
    detail TEXT NOT NULL,                -- JSON object
    hash   TEXT NOT NULL,                -- SHA-256 over the hash before, stream,
                                         -- and all of the above, hex
    PRIMARY KEY (stream, seq)
);
CREATE TABLE audit_checkpoint (
    id   BIGINT PRIMARY KEY,
    at   BIGINT NOT NULL,
    line TEXT NOT NULL                   -- signed heads of all streams (DSSE)
);
