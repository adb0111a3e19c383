/**
 * `althing backup FILE`: all of this peer in one encrypted file, whether it runs or not.
 * Relies on the running peer for a copy of its database, or opens it itself; the keys are read out of the home.
 */
import { resolve } from 'node:path';
import type { RunCommand } from './command.ts';
import { clientOf } from './connect.ts';
import { runningOr } from './own-peer.ts';
import { readPassphrase } from './passphrase.ts';

export const run: RunCommand = async ({ home, args, out }) => {
  const file = resolve(args[0] ?? '');
  const { backUpHome, checkHomeOfPeer } = await import('../peer/backup.ts');
  await checkHomeOfPeer(home);
  const passphrase = await readPassphrase({ isNew: true });
  const snapshot = await runningOr<string | undefined>(
    () => clientOf(home).snapshot(),
    async () => undefined,
  );
  const files = await backUpHome(home, file, { passphrase, snapshot });
  out.answer({ file, files }, () => `Written: ${file} (${files.join(', ')})`);
  out.note(
    'Whoever has this file and the passphrase can be this peer. Without the passphrase nobody can read it.',
  );
};
