/**
 * Decides which datagrams from the local network are worth decoding, so that nobody there can keep this peer busy.
 * Relies on the DNS header's fixed layout (RFC 1035, section 4.1.1) and on a clock passed in.
 */

/** Every packet that concerns us names the service or a host of it. Other mDNS traffic is not even decoded. */
const mark = Buffer.from('althing');

/** Greater than anything a peer sends: one Ethernet frame. Bounds what a decoder can be made to do. */
const maxDatagramBytes = 1500;
const maxRecords = 128;
const windowMs = 1000;
const maxPerSource = 100;
const maxInAll = 1000;

/** Admits at most 100 packets a second of one source, and 1000 of all. */
export class PacketGate {
  readonly #now: () => number;
  readonly #counts = new Map<string, number>();
  #windowStart = 0;
  #admitted = 0;
  /** Packets turned away since the start, those of other services not counted. */
  dropped = 0;

  /** @param now any clock in milliseconds that does not run backwards */
  constructor(now: () => number) {
    this.#now = now;
  }

  /** Whether a datagram should be decoded. */
  admit(datagram: Buffer, source: string): boolean {
    if (datagram.length < 12 || !datagram.includes(mark)) return false;
    if (!this.#withinSize(datagram) || !this.#withinRate(source)) {
      this.dropped++;
      return false;
    }
    return true;
  }

  #withinSize(datagram: Buffer): boolean {
    if (datagram.length > maxDatagramBytes) return false;
    let records = 0;
    for (let at = 4; at < 12; at += 2) records += datagram.readUInt16BE(at);
    return records <= maxRecords;
  }

  #withinRate(source: string): boolean {
    const now = this.#now();
    if (now - this.#windowStart >= windowMs) {
      this.#windowStart = now;
      this.#counts.clear();
      this.#admitted = 0;
    }
    const count = this.#counts.get(source) ?? 0;
    if (count >= maxPerSource || this.#admitted >= maxInAll) return false;
    this.#counts.set(source, count + 1);
    this.#admitted++;
    return true;
  }
}
