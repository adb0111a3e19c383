/**
 * What happens in the demo, as data for `--json` and as a line for people.
 * Relies on nothing: whoever tells a fact has it from a peer or from a process.
 */

/** One thing that happened. Devices are named by their peers' names, Things by their titles; times in milliseconds. */
export type Fact =
  /** A heading of the story. */
  | { event: 'scene'; text: string }
  | { event: 'started'; device: string; pid: number; peer: string; home: string; tookMs: number }
  | { event: 'joined'; device: string; fabric: string; role: string }
  /** Every device has a session with every other one. */
  | { event: 'connected'; devices: number; sessions: number; tookMs: number }
  /** The Things that a device knows of by itself. */
  | { event: 'knows'; device: string; things: string[] }
  /** A rule of the home, and the devices that watch for its triggers; `all` where every device does. */
  | { event: 'rule'; rule: string; name: string; watchedBy: string[] | 'all' }
  | { event: 'session-up' | 'session-down'; device: string; with: string }
  /**
   * A request that `device` made and how it ended: `ok` or an error's code. `to` is the device that was asked, `rule` the
   * rule that made it.
   */
  | {
      event: 'command';
      device: string;
      to: string;
      thing: string;
      op: string;
      name: string;
      outcome: string;
      rule?: string;
      roundTripMs: number;
    }
  | { event: 'property'; device: string; thing: string; name: string; value: unknown }
  | { event: 'event'; device: string; thing: string; name: string; data: unknown }
  | { event: 'said'; to: string; text: string }
  | { event: 'killed'; device: string; pid: number }
  /** All others that run have seen a device go or come; the time is from the kill, or from the start of the process. */
  | { event: 'missed' | 'back'; device: string; by: number; tookMs: number }
  /** A process ended that nobody had asked to. */
  | { event: 'ended'; device: string; how: string }
  | { event: 'script-failed'; device: string; text: string }
  | { event: 'failed'; text: string }
  | { event: 'over'; processes: number; dir: string };

const verbs: Readonly<Record<string, string>> = {
  readproperty: 'read',
  writeproperty: 'write',
  invokeaction: 'invoke',
  readmultipleproperties: 'read',
  readallproperties: 'read',
};
/** Properties whose changes are news; the others are seen in the picture. */
const toldProperties = new Set(['on', 'visitor', 'heating', 'locked', 'window', 'answer']);
/** Where round trips begin, so that they stand below each other. */
const timeColumn = 50;

/** A line for people, or undefined where a fact is not worth one. */
export const factText = (fact: Fact): string | undefined => {
  switch (fact.event) {
    case 'scene':
      return fact.text;
    case 'started':
      return inColumns(`${fact.device} runs as process ${fact.pid}`, fact.tookMs);
    case 'connected':
      return `${fact.devices} devices, ${fact.sessions} direct connections, ${seconds(fact.tookMs)} after the start`;
    case 'knows':
      return `${fact.device} knows ${fact.things.length} Things by itself: ${fact.things.join(', ')}`;
    case 'rule':
      return `rule "${fact.name}": watched by ${fact.watchedBy === 'all' ? 'all' : fact.watchedBy.join(', ')}`;
    case 'command':
      return commandText(fact);
    case 'property':
      return toldProperties.has(fact.name)
        ? `${fact.thing}: ${fact.name} is ${JSON.stringify(fact.value)}`
        : undefined;
    case 'event':
      return `${fact.thing}: ${fact.name} ${JSON.stringify(fact.data)}`;
    case 'said':
      return `you say to the ${fact.to}: "${fact.text}"`;
    case 'killed':
      return `${fact.device} is switched off: kill -9 ${fact.pid}`;
    case 'missed':
      return inColumns(`${fact.device} is missed by the ${fact.by} others`, fact.tookMs);
    case 'back':
      return inColumns(`${fact.device} is back, connected to ${fact.by} others`, fact.tookMs);
    case 'ended':
      return `${fact.device} has ended by itself: ${fact.how}`;
    case 'script-failed':
      return `${fact.device}: ${fact.text}`;
    case 'failed':
      return fact.text;
    case 'over':
      return `Nothing is left: ${fact.processes} processes ended, ${fact.dir} removed.`;
    case 'joined':
    case 'session-up':
    case 'session-down':
      return undefined;
  }
};

const commandText = (fact: Extract<Fact, { event: 'command' }>): string | undefined => {
  const verb = verbs[fact.op] ?? fact.op;
  const own = fact.device === fact.to;
  // What a device's own gateway reads of it is this program, looking.
  if (own && verb === 'read') return undefined;
  const who = own && fact.rule === undefined ? 'you' : fact.device;
  const notes = [fact.rule && `rule ${fact.rule}`, fact.outcome !== 'ok' && fact.outcome];
  const line = inColumns(`${who} → ${fact.thing}: ${verb} ${fact.name}`.trimEnd(), fact.roundTripMs);
  return [line, ...notes.filter(Boolean)].join('  ');
};

const inColumns = (text: string, tookMs: number): string =>
  `${text.padEnd(timeColumn)} ${(tookMs < 100 ? tookMs.toFixed(1) : tookMs.toFixed(0)).padStart(6)} ms`;

const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`;
