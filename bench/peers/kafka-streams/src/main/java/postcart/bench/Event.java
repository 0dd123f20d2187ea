package postcart.bench;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import java.io.IOException;
import java.math.BigDecimal;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;

/**
 * An event of a visit or a cart, as far as sessions and carts need it; read from JSON by a streaming parser or from
 * Avro's wire format by a reader of the released schemas written by hand, both faster than binding to classes.
 */
final class Event {
    static final int IDENTIFIED = 0, STARTED = 1, VIEWED = 2, SET = 3, REMOVED = 4, CHECKOUT = 5, HEARTBEAT = 6,
        CLEARED = 7, EXIT = 8, ENDED = 9;

    String id, visitor, session, device, person, variant;
    long time, sequence;
    /** Its place among kinds of the same moment; SET is added, changed and snapshot, REMOVED also coupon. */
    int rank;
    /** Of cleared: emptied and not ordered. Of ended: a logout. */
    boolean flag;
    boolean snapshot;
    Line line;
    List<Line> lines;

    boolean before(Event other) {
        if (time != other.time) return time < other.time;
        if (sequence != other.sequence) return sequence < other.sequence;
        if (rank != other.rank) return rank < other.rank;
        return id.compareTo(other.id) < 0;
    }

    private static final JsonFactory JSON = new JsonFactory();

    static Event read(byte[] value, boolean cart) throws IOException {
        return value[0] == '{' ? json(value) : new Avro(value, 5).event(cart);
    }

    private static Event json(byte[] value) throws IOException {
        Event event = new Event();
        try (JsonParser parser = JSON.createParser(value)) {
            parser.nextToken();
            while (parser.nextToken() != JsonToken.END_OBJECT) {
                String name = parser.currentName();
                JsonToken token = parser.nextToken();
                switch (name) {
                    case "type" -> event.kind(parser.getText());
                    case "id" -> event.id = parser.getText();
                    case "time" -> event.time = parser.getLongValue();
                    case "sequence" -> event.sequence = parser.getLongValue();
                    case "visitor_id" -> event.visitor = parser.getText();
                    case "session_id" -> event.session = text(parser, token);
                    case "device" -> event.device = text(parser, token);
                    case "person_id" -> event.person = parser.getText();
                    case "variant_id" -> event.variant = parser.getText();
                    case "reason" -> event.reason(parser.getText());
                    case "line" -> event.line = line(parser);
                    case "lines" -> {
                        event.lines = new ArrayList<>();
                        while (parser.nextToken() != JsonToken.END_ARRAY) event.lines.add(line(parser));
                    }
                    default -> parser.skipChildren();
                }
            }
        }
        return event;
    }

    private static String text(JsonParser parser, JsonToken token) throws IOException {
        return token == JsonToken.VALUE_NULL ? null : parser.getText();
    }

    private static Line line(JsonParser parser) throws IOException {
        Line line = new Line();
        while (parser.nextToken() != JsonToken.END_OBJECT) {
            String name = parser.currentName();
            JsonToken token = parser.nextToken();
            switch (name) {
                case "variant_id" -> line.variant = parser.getText();
                case "quantity" -> line.quantity = parser.getIntValue();
                case "unit_price" -> line.price = new BigDecimal(parser.getText());
                case "currency" -> line.currency = text(parser, token);
                case "product" -> {
                    if (token == JsonToken.VALUE_NULL) break;
                    line.product = new String[Line.PRODUCT.length];
                    while (parser.nextToken() != JsonToken.END_OBJECT) {
                        String field = parser.currentName();
                        JsonToken found = parser.nextToken();
                        for (int place = 0; place < Line.PRODUCT.length; place++)
                            if (Line.PRODUCT[place].equals(field)) line.product[place] = text(parser, found);
                    }
                }
                default -> parser.skipChildren();
            }
        }
        return line;
    }

    private void kind(String type) {
        switch (type) {
            case "identified" -> rank = IDENTIFIED;
            case "started" -> rank = STARTED;
            case "viewed" -> rank = VIEWED;
            case "added", "changed" -> rank = SET;
            case "snapshot" -> {
                rank = SET;
                snapshot = true;
            }
            case "removed", "coupon" -> rank = REMOVED;
            case "checkout_step" -> rank = CHECKOUT;
            case "heartbeat" -> rank = HEARTBEAT;
            case "cleared" -> rank = CLEARED;
            case "exit" -> rank = EXIT;
            case "ended" -> rank = ENDED;
            default -> throw new IllegalArgumentException(type);
        }
    }

    private void reason(String reason) {
        flag = reason.equals("emptied") || reason.equals("logout");
    }

    /** Reads the released schemas shop.sessions/v1 and shop.carts/v1. */
    private static final class Avro {
        private final byte[] bytes;
        private int at;

        Avro(byte[] bytes, int at) {
            this.bytes = bytes;
            this.at = at;
        }

        Event event(boolean cart) {
            Event event = new Event();
            event.id = string();
            event.time = number();
            event.sequence = number();
            event.visitor = string();
            event.session = optional();
            event.device = optional();
            if (cart) cart(event, (int) number());
            else visit(event, (int) number());
            return event;
        }

        private void visit(Event event, int kind) {
            switch (kind) {
                case 0 -> event.person = string();
                case 1 -> event.rank = STARTED;
                case 2 -> event.rank = VIEWED;
                case 3 -> event.rank = CHECKOUT;
                case 4 -> event.rank = HEARTBEAT;
                case 5 -> event.rank = EXIT;
                default -> {
                    event.rank = ENDED;
                    event.flag = number() == 1;
                }
            }
        }

        private void cart(Event event, int kind) {
            switch (CART[kind]) {
                case "Added", "Changed" -> {
                    event.rank = SET;
                    event.line = line();
                }
                case "Snapshot" -> {
                    event.rank = SET;
                    event.snapshot = true;
                    event.lines = new ArrayList<>();
                    for (long block = number(); block != 0; block = number()) {
                        if (block < 0) number();
                        for (long left = Math.abs(block); left > 0; left--) event.lines.add(line());
                    }
                }
                case "Removed" -> {
                    event.rank = REMOVED;
                    event.variant = string();
                }
                case "Coupon" -> event.rank = REMOVED;
                default -> {
                    event.rank = CLEARED;
                    event.flag = number() == 1;
                }
            }
        }

        private Line line() {
            Line line = new Line();
            line.variant = string();
            line.quantity = (int) number();
            line.price = new BigDecimal(string());
            line.currency = optional();
            if (number() == 1) {
                line.product = new String[Line.PRODUCT.length];
                for (int place = 0; place < line.product.length; place++) line.product[place] = optional();
            }
            return line;
        }

        private long number() {
            long found = 0;
            int shift = 0;
            byte next;
            do {
                next = bytes[at++];
                found |= (long) (next & 0x7f) << shift;
                shift += 7;
            } while (next < 0);
            return found >>> 1 ^ -(found & 1);
        }

        private String string() {
            int length = (int) number();
            at += length;
            return new String(bytes, at - length, length, StandardCharsets.UTF_8);
        }

        private String optional() {
            return number() == 0 ? null : string();
        }

        private static final String[] CART = {"Added", "Changed", "Snapshot", "Removed", "Coupon", "Cleared"};
    }
}
