/**
 * A member of a simulated fabric that has a real key and keeps to no rule: what a hacked device could do with records.
 * Relies on a simulated peer, which it runs so as to know what is going on, and bends what that one says.
 */
import { stampOf } from '../core/clock.ts';
import { peerIdOf, thingIdOf } from '../core/ids.ts';
import { comparePositions, type Position, type RecordBody, signRecord, streamOf } from '../replica/record.ts';
import type { RecordStream } from '../replica/record-store.ts';
import type { SyncMessage } from '../replica/sync-messages.ts';
import { inviteSigner, joinProof, peerSigner } from './control-lab.ts';
import type { Station } from './simulated-network.ts';
import type { SimulatedPeer } from './simulated-peer.ts';
import type { Simulator } from './simulator.ts';

/** Remembered for replaying. */
const maxKept = 200;
const tenYearsMs = 10 * 365 * 86_400_000;

/** What a liar is capable of. */
export interface Vices {
  /** Signs two records for one position and tells each half of the others one of them. */
  readonly equivocates: boolean;
}

type Range = Extract<SyncMessage, { kind: 'records' }>;

/** Turns a simulated peer into a liar. */
export class Liar {
  readonly peer: SimulatedPeer;
  readonly #simulator: Simulator;
  readonly #vices: Vices;
  readonly #kept: SyncMessage[] = [];
  /** Authors whose news it keeps to itself for now. */
  readonly #withheld = new Set<string>();
  #twoFaced = false;

  constructor(simulator: Simulator, peer: SimulatedPeer, vices: Vices) {
    this.peer = peer;
    this.#simulator = simulator;
    this.#vices = vices;
    simulator.liars.add(peer.id);
    peer.bend = (message, to) => this.#bend(message, to);
  }

  /** Does one bad thing. */
  async act(): Promise<void> {
    if (!this.peer.running) return;
    const { pick, random } = this.#tools();
    const dice = pick(10);
    if (dice === 0) await this.#writeWhatItMayNot();
    else if (dice === 1)
      await this.#shiftTime(random() < 0.5 ? 1 : stampOf(this.peer.clock.now() + tenYearsMs));
    else if (dice === 2) this.#claim();
    else if (dice === 3) await this.#letIn();
    else if (dice === 4) this.#forge();
    else if (dice === 5) await this.#flood();
    else if (dice === 6) this.#twoFaced = this.#vices.equivocates && !this.#twoFaced;
    else if (dice === 7)
      for (let count = 0; count < 5 && this.#kept.length > 0; count++) this.peer.say(this.#anyKept());
    else if (dice === 8) this.#withheld.add(this.#victim().id);
    else this.#withheld.clear();
  }

  #tools(): { pick: (n: number) => number; random: () => number } {
    return { pick: (n) => this.#simulator.pick(n), random: this.#simulator.random };
  }

  #victim(): SimulatedPeer {
    return this.#simulator.oneOf(this.#simulator.honest);
  }

  #anyKept(): SyncMessage {
    return this.#simulator.oneOf(this.#kept);
  }

  #bend(message: SyncMessage, to: Station): SyncMessage[] {
    if (this.#kept.length < maxKept && this.#simulator.random() < 0.1) this.#kept.push(message);
    if (message.kind === 'vector') {
      const entries = message.entries.filter(({ author }) => !this.#withheld.has(peerIdOf(author)));
      return entries.length > 0 ? [{ ...message, entries }] : [];
    }
    if (message.kind !== 'records') return [message];
    const author = peerIdOf(message.author);
    if (author === this.peer.id)
      return [this.#twoFaced && to.number % 2 === 1 ? this.#otherFace(message) : message];
    if (!this.#withheld.has(author)) return [message];
    // The range must still end where it claims to, or the session does.
    const last = message.records.length - 1;
    return [
      {
        ...message,
        records: message.records.filter((_, at) => at === last || this.#simulator.random() < 0.5),
      },
    ];
  }

  /** The same positions with something else in them. */
  #otherFace(range: Range): Range {
    const { replica, signer } = this.peer;
    const live =
      replica.range(range.stream, this.peer.id, range.from, Number.MAX_SAFE_INTEGER)?.records ?? [];
    const records = live
      .filter((record) => comparePositions(record, range.to) <= 0)
      .map(({ collection, key, author, epoch, seq, hlc, prev }) => {
        const value =
          range.stream === 'control'
            ? { type: 'two-faced', prev: prev && Buffer.from(prev, 'hex') }
            : 'two-faced';
        const body = { collection, key, author, epoch, seq, hlc, deleted: false, value };
        return signRecord(body, replica.fabric.id, signer);
      });
    return records.length > 0 ? { ...range, records } : range;
  }

  /** Whatever it would like to be true of others and of the fabric. */
  async #writeWhatItMayNot(): Promise<void> {
    const victim = this.#victim().id;
    const lie = { text: 'a lie' };
    const invite = inviteSigner(900 + this.#simulator.pick(3)).publicKey;
    const expires = this.peer.clock.now() + tenYearsMs;
    await this.peer.write(
      this.#simulator.oneOf([
        { collection: 'peer', key: victim, value: lie },
        { collection: 'thing', key: thingIdOf(victim, 'thing-0'), value: lie },
        { collection: 'shadow', key: thingIdOf(victim, 'thing-0'), value: null, deleted: true },
        { collection: 'label', key: 'key-0', value: lie },
        { collection: 'rule', key: 'key-0', value: null, deleted: true },
        {
          collection: 'member',
          key: victim,
          value: { type: 'invite', invite, role: 'member', uses: 9, expires },
        },
        { collection: 'member', key: victim, value: { type: 'nonsense' } },
      ]),
    );
  }

  /** A record stamped at another time than it is written at. */
  #shiftTime(hlc: number): Promise<void> {
    const collection = this.#simulator.oneOf(['peer', 'value', 'label']);
    const key = collection === 'peer' ? this.peer.id : 'key-0';
    return this.#sign({ collection, key, hlc, value: { text: 'at another time' } });
  }

  /** Lets strangers in, with a proof or without; the invite may be expired or used up. */
  async #letIn(): Promise<void> {
    const { pick, random } = this.#tools();
    const invite = 1 + pick(4);
    const joiner = 50 + pick(3);
    const proof = random() < 0.5 ? joinProof(invite, joiner) : new Uint8Array(64);
    const key = inviteSigner(invite).publicKey;
    const value = { type: 'admission', invite: key, joiner: peerSigner(joiner).publicKey, proof };
    await this.#sign({
      collection: 'member',
      key: 'x',
      hlc: random() < 0.5 ? 1 : stampOf(this.peer.clock.now()),
      value,
    });
  }

  /** Positions that nobody holds, of everyone. */
  #claim(): void {
    const epoch = this.#simulator.oneOf([
      2 ** 51,
      2 ** 53 - 1,
      1,
      Math.floor(this.peer.clock.now()) + 2 ** 25,
    ]);
    const entries = this.#simulator.peers.map(({ signer }) => ({
      stream: this.#simulator.oneOf<RecordStream>(['control', 'data']),
      author: signer.publicKey,
      epoch,
      seq: 1 + this.#simulator.pick(9),
      digest: new Uint8Array(32).fill(this.#simulator.pick(256)),
    }));
    this.peer.say({ kind: 'vector', entries });
  }

  /** A record in another's name. */
  #forge(): void {
    const { signer, replica } = this.peer;
    const victim = this.#victim();
    const from = replica.position('data', victim.id);
    const to = { epoch: from.epoch + 1, seq: 1 };
    const body: RecordBody = {
      collection: 'peer',
      key: victim.id,
      author: victim.signer.publicKey,
      ...to,
      hlc: stampOf(this.peer.clock.now()),
      deleted: true,
      value: null,
    };
    const raw = signRecord(body, replica.fabric.id, signer);
    this.peer.say({
      kind: 'records',
      stream: 'data',
      author: victim.signer.publicKey,
      from,
      to,
      records: [raw],
    });
  }

  /** Many slots, and many messages. */
  async #flood(): Promise<void> {
    const drafts = Array.from({ length: 40 }, (_, slot) => ({
      collection: 'value',
      key: `flood-${slot}`,
      value: 'x'.repeat(300),
    }));
    await this.peer.write(...drafts);
    for (let count = 0; count < 20 && this.#kept.length > 0; count++) this.peer.say(this.#anyKept());
  }

  /** Signs what its program would not, holds it itself and tells it on. */
  async #sign(body: Pick<RecordBody, 'collection' | 'key' | 'hlc' | 'value'>): Promise<void> {
    const { replica, signer } = this.peer;
    const stream = streamOf(body.collection);
    const from: Position = replica.position(stream, this.peer.id);
    const last = replica.range(stream, this.peer.id, { epoch: from.epoch, seq: from.seq - 1 }, 1)?.records[0];
    const prev = last ? Buffer.from(last.hash, 'hex') : null;
    const to = { epoch: Math.max(from.epoch, 1), seq: from.seq + 1 };
    const value = stream === 'control' ? { ...(body.value as object), prev } : body.value;
    const whole = { ...body, author: signer.publicKey, ...to, deleted: false, value };
    const raw = signRecord(whole, replica.fabric.id, signer);
    const range = { stream, author: signer.publicKey, from, to, records: [raw] };
    await replica.receive(range);
    this.peer.say({ kind: 'records', ...range });
  }
}
