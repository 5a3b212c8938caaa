-- SPDX-License-Identifier: Apache-2.0
-- Reading routes about devices and certificates; columns are the fields of
-- the answers (api/rows.h). `state || ''` keeps SQLite from the index of
-- states where the one of devices is far shorter.

-- name: api_devices
-- in:   state text, model text, environment text, pins text, like text,
--       after text, limit int
-- out:  device text, state text, hw_serial text, model text, firmware text,
--       batch text, type text, profile text, environment text,
--       management text, last_seen_at int, last_checkin_at int,
--       last_renewal_at int, bundle_wanted int, bundle_confirmed int,
--       pins text, not_after int?, issuer text?
SELECT d.device_id AS device, d.state, d.hw_serial, d.model, d.firmware,
       d.batch, d.type, d.profile, d.environment, d.management,
       d.last_seen_at, d.last_checkin_at, d.last_renewal_at,
       (SELECT COALESCE(MAX(version), 0) FROM bundle) AS bundle_wanted,
       COALESCE(t.bundle_confirmed, 0) AS bundle_confirmed,
       COALESCE(p.pins, 'unknown') AS pins, c.not_after, c.issuer
  FROM device d
  LEFT JOIN device_pin p ON p.device_id = d.device_id
  LEFT JOIN trust_state t ON t.device_id = d.device_id
  LEFT JOIN credential c ON c.owner = d.device_id AND c.fingerprint =
       (SELECT x.fingerprint FROM credential x
         WHERE x.owner_kind = 'device' AND x.owner = d.device_id
           AND x.state || '' = 'active'
         ORDER BY x.generation DESC LIMIT 1)
 WHERE d.device_id > :after
   AND (:state = '' OR d.state = :state)
   AND (:model = '' OR d.model = :model)
   AND (:environment = '' OR d.environment = :environment)
   AND (:pins = '' OR COALESCE(p.pins, 'unknown') = :pins
        OR (:pins = 'any' AND p.pins IN ('intermediate', 'leaf')))
   AND (:like = '%' OR LOWER(d.device_id) LIKE :like ESCAPE '!'
        OR LOWER(d.hw_serial) LIKE :like ESCAPE '!'
        OR LOWER(d.model) LIKE :like ESCAPE '!')
 ORDER BY d.device_id
 LIMIT :limit;

-- name: api_device
-- in:   device text
-- out:  device text, state text, hw_serial text, model text, firmware text,
--       batch text, type text, profile text, labels_json text,
--       environment text, period_s int, management text, oob_address text,
--       subject text, created_at int, last_seen_at int, last_checkin_at int,
--       last_renewal_at int, clock_off_s int, agent text, blocked_case text,
--       pins text
SELECT d.device_id AS device, d.state, d.hw_serial, d.model, d.firmware,
       d.batch, d.type, d.profile, d.labels AS labels_json, d.environment,
       d.period_s, d.management, d.oob_address, d.subject, d.created_at,
       d.last_seen_at, d.last_checkin_at, d.last_renewal_at, d.clock_off_s,
       d.agent, d.blocked_case, COALESCE(p.pins, 'unknown') AS pins
  FROM device d
  LEFT JOIN device_pin p ON p.device_id = d.device_id
 WHERE d.device_id = :device;

-- name: api_device_trust
-- in:   device text
-- out:  wanted int, confirmed int, digest text, confirmed_at int,
--       failed text, key_pin text, anchors_json text?
SELECT (SELECT COALESCE(MAX(version), 0) FROM bundle) AS wanted,
       t.bundle_confirmed AS confirmed, t.digest, t.confirmed_at, t.failed,
       t.key_pin, s.anchors AS anchors_json
  FROM trust_state t
  LEFT JOIN trust_store s ON s.digest = t.digest
 WHERE t.device_id = :device;

-- name: api_device_seen
-- in:   device text
-- out:  root text, authority text?, form text, accepted int, refused int,
--       first_ok_at int, last_ok_at int, last_main_at int, last_bad_at int
SELECT s.root, a.name AS authority, s.form, s.accepted, s.refused,
       s.first_ok_at, s.last_ok_at, s.last_main_at, s.last_bad_at
  FROM chain_seen s
  LEFT JOIN authority a ON a.fingerprint = s.root
 WHERE s.device_id = :device
 ORDER BY s.root, s.form;

-- name: api_device_assignments
-- in:   device text
-- out:  rotation int, kind text, wave int, state text, state_since int,
--       due_at int, tries int, fingerprint text, reason text
SELECT g.rotation_id AS rotation, r.kind, g.wave, g.state, g.state_since,
       g.due_at, g.tries, g.fingerprint, g.reason
  FROM assignment g
  JOIN rotation r ON r.id = g.rotation_id
 WHERE g.device_id = :device
 ORDER BY g.rotation_id DESC
 LIMIT 50;

-- name: api_updates
-- in:   device text, limit int
-- out:  id text, rotation int?, version text, target text, started_at int,
--       finished_at int, outcome text
SELECT id, rotation_id AS rotation, version, target, started_at, finished_at,
       outcome
  FROM device_update
 WHERE device_id = :device
 ORDER BY started_at DESC, id DESC
 LIMIT :limit;

-- name: api_update
-- in:   device text, update text
-- out:  id text, rotation int?, version text, target text, started_at int,
--       finished_at int, outcome text
SELECT id, rotation_id AS rotation, version, target, started_at, finished_at,
       outcome
  FROM device_update
 WHERE device_id = :device AND id = :update;

-- name: api_update_steps
-- in:   device text, update text
-- out:  seq int, at int, step text, target text, outcome text, detail text
SELECT seq, at, step, target, outcome, detail
  FROM update_step
 WHERE device_id = :device AND id = :update
 ORDER BY seq
 LIMIT 500;

-- name: api_certificates
-- in:   owner text, state text, after text, limit int
-- out:  owner_kind text, owner text, fingerprint text, generation int,
--       state text, serial text, issuer text, authority text?, root text,
--       subject text, key_digest text, not_before int, not_after int,
--       issued_at int, confirmed_at int, superseded_at int, hold_until int,
--       revoked_at int, revoke_reason int, pinned_bool int, source text
SELECT c.owner_kind, c.owner, c.fingerprint, c.generation, c.state, c.serial,
       c.issuer, a.name AS authority, c.root, c.subject, c.key_digest,
       c.not_before, c.not_after, c.issued_at, c.confirmed_at,
       c.superseded_at, c.hold_until, c.revoked_at, c.revoke_reason,
       c.pinned AS pinned_bool, c.source
  FROM credential c
  LEFT JOIN authority a ON a.id = c.authority_id
 WHERE c.fingerprint > :after
   AND (:owner = '' OR c.owner = :owner)
   AND (:state = '' OR c.state = :state)
 ORDER BY c.fingerprint
 LIMIT :limit;

-- name: api_certificates_of
-- in:   owner_kind text, owner text
-- out:  owner_kind text, owner text, fingerprint text, generation int,
--       state text, serial text, issuer text, authority text?, root text,
--       subject text, key_digest text, not_before int, not_after int,
--       issued_at int, confirmed_at int, superseded_at int, hold_until int,
--       revoked_at int, revoke_reason int, pinned_bool int, source text
SELECT c.owner_kind, c.owner, c.fingerprint, c.generation, c.state, c.serial,
       c.issuer, a.name AS authority, c.root, c.subject, c.key_digest,
       c.not_before, c.not_after, c.issued_at, c.confirmed_at,
       c.superseded_at, c.hold_until, c.revoked_at, c.revoke_reason,
       c.pinned AS pinned_bool, c.source
  FROM credential c
  LEFT JOIN authority a ON a.id = c.authority_id
 WHERE c.owner = :owner AND c.owner_kind = :owner_kind
 ORDER BY c.generation DESC
 LIMIT 50;

-- name: api_certificate
-- in:   fingerprint text
-- out:  owner_kind text, owner text, fingerprint text, generation int,
--       state text, serial text, issuer text, authority text?, root text,
--       subject text, key_digest text, not_before int, not_after int,
--       issued_at int, confirmed_at int, superseded_at int, hold_until int,
--       revoked_at int, revoke_reason int, pinned_bool int, source text,
--       certificate_pem bytes?, chain text?
SELECT c.owner_kind, c.owner, c.fingerprint, c.generation, c.state, c.serial,
       c.issuer, a.name AS authority, c.root, c.subject, c.key_digest,
       c.not_before, c.not_after, c.issued_at, c.confirmed_at,
       c.superseded_at, c.hold_until, c.revoked_at, c.revoke_reason,
       c.pinned AS pinned_bool, c.source, x.der AS certificate_pem,
       x.chain_pem AS chain
  FROM credential c
  LEFT JOIN authority a ON a.id = c.authority_id
  LEFT JOIN certificate_der x
         ON x.owner = c.owner AND x.fingerprint = c.fingerprint
 WHERE c.fingerprint = :fingerprint;

-- Devices that should hold the newest bundle: active and parked ones.
-- name: api_trust_status
-- in:   after text, limit int
-- out:  device text, status text, wanted int, confirmed int,
--       confirmed_at int, reason text
SELECT d.device_id AS device,
       CASE WHEN COALESCE(t.bundle_confirmed, 0) >= b.newest THEN 'confirmed'
            WHEN d.state = 'parked' THEN 'parked'
            WHEN COALESCE(t.failed, '') <> '' THEN 'failed'
            ELSE 'pending' END AS status,
       b.newest AS wanted, COALESCE(t.bundle_confirmed, 0) AS confirmed,
       COALESCE(t.confirmed_at, 0) AS confirmed_at,
       COALESCE(t.failed, '') AS reason
  FROM device d
 CROSS JOIN (SELECT COALESCE(MAX(version), 0) AS newest FROM bundle) b
  LEFT JOIN trust_state t ON t.device_id = d.device_id
 WHERE d.device_id > :after AND d.state || '' IN ('active', 'parked')
 ORDER BY d.device_id
 LIMIT :limit;

-- name: api_trust_sum
-- in:   none
-- out:  version int, wanted int, confirmed int, pending int, failed int,
--       parked int
SELECT b.newest AS version, COUNT(s.status) AS wanted,
       COUNT(CASE WHEN s.status = 'confirmed' THEN 1 END) AS confirmed,
       COUNT(CASE WHEN s.status = 'pending' THEN 1 END) AS pending,
       COUNT(CASE WHEN s.status = 'failed' THEN 1 END) AS failed,
       COUNT(CASE WHEN s.status = 'parked' THEN 1 END) AS parked
  FROM (SELECT COALESCE(MAX(version), 0) AS newest FROM bundle) b
  LEFT JOIN (SELECT
           CASE WHEN COALESCE(t.bundle_confirmed, 0) >=
                     (SELECT COALESCE(MAX(version), 0) FROM bundle)
                THEN 'confirmed'
                WHEN d.state = 'parked' THEN 'parked'
                WHEN COALESCE(t.failed, '') <> '' THEN 'failed'
                ELSE 'pending' END AS status
          FROM device d
          LEFT JOIN trust_state t ON t.device_id = d.device_id
         WHERE d.state IN ('active', 'parked')) s ON 1 = 1
 GROUP BY b.newest;

-- name: api_trust_newest
-- in:   none
-- out:  wanted int
SELECT COALESCE(MAX(version), 0) AS wanted FROM bundle;

-- name: api_recovery
-- in:   device text
-- out:  device text, version int, grant_id text, line text, failed text,
--       created_by text, created_at int
SELECT device_id AS device, version, grant_id, line, failed, created_by,
       created_at
  FROM recovery_file
 WHERE device_id = :device;

-- What a device needs to walk to the newest: bundles that name other keys
-- than the one before them, and the newest.
-- name: api_bundle_walk
-- in:   limit int
-- out:  version int, envelope text
SELECT b.version, b.envelope
  FROM bundle b
 WHERE b.version = (SELECT MAX(version) FROM bundle)
    OR b.keys_version <> COALESCE((SELECT p.keys_version FROM bundle p
         WHERE p.version < b.version ORDER BY p.version DESC LIMIT 1), 0)
 ORDER BY b.version
 LIMIT :limit;

-- name: api_config_values
-- in:   device text
-- out:  name text, version int, certificate text, set_by text, set_at int,
--       applied_version int, applied_at int, failed text
SELECT name, version, certificate, set_by, set_at, applied_version, applied_at,
       failed
  FROM config_value
 WHERE device_id = :device
 ORDER BY name;
