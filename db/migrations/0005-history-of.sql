-- SPDX-License-Identifier: BSD-2-Clause
-- Whose tenures these were. An index on history would cost every grant a random page (a quarter of the store's speed), so
-- runs of thousands of tenures are sorted afterwards, each appended as a whole (contrib/doc/adr/0011). What is not in a
-- run yet is found by looking at every row.
CREATE TABLE history_run (
	last INTEGER PRIMARY KEY, -- of the tenures in it; also its name
	first INTEGER NOT NULL CHECK (first BETWEEN 1 AND last)
) STRICT;
CREATE TABLE history_of (
	run INTEGER NOT NULL REFERENCES history_run (last) ON DELETE CASCADE,
	principal TEXT NOT NULL,
	id INTEGER NOT NULL, -- the tenure may have been pruned
	PRIMARY KEY (run, principal, id)
) STRICT, WITHOUT ROWID;
