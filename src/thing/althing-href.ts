/**
 * The address of a Thing or of one affordance inside the fabric: `althing://<peer>/things/<name>/properties/<name>`.
 * Relies on peer ids; only TDs carry these, what is asked over a session names the Thing and the affordance.
 */
import { isPeerId, type PeerId } from '../core/ids.ts';

/** The three kinds of affordance, as a TD's members name them. */
export const affordanceKinds = ['properties', 'actions', 'events'] as const;
export type AffordanceKind = (typeof affordanceKinds)[number];

/** What an `althing:` href points at: a Thing, all its properties (without `affordance`), or one affordance. */
export interface AlthingAddress {
  /** The peer that exposes the Thing. */
  readonly peer: PeerId;
  /** The Thing's local name. */
  readonly name: string;
  readonly kind?: AffordanceKind;
  readonly affordance?: string;
}

/** The href of an address, percent-encoded (RFC 3986). */
export const althingHref = (address: AlthingAddress): string => {
  const parts = [address.peer, 'things', address.name];
  if (address.kind !== undefined) parts.push(address.kind);
  if (address.affordance !== undefined) parts.push(address.affordance);
  return `althing://${parts.map(encodeURIComponent).join('/')}`;
};

/** The address of an href, its URI template (`{?a,b}`) left off, or undefined where it is none of ours. */
export const parseAlthingHref = (href: string): AlthingAddress | undefined => {
  if (!href.startsWith('althing://')) return undefined;
  const path = href.slice('althing://'.length).split(/[?#{]/, 1)[0]!;
  const parts = path.split('/').map(decoded);
  const [peer, things, name, kind, affordance] = parts;
  if (!isPeerId(peer) || things !== 'things' || !name || parts.length > 5) return undefined;
  if (kind === undefined) return { peer, name };
  if (!isAffordanceKind(kind)) return undefined;
  if (affordance === undefined) return { peer, name, kind };
  return affordance === '' ? undefined : { peer, name, kind, affordance };
};

const isAffordanceKind = (kind: string): kind is AffordanceKind =>
  (affordanceKinds as readonly string[]).includes(kind);

const decoded = (part: string): string => {
  try {
    return decodeURIComponent(part);
  } catch {
    // A broken escape is no address of ours: the empty part is refused.
    return '';
  }
};
