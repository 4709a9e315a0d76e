/*
 * What every Smack peer shares: its options, and what it says of itself, one
 * JSON object a line in the words xferry uses. Smack itself is left to the
 * peers, whose generations share no API.
 */

import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

final class Tell {
    private static final int XML_MAX = 2000;
    private static final Pattern CHILD = Pattern.compile(
            "<(\\w+)[^<>]*xmlns=[\"']http://jabber.org/protocol/"
            + "(si|bytestreams|ibb)[\"']");
    private static final Pattern ID = Pattern.compile(
            "^<\\w+[^>]*? id=[\"']([^\"']*)");
    private static final Pattern TYPE = Pattern.compile(
            "^<\\w+[^>]*? type=[\"']([^\"']*)");
    private static final Map<String, String> asked = new HashMap<>();
    private static final Map<String, String> early = new HashMap<>();
    private static final Set<String> FLAGS = Set.of("ibb-only", "no-local");

    final String command;
    private final Map<String, String> options = new HashMap<>();

    /** COMMAND, then --NAME VALUE or --FLAG. */
    Tell(String[] words) {
        command = words[0];
        for (int i = 1; i < words.length; i++) {
            String name = words[i].substring(2);
            options.put(name, FLAGS.contains(name) ? "" : words[++i]);
        }
    }

    boolean has(String name) {
        return options.containsKey(name);
    }

    String get(String name) {
        if (!has(name))
            throw new IllegalArgumentException("--" + name + " is missing");
        return options.get(name);
    }

    int number(String name, int otherwise) {
        return has(name) ? Integer.parseInt(get(name)) : otherwise;
    }

    /** The parts of --jid: user, domain, resource. */
    String[] jid() {
        return get("jid").split("[@/]", 3);
    }

    private static String quote(Object value) {
        if (value == null || value instanceof Number)
            return String.valueOf(value);
        StringBuilder out = new StringBuilder("\"");
        for (char c : value.toString().toCharArray()) {
            if (c == '"' || c == '\\')
                out.append('\\').append(c);
            else if (c < ' ' || c > '~')
                out.append(String.format("\\u%04x", (int) c));
            else
                out.append(c);
        }
        return out.append('"').toString();
    }

    /** One line; `fields` are names and values in turn. */
    static synchronized void tell(String event, Object... fields) {
        StringBuilder line = new StringBuilder("{\"event\":" + quote(event));
        for (int i = 0; i < fields.length; i += 2)
            line.append(",").append(quote(fields[i])).append(":")
                    .append(quote(fields[i + 1]));
        // On Linux this is the monotonic clock of the other programs too.
        System.out.println(line.append(",\"t\":")
                .append(System.nanoTime() / 1e9).append("}"));
        System.out.flush();
    }

    /**
     * A stanza of a file transfer, named by what it does: "si set", "open
     * set", "data message"; a reply to one is named after it. The rest of
     * the conversation is not shown. Threads may bring a reply before what
     * it answers; it is told behind it all the same.
     */
    static synchronized void stanza(boolean out, CharSequence text) {
        String xml = text.toString();
        Matcher child = CHILD.matcher(xml), id = ID.matcher(xml),
                type = TYPE.matcher(xml);
        String key = id.find() ? id.group(1) : "";
        String kind = xml.startsWith("<message") ? "message"
                : type.find() ? type.group(1) : "?";
        if (kind.equals("result") || kind.equals("error")) {
            if (asked.containsKey(key + !out))
                show(out, asked.get(key + !out) + " " + kind, xml);
            else
                early.put(key + out, xml);
        } else if (child.find()) {
            String what = child.group(child.group(1).equals("query") ? 2 : 1);
            asked.put(key + out, what);
            show(out, what + " " + kind, xml);
            if (early.containsKey(key + !out))
                stanza(!out, early.remove(key + !out));
        }
    }

    private static void show(boolean out, String what, String xml) {
        tell("stanza", "dir", out ? "out" : "in", "what", what, "xml",
                xml.substring(0, Math.min(xml.length(), XML_MAX)));
    }

    /** The end of a file that went either way. */
    static void done(Path path) throws Exception {
        MessageDigest digest = MessageDigest.getInstance("SHA-256");
        byte[] some = new byte[1 << 16];
        try (InputStream in = Files.newInputStream(path)) {
            for (int n; (n = in.read(some)) > 0;)
                digest.update(some, 0, n);
        }
        StringBuilder hex = new StringBuilder();
        for (byte b : digest.digest())
            hex.append(String.format("%02x", b));
        tell("done", "path", path, "bytes", Files.size(path), "sha256", hex);
    }

    /** What went wrong, with its causes. */
    static void failed(String status, Throwable why) {
        StringBuilder text = new StringBuilder(status);
        for (; why != null; why = why.getCause())
            text.append(": ").append(why);
        tell("failed", "text", text);
    }

    /** Leave in an orderly way, but leave. */
    static void leave(int code, Runnable disconnect) {
        Thread last = new Thread(disconnect);
        last.setDaemon(true);
        last.start();
        try {
            last.join(3000);
        } catch (InterruptedException e) {
            // It leaves at once, then.
        }
        Runtime.getRuntime().halt(code);
    }
}
