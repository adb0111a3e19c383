/**
 * JSON answers of the gateway's own routes: never cached, for they say how things are now.
 * Relies on nothing but the event loop's turns.
 */
import { yieldTurn } from '../peer/yield-turn.ts';

/** A response with this JSON; `headers` are added, or take the place of these. */
export const json = (
  value: unknown,
  status = 200,
  headers: Readonly<Record<string, string>> = {},
): Response =>
  new Response(JSON.stringify(value), {
    status,
    headers: { 'content-type': 'application/json', 'cache-control': 'no-store', ...headers },
  });

/** Items written in one turn: about a millisecond of Things. */
const arrayBatch = 16;

/** A response with the JSON array of what `shown` makes of these items, written as it is taken: thousands hold nobody up. */
export const jsonArray = <Item>(
  items: readonly Item[],
  shown: (item: Item) => unknown,
  headers: Readonly<Record<string, string>>,
): Response => {
  if (items.length <= arrayBatch) return json(items.map(shown), 200, headers);
  let at = 0;
  const utf8 = new TextEncoder();
  const body = new ReadableStream<Uint8Array>({
    pull: async (controller) => {
      await yieldTurn();
      const texts = items.slice(at, at + arrayBatch).map((item) => JSON.stringify(shown(item)));
      controller.enqueue(utf8.encode((at === 0 ? '[' : ',') + texts.join(',')));
      at += arrayBatch;
      if (at < items.length) return;
      controller.enqueue(utf8.encode(']'));
      controller.close();
    },
  });
  return new Response(body, {
    headers: { 'content-type': 'application/json', 'cache-control': 'no-store', ...headers },
  });
};
