// Postcart's in-app feed for a shop's own pages: a bell with the number of unread messages, and the list behind it, live.
// No dependencies but its words, postcart-feed-words.js; what it asks for is described in docs/feed.md. Style it by
// postcart-feed.css, or your own.
//
//   import { mountFeed } from "./postcart-feed.js";
//   mountFeed(document.getElementById("feed"), {
//     root: "https://notify.shop.example/v1/feed",
//     token: () => fetch("/feed-token").then((answer) => answer.text()), // your server signs it for who is logged in
//   });
//
// It speaks the language of `locale`, else of the token's claim `locale`, else of the browser; `words` replaces single texts.

import { localeIn, speech } from "./postcart-feed-words.js";

const VIEWS = ["active", "unread", "archived"];
const PAGE = 20, SEEN_AFTER_MS = 1000, AGAIN_MS = 3000, LONGEST_WAIT_S = 10;
let mounted = 0;

function make(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

function button(name, text = "") {
  return make("button", { type: "button", class: name }, text);
}

function bellIcon() {
  const space = "http://www.w3.org/2000/svg";
  const icon = document.createElementNS(space, "svg"), path = document.createElementNS(space, "path");
  icon.setAttribute("viewBox", "0 0 24 24");
  icon.setAttribute("aria-hidden", "true");
  path.setAttribute("d", "M12 3a6 6 0 0 0-6 6v4l-2 3v1h16v-1l-2-3V9a6 6 0 0 0-6-6zM9.5 19a2.5 2.5 0 0 0 5 0z");
  icon.append(path);
  return icon;
}

/**
 * Shows a person's feed in `host`. `root`: of the API; `token`: a function that gives one, now or later; `open`: at once;
 * `locale`: a language tag, if the page knows better than the token.
 */
export function mountFeed(host, { root = "/v1/feed", token, locale, words: own = {}, open = false }) {
  const name = `postcart-feed-${++mounted}`;
  let words, lang, stands = "connecting", unreadNow = 0; // in which language, see speak
  const known = new Map(); // id -> item, of what is listed
  let bearer = null, view = "active", next = null, since = null, source = null, turn = 0, seenTimer = null, ended = false;

  // What is there.
  const number = make("span", { class: "number" });
  const bell = make("button", { type: "button", class: "bell", "aria-controls": name, "aria-expanded": "false" });
  bell.append(bellIcon(), number);
  const tabs = VIEWS.map((one) =>
    make("button", { type: "button", role: "tab", id: `${name}-${one}`, "aria-controls": `${name}-list`, "data-view": one }));
  const readAll = button("all"), more = button("older");
  const problem = make("p", { class: "problem", role: "alert" }), empty = make("p", { class: "empty" });
  const feed = make("div", { class: "items", role: "feed", "aria-busy": "true" });
  const state = make("p", { class: "state" });
  const said = make("p", { class: "unseen", role: "status", "aria-live": "polite" });
  const tablist = make("div", { class: "tabs", role: "tablist" }, ...tabs);
  // Its content goes in its language's direction; where it is on the page, in the page's.
  const content = make("div", {}, make("div", { class: "head" }, tablist, readAll), problem,
    make("div", { role: "tabpanel", id: `${name}-list` }, feed, empty, more), state);
  const panel = make("section", { class: "panel", id: name }, content);
  panel.hidden = problem.hidden = empty.hidden = more.hidden = number.hidden = true;
  host.classList.add("postcart-feed");
  host.replaceChildren(bell, panel, said);

  // Speaking.
  function speak(person) {
    const { tag, dir, words: theirs } = speech([locale, person, ...navigator.languages].filter(Boolean));
    if (tag === lang) return;
    lang = host.lang = tag;
    content.dir = dir;
    words = { ...theirs, ...own };
    for (const tab of tabs) tab.textContent = tab.dataset.view === "unread" ? words.onlyUnread : words[tab.dataset.view];
    for (const one of [panel, tablist, feed]) one.setAttribute("aria-label", words.title);
    [readAll.textContent, more.textContent, empty.textContent] = [words.readAll, words.older, words.empty];
    standing(stands);
    count(unreadNow);
    for (const item of known.values()) paint(rowOf(item.id), item);
  }

  function standing(how) {
    stands = how;
    state.textContent = words[how];
  }

  // Asking.
  async function ask(path, method = "GET", patience = 2) {
    if (bearer === null) {
      bearer = await token();
      speak(localeIn(bearer));
    }
    const answer = await fetch(root + path, { method, headers: { authorization: `Bearer ${bearer}` } });
    const body = await answer.json().catch(() => ({}));
    if (answer.ok) return body;
    if (answer.status === 401 && patience > 0) {
      bearer = null; // it has ended: another one
      return ask(path, method, 0);
    }
    if ((answer.status === 429 || answer.status === 503) && patience > 0) {
      const wait = Math.min(Number(answer.headers.get("retry-after")) || 1, LONGEST_WAIT_S);
      await new Promise((done) => setTimeout(done, wait * 1000));
      return ask(path, method, patience - 1);
    }
    throw new Error(body.detail ?? `HTTP ${answer.status}`);
  }

  function tell(error) {
    problem.textContent = error?.message ?? "";
    problem.hidden = !error;
  }

  // Showing.
  function count(unread) {
    if (unread === undefined || unread === null) return;
    unreadNow = unread;
    number.textContent = new Intl.NumberFormat(lang).format(Math.min(unread, 99)) + (unread > 99 ? "+" : "");
    number.hidden = unread === 0;
    bell.setAttribute("aria-label", unread ? `${words.title}, ${words.unread(unread)}` : words.title);
    readAll.disabled = unread === 0;
    host.dispatchEvent(new CustomEvent("postcart-unread", { detail: unread, bubbles: true }));
  }

  const belongs = (item) =>
    view === "archived" ? item.archived_at !== null : item.archived_at === null && (view === "active" || item.read_at === null);

  function when(text) {
    const seconds = (Date.parse(text) - Date.now()) / 1000;
    if (Math.abs(seconds) > 7 * 86400) return new Intl.DateTimeFormat(lang, { dateStyle: "medium", timeStyle: "short" }).format(Date.parse(text));
    const relative = new Intl.RelativeTimeFormat(lang, { numeric: "auto" });
    for (const [unit, size] of [["day", 86400], ["hour", 3600], ["minute", 60]])
      if (Math.abs(seconds) >= size) return relative.format(Math.round(seconds / size), unit);
    return relative.format(0, "minute");
  }

  const rowOf = (id) => feed.querySelector(`article[data-id="${CSS.escape(id)}"]`);

  function rowFor(item) {
    const title = make("h3", { dir: "auto", id: `${name}-t-${item.id}` }), body = make("p", { dir: "auto", id: `${name}-b-${item.id}` });
    const link = make("a", { rel: "noopener" }), read = button("mark"), archive = button("archive"), picture = make("img", { alt: "" });
    const row = make("article", { tabindex: "0", "data-id": item.id, "aria-labelledby": title.id, "aria-describedby": body.id },
      picture, make("div", { class: "text" }, title, body, make("div", { class: "foot" }, make("time"), link)),
      make("div", { class: "acts" }, read, archive));
    link.addEventListener("click", () => known.get(item.id)?.read_at === null && act(item.id, "read"));
    read.addEventListener("click", () => act(item.id, known.get(item.id).read_at === null ? "read" : "unread"));
    archive.addEventListener("click", () => act(item.id, known.get(item.id).archived_at === null ? "archive" : "unarchive"));
    return row;
  }

  function paint(row, item) { // in place: focus stays where it is
    const isNew = item.read_at === null, find = (selector) => row.querySelector(selector);
    row.classList.toggle("new", isNew);
    // bdi: the title alone says in which direction it goes
    find("h3").replaceChildren(...(isNew ? [make("bdi", { class: "unseen", lang }, `${words.fresh}: `)] : []), item.title);
    for (const one of ["h3", "p", "a"]) find(one).lang = item.language;
    find("p").textContent = item.body; // text, never markup
    find("time").dateTime = item.created_at;
    find("time").textContent = when(item.created_at);
    find("img").hidden = !/^https:/.test(item.image_url ?? "");
    if (!find("img").hidden) find("img").src = item.image_url;
    find("a").hidden = !/^https?:/.test(item.action?.url ?? "");
    if (!find("a").hidden) Object.assign(find("a"), { href: item.action.url, textContent: item.action.label, target: "_blank" });
    find(".mark").textContent = isNew ? words.read : words.notRead;
    find(".mark").hidden = item.archived_at !== null;
    find(".archive").textContent = item.archived_at === null ? words.archive : words.putBack;
    for (const one of row.querySelectorAll(".acts button")) one.setAttribute("aria-describedby", `${name}-t-${item.id}`);
  }

  function show(item, first = false) {
    const old = rowOf(item.id);
    if (!belongs(item)) {
      known.delete(item.id);
      if (old?.contains(document.activeElement)) (old.nextElementSibling ?? old.previousElementSibling ?? bell).focus();
      old?.remove();
      return;
    }
    known.set(item.id, item);
    const row = old ?? rowFor(item);
    paint(row, item);
    if (!old) feed[first ? "prepend" : "append"](row);
  }

  function settle() {
    const rows = [...feed.children];
    rows.forEach((row, index) => {
      row.setAttribute("aria-posinset", index + 1);
      row.setAttribute("aria-setsize", next === null ? rows.length : -1);
    });
    empty.hidden = rows.length > 0;
    more.hidden = next === null;
    feed.setAttribute("aria-busy", "false");
  }

  // Doing.
  async function act(id, what) {
    try {
      const { item, unread } = await ask(`/items/${encodeURIComponent(id)}/${what}`, "POST");
      if (item) show(item);
      count(unread);
      settle();
      tell(null);
    } catch (error) { tell(error); }
  }

  function seen() { // what is in sight was shown; once, for all of it
    clearTimeout(seenTimer);
    if (panel.hidden || document.hidden) return;
    seenTimer = setTimeout(() => {
      const newest = feed.firstElementChild && known.get(feed.firstElementChild.dataset.id);
      if (newest && view === "active" && newest.seen_at === null)
        ask(`/seen?up_to=${encodeURIComponent(newest.id)}`, "POST").catch(tell);
    }, SEEN_AFTER_MS);
  }

  async function load(older = false) {
    const mine = ++turn;
    feed.setAttribute("aria-busy", "true");
    const page = await ask(`?view=${view}&limit=${PAGE}${older ? `&cursor=${next}` : ""}`, "GET", older ? 2 : Infinity);
    if (mine !== turn) return; // another view was chosen meanwhile
    if (!older) {
      known.clear();
      feed.replaceChildren();
      since = page.stream;
    }
    const last = feed.lastElementChild;
    for (const item of page.items) show(item);
    next = page.next;
    count(page.unread);
    settle();
    tell(null);
    seen();
    if (older) (last?.nextElementSibling ?? last)?.focus();
  }

  function listen() {
    source?.close();
    if (ended) return;
    source = new EventSource(`${root}/stream?since=${since}&token=${encodeURIComponent(bearer)}`);
    const on = (event, take) => source.addEventListener(event, take);
    on("open", () => standing("live"));
    on("ready", (event) => count(JSON.parse(event.data).unread));
    on("reset", () => load().catch(tell));
    on("item", (event) => {
      const { item, unread } = JSON.parse(event.data);
      if (event.lastEventId) since = event.lastEventId;
      count(unread);
      const isNew = !item.seen_at && !item.read_at && !item.archived_at, listed = known.has(item.id);
      if (!listed && !isNew) {
        const last = feed.lastElementChild && known.get(feed.lastElementChild.dataset.id);
        const further = next !== null && last && item.created_at <= last.created_at; // on a page that is not loaded yet
        if (belongs(item) && !further) load().catch(tell); // put back: its place is in the list
        return;
      }
      show(item, true);
      settle();
      if (!listed && belongs(item)) {
        said.textContent = words.arrived(item.title);
        seen();
      }
    });
    on("error", () => { // a browser gives up where the answer was no stream: once the token has ended, for example
      standing("connecting");
      if (source.readyState === EventSource.CLOSED) setTimeout(begin, AGAIN_MS);
    });
  }

  async function begin() {
    if (ended) return;
    try {
      await load();
      listen();
    } catch (error) {
      tell(error);
      standing("over");
      if (error instanceof TypeError) setTimeout(begin, AGAIN_MS); // nobody there
    }
  }

  function choose(tab) {
    view = tab.dataset.view;
    for (const one of tabs) {
      one.setAttribute("aria-selected", String(one === tab));
      one.tabIndex = one === tab ? 0 : -1;
    }
    panel.querySelector("[role=tabpanel]").setAttribute("aria-labelledby", tab.id);
  }

  function unfold(shown) {
    panel.hidden = !shown;
    bell.setAttribute("aria-expanded", String(shown));
    seen();
  }

  // Hands and keys.
  bell.addEventListener("click", () => unfold(panel.hidden));
  readAll.addEventListener("click", () => {
    const newest = feed.firstElementChild?.dataset.id; // what comes after it stays unread
    ask(`/read-all${view === "archived" || !newest ? "" : `?up_to=${encodeURIComponent(newest)}`}`, "POST").then(() => load()).catch(tell);
  });
  more.addEventListener("click", () => load(true).catch(tell));
  for (const tab of tabs) tab.addEventListener("click", () => { choose(tab); load().catch(tell); });
  tabs[0].parentElement.addEventListener("keydown", (event) => {
    const forth = getComputedStyle(tablist).direction === "rtl" ? "ArrowLeft" : "ArrowRight";
    const step = event.key === forth ? 1 : event.key.startsWith("Arrow") ? -1 : 0;
    if (!step) return;
    const tab = tabs[(VIEWS.indexOf(view) + step + tabs.length) % tabs.length];
    tab.focus();
    tab.click();
    event.preventDefault();
  });
  feed.addEventListener("keydown", (event) => { // as WAI-ARIA has it for feeds
    const row = event.target.closest("article");
    const to = event.ctrlKey && event.key === "End" ? (more.hidden ? bell : more)
      : event.ctrlKey && event.key === "Home" ? tabs[VIEWS.indexOf(view)]
        : event.key === "PageDown" ? row?.nextElementSibling ?? (more.hidden ? null : more)
          : event.key === "PageUp" ? row?.previousElementSibling : null;
    if (!to) return;
    to.focus();
    event.preventDefault();
  });
  panel.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    unfold(false);
    bell.focus();
  });
  document.addEventListener("visibilitychange", seen);

  choose(tabs[0]);
  speak();
  unfold(open);
  begin();
  return { close() { ended = true; clearTimeout(seenTimer); document.removeEventListener("visibilitychange", seen); source?.close(); host.replaceChildren(); } };
}
