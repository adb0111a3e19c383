/**
 * Sharing Things with strangers: an admin signs a guest pass, and a ticket carries it with what is needed to use it.
 * Relies on nothing being written into the fabric's records; what was shared is listed from this peer's local notes.
 */
import type { ShareEntry, ShareInfo, ShareRequest } from '../../core/api-shapes.ts';
import type { Crypto, Signer } from '../../core/crypto.ts';
import { AlthingError } from '../../core/errors.ts';
import { type PeerId, parseThingId, peerIdOf, publicKeyOf } from '../../core/ids.ts';
import { maxPassThings, maxPassUses, type PassTerms, signPass } from '../../fabric/pass.ts';
import { type ScopeOperation, scopeOperations } from '../../fabric/scope.ts';
import { encodeTicket, maxTicketPeers, maxTicketProof } from '../../fabric/ticket.ts';
import type { Replica } from '../../replica/replica.ts';
import type { LocalNotes } from '../../store/local-notes.ts';
import type { ThingDescription } from '../../thing/thing-description.ts';
import { rawOf } from '../membership.ts';
import { checkTicketBounds, dayMs } from '../ticket-bounds.ts';

const notePrefix = 'share/';
const maxShares = 512;
const maxTitle = 128;

export interface ShareOptions {
  readonly replica: Replica;
  readonly signer: Signer;
  readonly crypto: Crypto;
  readonly notes: LocalNotes;
  readonly now: () => number;
  /** The Thing that a name means. Throws `thing-unknown`, `name-ambiguous`. */
  readonly resolve: (name: string) => ThingDescription;
  readonly addressesOf: (peer: PeerId) => readonly string[];
}

/**
 * Makes a guest pass (default: to read and write and all else, one stranger, one day) and its ticket.
 * Throws `not-admin`, `bad-input`, `thing-unknown`, `name-ambiguous`, `affordance-unknown`, the store's codes.
 */
export const createShare = async (request: ShareRequest, options: ShareOptions): Promise<ShareInfo> => {
  const { replica, crypto, signer, notes, now } = options;
  const self = replica.authority.members.get(replica.self);
  if (self?.role !== 'admin')
    throw new AlthingError(
      'not-admin',
      'Only an admin of the fabric shares its Things, and this peer is none.',
    );
  const seed = crypto.randomBytes(32);
  const tds = request.things.map(options.resolve);
  const terms = termsOf(request, tds, { key: crypto.signer(seed).publicKey, now: now() });
  const carriers = new Set(terms.things.map((id) => replica.authority.speakerOf(parseThingId(id)!.peer)));
  if (carriers.size > maxTicketPeers)
    throw new AlthingError(
      'bad-input',
      `These Things are on ${carriers.size} devices, and a pass is for ${maxTicketPeers} at most: make several.`,
    );
  const proof = rawOf(self.proof);
  if (proof.length > maxTicketProof)
    throw new AlthingError(
      'bad-input',
      'This admin was made one by too long a chain: let another admin share.',
    );
  await forgetExpired(notes, now());
  const ticket = encodeTicket(
    {
      kind: 'pass',
      genesis: replica.fabric.bytes,
      permit: signPass(terms, signer, replica.fabric.id),
      proof,
      seed,
      peers: [...carriers].map((peer) => ({
        key: publicKeyOf(peer),
        addresses: options.addressesOf(peer).slice(0, 4),
      })),
    },
    crypto,
  );
  const { things, operations, affordances, uses, expires } = terms;
  const id = peerIdOf(terms.key);
  await notes.set(notePrefix + id, [things, operations, affordances, uses, expires]);
  return { ticket, id, things: [...things], operations: [...operations], uses, expires: dateOf(expires) };
};

/** What this peer has shared and what has not expired, the next to end first. */
export const listShares = ({
  replica,
  notes,
  now,
}: Pick<ShareOptions, 'replica' | 'notes' | 'now'>): ShareEntry[] => {
  const { endedPasses } = replica.authority;
  return [...notes.list(notePrefix)]
    .flatMap(([key, value]): (ShareEntry & { at: number })[] => {
      const [things, operations, affordances, uses, at] = value as StoredShare;
      const id = key.slice(notePrefix.length);
      if (at <= now()) return [];
      const ended = endedPasses.has(Buffer.from(publicKeyOf(id)).toString('hex'));
      return [{ at, id, things, operations, affordances, uses, expires: dateOf(at), ended }];
    })
    .sort((a, b) => a.at - b.at)
    .map(({ at: _, ...entry }) => entry);
};

type StoredShare = [
  things: string[],
  operations: ScopeOperation[],
  affordances: string[] | null,
  uses: number,
  expires: number,
];

const termsOf = (
  { things, operations = [...scopeOperations], affordances, forMs = dayMs, uses = 1 }: ShareRequest,
  tds: readonly ThingDescription[],
  { key, now }: { key: Uint8Array; now: number },
): PassTerms => {
  const ids = [...new Set(tds.map(({ id }) => id))];
  if (ids.length === 0 || ids.length > maxPassThings)
    throw new AlthingError('bad-input', `A pass is for 1 to ${maxPassThings} Things, not ${things.length}.`);
  checkTicketBounds('A pass', { uses, maxUses: maxPassUses, lifetimeMs: forMs });
  if (operations.length === 0) throw new AlthingError('bad-input', 'A pass allows at least one operation.');
  for (const name of affordances ?? [])
    if (
      !tds.some((td) => [td.properties, td.actions, td.events].some((all) => all && Object.hasOwn(all, name)))
    )
      throw new AlthingError('affordance-unknown', `None of these Things has a "${name}".`);
  const title = tds.map((td) => td.title).join(', ');
  return {
    key,
    things: ids,
    operations: [...new Set(operations)],
    affordances: affordances && affordances.length > 0 ? [...new Set(affordances)] : null,
    expires: now + forMs,
    uses,
    title: title.length > maxTitle ? `${title.slice(0, maxTitle - 3)}...` : title,
  };
};

const forgetExpired = async (notes: LocalNotes, now: number): Promise<void> => {
  const all = [...notes.list(notePrefix)];
  const over = all.filter(([, value]) => (value as StoredShare)[4] <= now);
  if (all.length - over.length >= maxShares)
    throw new AlthingError(
      'too-many',
      `This peer has shared ${maxShares} times already: wait until one ends.`,
    );
  if (over.length > 0) await notes.commit(over.map(([key]) => [key, null]));
};

const dateOf = (ms: number): string => new Date(ms).toISOString();
