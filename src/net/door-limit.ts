/**
 * Bounds how often strangers make this peer think: each proof that is looked at costs signatures, and the whole of the
 * fabric's membership computed anew. Relies on a clock passed in.
 */
import { AlthingError } from '../core/errors.ts';

/** Looks that may come at once, and how many more each second. */
interface Rate {
  readonly burst: number;
  readonly aSecond: number;
}

/** Of all strangers together: what a small CPU can afford beside its work. */
const inAll: Rate = { burst: 128, aSecond: 8 };
/** Of one address: half of it, so that whoever floods from one leaves the other half to the others. */
const ofOne: Rate = { burst: 64, aSecond: 4 };

/** Fills with time, and is emptied by one for each look. */
class Bucket {
  readonly #rate: Rate;
  #left: number;
  #at: number;

  constructor(rate: Rate, now: number) {
    this.#rate = rate;
    this.#left = rate.burst;
    this.#at = now;
  }

  /** How many looks are left at this time. */
  left(now: number): number {
    const { burst, aSecond } = this.#rate;
    this.#left = Math.min(burst, this.#left + ((now - this.#at) / 1000) * aSecond);
    this.#at = now;
    return this.#left;
  }

  take(): void {
    this.#left -= 1;
  }

  /** Whether it is as if nothing had ever been taken. */
  isFull(now: number): boolean {
    return this.left(now) >= this.#rate.burst;
  }
}

/** The looks at strangers' proofs at one peer. */
export class DoorLimit {
  readonly #now: () => number;
  readonly #all: Bucket;
  /** Of addresses that have taken some lately: no more than the bucket of all lets in. */
  readonly #byAddress = new Map<string, Bucket>();

  /** @param now any clock in milliseconds that does not run backwards */
  constructor(now: () => number) {
    this.#now = now;
    this.#all = new Bucket(inAll, now());
  }

  /**
   * Call before a stranger's proof is looked at. Throws `rate-limited` where too many have come, which costs nothing.
   * @param remoteAddress `host:port`, as channels have it
   */
  take(remoteAddress: string): void {
    const now = this.#now();
    const source = sourceOf(remoteAddress);
    const known = this.#byAddress.get(source);
    if (this.#all.left(now) < 1 || (known && known.left(now) < 1))
      throw new AlthingError('rate-limited', 'Too many who are not known here have come: try again soon.');
    for (const [address, bucket] of this.#byAddress) if (bucket.isFull(now)) this.#byAddress.delete(address);
    const bucket = known ?? new Bucket(ofOne, now);
    bucket.take();
    this.#all.take();
    this.#byAddress.set(source, bucket);
  }
}

/** Whoever has one IPv6 address has all that begin with the same 64 bits. */
const sourceOf = (remoteAddress: string): string => {
  const host = remoteAddress.replace(/:\d+$/, '');
  if (!host.startsWith('[')) return host;
  const [address = ''] = host.slice(1, -1).split('%');
  const [before = [], after = []] = address.split('::').map((part) => part.split(':').filter(Boolean));
  const zeros = Array.from({ length: 8 - before.length - after.length }, () => '0');
  return [...before, ...zeros, ...after].slice(0, 4).join(':');
};
