package postcart.bench;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import java.util.PriorityQueue;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.KeyValue;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.processor.api.Processor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.state.KeyValueIterator;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.Stores;

/**
 * DETECT by the Processor API: a cached key-value store of rows with its changelog, and an index of deadlines in
 * memory, rebuilt from the store, as a scan by a punctuator would cost more.
 *
 * Arguments: bootstrap servers, prefix of the shop's topics, prefix of its own, records, "memory" or "rocksdb".
 */
public final class Detect implements Processor<byte[], byte[], byte[], byte[]> {
    private static final long DISORDER_MS = 300_000;
    private final Stopwatch stopwatch;
    private final String carts;
    private final Map<String, Long> clocks = new HashMap<>();
    private final PriorityQueue<Due> deadlines = new PriorityQueue<>();
    private ProcessorContext<byte[], byte[]> context;
    private KeyValueStore<byte[], Visitor> rows;
    private Fold fold;
    private long now;

    private record Due(long at, byte[] key) implements Comparable<Due> {
        @Override
        public int compareTo(Due other) {
            return at != other.at ? Long.compare(at, other.at) : Arrays.compare(key, other.key);
        }
    }

    private Detect(Stopwatch stopwatch, String sessions, String carts) {
        this.stopwatch = stopwatch;
        this.carts = carts;
        clocks.put(sessions, -1L);
        clocks.put(carts, -1L);
    }

    @Override
    public void init(ProcessorContext<byte[], byte[]> context) {
        this.context = context;
        rows = context.getStateStore("visitors");
        fold = new Fold(new Out(
            (key, value) -> context.forward(new Record<>(key, value, now), "signals"),
            (key, value) -> context.forward(new Record<>(key, value, now), "decisions")));
        try (KeyValueIterator<byte[], Visitor> all = rows.all()) {
            while (all.hasNext()) {
                KeyValue<byte[], Visitor> row = all.next();
                deadlines.add(new Due(row.value.indexed, row.key));
            }
        }
    }

    @Override
    public void process(Record<byte[], byte[]> record) {
        boolean last = stopwatch.record();
        String topic = context.recordMetadata().orElseThrow().topic();
        now = record.timestamp();
        Event event;
        try {
            event = Event.read(record.value(), topic.equals(carts));
        } catch (IOException error) {
            throw new UncheckedIOException(error);
        }
        clocks.merge(topic, Math.min(event.time, now) - DISORDER_MS - 1, Math::max);
        long clock = Long.MAX_VALUE;
        for (long one : clocks.values()) clock = Math.min(clock, one);
        Visitor visitor = rows.get(record.key());
        if (visitor == null) visitor = new Visitor(new String(record.key(), StandardCharsets.UTF_8));
        fold.arrive(visitor, event);
        if (clock >= 0) fold.advance(visitor, clock);
        keep(record.key(), visitor);
        while (clock >= 0 && !deadlines.isEmpty() && deadlines.peek().at <= clock) fire(deadlines.poll(), clock);
        if (last) context.commit();
    }

    private void fire(Due due, long clock) {
        Visitor visitor = rows.get(due.key);
        if (visitor == null || visitor.indexed != due.at) return;
        visitor.indexed = 0;
        if (fold.advance(visitor, clock)) keep(due.key, visitor);
        else rows.delete(due.key);
    }

    private void keep(byte[] key, Visitor visitor) {
        long deadline = visitor.deadline();
        if (visitor.indexed == 0 || deadline < visitor.indexed) {
            visitor.indexed = deadline;
            deadlines.add(new Due(deadline, key));
        }
        rows.put(key, visitor);
    }

    public static void main(String[] arguments) throws Exception {
        String shop = arguments[1], own = arguments[2];
        String sessions = shop + "sessions", carts = shop + "carts";
        Stopwatch stopwatch = new Stopwatch(Long.parseLong(arguments[3]));
        Rows form = new Rows();
        var store = arguments[4].equals("memory")
            ? Stores.inMemoryKeyValueStore("visitors") : Stores.persistentKeyValueStore("visitors");
        Topology topology = new Topology()
            .addSource("shop", sessions, carts)
            .addProcessor("detect", () -> new Detect(stopwatch, sessions, carts), "shop")
            .addStateStore(Stores.keyValueStoreBuilder(store, Serdes.ByteArray(), Serdes.serdeFrom(form, form))
                .withCachingEnabled(), "detect")
            .addSink("signals", own + "signals", "detect")
            .addSink("decisions", own + "decisions", "detect");
        stopwatch.run(topology, Tuning.of(own + "app", arguments[0]));
    }
}
