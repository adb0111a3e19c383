/**
 * Where strangers present guest passes: each is verified offline, and bound for good to the first keys that show it.
 * Relies on the authority for who may issue and on the local notes for who came; nothing is written into the records.
 */
import { toHex } from '../../core/bytes.ts';
import type { Crypto } from '../../core/crypto.ts';
import { AlthingError } from '../../core/errors.ts';
import { type PeerId, publicKeyOf } from '../../core/ids.ts';
import type { Authority } from '../../fabric/authority.ts';
import { judgePass, openPass, type Pass, presentationBytes } from '../../fabric/pass.ts';
import type { ScopeTime } from '../../fabric/scope.ts';
import type { PassDesk, Presentation, Visitor } from '../../net/handshake.ts';
import type { LocalNotes } from '../../store/local-notes.ts';

const notePrefix = 'pass-holders/';
/** Passes whose holders are remembered at most; those that have expired are forgotten. */
const maxPasses = 1024;

export interface GuestDeskOptions {
  readonly fabric: Uint8Array;
  readonly crypto: Crypto;
  readonly notes: LocalNotes;
  /** What is known of the fabric, with these raw records beside. Throws `record-invalid`. */
  readonly authorityWith: (records: readonly Uint8Array[]) => Authority;
  readonly isMember: (peer: PeerId) => boolean;
  readonly time: () => ScopeTime;
}

interface Shown {
  readonly records: readonly Uint8Array[];
  /** What was known when this was computed. */
  readonly known: Authority;
  readonly authority: Authority;
}

/** The guest passes that were presented to one peer. */
export class GuestDesk implements PassDesk {
  readonly #options: GuestDeskOptions;
  #turn: Promise<unknown> = Promise.resolve();
  /** What came with a pass whose issuer was not known here as an admin, and what follows from it. */
  readonly #shown = new WeakMap<Pass, Shown>();

  constructor(options: GuestDeskOptions) {
    this.#options = options;
  }

  /**
   * Throws `ticket-invalid`, `proof-invalid`, `pass-ended`, `pass-expired`, `pass-used-up`, `clock-unknown`,
   * `too-many`, and `forbidden` for members, who need none.
   */
  async receive(presentation: Presentation): Promise<Visitor> {
    const { fabric, crypto, authorityWith, isMember, time } = this.#options;
    const { presenter, proof, records } = presentation;
    const pass = openPass(presentation.pass, fabric, crypto);
    if (!crypto.verify(pass.key, presentationBytes(fabric, pass.key, publicKeyOf(presenter)), proof))
      throw new AlthingError('proof-invalid', `${presenter} did not prove that it holds the guest pass.`);
    if (isMember(presenter))
      throw new AlthingError(
        'forbidden',
        `${presenter} belongs to this fabric: it needs a grant, not a pass.`,
      );
    const known = authorityWith([]);
    // The issuer may have become an admin while this device was away.
    if (!known.admins.has(pass.issuer))
      this.#shown.set(pass, { records, known, authority: authorityWith(records) });
    judgePass(pass, this.authorityFor(pass), time());
    // One after the other: two strangers in one moment must not both be the first.
    const bound = this.#turn.then(() => this.#bind(pass, presenter));
    // The next one's turn comes whatever became of this one, who gets the error below.
    this.#turn = bound.catch(() => undefined);
    await bound;
    return { kind: 'pass', pass };
  }

  /** What is known of the fabric now, with what the holder of a pass has shown of its issuer. */
  authorityFor(pass: Pass): Authority {
    const { authorityWith } = this.#options;
    const known = authorityWith([]);
    const shown = this.#shown.get(pass);
    if (!shown || known.admins.has(pass.issuer)) return known;
    if (shown.known === known) return shown.authority;
    const authority = authorityWith(shown.records);
    this.#shown.set(pass, { ...shown, known, authority });
    return authority;
  }

  async #bind({ key, title, uses, expires, issuer }: Pass, presenter: PeerId): Promise<void> {
    const { notes } = this.#options;
    const note = notePrefix + toHex(key);
    const { holders } = holdersIn(notes.get(note));
    if (holders.includes(presenter)) return;
    if (holders.length >= uses)
      throw new AlthingError(
        'pass-used-up',
        `Others hold the guest pass "${title}": it is for ${uses} at most.`,
      );
    await this.#makeRoom();
    await notes.set(note, [expires, [...holders, presenter], issuer]);
  }

  /** Forgets those that open nothing any more: over, ended, or of one who is no admin now, such as a thief was. */
  async #makeRoom(): Promise<void> {
    const { notes, time, authorityWith } = this.#options;
    const all = notes.list(notePrefix);
    if (all.size < maxPasses) return;
    const now = time();
    const { admins, endedPasses } = authorityWith([]);
    const isOver = ([note, value]: [string, unknown]): boolean => {
      const { expires, issuer } = holdersIn(value);
      if (now.known && expires <= now.ms) return true;
      return endedPasses.has(note.slice(notePrefix.length)) || (issuer !== undefined && !admins.has(issuer));
    };
    const over = [...all].filter(isOver);
    if (over.length === 0)
      throw new AlthingError('too-many', `This device remembers the holders of ${maxPasses} passes already.`);
    await notes.commit(over.map(([key]) => [key, null]));
  }
}

interface Holders {
  readonly expires: number;
  readonly holders: readonly PeerId[];
  /** Unknown for those that an earlier version bound. */
  readonly issuer: PeerId | undefined;
}

const holdersIn = (note: unknown): Holders => {
  const [expires, holders, issuer] = Array.isArray(note) ? note : [];
  return {
    expires: typeof expires === 'number' ? expires : 0,
    holders: Array.isArray(holders) ? holders.filter((one) => typeof one === 'string') : [],
    issuer: typeof issuer === 'string' ? issuer : undefined,
  };
};
