// @nktkas/hyperliquid, unmodified, makes every call that an operator would make against whatever listens at the given address.
// Prints one JSON object: {call: {"said": …} or {"refused": "…"}}.

import { ExchangeClient, HttpTransport, InfoClient, SubscriptionClient, WebSocketTransport } from "@nktkas/hyperliquid";
import { privateKeyToAccount } from "viem/accounts";
import { WebSocket } from "ws";

globalThis.WebSocket ??= WebSocket;

const [url, key, user] = process.argv.slice(2);
const http = new HttpTransport({ isTestnet: true, apiUrl: url });
const socket = new WebSocketTransport({ isTestnet: true, url: url.replace("http", "ws") + "/ws", timeout: 5000 });
const wallet = privateKeyToAccount(key);
const info = new InfoClient({ transport: http });
const exchange = new ExchangeClient({ transport: http, wallet });
const overSocket = { info: new InfoClient({ transport: socket }), exchange: new ExchangeClient({ transport: socket, wallet }) };
const subscriptions = new SubscriptionClient({ transport: socket });
const told = {};

async function call(name, work) {
  try {
    told[name] = { said: (await work()) ?? null };
  } catch (error) {
    told[name] = { refused: String(error.message ?? error).slice(0, 300) };
  }
  return told[name].said;
}

// Channels: what each tells first; those that wait for events are looked at once something has happened.
const heard = {};
const waiting = {};
function hear(name, subscribe) {
  heard[name] = [];
  waiting[name] = call(`subscribe ${name}`, async () => {
    const first = new Promise((resolve, reject) => {
      setTimeout(() => reject(new Error("nothing was told within 15 s")), 15_000);
      subscribe((event) => { heard[name].push(event); resolve(event); }).catch(reject);
    });
    return await first;
  });
}

const day = { coin: "BTC" };
hear("l2Book", (on) => subscriptions.l2Book(day, on));
hear("trades", (on) => subscriptions.trades(day, on));
hear("bbo", (on) => subscriptions.bbo(day, on));
hear("allMids", (on) => subscriptions.allMids(on));
hear("activeAssetCtx", (on) => subscriptions.activeAssetCtx(day, on));
hear("activeAssetData", (on) => subscriptions.activeAssetData({ coin: "BTC", user }, on));
hear("candle", (on) => subscriptions.candle({ coin: "BTC", interval: "1m" }, on));
hear("orderUpdates", (on) => subscriptions.orderUpdates({ user }, on));
hear("userFills", (on) => subscriptions.userFills({ user }, on));
hear("userEvents", (on) => subscriptions.userEvents({ user }, on));
hear("userFundings", (on) => subscriptions.userFundings({ user }, on));
hear("clearinghouseState", (on) => subscriptions.clearinghouseState({ user }, on));
hear("spotState", (on) => subscriptions.spotState({ user }, on));
hear("openOrders", (on) => subscriptions.openOrders({ user }, on));
hear("webData3", (on) => subscriptions.webData3({ user }, on));
hear("webData2", (on) => subscriptions.webData2({ user }, on));
await new Promise((resolve) => setTimeout(resolve, 500));

// Markets
const now = Date.now();
await call("meta", () => info.meta());
await call("metaAndAssetCtxs", () => info.metaAndAssetCtxs());
const mids = await call("allMids", () => info.allMids());
const book = await call("l2Book", () => info.l2Book(day));
await call("l2Book nSigFigs", () => info.l2Book({ coin: "BTC", nSigFigs: 3 }));
await call("recentTrades", () => info.recentTrades(day));
await call("fundingHistory", () => info.fundingHistory({ coin: "BTC", startTime: now - 6 * 3_600_000 }));
await call("candleSnapshot", () => info.candleSnapshot({ coin: "BTC", interval: "15m", startTime: now - 3_600_000 }));
await call("predictedFundings", () => info.predictedFundings());
await call("spotMeta", () => info.spotMeta());
await call("spotMetaAndAssetCtxs", () => info.spotMetaAndAssetCtxs());
await call("perpDexs", () => info.perpDexs());
await call("exchangeStatus", () => info.exchangeStatus());
await call("marginTable", () => info.marginTable({ id: 20 }));

// Orders
const mid = Number(mids.BTC);
const price = (share) => String(Math.round(mid * share));
const order = (p, tif, more = {}) => ({ a: 0, b: true, p, s: "0.01", r: false, t: { limit: { tif } }, ...more });
const orders = (...rows) => ({ orders: rows, grouping: "na" });
const oid = (said) => said?.response.data.statuses[0].resting?.oid;
const cloid = "0x" + "0c".repeat(16);
await call("updateLeverage", () => exchange.updateLeverage({ asset: 0, isCross: true, leverage: 5 }));
const gtc = oid(await call("order Gtc", () => exchange.order(orders(order(price(0.97), "Gtc")))));
await call("order Alo", () => exchange.order(orders(order(price(0.96), "Alo", { c: cloid }))));
await call("order Ioc", () => exchange.order(orders(order(price(1.01), "Ioc"))));
await call("order FrontendMarket", () => exchange.order(orders(order(price(1.01), "FrontendMarket"))));
await call("order batch", () => exchange.order(orders(order(price(0.95), "Gtc"), order(price(0.94), "Gtc"))));
const stop = { trigger: { isMarket: true, triggerPx: price(0.8), tpsl: "sl" } };
await call("order trigger", () => exchange.order(orders({ ...order(price(0.7), "Gtc"), b: false, r: true, t: stop })));
await call("order reduceOnly", () => exchange.order(orders({ ...order(price(0.99), "Ioc"), b: false, r: true })));
const expiring = { expiresAfter: Date.now() + 10_000 };
await call("order expiresAfter", () => exchange.order(orders(order(price(0.93), "Gtc")), expiring));
await call("order crossing Alo", () => exchange.order(orders(order(price(1.01), "Alo"))));
const modified = { oid: gtc, order: order(price(0.965), "Gtc") };
const fresh = oid(await call("batchModify", () => exchange.batchModify({ modifies: [modified] })));
await call("modify", () => exchange.modify({ oid: fresh, order: order(price(0.96), "Alo") }));

// The account
await call("clearinghouseState", () => info.clearinghouseState({ user }));
await call("spotClearinghouseState", () => info.spotClearinghouseState({ user }));
const open = await call("openOrders", () => info.openOrders({ user }));
await call("frontendOpenOrders", () => info.frontendOpenOrders({ user }));
await call("historicalOrders", () => info.historicalOrders({ user }));
await call("orderStatus oid", () => info.orderStatus({ user, oid: open[0].oid }));
await call("orderStatus cloid", () => info.orderStatus({ user, oid: cloid }));
await call("userFills", () => info.userFills({ user }));
await call("userFillsByTime", () => info.userFillsByTime({ user, startTime: now - 60_000 }));
await call("userFunding", () => info.userFunding({ user, startTime: now - 3_600_000 }));
await call("userFees", () => info.userFees({ user }));
await call("userRole", () => info.userRole({ user }));
await call("userRateLimit", () => info.userRateLimit({ user }));
await call("userAbstraction", () => info.userAbstraction({ user }));
await call("activeAssetData", () => info.activeAssetData({ user, coin: "BTC" }));
await call("extraAgents", () => info.extraAgents({ user }));
await call("maxBuilderFee", () => info.maxBuilderFee({ user, builder: user }));
await call("subAccounts", () => info.subAccounts({ user }));
await call("portfolio", () => info.portfolio({ user }));
await call("webData2", () => info.webData2({ user }));

// What ends orders, and what is no order
await call("cancelByCloid", () => exchange.cancelByCloid({ cancels: [{ asset: 0, cloid }] }));
await call("cancel", () => exchange.cancel({ cancels: [{ a: 0, o: open.find((row) => row.limitPx === price(0.95) + ".0")?.oid ?? 0 }] }));
await call("scheduleCancel", () => exchange.scheduleCancel({ time: Date.now() + 60_000 }));
await call("reserveRequestWeight", () => exchange.reserveRequestWeight({ weight: 10 }));
await call("noop", () => exchange.noop());
await call("twapOrder", () => exchange.twapOrder({ twap: { a: 0, b: true, s: "0.1", r: false, m: 30, t: false } }));

// Over the socket
await call("post info", () => overSocket.info.l2Book(day));
const posted = oid(await call("post order", () => overSocket.exchange.order(orders(order(price(0.92), "Gtc")))));
await call("post cancel", () => overSocket.exchange.cancel({ cancels: [{ a: 0, o: posted }] }));

await Promise.all(Object.values(waiting));
told.frames = { said: Object.fromEntries(Object.entries(heard).map(([name, events]) => [name, events.length])) };
console.log(JSON.stringify(told));
process.exit(0);
