-- SPDX-License-Identifier: Apache-2.0

-- name: gateway_add
-- in:   @gateway
-- out:  rows changed: 1
INSERT INTO gateway (@gateway) VALUES (:@gateway);

-- name: gateway_get
-- in:   name text
-- out:  @gateway
SELECT @gateway FROM gateway WHERE name = :name;

-- name: gateway_list
-- in:   after text, limit int
-- out:  @gateway
SELECT @gateway FROM gateway WHERE name > :after ORDER BY name LIMIT :limit;

-- name: gateway_describe
-- in:   name text, site text, names text, next_name text, trial_name text
-- out:  rows changed: 1
UPDATE gateway SET site = :site, names = :names, next_name = :next_name,
       trial_name = :trial_name
 WHERE name = :name;

-- name: gateway_roots_set
-- in:   name text, default_root text, next_root text, forced int
-- out:  rows changed: 1
UPDATE gateway SET default_root = :default_root, next_root = :next_root,
       forced = :forced
 WHERE name = :name;

-- name: gateway_heard
-- in:   name text, at int, applied int, clock_off_s int, sessions int,
--       version text
-- out:  rows changed: 1
UPDATE gateway
   SET heard_at = :at, clock_off_s = :clock_off_s, sessions = :sessions,
       version = :version,
       applied_at = CASE WHEN applied = :applied THEN applied_at ELSE :at END,
       applied = :applied
 WHERE name = :name;

-- name: gateway_batch
-- in:   name text, batch int
-- out:  rows changed: 1, or 0 when this report was counted before
UPDATE gateway SET batch = :batch WHERE name = :name AND batch < :batch;

-- name: gateway_remove
-- in:   name text
-- out:  rows changed: 1
DELETE FROM gateway WHERE name = :name;

-- name: gateway_credential_forget
-- in:   gateway text
-- out:  rows changed: any number
DELETE FROM gateway_credential WHERE gateway = :gateway;

-- name: gateway_view
-- in:   old_root text, new_root text, rotation_id int, limit int
-- out:  name text, kind text, has_next int, on_new int, has_old int,
--       forced int, applied int, heard_at int, sessions int, clock_off_s int
--       (one root for another: by the root, so that a certificate renewed on
--       the way counts; under one root: by the rotation it was ordered for)
SELECT g.name, g.kind,
       CASE WHEN EXISTS (SELECT 1 FROM gateway_credential c
            WHERE c.gateway = g.name AND c.root = :new_root
              AND c.chain_pem <> '' AND c.slot IN ('next', 'current')
              AND (c.rotation_id = :rotation_id OR :old_root <> :new_root))
            THEN 1 ELSE 0 END AS has_next,
       CASE WHEN g.default_root = :new_root
             AND EXISTS (SELECT 1 FROM gateway_credential c
            WHERE c.gateway = g.name AND c.root = :new_root
              AND c.chain_pem <> ''
              AND ((c.slot = 'current' AND c.rotation_id = :rotation_id)
                   OR (c.slot IN ('current', 'next')
                       AND :old_root <> :new_root)))
            THEN 1 ELSE 0 END AS on_new,
       CASE WHEN EXISTS (SELECT 1 FROM gateway_credential c
            WHERE c.gateway = g.name AND c.root = :old_root
              AND c.chain_pem <> '' AND c.slot NOT IN ('ordered', 'gone')
              AND (c.rotation_id <> :rotation_id OR :old_root <> :new_root))
            THEN 1 ELSE 0 END AS has_old,
       g.forced, g.applied, g.heard_at, g.sessions, g.clock_off_s
  FROM gateway g ORDER BY g.name LIMIT :limit;

-- name: gateway_credential_put
-- in:   @gateway_credential
-- out:  rows changed: 1
INSERT INTO gateway_credential (@gateway_credential)
VALUES (:@gateway_credential)
    ON CONFLICT (gateway, id) DO UPDATE SET @=gateway_credential;

-- name: gateway_credential_get
-- in:   gateway text, id text
-- out:  @gateway_credential
SELECT @gateway_credential FROM gateway_credential
 WHERE gateway = :gateway AND id = :id;

-- name: gateway_credential_list
-- in:   gateway text, limit int
-- out:  @gateway_credential
SELECT @gateway_credential FROM gateway_credential
 WHERE gateway = :gateway ORDER BY created_at, id LIMIT :limit;

-- name: gateway_credential_all
-- in:   after_gateway text, after_id text, limit int
-- out:  @gateway_credential
SELECT @gateway_credential FROM gateway_credential
 WHERE (gateway, id) > (:after_gateway, :after_id) AND slot <> 'gone'
 ORDER BY gateway, id LIMIT :limit;

-- name: gateway_credential_slot
-- in:   gateway text, id text, slot text
-- out:  rows changed: 1
UPDATE gateway_credential SET slot = :slot WHERE gateway = :gateway AND id = :id;

-- name: gateway_credential_csr
-- in:   gateway text, id text, csr bytes, key_digest text
-- out:  rows changed: 1, or 0 when it has a request or was issued
UPDATE gateway_credential SET csr = :csr, key_digest = :key_digest
 WHERE gateway = :gateway AND id = :id AND slot = 'ordered' AND csr IS NULL;

-- name: gateway_credential_issued
-- in:   gateway text, id text, slot text, generation int, root text,
--       chain_pem text, fingerprint text, not_after int
-- out:  rows changed: 1, or 0 when it was issued before
UPDATE gateway_credential
   SET slot = :slot, generation = :generation, root = :root,
       chain_pem = :chain_pem, fingerprint = :fingerprint,
       not_after = :not_after
 WHERE gateway = :gateway AND id = :id AND slot = 'ordered';

-- name: feed_set
-- in:   kind text, key text, gateway text, body text? (NULL: gone)
-- out:  position int (no row: nothing changed)
INSERT INTO feed (kind, key, gateway, position, body)
SELECT :kind, :key, :gateway, coalesce(max(position), 0) + 1, :body
  FROM feed WHERE true
    ON CONFLICT (kind, key) DO UPDATE
       SET gateway = excluded.gateway, position = excluded.position,
           body = excluded.body
     WHERE feed.gateway <> excluded.gateway
        OR feed.body IS DISTINCT FROM excluded.body
RETURNING position;

-- name: feed_get
-- in:   kind text, key text
-- out:  @feed
SELECT @feed FROM feed WHERE kind = :kind AND key = :key;

-- name: feed_list
-- in:   after int, gateway text, limit int
-- out:  @feed
SELECT @feed FROM feed
 WHERE position > :after AND (gateway = '' OR gateway = :gateway)
 ORDER BY position LIMIT :limit;

-- name: feed_of_gateway
-- in:   gateway text, limit int
-- out:  @feed
SELECT @feed FROM feed WHERE gateway = :gateway AND body IS NOT NULL
 ORDER BY position LIMIT :limit;

-- name: feed_position
-- out:  position int
SELECT coalesce(max(position), 0) AS position FROM feed;
