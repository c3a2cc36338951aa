/* SPDX-License-Identifier: BSD-2-Clause */
/* Texts and tokens of result codes. Our own codes stand in one table; errno values come from the C
 * library's untranslated tables, so that logs read the same in every locale. Thread: any. */
#include "config.h"

#include <ctype.h>
#include <string.h>

#include "base/defs.h"
#include "base/err.h"

/* libuv's UV_EOF: the one code of its own that reaches our logs; base/err must not know uv.h. */
#define UV_EOF_CODE (-4095)

static const struct {
	int code;
	const char *name;
	const char *text;
} own[] = {
	{CW_E_POOL_EMPTY, "pool-empty", "no free address or port set in any allowed pool"},
	{CW_E_QUOTA, "quota", "the principal already holds as many leases as policy allows"},
	{CW_E_NOT_YOURS, "not-yours", "the address is not leased to the asker"},
	{CW_E_GONE, "gone", "the lease has ended"},
	{CW_E_TEP, "tep", "the tunnel end point refused, failed or did not answer in time"},
	{CW_E_BUSY, "busy", "overloaded, or the same request is still running"},
	{CW_E_STORE_FULL, "store-full", "no space left on the disk of the store"},
	{CW_E_STORE_IO, "store-io", "the store cannot vouch for its disk any more"},
	{CW_E_STORE_CORRUPT, "store-corrupt", "the database file is damaged"},
	{CW_E_CONFLICT, "conflict", "overlaps with, or is still used by, something that exists"},
	{CW_E_STALE, "stale", "older than what is already there"},
	{CW_E_POLICY, "policy", "forbidden by policy"},
	{CW_E_AUTH, "auth", "authentication failed"},
	{CW_E_SYNTAX, "syntax", "the input is not of the expected form"},
	{CW_E_LIMIT, "limit", "the input is beyond a stated bound"},
	{CW_E_SHUTDOWN, "shutdown", "the service is stopping"},
	{CW_E_SCHEMA, "schema", "the database was written by a newer or unknown release"},
	{CW_E_KEY_REUSED, "key-reused", "the idempotency key came with another request before"},
	{UV_EOF_CODE, "eof", "end of file"},
};

static size_t find_own(int err)
{
	size_t i = 0;

	while (i < CW_ARRAY_LEN(own) && own[i].code != err)
		i++;
	return i;
}

const char *cw_strerror(int err)
{
	const size_t i = find_own(err);
	const char *text;

	if (err >= 0)
		return "success";
	if (i < CW_ARRAY_LEN(own))
		return own[i].text;
	text = err > -4096 ? strerrordesc_np(-err) : NULL;
	return text ? text : "unknown error";
}

const char *cw_err_name(int err)
{
	static _Thread_local char lower[32];
	const size_t i = find_own(err);
	const char *name;
	size_t n = 0;

	if (err >= 0)
		return "ok";
	if (i < CW_ARRAY_LEN(own))
		return own[i].name;
	name = err > -4096 ? strerrorname_np(-err) : NULL;
	if (!name)
		return "unknown";
	for (; n < sizeof lower - 1 && name[n]; n++)
		lower[n] = (char) tolower((unsigned char) name[n]);
	lower[n] = '\0';
	return lower;
}
