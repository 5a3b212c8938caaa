-- SPDX-License-Identifier: Apache-2.0

-- name: meta_get
-- in:   key text
-- out:  value text
SELECT value FROM meta WHERE key = :key;

-- name: meta_set
-- in:   key text, value text
-- out:  rows changed: 1
INSERT INTO meta (key, value) VALUES (:key, :value)
    ON CONFLICT (key) DO UPDATE SET value = excluded.value;

-- name: meta_count
-- in:   key text
-- out:  value text (a decimal number)
INSERT INTO meta (key, value) VALUES (:key, '1')
    ON CONFLICT (key) DO UPDATE
       SET value = CAST(CAST(meta.value AS BIGINT) + 1 AS TEXT)
RETURNING value;
