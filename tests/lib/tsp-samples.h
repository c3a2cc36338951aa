/* SPDX-License-Identifier: BSD-2-Clause */
/* The messages of the wire guide, octet by octet, as byte vectors for the tests of both halves of
 * TSP. */
#pragma once

#include "schema/tsp/tsp.h"

/* For cmocka_run_group_tests_name(). */
static inline int tsp_set_up(void **state)
{
	(void) state;
	cw_tsp_init();
	return 0;
}

#define TSP_CREATE_DEPLOYED                                         \
	"Content-length: 129\r\n"                                   \
	"<tunnel action=\"create\" type=\"v4v6\" proxy=\"no\">\r\n" \
	" <client>\r\n"                                             \
	"  <address type=\"ipv6\">2001:db8::1</address>\r\n"        \
	" </client>\r\n"                                            \
	"</tunnel>\r\n"

#define TSP_CREATE_DSTM                                      \
	"Content-length: 160\r\n"                            \
	"<tunnel action=\"create\" type=\"v4v6\">\r\n"       \
	" <client>\r\n"                                      \
	"  <address type=\"ipv6\">fe80::1</address>\r\n"     \
	"  <address type=\"ipv6\">2001:db8::1</address>\r\n" \
	" </client>\r\n"                                     \
	"</tunnel>\r\n"

#define TSP_INFO                                                          \
	"Content-length: 327\r\n"                                         \
	"200 Success\r\n"                                                 \
	"<tunnel action=\"info\" type=\"v4v6\" lifetime=\"1440\">\r\n"    \
	" <server>\r\n"                                                   \
	"  <address type=\"ipv4\" length=\"30\">192.0.2.1</address>\r\n"  \
	"  <address type=\"ipv6\">2001:db8::2</address>\r\n"              \
	" </server>\r\n"                                                  \
	" <client>\r\n"                                                   \
	"  <address type=\"ipv4\" length=\"32\">192.0.2.10</address>\r\n" \
	"  <address type=\"ipv6\">2001:db8::1</address>\r\n"              \
	" </client>\r\n"                                                  \
	"</tunnel>\r\n"

#define TSP_ACCEPT "Content-length: 35\r\n<tunnel action=\"accept\"></tunnel>\r\n"
#define TSP_REJECT "Content-length: 35\r\n<tunnel action=\"reject\"></tunnel>\r\n"

#define TSP_RENEW                                                         \
	"Content-length: 175\r\n"                                         \
	"<tunnel action=\"create\" type=\"v4v6\">\r\n"                    \
	" <client>\r\n"                                                   \
	"  <address type=\"ipv6\">2001:db8::1</address>\r\n"              \
	"  <address type=\"ipv4\" length=\"32\">192.0.2.10</address>\r\n" \
	" </client>\r\n"                                                  \
	"</tunnel>\r\n"

#define TSP_308 "Content-length: 35\r\n308 Requested Address Unavailable\r\n"

#define TSP_DELETE                                           \
	"Content-length: 163\r\n"                            \
	"<tunnel action=\"delete\" type=\"v4v6\">\r\n"       \
	" <client>\r\n"                                      \
	"  <address type=\"ipv6\">2001:db8::1</address>\r\n" \
	"  <address type=\"ipv4\">192.0.2.10</address>\r\n"  \
	" </client>\r\n"                                     \
	"</tunnel>\r\n"

#define TSP_QUERY                                            \
	"Content-length: 161\r\n"                            \
	"<tunnel action=\"info\" type=\"v4v6\">\r\n"         \
	" <client>\r\n"                                      \
	"  <address type=\"ipv6\">2001:db8::1</address>\r\n" \
	"  <address type=\"ipv4\">192.0.2.10</address>\r\n"  \
	" </client>\r\n"                                     \
	"</tunnel>\r\n"

#define TSP_200 "Content-length: 13\r\n200 Success\r\n"

#define TSP_DELETE_BODY                                                   \
	"<tunnel action=\"delete\" type=\"v4v6\">\r\n"                    \
	" <server>\r\n"                                                   \
	"  <address type=\"ipv4\" length=\"30\">192.0.2.1</address>\r\n"  \
	"  <address type=\"ipv6\">2001:db8::2</address>\r\n"              \
	" </server>\r\n"                                                  \
	" <client>\r\n"                                                   \
	"  <address type=\"ipv4\" length=\"32\">192.0.2.10</address>\r\n" \
	"  <address type=\"ipv6\">2001:db8::1</address>\r\n"              \
	" </client>\r\n"                                                  \
	"</tunnel>\r\n"
#define TSP_PUSH       "Content-length: 308\r\n200 OK\r\n" TSP_DELETE_BODY
#define TSP_TEP_DELETE "Content-length: 300\r\n" TSP_DELETE_BODY

#define TSP_LIST_BODY                                                \
	"<tunnel action=\"list\" type=\"broker\">\r\n"               \
	" <broker>\r\n"                                              \
	"  <address type=\"ipv6\">[2001:db8::53]:3653</address>\r\n" \
	" </broker>\r\n"                                             \
	" <broker>\r\n"                                              \
	"  <address type=\"dn\">tsp2.example.net</address>\r\n"      \
	" </broker>\r\n"                                             \
	"</tunnel>\r\n"
#define TSP_REDIRECT "Content-length: 230\r\n1301 No more tunnels available\r\n" TSP_LIST_BODY

/* One request of these child elements. */
#define TSP_CLIENT(children) \
	"<tunnel action=\"create\" type=\"v4v6\"><client>" children "</client></tunnel>"
#define TSP_V6(text) "<address type=\"ipv6\">" text "</address>"
#define TSP_V4(text) "<address type=\"ipv4\">" text "</address>"
