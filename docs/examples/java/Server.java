// SPDX-License-Identifier: Apache-2.0

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyFactory;
import java.security.KeyStore;
import java.security.PrivateKey;
import java.security.cert.Certificate;
import java.security.cert.CertificateFactory;
import java.security.spec.PKCS8EncodedKeySpec;
import java.util.Base64;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLSocket;

/** A TLS server that looks with each connection whether there is a new pair. Key and chain are one file, so they always fit. */
public final class Server {
    private static final char[] NO_PASSWORD = {};

    private final Path file;
    private Path seen;
    private SSLContext context;

    private Server(Path file) {
        this.file = file;
    }

    /** The real path names the generation, so it differs with each pair. Where the new one cannot be read the last one goes on. */
    private synchronized SSLContext current() throws IOException, GeneralSecurityException {
        Path now = file.toRealPath();
        if (!now.equals(seen)) {
            try {
                context = load(now);
                seen = now;
            } catch (IOException | GeneralSecurityException e) {
                if (context == null) {
                    throw e;
                }
                System.err.println("reload: " + e);
            }
        }
        return context;
    }

    /** Reads a PKCS#8 key and the certificates behind it. */
    private static SSLContext load(Path path) throws IOException, GeneralSecurityException {
        String pem = Files.readString(path, StandardCharsets.US_ASCII);
        int behindKey = pem.indexOf("-----BEGIN CERTIFICATE-----");
        InputStream chain = new ByteArrayInputStream(pem.substring(behindKey).getBytes(StandardCharsets.US_ASCII));
        Certificate[] certificates = CertificateFactory.getInstance("X.509").generateCertificates(chain).toArray(new Certificate[0]);
        byte[] der = Base64.getMimeDecoder().decode(pem.substring(0, behindKey).replaceAll("-----[A-Z ]+-----", ""));
        String algorithm = certificates[0].getPublicKey().getAlgorithm();
        PrivateKey key = KeyFactory.getInstance(algorithm).generatePrivate(new PKCS8EncodedKeySpec(der));

        KeyStore store = KeyStore.getInstance("PKCS12");
        store.load(null, null);
        store.setKeyEntry("tls", key, NO_PASSWORD, certificates);
        KeyManagerFactory keys = KeyManagerFactory.getInstance(KeyManagerFactory.getDefaultAlgorithm());
        keys.init(store, NO_PASSWORD);
        SSLContext made = SSLContext.getInstance("TLS");
        made.init(keys.getKeyManagers(), null, null);
        return made;
    }

    private void serve(Socket plain) {
        try (plain; SSLSocket tls = (SSLSocket) current().getSocketFactory().createSocket(plain, null, true)) {
            plain.setSoTimeout(10_000);
            tls.setUseClientMode(false);
            tls.startHandshake();
            OutputStream out = tls.getOutputStream();
            tls.getInputStream().read();
            out.write("HTTP/1.0 200 OK\r\nContent-Length: 8\r\n\r\ncerthup\n".getBytes(StandardCharsets.US_ASCII));
        } catch (IOException | GeneralSecurityException e) {
            System.err.println("connection: " + e.getMessage());
        }
    }

    public static void main(String[] args) throws IOException, GeneralSecurityException {
        Server server = new Server(Path.of(args[0]));
        server.current();
        try (ServerSocket listener = new ServerSocket(8443)) {
            while (true) {
                Socket plain = listener.accept();
                new Thread(() -> server.serve(plain)).start();
            }
        }
    }
}
