package postcart.bench;

import java.math.BigDecimal;
import java.util.List;

/** A session that ended with lines in the visitor's cart. */
final class Abandonment {
    String id, visitor, person, session, currency, device, category, band;
    int trigger;
    long at, seconds;
    boolean checkout;
    List<Line> lines;
    BigDecimal value;

    Abandonment of(String owner) {
        Abandonment copy = new Abandonment();
        copy.id = id;
        copy.visitor = visitor;
        copy.person = owner;
        copy.session = session;
        copy.currency = currency;
        copy.device = device;
        copy.category = category;
        copy.band = band;
        copy.trigger = trigger;
        copy.at = at;
        copy.seconds = seconds;
        copy.checkout = checkout;
        copy.lines = lines;
        copy.value = value;
        return copy;
    }
}
