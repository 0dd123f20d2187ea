package postcart.bench;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
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
 * Nexmark's query 11 by the Processor API: open sessions per bidder in a cached key-value store, and an index of their
 * ends in memory; each is told once, when the bids' time has passed its end.
 *
 * Arguments: bootstrap servers, topic of the bids, prefix of its own topics, records, "memory" or "rocksdb".
 */
public final class Bids implements Processor<byte[], byte[], byte[], byte[]> {
    private static final long GAP_MS = 10_000, DISORDER_MS = 4_000;
    private static final JsonFactory JSON = new JsonFactory();
    private final Stopwatch stopwatch;
    private final PriorityQueue<Due> deadlines = new PriorityQueue<>(Comparator.comparingLong(Due::at));
    private ProcessorContext<byte[], byte[]> context;
    private KeyValueStore<byte[], byte[]> rows;
    private long clock = -1, now;

    private record Due(long at, byte[] key) {
    }

    private record Session(long start, long end, long bids) {
        boolean apart(long at) {
            return end + GAP_MS < at || at < start - GAP_MS;
        }
    }

    private Bids(Stopwatch stopwatch) {
        this.stopwatch = stopwatch;
    }

    @Override
    public void init(ProcessorContext<byte[], byte[]> context) {
        this.context = context;
        rows = context.getStateStore("bidders");
        try (KeyValueIterator<byte[], byte[]> all = rows.all()) {
            while (all.hasNext()) {
                KeyValue<byte[], byte[]> row = all.next();
                deadlines.add(new Due(read(row.value).get(0).end + GAP_MS + 1, row.key));
            }
        }
    }

    @Override
    public void process(Record<byte[], byte[]> record) {
        boolean last = stopwatch.record();
        now = record.timestamp();
        long at = time(record.value());
        clock = Math.max(clock, at - DISORDER_MS - 1);
        byte[] row = rows.get(record.key());
        List<Session> sessions = row == null ? new ArrayList<>(1) : read(row);
        boolean indexed = row != null;
        long start = at, end = at, bids = 1;
        for (int place = sessions.size() - 1; place >= 0; place--) {
            Session session = sessions.get(place);
            if (session.apart(at)) continue;
            start = Math.min(start, session.start);
            end = Math.max(end, session.end);
            bids += session.bids;
            sessions.remove(place);
        }
        sessions.add(new Session(start, end, bids));
        if (sessions.size() > 1) sessions.sort(Comparator.comparingLong(Session::start));
        rows.put(record.key(), write(sessions));
        if (!indexed) deadlines.add(new Due(sessions.get(0).end + GAP_MS + 1, record.key()));
        while (!deadlines.isEmpty() && deadlines.peek().at <= clock) fire(deadlines.poll());
        if (last) context.commit();
    }

    /** One entry of the index per row; it may be too early, then it is put back at its place. */
    private void fire(Due due) {
        List<Session> sessions = read(rows.get(due.key));
        boolean told = false;
        while (!sessions.isEmpty() && sessions.get(0).end + GAP_MS < clock) {
            Session ended = sessions.remove(0);
            String text = "{\"bidder\":" + new String(due.key, StandardCharsets.UTF_8) + ",\"bids\":" + ended.bids
                + ",\"start\":" + ended.start + ",\"end\":" + ended.end + "}";
            context.forward(new Record<>(due.key, text.getBytes(StandardCharsets.UTF_8), now));
            told = true;
        }
        if (sessions.isEmpty()) rows.delete(due.key);
        else {
            if (told) rows.put(due.key, write(sessions));
            deadlines.add(new Due(Math.max(sessions.get(0).end + GAP_MS + 1, clock + 1), due.key));
        }
    }

    private static long time(byte[] value) {
        try (JsonParser parser = JSON.createParser(value)) {
            parser.nextToken();
            while (parser.nextToken() != JsonToken.END_OBJECT) {
                String name = parser.currentName();
                parser.nextToken();
                if (name.equals("dateTime")) return parser.getLongValue();
            }
            throw new IllegalArgumentException("no time");
        } catch (IOException error) {
            throw new UncheckedIOException(error);
        }
    }

    private static List<Session> read(byte[] row) {
        ByteBuffer data = ByteBuffer.wrap(row);
        List<Session> sessions = new ArrayList<>(2);
        while (data.hasRemaining()) sessions.add(new Session(data.getLong(), data.getLong(), data.getLong()));
        return sessions;
    }

    private static byte[] write(List<Session> sessions) {
        ByteBuffer data = ByteBuffer.allocate(3 * Long.BYTES * sessions.size());
        for (Session session : sessions) data.putLong(session.start).putLong(session.end).putLong(session.bids);
        return data.array();
    }

    public static void main(String[] arguments) throws Exception {
        Stopwatch stopwatch = new Stopwatch(Long.parseLong(arguments[3]));
        var store = arguments[4].equals("memory")
            ? Stores.inMemoryKeyValueStore("bidders") : Stores.persistentKeyValueStore("bidders");
        Topology topology = new Topology()
            .addSource("bids", arguments[1])
            .addProcessor("sessions", () -> new Bids(stopwatch), "bids")
            .addStateStore(Stores.keyValueStoreBuilder(store, Serdes.ByteArray(), Serdes.ByteArray())
                .withCachingEnabled(), "sessions")
            .addSink("ended", arguments[2] + "sessions", "sessions");
        stopwatch.run(topology, Tuning.of(arguments[2] + "app", arguments[0]));
    }
}
