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

-- name: trust_confirmed_any
-- in:
-- out:  n int (1 when any device has confirmed a bundle, else 0)
SELECT COUNT(*) AS n
  FROM (SELECT 1 AS one FROM trust_state WHERE bundle_confirmed > 0 LIMIT 1)
       AS confirmed;

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
-- in:   device_id text, digest text, failed text
-- out:  rows changed: 1
INSERT INTO trust_state (device_id, bundle_wanted, bundle_confirmed, digest,
    confirmed_at, failed, key_pin)
VALUES (:device_id, 0, 0, :digest, 0, :failed, '')
    ON CONFLICT (device_id) DO UPDATE
       SET bundle_confirmed = 0, digest = excluded.digest, confirmed_at = 0,
           failed = excluded.failed;

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

-- name: chain_taken
-- in:   device_id text, serial text, form text, after_refusal int (1 or 0),
--       at int
-- out:  rows changed: 1, or 0 when it is a new chain
UPDATE chain_taken
   SET taken = taken + 1, after_refusal = after_refusal + :after_refusal,
       last_at = CASE WHEN :at > last_at THEN :at ELSE last_at END
 WHERE device_id = :device_id AND serial = :serial AND form = :form;

-- name: chain_taken_add
-- in:   @chain_taken
-- out:  rows changed: 1
INSERT INTO chain_taken (@chain_taken) VALUES (:@chain_taken);

-- name: chain_taken_list
-- in:   device_id text, limit int
-- out:  @chain_taken
SELECT @chain_taken FROM chain_taken WHERE device_id = :device_id
 ORDER BY last_at DESC LIMIT :limit;

-- name: device_pin_get
-- in:   device_id text
-- out:  @device_pin
SELECT @device_pin FROM device_pin WHERE device_id = :device_id;

-- name: device_pin_set
-- in:   @device_pin
-- out:  rows changed: 1
INSERT INTO device_pin (@device_pin) VALUES (:@device_pin)
    ON CONFLICT (device_id) DO UPDATE SET @=device_pin;
