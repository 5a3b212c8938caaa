-- SPDX-License-Identifier: Apache-2.0

-- name: bundle_add
-- in:   @bundle
-- out:  rows changed: 1
INSERT INTO bundle (@bundle) VALUES (:@bundle);

-- name: bundle_newest
-- out:  @bundle
SELECT @bundle FROM bundle ORDER BY version DESC LIMIT 1;

-- name: bundle_get
-- in:   version int
-- out:  @bundle
SELECT @bundle FROM bundle WHERE version = :version;

-- name: bundle_by_digest
-- in:   digest text
-- out:  @bundle
SELECT @bundle FROM bundle WHERE digest = :digest ORDER BY version DESC LIMIT 1;

-- name: bundle_list
-- in:   after int, limit int
-- out:  @bundle
SELECT @bundle FROM bundle WHERE version > :after ORDER BY version LIMIT :limit;

-- name: trust_key_set
-- in:   @trust_key
-- out:  rows changed: 1
INSERT INTO trust_key (@trust_key) VALUES (:@trust_key)
    ON CONFLICT (keyid) DO UPDATE SET @=trust_key;

-- name: trust_key_list
-- in:   limit int
-- out:  @trust_key
SELECT @trust_key FROM trust_key ORDER BY role, keyid LIMIT :limit;

-- name: trust_store_put
-- in:   digest text, anchors text
-- out:  rows changed: 1, or 0 when it is known
INSERT INTO trust_store (digest, anchors) VALUES (:digest, :anchors)
    ON CONFLICT (digest) DO NOTHING;

-- name: trust_store_get
-- in:   digest text
-- out:  anchors text
SELECT anchors FROM trust_store WHERE digest = :digest;

-- name: trust_state_get
-- in:   device_id text
-- out:  @trust_state
SELECT @trust_state FROM trust_state WHERE device_id = :device_id;

-- name: trust_state_set
-- in:   @trust_state
-- out:  rows changed: 1
INSERT INTO trust_state (@trust_state) VALUES (:@trust_state)
    ON CONFLICT (device_id) DO UPDATE SET @=trust_state;

-- name: trust_state_confirm
-- in:   device_id text, bundle_confirmed int, digest text, at int
-- out:  rows changed: 1
INSERT INTO trust_state (device_id, bundle_wanted, bundle_confirmed, digest,
    confirmed_at, failed, key_pin)
VALUES (:device_id, :bundle_confirmed, :bundle_confirmed, :digest, :at, '', '')
    ON CONFLICT (device_id) DO UPDATE
       SET bundle_confirmed = excluded.bundle_confirmed,
           digest = excluded.digest, confirmed_at = excluded.confirmed_at,
           failed = '';

-- name: trust_state_failed
-- in:   device_id text, failed text
-- out:  rows changed: 1
INSERT INTO trust_state (device_id, bundle_wanted, bundle_confirmed, digest,
    confirmed_at, failed, key_pin)
VALUES (:device_id, 0, 0, '', 0, :failed, '')
    ON CONFLICT (device_id) DO UPDATE SET failed = excluded.failed;

-- name: trust_distinct
-- in:   state text (of devices), limit int
-- out:  digest text, anchors text?, n int
SELECT coalesce(t.digest, '') AS digest, max(s.anchors) AS anchors,
       count(*) AS n
  FROM device d
  LEFT JOIN trust_state t ON t.device_id = d.device_id
  LEFT JOIN trust_store s ON s.digest = t.digest
 WHERE d.state = :state
 GROUP BY coalesce(t.digest, '') ORDER BY n DESC LIMIT :limit;

-- name: trust_with_digest
-- in:   state text, digest text ('' : unknown), after text, limit int
-- out:  device_id text
SELECT d.device_id
  FROM device d LEFT JOIN trust_state t ON t.device_id = d.device_id
 WHERE d.state = :state AND coalesce(t.digest, '') = :digest
   AND d.device_id > :after
 ORDER BY d.device_id LIMIT :limit;

-- name: trust_state_list
-- in:   after text, limit int
-- out:  device_id text, state text (of the device), bundle_wanted int,
--       bundle_confirmed int, digest text, confirmed_at int, failed text,
--       key_pin text
SELECT d.device_id, d.state, coalesce(t.bundle_wanted, 0) AS bundle_wanted,
       coalesce(t.bundle_confirmed, 0) AS bundle_confirmed,
       coalesce(t.digest, '') AS digest,
       coalesce(t.confirmed_at, 0) AS confirmed_at,
       coalesce(t.failed, '') AS failed, coalesce(t.key_pin, '') AS key_pin
  FROM device d LEFT JOIN trust_state t ON t.device_id = d.device_id
 WHERE d.device_id > :after AND d.state <> 'retired'
 ORDER BY d.device_id LIMIT :limit;

-- name: trust_count
-- in:   version int (the bundle wanted)
-- out:  confirmed int, pending int, failed int, parked int
SELECT coalesce(sum(CASE WHEN d.state <> 'parked'
              AND t.bundle_confirmed >= :version THEN 1 ELSE 0 END), 0)
              AS confirmed,
       coalesce(sum(CASE WHEN d.state <> 'parked'
              AND coalesce(t.bundle_confirmed, 0) < :version
              AND coalesce(t.failed, '') = '' THEN 1 ELSE 0 END), 0) AS pending,
       coalesce(sum(CASE WHEN d.state <> 'parked'
              AND coalesce(t.bundle_confirmed, 0) < :version
              AND coalesce(t.failed, '') <> '' THEN 1 ELSE 0 END), 0) AS failed,
       coalesce(sum(CASE WHEN d.state = 'parked' THEN 1 ELSE 0 END), 0)
              AS parked
  FROM device d LEFT JOIN trust_state t ON t.device_id = d.device_id
 WHERE d.state IN ('active', 'parked');

-- name: chain_ok
-- in:   device_id text, root text, form text, at int, main_at int (0: another
--       name than a main one)
-- out:  rows changed: 1
INSERT INTO chain_seen (@chain_seen)
VALUES (:device_id, :root, :form, 1, 0, :at, :at, :main_at, 0)
    ON CONFLICT (device_id, root, form) DO UPDATE
       SET accepted = chain_seen.accepted + 1,
           first_ok_at = CASE WHEN chain_seen.first_ok_at = 0
               THEN excluded.first_ok_at ELSE chain_seen.first_ok_at END,
           last_ok_at = CASE WHEN excluded.last_ok_at > chain_seen.last_ok_at
               THEN excluded.last_ok_at ELSE chain_seen.last_ok_at END,
           last_main_at =
               CASE WHEN excluded.last_main_at > chain_seen.last_main_at
               THEN excluded.last_main_at ELSE chain_seen.last_main_at END;

-- name: chain_bad
-- in:   device_id text, root text, form text, at int
-- out:  rows changed: 1
INSERT INTO chain_seen (@chain_seen)
VALUES (:device_id, :root, :form, 0, 1, 0, 0, 0, :at)
    ON CONFLICT (device_id, root, form) DO UPDATE
       SET refused = chain_seen.refused + 1,
           last_bad_at = CASE WHEN excluded.last_bad_at > chain_seen.last_bad_at
               THEN excluded.last_bad_at ELSE chain_seen.last_bad_at END;

-- name: chain_seen_list
-- in:   device_id text, limit int
-- out:  @chain_seen
SELECT @chain_seen FROM chain_seen WHERE device_id = :device_id
 ORDER BY root, form LIMIT :limit;

-- Gates. Devices that are active, not excepted in this rotation (0: none is),
-- and lack something.

-- name: lacking_proof
-- in:   root text, since int, rotation_id int, after text, limit int
-- out:  device_id text (no pure-chain handshake under any name since then)
SELECT d.device_id FROM device d
 WHERE d.state = 'active' AND d.device_id > :after
   AND NOT EXISTS (SELECT 1 FROM chain_seen c
        WHERE c.device_id = d.device_id AND c.root = :root AND c.form = 'pure'
          AND c.last_ok_at > 0 AND c.last_ok_at >= :since)
   AND NOT EXISTS (SELECT 1 FROM assignment a
        WHERE a.device_id = d.device_id AND a.rotation_id = :rotation_id
          AND a.state = 'excepted')
 ORDER BY d.device_id LIMIT :limit;

-- name: lacking_proof_count
-- in:   root text, since int, rotation_id int
-- out:  n int
SELECT count(*) AS n FROM device d
 WHERE d.state = 'active'
   AND NOT EXISTS (SELECT 1 FROM chain_seen c
        WHERE c.device_id = d.device_id AND c.root = :root AND c.form = 'pure'
          AND c.last_ok_at > 0 AND c.last_ok_at >= :since)
   AND NOT EXISTS (SELECT 1 FROM assignment a
        WHERE a.device_id = d.device_id AND a.rotation_id = :rotation_id
          AND a.state = 'excepted');

-- name: lacking_main_proof
-- in:   root text, since int, rotation_id int, after text, limit int
-- out:  device_id text (none under a main name since then)
SELECT d.device_id FROM device d
 WHERE d.state = 'active' AND d.device_id > :after
   AND NOT EXISTS (SELECT 1 FROM chain_seen c
        WHERE c.device_id = d.device_id AND c.root = :root AND c.form = 'pure'
          AND c.last_main_at > 0 AND c.last_main_at >= :since)
   AND NOT EXISTS (SELECT 1 FROM assignment a
        WHERE a.device_id = d.device_id AND a.rotation_id = :rotation_id
          AND a.state = 'excepted')
 ORDER BY d.device_id LIMIT :limit;

-- name: lacking_main_proof_count
-- in:   root text, since int, rotation_id int
-- out:  n int
SELECT count(*) AS n FROM device d
 WHERE d.state = 'active'
   AND NOT EXISTS (SELECT 1 FROM chain_seen c
        WHERE c.device_id = d.device_id AND c.root = :root AND c.form = 'pure'
          AND c.last_main_at > 0 AND c.last_main_at >= :since)
   AND NOT EXISTS (SELECT 1 FROM assignment a
        WHERE a.device_id = d.device_id AND a.rotation_id = :rotation_id
          AND a.state = 'excepted');

-- name: lacking_bundle
-- in:   version int, rotation_id int, after text, limit int
-- out:  device_id text
SELECT d.device_id FROM device d
 WHERE d.state = 'active' AND d.device_id > :after
   AND NOT EXISTS (SELECT 1 FROM trust_state t
        WHERE t.device_id = d.device_id AND t.bundle_confirmed >= :version)
   AND NOT EXISTS (SELECT 1 FROM assignment a
        WHERE a.device_id = d.device_id AND a.rotation_id = :rotation_id
          AND a.state = 'excepted')
 ORDER BY d.device_id LIMIT :limit;

-- name: lacking_bundle_count
-- in:   version int, rotation_id int
-- out:  n int
SELECT count(*) AS n FROM device d
 WHERE d.state = 'active'
   AND NOT EXISTS (SELECT 1 FROM trust_state t
        WHERE t.device_id = d.device_id AND t.bundle_confirmed >= :version)
   AND NOT EXISTS (SELECT 1 FROM assignment a
        WHERE a.device_id = d.device_id AND a.rotation_id = :rotation_id
          AND a.state = 'excepted');

-- name: lacking_credential
-- in:   authority_id int, rotation_id int, after text, limit int
-- out:  device_id text (no certificate of this authority is in use, or it was
--       not seen at an edge under it)
SELECT d.device_id FROM device d
 WHERE d.state = 'active' AND d.device_id > :after
   AND NOT EXISTS (SELECT 1 FROM credential c
        WHERE c.owner = d.device_id AND c.owner_kind = 'device'
          AND c.authority_id = :authority_id AND c.state = 'active'
          AND c.seen_at > 0)
   AND NOT EXISTS (SELECT 1 FROM assignment a
        WHERE a.device_id = d.device_id AND a.rotation_id = :rotation_id
          AND a.state = 'excepted')
 ORDER BY d.device_id LIMIT :limit;

-- name: lacking_credential_count
-- in:   authority_id int, rotation_id int
-- out:  n int
SELECT count(*) AS n FROM device d
 WHERE d.state = 'active'
   AND NOT EXISTS (SELECT 1 FROM credential c
        WHERE c.owner = d.device_id AND c.owner_kind = 'device'
          AND c.authority_id = :authority_id AND c.state = 'active'
          AND c.seen_at > 0)
   AND NOT EXISTS (SELECT 1 FROM assignment a
        WHERE a.device_id = d.device_id AND a.rotation_id = :rotation_id
          AND a.state = 'excepted');
