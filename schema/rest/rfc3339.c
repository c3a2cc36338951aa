/* SPDX-License-Identifier: BSD-2-Clause */
/* Times of the REST API, see rfc3339.h. Lists write two per row, so this is plain arithmetic, not strftime().
 * Thread: any. */
#include "config.h"

#include <stdbool.h>
#include <string.h>

#include "base/err.h"
#include "schema/rest/rfc3339.h"

enum { DAY_S = 86400 };

static bool is_leap(unsigned year)
{
	return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

static unsigned days_in(unsigned year, unsigned month)
{
	static const uint8_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

	return month == 2 && is_leap(year) ? 29 : days[month - 1];
}

/* Days since 1970-01-01. The year starts in March here, so that a leap day is its last. */
static int64_t days_of(unsigned year, unsigned month, unsigned day)
{
	const unsigned y = month > 2 ? year : year - 1;
	const unsigned m = month > 2 ? month - 3 : month + 9;

	return 365 * (int64_t) y + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + day - 1 - 719468;
}

static void date_of(int64_t days, unsigned *ret_year, unsigned *ret_month, unsigned *ret_day)
{
	const unsigned z = (unsigned) (days + 719468);
	const unsigned era = z / 146097, in_era = z % 146097;
	const unsigned y = (in_era - in_era / 1460 + in_era / 36524 - in_era / 146096) / 365;
	const unsigned in_year = in_era - (365 * y + y / 4 - y / 100);
	const unsigned m = (5 * in_year + 2) / 153;

	*ret_day = in_year - (153 * m + 2) / 5 + 1;
	*ret_month = m < 10 ? m + 3 : m - 9;
	*ret_year = era * 400 + y + (*ret_month <= 2 ? 1 : 0);
}

static void put(char *to, unsigned value, unsigned digits)
{
	while (digits--) {
		to[digits] = (char) ('0' + value % 10);
		value /= 10;
	}
}

char *cw_rfc3339_str(int64_t wall_s, char buf[static CW_RFC3339_STRLEN])
{
	unsigned year, month, day, in_day;

	if (wall_s < 0)
		wall_s = 0;
	if (wall_s > CW_RFC3339_MAX)
		wall_s = CW_RFC3339_MAX;
	date_of(wall_s / DAY_S, &year, &month, &day);
	in_day = (unsigned) (wall_s % DAY_S);
	memcpy(buf, "0000-00-00T00:00:00Z", CW_RFC3339_STRLEN);
	put(buf, year, 4);
	put(buf + 5, month, 2);
	put(buf + 8, day, 2);
	put(buf + 11, in_day / 3600, 2);
	put(buf + 14, in_day / 60 % 60, 2);
	put(buf + 17, in_day % 60, 2);
	return buf;
}

/* A '0' in the form stands for a digit. */
static bool fits(const char *s, const char *form)
{
	for (; *form; s++, form++)
		if (*form == '0' ? *s < '0' || *s > '9' : *s != *form)
			return false;
	return true;
}

static unsigned get(const char *s, unsigned digits)
{
	unsigned value = 0;

	while (digits--)
		value = value * 10 + (unsigned) (*s++ - '0');
	return value;
}

int cw_rfc3339_parse(const char *s, size_t n, int64_t *ret_wall_s)
{
	unsigned year, month, day, hour, minute, second;

	if (n != CW_RFC3339_LEN || !fits(s, "0000-00-00T00:00:00Z"))
		return CW_E_SYNTAX;
	year = get(s, 4);
	month = get(s + 5, 2);
	day = get(s + 8, 2);
	hour = get(s + 11, 2);
	minute = get(s + 14, 2);
	second = get(s + 17, 2);
	if (year < 1970 || month < 1 || month > 12 || day < 1 || day > days_in(year, month) ||
		hour > 23 || minute > 59 || second > 59)
		return CW_E_SYNTAX;
	*ret_wall_s = days_of(year, month, day) * DAY_S + (int64_t) hour * 3600 +
		      (int64_t) minute * 60 + second;
	return 0;
}
