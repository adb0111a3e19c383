/**
 * The seam under the client: one HTTP exchange. Unix sockets for the CLI, fetch for browsers, memory for tests.
 * Relies on nothing.
 */

/** A request to a gateway. */
export interface TransportRequest {
  readonly method: 'GET' | 'PUT' | 'POST' | 'DELETE';
  /** Absolute path with its query, percent-encoded. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array<ArrayBuffer>;
  readonly signal?: AbortSignal;
}

/** The answer; leaving the body's iteration early ends the exchange. */
export interface TransportResponse {
  readonly status: number;
  header(name: string): string | undefined;
  readonly body: AsyncIterable<Uint8Array>;
}

/**
 * Carries a request. Throws `not-running` where no gateway answers, `connection-lost` where the exchange broke off,
 * `cancelled` where the signal was aborted.
 */
export type Transport = (request: TransportRequest) => Promise<TransportResponse>;
