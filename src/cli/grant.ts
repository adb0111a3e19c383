/**
 * `althing grant`: lets a peer, or everybody of a role, use Things within bounds.
 * Relies on the running peer's gateway.
 */

import { AlthingError } from '../core/errors.ts';
import type { GrantOperation, GrantRequest } from '../core/governance-shapes.ts';
import type { CommandCall, RunCommand } from './command.ts';
import { clientOf } from './connect.ts';
import { parseDurationMs } from './duration.ts';
import { thingsOf } from './grants.ts';
import { parseTime } from './time.ts';

const operations: readonly string[] = ['read', 'write', 'invoke', 'subscribe'];

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

const listOf = (text: string): string[] =>
  text
    .split(',')
    .map((one) => one.trim())
    .filter((one) => one !== '');

const operationsOf = (text: string): GrantOperation[] => {
  const list = listOf(text);
  const wrong = list.find((one) => !operations.includes(one));
  if (wrong !== undefined || list.length === 0)
    throw new AlthingError(
      'bad-option',
      `--ops takes some of ${operations.join(',')}, not "${wrong ?? text}".`,
    );
  return list as GrantOperation[];
};
