/**
 * Reads an event stream (HTML, section 9.2.6) out of bytes in any chunks.
 * Relies on TextDecoder alone; bounded, so that a hostile stream cannot fill the memory.
 */
import { AlthingError } from '../core/errors.ts';

/** One message of an event stream. */
export interface SseEvent {
  /** `message` where the stream names no type. */
  readonly event: string;
  readonly data: string;
  /** The last id that the stream gave, or an empty string. */
  readonly id: string;
}

/** Longest message, in UTF-16 code units: twice what a gateway takes as one value. */
const longestMessage = 2 * 1024 * 1024;

/** A parser for one stream. Feed it every chunk in order. */
export class SseParser {
  readonly #decoder = new TextDecoder();
  readonly #longest: number;
  #rest = '';
  /** How much of `#rest` is known to hold no line end. */
  #searched = 0;
  #afterReturn = false;
  #data: string[] = [];
  #dataLength = 0;
  #event = '';
  #id = '';

  constructor(longest = longestMessage) {
    this.#longest = longest;
  }

  /** The messages that this chunk completes. Throws `protocol-error` where one is longer than the bound. */
  push(chunk: Uint8Array): SseEvent[] {
    this.#rest += this.#decoder.decode(chunk, { stream: true });
    const events: SseEvent[] = [];
    let start = 0;
    const lineEnd = /[\r\n]/g;
    lineEnd.lastIndex = this.#searched;
    for (let match = lineEnd.exec(this.#rest); match; match = lineEnd.exec(this.#rest)) {
      const at = match.index;
      // The second half of \r\n, possibly in the next chunk.
      const halfLine = match[0] === '\n' && this.#afterReturn && at === start;
      this.#afterReturn = match[0] === '\r';
      if (!halfLine) {
        const event = this.#line(this.#rest.slice(start, at));
        if (event) events.push(event);
      }
      start = at + 1;
    }
    this.#rest = this.#rest.slice(start);
    if (this.#rest.length > 0) this.#afterReturn = false;
    this.#searched = this.#rest.length;
    if (this.#rest.length + this.#dataLength > this.#longest) throw this.#tooLong();
    return events;
  }

  #line(line: string): SseEvent | undefined {
    if (line === '') return this.#dispatch();
    const colon = line.indexOf(':');
    if (colon === 0) return undefined;
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? '' : line.slice(line[colon + 1] === ' ' ? colon + 2 : colon + 1);
    if (field === 'data') {
      this.#data.push(value);
      this.#dataLength += value.length + 1;
      if (this.#dataLength > this.#longest) throw this.#tooLong();
    } else if (field === 'event') this.#event = value;
    else if (field === 'id' && !value.includes('\0')) this.#id = value;
    return undefined;
  }

  #dispatch(): SseEvent | undefined {
    const event = this.#event || 'message';
    const data = this.#data;
    this.#event = '';
    this.#data = [];
    this.#dataLength = 0;
    return data.length === 0 ? undefined : { event, data: data.join('\n'), id: this.#id };
  }

  #tooLong(): AlthingError {
    return new AlthingError(
      'protocol-error',
      `A message of the stream is longer than ${this.#longest} characters.`,
    );
  }
}
