/* SPDX-License-Identifier: BSD-2-Clause */
/* What the benchmarks of the whole broker share: a causewayd of their own, pinned to processor 0,
 * with the null plugin and pool "default"; its costs; latencies. Dies on failure. */
#pragma once

#include <stdint.h>

struct bench_broker {
	const char *program, *plugin_dir, *folder; /* borrowed */
};
extern struct bench_broker bench_broker; /* to be filled first */

void bench_die(const char *fmt, ...) __attribute__((noreturn, format(printf, 1, 2)));
uint64_t bench_now_us(void); /* monotonic */
void bench_pin(int cpu);     /* the calling process */

/* Removes every file of the folder and writes the configuration: range "10.0.0.0/8", a lifetime in
 * seconds, more text for its end ("" if there is none). */
void bench_broker_prepare(const char *range, const char *lifetime, const char *more);
/* Microseconds until it said it was ready. */
uint64_t bench_broker_start(void);
uint16_t bench_broker_port(void); /* of TSP */
void bench_broker_stop(void);
uint64_t bench_broker_cpu_us(void);            /* user and system */
double bench_broker_rss_mib(const char *what); /* "VmRSS:", "VmHWM:" */

void bench_hist_clear(void);
void bench_hist_add(uint64_t us);
double bench_hist_ms(double part); /* 0.5: the median */
