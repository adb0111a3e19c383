/**
 * The record that ends a peer's membership, an invite or a guest pass.
 * Relies on ids being keys.
 */
import { type PeerId, publicKeyOf } from '../../core/ids.ts';
import type { Revocation } from '../../fabric/control.ts';
import type { Draft } from '../../replica/draft.ts';

/** Such a record, to be written. `id`: a peer's id, or that of an invite or pass, which are keys in the same form. */
export const revocationDraft = (what: Revocation['what'], id: PeerId): Draft => ({
  collection: 'revocation',
  key: id,
  value: { type: 'revocation', what, key: publicKeyOf(id) },
});
