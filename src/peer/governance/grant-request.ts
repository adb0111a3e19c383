/**
 * What a person asks to be granted, as the statement of a control record.
 * Relies on names resolved by its caller; bounds are those of the statement's schema.
 */
import { AlthingError } from '../../core/errors.ts';
import type { GrantRequest } from '../../core/governance-shapes.ts';
import { type PeerId, publicKeyOf } from '../../core/ids.ts';
import { parseStatement } from '../../fabric/control.ts';
import { scopeOperations } from '../../fabric/scope.ts';

export interface GrantNames {
  readonly peer: (name: string) => PeerId;
  /** The id of the Thing with this name. */
  readonly thing: (name: string) => string;
  readonly nowMs: number;
}

/** The grant's statement without `prev`, and who it is for. Throws `bad-input`, and what the names throw. */
export const grantStatement = (
  request: GrantRequest,
  names: GrantNames,
): { key: string; value: Record<string, unknown> } => {
  const subject = subjectOf(request.subject, names);
  if (request.operations?.includes('rule') && request.subject === 'role:guest')
    throw new AlthingError('bad-input', 'Guests write no rules: they hold no records.');
  const value = {
    type: 'grant',
    subject,
    things: thingsOf(request, names),
    operations: [...new Set(request.operations ?? scopeOperations)],
    affordances: request.affordances ? [...new Set(request.affordances)] : null,
    ...boundsOf(request, names.nowMs),
  };
  if (parseStatement('grant', { ...value, prev: null }) === null)
    throw new AlthingError(
      'bad-input',
      'A grant names 1 to 64 Things, or 1 to 16 types, at least one operation, and at most 64 affordances.',
    );
  return { key: request.subject.startsWith('role:') ? request.subject : names.peer(request.subject), value };
};

const subjectOf = (text: string, names: GrantNames): Record<string, unknown> => {
  if (!text.startsWith('role:')) return { kind: 'peer', peer: publicKeyOf(names.peer(text)) };
  const role = text.slice('role:'.length);
  if (role !== 'guest' && role !== 'member')
    throw new AlthingError(
      'bad-input',
      `Grants are for a peer, role:guest or role:member, not for "${text}".`,
    );
  return { kind: 'role', role };
};

const thingsOf = ({ things, type, all }: GrantRequest, names: GrantNames): Record<string, unknown> => {
  const said = [things?.length ? things : undefined, type, all || undefined].filter(
    (one) => one !== undefined,
  );
  if (said.length !== 1)
    throw new AlthingError('bad-input', 'Name the Things, or a type with --type, or all of them with --all.');
  if (all) return { kind: 'all' };
  if (type !== undefined) return { kind: 'types', types: [type] };
  return { kind: 'ids', ids: [...new Set(things!.map(names.thing))] };
};

const boundsOf = ({ from, forMs }: GrantRequest, nowMs: number) => {
  const notBefore = from === undefined ? null : Date.parse(from);
  if (notBefore !== null && !(notBefore >= 0))
    throw new AlthingError('bad-input', `"${from}" is no time: write it as 2026-05-01T08:00:00Z.`);
  if (forMs !== undefined && !(Number.isSafeInteger(forMs) && forMs > 0))
    throw new AlthingError('bad-input', `A grant lasts a whole number of milliseconds, not ${forMs}.`);
  return { notBefore, expires: forMs === undefined ? null : (notBefore ?? nowMs) + forMs };
};
