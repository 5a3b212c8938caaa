-- SPDX-License-Identifier: Apache-2.0
-- Reading routes about rotations. `approval` is one that still waits.

-- name: api_rotations
-- in:   state text, after int, now int, limit int
-- out:  id int, kind text, state text, phase text, phase_since int,
--       from text?, to text?, wave int, waits_for text, last_safe_at int,
--       approval int?, created_by text, created_at int, started_at int,
--       finished_at int
SELECT r.id, r.kind, r.state, r.phase, r.phase_since, f.name AS "from",
       t.name AS "to", r.wave, r.waits_for, r.last_safe_at,
       p.id AS approval, r.created_by, r.created_at, r.started_at,
       r.finished_at
  FROM rotation r
  LEFT JOIN authority f ON f.id = r.from_id
  LEFT JOIN authority t ON t.id = r.to_id
  LEFT JOIN approval p ON p.id = r.approval_id AND p.given_at = 0
        AND p.withdrawn_at = 0 AND p.expires_at > :now
 WHERE (:after = 0 OR r.id < :after) AND (:state = '' OR r.state = :state)
 ORDER BY r.id DESC
 LIMIT :limit;

-- name: api_rotation
-- in:   id int, now int
-- out:  id int, kind text, state text, phase text, phase_since int,
--       from text?, to text?, wave int, waits_for text, last_safe_at int,
--       approval int?, created_by text, created_at int, started_at int,
--       finished_at int, switched_at int, position int, bundle int,
--       plan_json text, plan_digest text
SELECT r.id, r.kind, r.state, r.phase, r.phase_since, f.name AS "from",
       t.name AS "to", r.wave, r.waits_for, r.last_safe_at,
       p.id AS approval, r.created_by, r.created_at, r.started_at,
       r.finished_at, r.switched_at, r.position, r.bundle,
       r.plan AS plan_json, r.plan_digest
  FROM rotation r
  LEFT JOIN authority f ON f.id = r.from_id
  LEFT JOIN authority t ON t.id = r.to_id
  LEFT JOIN approval p ON p.id = r.approval_id AND p.given_at = 0
        AND p.withdrawn_at = 0 AND p.expires_at > :now
 WHERE r.id = :id;

-- name: api_rotation_phases
-- in:   id int
-- out:  seq int, name text, entered_at int, left_at int, outcome text
SELECT seq, name, entered_at, left_at, outcome
  FROM phase
 WHERE rotation_id = :id
 ORDER BY seq
 LIMIT 100;

-- name: api_rotation_counts
-- in:   id int
-- out:  state text, n int
SELECT state, COUNT(*) AS n
  FROM assignment
 WHERE rotation_id = :id
 GROUP BY state
 ORDER BY state;

-- The first are those that need a hand.
-- name: api_rotation_stragglers
-- in:   id int
-- out:  device text, state text, state_since int, due_at int, tries int,
--       reason text
SELECT device_id AS device, state, state_since, due_at, tries, reason
  FROM assignment
 WHERE rotation_id = :id AND state NOT IN ('confirmed', 'excepted')
 ORDER BY CASE state WHEN 'failed' THEN 0 WHEN 'escalated' THEN 1
               WHEN 'out-of-band' THEN 2 WHEN 'unreachable' THEN 3
               WHEN 'waiting' THEN 5 WHEN 'parked' THEN 6 ELSE 4 END,
          device_id
 LIMIT 50;

-- name: api_rotation_gateways
-- in:   id int
-- out:  name text, kind text, applied_bool int, heard_at int, sessions int,
--       default_root text, default_root_name text?, next_root text
SELECT g.name, g.kind,
       CASE WHEN g.applied >= r.position THEN 1 ELSE 0 END AS applied_bool,
       g.heard_at, g.sessions, g.default_root, a.name AS default_root_name,
       g.next_root
  FROM rotation r
 CROSS JOIN gateway g
  LEFT JOIN authority a ON a.fingerprint = g.default_root
 WHERE r.id = :id
 ORDER BY g.name
 LIMIT 500;
