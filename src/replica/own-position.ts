/**
 * Where this peer writes next: a new epoch at every start and above every position of its own that it hears of, so that
 * restored backups and clones never contradict themselves. Relies on chance passed in to tell copies of one home apart.
 */
import type { Crypto } from '../core/crypto.ts';
import type { Position } from './record.ts';
import type { RecordStream } from './record-store.ts';

/** Nobody can make us open an epoch beyond this by a mere claim: what is left of the safe integers stays ours. */
const maxClaimedEpoch = 2 ** 52;

export interface OwnPositionOptions {
  readonly crypto: Crypto;
  /** Every epoch opened so far is at most this. */
  readonly lastEpoch: number;
  /** Called before the first record of an epoch is written; resolves when it is kept for good which epoch that is. */
  readonly epochOpened: ((epoch: number) => Promise<void>) | undefined;
}

/** The epoch that is open and what was counted in it. */
export class OwnPosition {
  readonly #options: OwnPositionOptions;
  #epoch: number;
  /** The newest epoch that `epochOpened` has been told of. */
  #keptEpoch = 0;
  #seq: Record<RecordStream, number> = { control: 0, data: 0 };

  constructor(options: OwnPositionOptions) {
    this.#options = options;
    this.#epoch = this.#above(options.lastEpoch);
  }

  /** The position after the last one written, or after `count` more. */
  after(stream: RecordStream, count = 0): Position {
    return { epoch: this.#epoch, seq: this.#seq[stream] + 1 + count };
  }

  /** Records up to this position have become durable. */
  wrote(stream: RecordStream, { epoch, seq }: Position): void {
    if (epoch === this.#epoch) this.#seq[stream] = Math.max(this.#seq[stream], seq);
  }

  /** This peer holds a record of its own in this epoch. */
  openAbove(epoch: number): void {
    if (epoch < this.#epoch) return;
    this.#epoch = this.#above(epoch);
    this.#seq = { control: 0, data: 0 };
  }

  /** Somebody claims to hold a record of ours in this epoch. Claims that no honest peer makes are not believed. */
  hear(epoch: number): void {
    if (epoch <= maxClaimedEpoch) this.openAbove(epoch);
  }

  /** Another epoch may be opened meanwhile: that one is kept as well, before anything is written in it. */
  async keep(): Promise<void> {
    while (this.#keptEpoch !== this.#epoch) {
      const epoch = this.#epoch;
      await this.#options.epochOpened?.(epoch);
      this.#keptEpoch = epoch;
    }
  }

  /** Some way above, by chance: two copies of one home that know the same must not open the same epoch. */
  #above(epoch: number): number {
    const [a, b, c] = this.#options.crypto.randomBytes(3) as unknown as [number, number, number];
    return epoch + 1 + ((a << 16) | (b << 8) | c);
  }
}
