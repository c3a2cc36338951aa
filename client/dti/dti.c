/* SPDX-License-Identifier: BSD-2-Clause */
/* Chooses the kind of tunnel interface; see dti.h. AUTO takes the first kind of the table that
 * opens. Thread: the caller's. */
#include "config.h"

#include <errno.h>
#include <string.h>

#include "base/err.h"
#include "client/dti/dti.h"

/* In the order AUTO tries them. */
static const struct cw_dti_ops *const kinds[] = {&cw_dti_tun};

int cw_dti_open(const struct cw_dti_conf *conf, struct cw_dti **ret, const char **ret_what)
{
	const char *what = "no such kind of tunnel interface";
	int r = -EOPNOTSUPP;

	for (size_t i = 0; i < CW_ARRAY_LEN(kinds); i++) {
		if (conf->kind != CW_DTI_AUTO && conf->kind != kinds[i]->kind)
			continue;
		r = kinds[i]->open(conf, ret, &what);
		if (r == 0)
			return 0;
	}
	if (ret_what)
		*ret_what = what;
	return r;
}

struct cw_dti *cw_dti_close(struct cw_dti *d)
{
	if (d)
		d->ops->close(d);
	return NULL;
}

const char *cw_dti_device(const struct cw_dti *d)
{
	return d->ops->device(d);
}

const char *cw_dti_kind_name(const struct cw_dti *d)
{
	return d->ops->name;
}

int cw_dti_index(const struct cw_dti *d)
{
	return d->ops->index(d);
}

unsigned cw_dti_mtu(struct cw_dti *d)
{
	return d->ops->mtu(d);
}

void cw_dti_stats(struct cw_dti *d, struct cw_dti_stats *ret)
{
	d->ops->stats(d, ret);
}

void cw_dti_extend(struct cw_dti *d, int64_t expires_boot_ms)
{
	d->ops->extend(d, expires_boot_ms);
}

int cw_dti_repair(struct cw_dti *d)
{
	return d->ops->repair(d);
}

int cw_dti_kind_parse(const char *s, enum cw_dti_kind *ret)
{
	if (strcmp(s, "auto") == 0)
		*ret = CW_DTI_AUTO;
	else if (strcmp(s, "tun") == 0)
		*ret = CW_DTI_TUN;
	else
		return CW_E_SYNTAX;
	return 0;
}
