package postcart.bench;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.time.Instant;
import java.util.List;
import java.util.UUID;
import java.util.function.BiConsumer;

/** Writes what was decided as JSON, by a streaming generator, and derives ids. */
final class Out {
    private static final JsonFactory JSON = new JsonFactory();
    private final ByteArrayOutputStream bytes = new ByteArrayOutputStream(2048);
    private final BiConsumer<byte[], byte[]> signals, decisions;
    private final MessageDigest sha1;

    Out(BiConsumer<byte[], byte[]> signals, BiConsumer<byte[], byte[]> decisions) {
        this.signals = signals;
        this.decisions = decisions;
        try {
            sha1 = MessageDigest.getInstance("SHA-1");
        } catch (NoSuchAlgorithmException impossible) {
            throw new IllegalStateException(impossible);
        }
    }

    /** RFC 9562 version 5. */
    String uuid5(UUID space, String name) {
        byte[] head = new byte[16];
        for (int place = 0; place < 8; place++) {
            head[place] = (byte) (space.getMostSignificantBits() >>> 56 - 8 * place);
            head[8 + place] = (byte) (space.getLeastSignificantBits() >>> 56 - 8 * place);
        }
        sha1.update(head);
        byte[] digest = sha1.digest(name.getBytes(StandardCharsets.UTF_8));
        long high = 0, low = 0;
        for (int place = 0; place < 8; place++) {
            high = high << 8 | digest[place] & 0xff;
            low = low << 8 | digest[8 + place] & 0xff;
        }
        return new UUID(high & ~0xf000L | 0x5000L, low & 0x3fffffffffffffffL | 0x8000000000000000L).toString();
    }

    /** Where a signal stands among those of its moment. */
    record Order(int phase, long sequence, int rank, String cause, int position) {
        static Order by(Event event, int position) {
            return new Order(0, event.sequence, event.rank, event.id, position);
        }
    }

    interface More {
        void write(JsonGenerator json) throws IOException;
    }

    void signal(String type, Visitor visitor, String person, long at, Order order, More more) {
        signals.accept(key(person), write(json -> {
            json.writeStringField("type", type);
            json.writeStringField("person_id", person);
            json.writeStringField("visitor_id", visitor.id);
            json.writeNumberField("at_ms", at);
            if (order != null) {
                json.writeArrayFieldStart("order");
                json.writeNumber(order.phase);
                json.writeNumber(order.sequence);
                json.writeNumber(order.rank);
                json.writeString(order.cause);
                json.writeNumber(order.position);
                json.writeEndArray();
            }
            if (more != null) more.write(json);
        }));
    }

    void decision(Abandonment abandonment) {
        decisions.accept(key(abandonment.visitor), write(json -> {
            json.writeStringField("type", "abandonment");
            json.writeStringField("episode_id", uuid5(UUID.fromString(abandonment.id), "episode"));
            fields(json, abandonment);
        }));
    }

    static void lines(JsonGenerator json, List<Line> lines) throws IOException {
        json.writeArrayFieldStart("lines");
        for (Line line : lines) {
            json.writeStartObject();
            json.writeStringField("variant_id", line.variant);
            json.writeNumberField("quantity", line.quantity);
            json.writeNumberField("changed_ms", line.changed);
            if (line.sequence != 0) json.writeNumberField("sequence", line.sequence);
            json.writeStringField("unit_price", line.price.toPlainString());
            if (line.currency != null) json.writeStringField("currency", line.currency);
            if (line.product != null) {
                json.writeObjectFieldStart("product");
                for (int place = 0; place < Line.PRODUCT.length; place++)
                    json.writeStringField(Line.PRODUCT[place], line.product[place]);
                json.writeEndObject();
            }
            json.writeEndObject();
        }
        json.writeEndArray();
    }

    static void abandonment(JsonGenerator json, Abandonment abandonment) throws IOException {
        json.writeObjectFieldStart("abandonment");
        json.writeNumberField("abandoned_ms", abandonment.at);
        fields(json, abandonment);
        json.writeEndObject();
    }

    private static void fields(JsonGenerator json, Abandonment abandonment) throws IOException {
        json.writeStringField("abandonment_id", abandonment.id);
        json.writeStringField("visitor_id", abandonment.visitor);
        json.writeStringField("person_id", abandonment.person);
        json.writeStringField("session_id", abandonment.session);
        json.writeStringField("trigger", Visitor.TRIGGERS[abandonment.trigger]);
        json.writeStringField("abandoned_at", Instant.ofEpochMilli(abandonment.at).toString());
        lines(json, abandonment.lines);
        json.writeStringField("value", abandonment.value == null ? null : abandonment.value.toPlainString());
        json.writeStringField("currency", abandonment.currency);
        json.writeObjectFieldStart("tags");
        json.writeNumberField("duration_s", abandonment.seconds);
        json.writeStringField("value_band", abandonment.band);
        json.writeStringField("stage", abandonment.checkout ? "checkout" : "cart");
        json.writeStringField("device", abandonment.device);
        json.writeStringField("category", abandonment.category);
        json.writeBooleanField("peak", false);
        json.writeEndObject();
    }

    private byte[] write(More more) {
        bytes.reset();
        try (JsonGenerator json = JSON.createGenerator(bytes)) {
            json.writeStartObject();
            more.write(json);
            json.writeEndObject();
        } catch (IOException error) {
            throw new UncheckedIOException(error);
        }
        return bytes.toByteArray();
    }

    private static byte[] key(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }
}
