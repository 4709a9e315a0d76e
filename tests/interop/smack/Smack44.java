/*
 * The other side, by Smack 4.4, which today's Spark stands on: a headless
 * sender and receiver of files.
 */

import java.io.File;
import java.io.FileInputStream;
import java.io.InputStream;
import java.net.InetAddress;
import java.nio.file.Path;
import java.security.KeyStore;
import java.security.cert.CertificateFactory;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;

import javax.net.ssl.TrustManagerFactory;
import javax.net.ssl.X509TrustManager;

import org.jivesoftware.smack.ConnectionConfiguration.SecurityMode;
import org.jivesoftware.smack.Smack;
import org.jivesoftware.smack.XMPPConnection;
import org.jivesoftware.smack.debugger.SmackDebugger;
import org.jivesoftware.smack.packet.TopLevelStreamElement;
import org.jivesoftware.smack.tcp.XMPPTCPConnection;
import org.jivesoftware.smack.tcp.XMPPTCPConnectionConfiguration;
import org.jivesoftware.smackx.bytestreams.socks5.Socks5Proxy;
import org.jivesoftware.smackx.filetransfer.FileTransfer;
import org.jivesoftware.smackx.filetransfer.FileTransfer.Status;
import org.jivesoftware.smackx.filetransfer.FileTransferManager;
import org.jivesoftware.smackx.filetransfer.FileTransferNegotiator;
import org.jivesoftware.smackx.filetransfer.FileTransferRequest;
import org.jivesoftware.smackx.filetransfer.IncomingFileTransfer;
import org.jivesoftware.smackx.filetransfer.OutgoingFileTransfer;
import org.jxmpp.jid.EntityFullJid;
import org.jxmpp.jid.impl.JidCreate;

final class Smack44 {
    private final Tell args;
    private final XMPPTCPConnection connection;
    private final FileTransferManager manager;

    private Smack44(Tell args) throws Exception {
        this.args = args;
        String[] jid = args.jid();
        XMPPTCPConnectionConfiguration.Builder config =
                XMPPTCPConnectionConfiguration.builder()
                .setXmppDomain(jid[1])
                .setUsernameAndPassword(jid[0], args.get("password"))
                .setResource(jid[2])
                .setHostAddress(InetAddress.getByName(args.get("host")))
                .setPort(args.number("port", 5222))
                .setDebuggerFactory(Ear::new)
                .setSecurityMode(args.has("ca") ? SecurityMode.required
                        : SecurityMode.disabled);
        if (args.has("ca"))
            config.setCustomX509TrustManager(trust(args.get("ca")));
        connection = new XMPPTCPConnection(config.build());
        if (args.has("reply-timeout"))
            connection.setReplyTimeout(args.number("reply-timeout", 0));
        manager = FileTransferManager.getInstanceFor(connection);
    }

    private static X509TrustManager trust(String pem) throws Exception {
        KeyStore store = KeyStore.getInstance(KeyStore.getDefaultType());
        store.load(null, null);
        try (InputStream in = new FileInputStream(pem)) {
            store.setCertificateEntry("ca", CertificateFactory
                    .getInstance("X.509").generateCertificate(in));
        }
        TrustManagerFactory factory = TrustManagerFactory.getInstance(
                TrustManagerFactory.getDefaultAlgorithm());
        factory.init(store);
        return (X509TrustManager) factory.getTrustManagers()[0];
    }

    /** Hears every stanza; listeners miss those that have a handler. */
    private static final class Ear extends SmackDebugger {
        Ear(XMPPConnection connection) {
            super(connection);
        }

        @Override
        public void userHasLogged(EntityFullJid user) {
        }

        @Override
        public void outgoingStreamSink(CharSequence text) {
        }

        @Override
        public void incomingStreamSink(CharSequence text) {
        }

        @Override
        public void onOutgoingStreamElement(TopLevelStreamElement element) {
            Tell.stanza(true, element.toXML());
        }

        @Override
        public void onIncomingStreamElement(TopLevelStreamElement element) {
            Tell.stanza(false, element.toXML());
        }
    }

    private void login() throws Exception {
        if (args.command.equals("receive"))
            manager.addFileTransferListener(this::offered);
        connection.connect();
        connection.login();
        Tell.tell("online", "jid", connection.getUser(), "smack",
                Smack.getVersion());
    }

    private void leave(int code) {
        Tell.leave(code, connection::disconnect);
    }

    /** Until it is over; true if it went well. */
    private static boolean follow(FileTransfer transfer) throws Exception {
        Status before = Status.initial;
        while (!transfer.isDone()) {
            Status now = transfer.getStatus();
            if (now != before && now == Status.negotiating_stream
                    && transfer instanceof OutgoingFileTransfer)
                Tell.tell("accepted");
            before = now;
            Thread.sleep(20);
        }
        if (transfer.getStatus() == Status.complete)
            return true;
        Tell.failed(transfer.getStatus() + " (" + transfer.getError() + ")",
                transfer.getException());
        return false;
    }

    // --- receive ------------------------------------------------------------

    private final AtomicInteger taken = new AtomicInteger();

    private void offered(FileTransferRequest request) {
        Tell.tell("offer", "name", request.getFileName(), "size",
                request.getFileSize(), "sid", request.getStreamID(), "peer",
                request.getRequestor());
        new Thread(() -> {
            try {
                take(request);
            } catch (Exception e) {
                Tell.failed("receiving", e);
            }
        }).start();
    }

    private void take(FileTransferRequest request) throws Exception {
        IncomingFileTransfer transfer = request.accept();
        Path path = Path.of(args.get("dir"),
                new File(request.getFileName()).getName());
        transfer.receiveFile(path.toFile());
        if (!follow(transfer))
            return;
        // The streams are closed after it says it is done.
        Thread.sleep(500);
        Tell.done(path);
        if (taken.incrementAndGet() == args.number("count", 1))
            leave(0);
    }

    // --- send ---------------------------------------------------------------

    private void send() throws Exception {
        File file = new File(args.get("file"));
        OutgoingFileTransfer transfer = manager.createOutgoingFileTransfer(
                JidCreate.entityFullFrom(args.get("to")));
        transfer.sendFile(file, "Sending file");
        boolean well = follow(transfer);
        if (well)
            Tell.done(file.toPath());
        leave(well ? 0 : 1);
    }

    public static void main(String[] words) throws Exception {
        Tell args = new Tell(words);
        FileTransferNegotiator.IBB_ONLY = args.has("ibb-only");
        Socks5Proxy.setLocalSocks5ProxyEnabled(!args.has("no-local"));
        if (args.has("local"))
            Socks5Proxy.getSocks5Proxy().replaceLocalAddresses(
                    List.of(InetAddress.getByName(args.get("local"))));
        Smack44 peer = new Smack44(args);
        try {
            peer.login();
            if (args.command.equals("send"))
                peer.send();
        } catch (Exception e) {
            Tell.failed(args.command, e);
            peer.leave(1);
        }
        Thread.sleep(Long.MAX_VALUE);
    }
}
