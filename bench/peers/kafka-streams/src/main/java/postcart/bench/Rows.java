package postcart.bench;

import java.math.BigDecimal;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import org.apache.kafka.common.serialization.Deserializer;
import org.apache.kafka.common.serialization.Serializer;
import postcart.bench.Visitor.End;
import postcart.bench.Visitor.Session;

/** A compact binary form of a row: variable-length numbers and length-prefixed text; no reflection. */
final class Rows implements Serializer<Visitor>, Deserializer<Visitor> {
    private byte[] bytes = new byte[4096];
    private int at;

    @Override
    public byte[] serialize(String topic, Visitor visitor) {
        if (visitor == null) return null;
        at = 0;
        text(visitor.id);
        text(visitor.person);
        lines(visitor.lines.values());
        lines(visitor.unsent);
        number(visitor.floor);
        number(visitor.floorSequence);
        number(visitor.last);
        number(visitor.lastSequence);
        number(visitor.lastRank);
        number(visitor.known);
        number(visitor.knownSequence);
        number(visitor.decided);
        number(visitor.decidedSequence);
        number(visitor.indexed);
        session(visitor.session);
        abandonment(visitor.anonymous);
        number(visitor.pending.size());
        for (Event event : visitor.pending) event(event);
        return Arrays.copyOf(bytes, at);
    }

    private void session(Session session) {
        number(session == null ? 0 : 1);
        if (session == null) return;
        number(session.started);
        number(session.last);
        text(session.lastId);
        text(session.lastSession);
        text(session.device);
        number(session.checkout);
        number(session.cleared);
        number(session.leaving ? 1 : 0);
        number(session.latest.at());
        number(session.latest.trigger());
        number(session.ends.size());
        for (Map.Entry<String, End> end : session.ends.entrySet()) {
            text(end.getKey());
            number(end.getValue().at());
            number(end.getValue().trigger());
        }
    }

    private void abandonment(Abandonment one) {
        number(one == null ? 0 : 1);
        if (one == null) return;
        text(one.id);
        text(one.visitor);
        text(one.person);
        text(one.session);
        text(one.currency);
        text(one.device);
        text(one.category);
        text(one.band);
        number(one.trigger);
        number(one.at);
        number(one.seconds);
        number(one.checkout ? 1 : 0);
        text(one.value == null ? null : one.value.toString());
        lines(one.lines);
    }

    private void event(Event event) {
        text(event.id);
        number(event.time);
        number(event.sequence);
        number(event.rank);
        text(event.session);
        text(event.device);
        text(event.person);
        text(event.variant);
        number((event.flag ? 1 : 0) + (event.snapshot ? 2 : 0));
        lines(event.line == null ? List.of() : List.of(event.line));
        lines(event.lines == null ? List.of() : event.lines);
    }

    private void lines(Collection<Line> lines) {
        number(lines.size());
        for (Line line : lines) {
            text(line.variant);
            number(line.quantity);
            number(line.changed);
            number(line.sequence);
            text(line.price.toString());
            text(line.currency);
            number(line.product == null ? 0 : 1);
            if (line.product != null) for (String field : line.product) text(field);
        }
    }

    private void number(long number) {
        room(10);
        long rest = number << 1 ^ number >> 63;
        while ((rest & ~0x7fL) != 0) {
            bytes[at++] = (byte) (rest & 0x7f | 0x80);
            rest >>>= 7;
        }
        bytes[at++] = (byte) rest;
    }

    private void text(String text) {
        if (text == null) {
            number(-1);
            return;
        }
        byte[] encoded = text.getBytes(StandardCharsets.UTF_8);
        number(encoded.length);
        room(encoded.length);
        System.arraycopy(encoded, 0, bytes, at, encoded.length);
        at += encoded.length;
    }

    private void room(int more) {
        if (at + more > bytes.length) bytes = Arrays.copyOf(bytes, Math.max(2 * bytes.length, at + more));
    }

    @Override
    public Visitor deserialize(String topic, byte[] data) {
        if (data == null) return null;
        Reader in = new Reader(ByteBuffer.wrap(data));
        Visitor visitor = new Visitor(in.text());
        visitor.person = in.text();
        for (Line line : in.lines()) visitor.lines.put(line.variant, line);
        visitor.unsent = in.lines();
        visitor.floor = in.number();
        visitor.floorSequence = in.number();
        visitor.last = in.number();
        visitor.lastSequence = in.number();
        visitor.lastRank = (int) in.number();
        visitor.known = in.number();
        visitor.knownSequence = in.number();
        visitor.decided = in.number();
        visitor.decidedSequence = in.number();
        visitor.indexed = in.number();
        visitor.session = in.session();
        visitor.anonymous = in.abandonment();
        for (long left = in.number(); left > 0; left--) visitor.pending.add(in.event(visitor.id));
        return visitor;
    }

    @Override
    public void close() {
        // nothing is held
    }

    @Override
    public void configure(Map<String, ?> configs, boolean isKey) {
        // nothing to be told
    }

    private record Reader(ByteBuffer data) {
        Session session() {
            if (number() == 0) return null;
            Session session = new Session();
            session.started = number();
            session.last = number();
            session.lastId = text();
            session.lastSession = text();
            session.device = text();
            session.checkout = number();
            session.cleared = number();
            session.leaving = number() == 1;
            session.latest = new End(number(), (int) number());
            for (long left = number(); left > 0; left--) session.ends.put(text(), new End(number(), (int) number()));
            return session;
        }

        Abandonment abandonment() {
            if (number() == 0) return null;
            Abandonment one = new Abandonment();
            one.id = text();
            one.visitor = text();
            one.person = text();
            one.session = text();
            one.currency = text();
            one.device = text();
            one.category = text();
            one.band = text();
            one.trigger = (int) number();
            one.at = number();
            one.seconds = number();
            one.checkout = number() == 1;
            String value = text();
            one.value = value == null ? null : new BigDecimal(value);
            one.lines = lines();
            return one;
        }

        Event event(String visitor) {
            Event event = new Event();
            event.visitor = visitor;
            event.id = text();
            event.time = number();
            event.sequence = number();
            event.rank = (int) number();
            event.session = text();
            event.device = text();
            event.person = text();
            event.variant = text();
            long flags = number();
            event.flag = (flags & 1) != 0;
            event.snapshot = (flags & 2) != 0;
            List<Line> one = lines();
            event.line = one.isEmpty() ? null : one.get(0);
            event.lines = lines();
            return event;
        }

        List<Line> lines() {
            int size = (int) number();
            List<Line> lines = new ArrayList<>(size + 1);
            for (int left = size; left > 0; left--) {
                Line line = Line.of(text(), (int) number(), number(), number());
                line.price = new BigDecimal(text());
                line.currency = text();
                if (number() == 1) {
                    line.product = new String[Line.PRODUCT.length];
                    for (int place = 0; place < line.product.length; place++) line.product[place] = text();
                }
                lines.add(line);
            }
            return lines;
        }

        long number() {
            long found = 0;
            int shift = 0;
            byte next;
            do {
                next = data.get();
                found |= (long) (next & 0x7f) << shift;
                shift += 7;
            } while (next < 0);
            return found >>> 1 ^ -(found & 1);
        }

        String text() {
            int length = (int) number();
            if (length < 0) return null;
            int begin = data.position();
            data.position(begin + length);
            return new String(data.array(), begin, length, StandardCharsets.UTF_8);
        }
    }
}
