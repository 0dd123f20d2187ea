package postcart.bench;

import static postcart.bench.Visitor.CHECKOUT_MS;
import static postcart.bench.Visitor.EXIT_MS;
import static postcart.bench.Visitor.FORGET_MS;
import static postcart.bench.Visitor.FOR_EVER;
import static postcart.bench.Visitor.INACTIVITY_MS;
import static postcart.bench.Visitor.RECOVER_MS;

import java.math.BigDecimal;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import postcart.bench.Visitor.End;
import postcart.bench.Visitor.Session;

/** The rules of sessions, carts, persons and abandonments, after docs/decisions.md. */
final class Fold {
    private static final UUID POSTCART = UUID.fromString("6f1d2c58-0d3e-5a63-9d0b-0f4e5b7c2a11");
    private final Out out;

    Fold(Out out) {
        this.out = out;
    }

    /** Takes an event in as it comes; a return or a clear is told at once. */
    void arrive(Visitor visitor, Event event) {
        List<Event> pending = visitor.pending;
        boolean idle = visitor.session == null && pending.isEmpty();
        int place = pending.size();
        for (Event known : pending) if (known.id.equals(event.id)) return;
        while (place > 0 && event.before(pending.get(place - 1))) place--;
        pending.add(place, event);
        if (visitor.person == null || event.rank == Event.IDENTIFIED) return;
        if (event.rank == Event.CLEARED && event.flag)
            out.signal("emptied", visitor, visitor.person, event.time, null, null);
        if (idle) out.signal("returning", visitor, visitor.person, event.time, null, null);
    }

    /** Folds what is pending up to the clock and decides what fell due; returns whether the visitor is to be kept. */
    boolean advance(Visitor visitor, long clock) {
        int folded = 0;
        for (Event event : visitor.pending) {
            if (event.time > clock) break;
            folded++;
            Session session = visitor.session;
            if (session == null || session.end().at() < event.time) dueBefore(visitor, event.time);
            fold(visitor, event);
        }
        if (folded > 0) visitor.pending.subList(0, folded).clear();
        dueBefore(visitor, clock + 1);
        return !visitor.pending.isEmpty() || visitor.session != null || visitor.last + FORGET_MS > clock;
    }

    private void dueBefore(Visitor visitor, long at) {
        Session session = visitor.session;
        if (session != null) {
            End end = session.end();
            if (end.at() >= at) return;
            finish(visitor, session, end.at(), end.trigger(), null, false);
            visitor.decided = end.at();
            visitor.decidedSequence = FOR_EVER;
        }
        if (visitor.last != 0 && visitor.last + FORGET_MS < at) forget(visitor);
    }

    private void fold(Visitor visitor, Event event) {
        long at = event.time;
        boolean behind = at <= visitor.last && isBehind(visitor, event);
        if (at <= visitor.decided && (behind || at < visitor.decided || event.sequence < visitor.decidedSequence)) {
            late(visitor, event);
            return;
        }
        Session session = visitor.session;
        if (session != null && session.leaving) takeExitsBack(session, at, behind);
        if (event.rank == Event.IDENTIFIED) {
            if (!(behind && isOutdated(visitor, event))) identify(visitor, event);
        } else {
            if (session == null) session = open(visitor, event);
            join(session, event, behind);
            change(visitor, event, behind);
            if (event.rank == Event.CLEARED) dropAnonymous(visitor, at);
        }
        if (!behind) {
            visitor.last = at;
            visitor.lastSequence = event.sequence;
            visitor.lastRank = event.rank;
        }
        if (event.rank == Event.ENDED && event.flag) leave(visitor, event);
    }

    private static boolean isBehind(Visitor visitor, Event event) {
        if (event.time != visitor.last) return event.time < visitor.last;
        if (event.sequence != visitor.lastSequence) return event.sequence < visitor.lastSequence;
        if (event.rank != visitor.lastRank) return event.rank < visitor.lastRank;
        return visitor.session != null && event.rank != Event.IDENTIFIED
            && event.id.compareTo(visitor.session.lastId) <= 0;
    }

    private void late(Visitor visitor, Event event) {
        if (event.rank == Event.IDENTIFIED) {
            if (visitor.person == null && !isOutdated(visitor, event)) identify(visitor, event);
            return;
        }
        change(visitor, event, true);
        if (event.rank == Event.CLEARED && visitor.filled().isEmpty()) dropAnonymous(visitor, event.time);
        if (visitor.person != null && visitor.session == null)
            tellLines(visitor, visitor.takeUnsent(), event.time, Out.Order.by(event, 0));
    }

    private static void dropAnonymous(Visitor visitor, long at) {
        if (visitor.anonymous != null && visitor.anonymous.at <= at) visitor.anonymous = null;
    }

    private static void takeExitsBack(Session session, long at, boolean behind) {
        session.leaving = false;
        for (Map.Entry<String, End> entry : List.copyOf(session.ends.entrySet())) {
            End end = entry.getValue();
            if (end.trigger() != Visitor.EXIT) continue;
            if (at <= end.at() && !(behind && at <= end.at() - EXIT_MS))
                session.setEnd(entry.getKey(), new End(end.at() - EXIT_MS + INACTIVITY_MS, Visitor.INACTIVITY));
            else session.leaving = true;
        }
    }

    private Session open(Visitor visitor, Event event) {
        Session session = visitor.session = new Session();
        session.started = session.last = event.time;
        session.lastId = event.id;
        if (visitor.person != null)
            out.signal("visit_started", visitor, visitor.person, event.time, Out.Order.by(event, 0), null);
        return session;
    }

    private static void join(Session session, Event event, boolean behind) {
        long at = event.time;
        if (!behind || at > session.last) {
            session.last = at;
            session.lastId = event.id;
            session.lastSession = event.session == null || event.session.isEmpty() ? null : event.session;
            if (event.device != null && !event.device.isEmpty()) session.device = event.device;
        }
        End end;
        if (event.rank == Event.ENDED) end = new End(at, Visitor.ENDED);
        else if (event.rank == Event.EXIT) {
            end = new End(at + EXIT_MS, Visitor.EXIT);
            session.leaving = true;
        } else end = new End(at + INACTIVITY_MS, Visitor.INACTIVITY);
        String key = event.session == null ? "" : event.session;
        End known = session.ends.get(key);
        if (known == null || !behind || at > cause(known)) session.setEnd(key, end);
        if (event.rank == Event.CHECKOUT) {
            if (!behind || at > session.cleared) session.checkout = Math.max(session.checkout, at + CHECKOUT_MS);
        } else if (event.rank == Event.CLEARED) {
            session.cleared = Math.max(session.cleared, at);
            if (!behind || at > session.checkout - CHECKOUT_MS) session.checkout = 0;
        }
    }

    private static long cause(End end) {
        return end.at()
            - (end.trigger() == Visitor.INACTIVITY ? INACTIVITY_MS : end.trigger() == Visitor.EXIT ? EXIT_MS : 0);
    }

    // -- the cart ---------------------------------------------------------------------------------------------------

    private static void change(Visitor visitor, Event event, boolean late) {
        if (event.rank == Event.SET && event.snapshot) {
            remove(visitor, event, late, event.lines);
            for (Line line : event.lines) set(visitor, line, event, late);
            raiseFloor(visitor, event.time, event.sequence);
        } else if (event.rank == Event.SET) set(visitor, event.line, event, late);
        else if (event.rank == Event.REMOVED && event.variant != null) {
            if (!(late && outdated(visitor, event.variant, event)))
                changed(visitor, Line.of(event.variant, 0, event.time, event.sequence));
        } else if (event.rank == Event.CLEARED) {
            remove(visitor, event, late, List.of());
            raiseFloor(visitor, event.time, event.sequence);
        }
    }

    private static void remove(Visitor visitor, Event event, boolean late, List<Line> except) {
        for (Line line : List.copyOf(visitor.lines.values())) {
            if (line.quantity == 0) continue;
            boolean named = false;
            for (Line other : except) named |= other.quantity != 0 && other.variant.equals(line.variant);
            if (!named && !(late && outdated(visitor, line.variant, event)))
                changed(visitor, Line.of(line.variant, 0, event.time, event.sequence));
        }
    }

    private static void set(Visitor visitor, Line line, Event event, boolean late) {
        if (late && outdated(visitor, line.variant, event)) return;
        Line known = visitor.lines.get(line.variant);
        line.changed = event.time;
        line.sequence = event.sequence;
        if (line.product == null && known != null && known.quantity != 0) line.product = known.product;
        changed(visitor, line);
    }

    private static void changed(Visitor visitor, Line line) {
        visitor.lines.put(line.variant, line);
        if (visitor.person != null) visitor.unsent.add(line);
    }

    private static boolean outdated(Visitor visitor, String variant, Event event) {
        if (notAfter(event, visitor.floor, visitor.floorSequence)) return true;
        Line known = visitor.lines.get(variant);
        return known != null && notAfter(event, known.changed, known.sequence);
    }

    private static boolean notAfter(Event event, long at, long sequence) {
        return event.time != at ? event.time < at : event.sequence <= sequence;
    }

    private static void empty(Visitor visitor, long at, long sequence) {
        visitor.lines.clear();
        visitor.unsent = new ArrayList<>(2);
        raiseFloor(visitor, at, sequence);
    }

    private static void raiseFloor(Visitor visitor, long at, long sequence) {
        if (at > visitor.floor || at == visitor.floor && sequence > visitor.floorSequence) {
            visitor.floor = at;
            visitor.floorSequence = sequence;
        }
    }

    // -- persons ----------------------------------------------------------------------------------------------------

    private static boolean isOutdated(Visitor visitor, Event event) {
        return notAfter(event, visitor.known, visitor.knownSequence);
    }

    private void identify(Visitor visitor, Event event) {
        String former = visitor.person;
        if (event.person.equals(former)) return;
        long at = event.time;
        Out.Order order = Out.Order.by(event, 0);
        visitor.known = at;
        visitor.knownSequence = event.sequence;
        if (former != null) {
            if (visitor.session != null) endAtOnce(visitor, event);
            else out.signal("lines_changed", visitor, former, at, order, json -> {
                Out.lines(json, List.of());
                json.writeBooleanField("left", true);
            });
            empty(visitor, at, event.sequence);
            visitor.person = event.person;
            return;
        }
        visitor.person = event.person;
        Abandonment anonymous = visitor.anonymous;
        visitor.anonymous = null;
        if (visitor.session != null) {
            List<Line> lines = visitor.allLines();
            out.signal("visit_started", visitor, event.person, Math.max(at, visitor.session.started), order,
                json -> Out.lines(json, lines));
        } else if (anonymous != null && at <= anonymous.at + RECOVER_MS && !visitor.filled().isEmpty()) {
            List<Line> lines = visitor.allLines();
            out.signal("abandonment_recovered", visitor, event.person, at, order, json -> {
                Out.abandonment(json, anonymous.of(event.person));
                Out.lines(json, lines);
            });
        } else tellLines(visitor, visitor.allLines(), at, order);
    }

    private void tellLines(Visitor visitor, List<Line> lines, long at, Out.Order order) {
        if (lines.isEmpty() || visitor.person == null) return;
        out.signal("lines_changed", visitor, visitor.person, at, order, json -> Out.lines(json, lines));
    }

    private void leave(Visitor visitor, Event event) {
        if (visitor.session != null) endAtOnce(visitor, event);
        empty(visitor, event.time, event.sequence);
        visitor.person = null;
        visitor.anonymous = null;
        visitor.known = event.time;
        visitor.knownSequence = event.sequence;
    }

    // -- ends -------------------------------------------------------------------------------------------------------

    private void endAtOnce(Visitor visitor, Event event) {
        finish(visitor, visitor.session, event.time, Visitor.ENDED, Out.Order.by(event, 1), true);
        visitor.decided = event.time;
        visitor.decidedSequence = event.sequence;
    }

    private void finish(Visitor visitor, Session session, long at, int trigger, Out.Order order, boolean left) {
        visitor.session = null;
        String id = out.uuid5(space(visitor.id), session.lastId);
        Abandonment abandonment = abandonment(visitor, session, id, at, trigger);
        if (visitor.person != null) {
            Out.Order place = order != null ? order : new Out.Order(1, 0, 0, id, 0);
            List<Line> lines = visitor.takeUnsent();
            out.signal("visit_ended", visitor, visitor.person, at, place, json -> {
                json.writeStringField("end_id", id);
                json.writeStringField("trigger", Visitor.TRIGGERS[trigger]);
                Out.lines(json, lines);
                if (left) json.writeBooleanField("left", true);
                if (abandonment != null) Out.abandonment(json, abandonment);
            });
        } else if (abandonment != null) {
            visitor.anonymous = abandonment;
            out.decision(abandonment);
        }
    }

    private UUID space(String visitor) {
        try {
            return UUID.fromString(visitor);
        } catch (IllegalArgumentException other) {
            return UUID.fromString(out.uuid5(POSTCART, visitor));
        }
    }

    private Abandonment abandonment(Visitor visitor, Session session, String id, long at, int trigger) {
        List<Line> lines = visitor.filled();
        if (lines.isEmpty()) return null;
        Abandonment found = new Abandonment();
        found.id = id;
        found.visitor = visitor.id;
        found.person = visitor.person;
        found.session = session.lastSession;
        found.trigger = trigger;
        found.at = at;
        found.lines = lines;
        found.seconds = (at - session.started) / 1000;
        found.checkout = session.checkout != 0;
        found.device = session.device;
        value(found);
        return found;
    }

    private static void value(Abandonment found) {
        BigDecimal sum = BigDecimal.ZERO;
        Map<String, BigDecimal> worth = new HashMap<>();
        String currency = null;
        boolean several = false;
        for (Line line : found.lines) {
            BigDecimal value = line.price.multiply(BigDecimal.valueOf(line.quantity));
            sum = sum.add(value);
            String own = line.currency == null ? "USD" : line.currency;
            several |= currency != null && !currency.equals(own);
            currency = own;
            if (line.product != null && line.product[1] != null) worth.merge(line.product[1], value, BigDecimal::add);
        }
        if (!several) {
            found.value = sum;
            found.currency = currency;
            found.band = sum.compareTo(BigDecimal.valueOf(50)) < 0 ? "low"
                : sum.compareTo(BigDecimal.valueOf(200)) < 0 ? "medium" : "high";
        }
        worth.forEach((category, value) -> {
            int more = found.category == null ? 1 : value.compareTo(worth.get(found.category));
            if (more > 0 || more == 0 && category.compareTo(found.category) < 0) found.category = category;
        });
    }

    private void forget(Visitor visitor) {
        if (visitor.person != null)
            out.signal("visitor_forgotten", visitor, visitor.person, visitor.last + FORGET_MS,
                new Out.Order(2, 0, 0, "", 0), null);
        empty(visitor, visitor.last, visitor.lastSequence);
        visitor.person = null;
        visitor.anonymous = null;
        visitor.last = visitor.lastSequence = visitor.lastRank = 0;
    }
}
