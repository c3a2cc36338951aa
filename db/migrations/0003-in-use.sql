-- SPDX-License-Identifier: BSD-2-Clause
-- 1 in the database file itself from a start to a clean end: then the newest leases are in the WAL, and a file without
-- it has lost them.
ALTER TABLE broker_state ADD COLUMN in_use INTEGER NOT NULL DEFAULT 0 CHECK (in_use IN (0, 1));
