// The own words of postcart-feed.js, in the languages of locales/. A language more: one entry with the same names, and a form
// for each of its plural categories (Intl.PluralRules). # stands for the number, or the title.

export const WORDS = {
  en: {
    title: "Notifications", unread: { one: "# unread", other: "# unread" }, active: "All", onlyUnread: "Unread",
    archived: "Archived", readAll: "Mark all read", older: "Older ones", empty: "Nothing here yet.", fresh: "New",
    read: "Mark read", notRead: "Mark unread", archive: "Archive", putBack: "Put back", arrived: "New: #", live: "live",
    connecting: "connecting…", over: "not live: load the page again",
  },
  de: {
    title: "Mitteilungen", unread: { one: "# ungelesen", other: "# ungelesen" }, active: "Alle", onlyUnread: "Ungelesen",
    archived: "Archiv", readAll: "Alle als gelesen markieren", older: "Ältere", empty: "Noch nichts da.", fresh: "Neu",
    read: "Als gelesen markieren", notRead: "Als ungelesen markieren", archive: "Archivieren", putBack: "Zurücklegen",
    arrived: "Neu: #", live: "live", connecting: "Verbindung wird aufgebaut …", over: "nicht live: Seite neu laden",
  },
  ar: {
    title: "الإشعارات",
    unread: {
      zero: "لا إشعارات غير مقروءة", one: "إشعار واحد غير مقروء", two: "إشعاران غير مقروءين", few: "# إشعارات غير مقروءة",
      many: "# إشعارًا غير مقروء", other: "# إشعار غير مقروء",
    },
    active: "الكل", onlyUnread: "غير المقروءة", archived: "المؤرشفة", readAll: "تعليم الكل كمقروء", older: "الأقدم",
    empty: "لا شيء هنا بعد.", fresh: "جديد", read: "تعليم كمقروء", notRead: "تعليم كغير مقروء", archive: "أرشفة",
    putBack: "إعادة من الأرشيف", arrived: "جديد: #", live: "مباشر", connecting: "جارٍ الاتصال…",
    over: "غير مباشر: أعد تحميل الصفحة",
  },
};
const RIGHT_TO_LEFT = new Set(["ar", "fa", "he", "ur"]);

/** A tag as `Intl` takes it; undefined if it is none. */
function parsed(tag) {
  try {
    return new Intl.Locale(String(tag).replaceAll("_", "-"));
  } catch {
    return undefined; // a token may hold anything
  }
}

/**
 * How to speak to somebody who likes these languages, the best first: the first that there are words for, else English.
 * `tag`: for `Intl`, with the country that was asked for; `dir`: of writing; `words`: texts, or functions where something is filled in.
 */
export function speech(tags) {
  const found = tags.map(parsed).find((one) => one && Object.hasOwn(WORDS, one.language)) ?? parsed("en");
  const { unread, arrived, ...words } = WORDS[found.language];
  const rules = new Intl.PluralRules(found), number = new Intl.NumberFormat(found);
  words.unread = (count) => unread[rules.select(count)].replace("#", () => number.format(count));
  words.arrived = (title) => arrived.replace("#", () => title);
  return { tag: found.toString(), dir: RIGHT_TO_LEFT.has(found.language) ? "rtl" : "ltr", words };
}

/** The language in a token's claim `locale`; undefined if it has none. */
export function localeIn(token) {
  try {
    return JSON.parse(atob(token.split(".")[1].replaceAll("-", "+").replaceAll("_", "/"))).locale;
  } catch {
    return undefined; // the gateway will say what is wrong with it
  }
}
