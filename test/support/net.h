/* SPDX-License-Identifier: MIT */
/* net.h: addresses of the loopback that refuse or stay silent. */
#ifndef UVSMTP_TEST_NET_H
#define UVSMTP_TEST_NET_H

#include <sys/socket.h>

/* Whether there is an IPv6 loopback. */
int net_have_ipv6(void);

/* Puts "1.2.3.4" or "::1" and a port into an address; how long it is. */
socklen_t net_address(struct sockaddr_storage* addr, const char* text,
                      int port);

/* A port of the loopbacks that nobody listens on while *fd is open. */
int net_closed_port(int* fd);

/* An address and port where nobody answers, neither with yes nor with no:
 * somebody listens, but the queue of connections to be accepted is full. port
 * 0: any. Aborts the program when there is no socket to be had. */
typedef struct net_silent_s net_silent_t;
net_silent_t* net_silent(const char* text, int port);
int net_silent_port(const net_silent_t* silent);
/* Makes room: who asks again is answered. */
void net_silent_open(net_silent_t* silent);
void net_silent_free(net_silent_t* silent);

#endif
