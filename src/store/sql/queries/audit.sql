-- SPDX-License-Identifier: Apache-2.0

-- name: audit_stream_add
-- in:   @audit_stream
-- out:  rows changed: 1
INSERT INTO audit_stream (@audit_stream) VALUES (:@audit_stream);

-- name: audit_stream_get
-- in:   stream text
-- out:  @audit_stream
SELECT @audit_stream FROM audit_stream WHERE stream = :stream;

-- name: audit_stream_last
-- in:   node text
-- out:  @audit_stream
SELECT @audit_stream FROM audit_stream WHERE node = :node
 ORDER BY start DESC LIMIT 1;

-- name: audit_stream_list
-- in:   after_node text, after_start int, limit int
-- out:  @audit_stream
SELECT @audit_stream FROM audit_stream
 WHERE (node, start) > (:after_node, :after_start)
 ORDER BY node, start LIMIT :limit;

-- name: audit_heads
-- in:   limit int
-- out:  @audit_stream (the newest stream of each node)
SELECT @s.audit_stream FROM audit_stream s
 WHERE NOT EXISTS (SELECT 1 FROM audit_stream t
        WHERE t.node = s.node AND t.start > s.start)
 ORDER BY s.node LIMIT :limit;

-- name: audit_stream_advance
-- in:   stream text, was int (seq), seq int, head text
-- out:  rows changed: 1, or 0 when someone else wrote to it
UPDATE audit_stream SET seq = :seq, head = :head
 WHERE stream = :stream AND seq = :was;

-- name: audit_add
-- in:   @audit
-- out:  rows changed: 1
INSERT INTO audit (@audit) VALUES (:@audit);

-- name: audit_list
-- in:   stream text, after int, limit int
-- out:  @audit
SELECT @audit FROM audit WHERE stream = :stream AND seq > :after
 ORDER BY seq LIMIT :limit;

-- name: audit_same_hash
-- in:   stream text, seq int, hash text, limit int
-- out:  stream text, seq int (other entries with that hash)
SELECT stream, seq FROM audit
 WHERE hash = :hash AND (stream <> :stream OR seq <> :seq)
 ORDER BY stream, seq LIMIT :limit;

-- name: audit_strays
-- in:   limit int
-- out:  stream text, n int (entries of streams that are not listed)
SELECT stream, count(*) AS n FROM audit a
 WHERE NOT EXISTS (SELECT 1 FROM audit_stream s WHERE s.stream = a.stream)
 GROUP BY stream ORDER BY stream LIMIT :limit;

-- name: checkpoint_add
-- in:   at int, line text
-- out:  id int
INSERT INTO audit_checkpoint (@audit_checkpoint)
SELECT coalesce(max(id), 0) + 1, :at, :line FROM audit_checkpoint
RETURNING id;

-- name: checkpoint_list
-- in:   after int, limit int
-- out:  @audit_checkpoint
SELECT @audit_checkpoint FROM audit_checkpoint WHERE id > :after
 ORDER BY id LIMIT :limit;
