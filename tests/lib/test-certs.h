/* SPDX-License-Identifier: BSD-2-Clause */
/* Certificates for tests: DIR/ca.pem, DIR/server.pem + server.key (localhost, ::1, 127.0.0.1),
 * DIR/client.pem + client.key (DNS name host1.example.net), DIR/stranger.pem + stranger.key (same
 * name, another authority). */
#pragma once

void test_certs_make(const char *dir); /* asserts through cmocka */
