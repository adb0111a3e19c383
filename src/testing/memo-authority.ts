/**
 * Authority that is computed once for each set of control records, for simulations in which many peers hold the same.
 * Relies on computing it being a pure function of that set; where somebody is proven fraudulent nothing is shared.
 */
import { type Authority, computeAuthority } from '../fabric/authority.ts';
import { nodeCrypto } from '../store/node-crypto.ts';

/** Sets kept; emptied when full. */
const maxKept = 64;

/** `computeAuthority` of one fabric with a memory of its own. */
export const memoAuthority = (): typeof computeAuthority => {
  const known = new Map<string, Authority>();
  return (fabric, records, crypto, frauds) => {
    const held = [...records];
    if (frauds !== undefined && frauds.size > 0) return computeAuthority(fabric, held, crypto, frauds);
    const hashes = held.map(({ hash }) => hash).sort();
    const name = Buffer.from(nodeCrypto.sha256(Buffer.from(hashes.join('')))).toString('hex');
    let authority = known.get(name);
    if (!authority) {
      authority = computeAuthority(fabric, held, crypto, frauds);
      if (known.size >= maxKept) known.clear();
      known.set(name, authority);
    }
    return authority;
  };
};
