/**
 * This peer's voice on one network interface: when it announces, answers and asks (RFC 6762, sections 5, 6 and 8).
 * Relies on a socket passed in for the wire, on `dns-sd.ts` for what there is to say, and on timers of its own.
 */
import type { DnsPacket } from './dns-sd-packet.ts';
import { question } from './dns-sd-packet.ts';
import type { MulticastSocket } from './multicast-socket.ts';

/** After an interface appears; then once in a while, for as long as nobody else asks the same. */
const askDelaysMs = [0, 250, 1000, 3000];
/** Less than half of a record's time to live, so that a lost answer does not make a peer disappear. */
const askAgainMs = { least: 40_000, spread: 15_000 };
const minProbeGapMs = 500;
const minAnswerGapMs = 1000;
const answerDelayMs = { least: 20, spread: 100 };
const goodbyeTimeMs = 200;

export interface DnsSdLinkOptions {
  readonly socket: MulticastSocket;
  /** What this peer announces on this interface, or undefined while it announces nothing. */
  readonly describe: (options?: { goodbye: boolean }) => DnsPacket | undefined;
  readonly now: () => number;
  /** Uniform in [0, 1). */
  readonly random: () => number;
}

/** One interface. Starts to ask when made, and announces when told to. */
export class DnsSdLink {
  readonly #options: DnsSdLinkOptions;
  #lastToldAt = Number.NEGATIVE_INFINITY;
  #lastAskedAt = Number.NEGATIVE_INFINITY;
  #asked = 0;
  #announceTimer: NodeJS.Timeout | undefined;
  #answerTimer: NodeJS.Timeout | undefined;
  #askTimer: NodeJS.Timeout | undefined;
  #closing: Promise<void> | undefined;

  constructor(options: DnsSdLinkOptions) {
    this.#options = options;
    this.#askNext();
  }

  /** Announces now and, because one packet is easily lost, once more after a second (RFC 6762 section 8.3). */
  announce(): void {
    if (this.#closing) return;
    clearTimeout(this.#announceTimer);
    this.#tell();
    this.#announceTimer = setTimeout(() => this.#tell(), minAnswerGapMs);
  }

  /**
   * Answers a question: after a random 20 to 120 ms, since others answer it too, and never within a second of the
   * last time (RFC 6762 section 6). Questions in between are answered by the same packet.
   */
  answer(): void {
    if (this.#closing || this.#answerTimer) return;
    const { now, random } = this.#options;
    const polite = answerDelayMs.least + random() * answerDelayMs.spread;
    const allowed = this.#lastToldAt + minAnswerGapMs - now();
    this.#answerTimer = setTimeout(() => this.#tell(), Math.max(polite, allowed));
  }

  /** Asks now, unless it asked within the last 500 ms. */
  probe(): void {
    if (!this.#closing && this.#options.now() - this.#lastAskedAt >= minProbeGapMs) this.#ask();
  }

  /** Somebody asked what this peer would have asked: the answers come to all (RFC 6762 section 7.3). */
  heardQuestion(): void {
    if (!this.#closing && this.#asked >= askDelaysMs.length) this.#askLater();
  }

  /** Says goodbye where `goodbye` is set and something was announced, then closes the socket. Idempotent. */
  close(options: { goodbye: boolean }): Promise<void> {
    this.#closing ??= this.#close(options.goodbye);
    return this.#closing;
  }

  async #close(goodbye: boolean): Promise<void> {
    for (const timer of [this.#announceTimer, this.#answerTimer, this.#askTimer]) clearTimeout(timer);
    const { socket, describe } = this.#options;
    const packet = goodbye ? describe({ goodbye: true }) : undefined;
    if (packet) await atMost(goodbyeTimeMs, socket.send(packet));
    await socket.close();
  }

  #tell(): void {
    clearTimeout(this.#answerTimer);
    this.#answerTimer = undefined;
    const packet = this.#options.describe();
    if (!packet) return;
    this.#lastToldAt = this.#options.now();
    void this.#options.socket.send(packet);
  }

  #ask(): void {
    this.#lastAskedAt = this.#options.now();
    void this.#options.socket.send(question());
  }

  #askNext(): void {
    const delayMs = askDelaysMs[this.#asked];
    if (delayMs === undefined) this.#askLater();
    else this.#askIn(delayMs);
  }

  #askLater(): void {
    this.#askIn(askAgainMs.least + this.#options.random() * askAgainMs.spread);
  }

  #askIn(delayMs: number): void {
    clearTimeout(this.#askTimer);
    this.#askTimer = setTimeout(() => {
      this.#asked++;
      this.#ask();
      this.#askNext();
    }, delayMs);
  }
}

const atMost = async (timeMs: number, work: Promise<void>): Promise<void> => {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, timeMs);
  });
  await Promise.race([work, late]);
  clearTimeout(timer);
};
