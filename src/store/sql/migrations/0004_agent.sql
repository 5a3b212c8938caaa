-- SPDX-License-Identifier: Apache-2.0
-- What devices come back with, and the values kept for them.

-- Leave to enrol once more with a certificate that has ended.
CREATE TABLE enrol_grant (
    id          TEXT PRIMARY KEY,        -- 32 hexadecimal digits, random
    device_id   TEXT NOT NULL,
    certificate TEXT NOT NULL,           -- fingerprint it is bound to
    key_digest  TEXT NOT NULL,           -- of the new key that used it, '' before
    created_by  TEXT NOT NULL,
    created_at  BIGINT NOT NULL,
    expires_at  BIGINT NOT NULL,
    used_at     BIGINT NOT NULL
);

-- The newest file made to bring a device back: its own signed line.
CREATE TABLE recovery_file (
    device_id  TEXT PRIMARY KEY,
    grant_id   TEXT NOT NULL,            -- '' none
    version    BIGINT NOT NULL,          -- of the bundle in it
    line       TEXT NOT NULL,            -- '' until signed
    failed     TEXT NOT NULL,            -- why it was not, '' else
    created_by TEXT NOT NULL,
    created_at BIGINT NOT NULL
);

-- Values for devices, encrypted to their certificates before they came here.
CREATE TABLE config_value (
    device_id       TEXT NOT NULL,
    name            TEXT NOT NULL,
    sealed          BYTEA NOT NULL,      -- CMS EnvelopedData, DER
    certificate     TEXT NOT NULL,       -- fingerprint it is encrypted to
    version         BIGINT NOT NULL,     -- counts up with each value
    set_by          TEXT NOT NULL,
    set_at          BIGINT NOT NULL,
    applied_version BIGINT NOT NULL,     -- the device has it; 0: none yet
    applied_at      BIGINT NOT NULL,
    failed          TEXT NOT NULL,       -- why the device could not, '' else
    PRIMARY KEY (device_id, name)
);

-- A lease: while it lasts nothing is encrypted to the certificate that goes.
CREATE TABLE config_lock (
    device_id  TEXT PRIMARY KEY,
    update_id  TEXT NOT NULL,
    key_digest TEXT NOT NULL,            -- of the next public key
    locked_at  BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);
