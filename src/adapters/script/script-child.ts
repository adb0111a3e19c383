/**
 * The entry of a script's process: runs one file with the Scripting API, as `wot` and as the global `WoT`.
 * Relies on being started by `script-process.ts` under Node's permission model, with the channel on descriptor 3.
 */
import { Socket } from 'node:net';
import { pathToFileURL } from 'node:url';
import type { InteractionOutput, Wot } from '../../thing/scripting-api.ts';
import { connectChild } from './child-wot.ts';

const channelDescriptor = 3;
const stream = new Socket({ fd: channelDescriptor, readable: true, writable: true });
// Without its host a script has nobody to serve.
const { wot, link } = connectChild(stream, () => process.exit(0));

const messageOf = (thrown: unknown): string => {
  const { code, resource } = (thrown ?? {}) as { code?: unknown; resource?: unknown };
  const denied = code === 'ERR_ACCESS_DENIED' && resource !== undefined;
  const why = denied ? ` (${String(resource)}: a script reads its own folder only)` : '';
  const text = thrown instanceof Error ? `${thrown.name}: ${thrown.message}` : String(thrown);
  return `${text.slice(0, 1000)}${why}`.replace(/\.$/, '');
};

/** Tells the host why this process is about to end; Node then prints the stack and ends it. */
process.on('uncaughtExceptionMonitor', (error) => {
  try {
    link.notify({ topic: 'fatal', params: { message: messageOf(error) } });
  } catch {
    // The host learns of the end from the exit code as well.
  }
});

// The terminal sends this to the whole group: the host decides when its scripts end.
process.on('SIGINT', () => {});

const kill = process.kill.bind(process);
process.kill = (pid, signal) => {
  if (pid === process.pid) return kill(pid, signal);
  throw Object.assign(new Error('A script may send signals to itself only.'), { code: 'ERR_ACCESS_DENIED' });
};

/** The few helpers that node-wot offers to scripts beside `WoT`. */
const wotHelpers = {
  fetch: (thing: string) => wot.requestThingDescription(thing),
  parseInteractionOutput: (output: InteractionOutput) => output.value(),
};

Object.assign(globalThis, { WoT: wot, WoTHelpers: wotHelpers });

/** The default export, also where a compiled CommonJS module wraps it once more. */
const entryOf = (module: { default?: unknown }): ((wot: Wot) => unknown) | undefined => {
  let entry = module.default;
  if (typeof entry === 'object' && entry !== null && 'default' in entry) entry = entry.default;
  return typeof entry === 'function' ? (entry as (wot: Wot) => unknown) : undefined;
};

const file = process.argv[2]!;
process.argv.splice(1, 2, file);
const entry = entryOf(await import(pathToFileURL(file).href));
await entry?.(wot);
link.notify({ topic: 'started', params: {} });
