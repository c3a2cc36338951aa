-- SPDX-License-Identifier: BSD-2-Clause
-- Rows of lease that no release writes: a damaged disk. They are put aside here at start, and their addresses are lent
-- to nobody until somebody has looked: who held them may not know that the lease is gone.
CREATE TABLE damaged_lease (
	id INTEGER PRIMARY KEY AUTOINCREMENT,
	addr INTEGER NOT NULL,
	psid INTEGER NOT NULL,
	content TEXT NOT NULL, -- what the row said, for people
	UNIQUE (addr, psid)
) STRICT;
CREATE TRIGGER pool_range_damaged BEFORE DELETE ON pool_range
WHEN EXISTS (SELECT 1 FROM damaged_lease WHERE addr BETWEEN OLD.lo AND OLD.hi)
BEGIN
	SELECT RAISE(ABORT, 'the range has damaged leases');
END;
