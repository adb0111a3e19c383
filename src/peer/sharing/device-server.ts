/**
 * What others may do with this device: its Things and its directory, behind the access gate, for each session.
 * Relies on the gate for every decision; what is open is ended in the moment in which its permission does.
 */
import { AlthingError } from '../../core/errors.ts';
import type { PeerId } from '../../core/ids.ts';
import type { Visitor } from '../../net/handshake.ts';
import type { Session } from '../../net/session.ts';
import type {
  StreamHandle,
  StreamOperation,
  StreamPosition,
  StreamSink,
  ThingCall,
  ThingServer,
} from '../../thing/operations.ts';
import type { InteractionContext } from '../../thing/scripting-api.ts';
import type { ServedThing } from '../exposed-things.ts';
import type { DeviceRules } from '../rules/device-rules.ts';
import { deskIdOf } from '../rules/rule-desk.ts';
import type { AccessGate, Caller } from './access-gate.ts';
import { directoryIdOf, type ServedDirectory } from './served-directory.ts';

export interface DeviceServerOptions {
  readonly self: PeerId;
  readonly gate: AccessGate;
  readonly directory: ServedDirectory;
  readonly rules: Pick<DeviceRules, 'desk' | 'steps' | 'loading'>;
  /** The Thing exposed here under this id. */
  readonly exposed: (id: string) => ServedThing | undefined;
}

/** Serves this device's Things to the other ends of sessions. */
export class DeviceServer {
  readonly #options: DeviceServerOptions;
  readonly #directoryId: string;
  readonly #deskId: string;

  constructor(options: DeviceServerOptions) {
    this.#options = options;
    this.#directoryId = directoryIdOf(options.self);
    this.#deskId = deskIdOf(options.self);
  }

  /** What the visitor at the other end of a session may ask. */
  serverFor(visitor: Visitor): ThingServer {
    const { directory, rules, gate } = this.#options;
    return {
      request: async (call, context) => {
        const caller = { peer: context.peer, visitor };
        if (call.thing === this.#directoryId)
          return directory.request(caller, call, context.uriVariables.after);
        if (call.thing === this.#deskId) return rules.desk.request(caller, call);
        // Right after a rule has come what it uses is not known yet.
        if (context.cause.origin === 'rule' && rules.loading) await rules.loading;
        const { thing } = this.#allowed(caller, call, context);
        if (context.cause.step && !gate.runsRules(caller))
          throw new AlthingError('forbidden', 'Only members that are no guests run rules.');
        return rules.steps.request(thing, call, context);
      },
      stream: async (call, sink, context, after) => {
        const caller = { peer: context.peer, visitor };
        if (call.thing === this.#directoryId) return directory.stream(caller, call, sink);
        if (context.cause.origin === 'rule' && rules.loading) await rules.loading;
        return this.#stream(caller, call, sink, context, after);
      },
    };
  }

  /** Ends a session whose visitor is no longer welcome. Call the returned function when the session has ended. */
  guard(session: Session): () => void {
    const { gate } = this.#options;
    const { peer, visitor } = session;
    const recheck = (): void => {
      if (gate.welcomes({ peer, visitor })) return;
      const gone = new AlthingError('forbidden', `${peer} has no right to a session any more.`);
      // After the streams in it have been told.
      queueMicrotask(() => session.close(gone));
    };
    const unwatch = gate.watch({ caller: { peer, visitor }, recheck });
    // What let it in may have ended while the door was busy.
    recheck();
    return unwatch;
  }

  #allowed(caller: Caller, call: ThingCall, context: InteractionContext): ServedThing {
    const served = this.#options.exposed(call.thing);
    // Who may not use a Thing is not told whether there is one.
    this.#options.gate.require(caller, served?.scoped ?? { id: call.thing, types: [] }, call, context);
    if (served) return served;
    throw new AlthingError('thing-unknown', `Nothing exposes ${call.thing} on this device at the moment.`);
  }

  async #stream(
    caller: Caller,
    call: ThingCall<StreamOperation>,
    sink: StreamSink,
    context: InteractionContext,
    after: StreamPosition | undefined,
  ): Promise<StreamHandle & { readonly position: StreamPosition }> {
    const { gate, exposed } = this.#options;
    const { thing, scoped: first } = this.#allowed(caller, call, context);
    let handle: StreamHandle | undefined;
    let isOver = false;
    const end = (): void => {
      isOver = true;
      unwatch();
      handle?.stop();
    };
    const recheck = (): void => {
      const scoped = exposed(call.thing)?.scoped ?? first;
      if (isOver || gate.allows(caller, scoped, call, context)) return;
      end();
      sink.error(gate.refusal(caller, scoped, call));
    };
    const unwatch = gate.watch({ caller, recheck });
    const guarded: StreamSink = {
      next: (value, position) => {
        if (!isOver) sink.next(value, position);
      },
      error: (error, position) => {
        if (isOver) return;
        if (error.code !== 'values-missed') end();
        sink.error(error, position);
      },
    };
    try {
      const opened = await thing.stream(call, guarded, context, after);
      handle = opened;
      if (isOver) opened.stop();
      return { position: opened.position, stop: end };
    } catch (error) {
      end();
      throw error;
    }
  }
}
