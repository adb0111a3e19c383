/**
 * The signatures inside control records: an invite's over a joiner, the recovery key's over a set of admins.
 * Relies on computing authority to remember what was checked, so that thousands of them need not be checked in one go.
 */
import type { Crypto } from '../core/crypto.ts';
import { isRecovered } from './admin-sets.ts';
import type { ControlRecord } from './control.ts';
import type { Fabric } from './genesis.ts';
import { provesInvite } from './members.ts';

/** Checks the signature inside a record, if there is one, before authority asks for it: about 100 microseconds. */
export const checkInner = (record: ControlRecord, fabric: Fabric, crypto: Crypto): void => {
  const { statement } = record;
  if (statement?.type === 'admission') provesInvite(record, statement, fabric, crypto);
  else if (statement?.type === 'proposal') isRecovered(record, statement, fabric, crypto);
};
