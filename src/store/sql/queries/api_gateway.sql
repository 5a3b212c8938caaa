-- SPDX-License-Identifier: Apache-2.0
-- Reading routes about edges. `behind` counts what an edge has not applied.

-- name: api_gateways
-- in:   after text, limit int
-- out:  name text, kind text, site text, names_json text, next_name text,
--       trial_name text, default_root text, default_root_name text?,
--       next_root text, forced_bool int, applied int, behind int,
--       heard_at int, clock_off_s int, sessions int, version text,
--       created_at int, not_after int?
SELECT g.name, g.kind, g.site, g.names AS names_json, g.next_name,
       g.trial_name, g.default_root, a.name AS default_root_name,
       g.next_root, g.forced AS forced_bool, g.applied,
       (SELECT COUNT(*) FROM feed f WHERE f.position > g.applied
           AND (f.gateway = '' OR f.gateway = g.name)) AS behind,
       g.heard_at, g.clock_off_s, g.sessions, g.version, g.created_at,
       (SELECT MIN(c.not_after) FROM gateway_credential c
         WHERE c.gateway = g.name AND c.slot = 'current'
           AND c.not_after > 0) AS not_after
  FROM gateway g
  LEFT JOIN authority a ON a.fingerprint = g.default_root
 WHERE g.name > :after
 ORDER BY g.name
 LIMIT :limit;

-- name: api_gateway
-- in:   name text
-- out:  name text, kind text, site text, names_json text, next_name text,
--       trial_name text, default_root text, default_root_name text?,
--       next_root text, forced_bool int, applied int, behind int,
--       heard_at int, clock_off_s int, sessions int, version text,
--       created_at int, not_after int?
SELECT g.name, g.kind, g.site, g.names AS names_json, g.next_name,
       g.trial_name, g.default_root, a.name AS default_root_name,
       g.next_root, g.forced AS forced_bool, g.applied,
       (SELECT COUNT(*) FROM feed f WHERE f.position > g.applied
           AND (f.gateway = '' OR f.gateway = g.name)) AS behind,
       g.heard_at, g.clock_off_s, g.sessions, g.version, g.created_at,
       (SELECT MIN(c.not_after) FROM gateway_credential c
         WHERE c.gateway = g.name AND c.slot = 'current'
           AND c.not_after > 0) AS not_after
  FROM gateway g
  LEFT JOIN authority a ON a.fingerprint = g.default_root
 WHERE g.name = :name;

-- name: api_gateway_credentials
-- in:   name text
-- out:  id text, listener text, slot text, generation int, names_json text,
--       authority text?, root text, root_name text?, key_digest text,
--       fingerprint text, not_after int, rotation int?, created_at int,
--       chain text
SELECT c.id, c.listener, c.slot, c.generation, c.names AS names_json,
       a.name AS authority, c.root, r.name AS root_name, c.key_digest,
       c.fingerprint, c.not_after, c.rotation_id AS rotation, c.created_at,
       c.chain_pem AS chain
  FROM gateway_credential c
  LEFT JOIN authority a ON a.id = c.authority_id
  LEFT JOIN authority r ON r.fingerprint = c.root
 WHERE c.gateway = :name AND c.slot <> 'gone'
 ORDER BY c.created_at DESC, c.id
 LIMIT 100;
