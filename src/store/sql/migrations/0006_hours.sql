-- SPDX-License-Identifier: Apache-2.0
-- Counts of handshakes are kept for a time: by hour they are found.
CREATE INDEX handshake_hour_by_hour ON handshake_hour (hour);
