-- SPDX-License-Identifier: Apache-2.0
-- Reading routes about authorities and profiles.

-- name: api_authorities
-- in:   state text, after text, limit int
-- out:  name text, state text, is_root_bool int, use_server_bool int,
--       use_device_bool int, key_held_bool int, parent text?, root text?,
--       subject text, fingerprint text, key_digest text, not_before int,
--       not_after int, last_issue_at int, imported_bool int, cross_by text?,
--       created_at int
SELECT a.name, a.state, a.is_root AS is_root_bool,
       a.use_server AS use_server_bool, a.use_device AS use_device_bool,
       CASE WHEN a.key_wrapped IS NULL THEN 0 ELSE 1 END AS key_held_bool,
       p.name AS parent, r.name AS root, a.subject, a.fingerprint,
       a.key_digest, a.not_before, a.not_after, a.last_issue_at,
       a.imported AS imported_bool, x.name AS cross_by, a.created_at
  FROM authority a
  LEFT JOIN authority p ON p.id = a.parent_id
  LEFT JOIN authority r ON r.id = a.root_id
  LEFT JOIN authority x ON x.id = a.cross_by
 WHERE a.name > :after AND (:state = '' OR a.state = :state)
 ORDER BY a.name
 LIMIT :limit;

-- name: api_authority
-- in:   name text
-- out:  name text, state text, is_root_bool int, use_server_bool int,
--       use_device_bool int, key_held_bool int, parent text?, root text?,
--       subject text, fingerprint text, key_digest text, not_before int,
--       not_after int, last_issue_at int, imported_bool int, cross_by text?,
--       created_at int, certificate_pem bytes, cross_certificate_pem bytes?
SELECT a.name, a.state, a.is_root AS is_root_bool,
       a.use_server AS use_server_bool, a.use_device AS use_device_bool,
       CASE WHEN a.key_wrapped IS NULL THEN 0 ELSE 1 END AS key_held_bool,
       p.name AS parent, r.name AS root, a.subject, a.fingerprint,
       a.key_digest, a.not_before, a.not_after, a.last_issue_at,
       a.imported AS imported_bool, x.name AS cross_by, a.created_at,
       a.der AS certificate_pem, a.cross_der AS cross_certificate_pem
  FROM authority a
  LEFT JOIN authority p ON p.id = a.parent_id
  LEFT JOIN authority r ON r.id = a.root_id
  LEFT JOIN authority x ON x.id = a.cross_by
 WHERE a.name = :name;

-- name: api_profiles
-- in:   after text, limit int
-- out:  name text, issuer text?, validity_s int, jitter_s int,
--       backdate_s int, renew_before_s int, use_server_bool int,
--       use_client_bool int, digest text, approved_at int
SELECT p.name, a.name AS issuer, p.validity_s, p.jitter_s, p.backdate_s,
       p.renew_before_s, p.use_server AS use_server_bool,
       p.use_client AS use_client_bool, p.digest, p.approved_at
  FROM profile p
  LEFT JOIN authority a ON a.id = p.issuer_id
 WHERE p.name > :after
 ORDER BY p.name
 LIMIT :limit;

-- What still needs an authority: live certificates beneath it, edges that
-- show it, the newest bundle, open rotations.
-- name: api_retire_needs
-- in:   authority_id int, fingerprint text, now int, unheard int
-- out:  devices int, gateways int, fronts int, edges_showing int,
--       edges_unheard int, in_bundle int, in_rotation int
SELECT COUNT(CASE WHEN owner_kind = 'device' THEN 1 END) AS devices,
       COUNT(CASE WHEN owner_kind = 'gateway' THEN 1 END) AS gateways,
       COUNT(CASE WHEN owner_kind = 'front' THEN 1 END) AS fronts,
       (SELECT COUNT(*) FROM gateway
         WHERE default_root = :fingerprint) AS edges_showing,
       (SELECT COUNT(*) FROM gateway
         WHERE heard_at < :unheard) AS edges_unheard,
       (SELECT COUNT(*) FROM bundle
         WHERE version = (SELECT MAX(version) FROM bundle)
           AND anchors LIKE '%' || :fingerprint || '%') AS in_bundle,
       (SELECT COUNT(*) FROM rotation
         WHERE state IN ('planned', 'running', 'paused')
           AND (from_id = :authority_id OR to_id = :authority_id))
           AS in_rotation
  FROM credential
 WHERE (root = :fingerprint OR authority_id = :authority_id)
   AND state IN ('issued', 'active', 'superseded')
   AND not_after > :now AND denied_at = 0;

-- name: api_retire_devices
-- in:   authority_id int, fingerprint text, now int, limit int
-- out:  device text, reason text
SELECT owner AS device,
       'certificate of serial ' || serial || ' is ' || state AS reason
  FROM credential
 WHERE (root = :fingerprint OR authority_id = :authority_id)
   AND owner_kind = 'device' AND state IN ('issued', 'active', 'superseded')
   AND not_after > :now AND denied_at = 0
 ORDER BY fingerprint
 LIMIT :limit;

-- name: api_authority_dependents
-- in:   name text, now int, limit int
-- out:  kind text, name text, not_after int, total int
-- Who holds no certificate that would be taken once this one is revoked:
-- all are beneath it, or beneath one that is revoked already.
WITH RECURSIVE own (id, fingerprint) AS (
    SELECT id, fingerprint FROM authority WHERE name = :name
    UNION
    SELECT a.id, a.fingerprint FROM authority a JOIN own o ON a.parent_id = o.id
), gone (id, fingerprint) AS (
    SELECT id, fingerprint FROM authority
     WHERE name = :name OR state = 'revoked'
    UNION
    SELECT a.id, a.fingerprint FROM authority a JOIN gone g ON a.parent_id = g.id
)
SELECT c.owner_kind AS kind, c.owner AS name, MAX(c.not_after) AS not_after,
       COUNT(*) OVER () AS total
  FROM credential c
  LEFT JOIN device d ON d.device_id = c.owner AND c.owner_kind = 'device'
 WHERE c.state IN ('issued', 'active', 'superseded') AND c.not_after > :now
   AND c.denied_at = 0
   AND (d.state IN ('active', 'parked') OR c.owner_kind = 'gateway')
 GROUP BY c.owner_kind, c.owner
HAVING COUNT(CASE WHEN c.authority_id NOT IN (SELECT id FROM gone)
                   AND c.root NOT IN (SELECT fingerprint FROM gone)
                  THEN 1 END) = 0
   AND COUNT(CASE WHEN c.authority_id IN (SELECT id FROM own)
                    OR c.root IN (SELECT fingerprint FROM own)
                  THEN 1 END) > 0
 ORDER BY c.owner_kind DESC, c.owner
 LIMIT :limit;
