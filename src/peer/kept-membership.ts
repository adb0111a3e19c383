/**
 * Keeps the small file beside the database true to what this peer is: its fabric, its proof, its way to others, its epoch.
 * Relies on the file's atomic writes; whatever fails is told to the store's health and tried again with the next change.
 */
import { equalBytes } from '../core/bytes.ts';
import { toAlthingError } from '../core/errors.ts';
import {
  formatMembershipFile,
  type MembershipFacts,
  readMembershipFile,
  writeMembershipFile,
} from '../store/membership-file.ts';
import type { StoreHealth } from '../store/store-health.ts';

const nothing: MembershipFacts = { genesis: new Uint8Array(), proof: [], addresses: [], epoch: 0, clock: 0 };

/** One home's membership file. */
export class KeptMembership {
  readonly #path: string;
  readonly #health: StoreHealth;
  #facts: MembershipFacts;
  #written: string;
  #writing: Promise<void> = Promise.resolve();

  private constructor(path: string, health: StoreHealth, found: MembershipFacts | undefined) {
    this.#path = path;
    this.#health = health;
    this.#facts = found ?? nothing;
    this.#written = found ? formatMembershipFile(found) : '';
  }

  /**
   * What a home has kept. Throws `store-corrupt` for a damaged file, `home-read-only`, `disk-failed`.
   * @param known the genesis that the database knows; where it knows one, a damaged file is made anew from it
   */
  static async open(
    path: string,
    options: { health: StoreHealth; known: Uint8Array | undefined },
  ): Promise<KeptMembership> {
    const { health, known } = options;
    try {
      return new KeptMembership(path, health, await readMembershipFile(path));
    } catch (error) {
      if (!known || toAlthingError(error).code !== 'store-corrupt') throw error;
      return new KeptMembership(path, health, undefined);
    }
  }

  /** What is kept, or undefined where nothing is. */
  get facts(): MembershipFacts | undefined {
    return this.#facts.genesis.length > 0 ? this.#facts : undefined;
  }

  /** The greatest epoch and stamp that this peer is known to have used; 0 for none. */
  get floor(): { readonly epoch: number; readonly clock: number } {
    const { epoch, clock } = this.#facts;
    return { epoch, clock };
  }

  /**
   * Keeps these facts beside the others; epoch and clock never fall. Resolves when they are on disk. A fabric that is
   * not the one kept takes the others' place. Throws `disk-full`, `home-read-only`, `disk-failed`.
   */
  keep(change: Partial<MembershipFacts>): Promise<void> {
    const { genesis = this.#facts.genesis } = change;
    const base = equalBytes(genesis, this.#facts.genesis) ? this.#facts : { ...nothing, ...this.floor };
    this.#facts = {
      ...base,
      ...change,
      genesis,
      epoch: Math.max(base.epoch, change.epoch ?? 0),
      clock: Math.max(base.clock, change.clock ?? 0),
    };
    const turn = this.#writing.then(() => this.#write());
    // The next write goes ahead whatever became of this one; the caller gets the error.
    this.#writing = turn.catch(() => undefined);
    return turn;
  }

  async #write(): Promise<void> {
    const text = formatMembershipFile(this.#facts);
    if (text === this.#written) return;
    try {
      await writeMembershipFile(this.#path, this.#facts);
      this.#written = text;
    } catch (error) {
      this.#health.failed(toAlthingError(error));
      throw error;
    }
  }
}
