/**
 * `althing share`: a guest pass with which a stranger's Althing uses some Things for a while, with its QR code.
 * Relies on the running peer's gateway.
 */
import type { ShareRequest } from '../core/api-shapes.ts';
import { AlthingError } from '../core/errors.ts';
import type { OptionValues, RunCommand } from './command.ts';
import { clientOf } from './connect.ts';
import { parseDurationMs } from './duration.ts';
import { listOf, sharedOperationsOf } from './operations.ts';
import { showQrCode } from './qr-code.ts';

export const run: RunCommand = async ({ args, home, options, out }) => {
  const shared = await clientOf(home).share(requestOf(args, options));
  await showQrCode(shared.ticket, out);
  out.answer(shared, () => shared.ticket);
  const strangers = shared.uses === 1 ? 'one stranger' : `${shared.uses} strangers`;
  const may = shared.operations.join(', ');
  out.note(`For ${strangers}, to ${may}, until ${shared.expires}. There: althing join PASS`);
  out.note(`To end it before: althing revoke ${shared.id}`);
};

const requestOf = (
  things: readonly string[],
  { ops, affordances, for: lasting, uses }: OptionValues,
): ShareRequest => {
  const count = uses === undefined ? undefined : Number(uses);
  if (count !== undefined && !(Number.isSafeInteger(count) && count > 0))
    throw new AlthingError('bad-option', `--uses is a whole number from 1 on, not "${uses}".`);
  return {
    things: [...things],
    ...(ops !== undefined && { operations: sharedOperationsOf(ops) }),
    ...(affordances !== undefined && { affordances: listOf(affordances) }),
    ...(lasting !== undefined && { forMs: parseDurationMs(lasting, '--for') }),
    ...(count !== undefined && { uses: count }),
  };
};
