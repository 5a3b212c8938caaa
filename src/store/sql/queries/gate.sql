-- SPDX-License-Identifier: Apache-2.0
-- What the gates of a rotation look at. A device counts while it is active and
-- not excepted in the rotation. Each answer is the first few ids, each beside
-- the number of all.

-- name: gate_devices
-- in:   rotation_id int
-- out:  n int
SELECT count(*) AS n FROM device d
 WHERE d.state = 'active'
   AND NOT EXISTS (SELECT 1 FROM assignment a
        WHERE a.device_id = d.device_id AND a.rotation_id = :rotation_id
          AND a.state = 'excepted');

-- name: gate_unconfirmed
-- in:   rotation_id int, limit int
-- out:  device_id text, n int
SELECT d.device_id, count(*) OVER () AS n
  FROM device d
  LEFT JOIN assignment a
    ON a.device_id = d.device_id AND a.rotation_id = :rotation_id
 WHERE d.state = 'active'
   AND coalesce(a.state, '') NOT IN ('confirmed', 'excepted')
 ORDER BY d.device_id LIMIT :limit;

-- name: gate_wave_ok
-- in:   rotation_id int, wave int
-- out:  n int
SELECT count(*) AS n
  FROM assignment a JOIN device d ON d.device_id = a.device_id
 WHERE a.rotation_id = :rotation_id AND a.wave <= :wave
   AND a.state = 'confirmed' AND d.state = 'active';

-- name: gate_wave_failed
-- in:   rotation_id int, wave int, limit int
-- out:  device_id text, n int
SELECT a.device_id, count(*) OVER () AS n
  FROM assignment a JOIN device d ON d.device_id = a.device_id
 WHERE a.rotation_id = :rotation_id AND a.wave <= :wave
   AND a.state = 'failed' AND d.state = 'active'
 ORDER BY a.device_id LIMIT :limit;

-- name: gate_wave_open
-- in:   rotation_id int, wave int, limit int
-- out:  device_id text, n int
SELECT a.device_id, count(*) OVER () AS n
  FROM assignment a JOIN device d ON d.device_id = a.device_id
 WHERE a.rotation_id = :rotation_id AND a.wave <= :wave
   AND a.state IN ('waiting', 'triggered', 'csr', 'issued', 'tried', 'switched',
       'parked')
   AND d.state = 'active'
 ORDER BY a.device_id LIMIT :limit;

-- name: gate_edge_ok
-- in:   rotation_id int, root text, since int
-- out:  n int (devices that took a chain of this root at a main name)
SELECT count(DISTINCT d.device_id) AS n
  FROM chain_seen c JOIN device d ON d.device_id = c.device_id
 WHERE c.root = :root AND c.last_main_at > 0 AND c.last_main_at >= :since
   AND c.last_main_at >= c.last_bad_at AND d.state = 'active'
   AND NOT EXISTS (SELECT 1 FROM assignment a
        WHERE a.device_id = d.device_id AND a.rotation_id = :rotation_id
          AND a.state = 'excepted');

-- name: gate_edge_failing
-- in:   rotation_id int, root text, since int, limit int
-- out:  device_id text, n int (their last word on it was no)
SELECT device_id, count(*) OVER () AS n
  FROM (SELECT d.device_id
          FROM chain_seen c JOIN device d ON d.device_id = c.device_id
         WHERE c.root = :root AND c.last_bad_at > 0
           AND c.last_bad_at >= :since AND d.state = 'active'
           AND NOT EXISTS (SELECT 1 FROM assignment a
                WHERE a.device_id = d.device_id
                  AND a.rotation_id = :rotation_id AND a.state = 'excepted')
         GROUP BY d.device_id
        HAVING max(c.last_bad_at) > max(c.last_main_at)) f
 ORDER BY device_id LIMIT :limit;

-- name: gate_unproven
-- in:   rotation_id int, root text, since int, limit int
-- out:  device_id text, n int (no pure chain of this root at a main name)
SELECT d.device_id, count(*) OVER () AS n
  FROM device d
 WHERE d.state = 'active'
   AND NOT EXISTS (SELECT 1 FROM chain_seen c
        WHERE c.device_id = d.device_id AND c.root = :root AND c.form = 'pure'
          AND c.last_main_at > 0 AND c.last_main_at >= :since)
   AND NOT EXISTS (SELECT 1 FROM assignment a
        WHERE a.device_id = d.device_id AND a.rotation_id = :rotation_id
          AND a.state = 'excepted')
 ORDER BY d.device_id LIMIT :limit;

-- name: gate_unseen
-- in:   rotation_id int, limit int
-- out:  device_id text, n int (not seen at an edge under the new certificate)
SELECT d.device_id, count(*) OVER () AS n
  FROM device d
  LEFT JOIN assignment a
    ON a.device_id = d.device_id AND a.rotation_id = :rotation_id
 WHERE d.state = 'active' AND coalesce(a.state, '') <> 'excepted'
   AND (coalesce(a.edge_at, 0) = 0 OR a.state <> 'confirmed')
 ORDER BY d.device_id LIMIT :limit;

-- name: gate_unbundled
-- in:   rotation_id int, version int, limit int
-- out:  device_id text, n int (checks in, has not confirmed that bundle)
SELECT d.device_id, count(*) OVER () AS n
  FROM device d
 WHERE d.state = 'active' AND d.management = 'checkin'
   AND NOT EXISTS (SELECT 1 FROM trust_state t
        WHERE t.device_id = d.device_id AND t.bundle_confirmed >= :version)
   AND NOT EXISTS (SELECT 1 FROM assignment a
        WHERE a.device_id = d.device_id AND a.rotation_id = :rotation_id
          AND a.state = 'excepted')
 ORDER BY d.device_id LIMIT :limit;

-- name: gate_live_old
-- in:   rotation_id int, root text, limit int
-- out:  device_id text, n int (a certificate of this root is in use)
SELECT c.owner AS device_id, count(*) OVER () AS n
  FROM credential c JOIN device d ON d.device_id = c.owner
 WHERE c.root = :root AND c.state = 'active' AND c.owner_kind = 'device'
   AND d.state = 'active'
   AND NOT EXISTS (SELECT 1 FROM assignment a
        WHERE a.device_id = d.device_id AND a.rotation_id = :rotation_id
          AND a.state = 'excepted')
 ORDER BY c.owner LIMIT :limit;

-- name: gate_hold
-- in:   root text
-- out:  until int (end of the longest hold; 0: none is held)
SELECT coalesce(max(hold_until), 0) AS until FROM credential
 WHERE root = :root AND state = 'superseded' AND owner_kind = 'device'
   AND denied_at = 0;

-- name: gate_edge_clients
-- in:   root text
-- out:  n int (certificates of edges, of this root, that they ask here under)
SELECT count(*) AS n FROM credential
 WHERE root = :root AND owner_kind = 'gateway' AND source = 'est'
   AND state IN ('issued', 'active');

-- name: gate_parked
-- in:   rotation_id int, limit int
-- out:  device_id text, n int (parked, and not done before)
SELECT d.device_id, count(*) OVER () AS n
  FROM device d
  LEFT JOIN assignment a
    ON a.device_id = d.device_id AND a.rotation_id = :rotation_id
 WHERE d.state = 'parked'
   AND coalesce(a.state, '') NOT IN ('confirmed', 'excepted')
 ORDER BY d.device_id LIMIT :limit;

-- name: gate_left_behind
-- in:   rotation_id int, after text, limit int
-- out:  device_id text (parked and not done, or excepted)
SELECT d.device_id
  FROM device d
  LEFT JOIN assignment a
    ON a.device_id = d.device_id AND a.rotation_id = :rotation_id
 WHERE d.device_id > :after
   AND (coalesce(a.state, '') = 'excepted'
        OR (d.state = 'parked' AND coalesce(a.state, '') <> 'confirmed'))
 ORDER BY d.device_id LIMIT :limit;

-- name: gate_excepted
-- in:   rotation_id int, limit int
-- out:  device_id text, n int
SELECT a.device_id, count(*) OVER () AS n
  FROM assignment a
 WHERE a.rotation_id = :rotation_id AND a.state = 'excepted'
 ORDER BY a.device_id LIMIT :limit;

-- name: gate_clock
-- in:   skip int
-- out:  clock_off_s int (of the device in that place)
SELECT clock_off_s FROM device
 WHERE state = 'active' AND last_checkin_at > 0
 ORDER BY clock_off_s LIMIT 1 OFFSET :skip;

-- name: gate_clocks
-- out:  n int
SELECT count(*) AS n FROM device WHERE state = 'active' AND last_checkin_at > 0;

-- name: gate_outbox
-- in:   rotation_id int, state text
-- out:  n int
SELECT count(*) AS n FROM outbox
 WHERE rotation_id = :rotation_id AND state = :state;

-- name: gate_trust_groups
-- in:   rotation_id int, root text, serial text, issuer text (of the leaf to
--       be shown: who pins these would take it), limit int
-- out:  digest text, anchors text?, management text, seen text, n int,
--       first text, pins text (devices that agree in what they hold and did)
SELECT digest, max(anchors) AS anchors, management, seen, count(*) AS n,
       min(device_id) AS first, pins
  FROM (SELECT d.device_id, d.management, coalesce(t.digest, '') AS digest,
               s.anchors,
               CASE WHEN c.device_id IS NULL THEN ''
                    WHEN c.last_ok_at >= c.last_bad_at THEN 'ok'
                    ELSE 'bad' END AS seen,
               CASE WHEN EXISTS (SELECT 1 FROM chain_taken x
                    WHERE x.device_id = d.device_id
                      AND (x.serial = :serial OR (x.issuer = :issuer
                           AND x.issuer <> '' AND p.pins = 'intermediate'))) THEN 'root'
                    ELSE coalesce(p.pins, 'unknown') END AS pins
          FROM device d
          LEFT JOIN device_pin p ON p.device_id = d.device_id
          LEFT JOIN trust_state t ON t.device_id = d.device_id
          LEFT JOIN trust_store s ON s.digest = t.digest
          LEFT JOIN chain_seen c ON c.device_id = d.device_id
               AND c.root = :root AND c.form = 'pure'
         WHERE d.state = 'active'
           AND NOT EXISTS (SELECT 1 FROM assignment a
                WHERE a.device_id = d.device_id
                  AND a.rotation_id = :rotation_id
                  AND a.state = 'excepted')) g
 GROUP BY digest, management, seen, pins ORDER BY first LIMIT :limit;

-- name: gate_group_devices
-- in:   rotation_id int, root text, serial text, issuer text, digest text,
--       management text, seen text, pins text, after text, limit int
-- out:  device_id text
SELECT d.device_id
  FROM device d
  LEFT JOIN device_pin p ON p.device_id = d.device_id
  LEFT JOIN trust_state t ON t.device_id = d.device_id
  LEFT JOIN chain_seen c ON c.device_id = d.device_id
       AND c.root = :root AND c.form = 'pure'
 WHERE d.state = 'active' AND d.device_id > :after
   AND coalesce(t.digest, '') = :digest AND d.management = :management
   AND CASE WHEN EXISTS (SELECT 1 FROM chain_taken x
                    WHERE x.device_id = d.device_id
                      AND (x.serial = :serial OR (x.issuer = :issuer
                           AND x.issuer <> '' AND p.pins = 'intermediate'))) THEN 'root'
                    ELSE coalesce(p.pins, 'unknown') END = :pins
   AND CASE WHEN c.device_id IS NULL THEN ''
            WHEN c.last_ok_at >= c.last_bad_at THEN 'ok'
            ELSE 'bad' END = :seen
   AND NOT EXISTS (SELECT 1 FROM assignment a
        WHERE a.device_id = d.device_id AND a.rotation_id = :rotation_id
          AND a.state = 'excepted')
 ORDER BY d.device_id LIMIT :limit;

-- name: gate_anchor_users
-- in:   root text (to be taken away), after text, limit int
-- out:  device_id text, digest text, anchors text?, proven int (a pure chain
--       of another root, taken last, that an edge still shows)
SELECT d.device_id, coalesce(t.digest, '') AS digest, s.anchors,
       CASE WHEN EXISTS (SELECT 1 FROM chain_seen c
            WHERE c.device_id = d.device_id AND c.root <> :root
              AND c.root <> '' AND c.form = 'pure' AND c.last_ok_at > 0
              AND c.last_ok_at >= c.last_bad_at
              AND EXISTS (SELECT 1 FROM gateway g
                   WHERE g.default_root = c.root)) THEN 1 ELSE 0 END AS proven
  FROM device d
  LEFT JOIN trust_state t ON t.device_id = d.device_id
  LEFT JOIN trust_store s ON s.digest = t.digest
 WHERE d.state = 'active' AND d.device_id > :after
 ORDER BY d.device_id LIMIT :limit;

-- What the engine does to many rows at a time.

-- name: assignment_wave_all
-- in:   rotation_id int, wave int
-- out:  rows changed
UPDATE assignment SET wave = :wave
 WHERE rotation_id = :rotation_id AND wave <> :wave;

-- name: assignment_wave_first
-- in:   rotation_id int, wave int, rank int (below this one)
-- out:  rows changed
UPDATE assignment SET wave = :wave
 WHERE rotation_id = :rotation_id AND rank < :rank;

-- name: assignment_wave_device
-- in:   rotation_id int, device_id text, wave int
-- out:  rows changed: 1, or 0 when it is not in
UPDATE assignment SET wave = :wave
 WHERE device_id = :device_id AND rotation_id = :rotation_id;

-- name: assignment_wave_count
-- in:   rotation_id int, wave int
-- out:  n int
SELECT count(*) AS n FROM assignment
 WHERE rotation_id = :rotation_id AND wave = :wave;

-- name: assignment_timers_off
-- in:   rotation_id int
-- out:  rows changed
UPDATE assignment SET due_at = 0
 WHERE rotation_id = :rotation_id AND due_at > 0;

-- name: assignment_release_next
-- in:   rotation_id int, wave int, limit int
-- out:  @assignment (waiting, not yet told, of an open wave, by rank)
SELECT @assignment FROM assignment
 WHERE rotation_id = :rotation_id AND wave <= :wave AND state = 'waiting'
   AND due_at = 0
 ORDER BY wave, rank LIMIT :limit;

-- name: mail_recall
-- in:   rotation_id int, limit int
-- out:  rows changed
DELETE FROM mailbox
 WHERE (device_id, id) IN (SELECT device_id, id FROM mailbox
        WHERE rotation_id = :rotation_id LIMIT :limit);

-- name: credential_hold_open
-- in:   root text, limit int
-- out:  rows changed: superseded ones that stay accepted until their end
UPDATE credential SET hold_until = not_after
 WHERE fingerprint IN (SELECT fingerprint FROM credential
        WHERE root = :root AND state = 'superseded' AND denied_at = 0
          AND hold_until < not_after LIMIT :limit);

-- name: credential_hold_end
-- in:   root text ('' : any), since int, hold_s int, limit int
-- out:  rows changed: superseded ones whose hold now ends as planned
UPDATE credential SET hold_until = superseded_at + :hold_s
 WHERE fingerprint IN (SELECT fingerprint FROM credential
        WHERE (root = :root OR :root = '') AND state = 'superseded'
          AND denied_at = 0 AND owner_kind = 'device'
          AND superseded_at >= :since
          AND hold_until > superseded_at + :hold_s
        LIMIT :limit);

-- name: credential_hold_owner
-- in:   owner text, fingerprint text (of the one in use)
-- out:  rows changed: its superseded ones, held until they end
UPDATE credential SET hold_until = not_after
 WHERE owner = :owner AND owner_kind = 'device' AND state = 'superseded'
   AND denied_at = 0 AND fingerprint <> :fingerprint;

-- name: credential_deny_next
-- in:   root text, now int, limit int
-- out:  @credential (superseded, past their hold, not denied)
SELECT @credential FROM credential
 WHERE root = :root AND state = 'superseded' AND denied_at = 0
   AND hold_until <= :now AND owner_kind = 'device'
 ORDER BY fingerprint LIMIT :limit;

-- name: trust_want
-- in:   version int, after text, limit int
-- out:  rows changed
INSERT INTO trust_state (device_id, bundle_wanted, bundle_confirmed, digest,
    confirmed_at, failed, key_pin)
SELECT device_id, :version, 0, '', 0, '', '' FROM
       (SELECT device_id FROM device
         WHERE device_id > :after AND state <> 'retired'
         ORDER BY device_id LIMIT :limit) d
 WHERE true
    ON CONFLICT (device_id) DO UPDATE SET bundle_wanted = excluded.bundle_wanted;

-- name: trust_want_page
-- in:   after text, limit int
-- out:  device_id text (those that trust_want goes over)
SELECT device_id FROM device
 WHERE device_id > :after AND state <> 'retired'
 ORDER BY device_id LIMIT :limit;

-- name: outbox_requeue
-- in:   rotation_id int, now int
-- out:  rows changed: failed ones that are tried again
UPDATE outbox SET state = 'queued', tries = 0, due_at = :now
 WHERE rotation_id = :rotation_id AND state = 'failed';

-- name: rotation_position
-- in:   id int, position int
-- out:  rows changed
UPDATE rotation SET position = :position
 WHERE id = :id AND position < :position;

-- name: rotation_bundle
-- in:   id int, bundle int
-- out:  rows changed
UPDATE rotation SET bundle = :bundle WHERE id = :id AND bundle < :bundle;

-- name: rotation_standing
-- in:   limit int
-- out:  @rotation (planned, running and paused)
SELECT @rotation FROM rotation
 WHERE state IN ('planned', 'running', 'paused') ORDER BY id LIMIT :limit;

-- name: authority_issuers
-- in:   root_id int
-- out:  @authority (that can issue under this root: active, key held)
SELECT @authority FROM authority
 WHERE root_id = :root_id AND state IN ('active', 'staged', 'retiring')
   AND key_wrapped IS NOT NULL
 ORDER BY is_root, created_at DESC, id DESC LIMIT 16;

-- name: authority_under
-- in:   root_id int
-- out:  @authority (the root and all beneath it)
SELECT @authority FROM authority WHERE root_id = :root_id ORDER BY id LIMIT 500;
