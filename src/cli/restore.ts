/**
 * `althing restore FILE`: a peer out of its backup, into a new home or back into its own.
 * Relies on no peer running on the home; the next start opens a new epoch, so that nothing said since is contradicted.
 */
import { resolve } from 'node:path';
import type { RunCommand } from './command.ts';
import { readPassphrase } from './passphrase.ts';

export const run: RunCommand = async ({ home, args, out }) => {
  const file = resolve(args[0] ?? '');
  const { checkNotRunning, restorePeer } = await import('../peer/backup.ts');
  await checkNotRunning(home);
  const passphrase = await readPassphrase({ isNew: false });
  const { peer, isNew, movedTo } = await restorePeer(home, file, passphrase);
  out.answer({ peer, isNew, movedTo }, () =>
    [
      `  home    ${home}`,
      `  peer    ${peer}`,
      isNew
        ? 'The home was new: key, configuration and state are those of the backup.'
        : `The home was this peer's: only its state was restored.${movedTo ? ` The former database is kept: ${movedTo}` : ''}`,
      'Start it, and it fetches what is newer from the other members: althing up',
    ].join('\n'),
  );
  out.note('Let no two devices run with one key: stop the other for good, or join this one anew instead.');
};
