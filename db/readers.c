/* SPDX-License-Identifier: BSD-2-Clause */
/* What db/readers.h declares: hands each call to the back end the reader belongs to. */
#include "config.h"

#include "db/backend.h"

struct cw_store_reader *cw_store_reader_close(struct cw_store_reader *r)
{
	return r ? r->ops->close(r) : NULL;
}

int cw_read_teps(struct cw_store_reader *r, uint64_t after, struct cw_tep *to, size_t max)
{
	return r->ops->teps(r, after, to, max);
}

int cw_read_pools(struct cw_store_reader *r, uint64_t after, struct cw_pool *to, size_t max)
{
	return r->ops->pools(r, after, to, max);
}

int cw_read_ranges(struct cw_store_reader *r, uint64_t pool_id, uint64_t after, struct cw_range *to,
	size_t max)
{
	return r->ops->ranges(r, pool_id, after, to, max);
}

int cw_read_excludes(struct cw_store_reader *r, uint64_t pool_id, uint64_t after,
	struct cw_range *to, size_t max)
{
	return r->ops->excludes(r, pool_id, after, to, max);
}

int cw_read_reservations(
	struct cw_store_reader *r, uint64_t after, struct cw_reservation *to, size_t max)
{
	return r->ops->reservations(r, after, to, max);
}

int cw_read_users(struct cw_store_reader *r, uint64_t after, struct cw_user *to, size_t max)
{
	return r->ops->users(r, after, to, max);
}

int cw_read_tep(struct cw_store_reader *r, const char *name, struct cw_tep *ret)
{
	return r->ops->tep(r, name, ret);
}

int cw_read_pool(struct cw_store_reader *r, const char *name, struct cw_pool *ret)
{
	return r->ops->pool(r, name, ret);
}

int cw_read_user(struct cw_store_reader *r, const char *name, struct cw_user *ret)
{
	return r->ops->user(r, name, ret);
}

int cw_read_tep_id(struct cw_store_reader *r, uint64_t id, struct cw_tep *ret)
{
	return r->ops->tep_id(r, id, ret);
}

int cw_read_pool_id(struct cw_store_reader *r, uint64_t id, struct cw_pool *ret)
{
	return r->ops->pool_id(r, id, ret);
}

int cw_read_user_id(struct cw_store_reader *r, uint64_t id, struct cw_user *ret)
{
	return r->ops->user_id(r, id, ret);
}

int cw_read_range_id(struct cw_store_reader *r, uint64_t id, struct cw_range *ret)
{
	return r->ops->range_id(r, id, ret);
}

int cw_read_exclude_id(struct cw_store_reader *r, uint64_t id, struct cw_range *ret)
{
	return r->ops->exclude_id(r, id, ret);
}

int cw_read_reservation_id(struct cw_store_reader *r, uint64_t id, struct cw_reservation *ret)
{
	return r->ops->reservation_id(r, id, ret);
}

int cw_read_leases(struct cw_store_reader *r, const struct cw_lease_filter *filter,
	struct cw_lease_key after, struct cw_lease *to, size_t max)
{
	return r->ops->leases(r, filter, after, to, max);
}

int cw_read_lease(struct cw_store_reader *r, uint64_t id, struct cw_lease *ret)
{
	return r->ops->lease(r, id, ret);
}

int cw_count_leases(struct cw_store_reader *r, const struct cw_lease_filter *filter, uint64_t *ret)
{
	return r->ops->count_leases(r, filter, ret);
}

int cw_count_rows(struct cw_store_reader *r, enum cw_table table, uint64_t *ret)
{
	return r->ops->count_rows(r, table, ret);
}

int cw_read_tags(struct cw_store_reader *r, uint64_t lease, char to[CW_TEXT_MAX])
{
	return r->ops->tags(r, lease, to);
}

int cw_read_usage(struct cw_store_reader *r, uint64_t pool_id, struct cw_usage *ret)
{
	return r->ops->usage(r, pool_id, ret);
}

int cw_read_who(struct cw_store_reader *r, struct cw_addr4 addr, uint16_t port, int64_t wall_s,
	struct cw_tenure *ret)
{
	return r->ops->who(r, addr, port, wall_s, ret);
}

int cw_read_history(struct cw_store_reader *r, uint64_t after, struct cw_tenure *to, size_t max)
{
	return r->ops->history(r, after, to, max);
}

int cw_read_history_page(struct cw_store_reader *r, const struct cw_history_filter *filter,
	struct cw_page *page, struct cw_tenure *to, size_t max)
{
	return r->ops->history_page(r, filter, page, to, max);
}

int cw_read_tenure(struct cw_store_reader *r, uint64_t lease, struct cw_tenure *ret)
{
	return r->ops->tenure(r, lease, ret);
}

int cw_read_events(struct cw_store_reader *r, const struct cw_event_filter *filter,
	struct cw_page *page, struct cw_event *to, size_t max)
{
	return r->ops->events(r, filter, page, to, max);
}

int cw_read_event_bounds(struct cw_store_reader *r, uint64_t *ret_newest, uint64_t *ret_pruned)
{
	return r->ops->event_bounds(r, ret_newest, ret_pruned);
}

int cw_read_audit(struct cw_store_reader *r, const struct cw_audit_filter *filter,
	struct cw_page *page, struct cw_audit_row *to, size_t max)
{
	return r->ops->audit(r, filter, page, to, max);
}

int cw_read_tokens(struct cw_store_reader *r, uint64_t after, struct cw_token *to, size_t max)
{
	return r->ops->tokens(r, after, to, max);
}

int cw_read_token(
	struct cw_store_reader *r, const uint8_t hash[static CW_HASH_LEN], struct cw_token *ret)
{
	return r->ops->token(r, hash, ret);
}

int cw_read_token_id(struct cw_store_reader *r, uint64_t id, struct cw_token *ret)
{
	return r->ops->token_id(r, id, ret);
}

int cw_read_jobs(struct cw_store_reader *r, const char *after, struct cw_job *to, size_t max)
{
	return r->ops->jobs(r, after, to, max);
}

int cw_read_job_runs(struct cw_store_reader *r, const char *name, struct cw_page *page,
	struct cw_job_run *to, size_t max)
{
	return r->ops->job_runs(r, name, page, to, max);
}

int cw_read_samples(struct cw_store_reader *r, uint64_t pool_id, int64_t from_wall_s,
	int64_t to_wall_s, int64_t step_s, struct cw_sample *to, size_t max)
{
	return r->ops->samples(r, pool_id, from_wall_s, to_wall_s, step_s, to, max);
}

int cw_read_credentials(
	struct cw_store_reader *r, const char *user, struct cw_credential *to, size_t max)
{
	return r->ops->credentials(r, user, to, max);
}

int cw_read_credentials_of(
	struct cw_store_reader *r, uint64_t user, struct cw_credential *to, size_t max)
{
	return r->ops->credentials_of(r, user, to, max);
}

int cw_read_heartbeat(
	struct cw_store_reader *r, struct cw_op_heartbeat *ret, struct cw_store_time *ret_at)
{
	return r->ops->heartbeat(r, ret, ret_at);
}

int cw_read_due(
	struct cw_store_reader *r, bool quarantined, int64_t steady_s, uint64_t max, uint64_t *ret)
{
	return r->ops->due(r, quarantined, steady_s, max, ret);
}

int cw_read_next_due(struct cw_store_reader *r, int64_t *ret_expiry_s, int64_t *ret_quarantine_s)
{
	return r->ops->next_due(r, ret_expiry_s, ret_quarantine_s);
}

int cw_store_backup(struct cw_store_reader *r, const char *to_path)
{
	return r->ops->backup(r, to_path);
}

int cw_store_check(struct cw_store_reader *r, void (*fault)(void *arg, const char *text), void *arg)
{
	return r->ops->check(r, fault, arg);
}
