/* The Socket.IO server of the interop tests in one of libmicrohttpd, by the code of the example. */

#include <stdio.h>
#include <stdlib.h>

#include "mhd_requests.h"
#include "socketio_server.h"

static enum MHD_Result on_request(void *server, struct MHD_Connection *connection, const char *path, const char *method,
                                  const char *version, const char *upload, size_t *upload_size, void **request) {
    (void)path, (void)version;
    return give_request(*(sockline_server *)server, connection, method, upload, upload_size, *request);
}

uint32_t listen_for(sockline_server server, uint32_t port) {
    static sockline_server given;
    given = server;
    struct MHD_Daemon *daemon = MHD_start_daemon(
        MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_AUTO | MHD_USE_ERROR_LOG | MHD_ALLOW_SUSPEND_RESUME | MHD_ALLOW_UPGRADE, (uint16_t)port, NULL,
        NULL, on_request, &given, MHD_OPTION_URI_LOG_CALLBACK, begin_request, NULL, MHD_OPTION_NOTIFY_COMPLETED, end_request, NULL,
        MHD_OPTION_END);
    if (!daemon) {
        fputs("socketio_server: libmicrohttpd does not listen\n", stderr);
        exit(1);
    }
    return MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_BIND_PORT)->port;
}
