// Tries the feed: the token stands in the address's fragment, #token=…; with &open the list is open at once, &locale=de is a language.
import { mountFeed } from "/feed/postcart-feed.js";

const fragment = new URLSearchParams(location.hash.slice(1));
const host = document.getElementById("feed");
document.documentElement.dir = fragment.get("dir") ?? "ltr";
host.addEventListener("postcart-unread", (event) => { document.title = (event.detail ? `(${event.detail}) ` : "") + "In-app feed"; });
addEventListener("hashchange", () => location.reload());
mountFeed(host, { token: () => fragment.get("token") ?? "", locale: fragment.get("locale"), open: fragment.has("open") });
