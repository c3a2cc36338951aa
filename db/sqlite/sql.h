/* SPDX-License-Identifier: BSD-2-Clause */
/* Every statement of the SQLite writer, prepared once at open. X(name, text); parameters are ?1,
 * ?2... in the order of the comment or of the columns. */
#pragma once

#define CW_SQ_LEASE                                                                                   \
	"l.addr, l.psid, l.id, l.generation, l.pool, l.tep, l.state, l.reason, l.access, l.granted, " \
	"l.expires, l.due, l.lifetime, l.client6, l.principal"
#define CW_SQ_POOL                                                                              \
	"p.id, p.version, p.name, p.tep, p.ps_offset, p.ps_len, p.keep_system_ports, p.state, " \
	"p.lifetime, p.lifetime_min, p.lifetime_max, p.quarantine, p.max_leases, p.retention, p.place, p.low_percent"
#define CW_SQ_TEP "t.id, t.version, t.name, t.plugin, t.options, t.ipv4, t.ipv6, t.draining"

/* A lease row is withheld from everybody but its reserved principal. Of the row lease l and its
 * pool p; system sets: a = 0 puts the ports 0-1023 into the first ones (RFC 7597 5.1). */
#define CW_SQ_WITHHELD                                                                               \
	"(EXISTS (SELECT 1 FROM reservation r WHERE r.addr = lease.addr AND r.psid = lease.psid)"    \
	" OR EXISTS (SELECT 1 FROM exclusion e WHERE e.pool = lease.pool AND e.lo = (SELECT max(lo)" \
	" FROM exclusion WHERE pool = lease.pool AND lo <= lease.addr) AND e.hi >= lease.addr)"      \
	" OR EXISTS (SELECT 1 FROM pool p WHERE p.id = lease.pool AND p.keep_system_ports = 1"       \
	" AND p.ps_len > 0 AND p.ps_offset = 0 AND (lease.psid << (16 - p.ps_len)) < 1024))"

/* A row at a place that could not be lent to everybody: struct cw_usage. */
#define CW_SQ_IS_ASIDE                                                                 \
	"(withheld OR EXISTS (SELECT 1 FROM damaged_lease d WHERE d.addr = lease.addr" \
	" AND d.psid = lease.psid))"

/* clang-format off */
#define CW_SQ_STATEMENTS(X)                                                                        \
	X(BEGIN, "BEGIN IMMEDIATE")                                                                    \
	X(COMMIT, "COMMIT")                                                                            \
	X(SAVE, "SAVEPOINT one")                                                                       \
	X(RELEASE, "RELEASE one")                                                                      \
	X(BACK, "ROLLBACK TO one")                                                                     \
	X(SEQ_GET, "SELECT seq FROM broker_state WHERE id = 1")                                        \
	X(COMMITS_GET, "SELECT commits FROM broker_state WHERE id = 1")                                \
	X(NUMBERS_SET, "UPDATE broker_state SET seq = ?1, commits = ?2 WHERE id = 1")                  \
	X(HEARTBEAT, "UPDATE broker_state SET boot_id = ?1, boot_ms = ?2, steady_s = ?3, wall_s = ?4"  \
		" WHERE id = 1")                                                                           \
	X(AUDIT, "INSERT INTO audit (id, wall_s, actor, peer, verb, object, detail, hash)"              \
		" VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)")                                                \
	X(AUDIT_LAST, "SELECT id, hash FROM audit ORDER BY id DESC LIMIT 1")                           \
	/* --- leases --- */                                                                           \
	X(LEASE_AT, "SELECT " CW_SQ_LEASE " FROM lease l WHERE l.addr = ?1 AND l.psid = ?2")           \
	X(LEASE_ID, "SELECT " CW_SQ_LEASE " FROM lease l WHERE l.id = ?1")                             \
	X(LEASE_ON, "SELECT " CW_SQ_LEASE " FROM lease l WHERE l.addr = ?1 AND l.principal = ?2"       \
		" AND l.client6 = ?3 ORDER BY l.psid")                                                     \
	X(LEASE_ON_ANY, "SELECT " CW_SQ_LEASE " FROM lease l WHERE l.addr = ?1 AND l.principal = ?2"   \
		" ORDER BY l.psid")                                                                        \
	X(LEASE_LIVE, "SELECT " CW_SQ_LEASE " FROM lease l WHERE l.principal = ?1 AND l.live = 1"      \
		" AND l.client6 = ?2 ORDER BY l.id DESC")                                                  \
	X(LEASE_LAST, "SELECT " CW_SQ_LEASE " FROM lease l WHERE l.principal = ?1 AND l.live = 0"      \
		" AND l.client6 = ?2 ORDER BY l.id DESC LIMIT 64")                                         \
	X(LEASE_LAST_ANY, "SELECT " CW_SQ_LEASE " FROM lease l WHERE l.principal = ?1 AND l.live = 0"  \
		" ORDER BY l.client6, l.id LIMIT 64")                                                      \
	X(LEASE_LRU, "SELECT " CW_SQ_LEASE " FROM lease l WHERE l.pool = ?1 AND l.state = 0"           \
		" AND l.withheld = 0 ORDER BY l.due LIMIT 1")                                              \
	X(LEASE_NEXT, "SELECT addr, psid FROM lease WHERE addr >= ?1 AND addr <= ?2 ORDER BY addr, psid") \
	X(LEASE_NEW, "INSERT INTO lease (addr, psid, id, generation, pool, tep, state, live, withheld," \
		" reason, access, due, expires, granted, lifetime, client6, principal, ps_len, range_lo,"  \
		" range_hi) VALUES (?1, ?2, ?3, ?3, ?4, ?12, 1, 1, ?13, 0, ?5, ?6, ?6, ?7, ?8, ?9, ?10, ?11," \
		" ?14, ?15) ON CONFLICT (addr, psid) DO NOTHING")                                          \
	X(LEASE_GRANT, "UPDATE lease SET id = ?3, generation = ?3, state = 1, live = 1, reason = 0,"   \
		" access = ?5, due = ?6, expires = ?6, granted = ?7, lifetime = ?8, client6 = ?9,"         \
		" principal = ?10 WHERE addr = ?1 AND psid = ?2 AND pool = ?4 AND state IN (0, 3)")        \
	X(LEASE_MOVE, "UPDATE lease SET id = ?3, generation = ?3, access = ?5, due = ?6,"              \
		" expires = ?6, granted = ?7, lifetime = ?8, client6 = ?9"                                 \
		" WHERE addr = ?1 AND psid = ?2 AND pool = ?4 AND state = 1")                              \
	X(LEASE_TEP, "UPDATE lease SET tep = ?3 WHERE addr = ?1 AND psid = ?2 AND tep IS NOT ?3")      \
	X(LEASE_RENEW, "UPDATE lease SET due = ?3, expires = ?3, lifetime = ?4"                        \
		" WHERE addr = ?1 AND psid = ?2 AND state = 1")                                            \
	X(LEASE_END, "UPDATE lease SET state = 2, live = 0, reason = ?3, generation = ?4"              \
		" WHERE addr = ?1 AND psid = ?2 AND state = 1")                                            \
	X(LEASE_STOP, "UPDATE lease SET state = ?3, due = ?4 WHERE addr = ?1 AND psid = ?2 AND state = 2") \
	X(LEASE_FREE, "UPDATE lease SET state = 0, due = ?3 WHERE addr = ?1 AND psid = ?2 AND state = 3") \
	X(EXPIRED, "SELECT " CW_SQ_LEASE " FROM lease l WHERE l.state = 1 AND l.due <= ?1"             \
		" ORDER BY l.due LIMIT 1 OFFSET ?2")                                                       \
	X(RESTED, "SELECT addr, psid, pool FROM lease WHERE state = 3 AND due <= ?1"                   \
		" ORDER BY due LIMIT 1")                                                                   \
	X(NEXT_EXPIRY, "SELECT min(due) FROM lease WHERE state = 1")                                   \
	X(NEXT_REST, "SELECT min(due) FROM lease WHERE state = 3")                                     \
	X(COUNT_LIVE, "SELECT count(*) FROM (SELECT 1 FROM lease WHERE live = 1 AND principal = ?1"    \
		" LIMIT ?2)")                                                                              \
	X(COUNT_LIVE_POOL, "SELECT count(*) FROM (SELECT 1 FROM lease WHERE live = 1"                  \
		" AND principal = ?1 AND pool = ?3 LIMIT ?2)")                                             \
	X(HELD, "SELECT 1 FROM lease WHERE addr BETWEEN ?1 AND ?2 AND pool = ?3"                       \
		" AND state BETWEEN 1 AND ?4 LIMIT 1")                                                     \
	X(LEASE_RUN, "SELECT addr, psid, state FROM lease WHERE (addr, psid) >= (?1, ?2)"              \
		" AND addr <= ?3 ORDER BY addr, psid LIMIT ?4")                                            \
	X(FORGET, "DELETE FROM lease WHERE (addr, psid) >= (?1, ?2) AND (addr, psid) <= (?3, ?4)"      \
		" AND state = 0")                                                                          \
	X(POOL_USED, "SELECT 1 FROM account WHERE pool = ?1 LIMIT 1")                                  \
	X(RANGE_RESERVED, "SELECT 1 FROM reservation WHERE addr BETWEEN ?1 AND ?2 LIMIT 1")            \
	X(WITHHOLD, "UPDATE lease SET withheld = NOT withheld WHERE addr BETWEEN ?1 AND ?2"            \
		" AND withheld <> " CW_SQ_WITHHELD)                                                        \
	/* --- history, outbox --- */                                                                  \
	X(HISTORY_NEW, "INSERT INTO history (id, pool, tep, addr, psid, ps_offset, ps_len, access,"    \
		" reason, started, client6, principal, moved_from)"                                         \
		" VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, 0, ?9, ?10, ?11, ?12)")                          \
	X(HISTORY_REASON, "UPDATE history SET reason = ?2, end_id = ?3, ending = ?4 WHERE id = ?1")    \
	X(HISTORY_ENDED, "UPDATE history SET ended = ?2 WHERE id = ?1")                                \
	X(HISTORY_MOVED, "UPDATE history SET reason = 6, ended = ?2 WHERE id = ?1")                    \
	X(HISTORY_HAS, "SELECT 1 FROM history WHERE id = ?1")                                          \
	X(HISTORY_PRUNE, "DELETE FROM history WHERE id IN (SELECT id FROM history WHERE pool = ?1"     \
		" AND ended IS NOT NULL AND ended <= ?2 ORDER BY ended LIMIT ?3)"                          \
		" RETURNING id, coalesce(end_id, id)")                                                     \
	X(HISTORY_OLDEST, "SELECT min(ended) FROM history WHERE pool = ?1 AND ended IS NOT NULL")      \
	X(RUN_NEXT, "SELECT count(*), min(id), max(id) FROM (SELECT id FROM history WHERE id >"        \
		" (SELECT coalesce(max(last), 0) FROM history_run) ORDER BY id LIMIT ?1)")                 \
	X(RUN_NEW, "INSERT INTO history_run (last, first) VALUES (?1, ?2)")                            \
	X(RUN_FILL, "INSERT INTO history_of (run, principal, id) SELECT ?1, principal, id FROM history" \
		" WHERE id BETWEEN ?2 AND ?1 ORDER BY principal, id")                                      \
	X(RUN_EMPTY, "DELETE FROM history_run WHERE last = (SELECT last FROM history_run r WHERE"      \
		" NOT EXISTS (SELECT 1 FROM history h WHERE h.id BETWEEN r.first AND r.last) LIMIT 1)")    \
	X(RETENTIONS, "SELECT id, retention FROM pool WHERE retention > 0 UNION ALL"                   \
		" SELECT id, retention FROM retired_pool WHERE retention > 0")                             \
	X(OUTBOX_PUT, "INSERT OR REPLACE INTO outbox (lease, generation, what) VALUES (?1, ?2, ?3)")   \
	X(OUTBOX_GET, "SELECT generation, what FROM outbox WHERE lease = ?1")                          \
	X(OUTBOX_DEL, "DELETE FROM outbox WHERE lease = ?1")                                           \
	X(OUTBOX_APPLIED, "DELETE FROM outbox WHERE lease = ?1 AND generation = ?2 AND what = 0")      \
	/* --- the cache --- */                                                                        \
	X(POOLS, "SELECT " CW_SQ_POOL ", t.draining FROM pool p JOIN tep t ON t.id = p.tep"            \
		" ORDER BY p.place, p.id")                                                                 \
	X(RANGES, "SELECT id, pool, lo, hi FROM pool_range ORDER BY lo")                               \
	X(EXCLUSIONS, "SELECT pool, lo, hi FROM exclusion ORDER BY pool, lo")                          \
	X(UNUSEDS, "SELECT u.pool_range, u.next, u.last, r.pool, r.lo, r.hi FROM unused u"             \
		" JOIN pool_range r ON r.id = u.pool_range ORDER BY r.pool, r.lo, u.next")                 \
	X(RESERVED, "SELECT addr, psid, 0 FROM reservation UNION ALL SELECT addr, psid, 1"             \
		" FROM damaged_lease ORDER BY addr, psid, 3")                                              \
	X(UNUSED_SET, "UPDATE unused SET next = ?3 WHERE pool_range = ?1 AND last = ?2")               \
	X(UNUSED_DEL, "DELETE FROM unused WHERE pool_range = ?1 AND last = ?2")                        \
	X(UNUSED_PUT, "INSERT INTO unused (pool_range, last, next) VALUES (?1, ?2, ?3)")               \
	X(UNUSED_TOUCH, "SELECT next, last FROM unused WHERE pool_range = ?1 AND last >= ?2 - 1"       \
		" AND next <= ?3 + 1 LIMIT 1")                                                             \
	/* --- who asks --- */                                                                         \
	X(USER_LIMITS, "SELECT a.disabled, a.max_leases, a.pool FROM account a WHERE a.name = ?1")     \
	X(RESERVED_FOR, "SELECT pool, addr, psid FROM reservation WHERE principal = ?1 ORDER BY id"    \
		" LIMIT 256")                                                                              \
	X(RESERVED_AT, "SELECT principal FROM reservation WHERE addr = ?1 AND psid = ?2")              \
	/* --- pools --- */                                                                            \
	X(POOL_GET, "SELECT " CW_SQ_POOL " FROM pool p WHERE p.id = ?1")                               \
	X(POOL_ADD, "INSERT INTO pool (version, name, tep, ps_offset, ps_len, keep_system_ports, state," \
		" lifetime, lifetime_min, lifetime_max, quarantine, max_leases, retention, place,"         \
		" low_percent) VALUES (?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)") \
	X(POOL_SET, "UPDATE pool SET version = ?2, name = ?3, tep = ?4, ps_offset = ?5, ps_len = ?6,"  \
		" keep_system_ports = ?7, state = ?8, lifetime = ?9, lifetime_min = ?10,"                  \
		" lifetime_max = ?11, quarantine = ?12, max_leases = ?13, retention = ?14, place = ?15,"   \
		" low_percent = ?16"                                                                       \
		" WHERE id = ?1")                                                                          \
	X(POOL_DEL, "DELETE FROM pool WHERE id = ?1")                                                  \
	X(POOL_RETIRE, "INSERT INTO retired_pool (id, retention) SELECT id, retention FROM pool"       \
		" WHERE id = ?1")                                                                          \
	X(POOL_UNEXCLUDE, "DELETE FROM exclusion WHERE pool = ?1")                                     \
	X(POOL_UNRESERVE, "DELETE FROM reservation WHERE pool = ?1")                                   \
	X(POOL_RANGES, "SELECT id, lo, hi FROM pool_range WHERE pool = ?1 ORDER BY lo")                \
	X(RANGE_GET, "SELECT pool, lo, hi FROM pool_range WHERE id = ?1")                              \
	X(RANGE_ADD, "INSERT INTO pool_range (pool, ps_len, lo, hi)"                                   \
		" VALUES (?1, (SELECT ps_len FROM pool WHERE id = ?1), ?2, ?3)")                           \
	X(RANGE_DEL, "DELETE FROM pool_range WHERE id = ?1")                                           \
	X(EXCLUDE_GET, "SELECT pool, lo, hi FROM exclusion WHERE id = ?1")                             \
	X(EXCLUDE_ADD, "INSERT INTO exclusion (pool, lo, hi) VALUES (?1, ?2, ?3)")                     \
	X(EXCLUDE_DEL, "DELETE FROM exclusion WHERE id = ?1")                                          \
	X(RESERVE_GET, "SELECT pool, addr, psid, version, principal FROM reservation WHERE id = ?1")   \
	X(RESERVE_SET, "UPDATE reservation SET version = ?2, principal = ?3 WHERE id = ?1")            \
	X(RESERVE_ADD, "INSERT INTO reservation (pool, addr, psid, principal) VALUES (?1, ?2, ?3, ?4)") \
	X(DAMAGED_COUNT, "SELECT count(*) FROM damaged_lease")                                         \
	X(DAMAGED_NEXT, "SELECT id, addr, psid FROM damaged_lease WHERE id > ?1 ORDER BY id LIMIT 1")  \
	X(DAMAGED_DEL, "DELETE FROM damaged_lease WHERE id = ?1")                                      \
	X(HISTORY_LOST, "UPDATE history SET ended = ?3, reason = CASE reason WHEN 0 THEN 3 ELSE reason END" \
		" WHERE addr = ?1 AND psid = ?2 AND ended IS NULL AND NOT EXISTS (SELECT 1 FROM lease l"   \
		" WHERE l.addr = ?1 AND l.psid = ?2 AND l.id = history.id)")                               \
	X(RESERVE_DEL, "DELETE FROM reservation WHERE id = ?1")                                        \
	/* --- how full --- */                                                                         \
	X(USES, "SELECT pool, total, reserved, excluded, active, ending, quarantined, aside, level"    \
		" FROM pool_use")                                                                          \
	X(USE_PUT, "INSERT OR REPLACE INTO pool_use (pool, total, reserved, excluded, active, ending," \
		" quarantined, aside, level) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)")                 \
	X(USE_SET, "UPDATE pool_use SET active = ?2, ending = ?3, quarantined = ?4, aside = ?5,"       \
		" level = ?6 WHERE pool = ?1")                                                             \
	X(USE_COUNT, "SELECT state, count(*), sum(" CW_SQ_IS_ASIDE ") FROM lease WHERE pool = ?1"         \
		" AND state <> 0 GROUP BY state")                                                          \
	X(ASIDE, "SELECT count(*) FROM lease WHERE addr BETWEEN ?1 AND ?2 AND pool = ?3"               \
		" AND state <> 0 AND " CW_SQ_IS_ASIDE)                                                        \
	X(ASIDE_ADD, "UPDATE pool_use SET aside = aside + ?2 WHERE pool = ?1")                         \
	X(SAMPLE, "INSERT OR REPLACE INTO pool_sample (pool, wall_s, active, ending, quarantined,"     \
		" available) VALUES (?1, ?2, ?3, ?4, ?5, ?6)")                                             \
	X(SAMPLE_PRUNE, "DELETE FROM pool_sample WHERE pool = ?1 AND wall_s IN (SELECT wall_s"         \
		" FROM pool_sample WHERE pool = ?1 AND wall_s <= ?2 LIMIT ?3)")                            \
	/* --- events, records of requests, tags --- */                                                \
	X(EVENT, "INSERT INTO event (id, wall_s, type, object_id, object, detail)"                     \
		" VALUES (?1, ?2, ?3, ?4, ?5, ?6)")                                                        \
	X(EVENT_PRUNE, "DELETE FROM event WHERE id IN (SELECT id FROM event WHERE wall_s <= ?1"        \
		" ORDER BY wall_s LIMIT ?2) RETURNING id, id")                                             \
	X(EVENTS_PRUNED, "UPDATE broker_state SET events_pruned = ?1 WHERE id = 1"                     \
		" AND events_pruned < ?1")                                                                 \
	X(KEY_GET, "SELECT request, status, body, lease, since FROM idempotency"                       \
		" WHERE scope = ?1 AND key = ?2")                                                          \
	X(KEY_PUT, "INSERT OR REPLACE INTO idempotency (scope, key, request, status, body, lease, since)" \
		" VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)")                                                    \
	X(KEY_REFUSED, "DELETE FROM idempotency WHERE lease = ?1")                                     \
	X(KEY_PRUNE, "DELETE FROM idempotency WHERE id IN (SELECT id FROM idempotency ORDER BY id"     \
		" LIMIT ?2) AND since <= ?1")                                                              \
	X(TAG_PUT, "INSERT OR REPLACE INTO lease_tag (lease, json) VALUES (?1, ?2)")                   \
	X(TAG_DEL, "DELETE FROM lease_tag WHERE lease = ?1")                                           \
	/* --- tokens, jobs --- */                                                                     \
	X(TOKEN_ADD, "INSERT INTO token (hash, hint, name, scopes, prefixes, created, expires, last_use)" \
		" VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 0)")                                                 \
	X(TOKEN_NAME, "SELECT name FROM token WHERE id = ?1")                                          \
	X(TOKEN_DEL, "DELETE FROM token WHERE id = ?1")                                                \
	X(TOKEN_USED, "UPDATE token SET last_use = ?2 WHERE id = ?1"                                   \
		" AND (last_use <= ?2 - 60 OR last_use > ?2)")                                             \
	X(JOB_GET, "SELECT runs, failures, ok FROM job WHERE name = ?1")                               \
	X(JOB_PUT, "INSERT INTO job (name, runs, failures, ok, last) VALUES (?1, ?2, ?3, ?4, ?5)"      \
		" ON CONFLICT (name) DO UPDATE SET runs = ?2, failures = ?3, ok = ?4, last = ?5")          \
	X(RUN_ADD, "INSERT INTO job_run (job, started, ended, result, count, detail)"                  \
		" VALUES (?1, ?2, ?3, ?4, ?5, ?6)")                                                        \
	X(RUN_GET, "SELECT job, started, ended FROM job_run WHERE id = ?1")                            \
	X(RUN_SET, "UPDATE job_run SET ended = ?2, result = ?3, count = ?4, detail = ?5 WHERE id = ?1") \
	X(RUN_PRUNE, "DELETE FROM job_run WHERE id IN (SELECT id FROM job_run WHERE started <= ?1"     \
		" AND id NOT IN (SELECT last FROM job) ORDER BY started LIMIT ?2)")                        \
	/* --- TEPs, users --- */                                                                      \
	X(TEP_GET, "SELECT " CW_SQ_TEP " FROM tep t WHERE t.id = ?1")                                  \
	X(TEP_NAMED, "SELECT id FROM tep WHERE name = ?1")                                             \
	X(TEP_ADD, "INSERT INTO tep (version, name, plugin, options, ipv4, ipv6, draining)"            \
		" VALUES (?2, ?3, ?4, ?5, ?6, ?7, ?8)")                                                    \
	X(TEP_SET, "UPDATE tep SET version = ?2, name = ?3, plugin = ?4, options = ?5, ipv4 = ?6,"     \
		" ipv6 = ?7, draining = ?8 WHERE id = ?1")                                                 \
	X(TEP_DEL, "DELETE FROM tep WHERE id = ?1")                                                    \
	X(POOL_NAMED, "SELECT id FROM pool WHERE name = ?1")                                           \
	X(USER_GET, "SELECT version, name FROM account WHERE id = ?1")                                 \
	X(USER_ADD, "INSERT INTO account (version, name, disabled, max_leases, pool)"                  \
		" VALUES (?2, ?3, ?4, ?5, ?6)")                                                            \
	X(USER_SET, "UPDATE account SET version = ?2, name = ?3, disabled = ?4, max_leases = ?5,"      \
		" pool = ?6 WHERE id = ?1")                                                                \
	X(USER_TOUCH, "UPDATE account SET version = ?2 WHERE id = ?1")                                 \
	X(USER_DEL, "DELETE FROM account WHERE id = ?1")                                               \
	X(CREDENTIAL_ADD, "INSERT INTO credential (account, kind, verifier) VALUES (?1, ?2, ?3)")      \
	X(CREDENTIALS_DEL, "DELETE FROM credential WHERE account = ?1")
/* clang-format on */
