/*
 * The other side, by a Smack before 4.4: 3.1.0 speaks the founding dialect
 * (Spark of 2007), 3.2.1 the one of its successors up to 4.3. A headless
 * sender and receiver of files; compiles with either.
 */

import java.io.File;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.atomic.AtomicInteger;

import org.jivesoftware.smack.ConnectionConfiguration;
import org.jivesoftware.smack.ConnectionConfiguration.SecurityMode;
import org.jivesoftware.smack.PacketListener;
import org.jivesoftware.smack.SmackConfiguration;
import org.jivesoftware.smack.XMPPConnection;
import org.jivesoftware.smack.XMPPException;
import org.jivesoftware.smack.filter.PacketFilter;
import org.jivesoftware.smack.packet.Packet;
import org.jivesoftware.smackx.filetransfer.FileTransfer;
import org.jivesoftware.smackx.filetransfer.FileTransfer.Status;
import org.jivesoftware.smackx.filetransfer.FileTransferListener;
import org.jivesoftware.smackx.filetransfer.FileTransferManager;
import org.jivesoftware.smackx.filetransfer.FileTransferNegotiator;
import org.jivesoftware.smackx.filetransfer.FileTransferRequest;
import org.jivesoftware.smackx.filetransfer.IncomingFileTransfer;
import org.jivesoftware.smackx.filetransfer.OutgoingFileTransfer;

final class Smack3 {
    /** Where 3.1.0 listens; it cannot be told otherwise. */
    private static final int LOCAL_PORT = 7777;
    private static ServerSocket occupied;

    private final Tell args;
    private final XMPPConnection connection;
    private FileTransferManager manager;

    private Smack3(Tell args) {
        this.args = args;
        ConnectionConfiguration config = new ConnectionConfiguration(
                args.get("host"), args.number("port", 5222), args.jid()[1]);
        config.setSecurityMode(args.has("ca") ? SecurityMode.required
                : SecurityMode.disabled);
        config.setReconnectionAllowed(false);
        connection = new XMPPConnection(config);
    }

    private void login() throws XMPPException {
        String[] jid = args.jid();
        connection.connect();
        manager = new FileTransferManager(connection);
        PacketFilter all = new PacketFilter() {
            public boolean accept(Packet packet) {
                return true;
            }
        };
        connection.addPacketListener(new PacketListener() {
            public void processPacket(Packet packet) {
                Tell.stanza(false, packet.toXML());
            }
        }, all);
        connection.addPacketWriterListener(new PacketListener() {
            public void processPacket(Packet packet) {
                Tell.stanza(true, packet.toXML());
            }
        }, all);
        if (args.command.equals("receive"))
            manager.addFileTransferListener(new FileTransferListener() {
                public void fileTransferRequest(FileTransferRequest request) {
                    offered(request);
                }
            });
        connection.login(jid[0], args.get("password"), jid[2]);
        Tell.tell("online", "jid", connection.getUser(), "smack",
                SmackConfiguration.getVersion());
    }

    private void leave(int code) {
        Tell.leave(code, connection::disconnect);
    }

    /** Until it is over; true if it went well. */
    private static boolean follow(FileTransfer transfer) throws Exception {
        Status before = Status.initial;
        // An exception need not change the status: 3.1.0 leaves it.
        while (!transfer.isDone() && transfer.getException() == null) {
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
        transfer.recieveFile(path.toFile());
        if (!follow(transfer))
            return;
        // It answers the close after it says it is done.
        Thread.sleep(500);
        Tell.done(path);
        if (taken.incrementAndGet() == args.number("count", 1))
            leave(0);
    }

    // --- send ---------------------------------------------------------------

    private void send() throws Exception {
        File file = new File(args.get("file"));
        OutgoingFileTransfer transfer =
                manager.createOutgoingFileTransfer(args.get("to"));
        transfer.sendFile(file, "Sending");
        boolean well = follow(transfer);
        // 3.1.0 closes without waiting for the answer.
        Thread.sleep(1000);
        if (well)
            Tell.done(file.toPath());
        leave(well ? 0 : 1);
    }

    /**
     * The own address is what the machine's name resolves to; this decides
     * it, and asks no name server. Before any address is looked up.
     */
    private static void local(String address, String name) throws Exception {
        Path hosts = Files.createTempFile("hosts", null);
        hosts.toFile().deleteOnExit();
        Files.writeString(hosts, address + " " + name + "\n");
        System.setProperty("jdk.net.hosts.file", hosts.toString());
        if (!InetAddress.getLocalHost().getHostAddress().equals(address))
            throw new IllegalStateException("not at " + address);
    }

    /** It offers no address of its own, only those of proxies. */
    private static void noLocal() throws Exception {
        try {
            SmackConfiguration.class.getMethod("setLocalSocks5ProxyEnabled",
                    boolean.class).invoke(null, false);
        } catch (NoSuchMethodException e) {
            // 3.1.0 cannot be told, but can find its port taken.
            occupied = new ServerSocket(LOCAL_PORT);
        }
    }

    public static void main(String[] words) throws Exception {
        Tell args = new Tell(words);
        if (args.has("local"))
            local(args.get("local"), args.get("hostname"));
        if (args.has("reply-timeout"))
            SmackConfiguration.setPacketReplyTimeout(
                    args.number("reply-timeout", 0));
        FileTransferNegotiator.IBB_ONLY = args.has("ibb-only");
        if (args.has("no-local"))
            noLocal();
        Smack3 peer = new Smack3(args);
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
