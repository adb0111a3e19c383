/**
 * What a guest bears of the devices that it follows: one that lies, talks without end, or shows more than it may.
 * Relies on sessions that a test answers itself.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AlthingError } from '../../core/errors.ts';
import { type PeerId, thingIdOf } from '../../core/ids.ts';
import { silentLogger } from '../../core/logger.ts';
import type { Session } from '../../net/session.ts';
import type { LocalNotes } from '../../store/local-notes.ts';
import { peerId } from '../../testing/control-lab.ts';
import { waitFor } from '../../testing/wait-for.ts';
import type { StreamSink, ThingCall } from '../../thing/operations.ts';
import { SeenThings } from './seen-things.ts';

const host: PeerId = peerId(1);
const lamp = thingIdOf(host, 'lamp');

/** A device at the other end of a session, and the guest that follows it. */
class Lab {
  /** What the directory answers to a read of `things`. */
  things = (): string[] => [];
  /** Why a read fails; undefined where it does not. */
  failure: AlthingError | undefined;
  /** Called at each read, with the open streams. */
  asked: (open: ReadonlySet<StreamSink>) => void = () => {};
  reads = 0;
  readonly open = new Set<StreamSink>();
  readonly notes = new Map<string, unknown>();
  diskIsFull = false;
  readonly seen: SeenThings;
  readonly session: Session;

  constructor(admits: (id: string) => boolean = () => true) {
    const notes = {
      list: () => new Map(),
      get: (key: string) => this.notes.get(key),
      set: async (key: string, value: unknown) => {
        if (this.diskIsFull) throw new AlthingError('disk-full', 'The disk is full.');
        this.notes.set(key, value);
      },
    };
    this.seen = new SeenThings({
      self: peerId(0),
      notes: notes as unknown as LocalNotes,
      notePrefix: 'seen/',
      admits,
      changed: () => {},
      introduced: () => {},
      membership: () => {},
      logger: silentLogger,
    });
    const session = {
      peer: host,
      usable: true,
      request: async ({ name }: ThingCall) => {
        if (name !== 'things') return [];
        this.reads += 1;
        this.asked(this.open);
        if (this.failure) throw this.failure;
        return { things: this.things(), next: null };
      },
      stream: async (_call: ThingCall, sink: StreamSink) => {
        this.open.add(sink);
        return { position: { run: 'r', seq: 0 }, stop: () => this.open.delete(sink) };
      },
    };
    this.session = session as unknown as Session;
  }
}

const td = (id: string): string => JSON.stringify({ id, title: 'Lamp' });

test('a device that always says that something has changed is read about once a second', async (t) => {
  const lab = new Lab();
  t.after(() => lab.seen.close());
  lab.asked = (open) => {
    if (lab.reads < 100) for (const sink of open) sink.next(null, { run: 'r', seq: lab.reads });
  };
  await lab.seen.follow(lab.session);
  for (let turn = 0; turn < 100; turn++) await new Promise((resolve) => setImmediate(resolve));
  assert.equal(lab.reads, 1);
  lab.things = () => [td(lamp)];
  await waitFor(() => [...lab.seen.tds()].length === 1, { what: 'the last change to be read all the same' });
});

test('however often reading fails, one stream is open at the device', async (t) => {
  const lab = new Lab();
  t.after(() => lab.seen.close());
  lab.failure = new AlthingError('timeout', 'Too late.');
  const sizes: number[] = [];
  lab.asked = (open) => sizes.push(open.size);
  await lab.seen.follow(lab.session);
  await waitFor(() => sizes.length === 2, { what: 'a second attempt' });
  assert.deepEqual(sizes, [1, 1]);
});

test('of what a device shows nothing is kept that may not be listed', async (t) => {
  const lab = new Lab((id) => id === lamp);
  t.after(() => lab.seen.close());
  const others = Array.from({ length: 500 }, (_, n) => td(thingIdOf(host, `t${n}`)));
  lab.things = () => [...others, td(lamp), td(thingIdOf(peerId(2), 'theirs'))];
  await lab.seen.follow(lab.session);
  assert.deepEqual(
    [...lab.seen.tds()].map(({ id }) => id),
    [lamp],
  );
  assert.deepEqual(lab.notes.get(`seen/${host}`), ['', [], [td(lamp)]]);
});

test('a full disk keeps nobody from forgetting what was seen as a guest', async () => {
  const lab = new Lab();
  lab.things = () => [td(lamp)];
  await lab.seen.follow(lab.session);
  lab.diskIsFull = true;
  await lab.seen.forget(host);
  assert.deepEqual([...lab.seen.tds()], []);
  lab.seen.close();
});
