-- SPDX-License-Identifier: Apache-2.0
-- What GET /v1/status counts.

-- name: api_status_open
-- in:   now int
-- out:  alerts int, approvals int
SELECT (SELECT COUNT(*) FROM alert WHERE acked_at = 0) AS alerts,
       (SELECT COUNT(*) FROM approval WHERE given_at = 0 AND used_at = 0
           AND withdrawn_at = 0 AND expires_at > :now) AS approvals;

-- name: api_status_rotations
-- in:   now int
-- out:  id int, kind text, state text, phase text, phase_since int,
--       waits_for text, last_safe_at int, approval int?
SELECT r.id, r.kind, r.state, r.phase, r.phase_since, r.waits_for,
       r.last_safe_at, p.id AS approval
  FROM rotation r
  LEFT JOIN approval p ON p.id = r.approval_id AND p.given_at = 0
        AND p.withdrawn_at = 0 AND p.expires_at > :now
 WHERE r.state IN ('planned', 'running', 'paused')
 ORDER BY r.id DESC
 LIMIT 20;
