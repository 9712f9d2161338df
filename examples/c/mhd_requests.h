/* Requests that libmicrohttpd has read, given to a sockline server: Socket.IO and WebSockets on a port that libmicrohttpd listens on. */

#ifndef MHD_REQUESTS_H
#define MHD_REQUESTS_H

#include <microhttpd.h>

#include <sockline.h>

/* What libmicrohttpd has to know about a request of ours; it is its *con_cls, from the first call for a request on. */
struct given_request;

/* Takes a call of the access handler, and those that follow for the same request. The server has sockline_server_options.nowhere, and
 * the daemon MHD_ALLOW_SUSPEND_RESUME and MHD_ALLOW_UPGRADE. */
enum MHD_Result give_request(sockline_server server, struct MHD_Connection *connection, const char *method, const char *upload,
                             size_t *upload_size, struct given_request *request);

/* For MHD_OPTION_URI_LOG_CALLBACK: keeps the target as it was sent, for libmicrohttpd decodes it. */
void *begin_request(void *unused, const char *target, struct MHD_Connection *connection);

/* For MHD_OPTION_NOTIFY_COMPLETED. */
void end_request(void *unused, struct MHD_Connection *connection, void **request, enum MHD_RequestTerminationCode code);

#endif
