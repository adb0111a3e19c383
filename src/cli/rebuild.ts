/**
 * `althing rebuild`: a fresh database for a peer whose own is damaged; the next start fetches the rest from the others.
 * Relies on no peer running on the home.
 */
import type { RunCommand } from './command.ts';

export const run: RunCommand = async ({ home, out }) => {
  const { rebuildHome } = await import('../peer/rebuild.ts');
  const rebuilt = await rebuildHome(home);
  const { movedTo, damage, notes, records } = rebuilt;
  out.answer(rebuilt, () =>
    [
      damage === null ? 'The database was whole; it was made anew all the same.' : `Damage: ${damage}`,
      movedTo === null ? 'There was no database.' : `The former database is kept: ${movedTo}`,
      `Rescued: ${notes} notes, ${records} records of this peer's own.`,
      'Start the peer, and it fetches the rest from the other members: althing up',
    ].join('\n'),
  );
};
