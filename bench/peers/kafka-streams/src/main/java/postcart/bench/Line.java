package postcart.bench;

import java.math.BigDecimal;

/** A variant of a cart; quantity 0 says that it was taken out. */
final class Line {
    static final String[] PRODUCT = {"title", "category", "picture_url", "page_url", "options"};

    String variant, currency;
    int quantity;
    long changed, sequence;
    BigDecimal price = BigDecimal.ZERO;
    /** The fields of PRODUCT. */
    String[] product;

    static Line of(String variant, int quantity, long changed, long sequence) {
        Line line = new Line();
        line.variant = variant;
        line.quantity = quantity;
        line.changed = changed;
        line.sequence = sequence;
        return line;
    }
}
