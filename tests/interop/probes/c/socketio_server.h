/* What the parts of the Socket.IO server of the interop tests have in common. */

#ifndef SOCKETIO_SERVER_H
#define SOCKETIO_SERVER_H

#include <sockline.h>

/* Ends the program after an error, which it tells. */
void must(sockline_status status);

int is(sockline_string name, const char *wanted);

/* The string that the arguments begin with; *rest is what follows its comma. */
sockline_string first_string(sockline_string args, sockline_string *rest);

/* ── being one of a cluster, in socketio_cluster.c ──────────────────────────────────────────────────────────── */

/* Makes the server one of a cluster, if the environment says so. */
void join_cluster(sockline_io_server_options *options, sockline_io_handlers *handlers);

/* Whether it was an event that only nodes of a cluster know. */
int hear_in_cluster(sockline_io_socket socket, const sockline_io_event *event);

/* Whether it was a broadcast of such an event. */
int answer_in_cluster(const sockline_io_broadcast_ack_event *event);

/* ── in a server of libmicrohttpd, in socketio_embedded.c ───────────────────────────────────────────────────── */

/* Has libmicrohttpd listen on this port for a server that listens nowhere; returns the port. */
uint32_t listen_for(sockline_server server, uint32_t port);

#endif
