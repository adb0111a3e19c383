/**
 * `althing recover`: the 24 words make this member's device an admin, in place of admins who are lost or stolen.
 * Relies on the running peer, or on one in this process; the words come from the environment, stdin or the terminal.
 */
import { createInterface } from 'node:readline/promises';
import { text as readAll } from 'node:stream/consumers';
import type { CommandCall, RunCommand } from './command.ts';
import { clientOf } from './connect.ts';
import { runningOr, withOwnPeer } from './own-peer.ts';
import { parseTime } from './time.ts';

export const run: RunCommand = async (call) => {
  const { keep, revoke, before } = call.options;
  const request = {
    words: await wordsFor(call),
    ...(keep && { keep: [...keep] }),
    ...(revoke && { revoke: [...revoke] }),
    ...(before !== undefined && { before: parseTime(before, '--before') }),
  };
  let runs = true;
  const info = await runningOr(
    () => clientOf(call.home).governance.recover(request),
    () => {
      runs = false;
      return withOwnPeer(call, { offline: true }, (peer) => peer.governance.recover(request));
    },
  );
  call.out.answer(info, () =>
    [
      `Admins now: ${info.admins.join(', ')}`,
      ...(info.removed.length > 0 ? [`No admins any more: ${info.removed.join(', ')}`] : []),
      ...(info.revoked.length > 0 ? [`Out of the fabric: ${info.revoked.join(', ')}`] : []),
    ].join('\n'),
  );
  call.out.note('The words work again if it comes to that: keep them.');
  if (!runs) call.out.note('The others hear of it once the peer runs: althing up');
};

const wordsFor = async ({ out }: CommandCall): Promise<string> => {
  const given = process.env.ALTHING_RECOVERY_WORDS;
  if (given !== undefined) return given;
  if (!process.stdin.isTTY) return readAll(process.stdin);
  out.note('The words are seen while you type them, and are kept nowhere.');
  const lines = createInterface({ input: process.stdin, output: process.stderr });
  try {
    return await lines.question('The 24 recovery words: ');
  } finally {
    lines.close();
  }
};
