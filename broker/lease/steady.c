/* SPDX-License-Identifier: BSD-2-Clause */
/* The steady time line: arithmetic only, so that every odd clock can be tried in a test. */
#include "config.h"

#include <string.h>

#include "broker/lease/steady.h"

static int64_t floor_s(int64_t ms)
{
	return ms >= 0 ? ms / 1000 : -((-ms + 999) / 1000);
}

enum cw_steady_how cw_steady_init(struct cw_steady *s, const struct cw_op_heartbeat *hb,
	const struct cw_store_time *at, const char *boot_id, struct cw_now now, int64_t jump_s)
{
	enum cw_steady_how how = CW_STEADY_NEW_BOOT;
	int64_t passed_s;

	if (!hb) {
		s->offset_ms = now.wall_s * 1000 - now.boot_ms;
		return CW_STEADY_FRESH;
	}
	/* A boot time before the heartbeat's is another boot whatever its name says (a restored
	 * machine). */
	if (strcmp(hb->boot_id, boot_id) == 0 && now.boot_ms >= hb->boot_ms) {
		s->offset_ms = at->steady_s * 1000 - hb->boot_ms;
		return CW_STEADY_SAME_BOOT;
	}
	passed_s = now.wall_s - at->wall_s;
	if (passed_s < 0) {
		how = CW_STEADY_BACKWARDS;
		passed_s = 0;
	} else if (passed_s > jump_s) {
		how = CW_STEADY_JUMP;
		passed_s = 0;
	}
	s->offset_ms = (at->steady_s + passed_s) * 1000 - now.boot_ms;
	return how;
}

int64_t cw_steady_s(const struct cw_steady *s, int64_t boot_ms)
{
	return floor_s(boot_ms + s->offset_ms);
}

int64_t cw_steady_boot_ms(const struct cw_steady *s, int64_t steady_s)
{
	return steady_s * 1000 - s->offset_ms;
}

void cw_steady_heartbeat(const struct cw_steady *s, struct cw_now now, const char *boot_id,
	struct cw_op_heartbeat *ret_hb, struct cw_store_time *ret_at)
{
	ret_at->steady_s = cw_steady_s(s, now.boot_ms);
	ret_at->wall_s = now.wall_s;
	/* The row has whole seconds on this line: name the moment that second began. */
	ret_hb->boot_ms = cw_steady_boot_ms(s, ret_at->steady_s);
	memset(ret_hb->boot_id, 0, sizeof ret_hb->boot_id);
	memcpy(ret_hb->boot_id, boot_id, strnlen(boot_id, sizeof ret_hb->boot_id - 1));
}

const char *cw_steady_how_name(enum cw_steady_how how)
{
	switch (how) {
	case CW_STEADY_FRESH:
		return "fresh";
	case CW_STEADY_SAME_BOOT:
		return "same-boot";
	case CW_STEADY_NEW_BOOT:
		return "new-boot";
	case CW_STEADY_BACKWARDS:
		return "backwards";
	case CW_STEADY_JUMP:
		return "jump";
	}
	return "unknown";
}
