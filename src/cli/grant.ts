import type { GrantRequest } from '../core/governance-shapes.ts';
import type { CommandCall, RunCommand } from './command.ts';
import { clientOf } from './connect.ts';
import { parseDurationMs } from './duration.ts';
import { thingsOf } from './grants.ts';
import { listOf, operationsOf } from './operations.ts';
import { parseTime } from './time.ts';

export const run: RunCommand = async (call) => {
  const request = requestOf(call);
  const client = clientOf(call.home);
  const grant = await client.governance.grant(request);
  call.out.answer(
    grant,
    () =>
      `${grant.subject} may ${grant.operations.join(', ')} ${thingsOf(grant)}${grant.notBefore ? ` from ${grant.notBefore}` : ''}${grant.expires ? ` until ${grant.expires}` : ''}.`,
  );
  call.out.note(`End it: althing revoke ${grant.id.slice(0, 12)}`);
};

const requestOf = ({ args: [subject = '', ...things], options }: CommandCall): GrantRequest => ({
  subject,
  ...(things.length > 0 && { things }),
  ...(options.type !== undefined && { type: options.type }),
  ...(options.all === true && { all: true }),
  ...(options.ops !== undefined && { operations: operationsOf(options.ops) }),
  ...(options.affordances !== undefined && { affordances: listOf(options.affordances) }),
  ...(options.from !== undefined && { from: parseTime(options.from, '--from') }),
  ...(options.for !== undefined && { forMs: parseDurationMs(options.for, '--for') }),
});
