/* SPDX-License-Identifier: BSD-2-Clause */
/* What the benchmarks of the whole broker share: a causewayd of their own, pinned to processor 0,
 * with the null plugin and pool "default"; its costs; latencies. Dies on failure. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
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
void bench_broker_kill(void);                  /* what bench_die() does first */
uint64_t bench_broker_cpu_us(void);            /* user and system */
double bench_broker_rss_mib(const char *what); /* "VmRSS:", "VmHWM:" */

/* A body in chunks (RFC 9112 7.1) that comes in parts. All 0 at first. */
struct bench_chunks {
	size_t left; /* of a chunk, with its CR LF; 0: its size comes */
	size_t size;
};
/* Puts what is inside of p[n] to to[room], and a 0 behind it; returns how much that is. */
size_t bench_chunks_take(struct bench_chunks *c, const char *p, size_t n, char *to, size_t room);

void bench_hist_clear(void);
void bench_hist_add(uint64_t us);
double bench_hist_ms(double part); /* 0.5: the median */

/* Windows of one measurement. Others' load makes a rate lower and a latency higher, never better:
 * of rates the upper quartile counts, of latencies the median of the windows'. */
struct bench_windows {
	double v[1024];
	unsigned n;
};
void bench_window_add(struct bench_windows *w, double v);     /* beyond 1,024: not kept */
double bench_window_at(struct bench_windows *w, double part); /* sorts; 0 if there is none */
/* "   goal: TEXT  met" or "NOT MET"; bench_goals_missed() counts the latter. */
void bench_goal(bool met, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
unsigned bench_goals_missed(void);
