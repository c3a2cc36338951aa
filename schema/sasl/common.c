/* SPDX-License-Identifier: BSD-2-Clause */
/* See common.h. Thread: any after cw_sasl_common_init(). */
#include "config.h"

#include <pthread.h>
#include <sasl/sasl.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "schema/sasl/common.h"

static void *mutex_new(void)
{
	pthread_mutex_t *m = cw_zalloc(1, sizeof *m);

	if (m && pthread_mutex_init(m, NULL) != 0)
		return cw_free(m);
	return m;
}

static int mutex_lock(void *m)
{
	return pthread_mutex_lock(m) == 0 ? SASL_OK : SASL_FAIL;
}

static int mutex_unlock(void *m)
{
	return pthread_mutex_unlock(m) == 0 ? SASL_OK : SASL_FAIL;
}

static void mutex_free(void *m)
{
	if (!m)
		return;
	(void) pthread_mutex_destroy(m);
	(void) cw_free(m);
}

void cw_sasl_common_init(void)
{
	sasl_set_mutex(mutex_new, mutex_lock, mutex_unlock, mutex_free);
}

int cw_sasl_log(void *context, int level, const char *message)
{
	(void) context;
	if (level <= SASL_LOG_DEBUG && message)
		cw_log(CW_LOG_DEBUG, CW_F(CW_F_EVENT("sasl.library"), CW_F_STR("text", message)),
			"from the SASL library");
	return SASL_OK;
}

int cw_sasl_verify_file(void *context, const char *file, int type)
{
	static const char *const plugins[] = {
		"libanonymous.", "libdigestmd5.", "libplain.", "libscram."};
	const char *slash = strrchr(file, '/'), *name = slash ? slash + 1 : file;

	(void) context;
	if (type != SASL_VRFY_PLUGIN)
		return SASL_CONTINUE; /* nor any configuration file: ours decides */
	for (unsigned i = 0; i < CW_ARRAY_LEN(plugins); i++)
		if (strncmp(name, plugins[i], strlen(plugins[i])) == 0)
			return SASL_OK;
	return SASL_CONTINUE;
}
