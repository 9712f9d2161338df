/* What the environment asks for, as ../../peers/README.md has it. */

#include <stdio.h>
#include <stdlib.h>

#include "probe.h"

enum { LONGEST_FILE = 16 << 10 };

/* The file that the variable names; freed by the end of the process. */
static sockline_bytes file(const char *variable) {
    const char *path = getenv(variable);
    FILE *stream = path ? fopen(path, "rb") : NULL;
    char *content = malloc(LONGEST_FILE);
    if (stream == NULL || content == NULL) fail("$%s names no file", variable);
    sockline_bytes bytes = {content, fread(content, 1, LONGEST_FILE, stream)};
    fclose(stream);
    return bytes;
}

sockline_tls *client_tls(void) {
    if (getenv("TLS_AUTHORITY") == NULL) return NULL;
    sockline_bytes authority = file("TLS_AUTHORITY");
    sockline_tls_client_options options = SOCKLINE_TLS_CLIENT_OPTIONS_INIT;
    options.ca = &authority;
    options.ca_count = 1;
    options.platform_roots = -1;
    sockline_tls *tls;
    must(sockline_tls_client_new(&options, &tls), "trusting $TLS_AUTHORITY");
    return tls;
}

sockline_tls *server_tls(void) {
    if (getenv("TLS_KEY") == NULL) return NULL;
    sockline_identity identity = {file("TLS_CERTIFICATE"), file("TLS_KEY")};
    sockline_tls_server_options options = SOCKLINE_TLS_SERVER_OPTIONS_INIT;
    options.identities = &identity;
    options.identity_count = 1;
    sockline_tls *tls;
    must(sockline_tls_server_new(&options, &tls), "taking $TLS_CERTIFICATE and $TLS_KEY");
    return tls;
}

const sockline_compression *compression(void) {
    static const sockline_compression defaults = SOCKLINE_COMPRESSION_INIT;
    return getenv("PERMESSAGE_DEFLATE") ? &defaults : NULL;
}

const char *proxy(void) {
    const char *url = getenv("PROXY");
    return url ? url : "";
}

const char *adapter(void) {
    const char *url = getenv("ADAPTER");
    return url ? url : "";
}

struct state state_of(sockline_ws ws) {
    struct state state = {.tls = ""};
    sockline_tls_info info = SOCKLINE_TLS_INFO_INIT;
    sockline_extensions(ws, state.extensions, sizeof state.extensions);
    must(sockline_ws_tls_info(ws, &info), "asking for what TLS has agreed on");
    if (info.version == SOCKLINE_TLS_1_2) state.tls = "TLSv1.2";
    if (info.version == SOCKLINE_TLS_1_3) state.tls = "TLSv1.3";
    return state;
}
