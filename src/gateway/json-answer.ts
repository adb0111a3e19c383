/**
 * JSON answers of the gateway's own routes: never cached, for they say how things are now.
 * Relies on nothing.
 */

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
