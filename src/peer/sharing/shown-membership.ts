/**
 * What other devices know of this peer's own membership: who is sent no records, as guests are, hears of its role so.
 * Relies on their directories, asked over sessions, and on the membership for verifying what they show.
 */
import { toAlthingError } from '../../core/errors.ts';
import type { Logger } from '../../core/logger.ts';
import type { Session } from '../../net/session.ts';
import type { LocalNotes } from '../../store/local-notes.ts';
import type { Membership } from '../membership.ts';
import { proofNote } from '../open-fabric.ts';
import { directoryIdOf } from './served-directory.ts';

/** Records that are looked at, the last of them: as many as a handshake takes. Each costs a verification. */
const maxRecords = 64;

/** Raw records that show this peer's membership and role as they are known there. Throws what the session throws. */
export const askMembership = async (session: Session): Promise<readonly Uint8Array[]> => {
  const shown = await session.request({
    thing: directoryIdOf(session.peer),
    op: 'readproperty',
    name: 'membership',
  });
  if (!Array.isArray(shown)) return [];
  return shown.slice(-maxRecords).filter((raw) => raw instanceof Uint8Array);
};

export interface ShownMembershipOptions {
  readonly membership: Membership;
  readonly notes: LocalNotes;
  readonly roleChanged: () => void;
  readonly logger: Logger;
}

/** What this peer has been shown. */
export class ShownMembership {
  readonly #options: ShownMembershipOptions;

  constructor(options: ShownMembershipOptions) {
    this.#options = options;
  }

  /** Asks one that this peer has met: a member that was made a guest while it was away does not know it. */
  async ask(session: Session): Promise<void> {
    try {
      this.take(await askMembership(session));
    } catch (error) {
      // The next session asks again; forged records are worth no more than none.
      const { code } = toAlthingError(error);
      this.#options.logger.debug({ peer: session.peer, code }, 'What it knows of this peer was not told.');
    }
  }

  /** Takes in what a device has shown, and keeps it where the role is another one now. Throws `record-invalid`. */
  take(records: readonly Uint8Array[]): void {
    const { membership, notes, roleChanged, logger } = this.#options;
    if (!membership.learn(records)) return;
    notes
      .set(proofNote, membership.proof())
      .catch((error: unknown) => logger.warn({ err: error }, 'The new role is not kept.'));
    roleChanged();
  }
}
