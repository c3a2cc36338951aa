/* SPDX-License-Identifier: BSD-2-Clause */
/* Reading what is neither lease, log nor configuration of pools: how full they are, samples, tags,
 * tokens, jobs, numbers of rows. */
#include "config.h"

#include <errno.h>
#include <string.h>

#include "base/err.h"
#include "db/sqlite/reader.h"

int cw_sq_count_rows(struct cw_store_reader *base, enum cw_table table, uint64_t *ret)
{
	static const enum cw_sq_read counts[] = {
		[CW_TABLE_TEPS] = CW_SQ_READ_COUNT_TEPS,
		[CW_TABLE_POOLS] = CW_SQ_READ_COUNT_POOLS,
		[CW_TABLE_RESERVATIONS] = CW_SQ_READ_COUNT_RESERVATIONS,
		[CW_TABLE_USERS] = CW_SQ_READ_COUNT_USERS,
		[CW_TABLE_TOKENS] = CW_SQ_READ_COUNT_TOKENS,
		[CW_TABLE_HISTORY] = CW_SQ_READ_COUNT_HISTORY,
		[CW_TABLE_AUDIT] = CW_SQ_READ_COUNT_AUDIT,
	};
	struct cw_sq_reader *r = cw_sq_inside(base);
	int got;

	if ((size_t) table >= CW_ARRAY_LEN(counts))
		return -EINVAL;
	got = cw_sq_step(r, counts[table]);
	if (got > 0)
		*ret = (uint64_t) sqlite3_column_int64(r->st[counts[table]], 0);
	(void) sqlite3_reset(r->st[counts[table]]);
	return got < 0 ? got : 0;
}

static bool decode_tags(sqlite3_stmt *st, void *item)
{
	return cw_sq_copy(st, 0, item, CW_TEXT_MAX);
}

int cw_sq_read_tags(struct cw_store_reader *base, uint64_t lease, char to[CW_TEXT_MAX])
{
	struct cw_sq_reader *r = cw_sq_inside(base);

	cw_sq_int(r->st[CW_SQ_READ_TAGS], 1, (int64_t) lease);
	return cw_sq_one_row(r, CW_SQ_READ_TAGS, to, CW_TEXT_MAX, decode_tags);
}

/* ---- how full ---- */

static uint64_t positive(int64_t v)
{
	return v > 0 ? (uint64_t) v : 0;
}

static bool decode_usage(sqlite3_stmt *st, void *item)
{
	int64_t v[8];

	for (int i = 0; i < 8; i++)
		v[i] = sqlite3_column_int64(st, i);
	*(struct cw_usage *) item = (struct cw_usage){
		.total = positive(v[0]),
		.reserved = positive(v[1]),
		.excluded = positive(v[2]),
		.active = positive(v[3]),
		.ending = positive(v[4]),
		.quarantined = positive(v[5]),
		.available = positive(v[0] - v[1] - v[2] - (v[3] + v[4] + v[5] - v[6])),
		.level = (enum cw_pool_level) v[7],
	};
	return true;
}

int cw_sq_read_usage(struct cw_store_reader *base, uint64_t pool_id, struct cw_usage *ret)
{
	struct cw_sq_reader *r = cw_sq_inside(base);

	cw_sq_int(r->st[CW_SQ_READ_USE], 1, (int64_t) pool_id);
	return cw_sq_one_row(r, CW_SQ_READ_USE, ret, sizeof *ret, decode_usage);
}

static bool decode_sample(sqlite3_stmt *st, void *item)
{
	*(struct cw_sample *) item = (struct cw_sample){
		.wall_s = sqlite3_column_int64(st, 0),
		.active = positive(sqlite3_column_int64(st, 1)),
		.ending = positive(sqlite3_column_int64(st, 2)),
		.quarantined = positive(sqlite3_column_int64(st, 3)),
		.available = positive(sqlite3_column_int64(st, 4)),
	};
	return true;
}

int cw_sq_read_samples(struct cw_store_reader *base, uint64_t pool_id, int64_t from_wall_s,
	int64_t to_wall_s, int64_t step_s, struct cw_sample *to, size_t max)
{
	struct cw_sq_reader *r = cw_sq_inside(base);
	sqlite3_stmt *st = r->st[CW_SQ_READ_SAMPLES];

	if (step_s <= 0)
		return -EINVAL;
	cw_sq_int(st, 1, (int64_t) pool_id);
	cw_sq_int(st, 2, from_wall_s);
	cw_sq_int(st, 3, to_wall_s);
	cw_sq_int(st, 4, step_s);
	return cw_sq_collect(r, CW_SQ_READ_SAMPLES, to, sizeof *to, max, decode_sample);
}

/* ---- tokens ---- */

static bool decode_token(sqlite3_stmt *st, void *item)
{
	struct cw_token *t = item;
	const void *hash = sqlite3_column_blob(st, 1);

	*t = (struct cw_token){
		.id = (uint64_t) sqlite3_column_int64(st, 0),
		.scopes = (uint64_t) sqlite3_column_int64(st, 4),
		.created_wall_s = sqlite3_column_int64(st, 6),
		.expires_wall_s = sqlite3_column_int64(st, 7),
		.last_use_wall_s = sqlite3_column_int64(st, 8),
	};
	if (!hash || sqlite3_column_bytes(st, 1) != CW_HASH_LEN)
		return false;
	memcpy(t->hash, hash, CW_HASH_LEN);
	return cw_sq_copy(st, 2, t->hint, sizeof t->hint) &&
	       cw_sq_copy(st, 3, t->name, sizeof t->name) &&
	       cw_sq_copy(st, 5, t->prefixes, sizeof t->prefixes);
}

int cw_sq_read_tokens(struct cw_store_reader *base, uint64_t after, struct cw_token *to, size_t max)
{
	struct cw_sq_reader *r = cw_sq_inside(base);

	cw_sq_int(r->st[CW_SQ_READ_TOKENS], 1, (int64_t) after);
	return cw_sq_collect(r, CW_SQ_READ_TOKENS, to, sizeof *to, max, decode_token);
}

int cw_sq_read_token(
	struct cw_store_reader *base, const uint8_t hash[static CW_HASH_LEN], struct cw_token *ret)
{
	struct cw_sq_reader *r = cw_sq_inside(base);

	(void) sqlite3_bind_blob(r->st[CW_SQ_READ_TOKEN], 1, hash, CW_HASH_LEN, SQLITE_STATIC);
	return cw_sq_one_row(r, CW_SQ_READ_TOKEN, ret, sizeof *ret, decode_token);
}

int cw_sq_read_token_id(struct cw_store_reader *base, uint64_t id, struct cw_token *ret)
{
	struct cw_sq_reader *r = cw_sq_inside(base);

	cw_sq_int(r->st[CW_SQ_READ_TOKEN_ID], 1, (int64_t) id);
	return cw_sq_one_row(r, CW_SQ_READ_TOKEN_ID, ret, sizeof *ret, decode_token);
}

/* ---- jobs ---- */

static bool decode_run(sqlite3_stmt *st, void *item)
{
	struct cw_job_run *run = item;

	*run = (struct cw_job_run){
		.id = (uint64_t) sqlite3_column_int64(st, 0),
		.started_wall_s = sqlite3_column_int64(st, 2),
		.ended_wall_s = sqlite3_column_int64(st, 3),
		.result = sqlite3_column_int(st, 4),
		.count = positive(sqlite3_column_int64(st, 5)),
	};
	return cw_sq_copy(st, 1, run->name, sizeof run->name) &&
	       cw_sq_copy(st, 6, run->detail, sizeof run->detail);
}

static bool decode_job(sqlite3_stmt *st, void *item)
{
	struct cw_job *j = item;

	*j = (struct cw_job){
		.runs = positive(sqlite3_column_int64(st, 7)),
		.failures = positive(sqlite3_column_int64(st, 8)),
		.ok_wall_s = sqlite3_column_int64(st, 9),
	};
	return cw_sq_copy(st, 1, j->name, sizeof j->name) && decode_run(st, &j->last);
}

int cw_sq_read_jobs(struct cw_store_reader *base, const char *after, struct cw_job *to, size_t max)
{
	struct cw_sq_reader *r = cw_sq_inside(base);
	int n;

	cw_sq_text(r->st[CW_SQ_READ_JOBS], 1, after);
	n = cw_sq_collect(r, CW_SQ_READ_JOBS, to, sizeof *to, max, decode_job);
	(void) sqlite3_clear_bindings(r->st[CW_SQ_READ_JOBS]);
	return n;
}

int cw_sq_read_job_runs(struct cw_store_reader *base, const char *name, struct cw_page *page,
	struct cw_job_run *to, size_t max)
{
	struct cw_sq_reader *r = cw_sq_inside(base);
	enum cw_sq_read up = name ? CW_SQ_READ_RUNS_OF : CW_SQ_READ_RUNS,
			down = name ? CW_SQ_READ_RUNS_OF_DOWN : CW_SQ_READ_RUNS_DOWN;
	sqlite3_stmt *st = r->st[page->newest ? down : up];
	int n;

	if (name)
		cw_sq_text(st, 2, name);
	n = cw_sq_walk(r, up, down, page, to, sizeof *to, max, decode_run, NULL, NULL);
	(void) sqlite3_clear_bindings(st);
	return n;
}
