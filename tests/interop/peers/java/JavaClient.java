// java.net.http.WebSocket as a client of an echo server: java JavaClient URL SCENARIO
// The scenarios are in ../README.md. It knows no extensions, and doesn't tell the version of TLS.

import java.io.InputStream;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.WebSocket;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyStore;
import java.security.cert.CertificateFactory;
import java.util.Arrays;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import javax.net.ssl.SSLContext;
import javax.net.ssl.TrustManagerFactory;

public final class JavaClient {
    private static final long TIMEOUT = 120; // seconds, for any single event
    // As in ../node/fixtures.js.
    private static final int[] SIZES = {0, 1, 125, 126, 127, 65_535, 65_536, 1 << 20, 16 << 20};
    private static final String FRAGMENTED_TEXT = "κόσμε €😀 ".repeat(1000);
    private static final int FRAGMENT = 999;
    private static final String PADDING = "x".repeat(65_536);

    private interface Scenario {
        void run(JavaClient client) throws Exception;
    }

    private static final Map<String, Scenario> SCENARIOS = Map.of(
        "connection", JavaClient::connection,
        "echo", JavaClient::echo,
        "sizes", JavaClient::sizes,
        "fragments", JavaClient::fragments,
        "ping", JavaClient::ping,
        "close", client -> client.close(4001),
        "server-close", client -> client.expect("close 1000"));

    private final BlockingQueue<Object> events = new LinkedBlockingQueue<>();
    private final WebSocket ws;
    private String more = "";

    public static void main(String[] arguments) {
        String scenario = arguments.length == 2 ? arguments[1] : "";
        if (!SCENARIOS.containsKey(scenario)) {
            System.err.println("usage: java JavaClient URL SCENARIO, which is one of " + SCENARIOS.keySet());
            System.exit(2);
        }
        try {
            JavaClient client = new JavaClient(URI.create(arguments[0]));
            SCENARIOS.get(scenario).run(client);
            System.out.printf("{\"peer\": \"java\", \"scenario\": \"%s\"%s}%n", scenario, client.more);
        } catch (Exception error) {
            System.err.printf("java %s: %s%n", scenario, error);
            System.exit(1);
        }
        System.exit(0); // whatever threads the client still has
    }

    private JavaClient(URI url) throws Exception {
        HttpClient.Builder builder = HttpClient.newBuilder();
        String authority = System.getenv("TLS_AUTHORITY");
        if (authority != null) builder.sslContext(trusting(Path.of(authority)));
        ws = builder.build().newWebSocketBuilder().buildAsync(url, new Listener()).get(TIMEOUT, TimeUnit.SECONDS);
    }

    private static SSLContext trusting(Path authority) throws Exception {
        KeyStore store = KeyStore.getInstance(KeyStore.getDefaultType());
        store.load(null, null);
        try (InputStream pem = Files.newInputStream(authority)) {
            store.setCertificateEntry("authority", CertificateFactory.getInstance("X.509").generateCertificate(pem));
        }
        TrustManagerFactory managers = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
        managers.init(store);
        SSLContext context = SSLContext.getInstance("TLS");
        context.init(null, managers.getTrustManagers(), null);
        return context;
    }

    /** Puts whole messages, pongs and the end into `events`. */
    private final class Listener implements WebSocket.Listener {
        private final StringBuilder text = new StringBuilder();
        private ByteBuffer binary = ByteBuffer.allocate(1 << 16);

        @Override
        public CompletionStage<?> onText(WebSocket from, CharSequence part, boolean last) {
            text.append(part);
            if (last) {
                events.add(text.toString());
                text.setLength(0);
            }
            from.request(1);
            return null;
        }

        @Override
        public CompletionStage<?> onBinary(WebSocket from, ByteBuffer part, boolean last) {
            if (binary.remaining() < part.remaining()) {
                int size = Math.max(2 * binary.capacity(), binary.position() + part.remaining());
                binary = ByteBuffer.allocate(size).put(binary.flip());
            }
            binary.put(part);
            if (last) {
                events.add(Arrays.copyOf(binary.array(), binary.position()));
                binary.clear();
            }
            from.request(1);
            return null;
        }

        @Override
        public CompletionStage<?> onPong(WebSocket from, ByteBuffer payload) {
            events.add("pong " + StandardCharsets.UTF_8.decode(payload));
            from.request(1);
            return null;
        }

        @Override
        public CompletionStage<?> onClose(WebSocket from, int code, String reason) {
            events.add("close " + code);
            return null;
        }

        @Override
        public void onError(WebSocket from, Throwable error) {
            events.add(error);
        }
    }

    private void connection() throws Exception {
        send(PADDING);
        more = ", \"server\": " + next();
        close(1000);
    }

    private void echo() throws Exception {
        for (String text : new String[] {"hello", "", "κόσμε €😀\0"}) expectEcho(text);
        expectEcho(pattern(64));
        expectEcho(pattern(0));
        close(1000);
    }

    private void sizes() throws Exception {
        for (int size : SIZES) {
            expectEcho(pattern(size));
            expectEcho("x".repeat(size));
        }
        close(1000);
    }

    /** An empty fragment is among the others, and a ping between. A fragment of text can't end within a character here. */
    private void fragments() throws Exception {
        for (int start = 0, end = 0, count = 0; start < FRAGMENTED_TEXT.length(); start = end, count++) {
            int left = FRAGMENTED_TEXT.codePointCount(start, FRAGMENTED_TEXT.length());
            end = FRAGMENTED_TEXT.offsetByCodePoints(start, Math.min(FRAGMENT, left));
            await(ws.sendText(FRAGMENTED_TEXT.substring(start, end), false));
            if (count == 5) {
                await(ws.sendText("", false));
                await(ws.sendPing(ByteBuffer.wrap("between".getBytes())));
            }
        }
        await(ws.sendText("", true));
        expect("pong between");
        expect(FRAGMENTED_TEXT);
        byte[] binary = pattern(100_000);
        for (int start = 0; start < binary.length; start += FRAGMENT) {
            int size = Math.min(FRAGMENT, binary.length - start);
            await(ws.sendBinary(ByteBuffer.wrap(binary, start, size), start + size == binary.length));
        }
        expect(binary);
        close(1000);
    }

    private void ping() throws Exception {
        for (String payload : new String[] {"", "are you there", "x".repeat(125)}) {
            await(ws.sendPing(ByteBuffer.wrap(payload.getBytes())));
            expect("pong " + payload);
        }
        close(1000);
    }

    private void close(int code) throws Exception {
        await(ws.sendClose(code, "finished"));
        expect("close " + code);
    }

    private void send(Object message) throws Exception {
        if (message instanceof String text) await(ws.sendText(text, true));
        else await(ws.sendBinary(ByteBuffer.wrap((byte[]) message), true));
    }

    private void expectEcho(Object message) throws Exception {
        send(message);
        expect(message);
    }

    private void expect(Object wanted) throws Exception {
        Object got = next();
        if (!Objects.deepEquals(wanted, got)) {
            throw new IllegalStateException("wanted " + describe(wanted) + ", got " + describe(got));
        }
    }

    private Object next() throws Exception {
        Object event = events.poll(TIMEOUT, TimeUnit.SECONDS);
        if (event == null) throw new IllegalStateException("nothing came within " + TIMEOUT + " seconds");
        if (event instanceof Exception error) throw error;
        return event;
    }

    private static void await(CompletableFuture<?> sent) throws Exception {
        sent.get(TIMEOUT, TimeUnit.SECONDS);
    }

    private static byte[] pattern(int size) {
        byte[] bytes = new byte[size];
        for (int i = 0; i < size; i++) bytes[i] = (byte) (i % 251);
        return bytes;
    }

    private static String describe(Object message) {
        if (message instanceof byte[] bytes) return bytes.length + " bytes";
        String text = String.valueOf(message);
        return text.length() > 200 ? text.length() + " characters of text" : "'" + text + "'";
    }
}
