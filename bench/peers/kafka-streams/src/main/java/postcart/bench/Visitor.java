package postcart.bench;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** What is kept of a visitor: one row. The rules that need these fields are written down in docs/decisions.md. */
final class Visitor {
    static final String[] TRIGGERS = {"checkout", "ended", "exit", "inactivity"};
    static final int CHECKOUT = 0, ENDED = 1, EXIT = 2, INACTIVITY = 3;
    static final long FOR_EVER = 1L << 62;
    static final long INACTIVITY_MS = 15 * 60_000, CHECKOUT_MS = 10 * 60_000, EXIT_MS = 60_000;
    static final long FORGET_MS = 31 * 86_400_000L, RECOVER_MS = 72 * 3_600_000L;

    /** When an id of a session ends, and by what. */
    record End(long at, int trigger) {
        boolean notBefore(End other) {
            return at != other.at ? at > other.at : trigger <= other.trigger;
        }
    }

    static final class Session {
        long started, last;
        String lastId, lastSession, device;
        long checkout, cleared;
        Map<String, End> ends = new LinkedHashMap<>(4);
        End latest = new End(0, INACTIVITY);
        boolean leaving;

        End end() {
            return checkout != 0 ? new End(checkout, CHECKOUT) : latest;
        }

        void setEnd(String id, End end) {
            End former = ends.put(id, end);
            if (end.notBefore(latest)) latest = end;
            else if (latest.equals(former)) {
                End best = null;
                for (End one : ends.values()) if (best == null || one.notBefore(best)) best = one;
                latest = best;
            }
        }
    }

    String id, person;
    Map<String, Line> lines = new LinkedHashMap<>(4);
    List<Line> unsent = new ArrayList<>(2);
    long floor, floorSequence, last, lastSequence, known, knownSequence, decided, decidedSequence;
    int lastRank;
    Session session;
    Abandonment anonymous;
    List<Event> pending = new ArrayList<>(4);
    /** The deadline under which the row stands in the index, or 0. */
    long indexed;

    Visitor(String id) {
        this.id = id;
    }

    List<Line> filled() {
        List<Line> found = new ArrayList<>();
        for (Line line : lines.values()) if (line.quantity != 0) found.add(line);
        if (found.size() > 1) found.sort((a, b) -> a.variant.compareTo(b.variant));
        return found;
    }

    List<Line> takeUnsent() {
        List<Line> taken = unsent;
        unsent = new ArrayList<>(2);
        return taken;
    }

    List<Line> allLines() {
        unsent = new ArrayList<>(2);
        return new ArrayList<>(lines.values());
    }

    /** When the row must be looked at at the latest, however many events come. */
    long deadline() {
        if (pending.isEmpty()) return session != null ? session.end().at : last + FORGET_MS;
        long first = pending.get(0).time, early = FOR_EVER;
        for (Event event : pending)
            if (event.rank == Event.IDENTIFIED || event.rank == Event.CHECKOUT || event.rank >= Event.CLEARED) {
                early = event.time;
                break;
            }
        if (session != null) return Math.min(session.end().at, early);
        if (person != null) return Math.min(first, last + FORGET_MS);
        return Math.min(first + INACTIVITY_MS, early);
    }
}
