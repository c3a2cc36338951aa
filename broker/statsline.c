/* SPDX-License-Identifier: BSD-2-Clause */
/* Counters are kept where things happen; here they are only said: one line each for leases, TSP and
 * the store. */
#include "config.h"

#include "base/log.h"
#include "broker/statsline.h"

static void log_leases(const struct cw_engine *e)
{
	struct cw_engine_stats s;

	cw_engine_stats(e, &s);
	cw_log(CW_LOG_NOTICE,
		CW_F(CW_F_EVENT("stats.lease"), CW_F_UINT("grant", s.grants),
			CW_F_UINT("renew", s.renewals), CW_F_UINT("move", s.moves),
			CW_F_UINT("release", s.releases), CW_F_UINT("expire", s.expiries),
			CW_F_UINT("revoke", s.revocations), CW_F_UINT("rollback", s.rollbacks),
			CW_F_UINT("reject", s.rejections), CW_F_UINT("requests", s.requests),
			CW_F_UINT("pool_empty", s.failures[CW_FAIL_POOL_EMPTY]),
			CW_F_UINT("quota", s.failures[CW_FAIL_QUOTA]),
			CW_F_UINT("conflict", s.failures[CW_FAIL_CONFLICT]),
			CW_F_UINT("tep_refused", s.failures[CW_FAIL_TEP]),
			CW_F_UINT("store_failed", s.failures[CW_FAIL_STORE]),
			CW_F_UINT("applied", s.applies), CW_F_UINT("removed", s.removals),
			CW_F_UINT("refreshed", s.refreshes),
			CW_F_UINT("apply_failed", s.apply_failures),
			CW_F_UINT("remove_failed", s.remove_failures),
			CW_F_UINT("tep_downs", s.tep_downs), CW_F_UINT("syncs", s.syncs),
			CW_F_UINT("sync_applied", s.sync_applied),
			CW_F_UINT("sync_removed", s.sync_removed),
			CW_F_UINT("sync_stale", s.sync_stale), CW_F_UINT("sweeps", s.sweeps),
			CW_F_UINT("inbox_lost", s.inbox_lost),
			CW_F_UINT("confirms_again", s.confirms_again),
			CW_F_UINT("clock_jumps", s.clock_jumps), CW_F_UINT("parked", s.parked),
			CW_F_UINT("outstanding", s.outstanding),
			CW_F_UINT("subscriptions", s.subscriptions)),
		"leases");
}

static void log_tsp(const struct cw_tsp_access *a)
{
	const struct cw_tsp_stats *s = &a->stats;

	cw_log(CW_LOG_NOTICE,
		CW_F(CW_F_EVENT("stats.tsp"), CW_F_UINT("open_tcp", s->open[CW_TSP_ON_TCP]),
			CW_F_UINT("open_tls", s->open[CW_TSP_ON_TLS]),
			CW_F_UINT("open_udp", s->open[CW_TSP_ON_UDP]),
			CW_F_UINT("tcp", s->sessions[CW_TSP_ON_TCP]),
			CW_F_UINT("tls", s->sessions[CW_TSP_ON_TLS]),
			CW_F_UINT("udp", s->sessions[CW_TSP_ON_UDP]),
			CW_F_UINT("logins", s->logins),
			CW_F_UINT("login_failed", s->login_failures),
			CW_F_UINT("login_busy", s->login_busy), CW_F_UINT("create", s->creates),
			CW_F_UINT("delete", s->deletes), CW_F_UINT("info", s->infos),
			CW_F_UINT("accept", s->accepts), CW_F_UINT("reject", s->rejects),
			CW_F_UINT("stray", s->strays), CW_F_UINT("offer_lost", s->offers_lost),
			CW_F_UINT("push", s->pushes), CW_F_UINT("push_failed", s->push_failures),
			CW_F_UINT("delete_acked", s->delete_acks),
			CW_F_UINT("close_eof", s->closes[CW_TSP_CLOSE_EOF]),
			CW_F_UINT("close_version", s->closes[CW_TSP_CLOSE_VERSION]),
			CW_F_UINT("close_auth", s->closes[CW_TSP_CLOSE_AUTH]),
			CW_F_UINT("close_format", s->closes[CW_TSP_CLOSE_FORMAT]),
			CW_F_UINT("close_timeout", s->closes[CW_TSP_CLOSE_TIMEOUT]),
			CW_F_UINT("close_busy", s->closes[CW_TSP_CLOSE_BUSY]),
			CW_F_UINT("refused_full", s->refused_full),
			CW_F_UINT("refused_source", s->refused_source),
			CW_F_UINT("refused_files", s->refused_nofile),
			CW_F_UINT("tls_failed", s->tls_failures),
			CW_F_UINT("udp_in", s->udp_datagrams),
			CW_F_UINT("udp_replayed", s->udp_replayed),
			CW_F_UINT("udp_bad", s->udp_short + s->udp_marker),
			CW_F_UINT("udp_full", s->udp_full),
			CW_F_UINT("overload", s->answers[CW_TSP_OVERLOAD]),
			CW_F_UINT("pending", a->pending)),
		"TSP");
}

void cw_stats_log(
	const struct cw_engine *e, const struct cw_tsp_access *tsp, struct cw_store *store)
{
	struct cw_store_stats s;

	log_leases(e);
	if (tsp)
		log_tsp(tsp);
	cw_store_stats(store, &s);
	cw_log(CW_LOG_NOTICE,
		CW_F(CW_F_EVENT("stats.store"), CW_F_UINT("commits", s.commits),
			CW_F_UINT("operations", s.operations), CW_F_UINT("rollbacks", s.rollbacks),
			CW_F_UINT("batch_max", s.batch_max_seen),
			CW_F_UINT("commit_us_sum", s.commit_us_sum),
			CW_F_UINT("commit_us_max", s.commit_us_max),
			CW_F_UINT("err_busy", s.err_busy), CW_F_UINT("err_full", s.err_full),
			CW_F_UINT("err_io", s.err_io), CW_F_UINT("err_corrupt", s.err_corrupt),
			CW_F_UINT("wal_bytes", s.wal_bytes), CW_F_UINT("queued", s.queued),
			CW_F_UINT("waiting", s.waiting)),
		"store");
}
