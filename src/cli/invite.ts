/**
 * `althing invite`: a ticket that lets another device join, with its QR code on a terminal.
 * Relies on the running peer's gateway.
 */
import type { InviteRequest } from '../core/api-shapes.ts';
import { AlthingError } from '../core/errors.ts';
import type { OptionValues, RunCommand } from './command.ts';
import { clientOf } from './connect.ts';
import { parseDurationMs } from './duration.ts';
import { showQrCode } from './qr-code.ts';

export const run: RunCommand = async ({ home, options, out }) => {
  const request = requestOf(options);
  const client = clientOf(home);
  const invite = await client.invite(request);
  await showQrCode(invite.ticket, out);
  out.answer(invite, () => invite.ticket);
  const devices = invite.uses === 1 ? 'one device' : `${invite.uses} devices`;
  out.note(`For ${devices}, as ${invite.role}, until ${invite.expires}. There: althing join TICKET`);
};

const requestOf = ({ role, uses, expires, replaces }: OptionValues): InviteRequest => {
  if (role !== undefined && role !== 'member' && role !== 'guest')
    throw new AlthingError('bad-option', `--role is member or guest, not "${role}".`);
  const count = uses === undefined ? undefined : Number(uses);
  if (count !== undefined && !(Number.isSafeInteger(count) && count > 0))
    throw new AlthingError('bad-option', `--uses is a whole number from 1 on, not "${uses}".`);
  return {
    ...(role !== undefined && { role }),
    ...(count !== undefined && { uses: count }),
    ...(replaces !== undefined && { replaces }),
    ...(expires !== undefined && { expiresMs: parseDurationMs(expires, '--expires') }),
  };
};
