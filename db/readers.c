/* SPDX-License-Identifier: BSD-2-Clause */
/* The reading half of store.h: hands each call to the back end the reader belongs to. */
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

int cw_read_leases(struct cw_store_reader *r, const struct cw_lease_filter *filter,
	struct cw_lease_key after, struct cw_lease *to, size_t max)
{
	return r->ops->leases(r, filter, after, to, max);
}

int cw_read_lease(struct cw_store_reader *r, uint64_t id, struct cw_lease *ret)
{
	return r->ops->lease(r, id, ret);
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

int cw_read_credentials(
	struct cw_store_reader *r, const char *user, struct cw_credential *to, size_t max)
{
	return r->ops->credentials(r, user, to, max);
}

int cw_read_heartbeat(
	struct cw_store_reader *r, struct cw_op_heartbeat *ret, struct cw_store_time *ret_at)
{
	return r->ops->heartbeat(r, ret, ret_at);
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
